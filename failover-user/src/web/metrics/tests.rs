//! The metrics as their readers get them.

use std::{fs, path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    config::StandbyChoice,
    gateway::parking::situation::Parked,
    notify::{DeliveryError, alarms::KINDS, channel::Kind as ChannelKind, delivery::Delivered},
    standby::{
        drill::{self, DrillResult},
        failing::FailedDrills,
    },
    status::{
        problem::Problem,
        snapshot::{Sync, Witnesses, sample},
    },
    sync::{
        known::{self, Known},
        order::Task,
    },
    witness::quorum::QuorumResult,
};
use failover_decide::{Failure, Outcome, StandbyMode, StandbyState, Time};
use failover_linux::process::ProcessKey;

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
    let channel = |kind: &ChannelKind, failing| ChannelStatus {
        name: kind.name,
        part: kind.part,
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

/// A machine with all that it may have: a parked gateway, a drill, and copies.
fn parked() -> Snapshot {
    let mut snapshot = sample();
    snapshot.sync = Some(copies(snapshot.now));
    let standby = &mut snapshot.standby;
    standby.choice = StandbyChoice::Hot;
    standby.effective.mode = StandbyMode::Hot;
    standby.state = StandbyState::Parked;
    standby.parked = Some(Parked {
        since: Time::default(),
        took: Duration::from_millis(9200),
        process: ProcessKey { pid: 7, started: 1 },
        sent: Some(0),
        memory: Some(612_000_000),
        outdated: None,
    });
    standby.parking_took = Some(Duration::from_millis(9200));
    standby.last_drill = Some(drill::sample(DrillResult::Passed));
    snapshot
}

/// What was copied forty seconds ago.
fn copies(now: Timestamp) -> Sync {
    let mut known = Known::default();
    let copied = failover_sync::outcome::Outcome::Copied {
        manifest: known::generation(7, "a"),
        bytes: 117_000,
    };
    let fresh = now - SignedDuration::from_secs(40);
    known.ended(Task::Round, &copied, Duration::from_millis(900), fresh);
    Sync {
        from: "alice@pc-a".to_owned(),
        every: Duration::from_secs(30),
        max_age: Duration::from_secs(600),
        known,
        runs: None,
        lineage: Arc::default(),
        is_split: false,
    }
}

#[test]
fn how_old_the_copy_is_and_how_rounds_go() {
    let text = render(&parked(), &Probes::default(), Format::Text);
    for line in [
        "failover_sync_age_seconds 40.0",
        "failover_sync_max_age_seconds 600.0",
        "failover_sync_generation 7",
        "failover_sync_size_bytes 21000000",
        "failover_sync_failing 0",
        "failover_sync_refused 0",
        "failover_sync_both_changed 0",
        "failover_sync_rounds_total{result=\"copied\"} 1",
        "failover_sync_rounds_total{result=\"failed\"} 0",
        "failover_sync_round_duration_seconds_total 0.9",
        "failover_sync_transferred_bytes_total 117000",
    ] {
        has(&text, line);
    }
    // Where nothing is copied, nothing is old.
    let text = render(&sample(), &Probes::default(), Format::Text);
    assert!(!text.contains("sync"), "{text}");
}

#[test]
fn how_ready_the_local_gateway_is_and_what_the_last_drill_showed() {
    let mut snapshot = parked();
    let text = render(&snapshot, &Probes::default(), Format::Text);
    for line in [
        "failover_standby_configured{mode=\"hot\"} 1",
        "failover_standby_configured{mode=\"auto\"} 0",
        "failover_standby_mode{mode=\"hot\"} 1",
        "failover_standby_mode{mode=\"cold\"} 0",
        "failover_standby_state{state=\"parked\"} 1",
        "failover_standby_state{state=\"parking\"} 0",
        "failover_standby_parked_since_timestamp_seconds 1767225600.0",
        "failover_standby_parking_seconds 9.2",
        "failover_standby_memory_bytes 612000000",
        "failover_drill_last_timestamp_seconds 0.0",
        "failover_drill_last_success 1",
        "failover_drills_total{result=\"passed\"} 0",
    ] {
        has(&text, line);
    }
    // An interrupted drill is no success, and hides no failure.
    snapshot.standby.last_drill = Some(drill::sample(DrillResult::Interrupted));
    let failed = drill::sample(DrillResult::Failed);
    snapshot.standby.failed_drills = FailedDrills::after(None, &failed);
    let text = render(&snapshot, &Probes::default(), Format::Text);
    has(&text, "failover_drill_last_success 0");
    // What there isn't is not zero.
    let text = render(&sample(), &Probes::default(), Format::Text);
    for name in ["parked_since", "parking_seconds", "memory", "drill_last"] {
        assert!(!text.contains(name), "{name}\n\n{text}");
    }
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let mut snapshot = parked();
    snapshot.witnesses = Some(Witnesses {
        needed: 1,
        names: Vec::new(),
        last: Some(QuorumResult {
            at: Time::default(),
            answered: 1,
            needed: 1,
            votes: Vec::new(),
            router_is_silent: false,
        }),
        router: None,
    });
    let channels = KINDS.into_iter().map(|kind| ChannelStatus {
        name: kind.name,
        part: kind.part,
        is_configured: true,
        delivered: Delivered::default(),
    });
    snapshot.channels = channels.collect();
    let text = render(&snapshot, &Probes::default(), Format::Text);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = samples
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    let mut count = 0;
    for (file, key) in [
        ("alerts.yml", "expr:"),
        ("grafana-dashboard.json", "\"expr\":"),
    ] {
        let text = fs::read_to_string(dist.join(file)).unwrap();
        for line in text.lines().filter(|line| line.contains(key)) {
            let words = line.split(|other: char| other != '_' && !other.is_ascii_alphanumeric());
            for word in words.filter(|word| word.starts_with("failover_")) {
                assert!(names.contains(&word), "{file}: {word}");
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count}");
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
