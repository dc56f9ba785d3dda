//! With a worker that is a script, and notes what it is ordered.

use std::fs;

use failover_sync::generation::Number;

use super::*;
use crate::{config::Options, sync::worker::tests::scripted};

/// What is copied, with this time between rounds.
fn options(every: &str) -> Sync {
    let text = format!(
        "primary = '192.0.2.1'\ndry-run = true\nsync = {{ from = 'alice@pc-a', every = '{every}' }}"
    );
    let options: Options = text.parse().unwrap();
    Configuration::check(options).unwrap().sync.unwrap()
}

/// Notes the verb of each order, and says this.
fn script(folder: &tempfile::TempDir, answers: &str) -> String {
    let orders = folder.path().join("orders");
    format!(
        "order=$(sed 's/.*\"verb\":\"\\([a-z-]*\\)\".*/\\1/'); echo \"$order\" >> {}\ncase $order in\n{answers}\nesac",
        orders.display()
    )
}

fn orders(folder: &tempfile::TempDir) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join("orders")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const LOOK: &str =
    r#"look) echo '{"outcome":"store","generations":[],"in_place":null,"kept":[]}';;"#;
const FAILS: &str = r#"round) echo '{"outcome":"failed","step":"reach","error":"no route"}';;"#;

#[tokio::test]
async fn the_store_is_read_first_and_rounds_follow_while_it_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let worker = scripted(&script(&folder, &format!("{LOOK}{FAILS}")));
    let mut rounds = Rounds::new(Some(options("5s")), worker);
    // The store is read whatever the state is.
    assert_eq!(rounds.next(false).await.task, Task::Look);
    let report = rounds.next(true).await;
    assert_eq!(report.task, Task::Round);
    rounds.ended(&report, Timestamp::now());
    assert_eq!(
        rounds.known().failing.as_ref().map(|failing| failing.count),
        Some(1)
    );
    // The next one is due in five seconds, unless somebody hurries.
    let soon = tokio::time::timeout(Duration::from_millis(300), rounds.next(true));
    assert!(soon.await.is_err());
    rounds.hurry();
    assert_eq!(rounds.next(true).await.task, Task::Round);
    assert_eq!(orders(&folder), ["look", "round", "round"]);
}

#[tokio::test]
async fn while_it_is_not_quiet_no_round_begins() {
    let folder = tempfile::tempdir().unwrap();
    let worker = scripted(&script(&folder, &format!("{LOOK}{FAILS}")));
    let mut rounds = Rounds::new(Some(options("5s")), worker);
    rounds.next(false).await;
    let never = tokio::time::timeout(Duration::from_millis(300), rounds.next(false));
    assert!(never.await.is_err());
    assert_eq!(orders(&folder), ["look"]);
}

#[tokio::test]
async fn a_takeover_waits_for_no_round() {
    let folder = tempfile::tempdir().unwrap();
    let place = r#"place) echo '{"outcome":"nothing-newer","in_place":3,"refused":[]}';;"#;
    let worker = scripted(&script(
        &folder,
        &format!("{LOOK}round) sleep 3600;;{place}"),
    ));
    let mut rounds = Rounds::new(Some(options("5s")), worker);
    rounds.next(false).await;
    while orders(&folder).len() < 2 {
        let _ = tokio::time::timeout(Duration::from_millis(10), rounds.next(true)).await;
    }
    assert_eq!(rounds.runs(), Some(Task::Round));
    let order = Order::Place {
        number: None,
        keep: false,
    };
    let begun = Instant::now();
    let outcome = rounds.begin_before_all(order).unwrap().ended().await;
    let placed = Outcome::NothingNewer {
        in_place: Some(Number(3)),
        refused: Vec::new(),
    };
    assert_eq!(outcome, placed);
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(rounds.runs(), None);
}

#[tokio::test]
async fn where_nothing_is_copied_nothing_runs() {
    let mut rounds = Rounds::new(None, scripted("exit 1"));
    assert!(!rounds.ask(Order::Verify));
    assert!(rounds.begin_before_all(Order::Feed).is_none());
    let never = tokio::time::timeout(Duration::from_millis(50), rounds.next(true));
    assert!(never.await.is_err());
}
