//! What an incident looks like, whatever is in the files.

use failover_decide::{StandbyState, Step};

use super::*;
use crate::history::{How, Uptime, VERSION};

fn at(text: &str) -> Timestamp {
    format!("2026-11-24T{text}Z").parse().unwrap()
}

/// Without a boot clock.
fn wall(wall: Timestamp) -> Now {
    Now { wall, uptime: None }
}

fn uptime(seconds: u64) -> Option<Uptime> {
    Some(Uptime {
        boot: "this".to_owned(),
        after_ms: seconds * 1000,
    })
}

fn phase(state: &str, attempt: Option<u32>, began: &str, took_ms: u64) -> Phase {
    Phase {
        state: serde_json::from_value(state.into()).unwrap(),
        attempt,
        began: at(began),
        took_ms,
        reason: "a reason".to_owned(),
        standby: None,
    }
}

fn takeover() -> Incident {
    Incident {
        version: VERSION,
        id: "a1".to_owned(),
        written: at("03:15:00"),
        primary: "pc-a:18789".to_owned(),
        dry_run: false,
        began: at("03:00:00.5"),
        lasted_ms: None,
        written_at: None,
        reason: "probe refused".to_owned(),
        ended: Some(Ending {
            at: at("03:12:01.5"),
            how: How::Released.into(),
            reason: "the last socket is gone".to_owned(),
        }),
        no_gateway_ms: 63_400,
        dual_active_ms: 1_250,
        counting: None,
        phases: vec![
            phase("suspect", None, "03:00:00.5", 60_000),
            phase("starting", Some(1), "03:01:00.5", 3_000),
            phase("active", None, "03:01:03.5", 660_000),
        ],
        probes: vec![Probe {
            began: at("03:00:00.4"),
            outcome: "refused after 1ms".to_owned(),
            layer: Layer::Connect.into(),
            took_ms: 1,
            strike: true,
        }],
        failed_probes: 300,
        events: vec![Note {
            at: at("03:00:00.3"),
            what: "connection closed by the primary".to_owned(),
        }],
        witnesses: Vec::new(),
        commands: vec![Command {
            command: Step::START.into(),
            began: at("03:01:00.5"),
            took_ms: Some(250),
            result: Some("failed with exit code 1".to_owned()),
            said: "no such file".to_owned(),
        }],
        served_with: None,
        left_out: 0,
    }
}

#[test]
fn a_takeover_is_one_block_that_begins_with_what_it_was() {
    let expected = "\
2026-11-24 03:00:00 UTC  TAKEOVER, released, 12m 1s  [a1]
  reason         probe refused
  primary        pc-a:18789
  evidence       03:00:00.300 connection closed by the primary
  probes         03:00:00.400 strike        refused after 1ms
                 299 more failed
  states         03:00:00.500 suspect              1m  a reason
                 03:01:00.500 starting (1)       3.0s  a reason
                 03:01:03.500 active              11m  a reason
  commands       03:01:00.500 start             250ms  failed with exit code 1; output: no such file
  no gateway     1m 3s
  two gateways   1.2s
  ended          03:12:01.500 released: the last socket is gone
";
    assert_eq!(takeover().to_string(), expected);
}

#[test]
fn an_order_is_one_line_with_who_what_until_when_and_why() {
    let order = Order {
        version: VERSION,
        at: at("03:00:00"),
        order: "pause".to_owned(),
        by: "user 1000".to_owned(),
        until: Some(at("05:00:00")),
        reason: Some("moving \x1b[2Jhouse\nforged".to_owned()),
    };
    assert_eq!(
        order.to_string(),
        "2026-11-24 03:00:00 UTC  user 1000 ordered: pause, until 2026-11-24 05:00:00 UTC: \
             moving \\u{1b}[2Jhouse\\nforged\n"
    );
}

#[test]
fn one_that_goes_on_says_so_and_one_without_a_takeover_says_why() {
    let mut incident = takeover();
    incident.ended = None;
    let text = incident.text(&wall(incident.written));
    let lasted = "TAKEOVER, ongoing, 14m 59s so far";
    assert!(text.contains(lasted), "{text}");
    assert!(text.contains("as of 03:15:00"), "{text}");
    incident.phases.truncate(1);
    assert!(
        incident
            .to_string()
            .contains("probe failures, no takeover, ongoing")
    );
    for (state, word) in [
        ("isolated", "no witness"),
        ("blocked", "another program held the port"),
        ("unarmed", "never seen healthy"),
        ("paused", "paused"),
    ] {
        incident.phases.truncate(1);
        incident.phases.push(phase(state, None, "03:02:00", 1));
        let text = incident.to_string();
        let first = text.lines().next().unwrap();
        assert!(first.contains("NO TAKEOVER: "), "{text}");
        assert!(first.contains(word), "{text}");
        assert!(first.contains(", ongoing, "), "{text}");
    }
}

