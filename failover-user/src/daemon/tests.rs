//! The loop as a whole: a takeover and a release, as an observer sees them.

use std::{
    cell::RefCell,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    path::Path,
    rc::Rc,
};

use tokio::time::timeout;

use super::*;
use crate::{
    config::{Configuration, Options},
    named::Named as _,
    observe::occurrence::{CommandCourse, Decided, Observer, OrderCourse, Seen, SyncCourse, typed},
    wording,
};

mod copies;

const LONG: Duration = Duration::from_secs(60);

/// Notes what it sees, in a few words.
struct Notes(Rc<RefCell<Vec<String>>>);

impl Observer for Notes {
    fn observe(&mut self, occurrence: &Occurrence, _context: &Context) {
        let note = match occurrence {
            Occurrence::Daemon(course) => match course {
                DaemonCourse::Begins { .. } => "the daemon begins".to_owned(),
                DaemonCourse::Watches => "the daemon watches".to_owned(),
                DaemonCourse::Reloads
                | DaemonCourse::Reconfigured(_)
                | DaemonCourse::Reloaded
                | DaemonCourse::ReloadRefused(_) => "a reload".to_owned(),
                DaemonCourse::Ends => "the daemon ends".to_owned(),
                DaemonCourse::Ended(totals) => format!(
                    "after {} takeover and {} release",
                    totals.takeovers, totals.releases
                ),
            },
            Occurrence::Seen(Seen::Probe(probe)) => {
                format!("probe {}", wording::probe::outcome(probe.outcome))
            }
            Occurrence::Seen(Seen::Port(observation)) => format!("port {observation:?}"),
            Occurrence::Seen(_) => "something else is seen".to_owned(),
            Occurrence::Decided(decided) => match decided {
                Decided::Event(_) => "event".to_owned(),
                Decided::Actions(_) => "actions".to_owned(),
                Decided::State(explanation) => explanation.change.to.name().to_owned(),
                Decided::Armed => "armed".to_owned(),
                Decided::Standby(state) => state.name().to_owned(),
                Decided::DrillEnded(drill) => {
                    format!("drill {}", drill.result.name())
                }
                Decided::StandbyMode(effective) => effective.mode.name().to_owned(),
                Decided::Withheld(_) | Decided::Paused | Decided::PauseOver | Decided::HoldOver => {
                    "a pause or a hold".to_owned()
                }
            },
            Occurrence::Command(command, course) => match course {
                CommandCourse::Started => format!("{command} started"),
                CommandCourse::Ended { result, .. } => {
                    format!("{command} {}", wording::command::result(result))
                }
            },
            Occurrence::Order(order, course) => match course {
                OrderCourse::Given { by, .. } => format!("{} ordered by {by}", typed(*order).0),
                OrderCourse::Waits { .. }
                | OrderCourse::Refused { .. }
                | OrderCourse::Unconfirmed { .. } => "an order that is not followed".to_owned(),
            },
            Occurrence::Sync(course) => match course {
                SyncCourse::Ended(report) => format!("{} ended", report.task.name()),
                SyncCourse::Serves { with, .. } => format!("serves with {with:?}"),
                SyncCourse::Stale { .. }
                | SyncCourse::Fresh
                | SyncCourse::Split
                | SyncCourse::Chosen { .. } => "something that lasts".to_owned(),
            },
            Occurrence::Turned => "turned".to_owned(),
        };
        self.0.borrow_mut().push(note);
    }
}

struct Lab {
    daemon: Daemon,
    notes: Rc<RefCell<Vec<String>>>,
    /// The number of notes up to the last one that was waited for.
    passed: usize,
}

impl Lab {
    /// Turns the loop until this is seen after all that was waited for before.
    async fn until(&mut self, what: &str) {
        let turns = async {
            loop {
                let place = self.notes.borrow()[self.passed..]
                    .iter()
                    .position(|note| note == what);
                if let Some(place) = place {
                    self.passed += place + 1;
                    break;
                }
                self.daemon.step().await.unwrap();
            }
        };
        let seen = timeout(LONG, turns).await;
        assert!(seen.is_ok(), "not {what}: {:#?}", self.notes.borrow());
    }
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

async fn daemon(folder: &Path, primary: SocketAddr, port: u16) -> Daemon {
    let state = folder.display();
    let options = format!(
        "primary = '{primary}'\nport = {port}\ncheck = 'tcp'\ninterval = '1s'\ntimeout = '200ms'\n\
         recovery-interval = '1s'\nwitnesses = []\nkernel-events = 'off'\ngateway = 'command'\n\
         start = 'true'\nstop = 'true'\nstate-dir = '{state}'\ncontrol = '{state}/control.sock'\n"
    );
    let configuration = Configuration::load(options.parse().unwrap()).unwrap();
    let state_dir = StateDir::open(&configuration.state_dir).unwrap();
    let parts = Parts::default();
    let control = Server::listen(
        &configuration.control,
        None,
        parts.part("the control socket"),
    );
    let control = control.await.unwrap();
    let again = configuration.clone();
    let reader = Arc::new(move || Ok(again.clone()));
    Daemon::new(configuration, state_dir, control, reader, parts).unwrap()
}

#[tokio::test]
async fn an_observer_sees_every_occurrence_of_a_takeover_and_a_release() {
    let folder = tempfile::tempdir().unwrap();
    let primary = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = free();
    let address = primary.local_addr().unwrap();
    let notes = Rc::new(RefCell::new(Vec::new()));
    let mut daemon = daemon(folder.path(), address, local.port()).await;
    daemon.observers.add(Box::new(Notes(Rc::clone(&notes))));
    daemon.begin().await.unwrap();
    let passed = 0;
    let mut lab = Lab {
        daemon,
        notes,
        passed,
    };
    lab.until("armed").await;
    drop(primary);
    lab.until("start succeeded").await;
    let gateway = TcpListener::bind(local).unwrap();
    lab.until("active").await;
    let mut operator = UnixStream::connect(folder.path().join("control.sock")).unwrap();
    operator.write_all(b"{\"request\":\"release\"}\n").unwrap();
    lab.until("stop started").await;
    drop(gateway);
    lab.until("stop succeeded").await;
    // The primary is down still.
    lab.until("suspect").await;
    lab.daemon.end();
    let by = crate::state_dir::persisted::operator(rustix::process::geteuid().as_raw());
    let ordered = format!("release ordered by {by}");
    let course = [
        "the daemon begins",
        "the daemon watches",
        "port Absent",
        "event",
        "actions",
        "armed",
        "turned",
        "suspect",
        "starting",
        "start started",
        "start succeeded",
        "port Listening",
        "active",
        &*ordered,
        "stopping",
        "stop started",
        "stop succeeded",
        "suspect",
        "turned",
        "the daemon ends",
        "after 1 takeover and 1 release",
    ];
    let notes = lab.notes.borrow();
    let mut seen = notes.iter();
    for what in course {
        assert!(
            seen.any(|note| note == what),
            "not {what} in its place: {notes:#?}"
        );
    }
}
