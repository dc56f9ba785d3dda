//! Against small servers on the loopback, kind and hostile.

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
use crate::config::{Body, Configuration, Options};

mod encrypted;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);
/// By so much a loaded machine may be late; far less than [`LONG`].
const LATE: Duration = Duration::from_secs(4);

// --- servers ------------------------------------------------------------------------------------

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

// --- asking -------------------------------------------------------------------------------------

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
        Failure::WrongAnswer(what) => what,
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

// --- OpenClaw -----------------------------------------------------------------------------------

#[tokio::test]
async fn openclaw_is_live_by_its_word_and_the_rest_is_recorded_over_the_same_connection() {
    let server = Server::answering(openclaw).await;
    let verdict = good(&checker(&openclaw_for_tests()), &server).await;
    let readiness = verdict.readiness.unwrap();
    assert_eq!(readiness.startup, Some(Startup::Started));
    assert_eq!(readiness.ready, Some(false));
    assert_eq!(readiness.failing, ["telegram"]);
    assert_eq!(readiness.version.as_deref(), Some("2026.9.6"));
    let expected = ["/healthz", "/startupz", "/readyz"].map(|path| (1, path.to_owned()));
    assert_eq!(server.paths(), expected);
    assert!(matches!(verdict.connection, Some(Connection::To(peer)) if peer == server.address));
}

