//! The steps of a takeover and of a release, each with its limit, its backoff and its end. A new step is a
//! new definition in one of the lists.

use std::{fmt, time::Duration};

use crate::{
    output::state::State,
    settings::{Demand, Settings},
};

/// A step of a takeover or of a release. See its [name](Step::name).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step(Id);

/// Identifies a step. Steps are compared many times per event, so this isn't the name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Id {
    Fence,
    Start,
    Stop,
    Park,
    Discard,
    #[cfg_attr(not(test), expect(dead_code, reason = "so far only tests have any"))]
    Further(&'static str),
}

impl Step {
    /// Make sure that the primary is off.
    pub const FENCE: Self = Self(Id::Fence);
    /// Start the local gateway.
    pub const START: Self = Self(Id::Start);
    /// Stop the local gateway.
    pub const STOP: Self = Self(Id::Stop);
    /// Start the local gateway up to its bind, where the kernel stops it.
    pub const PARK: Self = Self(Id::Park);
    /// End a parked gateway, which has not served.
    pub const DISCARD: Self = Self(Id::Discard);
    /// All steps, for tools.
    pub const ALL: [Self; 5] = [
        Self::START,
        Self::STOP,
        Self::FENCE,
        Self::PARK,
        Self::DISCARD,
    ];

    /// Does this step only change how ready the local gateway is?
    #[must_use]
    pub fn is_of_standby(self) -> bool {
        self == Self::PARK || self == Self::DISCARD
    }

    /// Another step with this name.
    #[cfg(test)]
    pub(crate) const fn further(name: &'static str) -> Self {
        Self(Id::Further(name))
    }

    /// The name of its command, for tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Id::Fence => "fence",
            Id::Start => "start",
            Id::Stop => "stop",
            Id::Park => "park",
            Id::Discard => "discard",
            Id::Further(name) => name,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// When a step is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// Its command has succeeded. In a takeover, this holds until the primary answers.
    Success,
    /// The local gateway listens. Exit codes only trigger another check.
    Listening,
    /// It no longer does.
    Closed,
    /// The local gateway is parked.
    Parked,
    /// Nothing is left of a parked one.
    Discarded,
}

/// The definition of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) step: Step,
    pub(crate) end: End,
    pub(crate) demand: fn(&Settings) -> Demand,
    /// How long its command may take.
    pub(crate) limit: fn(&Settings) -> Duration,
    /// The first pause after a failed attempt, and the longest.
    pub(crate) backoff: fn(&Settings) -> (Duration, Duration),
    /// The state while it is taken, given the number of the attempt from 1; `None`: the state doesn't change.
    pub(crate) state: Option<fn(u32) -> State>,
    /// The step of a release that undoes this one of a takeover.
    pub(crate) undone_by: Option<Step>,
}

/// No pause is longer than an interval: after that there is a new strike.
pub(crate) fn backoff(settings: &Settings) -> (Duration, Duration) {
    (settings.recovery_interval, settings.interval)
}

/// Makes sure that the primary is off.
pub(crate) const FENCE: Definition = Definition {
    step: Step::FENCE,
    end: End::Success,
    demand: |settings| settings.fence,
    limit: |settings| settings.fence_timeout,
    backoff,
    state: Some(|attempt| State::Fencing { attempt }),
    undone_by: None,
};

/// Starts the local gateway.
pub(crate) const START: Definition = Definition {
    step: Step::START,
    end: End::Listening,
    demand: |_| Demand::Required,
    limit: |settings| settings.start_timeout,
    backoff,
    state: Some(|attempt| State::Starting { attempt }),
    // What a start leaves behind is observed, or a stop is owed for it: see `Situation::stop_owed`.
    undone_by: None,
};

/// Stops it.
pub(crate) const STOP: Definition = Definition {
    step: Step::STOP,
    end: End::Closed,
    demand: |_| Demand::Required,
    limit: |settings| settings.stop_timeout,
    backoff,
    state: Some(|attempt| State::Stopping { attempt }),
    undone_by: None,
};

/// The longest pause before another attempt to park a gateway that could not be parked or died: at most an hour
/// of CPU time a day.
const LONGEST_PARKING_PAUSE: Duration = Duration::from_secs(3600);
/// Discarding takes a tenth of a second, and stopping the unit as long again. Nothing waits longer than this
/// for it.
const DISCARD_LIMIT: Duration = Duration::from_secs(20);

