//! Notifications: to a command, and to a web server until it accepts them.

use std::{
    convert::Infallible,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use failover_tests::{
    daemon::{Daemon, Setup},
    lab::Lab,
    wait,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1::Builder,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer},
};

const HOOK_PORT: u16 = 8080;

/// A web server on PC-B that answers with whatever status is in force, and what it was sent.
struct Hook {
    status: Arc<AtomicU16>,
    tried: Arc<AtomicUsize>,
    got: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    fn on(lab: &Lab, status: u16) -> Self {
        Self::served(lab, status, None)
    }

    /// Over TLS, with a certificate from this authority.
    fn encrypted(lab: &Lab, status: u16, authority: &Authority) -> Self {
        Self::served(lab, status, Some(authority.acceptor()))
    }

    fn served(lab: &Lab, status: u16, tls: Option<TlsAcceptor>) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, HOOK_PORT));
        let listener = lab.host_b().listen(address, 16).expect("a listener");
        let hook = Self {
            status: Arc::new(AtomicU16::new(status)),
            tried: Arc::default(),
            got: Arc::default(),
        };
        let (status, tried) = (Arc::clone(&hook.status), Arc::clone(&hook.tried));
        let got = Arc::clone(&hook.got);
        thread::spawn(move || serve(listener, tls.as_ref(), &tried, &status, &got));
        hook
    }

    /// How many connections were made to it.
    fn tried(&self) -> usize {
        self.tried.load(Ordering::Relaxed)
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn got(&self) -> Vec<Value> {
        self.got.lock().expect("nobody panicked").clone()
    }

    fn events(&self) -> Vec<String> {
        let got = self.got();
        got.iter()
            .map(|notice| notice["event"].as_str().expect("a text").to_owned())
            .collect()
    }
}

/// Signs the hook's certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(lab: &Lab, name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(parameters, key).expect("a certificate");
        let file = lab.directory().join(format!("{name}.pem"));
        fs::write(&file, issuer.pem()).expect("the lab's folder");
        Self { issuer, file }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()]);
        let certificate = parameters.expect("a name").signed_by(&key, &self.issuer);
        let certificate = certificate.expect("a certificate").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let configuration = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate with its key");
        Arc::new(configuration).into()
    }

    /// The options for a hook over TLS with this authority trusted.
    fn trusted(&self) -> [String; 2] {
        [
            format!("--webhook=https://127.0.0.1:{HOOK_PORT}/hook"),
            format!("--webhook-ca={}", self.file.display()),
        ]
    }
}

fn serve(
    listener: TcpListener,
    tls: Option<&TlsAcceptor>,
    tried: &AtomicUsize,
    status: &AtomicU16,
    got: &Mutex<Vec<Value>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        while let Ok((stream, _)) = listener.accept().await {
            tried.fetch_add(1, Ordering::Relaxed);
            match tls {
                None => converse(stream, status, got).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, status, got).await;
                    }
                }
            }
        }
    });
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    status: &AtomicU16,
    got: &Mutex<Vec<Value>>,
) {
    let service = service_fn(|request: Request<Incoming>| async move {
        // Once a notice is there, its answer is settled.
        let answer = Response::builder().status(status.load(Ordering::Relaxed));
        let body = request.into_body().collect().await;
        let body = body.expect("a body").to_bytes();
        got.lock()
            .expect("nobody panicked")
            .push(serde_json::from_slice(&body).expect("JSON"));
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::new())).expect("an answer"))
    });
    let _ = Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn webhook() -> String {
    format!("--webhook=http://127.0.0.1:{HOOK_PORT}/hook")
}

