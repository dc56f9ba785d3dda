//! How ready the local gateway is kept: whether one must be parked, and whether one is.
//!
//! A parked gateway was started and stopped by the kernel in its own bind(2), before it listens: it serves
//! nobody, and a takeover only continues it. It must not know how that is done.

use crate::time::Time;

/// How ready the local gateway is kept while the primary serves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandbyMode {
    /// It is started only when it is needed.
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
    /// Something of it is left that can't be continued: it died, or it is no longer stopped.
    Broken,
}

/// How ready the local gateway is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandbyState {
    /// It has to be started.
    #[default]
    Cold,
    /// It is starting, and hasn't reached its bind.
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
    /// Something more important interrupted it.
    Interrupted,
}

/// What is known of a parked gateway, and what is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parking {
    pub(crate) mode: StandbyMode,
    /// This machine can park this gateway.
    pub(crate) is_possible: bool,
    pub(crate) parked: Parked,
    pub(crate) drill: Option<Drill>,
    /// How the last drill ended, until it has been reported.
    pub(crate) drill_end: Option<DrillEnd>,
    /// As last reported, and since when.
    pub(crate) state: StandbyState,
    pub(crate) since: Time,
}

/// What there is of a parked gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Parked {
    #[default]
    Absent,
    /// Its parking was interrupted: it may have reached its bind, or not yet.
    Begun,
    Whole {
        since: Time,
        /// Something that it has read has changed since.
        is_outdated: bool,
    },
    /// Something that can't be continued.
    Broken,
}

/// A drill: a gateway is parked and ended again, to show that it could serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drill {
    /// A gateway that is already parked is ended first: a drill covers the whole start.
    Clearing,
    Parking,
}
