//! The lab's own gateway and its commands behave as OpenClaw was observed to, so that results with them are valid for
//! OpenClaw.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    commands::{Commands, Release},
    lab::{Host, Lab},
    wait,
};
use rustix::process::Signal;
use tokio_tungstenite::tungstenite;

/// For what isn't to come. Far longer than an answer takes.
const SHORT: Duration = Duration::from_millis(300);

fn connection(host: &Host) -> TcpStream {
    host.connect((host.address(), PORT)).expect("it listens")
}

fn asks(mut connection: &TcpStream, path: &str) {
    write!(connection, "GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n").expect("it is open");
}

/// What comes in one piece.
fn hears(connection: &TcpStream) -> String {
    hears_within(wait::LONG, connection).expect("an answer, or the end")
}

/// The same; `None` when nothing comes for this time.
fn hears_within(patience: Duration, mut connection: &TcpStream) -> Option<String> {
    let timeout = connection.set_read_timeout(Some(patience));
    timeout.expect("it is a socket");
    let mut buffer = [0; 4096];
    match connection.read(&mut buffer) {
        Ok(length) => {
            let heard = buffer.get(..length).unwrap_or_default();
            Some(String::from_utf8_lossy(heard).into_owned())
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

fn answer(host: &Host, path: &str) -> String {
    let connection = connection(host);
    asks(&connection, path);
    hears(&connection)
}

/// The first words on a WebSocket.
fn greeting(host: &Host) -> tungstenite::Result<String> {
    let connection = connection(host);
    connection
        .set_read_timeout(Some(wait::LONG))
        .expect("it is a socket");
    let url = format!("ws://{}/", host.gateway_address());
    let (mut socket, _) = tungstenite::client(url, connection).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error,
        interrupted => panic!("{interrupted}"),
    })?;
    socket.read()?.into_text().map(|text| text.to_string())
}

#[test]
fn a_healthy_gateway_says_so_and_challenges_whoever_opens_a_web_socket() {
    let lab = Lab::new();
    let host = lab.host_a();
    let _gateway = host.gateway().unwrap();
    let health = answer(host, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    assert!(
        health.ends_with("\r\n\r\n{\"ok\":true,\"status\":\"live\"}"),
        "{health}"
    );
    let greeting = greeting(host).unwrap();
    assert!(
        greeting.contains(r#""event":"connect.challenge""#),
        "{greeting}"
    );
}

#[test]
fn a_web_server_of_another_kind_has_a_page_for_everything_and_no_web_socket() {
    let lab = Lab::new();
    let host = lab.host_a();
    let _gateway = host.gateway_with(&["--plays", "page"]).unwrap();
    let health = answer(host, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n") && health.contains("<!doctype html>"));
    assert!(matches!(greeting(host), Err(tungstenite::Error::Http(_))));
}

#[test]
fn a_hanging_gateway_accepts_and_answers_only_when_it_goes_on() {
    let lab = Lab::new();
    let host = lab.host_a();
    let gateway = host.gateway().unwrap();
    let earlier = connection(host);
    gateway.signal(Signal::USR1);
    wait::until("it hangs", wait::LONG, || {
        let asking = connection(host);
        asks(&asking, "/healthz");
        hears_within(SHORT, &asking).is_none().then_some(())
    });
    asks(&earlier, "/healthz");
    assert_eq!(hears_within(SHORT, &earlier), None);
    gateway.signal(Signal::USR1);
    assert_ne!(hears(&earlier), "");
}

#[test]
fn a_draining_gateway_listens_and_is_live_until_it_ends() {
    let lab = Lab::new();
    let host = lab.host_a();
    let mut gateway = host.gateway_with(&["--drain", "3s"]).unwrap();
    let signalled = gateway.signal(Signal::TERM);
    wait::until("it drains", wait::LONG, || {
        answer(host, "/startupz").contains("draining").then_some(())
    });
    assert!(answer(host, "/healthz").contains(r#""ok":true"#));
    assert!(matches!(greeting(host), Err(tungstenite::Error::Http(_))));
    wait::until("it ends", wait::LONG, || gateway.ended());
    let took = failover_tests::moment::Moment::now().since(signalled);
    assert!(took >= Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_terminating_gateway_lives_on_without_its_port() {
    let lab = Lab::new();
    let host = lab.host_a();
    let mut gateway = host.gateway_with(&["--linger", "60s"]).unwrap();
    gateway.signal(Signal::TERM);
    host.await_listening(false);
    assert_eq!(gateway.ended(), None);
}

#[test]
fn a_crashing_gateway_comes_and_goes() {
    let lab = Lab::new();
    let host = lab.host_a();
    let _gateway = host.gateway_with(&["--crash-loop", "1s"]).unwrap();
    let idle = connection(host);
    for listens in [false, true, false] {
        host.await_listening(listens);
    }
    assert_eq!(hears(&idle), "", "connections end with it");
}

#[test]
fn an_idle_connection_is_closed_after_an_answer_and_not_before_one() {
    let lab = Lab::new();
    let host = lab.host_a();
    let _gateway = host.gateway_with(&["--keep-alive", "100ms"]).unwrap();
    let (asking, silent) = (connection(host), connection(host));
    asks(&asking, "/healthz");
    let asked = Instant::now();
    assert!(hears(&asking).contains(r#""ok":true"#));
    assert_eq!(hears(&asking), "");
    assert!(asked.elapsed() >= Duration::from_millis(100));
    assert_eq!(hears_within(SHORT, &silent), None);
}

#[test]
fn a_stop_wants_the_force_option_from_the_release_on_that_knows_it() {
    let lab = Lab::new();
    let commands = Commands::new(&lab.directory().join("pc-a"), lab.binary()).unwrap();
    let code = |release, arguments: &[&str]| {
        let openclaw = commands.openclaw(release).unwrap();
        let output = lab.host_a().command(openclaw).args(arguments).output();
        output.unwrap().status.code().unwrap()
    };
    let (plain, force) = (["gateway", "stop"], ["gateway", "stop", "--force"]);
    for (release, succeeds, fails) in [
        (Release::Current, &force[..], &plain[..]),
        (Release::Old, &plain, &force),
    ] {
        assert_eq!(code(release, &["gateway", "start"]), 0);
        assert!(lab.host_a().listens(PORT));
        assert_eq!(code(release, fails), 1);
        assert!(lab.host_a().listens(PORT));
        assert_eq!(code(release, succeeds), 0);
        assert!(!lab.host_a().listens(PORT));
    }
}
