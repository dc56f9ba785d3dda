//! The local gateway as it is configured: how it is started and stopped, and what counts as it. How the
//! options say so is not known here.

use rustix::process::geteuid;

use failover_decide::Command;

use crate::gateway::{
    command::{account::Account, command_line::CommandLine, unit::Scope},
    port::identity::Identity,
};

/// The local gateway, complete and checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalGateway {
    /// Who starts and stops it; `None`: the daemon's own account.
    pub user: Option<Account>,
    /// Starts it.
    pub start: CommandLine,
    /// Stops it.
    pub stop: CommandLine,
    /// The stop is OpenClaw's own, whose later versions need `--force`.
    pub stop_may_need_force: bool,
    /// What counts as the gateway.
    pub identity: Identity,
    /// The unit that it is, where it is one.
    pub unit: Option<LocalUnit>,
}

impl LocalGateway {
    /// The account that start and stop are run as.
    #[must_use]
    pub fn uid(&self) -> u32 {
        let own = || geteuid().as_raw();
        self.user.as_ref().map_or_else(own, Account::uid)
    }
}

/// What is run on PC-B, and whether it is run at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commands {
    /// Start and stop.
    pub gateway: LocalGateway,
    /// The fence, if there is one.
    pub fence: Option<CommandLine>,
    /// Nothing is run.
    pub dry_run: bool,
}

impl Commands {
    /// The line that a command is run by; only a fence may be missing.
    #[must_use]
    pub const fn line(&self, command: Command) -> Option<&CommandLine> {
        match command {
            Command::Start => Some(&self.gateway.start),
            Command::Stop => Some(&self.gateway.stop),
            Command::Fence => self.fence.as_ref(),
        }
    }

    /// The account that a command is run as, if it isn't the daemon's own: the fence is the machine's
    /// business, not the gateway's.
    #[must_use]
    pub const fn account(&self, command: Command) -> Option<&Account> {
        match command {
            Command::Start | Command::Stop => self.gateway.user.as_ref(),
            Command::Fence => None,
        }
    }
}

/// The unit that the local gateway is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalUnit {
    /// Whose service manager has it.
    pub scope: Scope,
    /// Its name; `*` stands for anything.
    pub name: String,
    /// What starts and stops the gateway asks that service manager, as far as that is known.
    pub is_started: bool,
}
