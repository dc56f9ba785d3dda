//! What is run on PC-B for a takeover and for a release, and how it ends.

use std::fmt;

/// The commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Start the local gateway.
    Start,
    /// Stop the local gateway.
    Stop,
    /// Make sure that the primary is gone.
    Fence,
}

impl Command {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Start, Self::Stop, Self::Fence];

    /// Its name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Fence => "fence",
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
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
    /// By a signal, ours or another's.
    Signalled {
        /// Its number.
        signal: i32,
    },
    /// It could not be run.
    NotRun {
        /// Why.
        reason: String,
    },
    /// It was killed and did not go away; nobody waits for it any longer.
    Abandoned,
}

impl CommandResult {
    /// Did it succeed?
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }

    /// May a start that ended like this have left a gateway behind that is still coming up? OpenClaw's
    /// waits a while for it, gives up with 1 or 2, and leaves it to its service manager. That the
    /// configuration is wrong (78, `EX_CONFIG` in sysexits(3)) or the program isn't there (126 and 127 of
    /// a shell, POSIX 2.8.2) says that there is nothing to wait for.
    #[must_use]
    pub(super) const fn may_have_begun(&self) -> bool {
        match self {
            Self::Succeeded | Self::Signalled { .. } => true,
            Self::Failed { code } => !matches!(*code, 78 | 126 | 127),
            Self::NotRun { .. } | Self::Abandoned => false,
        }
    }
}
