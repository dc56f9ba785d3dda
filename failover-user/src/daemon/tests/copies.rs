//! What is done with copies of the primary's state before a command, and what follows from rounds.

use std::io::Read as _;

use failover_decide::{CommandResult, Step};
use failover_sync::{
    generation::Number,
    outcome::{Fit, Outcome as Said},
};

use super::*;
use crate::{
    gateway::parking::{ParkedUnit, Phase, Process, Record},
    status::problem::Problem,
    sync::{
        known,
        lineage::Side,
        order::Task,
        rounds::{Report, Rounds},
        worker::tests::scripted,
    },
};

/// A worker that copies one generation, and puts it in place when that is ordered.
fn copies_one() -> Rounds {
    let manifest = known::generation(1, "a");
    let outcomes = [
        (
            "look",
            serde_json::to_string(&Said::Store {
                generations: vec![manifest.clone()],
                in_place: None,
                kept: Vec::new(),
                refused: Vec::new(),
                fit: Some(Fit::Same),
            })
            .unwrap(),
        ),
        (
            "learn",
            "{\"outcome\":\"learned\",\"gateway_version\":null,\"databases\":0}".to_owned(),
        ),
        (
            "hand-back",
            format!(
                "{{\"outcome\":\"handed-back\",\"at\":\"{}\",\"kept\":null}}",
                jiff::Timestamp::now()
            ),
        ),
        (
            "round",
            serde_json::to_string(&Said::Copied {
                manifest: manifest.clone(),
                bytes: 1,
            })
            .unwrap(),
        ),
        (
            "place",
            serde_json::to_string(&Said::Placed {
                manifest,
                refused: Vec::new(),
                fit: Fit::Same,
            })
            .unwrap(),
        ),
    ];
    let cases = outcomes.map(|(verb, outcome)| format!("{verb}) echo '{outcome}';;\n"));
    let script = format!(
        "case $(sed 's/.*\"verb\":\"\\([a-z-]*\\)\".*/\\1/') in\n{}esac",
        cases.concat()
    );
    let options: Options = "primary = '192.0.2.1'\ndry-run = true\nsync-from = 'alice@pc-a'"
        .parse()
        .unwrap();
    let options = Configuration::load(options).unwrap().sync;
    Rounds::new(options, scripted(&script))
}

#[tokio::test]
async fn a_takeover_begins_with_the_newest_copy_and_is_kept_as_what_pc_a_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let local = free();
    let (mut lab, _) = taking_over(folder.path(), local).await;
    for what in [
        "place ended",
        "serves with Some(Number(1))",
        "start started",
        "start succeeded",
    ] {
        lab.until(what).await;
    }
    let _gateway = TcpListener::bind(local).unwrap();
    lab.until("active").await;
    lab.until("learn ended").await;
    let snapshot = lab.daemon.snapshot();
    let lineage = lab.daemon.state_dir.persisted().lineage();
    let served = lineage.unshared().expect("what PC-A lacks");
    let base = served.base.as_ref().expect("a copy");
    assert_eq!(base.number, Number(1));
    // A second start of the same takeover needs nothing before it: nothing is newer.
    assert!(lab.daemon.preparation(Step::START).is_none());
    assert!(
        !snapshot
            .problems
            .iter()
            .any(|one| matches!(one, Problem::BothChanged))
    );
}

/// A daemon at which a gateway is parked, with this copy in place.
async fn parked(folder: &Path, in_place: u64) -> Daemon {
    let mut daemon = daemon(folder, free(), free().port()).await;
    daemon.inputs.rounds = copies_one();
    let place = daemon.settings.configuration.parking();
    let unit = ParkedUnit {
        name: "bot.service".to_owned(),
        account: None,
    };
    let process = Process { pid: 1, started: 1 };
    Record::new(place.port(), unit, "/bot.service".to_owned())
        .in_phase(Phase::Parked { process })
        .write(&place)
        .unwrap();
    ended(
        &mut daemon,
        Task::Look,
        Said::Store {
            generations: vec![known::generation(in_place, "a")],
            in_place: Some(Number(in_place)),
            kept: Vec::new(),
            refused: Vec::new(),
            fit: None,
        },
    );
    daemon
}

fn ended(daemon: &mut Daemon, task: Task, outcome: Said) {
    let report = Report {
        task,
        outcome,
        took: Duration::ZERO,
    };
    daemon.inputs.rounds.ended(&report, jiff::Timestamp::now());
}

