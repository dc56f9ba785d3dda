//! What people read: one sentence a state, a reason, a failure, a problem, an outcome, and nowhere else.
//! Whoever shows something, be it in the log, the status, the page, the history or a notice, has its
//! words from here. Pure: what is said depends on what is given alone.

pub(crate) mod command;
pub(crate) mod incident;
pub(crate) mod notice;
pub(crate) mod order;
pub(crate) mod pause;
pub(crate) mod probe;
pub(crate) mod problem;
pub(crate) mod reason;
pub(crate) mod witness;

use failover_decide::StateKind;

use crate::{kernel_events::Polling, status::protection::Protection};

/// What a state means, as a sentence.
pub(crate) const fn meaning(state: StateKind) -> &'static str {
    match state {
        StateKind::Standby => "The primary serves; this machine watches.",
        StateKind::Suspect => "The last probes failed, too few to act.",
        StateKind::Isolated => {
            "No witness answers: this machine itself is cut off, so nothing is started."
        }
        StateKind::Fencing => "The primary has failed, and is being made sure of.",
        StateKind::Starting => "The primary has failed; the local gateway is being started.",
        StateKind::Active => "The local gateway serves.",
        StateKind::Restarting => "The local gateway doesn't answer; it is being started again.",
        StateKind::Stopping => "The primary is back; the local gateway is being stopped.",
        StateKind::Paused => {
            "The primary has failed, and a pause keeps the local gateway from being started."
        }
        StateKind::Released => "Released by hand: nothing is started for now.",
        StateKind::Unarmed => "The primary was never seen healthy, so nothing is started.",
        StateKind::Blocked => "Something else has the local port, so nothing can be started.",
    }
}

/// The same while two gateways serve, whatever the state.
pub(crate) const DUAL_ACTIVE: &str = "The primary and the local gateway both serve.";

/// How well PC-B protects PC-A, with what it means where that isn't said elsewhere.
pub(crate) const fn verdict(protection: Protection, listening: bool) -> &'static str {
    match (protection, listening) {
        (Protection::Safe, _) => "safe",
        (Protection::Degraded, true) => "degraded: PC-B serves, and nothing stands behind it",
        (Protection::Degraded, false) => {
            "degraded: the primary is down, and nothing stands behind PC-B"
        }
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

/// Where kernel events come from, and how that goes.
pub(crate) fn kernel_events(
    source: &str,
    reason: Option<&str>,
    lost: u64,
    disagreements: u64,
) -> String {
    let reason = reason.map(|reason| format!(" ({reason})"));
    let reason = reason.unwrap_or_default();
    format!("{source}{reason}, {lost} lost, {disagreements} disagreements")
}

/// Why there are no kernel events.
pub(crate) fn polling(polling: &Polling) -> String {
    match polling {
        Polling::Configured => "as configured".to_owned(),
        Polling::Failed(error) => error.clone(),
    }
}
