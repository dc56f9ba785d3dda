//! Which mode is in force, and why. A pure function of what is configured and known.

use std::sync::Arc;

use failover_decide::StandbyMode;

use crate::{
    config::StandbyChoice,
    standby::drill::{Drill, DrillResult},
};

/// Memory that a machine has, for each byte that the gateway takes: it runs beside everything else.
const MEMORY_FACTOR: u64 = 2;

/// What is known of this machine and this gateway.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Known {
    /// Why this machine can't park this gateway; `None`: it can.
    pub(crate) not_parkable: Option<String>,
    /// The last drill that wasn't interrupted, and whether it was of this very program and configuration.
    pub(crate) drill: Option<Arc<Drill>>,
    pub(crate) drill_is_current: bool,
    /// Memory that can be had without swapping, in bytes (`MemAvailable`, proc(5)); `None`: not known.
    pub(crate) memory_available: Option<u64>,
    /// A gateway is parked, and its memory is taken already.
    pub(crate) is_parked: bool,
    /// Tasks have stalled for want of memory lately.
    pub(crate) memory_pressure: bool,
}

/// The mode in force, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Effective {
    pub(crate) mode: StandbyMode,
    /// A drill is possible.
    pub(crate) can_park: bool,
    pub(crate) why: Why,
}

/// Why a mode is in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    /// It is configured.
    Configured,
    /// Auto: a drill of this very gateway has passed.
    Drilled,
    /// This machine can't park this gateway, for this reason.
    NotParkable(String),
    /// Auto: there was no drill yet.
    NoDrill,
    /// Auto: something that the gateway reads has changed since the last drill.
    DrillOutdated,
    /// Auto: the last drill did not pass.
    DrillNotPassed(DrillResult),
    /// Auto: there is no memory for two of it, in bytes.
    LittleMemory { needed: u64, available: u64 },
    /// The machine runs out of memory.
    MemoryPressure,
    /// The kernel's answer isn't there yet.
    NotKnownYet,
}

/// The mode in force.
pub(crate) fn effective(choice: StandbyChoice, known: Option<&Known>) -> Effective {
    let cold = |can_park, why| Effective {
        mode: StandbyMode::Cold,
        can_park,
        why,
    };
    let Some(known) = known else {
        return cold(false, Why::NotKnownYet);
    };
    if let Some(reason) = &known.not_parkable {
        let why = match choice {
            StandbyChoice::Cold => Why::Configured,
            StandbyChoice::Auto | StandbyChoice::Warm | StandbyChoice::Hot => {
                Why::NotParkable(reason.clone())
            }
        };
        return cold(false, why);
    }
    let mode = match choice {
        StandbyChoice::Cold => return cold(true, Why::Configured),
        StandbyChoice::Warm | StandbyChoice::Auto => StandbyMode::Warm,
        StandbyChoice::Hot => StandbyMode::Hot,
    };
    if known.memory_pressure {
        return cold(false, Why::MemoryPressure);
    }
    if choice != StandbyChoice::Auto {
        return Effective {
            mode,
            can_park: true,
            why: Why::Configured,
        };
    }
    match automatic(known) {
        None => Effective {
            mode,
            can_park: true,
            why: Why::Drilled,
        },
        Some(why) => cold(true, why),
    }
}

/// Why auto isn't warm yet.
fn automatic(known: &Known) -> Option<Why> {
    let Some(drill) = &known.drill else {
        return Some(Why::NoDrill);
    };
    match drill.result {
        // It says nothing of the one before.
        DrillResult::Passed => {}
        result @ (DrillResult::Sent
        | DrillResult::Uncounted
        | DrillResult::Failed
        | DrillResult::Interrupted) => {
            return Some(Why::DrillNotPassed(result));
        }
    }
    if !known.drill_is_current {
        return Some(Why::DrillOutdated);
    }
    let needed = drill
        .memory_bytes
        .map(|bytes| bytes.saturating_mul(MEMORY_FACTOR));
    match (needed, known.memory_available) {
        (Some(needed), Some(available)) if available < needed && !known.is_parked => {
            Some(Why::LittleMemory { needed, available })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn drilled(result: DrillResult) -> Known {
        Known {
            drill: Some(Arc::new(Drill {
                at: Timestamp::UNIX_EPOCH,
                result,
                took_ms: None,
                packets_sent: Some(0),
                memory_bytes: Some(600),
                read: crate::gateway::parking::Fingerprint::default(),
                said: None,
            })),
            drill_is_current: true,
            memory_available: Some(1200),
            ..Known::default()
        }
    }

    fn mode(choice: StandbyChoice, known: &Known) -> (StandbyMode, Why) {
        let effective = effective(choice, Some(known));
        (effective.mode, effective.why)
    }

    #[test]
    fn auto_is_warm_once_a_drill_of_this_gateway_has_passed_and_there_is_memory_for_two() {
        let auto = |known: &Known| mode(StandbyChoice::Auto, known);
        let passed = drilled(DrillResult::Passed);
        assert_eq!(auto(&passed), (StandbyMode::Warm, Why::Drilled));
        assert_eq!(auto(&Known::default()), (StandbyMode::Cold, Why::NoDrill));
        let outdated = Known {
            drill_is_current: false,
            ..passed.clone()
        };
        assert_eq!(auto(&outdated), (StandbyMode::Cold, Why::DrillOutdated));
        for result in [
            DrillResult::Sent,
            DrillResult::Failed,
            DrillResult::Interrupted,
        ] {
            assert_eq!(
                auto(&drilled(result)),
                (StandbyMode::Cold, Why::DrillNotPassed(result))
            );
        }
        let little = Known {
            memory_available: Some(1199),
            ..passed.clone()
        };
        let why = Why::LittleMemory {
            needed: 1200,
            available: 1199,
        };
        assert_eq!(auto(&little), (StandbyMode::Cold, why));
        // Its own memory is taken already.
        let parked = Known {
            is_parked: true,
            ..little
        };
        assert_eq!(auto(&parked), (StandbyMode::Warm, Why::Drilled));
    }

    #[test]
    fn what_is_configured_needs_no_drill_but_a_machine_that_can() {
        let hot = |known: &Known| mode(StandbyChoice::Hot, known);
        assert_eq!(hot(&Known::default()), (StandbyMode::Hot, Why::Configured));
        let cannot = Known {
            not_parkable: Some("no bpffs".to_owned()),
            ..Known::default()
        };
        let why = Why::NotParkable("no bpffs".to_owned());
        assert_eq!(hot(&cannot), (StandbyMode::Cold, why));
        assert!(!effective(StandbyChoice::Hot, Some(&cannot)).can_park);
        let pressed = Known {
            memory_pressure: true,
            ..Known::default()
        };
        assert_eq!(hot(&pressed), (StandbyMode::Cold, Why::MemoryPressure));
        assert!(effective(StandbyChoice::Cold, Some(&Known::default())).can_park);
        let unknown = effective(StandbyChoice::Warm, None);
        assert_eq!((unknown.mode, unknown.can_park), (StandbyMode::Cold, false));
    }
}
