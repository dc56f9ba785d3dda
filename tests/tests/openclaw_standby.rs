//! The real OpenClaw kept ready on PC-B: parked by the daemon through its owner's systemd user unit, from inside of the
//! sandbox of the package's unit.

use std::time::Duration;

use failover_tests::{
    PORT, http,
    lab::{
        Lab, Machine, Process,
        machine::{HOME, USER},
    },
    moment::Moment,
    openclaw::LONGEST_START,
    openclaw_unit::{self, UNIT, await_seen, await_state, await_status, log, run_daemon, status},
    wait,
    watch::ListenWatch,
};
use serde_json::Value;

/// Strikes count for some intervals: long enough for a start, which takes 5 to 37 s.
const OPTIONS: &str =
    "gateway = \"systemd-user\"\ncheck = \"tcp\"\ninterval = \"10s\"\ntimeout = \"1s\"\n";
/// From SIGCONT to `/healthz` took 39 to 159 ms, and this is no benchmark; an ordinary start takes more than 5 s.
const SOON: Duration = Duration::from_secs(2);

fn standby_becomes(machine: &Machine, state: &str) -> Value {
    await_status(
        machine,
        &format!("standby {state}"),
        LONGEST_START,
        |status| {
            status
                .pointer("/standby/state")
                .is_some_and(|found| found == state)
        },
    )
}

/// Neither a process nor what held it.
fn assert_nothing_is_left(machine: &Machine) {
    wait::until("the unit has ended", wait::LONG, || {
        (machine.user_unit_state(UNIT) == "inactive").then_some(())
    });
    for path in [
        format!("/run/user/{USER}/systemd/user/{UNIT}.d"),
        format!("/sys/fs/bpf/failover/parking/{PORT}"),
        format!("/run/failover/parking-{PORT}.json"),
        format!("/sys/fs/cgroup/user.slice/user-{USER}.slice/user@{USER}.service/app.slice/{UNIT}"),
    ] {
        assert!(!machine.path(&path).exists(), "{path}");
    }
}

#[test]
fn a_drill_passes_with_nothing_sent_and_nothing_left() {
    let lab = Lab::new();
    let Some(machine) = openclaw_unit::machine(&lab) else {
        return;
    };
    let _primary = lab.host_a().gateway().expect("PC-A's gateway starts");
    run_daemon(&lab, &machine, OPTIONS);
    await_seen(&machine);
    let known = await_status(&machine, "it can be parked", wait::LONG, |status| {
        status["standby"]["why"] == "no drill has run yet"
    });
    assert_eq!(known["standby"]["mode"], "cold");
    let watch = ListenWatch::of(lab.host_b());
    let drill = machine.command("failover").arg("drill").output();
    let drill = drill.expect("nsenter can be run");
    assert!(drill.status.success(), "{drill:?}\n{}", log(&machine));
    let report = String::from_utf8_lossy(&drill.stdout);
    assert!(report.contains("the drill passed"), "{report}");
    assert!(report.contains("0 before the bind"), "{report}");
    println!("{report}");
    // What it was is known from now on.
    let status = await_status(&machine, "auto is warm", wait::LONG, |status| {
        status["standby"]["mode"] == "warm"
    });
    assert_eq!(status["state"], "standby");
    standby_becomes(&machine, "cold");
    assert_nothing_is_left(&machine);
    assert_eq!(watch.first(), None);
    // It had come as far as to open its databases.
    assert!(
        machine
            .path(&format!("{HOME}/.openclaw/state/openclaw.sqlite"))
            .exists()
    );
}

#[test]
fn a_suspicion_that_ends_well_leaves_nothing_and_one_that_does_not_has_it_serve_at_once() {
    let lab = Lab::new();
    let Some(machine) = openclaw_unit::machine(&lab) else {
        return;
    };
    let primary = lab.host_a().gateway().expect("PC-A's gateway starts");
    run_daemon(&lab, &machine, &format!("{OPTIONS}standby = \"warm\"\n"));
    await_seen(&machine);

    let watch = ListenWatch::of(lab.host_b());
    let cable = lab.switch_port(lab.host_b());
    let suspect = |primary: Process| {
        primary.kill();
        await_state(&machine, "suspect", wait::LONG);
        // Without a path, probes say nothing, and no further strike comes.
        cable.down();
        let status = standby_becomes(&machine, "parked");
        assert_eq!(status["state"], "suspect", "{status:#}");
    };
    suspect(primary);
    let primary = lab.host_a().gateway().expect("PC-A's gateway starts");
    cable.up();
    standby_becomes(&machine, "cold");
    await_state(&machine, "standby", wait::LONG);
    assert_nothing_is_left(&machine);
    assert_eq!(watch.first(), None);

    suspect(primary);
    assert_eq!(watch.first(), None);
    cable.up();
    let listens = wait::until("it listens", LONGEST_START, || watch.first());
    let live = wait::until("it is live", wait::LONG, || {
        let answer = http::get(lab.host_b(), ([127, 0, 0, 1], PORT).into(), "/healthz").ok()?;
        answer.body.contains("\"ok\":true").then(Moment::now)
    });
    await_state(&machine, "active", wait::LONG);
    let strike = openclaw_unit::entered(&machine, "starting").expect("it was started");
    let [listens, live] = [listens, live].map(|moment| moment.since(strike));
    println!("after the third strike: LISTEN {listens:.1?}, /healthz {live:.1?}");
    assert!(live < SOON, "{}", log(&machine));
    assert_eq!(machine.user_unit_state(UNIT), "active");
    let status = status(&machine).expect("the daemon runs");
    assert_eq!(status["standby"]["state"], "cold", "{status:#}");
}
