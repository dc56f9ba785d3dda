//! The real OpenClaw on two hosts: what was said on PC-A is known on PC-B when PC-A is gone.

use std::{io::Write as _, path::Path, process::Stdio, time::Duration};

use failover_sync::{
    openclaw,
    outcome::Outcome,
    source::{Program, authorized_keys_line},
    spec::{Limits, Order, SourceSpec, Spec},
};
use failover_tests::{
    account, lab::Lab, openclaw_host::OpenClawHost, openclaw_pair::OpenClawPair, openclaw_unit::log,
};

const STORE: &str = ".local/state/failover/sync";
const KEY: &str = ".local/state/failover/sync-key";

/// PC-A may be asked for its state by PC-B.
fn permit(source: &OpenClawHost, local: &OpenClawHost) {
    let (source, local) = (source.account(), local.account());
    let key = local.make_key(KEY);
    local.write(&format!("{KEY}.hosts"), source.known_host());
    let paths = openclaw::state(Path::new(account::HOME)).paths;
    let line = authorized_keys_line(Program::newest(), &paths, &key).expect("a line");
    source.write(".ssh/authorized_keys", line + "\n");
}

/// PC-B's worker carries this out.
fn carries_out(source: &OpenClawHost, local: &OpenClawHost, order: Order) -> Outcome {
    let home = Path::new(account::HOME);
    let spec = Spec {
        order,
        state: openclaw::state(home),
        store: home.join(STORE),
        source: Some(SourceSpec {
            destination: format!("{}@{}", account::NAME, source.account().host().address()),
            port: None,
            key: home.join(KEY),
            known_hosts: home.join(format!("{KEY}.hosts")),
        }),
        limits: Limits {
            within: Duration::from_secs(60),
            bytes: 1 << 30,
            file_bytes: 1 << 29,
            files: 10_000,
            free_bytes: 0,
        },
        unit_file: None,
    };
    let mut worker = local.account().command(account::FAILOVER);
    worker
        .arg("sync-worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut worker = worker.spawn().expect("the worker can be run");
    let order = serde_json::to_vec(&spec).expect("an order");
    let mut input = worker.stdin.take().expect("a pipe");
    input.write_all(&order).expect("the worker reads");
    drop(input);
    let output = worker.wait_with_output().expect("the worker ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

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
    permit(&primary, &local);
    let running = primary.start();
    let answer = primary.answers("Our cat is called Zebulon.");
    assert!(answer.contains("of the model on PC-A"), "{answer}");
    let copied = carries_out(&primary, &local, Order::Round);
    assert!(matches!(copied, Outcome::Copied { .. }), "{copied:?}");
    running.kill();

    let order = Order::Place {
        number: None,
        keep: false,
    };
    let placed = carries_out(&primary, &local, order);
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