fn copied(number: u64) -> Said {
    Said::Copied {
        manifest: known::generation(number, "b"),
        bytes: 1,
    }
}

fn before(daemon: &mut Daemon, command: Step) -> Option<Task> {
    daemon.preparation(command).map(|(task, _)| task)
}

#[tokio::test]
async fn a_parked_gateway_is_given_a_newer_copy_before_it_continues_and_waits_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = parked(folder.path(), 1).await;
    // It has the newest.
    assert_eq!(before(&mut daemon, Step::START), None);
    ended(&mut daemon, Task::Round, copied(2));
    assert_eq!(before(&mut daemon, Step::START), Some(Task::Feed));
    assert_eq!(before(&mut daemon, Step::PARK), Some(Task::Place));
    assert_eq!(before(&mut daemon, Step::STOP), None);
    // It can't take it: it goes on with what it has, at once.
    let reason = "a database is new".to_owned();
    ended(&mut daemon, Task::Feed, Said::ParkAnew { reason });
    assert_eq!(before(&mut daemon, Step::START), None);
    assert_eq!(before(&mut daemon, Step::PARK), Some(Task::Place));
    let lacks = daemon.lacks().unwrap();
    assert_eq!(lacks.newest, Number(2));
    assert!(lacks.why.ends_with("a database is new"), "{}", lacks.why);
    // Parked again.
    let placed = Said::Placed {
        manifest: known::generation(2, "b"),
        refused: Vec::new(),
        fit: Fit::Same,
    };
    ended(&mut daemon, Task::Place, placed);
    assert_eq!(before(&mut daemon, Step::START), None);
    assert_eq!(daemon.lacks(), None);
}

#[tokio::test]
async fn what_pc_b_changed_itself_is_never_overwritten_in_a_parked_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = parked(folder.path(), 1).await;
    daemon.serves();
    ended(&mut daemon, Task::Round, copied(2));
    assert_eq!(before(&mut daemon, Step::START), None);
    assert_eq!(before(&mut daemon, Step::PARK), Some(Task::Place));
}

#[tokio::test]
async fn a_start_that_is_killed_while_a_copy_is_put_in_place_frees_the_slot() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = daemon(folder.path(), free(), free().port()).await;
    daemon.inputs.rounds = copies_one();
    ended(&mut daemon, Task::Round, copied(1));
    assert_eq!(daemon.run(Step::START), None);
    assert!(daemon.executor.is_busy());
    let result = daemon.executor.kill(Step::START);
    assert!(
        matches!(result, Some(CommandResult::Signalled { .. })),
        "{result:?}"
    );
    assert!(!daemon.executor.is_busy());
    // Nothing follows it, whatever became of the worker.
    assert!(daemon.executor.prepared().is_none());
}

/// A daemon with one copy of a primary's state, which has just died, and where that was.
async fn taking_over(folder: &Path, local: SocketAddr) -> (Lab, SocketAddr) {
    let primary = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = primary.local_addr().unwrap();
    let notes = Rc::new(RefCell::new(Vec::new()));
    let mut daemon = daemon(folder, address, local.port()).await;
    daemon.inputs.rounds = copies_one();
    daemon.observers.add(Box::new(Notes(Rc::clone(&notes))));
    daemon.begin().await.unwrap();
    let mut lab = Lab {
        daemon,
        notes,
        passed: 0,
    };
    lab.until("armed").await;
    lab.until("round ended").await;
    drop(primary);
    lab.until("starting").await;
    (lab, address)
}

fn asks_for_its_state(folder: &Path) -> UnixStream {
    let mut asker = UnixStream::connect(folder.join("control.sock")).unwrap();
    asker.write_all(b"{\"request\":\"hand-back\"}\n").unwrap();
    asker
}

/// Turns the loop until it has answered.
async fn answer(lab: &mut Lab, mut asker: UnixStream) -> String {
    let read = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        asker.read_to_string(&mut answer).map(|_| answer)
    });
    tokio::pin!(read);
    let turns = async {
        loop {
            tokio::select! {
                answer = &mut read => break answer.unwrap().unwrap(),
                turned = lab.daemon.step() => turned.unwrap(),
            }
        }
    };
    timeout(LONG, turns).await.unwrap()
}

