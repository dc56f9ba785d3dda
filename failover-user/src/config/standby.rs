//! How ready the local gateway is kept while the primary serves, and how that is rehearsed.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::named::Named;

use crate::config::{
    duration::{HumanDuration, days, hours, minutes, seconds},
    option::{Always, local_gateway, option_set},
};

/// Parking a hot gateway again costs a whole start.
const HOT_REFRESH: HumanDuration = minutes(10);
const DRILL_EVERY: HumanDuration = hours(24);
const NEVER: HumanDuration = seconds(0);
/// A drill is a whole start of the gateway.
const SHORTEST_DRILL_INTERVAL: HumanDuration = minutes(10);

option_set! {
    /// How ready the local gateway is kept.
    pub(crate) struct StandbyOptions => StandbyValues {
        /// How ready the local gateway is kept: started when it is needed (cold), started at the first strike and
        /// stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed
        /// (auto)
        #[arg(value_name = "MODE")]
        standby: Always<StandbyChoice> = local_gateway().default(StandbyChoice::Auto);

        /// Shortest time between two new starts of a hot gateway whose program or configuration has changed
        #[arg(value_name = "DURATION")]
        hot_refresh: Always<HumanDuration> = local_gateway()
            .range(seconds(10), days(365))
            .default(HOT_REFRESH);

        /// Time between automatic drills: the local gateway is started up to its bind, and ended; 0s: never
        #[arg(value_name = "DURATION")]
        drill_every: Always<HumanDuration> = local_gateway()
            .range(NEVER, days(365))
            .default(DRILL_EVERY);
    }
}

/// How ready the local gateway is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StandbyChoice {
    /// Warm once a drill of this very gateway has passed and there is memory for it; until then cold.
    #[default]
    Auto,
    /// Started when it is needed.
    Cold,
    /// Parked from the first strike on.
    Warm,
    /// Parked all the time.
    Hot,
}

impl Named for StandbyChoice {
    const ALL: &'static [Self] = &[Self::Auto, Self::Cold, Self::Warm, Self::Hot];

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Hot => "hot",
        }
    }
}

/// Drills that would keep the machine busy.
#[derive(Debug, Error)]
#[error("drill-every is {0}; write 0s for never, or at least {SHORTEST_DRILL_INTERVAL}")]
pub struct StandbyError(HumanDuration);

/// How ready the local gateway is kept, as configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standby {
    /// The mode, or who chooses it.
    pub choice: StandbyChoice,
    /// Between two new starts of a hot gateway.
    pub hot_refresh: Duration,
    /// Between automatic drills; `None`: there are none.
    pub drill_every: Option<Duration>,
}

impl StandbyValues {
    pub(super) fn checked(self) -> Result<Standby, StandbyError> {
        let every = self.drill_every;
        if every > NEVER && every < SHORTEST_DRILL_INTERVAL {
            return Err(StandbyError(every));
        }
        Ok(Standby {
            choice: self.standby,
            hot_refresh: self.hot_refresh.get(),
            drill_every: (every > NEVER).then(|| every.get()),
        })
    }
}
