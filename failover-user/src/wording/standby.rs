//! How ready the local gateway is kept, and drills.

use std::time::Duration;

use crate::{
    named::Value,
    standby::{drill::DrillResult, mode::Why},
    status::document,
};

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
            "little memory: {} MB are available, and {} MB are needed",
            available / 1_000_000,
            needed / 1_000_000
        ),
        Why::MemoryPressure => "the machine is short of memory".to_owned(),
        Why::NotKnownYet => "not checked yet".to_owned(),
    }
}

/// A drill's report, in lines.
pub(crate) fn report(drill: &document::Drill) -> String {
    let result = match &drill.result {
        Value::Known(result) => self::drill(*result),
        Value::Unknown(name) => name,
    };
    let mut lines = vec![format!("the drill {result}")];
    if let Some(took) = drill.took_milliseconds {
        let seconds = Duration::from_millis(took).as_secs_f64();
        lines.push(format!("  start to bind    {seconds:.1} s"));
    }
    lines.push(match drill.packets_sent {
        Some(sent) => format!("  packets sent     {sent} before the bind"),
        None => "  packets sent     not counted".to_owned(),
    });
    if let Some(bytes) = drill.memory_bytes {
        lines.push(format!("  memory           {} MB", bytes / 1_000_000));
    }
    if let Some(line) = &drill.last_line {
        lines.push(format!("  last output      {line}"));
    }
    lines.push(String::new());
    lines.join("\n")
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
