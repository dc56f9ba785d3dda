//! The states that people see, and their names for tools.

/// The state of the daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// The primary serves, as far as is known; the local gateway doesn't listen.
    Standby,
    /// The primary failed its last probes, but too few for a takeover. Right after isolation or an ordered
    /// release no failure counts.
    Suspect {
        /// How many count.
        strikes: u32,
    },
    /// The primary failed often enough, and no witness answers: PC-B has no network.
    Isolated,
    /// The primary is down, and is being fenced.
    Fencing {
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// The primary is down; the local gateway is being started.
    Starting {
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// The local gateway listens.
    Active,
    /// The primary failed often enough, and this keeps the local gateway from being started.
    Inhibited(Inhibitor),
    /// The local gateway doesn't answer; it is being stopped, to be started again.
    Restarting {
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// The primary is back; the local gateway is being stopped.
    Stopping {
        /// Which attempt, from 1.
        attempt: u32,
    },
}

/// A state without its data, for tools.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateKind {
    /// [`State::Standby`].
    Standby,
    /// [`State::Suspect`].
    Suspect,
    /// [`State::Isolated`].
    Isolated,
    /// [`State::Fencing`].
    Fencing,
    /// [`State::Starting`].
    Starting,
    /// [`State::Active`].
    Active,
    /// [`State::Restarting`].
    Restarting,
    /// [`State::Stopping`].
    Stopping,
    /// [`Inhibitor::Paused`].
    Paused,
    /// [`Inhibitor::Released`].
    Released,
    /// [`Inhibitor::Unarmed`].
    Unarmed,
    /// [`Inhibitor::ForeignListener`].
    Blocked,
}

impl StateKind {
    /// All kinds, in the order of a takeover; those that prevent one come last.
    pub const ALL: [Self; 12] = [
        Self::Standby,
        Self::Suspect,
        Self::Isolated,
        Self::Fencing,
        Self::Starting,
        Self::Active,
        Self::Restarting,
        Self::Stopping,
        Self::Paused,
        Self::Released,
        Self::Unarmed,
        Self::Blocked,
    ];

    /// Its name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Suspect => "suspect",
            Self::Isolated => "isolated",
            Self::Fencing => "fencing",
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Paused => "paused",
            Self::Released => "released",
            Self::Unarmed => "unarmed",
            Self::Blocked => "blocked",
        }
    }
}

impl State {
    /// Without its data.
    #[must_use]
    pub const fn kind(self) -> StateKind {
        match self {
            Self::Standby => StateKind::Standby,
            Self::Suspect { .. } => StateKind::Suspect,
            Self::Isolated => StateKind::Isolated,
            Self::Fencing { .. } => StateKind::Fencing,
            Self::Starting { .. } => StateKind::Starting,
            Self::Active => StateKind::Active,
            Self::Restarting { .. } => StateKind::Restarting,
            Self::Stopping { .. } => StateKind::Stopping,
            Self::Inhibited(Inhibitor::Paused) => StateKind::Paused,
            Self::Inhibited(Inhibitor::Released) => StateKind::Released,
            Self::Inhibited(Inhibitor::Unarmed) => StateKind::Unarmed,
            Self::Inhibited(Inhibitor::ForeignListener) => StateKind::Blocked,
        }
    }

    /// The state's name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.kind().name()
    }

    /// The number of the attempt, from 1, in states that have attempts.
    #[must_use]
    pub const fn attempt(self) -> Option<u32> {
        match self {
            Self::Fencing { attempt }
            | Self::Starting { attempt }
            | Self::Restarting { attempt }
            | Self::Stopping { attempt } => Some(attempt),
            Self::Standby
            | Self::Suspect { .. }
            | Self::Isolated
            | Self::Active
            | Self::Inhibited(_) => None,
        }
    }
}

/// What prevents a takeover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inhibitor {
    /// An operator ordered a pause.
    Paused,
    /// An operator ordered a release, for a while.
    Released,
    /// The primary was never seen healthy: its address may be wrong.
    Unarmed,
    /// Something that isn't the gateway listens on the local port.
    ForeignListener,
}
