//! Notifications to systemd: started, reloading, ending, one line of status, and the watchdog.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use failover_tests::{daemon::Setup, lab::Lab, wait};
use rustix::process::Signal;

/// In systemd's place.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    fn new(lab: &Lab) -> Self {
        let path = lab.directory().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket
            .set_read_timeout(Some(wait::LONG))
            .expect("a timeout");
        Self { socket, path }
    }

    fn setup(&self, lab: &Lab) -> Setup {
        Setup::new(lab).environment("NOTIFY_SOCKET", &self.path)
    }

    fn next(&self) -> io::Result<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer)?;
        let message = buffer.get(..length).unwrap_or_default();
        Ok(String::from_utf8_lossy(message).into_owned())
    }

    /// Waits for a message that has this.
    fn hears(&self, wanted: &str) -> String {
        let mut heard = Vec::new();
        loop {
            let message = self
                .next()
                .unwrap_or_else(|error| panic!("no {wanted}: {error}; {heard:?}"));
            if message.contains(wanted) {
                return message;
            }
            heard.push(message);
        }
    }
}

#[test]
fn it_says_that_it_is_ready_what_it_does_and_that_it_ends() {
    let lab = Lab::new();
    let systemd = Systemd::new(&lab);
    let mut daemon = systemd.setup(&lab).spawn();
    assert_eq!(systemd.next().unwrap(), "READY=1");
    systemd.hears("STATUS=standby since 20");
    let status = systemd.hears("STATUS=suspect since 20");
    assert!(status.ends_with(", 1 strike"), "{status}");
    let status = systemd.hears("STATUS=active since 20");
    assert!(status.ends_with(", 3 strikes"), "{status}");
    // A pause shows in every state.
    daemon.follows(&["pause"]);
    let status = systemd.hears("STATUS=active since 20");
    assert!(status.contains(", PAUSED"), "{status}");
    daemon.terminate();
    systemd.hears("STOPPING=1");
}

#[test]
fn a_reload_begins_and_ends_and_a_refused_file_is_in_the_status() {
    let lab = Lab::new();
    let systemd = Systemd::new(&lab);
    let daemon = systemd.setup(&lab).in_file().spawn();
    systemd.hears("READY=1");
    daemon.reload(&[]);
    let reloading = systemd.hears("RELOADING=1");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (_, then) = reloading.split_once("MONOTONIC_USEC=").unwrap();
    let then: i64 = then.parse().unwrap();
    let age = now.tv_sec * 1_000_000 + now.tv_nsec / 1000 - then;
    assert!((0..15_000_000).contains(&age), "{age}");
    systemd.hears("READY=1");
    daemon.reload(&[("interval", "\"soon\"")]);
    systemd.hears("RELOADING=1");
    systemd.hears("READY=1");
    let status = systemd.hears("the new configuration is refused");
    assert!(status.contains("interval"), "{status}");
    daemon.reload(&[]);
    systemd.hears("READY=1");
    let status = systemd.hears("STATUS=");
    assert!(!status.contains("refused"), "{status}");
}

#[test]
fn the_watchdog_is_fed_by_the_loop_however_little_there_is_to_do() {
    const PATIENCE: Duration = Duration::from_secs(2);
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let systemd = Systemd::new(&lab);
    let mut daemon = systemd
        .setup(&lab)
        .interval(Duration::from_secs(3600))
        .environment("WATCHDOG_USEC", PATIENCE.as_micros().to_string())
        .spawn();
    daemon.probes("connected");
    let mut last = None;
    for _ in 0..6 {
        systemd.hears("WATCHDOG=1");
        let now = Instant::now();
        let since = last.replace(now).map(|last| now - last);
        assert!(since.is_none_or(|since| since < PATIENCE), "{since:?}");
    }
    // A loop that doesn't turn feeds nobody.
    daemon.signal(Signal::STOP);
    thread::sleep(PATIENCE / 2);
    systemd.socket.set_nonblocking(true).unwrap();
    while systemd.next().is_ok() {}
    systemd.socket.set_nonblocking(false).unwrap();
    systemd.socket.set_read_timeout(Some(2 * PATIENCE)).unwrap();
    let heard = systemd.next();
    daemon.signal(Signal::CONT);
    assert!(heard.is_err(), "{heard:?}");
}

#[test]
fn a_systemd_that_does_not_read_delays_nothing() {
    let lab = Lab::new();
    let systemd = Systemd::new(&lab);
    let mut daemon = systemd
        .setup(&lab)
        .environment("WATCHDOG_USEC", "40000")
        .spawn();
    // Its queue holds a few hundred messages (net.unix.max_dgram_qlen); nobody takes one out.
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"X=1", &systemd.path).is_ok() {}
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}
