//! The metrics as their readers get them.

use std::time::Duration;

use super::*;
use crate::{
    notify::{DeliveryError, alarms::KINDS, delivery::Delivered},
    status::{problem::Problem, snapshot::sample},
};
use failover_decide::{Failure, Outcome, Time};

fn rendered(format: Format) -> String {
    let mut probes = Probes::default();
    probes.note(&Outcome::Connected {
        took: Duration::from_millis(3),
    });
    probes.note(&Outcome::Failed {
        failure: Failure::Refused,
        took: Duration::from_micros(100),
    });
    probes.note(&Outcome::unknown("no cable".to_owned()));
    render(&sample(), &probes, format)
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "{line}\n\n{text}");
}

#[test]
fn it_says_the_state_the_probes_and_the_times() {
    let text = rendered(Format::Text);
    for line in [
        "failover_build_info{version=\"0.1.0\"} 1",
        "failover_state{state=\"standby\"} 1",
        "failover_state{state=\"active\"} 0",
        "failover_heartbeat_timestamp_seconds 1767225600.0",
        "failover_probes_total{outcome=\"connected\"} 1",
        "failover_probes_total{outcome=\"unknown\"} 1",
        "failover_probes_total{outcome=\"timed_out\"} 0",
        "failover_probe_duration_seconds_bucket{le=\"0.0025\",outcome=\"connected\"} 0",
        "failover_probe_duration_seconds_bucket{le=\"0.005\",outcome=\"connected\"} 1",
        "failover_protected 1",
        "failover_takeovers_total 0",
    ] {
        has(&text, line);
    }
}

#[test]
fn degraded_is_protected_and_two_who_serve_are_not() {
    let mut snapshot = sample();
    snapshot.protection = Protection::Degraded;
    let text = render(&snapshot, &Probes::default(), Format::Text);
    for line in [
        "failover_protected 1",
        "failover_protection{level=\"safe\"} 0",
        "failover_protection{level=\"degraded\"} 1",
        "failover_protection{level=\"unsafe\"} 0",
        "failover_dual_active 0",
    ] {
        has(&text, line);
    }
    snapshot.problems.push(Problem::PrimaryUnknown);
    snapshot.protection = Protection::Unsafe;
    snapshot.dual_active_since = "2026-01-01T00:00:00Z".parse().ok();
    let text = render(&snapshot, &Probes::default(), Format::Text);
    for line in [
        "failover_protected 0",
        "failover_protection{level=\"degraded\"} 0",
        "failover_protection{level=\"unsafe\"} 1",
        "failover_dual_active 1",
        "failover_dual_active_since_timestamp_seconds 1767225600.0",
    ] {
        has(&text, line);
    }
}

#[test]
fn who_cannot_be_told_is_counted_by_kind_and_by_what_became_of_it() {
    let mut snapshot = sample();
    let channel = |kind, failing| ChannelStatus {
        kind,
        is_configured: true,
        delivered: Delivered {
            sent: 3,
            failed: 2,
            dropped: 1,
            failing,
        },
    };
    let error = DeliveryError {
        what: "refused".to_owned(),
        remedy: "look",
    };
    let failing = [None, Some((Time::default(), error))];
    let channels = KINDS.into_iter().zip(failing);
    snapshot.channels = channels
        .map(|(kind, failing)| channel(kind, failing))
        .collect();
    let text = render(&snapshot, &Probes::default(), Format::Text);
    for line in [
        "failover_notifications_total{kind=\"command\",result=\"told\"} 3",
        "failover_notifications_total{kind=\"webhook\",result=\"failed\"} 2",
        "failover_notifications_total{kind=\"webhook\",result=\"dropped\"} 1",
        "failover_notifications_failing{kind=\"command\"} 0",
        "failover_notifications_failing{kind=\"webhook\"} 1",
    ] {
        has(&text, line);
    }
}

#[test]
fn what_an_operator_ordered_is_told() {
    let mut snapshot = sample();
    let text = render(&snapshot, &Probes::default(), Format::Text);
    has(&text, "failover_forced 0");
    has(&text, "failover_held 0");
    assert!(!text.contains("failover_held_until"), "{text}");
    snapshot.forced = true;
    snapshot.held_until = "2026-01-01T00:00:00Z".parse().ok();
    let text = render(&snapshot, &Probes::default(), Format::Text);
    has(&text, "failover_forced 1");
    has(&text, "failover_held 1");
    has(&text, "failover_held_until_timestamp_seconds 1767225600.0");
}

#[test]
fn a_refused_configuration_is_told_as_prometheus_tells_its_own() {
    let mut snapshot = sample();
    let at = "2026-01-02T00:00:00Z".parse().unwrap();
    let refused = (at, "nonsense".to_owned());
    for (refused, line) in [
        (None, "failover_config_last_reload_successful 1"),
        (Some(refused), "failover_config_last_reload_successful 0"),
    ] {
        snapshot.configuration.refused = refused;
        let text = render(&snapshot, &Probes::default(), Format::Text);
        has(&text, line);
        has(
            &text,
            "failover_config_last_reload_success_timestamp_seconds 1767225600.0",
        );
    }
}

#[test]
fn either_format_is_what_its_readers_know() {
    let new = rendered(Format::OpenMetrics);
    has(&new, "# TYPE failover_takeovers counter");
    assert!(new.ends_with("# EOF\n"), "{new}");
    let old = rendered(Format::Text);
    has(&old, "# TYPE failover_takeovers_total counter");
    has(&old, "# TYPE failover_build_info gauge");
    assert!(!old.contains("# EOF") && !old.contains("# UNIT"), "{old}");
    let samples = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(samples(&new), samples(&old));
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
    assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
    assert_eq!(Format::accepted("text/html,*/*"), Format::Text);
}
