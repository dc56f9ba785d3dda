//! The real OpenClaw on two hosts: what was said on PC-A is known on PC-B when PC-A is gone.

use failover_sync::{outcome::Outcome, spec::Order};
use failover_tests::{
    lab::Lab,
    openclaw_host::OpenClawHost,
    openclaw_pair::OpenClawPair,
    openclaw_unit::log,
    sync_worker::{carries_out, permit},
};

/// What the model was asked with this message in it.
fn asked_about(host: &OpenClawHost, message: &str) -> String {
    let asked = host.asked();
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
    let asked = asked_about(&local, "What is our cat called?");
    assert!(asked.contains("Our cat is called Zebulon."), "{asked}");
    assert!(asked.contains("of the model on PC-A"), "{asked}");
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
