use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixDatagram, UnixStream},
    path::Path,
    sync::Arc,
    time::Instant,
};

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use failover_decide::{Action, GatewayProbeId, Step};
use failover_linux::clock;

use crate::{
    config::{Configuration, Options},
    control::Server,
    daemon::Daemon,
    log::systemd::Watchdog,
    runtime::parts::Parts,
    state_dir::StateDir,
};

const PATIENCE: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(60);

/// A daemon with something to do for each source, and what it says to its supervisor.
struct Lab {
    daemon: Daemon,
    supervisor: UnixDatagram,
    /// The primary, the listener on the local port, and the clients that wait for an answer.
    _listeners: (TcpListener, Option<TcpListener>),
    _clients: (UnixStream, TcpStream),
    _folder: TempDir,
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn configuration(
    folder: &Path,
    primary: SocketAddr,
    metrics: SocketAddr,
    start: &str,
) -> Configuration {
    let file = folder.join("failover.toml");
    let text = format!(
        "primary = \"{primary}\"\nport = {}\ncheck = \"tcp\"\ninterval = \"1s\"\ntimeout = \"100ms\"\n\
         recovery-interval = \"1s\"\nwitnesses = [\"192.0.2.1:9\"]\nkernel-events = \"off\"\n\
         gateway = \"command\"\nstart = \"{start}\"\nstop = \"true\"\nmetrics = \"{metrics}\"\n\
         state-dir = \"{state}\"\ncontrol = \"{state}/control.sock\"\n",
        free().port(),
        state = folder.display(),
    );
    std::fs::write(&file, text).unwrap();
    Configuration::load(Options {
        config: Some(file),
        ..Options::default()
    })
    .unwrap()
}

impl Lab {
    async fn new(stall: Option<Source>, grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let metrics = free();
        // What runs on has its output read.
        let start = match stall {
            Some(Source::Output) => "sleep 600",
            _ => "true",
        };
        let primary = listener.local_addr().unwrap();
        let configuration = configuration(folder.path(), primary, metrics, start);
        let state_dir = StateDir::open(&configuration.state_dir).unwrap();
        let parts = Parts::default();
        let control = Server::listen(
            &configuration.control,
            None,
            parts.part("the control socket"),
        );
        let control = control.await.unwrap();
        let reread = configuration.clone();
        let reader = Arc::new(move || Ok(reread.clone()));
        let socket = configuration.control.clone();
        // Where nobody listens, nobody is asked.
        let port = configuration.port.get();
        let tunnel =
            (stall == Some(Source::PortForward)).then(|| TcpListener::bind(("127.0.0.1", port)));
        let tunnel = tunnel.map(Result::unwrap);
        let mut daemon = Daemon::new(configuration, state_dir, control, reader, parts).unwrap();
        let notify = folder.path().join("notify");
        let supervisor = UnixDatagram::bind(&notify).unwrap();
        supervisor.set_nonblocking(true).unwrap();
        daemon.inputs.watchdog = Some(Watchdog::at(&notify, PATIENCE));
        daemon.inputs.progress = Progress::with(grace);
        daemon.begin().await.unwrap();
        daemon.inputs.stall = Stall { of: stall };
        let mut client = UnixStream::connect(socket).unwrap();
        client.write_all(b"{\"request\":\"status\"}\n").unwrap();
        let page = async {
            loop {
                if let Ok(mut stream) = TcpStream::connect(metrics) {
                    let get = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
                    stream.write_all(get).unwrap();
                    return stream;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let page = timeout(LONG, page).await.unwrap();
        // Once it is known who listens; then what no quiet daemon would do now.
        daemon.look_and_decide();
        let probe = GatewayProbeId::default();
        let action = Action::ProbeGateway { probe };
        assert!(daemon.carry_out(action).is_none());
        daemon.inputs.port_forward.ask(&[]);
        let judges = daemon.judges();
        daemon.inputs.quorum.check(&judges);
        assert!(daemon.run(Step::START).is_none());
        // An answer would be taken by whatever looks next.
        if stall == Some(Source::Look) {
            daemon.inputs.hang();
        }
        Self {
            daemon,
            supervisor,
            _listeners: (listener, tunnel),
            _clients: (client, page),
            _folder: folder,
        }
    }

    fn is_fed(&self) -> bool {
        let mut buffer = [0; 4096];
        let mut fed = false;
        while let Ok(length) = self.supervisor.recv(&mut buffer) {
            fed |= buffer[..length].starts_with(b"WATCHDOG=1");
        }
        fed
    }

    /// Runs until the watchdog fires: it wasn't fed for as long as it waits. Says what stalled.
    async fn fires(&mut self) -> Option<Source> {
        let mut fed = Instant::now();
        while fed.elapsed() < PATIENCE {
            let _ = timeout(Duration::from_millis(50), self.daemon.step()).await;
            if self.is_fed() {
                fed = Instant::now();
            }
        }
        let stalled = self.daemon.inputs.progress.stalled(clock::now());
        stalled.map(|(source, _)| source)
    }
}

#[tokio::test]
async fn the_watchdog_fires_for_each_source_that_stalls_alone() {
    let local = tokio::task::LocalSet::new();
    let all = async {
        let stalled = Source::ALL.map(|source| {
            tokio::task::spawn_local(async move {
                let mut lab = Lab::new(Some(source), Duration::from_millis(500)).await;
                let fires = timeout(LONG, lab.fires()).await;
                lab.daemon.executor.kill(Step::START);
                (source, fires)
            })
        });
        for ended in stalled {
            let (source, fires) = ended.await.unwrap();
            assert_eq!(fires, Ok(Some(source)), "{source:?} stalled");
        }
    };
    local.run_until(all).await;
}

#[tokio::test]
async fn the_watchdog_is_fed_while_the_loop_gets_to_everything() {
    let mut lab = Lab::new(None, GRACE).await;
    let begun = Instant::now();
    let mut times = 0;
    while times < 6 {
        assert!(begun.elapsed() < LONG, "fed {times} times");
        let _ = timeout(Duration::from_millis(50), lab.daemon.step()).await;
        times += u32::from(lab.is_fed());
    }
}

#[test]
fn what_waits_stalls_when_its_time_and_the_grace_are_over_and_a_suspend_is_no_stall() {
    let grace = Duration::from_secs(10);
    let at = |seconds| Time::from_boot(Duration::from_secs(seconds));
    for source in Source::ALL {
        let mut progress = Progress::with(grace);
        for other in Source::ALL {
            progress.waits(other, Some(at(100)));
        }
        progress.waits(source, Some(at(90)));
        assert_eq!(progress.stalled(at(100)), None);
        let late = grace + Duration::from_secs(1);
        assert_eq!(progress.stalled(at(101)), Some((source, late)));
        progress.suspended(Duration::from_secs(50));
        assert_eq!(progress.stalled(at(150)), None);
        assert!(progress.stalled(at(151)).is_some());
        progress.made(source);
        assert_eq!(progress.stalled(at(151)), None);
        // Seen repeatedly, it waits since the first time.
        let mut progress = Progress::with(grace);
        progress.seen(source, true, at(150));
        progress.seen(source, true, at(160));
        assert_eq!(progress.stalled(at(161)), Some((source, late)));
        progress.seen(source, false, at(161));
        assert_eq!(progress.stalled(at(161)), None);
    }
}
