//! What clocks and sleep do to a daemon: a guest is a machine of its own, whose clock may be stepped
//! and which may be suspended.

use std::time::Duration;

use super::{report::Report, system};
use crate::{
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{Lab, Process},
};

const DAY: i64 = 24 * 60 * 60;
const YEAR: i64 = 365 * DAY;
/// Long enough that an emulated machine's own delays are small beside it.
const INTERVAL: Duration = Duration::from_secs(2);
/// A probe may begin this much before its time, and the clocks be read one after the other.
const SLACK: Duration = Duration::from_millis(50);
/// Longer than two intervals, and too short for strikes to be too old to count without a suspend:
/// that takes three intervals and timeouts.
const ASLEEP: Duration = Duration::from_secs(5);

pub(super) fn run(report: &mut Report) {
    report.check(
        "steps of the wall clock make no strike",
        steps_are_no_strikes,
    );
    report.check(
        "steps of the wall clock neither lose strikes nor hasten",
        steps_keep_strikes,
    );
    if system::can_suspend() {
        report.check("strikes start again after a suspend", strikes_start_again);
    } else {
        println!("this machine offers no suspend to memory: that one is not checked");
    }
}

fn begin() -> (Lab, Process, Daemon) {
    let lab = Lab::new();
    let gateway = lab.host_a().gateway();
    let primary = gateway.unwrap_or_else(|error| panic!("{error:#}"));
    let setup = Setup::new(&lab).interval(INTERVAL).timeout(INTERVAL);
    let mut daemon = setup.spawn();
    daemon.probes("connected");
    (lab, primary, daemon)
}

fn steps_are_no_strikes() {
    let (_lab, _primary, mut daemon) = begin();
    for step in [-YEAR, YEAR, DAY, -DAY] {
        system::step_clock(step);
        daemon.probes("connected");
    }
    assert_eq!(daemon.states(), Vec::<String>::new());
    daemon.ends_having_run(&[]);
}

fn steps_keep_strikes() {
    let (_lab, primary, mut daemon) = begin();
    // The kernel tells at once: the first strike is now.
    let died = primary.kill();
    daemon.counts(1);
    system::step_clock(-YEAR);
    daemon.counts(2);
    system::step_clock(YEAR + DAY);
    daemon.becomes("active");
    system::step_clock(-DAY);
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(died);
    assert!(
        (2 * INTERVAL - SLACK..3 * INTERVAL - SLACK).contains(&waited),
        "started after {waited:?}"
    );
    daemon.ends_having_run(&["start"]);
}

fn strikes_start_again() {
    let (_lab, primary, mut daemon) = begin();
    primary.kill();
    daemon.counts(2);
    let back = system::suspend(ASLEEP);
    // Where the clocks tell of it, or, as on emulated ARM, only that time has gone by.
    daemon.says("that strikes start again", |line| {
        line.message() == "state changed" && line.field("reason").contains("was suspended")
    });
    daemon.becomes("active");
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(back);
    assert!(waited >= 2 * INTERVAL - SLACK, "started after {waited:?}");
    daemon.ends_having_run(&["start"]);
}
