//! Against small servers on the loopback, kind and hostile.

mod any_http;
mod encrypted;
mod hostile;
mod layers;
mod local;
mod openclaw;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::*;
use crate::config;
use crate::config::{Body, Configuration, Options};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);
/// Tolerance for a loaded machine; far less than [`LONG`].
const LATE: Duration = Duration::from_secs(4);

// --- servers ----------------------------------------------------------------------------------------

/// A server, until it is dropped.
struct Server {
    address: SocketAddr,
    /// The requests' heads with the number of their connection.
    asked: Arc<Mutex<Vec<(usize, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Does this with each connection.
    async fn with<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Self {
            address,
            asked: Arc::default(),
            task,
        }
    }

    /// Answers each request with these bytes, by its path; nothing at all to one without.
    async fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + Clone + 'static) -> Self {
        let asked: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let connections = Arc::new(Mutex::new(0));
        let mut server = Self::with(move |mut stream| {
            let (answer, noted) = (answer.clone(), Arc::clone(&noted));
            let number = {
                let mut connections = connections.lock().unwrap();
                *connections += 1;
                *connections
            };
            async move {
                while let Some(head) = head(&mut stream).await {
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    noted.lock().unwrap().push((number, head.clone()));
                    let mut bytes = answer(&path);
                    if let Some(key) = head.lines().find_map(|line| {
                        line.to_ascii_lowercase()
                            .starts_with("sec-websocket-key")
                            .then(|| line.split(": ").nth(1).unwrap().to_owned())
                    }) {
                        let accept = derive_accept_key(key.as_bytes());
                        if let Some(at) = bytes.windows(6).position(|part| part == b"ACCEPT") {
                            bytes.splice(at..at + 6, accept.bytes());
                        }
                    }
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        server.asked = asked;
        server
    }

    fn paths(&self) -> Vec<(usize, String)> {
        let asked = self.asked.lock().unwrap();
        let path = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        asked
            .iter()
            .map(|(connection, head)| (*connection, path(head)))
            .collect()
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn json(status: &str, body: &str) -> Vec<u8> {
    answer(status, "application/json; charset=utf-8", body)
}

fn page() -> Vec<u8> {
    answer(
        "200 OK",
        "text/html; charset=utf-8",
        "<!doctype html><title>OpenClaw</title>",
    )
}

/// As OpenClaw 2026.9.6 does.
fn openclaw(path: &str) -> Vec<u8> {
    match path {
        "/healthz" => json("200 OK", r#"{"ok":true,"status":"live"}"#),
        "/startupz" => json(
            "200 OK",
            r#"{"ok":true,"status":"started","version":"2026.9.6","uptimeMs":5000}"#,
        ),
        "/readyz" => json(
            "503 Service Unavailable",
            r#"{"ready":false,"failing":["telegram"]}"#,
        ),
        _ => page(),
    }
}

/// The answer to a handshake, and a text with it.
fn websocket(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(
        length < 126,
        "a short frame's length (RFC 6455, section 5.2)"
    );
    let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n"
        .to_vec();
    bytes.extend([0x81, length]);
    bytes.extend(text.as_bytes());
    bytes
}

const CHALLENGE: &str =
    r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"x","ts":1}}"#;

// --- asking -----------------------------------------------------------------------------------------

fn checker(check: &Check) -> Checker {
    Checker::of_the_primary(check)
}

fn openclaw_with(change: impl FnOnce(&mut config::OpenClawCheck)) -> Checker {
    let Check::OpenClaw(mut check) = openclaw_for_tests() else {
        unreachable!("it is OpenClaw's");
    };
    change(&mut check);
    checker(&Check::OpenClaw(check))
}

fn http(path: &str, status: u16, body: Body) -> Checker {
    checker(&Check::Http(HttpCheck {
        server: config::Server {
            host: "gateway.test".to_owned(),
            tls: None,
        },
        path: path.parse().unwrap(),
        status,
        body,
    }))
}

async fn asked(checker: &Checker, server: &Server, limit: Duration, memory: Memory) -> Verdict {
    let begun = Instant::now();
    let verdict = checker.ask(&[server.address], begun + limit, memory).await;
    let took = begun.elapsed();
    assert!(took < limit + LATE, "it took {took:?} of {limit:?}");
    verdict
}

async fn verdict(checker: &Checker, server: &Server) -> Verdict {
    asked(checker, server, LONG, Memory::default()).await
}

async fn good(checker: &Checker, server: &Server) -> Verdict {
    let verdict = verdict(checker, server).await;
    assert!(
        matches!(verdict.outcome, Outcome::Connected { .. }),
        "{verdict:?}"
    );
    verdict
}

async fn failure_within(limit: Duration, checker: &Checker, server: &Server) -> Failure {
    let verdict = asked(checker, server, limit, Memory::default()).await;
    match verdict.outcome {
        Outcome::Failed { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

async fn failure(checker: &Checker, server: &Server) -> Failure {
    failure_within(LONG, checker, server).await
}

async fn wrong(checker: &Checker, server: &Server) -> WrongAnswer {
    match failure(checker, server).await {
        Failure::WrongAnswer(fault) => WrongAnswer::of(fault).unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn silence(limit: Duration, checker: &Checker, server: &Server) -> NoAnswer {
    match failure_within(limit, checker, server).await {
        Failure::NoAnswer(why) => why,
        other => panic!("{other:?}"),
    }
}

fn both() -> [Checker; 2] {
    [
        checker(&openclaw_for_tests()),
        http("/", 200, Body::Contains("well".to_owned())),
    ]
}
