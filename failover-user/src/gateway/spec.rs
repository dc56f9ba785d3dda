//! The local gateway as it is configured: how it is started and stopped, and what counts as it. How the
//! options say so is not known here.

use rustix::process::geteuid;

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
