//! What may happen to a gateway that is kept ready. Each scenario is a test with the scripted gateway, and one with the
//! real one.

use std::{env, time::Duration};

use failover_linux::bpf::sent::SentCounter;
use serde_json::Value;

use super::{Gateway, Parked, StandbySite, at, packets};
use crate::{
    lab::end_listener,
    openclaw::LONGEST_START,
    openclaw_unit::{await_seen, await_state, await_status, log, status},
    skip, wait,
};

/// How many suspicions [`suspicions_that_end_well`] goes through, where three are too few.
const ROUNDS_VARIABLE: &str = "FAILOVER_SUSPICIONS";
const ROUNDS: u32 = 3;
/// The shortest that is allowed.
const HOT_REFRESH: Duration = Duration::from_secs(10);

fn rounds() -> u32 {
    let text = env::var(ROUNDS_VARIABLE).ok();
    text.map_or(ROUNDS, |text| text.parse().expect("a number of suspicions"))
}

/// Each reaches *parked*, and none costs a LISTEN, a packet, or anything that is left. The same counter then sees the
/// gateway that serves.
pub fn suspicions_that_end_well(gateway: Gateway) {
    let Some(mut site) = StandbySite::new(gateway, "standby = \"warm\"\n") else {
        return;
    };
    let watch = site.watch();
    let rounds = rounds();
    for round in 1..=rounds {
        let counter = SentCounter::attach().unwrap_or_else(|error| panic!("{error}"));
        site.suspicion_parks();
        let group = site.group_number();
        site.suspicion_ends_well();
        assert_eq!(packets(&counter, group), 0, "packets in round {round}");
        assert_eq!(watch.first(), None, "it listened in round {round}");
        println!("suspicion {round} of {rounds}: not one LISTEN, not one packet, nothing left");
    }
    let counter = SentCounter::attach().unwrap_or_else(|error| panic!("{error}"));
    site.suspicion_parks();
    let group = site.group_number();
    site.suspicion_goes_on();
    site.serves();
    assert!(watch.first().is_some());
    site.answers();
    assert!(packets(&counter, group) > 0);
    // OpenClaw takes what was parked and ended for no crashes of its own: after three it would serve without its channels.
    let log = log(site.machine());
    assert!(!log.contains("restart-loop breaker tripped"), "{log}");
}

/// A hot gateway ends in each of the ways that one can, and is parked again.
pub fn ended_by_others_it_is_parked_again(gateway: Gateway) {
    let Some(site) = StandbySite::new(gateway, "standby = \"hot\"\n") else {
        return;
    };
    let mut parked = site.parked();
    let watch = site.watch();
    let machine = site.machine();
    machine.run(&["kill", "-KILL", &parked.process.to_string()]);
    parked = site.parked_again(parked);
    match site.runs_out_of_memory(parked.process) {
        Some(()) => parked = site.parked_again(parked),
        None => skip("the OOM killer: no control groups for memory"),
    }
    parked = daemon_is_killed(&site, parked);
    site.systemctl(&["restart"]);
    parked = site.parked_again(parked);
    site.systemctl(&["stop"]);
    parked = site.parked_again(parked);
    assert_eq!(watch.first(), None, "{}", log(machine));
    assert_eq!(site.parked().process, parked.process);
}

/// A hot gateway that another program continues or thaws is ended, and another one parked.
pub fn woken_by_others_it_does_not_serve(gateway: Gateway) {
    let Some(site) = StandbySite::new(gateway, "standby = \"hot\"\n") else {
        return;
    };
    let mut parked = site.parked();
    let watch = site.watch();
    let machine = site.machine();
    machine.run_as_user(&["kill", "-CONT", &parked.process.to_string()]);
    parked = site.parked_again(parked);
    site.thaw();
    parked = site.parked_again(parked);
    parked = daemon_is_killed(&site, parked);
    assert_eq!(watch.first(), None, "{}", log(machine));
    assert_eq!(site.parked().process, parked.process);
}

/// The parked gateway outlives its daemon, and the next one finds it.
fn daemon_is_killed(site: &StandbySite, parked: Parked) -> Parked {
    let machine = site.machine();
    let daemon = |status: &Value| at(status, "/pid").as_u64();
    let before = status(machine).as_ref().and_then(daemon);
    assert!(before.is_some());
    machine.run(&["systemctl", "kill", "--signal=KILL", "failover"]);
    await_status(machine, "another daemon", wait::LONG, |status| {
        daemon(status) != before
    });
    await_seen(machine);
    let found = site.parked();
    assert_eq!(found.process, parked.process, "{}", log(machine));
    found
}

/// What has changed since it was parked is taken up by parking it again, but not sooner after the last time than
/// configured.
pub fn changed_configuration_parks_it_again(gateway: Gateway) {
    let options = format!(
        "standby = \"hot\"\nhot-refresh = \"{}s\"\n",
        HOT_REFRESH.as_secs()
    );
    let Some(site) = StandbySite::new(gateway, &options) else {
        return;
    };
    let first = site.parked();
    let watch = site.watch();
    site.change_configuration();
    let second = site.parked_again(first);
    let after = second.since.duration_since(first.since);
    assert!(
        after.as_secs_f64() >= HOT_REFRESH.as_secs_f64(),
        "after {after:#}"
    );
    // Without a change it stays.
    wait::nothing_happens("parked again", HOT_REFRESH + StandbySite::WHILE, || {
        let now = site.parked();
        (now != second).then_some(now)
    });
    assert_eq!(watch.first(), None, "{}", log(site.machine()));
}

/// Another program takes the port of a parked gateway: no takeover comes of it before that is gone, and then one does.
pub fn foreign_listener_keeps_it_parked(gateway: Gateway) {
    let Some(mut site) = StandbySite::new(gateway, "standby = \"hot\"\n") else {
        return;
    };
    let parked = site.parked();
    let stranger = site.stranger();
    site.primary_dies();
    await_state(site.machine(), "blocked", LONGEST_START);
    let still = site.parked();
    assert_eq!(still.process, parked.process, "{}", log(site.machine()));
    end_listener(stranger);
    site.serves();
    let serves = site.main_process();
    assert_eq!(serves, parked.process, "it was continued, not started");
}
