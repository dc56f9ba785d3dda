//! Flap damping: a primary that fails again soon after a release has to prove itself for longer.

use std::num::NonZeroU32;

use thiserror::Error;

use failover_decide::Flapping;

use crate::config::{
    duration::{HumanDuration, days, hours, minutes, seconds},
    option::{Always, judgement, option_set},
    parse::count,
    takeover::{self, LONGEST_INTERVAL, MOST_PROBES, SHORTEST_INTERVAL},
};

/// With this, ten successes take 27 s: even the least trusted primary is believed within half a minute.
const INTERVAL: HumanDuration = seconds(3);
const ONE: NonZeroU32 = NonZeroU32::MIN;
const SUCCESSES: [NonZeroU32; 3] = [
    ONE,
    NonZeroU32::new(3).unwrap(),
    NonZeroU32::new(10).unwrap(),
];
/// For longer, nobody means it.
const LONGEST_MEMORY: HumanDuration = days(30);

option_set! {
    /// How a primary that keeps failing is trusted again.
    pub(crate) struct FlapDampingOptions => FlapDampingValues (interval: HumanDuration = takeover::INTERVAL) {
        /// Delay the release of a flapping primary
        #[arg(value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        flap_damping: Always<bool> = judgement().default(true);

        /// A failure within this time after the primary's recovery counts as a flap
        #[arg(value_name = "DURATION")]
        flap_window: Always<HumanDuration> = judgement()
            .range(SHORTEST_INTERVAL, LONGEST_MEMORY)
            .used_if(flap_damping)
            .default(minutes(10));

        /// Reset the flap count when the primary has been healthy for this time
        #[arg(value_name = "DURATION")]
        flap_quiet: Always<HumanDuration> = judgement()
            .range(SHORTEST_INTERVAL, LONGEST_MEMORY)
            .used_if(flap_damping)
            .default(hours(1));

        /// Successful probes in a row before a release: normally, after one flap, after two, and so on
        #[arg(value_name = "COUNTS", value_delimiter = ',', value_parser = count::<NonZeroU32>)]
        flap_successes: Always<Vec<NonZeroU32>> = judgement()
            .each_in(ONE, MOST_PROBES)
            .used_if(flap_damping)
            .default(SUCCESSES.to_vec());

        /// Time between these probes, where a release needs more than one
        #[arg(value_name = "DURATION")]
        flap_interval: Always<HumanDuration> = judgement()
            .range(SHORTEST_INTERVAL, LONGEST_INTERVAL)
            .used_if(flap_damping)
            .words(format!("{INTERVAL}, or the interval if shorter"))
            .default(INTERVAL.min(interval));
    }
}

/// No level of flapping is left.
#[derive(Debug, Error)]
#[error("flap-successes is empty; write counts like 1,3,10, or set flap-damping to false")]
pub struct NoSuccesses;

impl FlapDampingValues {
    /// `None`: a flapping primary is treated like any other.
    pub(super) fn checked(self) -> Result<Option<Flapping>, NoSuccesses> {
        let Self {
            flap_damping,
            flap_window,
            flap_quiet,
            flap_successes,
            flap_interval,
        } = self;
        if !flap_damping {
            return Ok(None);
        }
        if flap_successes.is_empty() {
            return Err(NoSuccesses);
        }
        Ok(Some(Flapping {
            window: flap_window.get(),
            quiet: flap_quiet.get(),
            successes: flap_successes,
            interval: flap_interval.get(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::option::OptionSet as _;

    fn checked(text: &str) -> Result<Option<Flapping>, String> {
        let mut options = FlapDampingOptions::default();
        for line in text.lines() {
            let (name, value) = line.split_once(" = ").unwrap();
            let value: serde_json::Value = serde_json::from_str(value).unwrap();
            options.set(name, value).unwrap();
        }
        let values = options.resolve(seconds(30));
        let values = values.map_err(|error| error.to_string())?;
        values.checked().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_out_of_range_is_refused_unless_flaps_do_not_count() {
        for (line, part) in [
            ("flap-window = \"50ms\"", "flap-window is 50ms"),
            ("flap-quiet = \"31d\"", "it must be between 100ms and 720h"),
            ("flap-successes = [1, 101]", "flap-successes is 101"),
            ("flap-successes = []", "flap-successes is empty"),
        ] {
            let error = checked(line).unwrap_err();
            assert!(error.contains(part), "{error}");
            let off = format!("{line}\nflap-damping = false");
            assert_eq!(checked(&off), Ok(None), "{line}");
        }
    }
}