#[test]
fn a_command_is_notified_of_the_takeover_and_of_the_release() {
    let lab = Lab::new();
    let file = lab.directory().join("notices");
    let script = format!(
        "--notify=sh -c 'cat >> {0}; echo $FAILOVER_EVENT $FAILOVER_STATE $FAILOVER_PRIMARY >> {0}'",
        file.display()
    );
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).argument(&script).spawn();
    daemon.probes("connected");
    let _primary = daemon.takes_over_and_releases(&lab, primary);
    let lines = wait::until("both are notified", wait::LONG, || {
        let text = fs::read_to_string(&file).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() == 4).then_some(lines)
    });
    let address = lab.host_a().gateway_address();
    assert_eq!(lines[1], format!("takeover active {address}"));
    assert_eq!(lines[3], format!("release standby {address}"));
    let takeover: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(takeover["version"], 1);
    assert_eq!(takeover["event"], "takeover");
    assert_eq!(takeover["by"], Value::Null);
    let reason = takeover["reason"].as_str().unwrap();
    assert!(reason.contains("refused"), "{takeover:#}");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_notify_command_that_never_ends_delays_nothing_and_is_killed() {
    let lab = Lab::new();
    let pid = lab.directory().join("pid");
    let script = format!("--notify=sh -c 'echo $$ > {}; sleep 1000'", pid.display());
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).argument(&script).spawn();
    daemon.probes("connected");
    let _primary = daemon.takes_over_and_releases(&lab, primary);
    let text = wait::until("it runs", wait::LONG, || {
        fs::read_to_string(&pid)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    let process = format!("/proc/{}", text.trim());
    assert!(fs::exists(&process).unwrap());
    let limit = Duration::from_secs(30);
    let line = daemon.says_within(limit + wait::LONG, "that it is killed", |line| {
        line.message() == "notify command failed"
    });
    assert!(line.field("error").contains("was killed"), "{line:?}");
    assert_eq!(line.field("event"), "takeover");
    // The next one notifies of the release; it doesn't outlive the daemon.
    let next = wait::until("the next runs", wait::LONG, || {
        let next = fs::read_to_string(&pid).ok()?;
        (next.ends_with('\n') && next != text).then_some(next)
    });
    daemon.terminate();
    wait::until("it is gone with the daemon", wait::LONG, || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", next.trim())).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
    assert_eq!(daemon.commands().names(), ["start", "stop"]);
}

#[test]
fn a_web_server_that_fails_first_is_notified_again_until_it_accepts() {
    let lab = Lab::new();
    let hook = Hook::on(&lab, 503);
    let mut daemon = Setup::new(&lab).argument(&webhook()).spawn();
    daemon.becomes("active");
    wait::until("two attempts", wait::LONG, || {
        (hook.got().len() >= 2).then_some(())
    });
    hook.answers(204);
    daemon.says("that the server has it", |line| {
        line.message() == "webhook notification delivered"
    });
    let got = hook.got();
    assert!(got.len() >= 3, "{got:#?}");
    assert!(got.iter().all(|notice| notice == &got[0]), "{got:#?}");
    assert_eq!(got[0]["event"], "takeover");
    daemon.ends_having_run(&["start"]);
    assert_eq!(hook.got(), got);
}

#[test]
fn who_cannot_tell_people_says_so_in_the_status_until_it_can_and_is_safe_all_the_same() {
    let lab = Lab::new();
    let hook = Hook::on(&lab, 503);
    let mut daemon = Setup::new(&lab)
        .argument(&webhook())
        .argument("--notify=/bin/false")
        .spawn();
    let (status, _) = daemon.status();
    assert_eq!(status["warnings"], Value::Array(Vec::new()), "{status:#}");
    daemon.becomes("active");
    let status = wait::until("both fail", wait::LONG, || {
        let (status, code) = daemon.status();
        assert_eq!(code, 0, "{status:#}");
        (status["warnings"].as_array()?.len() == 2).then_some(status)
    });
    for (warning, parts) in [
        (
            0,
            ["through the notify command", "exit status: 1", "by hand"],
        ),
        (1, ["through the webhook", "503", "the server's log"]),
    ] {
        let warning = status["warnings"][warning].as_str().unwrap();
        for part in parts {
            assert!(warning.contains(part), "{warning}");
        }
    }
    let line = daemon.says("what to do", |line| {
        line.message() == "notify command failed"
    });
    assert!(line.field("error").ends_with("no output"), "{line:?}");
    assert!(line.field("remedy").contains("by hand"), "{line:?}");
    assert_eq!(status["notifiers"][0]["kind"], "command");
    assert_eq!(status["notifiers"][0]["failed"], 1);
    hook.answers(204);
    let status = wait::until("the webhook is notified", wait::LONG, || {
        let (status, _) = daemon.status();
        (status["notifiers"][1]["told"] == 1).then_some(status)
    });
    assert_eq!(status["notifiers"][1]["failing"], Value::Null);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 1);
    daemon.ends_having_run(&["start"]);
}

#[test]
fn what_a_web_server_has_not_got_survives_a_daemon_that_is_killed() {
    let lab = Lab::new();
    let hook = Hook::on(&lab, 500);
    let setup = Setup::new(&lab).argument(&webhook());
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    let file = lab.directory().join("pc-b/state/webhook.json");
    wait::until("it is kept", wait::LONG, || {
        (file.exists() && !hook.got().is_empty()).then_some(())
    });
    let mut daemon = daemon.killed_and_restarted();
    let count = hook.got().len();
    hook.answers(200);
    daemon.says("that the server has it", |line| {
        line.message() == "webhook notification delivered"
    });
    let got = hook.got();
    assert!(got.len() > count, "{got:#?}");
    assert!(got.iter().all(|notice| notice == &got[0]), "{got:#?}");
    assert_eq!(hook.events()[0], "takeover");
    wait::until("nothing is kept any longer", wait::LONG, || {
        (!file.exists()).then_some(())
    });
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_web_server_that_nobody_can_reach_delays_nothing() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    // Nobody has the address.
    let mut daemon = Setup::new(&lab)
        .argument("--webhook=http://10.0.0.77:81/")
        .argument("--notify=/bin/false")
        .spawn();
    daemon.probes("connected");
    let _primary = daemon.takes_over_and_releases(&lab, primary);
    daemon.says("that the command fails", |line| {
        line.message() == "notify command failed"
    });
    daemon.ends_having_run(&["start", "stop"]);
}

// --- over TLS ------------------------------------------------------------------------------------

#[test]
fn a_web_server_over_tls_that_fails_first_is_notified_again_until_it_accepts() {
    let lab = Lab::new();
    let authority = Authority::new(&lab, "authority");
    let hook = Hook::encrypted(&lab, 503, &authority);
    let mut setup = Setup::new(&lab);
    for option in authority.trusted() {
        setup = setup.argument(&option);
    }
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    let line = daemon.says("that it fails", |line| {
        line.message() == "webhook notification failed"
    });
    assert!(line.field("error").contains("503"), "{line:?}");
    wait::until("two attempts", wait::LONG, || {
        (hook.got().len() >= 2).then_some(())
    });
    hook.answers(204);
    daemon.says("that the server has it", |line| {
        line.message() == "webhook notification delivered"
    });
    assert_eq!(hook.events()[0], "takeover");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn an_untrusted_web_server_is_not_notified_and_the_remedy_is_shown() {
    let lab = Lab::new();
    let [known, unknown] = ["known", "unknown"].map(|name| Authority::new(&lab, name));
    let hook = Hook::encrypted(&lab, 204, &unknown);
    let primary = lab.host_a().gateway().unwrap();
    let mut setup = Setup::new(&lab);
    for option in known.trusted() {
        setup = setup.argument(&option);
    }
    let mut daemon = setup.spawn();
    daemon.probes("connected");
    let _primary = daemon.takes_over_and_releases(&lab, primary);
    let line = wait::until("that it isn't trusted", wait::LONG, || {
        let said = daemon.said(|line| line.message() == "webhook notification failed");
        said.into_iter().next()
    });
    assert!(
        line.field("error").contains("issuer isn't trusted"),
        "{line:?}"
    );
    assert!(line.field("remedy").contains("--webhook-ca"), "{line:?}");
    wait::until("it is tried again", wait::LONG, || {
        (hook.tried() >= 2).then_some(())
    });
    assert_eq!(hook.got(), [Value::Null; 0]);
    daemon.ends_having_run(&["start", "stop"]);
}

// --- events that notify --------------------------------------------------------------------------

#[test]
fn events_for_the_operator_on_call_are_notified() {
    let file = |lab: &Lab| lab.directory().join("notices");
    let script = |lab: &Lab| {
        let file = file(lab);
        format!(
            "--notify=sh -c 'echo $FAILOVER_EVENT >> {}'",
            file.display()
        )
    };
    let await_notices = |lab: &Lab, expected: &[&str]| {
        wait::attempt(wait::LONG, || {
            let text = fs::read_to_string(file(lab)).unwrap_or_default();
            (text.lines().collect::<Vec<_>>() == expected).then_some(())
        })
        .unwrap_or_else(|| panic!("{expected:?}: {:?}", fs::read_to_string(file(lab))));
    };
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .starts(&["fail", "ok"])
        .stops(&["ok", "fail", "ok"])
        .argument(&script(&lab))
        .spawn();
    daemon.probes("connected");
    let primary = daemon.takes_over_and_releases(&lab, primary);
    let before = ["failed-start", "takeover", "failed-stop", "release"];
    await_notices(&lab, &before);
    // Soon after it is back.
    primary.kill();
    daemon.becomes("active");
    await_notices(&lab, &[&before[..], &["flapping", "takeover"]].concat());
    daemon.terminate();

    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .argument("--witnesses=10.0.0.99")
        .argument(&script(&lab))
        .spawn();
    daemon.becomes("isolated");
    await_notices(&lab, &["isolated"]);
    daemon.terminate();
}

#[test]
fn a_takeover_and_a_release_by_order_are_reported_with_whose_it_was() {
    let lab = Lab::new();
    let file = lab.directory().join("notices");
    let script = format!("--notify=sh -c 'cat >> {}'", file.display());
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).argument(&script).spawn();
    daemon.probes("connected");
    daemon.follows(&["takeover", "--force", "--yes"]);
    daemon.becomes("active");
    daemon.follows(&["release"]);
    daemon.becomes("standby");
    let notices = wait::until("both are notified", wait::LONG, || {
        let text = fs::read_to_string(&file).ok()?;
        let notices = text.lines().map(|line| serde_json::from_str(line).ok());
        let notices: Vec<Value> = notices.collect::<Option<_>>()?;
        (notices.len() == 2).then_some(notices)
    });
    for (notice, event) in notices.iter().zip(["takeover", "release"]) {
        assert_eq!(notice["event"], event);
        assert_eq!(notice["by"], "root", "{notice:#}");
        let text = notice["text"].as_str().unwrap();
        assert!(text.contains(", as root ordered ("), "{text}");
    }
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_pause_is_reported_with_who_ordered_it_and_why() {
    let lab = Lab::new();
    let file = lab.directory().join("notices");
    let script = format!(
        "--notify=sh -c 'cat >> {0}; echo $FAILOVER_EVENT: $FAILOVER_REASON >> {0}'",
        file.display()
    );
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).argument(&script).spawn();
    daemon.probes("connected");
    daemon.follows(&["pause", "--reason", "moving house"]);
    let lines = wait::until("it is notified", wait::LONG, || {
        let text = fs::read_to_string(&file).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() == 2).then_some(lines)
    });
    assert_eq!(lines[1], "paused: root ordered it: moving house");
    let paused: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(paused["reason"], "root ordered it: moving house");
    let text = paused["text"].as_str().unwrap();
    assert!(text.ends_with("moving house"), "{text}");
    daemon.ends_having_run(&[]);
}

#[test]
fn the_heartbeat_url_is_requested_only_while_all_is_well() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .argument("--heartbeat-url=http://127.0.0.1:1/push")
        .argument("--heartbeat-every=5s")
        .spawn();
    // PC-A was never seen, so nothing is protected.
    daemon.says("it is not requested", |line| {
        line.message()
            .ends_with("the heartbeat URL is not requested")
    });
    let fails = |daemon: &Daemon| {
        let (status, _) = daemon.status();
        let warnings = status.get("warnings").expect("a list").to_string();
        warnings.contains("the heartbeat URL")
    };
    assert!(!fails(&daemon));
    let _primary = lab.host_a().gateway().unwrap();
    daemon.says("it is requested", |line| {
        line.message() == "the heartbeat URL can't be requested"
    });
    wait::until("the status shows that nobody serves it", wait::LONG, || {
        fails(&daemon).then_some(())
    });
}
