//! The texts that people read: one sentence for each state, reason, failure, problem and outcome, and no
//! such sentence anywhere else. The log, the status, the page, the history and notices take their words
//! from here. Pure functions of typed data.

pub(crate) mod command;
pub(crate) mod guard;
pub(crate) mod incident;
pub(crate) mod notice;
pub(crate) mod order;
pub(crate) mod pause;
pub(crate) mod probe;
pub(crate) mod problem;
pub(crate) mod reason;
pub(crate) mod standby;
pub(crate) mod state;
pub(crate) mod sync;
pub(crate) mod witness;

use crate::{
    kernel_events::{EventSource, Polling},
    named::Value,
    status::protection::Protection,
};

/// The meaning of any state while two gateways serve.
pub(crate) const DUAL_ACTIVE: &str = "The primary and the local gateway both serve.";

/// How well PC-B protects PC-A, with what it means where that isn't said elsewhere.
pub(crate) const fn verdict(protection: Protection, listening: bool) -> &'static str {
    match (protection, listening) {
        (Protection::Safe, _) => "safe",
        (Protection::Degraded, true) => "degraded: PC-B serves without a standby",
        (Protection::Degraded, false) => "degraded: the primary is down, and PC-B has no standby",
        (Protection::Unsafe, _) => "NOT SAFE",
    }
}

/// What people have to see beside the state's name, whichever that is. A pause has an end, or none.
pub(crate) fn marks(
    dual_active: bool,
    pause: Option<Option<String>>,
    dry_run: bool,
) -> Vec<String> {
    let paused = pause.map(|until| match until {
        Some(until) => format!("PAUSED until {until}"),
        None => "PAUSED until `failover resume`".to_owned(),
    });
    let dual_active = dual_active.then(|| "TWO GATEWAYS SERVE".to_owned());
    let dry_run = dry_run.then(|| "DRY RUN".to_owned());
    [dual_active, paused, dry_run]
        .into_iter()
        .flatten()
        .collect()
}

/// A time span, in the largest unit that says enough.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86400),
    }
}

/// Where kernel events come from, why there are none, and how many were lost.
pub(crate) fn kernel_events(
    source: &Value<EventSource>,
    reason: Option<&str>,
    lost: u64,
    disagreements: u64,
) -> String {
    let mut text = match source {
        Value::Known(EventSource::Kernel) => "on (eBPF)".to_owned(),
        Value::Known(EventSource::Polling) => "off, polling".to_owned(),
        Value::Unknown(source) => source.clone(),
    };
    if let Some(reason) = reason {
        text.push_str(&format!(" ({reason})"));
    }
    text.push_str(&format!(", {lost} lost"));
    if disagreements > 0 {
        text.push_str(&format!(", {disagreements} disagreements"));
    }
    text
}

/// Why there are no kernel events.
pub(crate) fn polling(polling: &Polling) -> String {
    match polling {
        Polling::Configured => "as configured".to_owned(),
        Polling::Failed(error) => error.clone(),
    }
}
