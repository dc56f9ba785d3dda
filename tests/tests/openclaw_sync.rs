//! The real OpenClaw on two hosts: what was said on PC-A is known on PC-B when PC-A is gone.

use std::fs;

use failover_sync::{outcome::Outcome, spec::Order};
use failover_tests::{
    lab::{
        Lab, Machine,
        machine::{ACCOUNT, HOME},
    },
    openclaw_host::{OpenClawHost, configuration},
    openclaw_pair::OpenClawPair,
    openclaw_unit::{await_state, configure_gateway, log},
    sync_worker::{carries_out, permit},
    wait,
};

/// What the model was asked with this message in it.
fn about(asked: &[String], message: &str) -> String {
    let found = asked.iter().find(|asked| asked.contains(message));
    found.unwrap_or_else(|| panic!("{asked:#?}")).clone()
}

#[test]
fn a_conversation_goes_on_at_pc_b_when_pc_a_is_gone() {
    let lab = Lab::new();
    let [primary, local] = [lab.host_a(), lab.host_b()].map(|host| OpenClawHost::new(&lab, host));
    let Some(_sshd) = primary.account().sshd() else {
        return;
    };
    permit(primary.account(), local.account());
    let running = primary.start();
    let answer = primary.answers("Our cat is called Zebulon.");
    assert!(answer.contains("of the model on PC-A"), "{answer}");
    let copied = carries_out(primary.account(), local.account(), Order::Round);
    assert!(matches!(copied, Outcome::Copied { .. }), "{copied:?}");
    running.kill();

    let order = Order::Place {
        number: None,
        keep: false,
    };
    let placed = carries_out(primary.account(), local.account(), order);
    assert!(matches!(placed, Outcome::Placed { .. }), "{placed:?}");
    // It would refuse to start if it found PC-A's lease.
    let _running = local.start();
    let answer = local.answers("What is our cat called?");
    assert!(answer.contains("of the model on PC-B"), "{answer}");
    let asked = about(&local.asked(), "What is our cat called?");
    assert!(asked.contains("Our cat is called Zebulon."), "{asked}");
    assert!(asked.contains("of the model on PC-A"), "{asked}");
}

/// The same text in all places of a home that people see.
const MEMORY: &str = "The spare key is below the third flowerpot.";
const JOB: &str = "water-the-plants";
/// A name that the configuration gives its model.
const RENAMED: &str = "Renamed stub";

/// What is not of a conversation: what the agent remembers, a job and the configuration.
fn assert_has_the_rest(machine: &Machine) {
    let read = |name: &str| {
        let path = machine.path(&format!("{HOME}/.openclaw/{name}"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    assert_eq!(read("workspace/MEMORY.md"), MEMORY);
    assert!(read("openclaw.json").contains(RENAMED));
    let jobs = machine.run_as_user(&["openclaw", "cron", "list"]);
    assert!(jobs.contains(JOB), "{jobs}");
}

#[test]
fn pc_b_goes_on_with_all_of_it_and_pc_a_gets_it_back_before_it_starts() {
    let Some(mut pair) = OpenClawPair::new("standby = \"cold\"\n") else {
        return;
    };
    pair.make_way_back();
    let primary = pair.primary();
    let workspace = format!("{HOME}/.openclaw/workspace");
    primary.run_as_user(&["mkdir", "-p", &workspace]);
    let memory = format!("{workspace}/MEMORY.md");
    primary.write(&memory, MEMORY);
    primary.run(&["chown", ACCOUNT, &memory]);
    configure_gateway(
        primary,
        &configuration().replace("\"Stub\"", &format!("\"{RENAMED}\"")),
    );
    let add = [
        "openclaw",
        "cron",
        "add",
        "--cron",
        "0 9 1 1 *",
        "--name",
        JOB,
    ];
    primary.run_as_user(&[&add[..], &["--message", "Water the plants."]].concat());
    let _ = pair.primary_answers("Our cat is called Zebulon.");
    pair.copies();

    pair.primary_is_killed();
    pair.is_taken_over();
    let answer = pair.standby_answers("What is our cat called?");
    assert!(answer.contains("of the model on PC-B"), "{answer}");
    let asked = about(&pair.standby_asked(), "What is our cat called?");
    assert!(asked.contains("Our cat is called Zebulon."), "{asked}");
    assert_has_the_rest(pair.standby());

    pair.primary_returns();
    let answer = pair.primary_answers("Who asked for the cat?");
    assert!(answer.contains("of the model on PC-A"), "{answer}");
    let asked = about(&pair.primary_asked(), "Who asked for the cat?");
    assert!(
        asked.contains("What is our cat called?"),
        "{asked}\n{}",
        log(pair.standby())
    );
    assert!(asked.contains("of the model on PC-B"), "{asked}");
    assert_has_the_rest(pair.primary());
    await_state(pair.standby(), "standby", wait::LONG);
}

/// What was said on PC-A is in the first request to PC-B's model after a takeover by the daemon.
fn assert_goes_on(mode: &str) {
    let options = format!("standby = \"{mode}\"\n");
    let Some(mut pair) = OpenClawPair::new(&options) else {
        return;
    };
    let answer = pair.primary_answers("Our cat is called Zebulon.");
    assert!(answer.contains("of the model on PC-A"), "{answer}");
    pair.copies();
    pair.primary_dies();
    pair.is_taken_over();
    let answer = pair.standby_answers("What is our cat called?");
    assert!(answer.contains("of the model on PC-B"), "{answer}");
    let asked = pair.standby_asked();
    let first = asked.first().expect("the model was asked");
    let log = || log(pair.standby());
    assert!(
        first.contains("Our cat is called Zebulon."),
        "{first}\n{}",
        log()
    );
    assert!(first.contains("of the model on PC-A"), "{first}\n{}", log());
}

#[test]
fn a_takeover_by_a_cold_standby_goes_on_with_the_conversation() {
    assert_goes_on("cold");
}

#[test]
fn a_takeover_by_a_warm_standby_goes_on_with_the_conversation() {
    assert_goes_on("warm");
}
