//! When to take over, and when to release: the probes of the primary and how many of them count.

use std::{num::NonZeroU32, time::Duration};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{
    duration::{HumanDuration, hours, milliseconds, seconds},
    option::{Always, essential, judgement, option_set},
    parse::{count, count_or_none},
};

/// The default of `interval`.
pub(super) const INTERVAL: HumanDuration = seconds(30);
const RECOVERY_INTERVAL: HumanDuration = seconds(1);
const TIMEOUT: HumanDuration = seconds(5);
/// Outside of these, somebody mistyped.
pub(super) const SHORTEST_INTERVAL: HumanDuration = milliseconds(100);
pub(super) const LONGEST_INTERVAL: HumanDuration = hours(1);
const SHORTEST_TIMEOUT: HumanDuration = milliseconds(10);
const ONE: NonZeroU32 = NonZeroU32::MIN;
const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();
/// The same for probes in a row.
pub(super) const MOST_PROBES: NonZeroU32 = NonZeroU32::new(100).unwrap();

option_set! {
    /// When the primary counts as failed.
    pub(crate) struct TakeoverOptions => TakeoverValues {
        /// Time between probes
        #[arg(value_name = "DURATION")]
        interval: Always<HumanDuration> = essential()
            .range(SHORTEST_INTERVAL, LONGEST_INTERVAL)
            .default(INTERVAL);

        /// Failed probes in a row before a takeover
        #[arg(value_name = "COUNT", value_parser = count::<NonZeroU32>)]
        strikes: Always<NonZeroU32> = essential().range(ONE, MOST_PROBES).default(THREE);

        /// Probe timeout
        #[arg(value_name = "DURATION")]
        timeout: Always<HumanDuration> = judgement()
            .range(SHORTEST_TIMEOUT, LONGEST_INTERVAL)
            .words(format!("{TIMEOUT}, or the interval if shorter"))
            .default(TIMEOUT.min(interval));

        /// Time between probes after a failed probe, and between strikes
        #[arg(value_name = "DURATION")]
        confirm_interval: Always<HumanDuration> = judgement()
            .range(SHORTEST_INTERVAL, LONGEST_INTERVAL)
            .words("the interval")
            .default(interval);

        /// Time between probes during a takeover
        #[arg(value_name = "DURATION")]
        recovery_interval: Always<HumanDuration> = judgement()
            .range(SHORTEST_INTERVAL, LONGEST_INTERVAL)
            .words(format!("{RECOVERY_INTERVAL}, or the interval if shorter"))
            .default(RECOVERY_INTERVAL.min(interval));

        /// Ignore up to this many failed probes in a row while other clients' connections to the primary work;
        /// 0: never
        #[arg(value_name = "COUNT", value_parser = count_or_none)]
        veto_limit: Always<u32> = judgement().default(3);

        /// When takeovers are allowed: only after the primary has been seen healthy, or always
        #[arg(value_name = "WHEN")]
        arm: Always<Arm> = judgement().default(Arm::Seen);
    }
}

/// When takeovers are allowed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// After a successful probe with this configuration: a wrong address must not start a second gateway.
    #[default]
    Seen,
    /// From the start.
    Always,
}

/// Values that don't go together.
#[derive(Debug, Error)]
#[error(
    "{longer} ({longer_value}) is longer than interval ({interval}); shorten {longer} or lengthen interval"
)]
pub struct TakeoverError {
    longer: &'static str,
    longer_value: HumanDuration,
    interval: HumanDuration,
}

impl TakeoverError {
    /// The option that has to change.
    pub(super) const fn option(&self) -> &'static str {
        self.longer
    }
}

/// See [`failover_decide::Settings`].
#[derive(Debug)]
pub(super) struct Takeover {
    pub(super) interval: Duration,
    pub(super) recovery_interval: Duration,
    pub(super) confirm_interval: Duration,
    pub(super) timeout: Duration,
    pub(super) strikes: NonZeroU32,
    pub(super) veto_limit: u32,
    pub(super) needs_arming: bool,
}

impl TakeoverValues {
    pub(super) fn checked(self) -> Result<Takeover, TakeoverError> {
        let Self {
            interval,
            strikes,
            timeout,
            confirm_interval,
            recovery_interval,
            veto_limit,
            arm,
        } = self;
        for (longer, longer_value) in [
            ("recovery-interval", recovery_interval),
            ("timeout", timeout),
            ("confirm-interval", confirm_interval),
        ] {
            if longer_value > interval {
                return Err(TakeoverError {
                    longer,
                    longer_value,
                    interval,
                });
            }
        }
        Ok(Takeover {
            interval: interval.get(),
            recovery_interval: recovery_interval.get(),
            confirm_interval: confirm_interval.get(),
            timeout: timeout.get(),
            strikes,
            veto_limit,
            needs_arming: arm == Arm::Seen,
        })
    }
}
