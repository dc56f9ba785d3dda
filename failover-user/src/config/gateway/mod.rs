//! The local gateway: how it is started and stopped, and how it is recognized. Its kind sets what isn't
//! configured.

mod error;
mod owner;

use std::{num::NonZeroU16, time::Duration};

use clap::ValueEnum;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

pub use error::GatewayError;
use owner::{rules, unit_name};

use crate::config::{
    command::{LONGEST_COMMAND, SHORTEST_COMMAND, command},
    duration::{HumanDuration, seconds},
    option::{Always, essential, local_gateway, option_set},
    parse::port,
    primary::DEFAULT_PORT,
};
use crate::gateway::{
    command::{
        account::Account,
        command_line::CommandLine,
        unit::{Scope, UnitCommand, UnitVerb},
    },
    port::identity::{Identity, OPENCLAW_UNIT, OPENCLAW_UNITS, Rule},
    spec::{LocalGateway, LocalUnit},
};

/// Starts OpenClaw.
pub(super) const OPENCLAW_START: &str = "openclaw gateway start";
/// Stops OpenClaw. `--force` is added where the installed version has it.
const OPENCLAW_STOP: &str = "openclaw gateway stop";
/// What its name and those of its profiles begin with (`openclaw-gateway-NAME.service`).
const OPENCLAW_UNIT_BEGINS: &str = "openclaw-gateway";
/// On slow boards OpenClaw was seen to take up to 240 s until it listens, and its own start command waits up to
/// 300 s for one that makes progress. A start that is dead is noticed by what it leaves behind, not by this.
const START_TIMEOUT: HumanDuration = seconds(360);
/// OpenClaw's unit has 330 s to drain.
const STOP_TIMEOUT: HumanDuration = seconds(340);

option_set! {
    /// The local gateway.
    pub(crate) struct GatewayOptions => GatewayValues {
        /// What the local gateway is: sets how it is started, stopped and recognized
        #[arg(value_name = "KIND")]
        gateway: Always<GatewayKind> = essential().default(GatewayKind::OpenClaw);

        /// Account of the local gateway: start and stop run as this account, with its HOME; fence runs as the daemon's
        /// user
        #[arg(value_name = "NAME")]
        user: Option<String> = essential()
            .words("the daemon's user")
            .alternative("alice".to_owned());

        /// systemd unit of the local gateway; required with gateway=systemd
        #[arg(value_name = "NAME")]
        unit: Option<String> = essential()
            .words(format!("{OPENCLAW_UNIT} of the account"))
            .alternative(OPENCLAW_UNIT.to_owned());

        /// Port of the local gateway
        #[arg(value_name = "PORT", value_parser = port)]
        port: Always<NonZeroU16> = local_gateway().default(DEFAULT_PORT);

        /// Command that starts the local gateway; split like a shell does, but run without one
        #[arg(value_name = "COMMAND")]
        start: Option<String> = local_gateway()
            .secret()
            .default_if(gateway == GatewayKind::OpenClaw, OPENCLAW_START.to_owned());

        /// Command that stops the local gateway
        #[arg(value_name = "COMMAND")]
        stop: Option<String> = local_gateway()
            .secret()
            .words(format!("{OPENCLAW_STOP}, with --force if supported"))
            .default_if(gateway == GatewayKind::OpenClaw, OPENCLAW_STOP.to_owned());

        /// Time limit of a start: until the port listens and a gateway that is checked answers. Then it is killed and
        /// retried with twice the time. A start that is seen to be dead is retried at once
        #[arg(value_name = "DURATION")]
        start_timeout: Always<HumanDuration> = local_gateway()
            .range(SHORTEST_COMMAND, LONGEST_COMMAND)
            .default(START_TIMEOUT);

        /// Timeout of the stop command; then it is killed and retried
        #[arg(value_name = "DURATION")]
        stop_timeout: Always<HumanDuration> = local_gateway()
            .range(SHORTEST_COMMAND, LONGEST_COMMAND)
            .default(STOP_TIMEOUT);

        /// Which process on the port is the local gateway: unit:NAME, account:NAME, executable:PATH or executable:FILE
        /// of the gateway's account; of another one as "unit:NAME of ACCOUNT"
        #[arg(value_name = "OWNER", value_delimiter = ',')]
        owner: Option<Vec<String>> = local_gateway()
            .words("set by gateway")
            .alternative(vec!["unit:bot.service".to_owned(), "executable:bot".to_owned()]);
    }
}

