//! With programs that keep to the contract, and programs that don't.

use std::time::Instant;

use failover_sync::{
    generation::Number,
    outcome::FailedStep,
    spec::{Limits, StateSpec},
};

use super::*;

/// A worker that is this script.
pub(crate) fn scripted(script: &str) -> Worker {
    let line = CommandLine {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
    };
    Worker::new(line, None)
}

fn spec(within: Duration) -> Spec {
    Spec {
        order: Order::Look,
        state: StateSpec {
            paths: Vec::new(),
            exclude: Vec::new(),
            databases: Vec::new(),
            is_openclaw: false,
        },
        store: "/nowhere".into(),
        source: None,
        unit_file: None,
        limits: Limits {
            within,
            bytes: 1,
            file_bytes: 1,
            files: 1,
            free_bytes: 0,
        },
    }
}

const LONG: Duration = Duration::from_secs(60);

async fn outcome(script: &str) -> Outcome {
    scripted(script).begin(&spec(LONG)).ended().await
}

fn error(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed {
            step: FailedStep::Local,
            error,
        } => error,
        other => panic!("{other:?}"),
    }
}

/// Nothing runs any longer whose command line has this.
async fn is_gone(mark: &str) {
    let runs = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(mark)
        })
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while runs() {
        assert!(Instant::now() < deadline, "{mark} still runs");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn it_gets_the_order_and_says_what_came_of_it() {
    let script = r#"grep -q '"verb":"look"' && echo working >&2 &&
        echo '{"outcome":"nothing-newer","in_place":7,"refused":[]}'"#;
    let expected = Outcome::NothingNewer {
        in_place: Some(Number(7)),
        refused: Vec::new(),
    };
    assert_eq!(outcome(script).await, expected);
}

#[tokio::test]
async fn one_that_says_nothing_or_nonsense_has_failed_with_its_last_words() {
    let said = error(outcome("cat >/dev/null; echo 'no \u{1b}[31mdisk' >&2; exit 3").await);
    assert!(
        said.contains("without an outcome; its last words: no \\u{1b}"),
        "{said}"
    );
    for script in [
        "echo yes",
        "echo '{}'",
        "printf '\\377\\n'",
        "echo '{\"outcome\":\"no\"}'",
    ] {
        let said = error(outcome(script).await);
        assert!(said.contains("said what is no outcome"), "{said}");
    }
    let missing = Worker::new(
        CommandLine {
            program: "/no/such/worker".into(),
            arguments: Vec::new(),
        },
        None,
    );
    let said = error(missing.begin(&spec(LONG)).ended().await);
    assert!(said.contains("can't be run"), "{said}");
}

#[tokio::test]
async fn one_that_says_too_much_is_read_to_a_limit_and_hangs_nobody() {
    let said = error(outcome("yes no | head -c 3000000; yes no | head -c 3000000 >&2").await);
    assert!(said.contains("no outcome"), "{said}");
}

#[tokio::test]
async fn at_its_limit_it_is_killed_with_all_that_it_started() {
    let mark = "sleep 4242.1";
    let worker = scripted(&format!("{mark} & wait"));
    let begun = Instant::now();
    let said = error(worker.begin(&spec(Duration::ZERO)).ended().await);
    assert!(said.contains("killed"), "{said}");
    assert!(begun.elapsed() < LONG);
    is_gone("4242.1").await;
}

#[tokio::test]
async fn what_it_leaves_behind_is_killed_when_it_ends() {
    let script = r#"sleep 4242.2 >/dev/null 2>&1 & echo '{"outcome":"park-anew","reason":"x"}'"#;
    let expected = Outcome::ParkAnew {
        reason: "x".to_owned(),
    };
    assert_eq!(outcome(script).await, expected);
    is_gone("4242.2").await;
}

#[tokio::test]
async fn one_that_nobody_waits_for_any_longer_is_killed() {
    let worker = scripted("sleep 4242.3 & wait").begin(&spec(LONG));
    drop(worker);
    is_gone("4242.3").await;
}

#[tokio::test]
async fn what_nobody_waits_for_runs_with_less_of_the_processor() {
    let script = r#"cat >/dev/null; until [ "$(cut -d' ' -f19 /proc/self/stat)" = 10 ]; do :; done
        echo '{"outcome":"park-anew","reason":"nice"}'"#;
    assert!(matches!(outcome(script).await, Outcome::ParkAnew { .. }));
}