#[tokio::test]
async fn a_primary_that_asks_gets_what_was_served_and_nothing_is_taken_over_until_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let local = free();
    let (mut lab, primary) = taking_over(folder.path(), local).await;
    lab.until("start succeeded").await;
    let gateway = TcpListener::bind(local).unwrap();
    lab.until("active").await;
    let asker = asks_for_its_state(folder.path());
    lab.until("release ordered by PC-A, whose gateway is about to start")
        .await;
    lab.until("stop started").await;
    let is_still_asked = |lab: &Lab| {
        lab.notes
            .borrow()
            .iter()
            .all(|one| one != "hand-back ended")
    };
    assert!(is_still_asked(&lab));
    drop(gateway);
    let told = answer(&mut lab, asker).await;
    assert!(told.contains("PC-A has what changed on PC-B"), "{told}");
    assert!(
        lab.daemon
            .state_dir
            .persisted()
            .lineage()
            .unshared()
            .is_none()
    );
    lab.until("hand-back ended").await;
    assert!(lab.daemon.decider.hold_until().is_some());
    let _primary = TcpListener::bind(primary).unwrap();
    lab.until("a pause or a hold").await;
    assert!(lab.daemon.decider.hold_until().is_none());
}

#[tokio::test]
async fn a_primary_that_lacks_nothing_starts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let primary = TcpListener::bind("127.0.0.1:0").unwrap();
    let notes = Rc::new(RefCell::new(Vec::new()));
    let port = free().port();
    let mut daemon = daemon(folder.path(), primary.local_addr().unwrap(), port).await;
    daemon.inputs.rounds = copies_one();
    daemon.begin().await.unwrap();
    let mut lab = Lab {
        daemon,
        notes,
        passed: 0,
    };
    let asker = asks_for_its_state(folder.path());
    let told = answer(&mut lab, asker).await;
    assert!(told.contains("nothing that PC-A lacks"), "{told}");
    assert!(told.contains("\"refusal\":null"), "{told}");
}

#[tokio::test]
async fn an_account_that_does_not_own_the_gateway_gets_nothing_handed_back() {
    let folder = tempfile::tempdir().unwrap();
    let primary = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = daemon(folder.path(), primary.local_addr().unwrap(), free().port()).await;
    let own = rustix::process::geteuid().as_raw();
    assert!(daemon.may_ask_for_state(own).is_ok());
    let refused = daemon.may_ask_for_state(own + 1).unwrap_err();
    assert!(refused.contains("may not give orders"), "{refused}");
}

#[tokio::test]
async fn whether_a_copy_of_another_version_fits_is_found_out_before_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = parked(folder.path(), 1).await;
    daemon.inputs.rounds.next(false).await;
    let newer = |number, version: &str| {
        let mut manifest = known::generation(number, "b");
        manifest.gateway_version = Some(version.to_owned());
        Report {
            task: Task::Round,
            outcome: Said::Copied { manifest, bytes: 1 },
            took: Duration::ZERO,
        }
    };
    daemon.synced(&newer(2, "2026.10.1"));
    let report = daemon.inputs.rounds.next(false).await;
    assert_eq!(report.task, Task::Look);
    // It fits, and the next one is like it.
    let store = |refused| Said::Store {
        generations: [2, 3].map(|number| known::generation(number, "b")).to_vec(),
        in_place: Some(Number(1)),
        kept: Vec::new(),
        refused,
        fit: Some(Fit::Same),
    };
    ended(&mut daemon, Task::Look, store(Vec::new()));
    assert!(!daemon.inputs.rounds.known().fit_is_in_doubt());
    let refused = failover_sync::outcome::Refused {
        number: Number(3),
        reason: "its schema is newer".to_owned(),
    };
    ended(&mut daemon, Task::Look, store(vec![refused]));
    let known = daemon.inputs.rounds.known();
    assert!(known.fit_is_in_doubt());
    assert_eq!(known.newest_that_fits().unwrap().number, Number(2));
}

#[tokio::test]
async fn where_one_side_has_no_conversation_of_its_own_the_other_side_stays() {
    for (primary_turns, local_turns, expected) in
        [(1, 0, Side::PcA), (0, 1, Side::PcB), (0, 0, Side::PcA)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = parked(folder.path(), 1).await;
        daemon.serves();
        ended(&mut daemon, Task::Round, copied(2));
        daemon.synced(&Report {
            task: Task::Differences,
            outcome: Said::Differences {
                primary: Vec::new(),
                local: Vec::new(),
                primary_turns,
                local_turns,
            },
            took: Duration::ZERO,
        });
        let lineage = daemon.state_dir.persisted().lineage();
        assert_eq!(lineage.choice, Some(expected));
        assert!(!lineage.is_split(daemon.inputs.rounds.known().newest()));
    }
}