#[test]
fn what_goes_on_has_lasted_until_it_is_read() {
    let mut incident = takeover();
    incident.ended = None;
    incident.phases.truncate(1);
    incident
        .phases
        .push(phase("isolated", None, "03:14:00", 60_000));
    incident.counting = Some(Counting::NoGateway.into());
    let text = incident.text(&wall(at("11:15:00")));
    for line in [
        "  states         03:00:00.500 suspect              1m  a reason",
        "                 03:14:00.000 isolated          8h 1m  a reason",
        "  no gateway     8h 1m 3s so far",
        "  two gateways   1.2s",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(text.contains("ongoing, 8h 14m 59s so far"), "{text}");
    // Neither what is over nor a clock that was set back changes anything.
    assert_eq!(takeover().so_far(&wall(at("11:15:00"))), takeover());
    assert_eq!(incident.so_far(&wall(at("00:00:00"))), incident);
}

#[test]
fn a_wall_clock_that_is_set_distorts_no_duration() {
    // Eleven minutes by the boot clock, while somebody set the other one an hour back.
    let mut incident = takeover();
    incident.ended.as_mut().unwrap().at = at("02:11:00.5");
    incident.written = at("02:11:00.5");
    incident.lasted_ms = Some(660_000);
    let text = incident.to_string();
    assert!(text.contains("TAKEOVER, released, 11m  ["), "{text}");
    // One that is ongoing; the clock was set a year forward since it was written.
    incident.ended = None;
    incident.written_at = uptime(5000);
    incident.counting = Some(Counting::DualActive.into());
    let now = Now {
        wall: "2027-11-24T03:00:00Z".parse().unwrap(),
        uptime: uptime(5060),
    };
    let text = incident.text(&now);
    for part in [
        "TAKEOVER, ongoing, 12m so far  [",
        "active              12m  a reason",
        "two gateways   1m 1s so far",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // After a restart of the machine there is nothing but the wall clock.
    incident.written_at.as_mut().unwrap().boot = "another".to_owned();
    incident.written = at("03:00:00");
    let now = Now {
        wall: at("03:02:00"),
        ..now
    };
    let text = incident.text(&now);
    assert!(text.contains("ongoing, 13m so far  ["), "{text}");
}

#[test]
fn nothing_in_the_files_reaches_a_terminal_as_it_is() {
    let hostile = "\x1b[2J\u{202e}\nforged";
    let mut incident = takeover();
    incident.id = hostile.to_owned();
    incident.reason = hostile.to_owned();
    incident.primary = hostile.to_owned();
    incident.events[0].what = hostile.to_owned();
    incident.probes[0].outcome = hostile.to_owned();
    incident.phases[0].state = Value::Unknown(hostile.to_owned());
    incident.phases[1].reason = hostile.to_owned();
    incident.commands[0].command = Value::Unknown(hostile.to_owned());
    incident.ended.as_mut().unwrap().how = Value::Unknown(hostile.to_owned());
    incident.commands[0].said = hostile.to_owned();
    let text = incident.to_string();
    assert!(!text.contains(['\x1b', '\u{202e}']), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("forged")),
        "{text}"
    );
    assert_eq!(text.lines().count(), 13, "{text}");
}

#[test]
fn a_start_has_whether_it_was_that_of_a_parked_gateway() {
    let mut starting = phase("starting", Some(1), "03:01:00.5", 40);
    starting.standby = Some(StandbyState::Parked.into());
    let text = starting.to_string();
    assert!(text.ends_with("40ms  a reason; parked gateway"), "{text}");
    starting.standby = Some(StandbyState::Cold.into());
    let text = starting.to_string();
    assert!(text.ends_with("; cold start"), "{text}");
    // Of an earlier version.
    let line = serde_json::to_string(&phase("starting", Some(1), "03:01:00.5", 40)).unwrap();
    assert!(!line.contains("standby"), "{line}");
    let read: Phase = serde_json::from_str(&line).unwrap();
    assert_eq!(read.standby, None);
}

#[test]
fn a_drill_is_a_line_with_what_it_showed() {
    let mut drill = Drill {
        version: VERSION,
        at: at("03:00:00"),
        result: DrillResult::Passed.into(),
        took_ms: Some(9240),
        packets_sent: Some(0),
        memory_bytes: Some(612_000_000),
        said: None,
    };
    assert_eq!(
        drill.to_string(),
        "2026-11-24 03:00:00 UTC  drill passed, 9.2s to its bind, 0 packets sent, 612 MB\n"
    );
    drill = Drill {
        result: DrillResult::Failed.into(),
        took_ms: None,
        packets_sent: None,
        memory_bytes: None,
        said: Some("no \u{1b}[2Jsuch file".to_owned()),
        ..drill
    };
    assert_eq!(
        drill.to_string(),
        "2026-11-24 03:00:00 UTC  drill failed: the gateway could not be parked; last output: no \\u{1b}[2Jsuch file\n"
    );
}

#[test]
fn with_which_copy_the_local_gateway_served_and_how_old_it_was() {
    let with = |generation, age_ms| Incident {
        served_with: Some(ServedWith { generation, age_ms }),
        ..takeover()
    };
    let shown = with(Some(7), Some(40_000)).to_string();
    assert!(
        shown.contains("served with    copy 7 of PC-A's state, 40"),
        "{shown}"
    );
    let own = with(None, None).to_string();
    assert!(own.contains("PC-B's own state"), "{own}");
    // A line of an older version.
    let mut line = serde_json::to_value(takeover()).unwrap();
    assert!(
        line.as_object_mut()
            .unwrap()
            .remove("served_with")
            .is_none()
    );
}
