//! How ready the local gateway is kept, and drills.

use std::time::Duration;

use failover_decide::{StandbyMode, StandbyState};
use failover_linux::escape::Escaped;

use crate::{
    config::StandbyChoice,
    named::Value,
    standby::{drill::DrillResult, failing::FailedDrills, mode::Why},
    status::document,
};

/// The mode in force, and why where it isn't the one that is configured.
pub(crate) fn mode(
    configured: &Value<StandbyChoice>,
    mode: &Value<StandbyMode>,
    why: &str,
) -> String {
    match (configured, mode) {
        (configured, mode) if configured.name() == mode.name() => mode.to_string(),
        (Value::Known(StandbyChoice::Auto), Value::Known(StandbyMode::Warm)) => {
            "warm (auto)".to_owned()
        }
        (Value::Known(StandbyChoice::Auto), mode) => format!("{mode} (auto: {why})"),
        (configured, mode) => format!("{mode} instead of {configured}: {why}"),
    }
}

/// How ready the local gateway is, as the end of a sentence; `None`: it has to be started.
pub(crate) const fn state(state: StandbyState) -> Option<&'static str> {
    match state {
        StandbyState::Cold => None,
        StandbyState::Parking => Some("being parked"),
        StandbyState::Parked => Some("parked"),
        StandbyState::Discarding => Some("being discarded"),
    }
}

/// That it became so, for the log.
pub(crate) const fn changed(state: StandbyState) -> &'static str {
    match state {
        StandbyState::Cold => "the local gateway is not parked",
        StandbyState::Parking => "the local gateway is being parked",
        StandbyState::Parked => "the local gateway is parked: it has started, and does not listen",
        StandbyState::Discarding => "the parked gateway is being discarded",
    }
}

/// What a start began with.
pub(crate) const fn start(state: StandbyState) -> &'static str {
    match state {
        StandbyState::Parked => "parked gateway",
        StandbyState::Parking => "gateway on its way to being parked",
        StandbyState::Cold | StandbyState::Discarding => "cold start",
    }
}

/// Bytes, for people.
pub(crate) fn memory(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

/// A duration in milliseconds, for people.
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{:.1} s", Duration::from_millis(milliseconds).as_secs_f64())
}

/// What the drills that failed come to, as the end of a sentence.
pub(crate) fn failed(failed: &FailedDrills) -> String {
    let FailedDrills {
        count,
        since,
        result,
        said,
    } = failed;
    let often = match count {
        0 | 1 => format!("at {since:.0}"),
        count => format!("{count} failures since {since:.0}"),
    };
    let output = said
        .as_ref()
        .map(|line| format!("; last output: {}", Escaped(line)));
    format!("{} ({often}){}", drill(*result), output.unwrap_or_default())
}

/// What to do where a configured mode is not possible.
pub(crate) const fn remedy(why: &Why) -> &'static str {
    match why {
        Why::MemoryPressure => "free memory, or configure another `standby`",
        Why::NotParkable(_)
        | Why::Configured
        | Why::Drilled
        | Why::NoDrill
        | Why::DrillOutdated
        | Why::DrillNotPassed(_)
        | Why::LittleMemory { .. }
        | Why::NotKnownYet => "remove the cause, or configure another `standby`",
    }
}

/// Why a mode is in force.
pub(crate) fn why(why: &Why) -> String {
    match why {
        Why::Configured => "configured".to_owned(),
        Why::Drilled => "a drill of this gateway has passed".to_owned(),
        Why::NotParkable(reason) => format!("it cannot be parked here: {reason}"),
        Why::NoDrill => "no drill has run yet".to_owned(),
        Why::DrillOutdated => {
            "the gateway's program, unit or configuration has changed since the last drill"
                .to_owned()
        }
        Why::DrillNotPassed(result) => format!("the last drill {}", drill(*result)),
        Why::LittleMemory { needed, available } => format!(
            "little memory: {} are available, and {} are needed",
            memory(*available),
            memory(*needed)
        ),
        Why::MemoryPressure => "the machine is short of memory".to_owned(),
        Why::NotKnownYet => "not checked yet".to_owned(),
    }
}

/// A drill's report, in lines.
pub(crate) fn report(drill: &document::Drill) -> String {
    let mut lines = vec![format!("the drill {}", result(&drill.result))];
    if let Some(took) = drill.took_milliseconds {
        lines.push(format!("  start to bind    {}", seconds(took)));
    }
    lines.push(match drill.packets_sent {
        Some(sent) => format!("  packets sent     {sent} before the bind"),
        None => "  packets sent     not counted".to_owned(),
    });
    if let Some(bytes) = drill.memory_bytes {
        lines.push(format!("  memory           {}", memory(bytes)));
    }
    if let Some(line) = &drill.last_line {
        lines.push(format!("  last output      {line}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What a drill did, perhaps by another version.
pub(crate) fn result(result: &Value<DrillResult>) -> &str {
    match result {
        Value::Known(result) => drill(*result),
        Value::Unknown(name) => name,
    }
}

/// What a drill did.
pub(crate) const fn drill(result: DrillResult) -> &'static str {
    match result {
        DrillResult::Passed => "passed",
        DrillResult::Sent => "failed: the gateway sent packets before its bind",
        DrillResult::Uncounted => "could not count what the gateway sends",
        DrillResult::Failed => "failed: the gateway could not be parked",
        DrillResult::Interrupted => "was interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_is_said_where_the_mode_is_not_the_configured_one() {
        let said = |choice: StandbyChoice, mode: StandbyMode| {
            self::mode(&choice.into(), &mode.into(), "no drill has run yet")
        };
        assert_eq!(said(StandbyChoice::Hot, StandbyMode::Hot), "hot");
        assert_eq!(said(StandbyChoice::Cold, StandbyMode::Cold), "cold");
        assert_eq!(said(StandbyChoice::Auto, StandbyMode::Warm), "warm (auto)");
        let auto = said(StandbyChoice::Auto, StandbyMode::Cold);
        assert_eq!(auto, "cold (auto: no drill has run yet)");
        let hot = said(StandbyChoice::Hot, StandbyMode::Cold);
        assert_eq!(hot, "cold instead of hot: no drill has run yet");
    }

    #[test]
    fn failed_drills_are_counted_and_their_output_is_harmless() {
        let mut failed = FailedDrills {
            count: 1,
            since: "2026-01-01T00:00:00Z".parse().unwrap(),
            result: DrillResult::Failed,
            said: Some("no \u{1b}[2Jsuch file".to_owned()),
        };
        assert_eq!(
            self::failed(&failed),
            "failed: the gateway could not be parked (at 2026-01-01T00:00:00Z); last output: \
             no \\u{1b}[2Jsuch file"
        );
        (failed.count, failed.said) = (3, None);
        assert_eq!(
            self::failed(&failed),
            "failed: the gateway could not be parked (3 failures since 2026-01-01T00:00:00Z)"
        );
    }
}