/// Parks the local gateway.
pub(crate) const PARK: Definition = Definition {
    step: Step::PARK,
    end: End::Parked,
    demand: |_| Demand::Required,
    limit: |settings| settings.start_timeout,
    backoff: |settings| (settings.interval, LONGEST_PARKING_PAUSE),
    state: None,
    undone_by: None,
};

/// Ends a parked one.
pub(crate) const DISCARD: Definition = Definition {
    step: Step::DISCARD,
    end: End::Discarded,
    demand: |_| Demand::Required,
    limit: |settings| settings.stop_timeout.min(DISCARD_LIMIT),
    backoff,
    state: None,
    undone_by: None,
};

/// The steps, each in the order in which they are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// Ends with the start of the local gateway.
    pub(crate) takeover: &'static [Definition],
    /// Begins with its stop.
    pub(crate) release: &'static [Definition],
    /// Those that change how ready the local gateway is, in no order.
    pub(crate) standby: &'static [Definition],
}

impl Steps {
    /// The steps of the product.
    pub(crate) const STANDARD: Self = Self {
        takeover: &[FENCE, START],
        release: &[STOP],
        standby: &[PARK, DISCARD],
    };

    /// All of them.
    pub(crate) fn all(self) -> impl Iterator<Item = &'static Definition> {
        self.takeover.iter().chain(self.release).chain(self.standby)
    }

    pub(crate) fn get(self, step: Step) -> Option<&'static Definition> {
        self.all().find(|definition| definition.step == step)
    }

    pub(crate) fn is_of_takeover(self, step: Step) -> bool {
        self.takeover.iter().any(|one| one.step == step)
    }

    /// The steps of a takeover before this one.
    pub(crate) fn before(self, step: Step) -> impl Iterator<Item = &'static Definition> {
        let takeover = self.takeover.iter();
        takeover.take_while(move |definition| definition.step != step)
    }
}

/// One value per step.
#[derive(Clone, Debug)]
pub(crate) struct PerStep<T>(Vec<(Step, T)>);

impl<T> PerStep<T> {
    pub(crate) fn of(steps: Steps, one: impl Fn(&Definition) -> T) -> Self {
        let each = steps.all();
        Self(each.map(|step| (step.step, one(step))).collect())
    }

    /// `None`: there is no such step.
    pub(crate) fn get(&self, step: Step) -> Option<&T> {
        let mut each = self.0.iter();
        each.find(|(one, _)| *one == step).map(|(_, of)| of)
    }

    pub(crate) fn get_mut(&mut self, step: Step) -> Option<&mut T> {
        let mut each = self.0.iter_mut();
        each.find(|(one, _)| *one == step).map(|(_, of)| of)
    }

    pub(crate) fn set(&mut self, step: Step, of: T) {
        if let Some(one) = self.get_mut(step) {
            *one = of;
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Step, &mut T)> {
        self.0.iter_mut().map(|(step, of)| (*step, of))
    }
}

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommandResult {
    /// With exit code 0.
    Succeeded,
    /// With another exit code.
    Failed {
        /// That code.
        code: i32,
    },
    /// By a signal, from the daemon or from elsewhere.
    Signalled {
        /// Its number.
        signal: i32,
    },
    /// It could not be run.
    NotRun {
        /// Why.
        reason: String,
    },
    /// It was killed but didn't exit, and is no longer waited for.
    Abandoned,
}

impl CommandResult {
    /// Did it succeed?
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }

    /// May a start with this result have left a gateway that is still coming up? OpenClaw's start command
    /// waits for it for a while, then exits with 1 or 2 and leaves it to its service manager. After an error
    /// in the configuration (78, `EX_CONFIG` in sysexits(3)) or a missing program (126 and 127 of a shell,
    /// POSIX 2.8.2) there is nothing to wait for.
    #[must_use]
    pub(crate) const fn may_have_begun(&self) -> bool {
        match self {
            Self::Succeeded | Self::Signalled { .. } => true,
            Self::Failed { code } => !matches!(*code, 78 | 126 | 127),
            Self::NotRun { .. } | Self::Abandoned => false,
        }
    }
}