#[tokio::test]
async fn two_looks_at_one_gateway_see_the_same_process_and_at_two_gateways_do_not() {
    let server = Server::answering(openclaw).await;
    let other = Server::answering(|path| match path {
        "/startupz" => json(
            "200 OK",
            r#"{"ok":true,"status":"started","version":"2026.9.6","uptimeMs":99000}"#,
        ),
        path => openclaw(path),
    })
    .await;
    let silent = Server::answering(|path| match path {
        "/startupz" => json("200 OK", r#"{"ok":true,"status":"started"}"#),
        path => openclaw(path),
    })
    .await;
    let mut readiness = Vec::new();
    for server in [&server, &server, &other, &silent] {
        let verdict = good(&checker(&openclaw_for_tests()), server).await;
        readiness.push(verdict.readiness.unwrap());
    }
    let same = |one: usize, two: usize| readiness[one].is_same_process(&readiness[two]);
    assert_eq!(same(0, 1), Some(true));
    assert_eq!(same(0, 2), Some(false));
    assert_eq!(same(0, 3), None);
}

#[tokio::test]
async fn a_gateway_that_is_not_ok_by_its_own_word_has_failed() {
    for (answer, expected) in [
        (json("200 OK", r#"{"ok":false}"#), WrongAnswer::NotOk),
        (json("200 OK", r#"{"ok":"true"}"#), WrongAnswer::NotOk),
        (json("200 OK", "[true]"), WrongAnswer::NotOk),
        (json("200 OK", "{\"ok\":true"), WrongAnswer::NotJson),
        (json("503 Busy", r#"{"ok":false}"#), WrongAnswer::NotOk),
        (json("503 Busy", "{}"), WrongAnswer::Status(503)),
        (
            answer("500 Oops", "text/plain", "oops"),
            WrongAnswer::Status(500),
        ),
    ] {
        let server = Server::answering(move |_| answer.clone()).await;
        let what = wrong(&checker(&openclaw_for_tests()), &server).await;
        assert_eq!(what, expected, "{:?}", server.paths());
    }
}

#[tokio::test]
async fn it_is_the_body_that_counts_and_not_the_status() {
    let server = Server::answering(|_| json("404 Not Found", r#"{"ok":true}"#)).await;
    good(&checker(&openclaw_for_tests()), &server).await;
}

#[tokio::test]
async fn a_release_without_healthz_is_known_by_its_page_or_404_and_challenges() {
    for missing in [
        page(),
        answer("200 OK", "application/octet-stream", " \n<html>"),
        answer("404 Not Found", "text/plain", "Not Found"),
        json("404 Not Found", r#"{"error":"not found"}"#),
    ] {
        let server = Server::answering(move |path| match path {
            "/healthz" => missing.clone(),
            _ => websocket(CHALLENGE),
        })
        .await;
        let checker = checker(&openclaw_for_tests());
        let first = good(&checker, &server).await;
        assert!(first.readiness.is_none());
        assert_eq!(
            server.paths(),
            [(1, "/healthz".to_owned()), (2, "/".to_owned())]
        );
        // The next check goes straight to it.
        let second = asked(&checker, &server, LONG, first.memory).await;
        assert!(matches!(second.outcome, Outcome::Connected { .. }));
        assert_eq!(server.paths()[2..], [(3, "/".to_owned())]);
    }
}

#[tokio::test]
async fn a_gateway_that_was_updated_is_asked_for_healthz_again_in_time() {
    let server = Server::answering(|path| match path {
        "/healthz" => page(),
        _ => websocket(CHALLENGE),
    })
    .await;
    let checker = checker(&openclaw_for_tests());
    let mut memory = Memory::default();
    for _ in 0..45 {
        memory = asked(&checker, &server, LONG, memory).await.memory;
    }
    let asked = server.paths();
    let again = asked.iter().filter(|(_, path)| path == "/healthz").count();
    assert_eq!(again, 3, "once at first, and after each twenty");
}

#[tokio::test]
async fn a_release_without_healthz_fails_without_its_challenge_and_is_then_asked_anew() {
    let failing: [(Vec<u8>, Failure); 4] = [
        (
            websocket(r#"{"type":"event","event":"other"}"#),
            WrongAnswer::NoChallenge.into_failure(),
        ),
        (websocket("hello"), WrongAnswer::NoChallenge.into_failure()),
        (page(), WrongAnswer::Status(200).into_failure()),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            WrongAnswer::NotHttp.into_failure(),
        ),
    ];
    for (upgraded, expected) in failing {
        let server = Server::answering(move |path| match path {
            "/healthz" => page(),
            _ => upgraded.clone(),
        })
        .await;
        let checker = checker(&openclaw_for_tests());
        let first = verdict(&checker, &server).await;
        assert!(
            matches!(first.outcome, Outcome::Failed { failure, .. } if failure == expected),
            "{first:?}"
        );
        let before = server.paths().len();
        asked(&checker, &server, LONG, first.memory).await;
        assert_eq!(server.paths()[before].1, "/healthz");
    }
}

impl WrongAnswer {
    fn into_failure(self) -> Failure {
        Failure::WrongAnswer(self)
    }
}

#[tokio::test]
async fn a_message_that_would_never_end_is_cut_off() {
    let server = Server::answering(|path| match path {
        "/healthz" => page(),
        _ => {
            // A text frame of 2^40 bytes (RFC 6455, section 5.2).
            let mut bytes = websocket("");
            bytes.truncate(bytes.len() - 2);
            bytes.extend([0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]);
            bytes.extend([b'x'; 100]);
            bytes
        }
    })
    .await;
    let what = wrong(&checker(&openclaw_for_tests()), &server).await;
    assert_eq!(what, WrongAnswer::TooLong);
}

#[tokio::test]
async fn what_is_only_recorded_never_turns_a_good_check_bad_nor_delays_it_for_long() {
    for (broken, startup) in [("/readyz", Some(Startup::Started)), ("/startupz", None)] {
        for nonsense in [Vec::new(), b"nonsense\r\n\r\n".to_vec(), page()] {
            let server = Server::answering(move |path| {
                if path == broken {
                    nonsense.clone()
                } else {
                    openclaw(path)
                }
            })
            .await;
            let begun = Instant::now();
            let verdict = good(&checker(&openclaw_for_tests()), &server).await;
            assert!(begun.elapsed() < LATE);
            assert_eq!(verdict.readiness.unwrap().startup, startup);
        }
    }
}

#[tokio::test]
async fn a_deadline_that_comes_while_something_is_recorded_turns_nothing_bad() {
    let server = Server::answering(|path| match path {
        "/healthz" => openclaw(path),
        _ => Vec::new(),
    })
    .await;
    let checker = checker(&openclaw_for_tests());
    let verdict = asked(&checker, &server, 2 * SHORT, Memory::default()).await;
    assert!(
        matches!(verdict.outcome, Outcome::Connected { .. }),
        "{verdict:?}"
    );
}

fn draining(path: &str) -> Vec<u8> {
    match path {
        "/startupz" => json("503 Busy", r#"{"ok":false,"status":"draining"}"#),
        path => openclaw(path),
    }
}

#[tokio::test]
async fn a_primary_that_drains_fails_only_after_a_limit_that_is_configured() {
    let server = Server::answering(draining).await;
    let patient = openclaw_with(|_| {});
    let limited = openclaw_with(|check| check.drain_limit = Some(SHORT));
    for checker in [&patient, &limited] {
        let verdict = good(checker, &server).await;
        let readiness = verdict.readiness.unwrap();
        assert_eq!(readiness.startup, Some(Startup::Draining));
        assert!(readiness.draining_since.is_some());
        sleep(SHORT).await;
        let later = asked(checker, &server, LONG, verdict.memory).await;
        let readiness = later.readiness.unwrap();
        assert!(readiness.draining_since.is_some());
        let fails = matches!(
            later.outcome,
            Outcome::Failed {
                failure: Failure::WrongAnswer(WrongAnswer::Draining),
                ..
            }
        );
        assert_eq!(
            fails,
            std::ptr::eq(checker, &raw const limited),
            "{:?}",
            later.outcome
        );
    }
}

#[tokio::test]
async fn a_drain_that_has_ended_is_forgotten() {
    let server = Server::answering(draining).await;
    let started = Server::answering(openclaw).await;
    let checker = openclaw_with(|check| check.drain_limit = Some(SHORT));
    let drains = good(&checker, &server).await;
    let over = asked(&checker, &started, LONG, drains.memory).await;
    assert_eq!(over.readiness.unwrap().draining_since, None);
    sleep(SHORT).await;
    let again = asked(&checker, &server, LONG, over.memory).await;
    assert!(
        matches!(again.outcome, Outcome::Connected { .. }),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_token_goes_where_details_are_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let options = Options {
        primary: Some("pc-a.test".parse().unwrap()),
        check: Some(config::CheckKind::OpenClaw),
        check_token_file: Some(file),
        dry_run: Some(true),
        ..Options::default()
    };
    let configuration = Configuration::load(options).unwrap();
    assert!(!format!("{configuration:?}").contains("s3cret"));
    let server = Server::answering(openclaw).await;
    good(&checker(&configuration.check), &server).await;
    let asked = server.asked.lock().unwrap();
    let with: Vec<bool> = asked
        .iter()
        .map(|(_, head)| head.contains("authorization: Bearer s3cret\r\n"))
        .collect();
    assert_eq!(with, [false, true, true], "{asked:?}");
}

// --- any HTTP -----------------------------------------------------------------------------------

#[tokio::test]
async fn the_status_is_the_one_that_is_asked_for_and_no_redirect_is_followed() {
    let server = Server::answering(|path| match path {
        "/" => b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => json("200 OK", "{}"),
    })
    .await;
    good(&http("/", 302, Body::Any), &server).await;
    let what = wrong(&http("/", 200, Body::Any), &server).await;
    assert_eq!(what, WrongAnswer::Status(302));
    good(&http("/elsewhere?full=1", 200, Body::Any), &server).await;
    let last = server.asked.lock().unwrap().last().unwrap().1.clone();
    let host = format!("host: gateway.test:{}\r\n", server.address.port());
    assert!(
        last.contains("/elsewhere?full=1") && last.contains(&host),
        "{last}"
    );
}

#[tokio::test]
async fn the_body_has_to_have_the_text_or_the_value() {
    let server = Server::answering(|_| {
        json(
            "200 OK",
            r#"{"live":true,"checks":[{"name":"db","lag":0.5,"left":null}]}"#,
        )
    })
    .await;
    let json = |pointer: &str, value: Option<&str>| Body::Json {
        pointer: pointer.to_owned(),
        value: value.map(|value| value.parse().unwrap()),
    };
    for (body, is_right) in [
        (Body::Contains("\"db\"".to_owned()), true),
        (Body::Contains("\"dd\"".to_owned()), false),
        (json("/live", None), true),
        (json("/live", Some("true")), true),
        (json("/live", Some("false")), false),
        (json("/checks/0/name", Some("db")), true),
        (json("/checks/0/lag", Some("0.5")), true),
        (json("/checks/1/name", None), false),
        // Null is as good as nothing.
        (json("/checks/0/left", None), false),
        (json("", None), true),
    ] {
        let told = format!("{body:?}");
        let checker = http("/", 200, body);
        if is_right {
            good(&checker, &server).await;
        } else {
            assert_eq!(
                wrong(&checker, &server).await,
                WrongAnswer::Differs,
                "{told}"
            );
        }
    }
}

// --- which layer --------------------------------------------------------------------------------

#[tokio::test]
async fn nobody_who_listens_is_a_refusal() {
    let server = Server::answering(openclaw).await;
    let address = server.address;
    server.task.abort();
    // The listener goes with the task.
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    for checker in both() {
        assert_eq!(failure(&checker, &server).await, Failure::Refused);
    }
}

#[tokio::test]
async fn a_process_that_hangs_gives_no_answer_and_its_kernel_does() {
    let server = Server::with(|stream| async {
        sleep(LONG).await;
        drop(stream);
    })
    .await;
    for checker in both() {
        assert_eq!(silence(SHORT, &checker, &server).await, NoAnswer::TimedOut);
    }
    good(&checker(&Check::Tcp), &server).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_or_reset_is_no_answer() {
    let closes = Server::with(|mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    let breaks_off = Server::with(|mut stream| async move {
        head(&mut stream).await;
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":";
        stream.write_all(half).await.unwrap();
    })
    .await;
    let resets = Server::with(|mut stream| async move {
        head(&mut stream).await;
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    })
    .await;
    for checker in both() {
        assert_eq!(silence(LONG, &checker, &closes).await, NoAnswer::Closed);
        assert_eq!(silence(LONG, &checker, &breaks_off).await, NoAnswer::Closed);
        assert_eq!(silence(LONG, &checker, &resets).await, NoAnswer::Reset);
    }
}

#[tokio::test]
async fn what_is_not_http_is_told_as_that() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..],
        b"\x16\x03\x01\x00\x05hello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nthis is no chunk\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
    ] {
        let server = Server::answering(move |_| garbage.to_vec()).await;
        for checker in both() {
            let what = wrong(&checker, &server).await;
            assert_eq!(what, WrongAnswer::NotHttp, "{garbage:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_trickles_in_is_none_at_the_deadline() {
    for start in ["HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\n\r\n", ""] {
        let server = Server::with(move |mut stream| async move {
            let _ = stream.write_all(start.as_bytes()).await;
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        for checker in both() {
            let told = failure_within(SHORT, &checker, &server).await;
            // A line of x is no status line, either.
            let expected = [
                Failure::NoAnswer(NoAnswer::TimedOut),
                WrongAnswer::NotHttp.into_failure(),
            ];
            assert!(expected.contains(&told), "{start:?}: {told:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    for start in [
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let server = Server::with(move |mut stream| async move {
            let _ = stream.write_all(start.as_bytes()).await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        })
        .await;
        for checker in both() {
            let what = wrong(&checker, &server).await;
            assert!(
                matches!(what, WrongAnswer::TooLong | WrongAnswer::NotJson),
                "{start:?}: {what:?}"
            );
        }
    }
}

#[tokio::test]
async fn headers_without_number_are_refused() {
    let server = Server::answering(|_| {
        let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
        bytes.extend(b"a: b\r\n".repeat(1000));
        bytes.extend(b"Content-Length: 4\r\n\r\nwell");
        bytes
    })
    .await;
    for checker in both() {
        let what = wrong(&checker, &server).await;
        assert!(matches!(what, WrongAnswer::TooLong), "{what:?}");
    }
}

/// What a hostile server may send, some of it nearly right.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let starts = prop_oneof![
        Just(""),
        Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.1 200 OK\r\n\r\n"),
        Just("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"ok\":true}"),
        Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Just(
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ACCEPT\r\n\r\n"
        ),
        Just("HTTP/1.1 100 Continue\r\n\r\n"),
    ];
    (starts, vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [start.as_bytes(), &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_answer_makes_a_check_panic_or_take_longer_than_it_may(
        healthz in hostile(),
        others in hostile(),
        ends in any::<bool>(),
    ) {
        let limit = Duration::from_millis(50);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::with(move |mut stream| {
                let (healthz, others) = (healthz.clone(), others.clone());
                async move {
                    while let Some(head) = head(&mut stream).await {
                        let bytes = if head.starts_with("GET /healthz ") { &healthz } else { &others };
                        let _ = stream.write_all(bytes).await;
                        if ends {
                            return;
                        }
                    }
                }
            }).await;
            for checker in both() {
                let mut memory = Memory::default();
                for _ in 0..2 {
                    let verdict = asked(&checker, &server, limit, memory).await;
                    let is_own = matches!(verdict.outcome, Outcome::Unknown { .. });
                    assert!(!is_own, "{verdict:?}");
                    memory = verdict.memory;
                }
            }
        });
    }
}