/// What the local gateway is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayKind {
    /// OpenClaw, through its own commands.
    #[default]
    #[value(name = "openclaw")]
    #[serde(rename = "openclaw")]
    OpenClaw,
    /// Anything, through the start and stop commands.
    Command,
    /// A user unit (systemctl --user) of the account, through D-Bus.
    SystemdUser,
    /// A system unit, through D-Bus.
    Systemd,
}

/// The local gateway, and what else its options set.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) gateway: LocalGateway,
    pub(super) port: NonZeroU16,
    pub(super) start_timeout: Duration,
    pub(super) stop_timeout: Duration,
}

impl GatewayValues {
    pub(super) fn checked(self) -> Result<Gateway, GatewayError> {
        Ok(Gateway {
            gateway: self.gateway()?,
            port: self.port,
            start_timeout: self.start_timeout.get(),
            stop_timeout: self.stop_timeout.get(),
        })
    }

    fn gateway(&self) -> Result<LocalGateway, GatewayError> {
        match self.gateway {
            GatewayKind::Command if self.unit.is_some() => return Err(GatewayError::UselessUnit),
            GatewayKind::Systemd if self.user.is_some() => return Err(GatewayError::UselessUser),
            GatewayKind::OpenClaw
            | GatewayKind::Command
            | GatewayKind::SystemdUser
            | GatewayKind::Systemd => {}
        }
        let unit = self.unit.as_deref().map(unit_name).transpose()?;
        let user = self.user.as_deref().map(Account::named).transpose();
        let user = user.map_err(GatewayError::User)?;
        let line = |verb, written| self.line(verb, written, unit.as_deref());
        let stop = self.stop.as_deref();
        Ok(LocalGateway {
            start: line(UnitVerb::Start, self.start.as_deref())?,
            stop: line(UnitVerb::Stop, stop)?,
            stop_may_need_force: self.gateway == GatewayKind::OpenClaw
                && stop == Some(OPENCLAW_STOP),
            unit: self.local_unit(unit.as_deref()),
            identity: self.identity(unit, user.as_ref())?,
            user,
        })
    }

    fn line(
        &self,
        verb: UnitVerb,
        written: Option<&str>,
        unit: Option<&str>,
    ) -> Result<CommandLine, GatewayError> {
        let (scope, unit) = match (written, self.gateway) {
            (Some(line), _) => return Ok(command(verb.name(), line)?),
            // OpenClaw has both by default.
            (None, GatewayKind::OpenClaw | GatewayKind::Command) => {
                return Err(GatewayError::NoCommand(verb.name()));
            }
            (None, GatewayKind::SystemdUser) => (Scope::User, unit.unwrap_or(OPENCLAW_UNIT)),
            (None, GatewayKind::Systemd) => (Scope::System, unit.ok_or(GatewayError::NoUnit)?),
        };
        Ok(UnitCommand::new(verb, scope, unit).line())
    }

    fn local_unit(&self, unit: Option<&str>) -> Option<LocalUnit> {
        let (scope, default) = match self.gateway {
            GatewayKind::Command => return None,
            GatewayKind::OpenClaw => (Scope::User, OPENCLAW_UNITS),
            GatewayKind::SystemdUser => (Scope::User, OPENCLAW_UNIT),
            GatewayKind::Systemd => (Scope::System, unit?),
        };
        Some(LocalUnit {
            scope,
            name: unit.unwrap_or(default).to_owned(),
            is_started: self
                .start
                .as_deref()
                .is_none_or(|start| start == OPENCLAW_START),
        })
    }

    fn identity(
        &self,
        unit: Option<String>,
        user: Option<&Account>,
    ) -> Result<Identity, GatewayError> {
        let uid = user.map_or_else(|| geteuid().as_raw(), Account::uid);
        if let Some(owners) = &self.owner {
            let rules: Vec<Vec<Rule>> = owners
                .iter()
                .map(|owner| rules(owner, uid))
                .collect::<Result<_, _>>()?;
            return match rules.is_empty() {
                true => Err(GatewayError::NoOwner),
                false => Ok(Identity::new(rules.concat())),
            };
        }
        Ok(match self.gateway {
            GatewayKind::OpenClaw | GatewayKind::SystemdUser => Identity::openclaw(uid, unit),
            GatewayKind::Systemd => Identity::system_unit(unit.ok_or(GatewayError::NoUnit)?),
            GatewayKind::Command => Identity::of_account(uid),
        })
    }
}

/// Is a unit of this name OpenClaw's?
pub(super) fn is_openclaw_unit(name: &str) -> bool {
    name.starts_with(OPENCLAW_UNIT_BEGINS)
}

#[cfg(test)]
mod tests;
