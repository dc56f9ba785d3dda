//! How ready the local gateway is kept: whether one must be parked, and whether one is.
//!
//! A parked gateway was started and stopped by the kernel in its own bind(2), before it listens: it serves
//! nobody, and a takeover only continues it. It must not know how that is done.

use crate::time::Time;

/// How ready the local gateway is kept while the primary serves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandbyMode {
    /// It is started when it is needed.
    #[default]
    Cold,
    /// It is parked from the first strike on, until the primary answers.
    Warm,
    /// It is parked all the time.
    Hot,
}

impl StandbyMode {
    /// Every one, the least ready first.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Warm, Self::Hot];

    /// Its name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Hot => "hot",
        }
    }
}

/// What can be seen of a parked gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParkingObservation {
    /// Nothing.
    Absent,
    /// It is stopped at its bind.
    Parked,
    /// It is, and something that it has read has changed since.
    Outdated,
    /// Something of it is there that can't be let go on: it died, or it isn't stopped any longer.
    Broken,
}

/// How ready the local gateway is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandbyState {
    /// It has to be started.
    #[default]
    Cold,
    /// It is on its way to its bind.
    Parking,
    /// It is stopped at its bind.
    Parked,
    /// A parked one is being ended.
    Discarding,
}

impl StandbyState {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Cold, Self::Parking, Self::Parked, Self::Discarding];

    /// Its name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Parking => "parking",
            Self::Parked => "parked",
            Self::Discarding => "discarding",
        }
    }
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DrillEnd {
    /// The local gateway was parked: it could serve.
    Passed,
    /// It could not be parked.
    Failed,
    /// Something that matters more came between.
    Interrupted,
}

/// What is known and wanted of a parked gateway.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parking {
    pub(crate) mode: StandbyMode,
    /// This machine can park this gateway.
    pub(crate) is_possible: bool,
    pub(crate) parked: Parked,
    pub(crate) drill: Option<Drill>,
    /// How the last drill ended, until people are told.
    pub(crate) drill_end: Option<DrillEnd>,
    /// As people were told last, and since when.
    pub(crate) state: StandbyState,
    pub(crate) since: Time,
}

/// What there is of a parked gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Parked {
    #[default]
    Absent,
    /// Its parking was cut short: it may be at its bind by now, or on its way.
    Begun,
    Whole {
        since: Time,
        /// Something that it has read has changed since.
        is_outdated: bool,
    },
    /// Something that can't be let go on.
    Broken,
}

/// A drill: a gateway is parked and ended again, to show that it could serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drill {
    /// A gateway that is parked already is ended first: a drill shows the whole way.
    Clearing,
    Parking,
}
