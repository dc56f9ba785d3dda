//! The local gateway as configured: how it is started and stopped, and how it is recognised. It must not
//! know the options.

use std::time::Duration;

use rustix::process::geteuid;

use failover_decide::Step;

use crate::gateway::{
    command::{account::Account, command_line::CommandLine, unit::Scope},
    parking::place::Place,
    port::identity::Identity,
};

/// The local gateway, complete and checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalGateway {
    /// The account that starts and stops it; `None`: the daemon's own.
    pub user: Option<Account>,
    /// Starts it.
    pub start: CommandLine,
    /// Stops it.
    pub stop: CommandLine,
    /// The stop command is OpenClaw's, which needs `--force` in later versions.
    pub stop_may_need_force: bool,
    /// How the gateway is recognised.
    pub identity: Identity,
    /// Its unit, if it is one.
    pub unit: Option<LocalUnit>,
}

impl LocalGateway {
    /// The user ID that start and stop run as.
    #[must_use]
    pub fn uid(&self) -> u32 {
        let own = || geteuid().as_raw();
        self.user.as_ref().map_or_else(own, Account::uid)
    }
}

/// The commands of PC-B.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commands {
    /// Start and stop.
    pub gateway: LocalGateway,
    /// The fence, if there is one.
    pub fence: Option<CommandLine>,
    /// Dry run: no command is run.
    pub dry_run: bool,
    /// Where it is noted that the gateway is parked.
    pub parking: Place,
    /// How long parking may take.
    pub park_within: Duration,
}

impl Commands {
    /// The command line of a command; only the fence may be missing.
    #[must_use]
    pub fn line(&self, command: Step) -> Option<&CommandLine> {
        match command {
            Step::START => Some(&self.gateway.start),
            Step::STOP => Some(&self.gateway.stop),
            Step::FENCE => self.fence.as_ref(),
            _ => None,
        }
    }

    /// The account that a command runs as, if it isn't the daemon's own. The fence belongs to the machine,
    /// not to the gateway.
    #[must_use]
    pub fn account(&self, command: Step) -> Option<&Account> {
        match command {
            Step::START | Step::STOP => self.gateway.user.as_ref(),
            _ => None,
        }
    }
}

/// The unit of the local gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalUnit {
    /// The service manager that has it.
    pub scope: Scope,
    /// Its name; `*` stands for anything.
    pub name: String,
    /// The start and stop commands are known to use that service manager.
    pub is_started: bool,
}
