//! The guard on PC-A: what its heartbeats, or their absence, lead to.

use std::{num::NonZeroU16, path::PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use failover_decide::{GuardRules, HostLoss, OnCrash};

use crate::{
    config::{
        ConfigurationError, KernelEventsMode, LogFormat,
        gateway::{GatewayKind, GatewayOptions},
        operation::OperationOptions,
        option::{Always, guard, option_set},
        parse::{path, port},
    },
    gateway::spec::LocalGateway,
};

/// The default of `guard-port`: the one after OpenClaw's.
pub(crate) const GUARD_PORT: NonZeroU16 = NonZeroU16::new(18790).unwrap();

option_set! {
    /// What PC-A's guard changes.
    pub(crate) struct GuardOptions => GuardValues {
        /// Port for the heartbeats of PC-A's guard (UDP), and for pairing (TCP)
        #[arg(value_name = "PORT", value_parser = port)]
        guard_port: Always<NonZeroU16> = guard().default(GUARD_PORT);

        /// When a host whose guard is silent counts as lost: after all strikes, or at once (fast) if a probe has failed
        /// as well and a witness answers
        #[arg(value_name = "WHEN")]
        host_loss: Always<HostLossChoice> = guard().default(HostLossChoice::Strikes);

        /// What follows when PC-A's gateway has crashed and its service manager restarts it: that gets its time (wait),
        /// or a takeover at once (take-over)
        #[arg(value_name = "WHAT")]
        on_crash: Always<OnCrashChoice> = guard().default(OnCrashChoice::Wait);
    }
}

/// When a host that is silent is lost.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum HostLossChoice {
    /// After all strikes.
    #[default]
    Strikes,
    /// At once, if a probe has failed as well and a witness answers.
    Fast,
}

/// What follows from a crash of PC-A's gateway.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OnCrashChoice {
    /// Its service manager gets its time.
    #[default]
    Wait,
    /// A takeover at once.
    TakeOver,
}

impl GuardValues {
    pub(super) fn rules(&self) -> GuardRules {
        GuardRules {
            host_loss: match self.host_loss {
                HostLossChoice::Strikes => HostLoss::Strikes,
                HostLossChoice::Fast => HostLoss::Fast,
            },
            on_crash: match self.on_crash {
                OnCrashChoice::Wait => OnCrash::Wait,
                OnCrashChoice::TakeOver => OnCrash::TakeOver,
            },
            ..GuardRules::default()
        }
    }
}

/// The control socket of PC-A's guard.
pub const GUARD_CONTROL: &str = "/run/failover-guard/control.sock";

/// Runs whatever is asked for, where something has to be said and nothing is run.
const NOTHING: &str = "true";

/// Flags of the guard on PC-A: how it recognizes its gateway, and no more, for it starts and stops nothing.
#[derive(Args, Clone, Debug, Default)]
pub struct GuardedOptions {
    /// What the gateway is: sets how it is recognized [default: openclaw]
    #[arg(long, value_name = "KIND")]
    gateway: Option<GatewayKind>,
    /// Account of the gateway [default: the guard's user]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// systemd unit of the gateway; required with --gateway=systemd
    #[arg(long, value_name = "NAME")]
    unit: Option<String>,
    /// Port of the gateway [default: 18789]
    #[arg(long, value_name = "PORT", value_parser = port)]
    port: Option<NonZeroU16>,
    /// Which process on the port is the gateway, as in the daemon's configuration
    #[arg(long, value_name = "OWNER", value_delimiter = ',')]
    owner: Option<Vec<String>>,
    /// Directory with the keys [default: /var/lib/failover]
    #[arg(long, value_name = "DIR", value_parser = path)]
    state_dir: Option<PathBuf>,
    /// Control socket of the guard
    #[arg(long, value_name = "PATH", default_value = GUARD_CONTROL, value_parser = path)]
    control: PathBuf,
    /// Kernel events (eBPF): used if available, required, or off [default: auto]
    #[arg(long, value_name = "MODE")]
    kernel_events: Option<KernelEventsMode>,
    /// Log format [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// What the guard on PC-A needs to know.
#[derive(Clone, Debug)]
pub struct GuardedHost {
    /// Its gateway.
    pub(crate) gateway: LocalGateway,
    /// The gateway's port.
    pub(crate) port: NonZeroU16,
    /// Where the keys are.
    pub(crate) state_dir: PathBuf,
    /// Where the guard can be asked.
    pub(crate) control: PathBuf,
    pub(crate) kernel_events: KernelEventsMode,
    /// The format of the log.
    pub log_format: LogFormat,
}

impl GuardedOptions {
    /// Checks the flags.
    ///
    /// # Errors
    /// When one is wrong.
    pub fn checked(self) -> Result<GuardedHost, ConfigurationError> {
        // Of a gateway that nothing starts, the daemon would ask for the commands.
        let needs_commands = self.gateway == Some(GatewayKind::Command);
        let nothing = needs_commands.then(|| NOTHING.to_owned());
        let gateway = GatewayOptions {
            gateway: self.gateway,
            user: self.user,
            unit: self.unit,
            port: self.port,
            owner: self.owner,
            start: nothing.clone(),
            stop: nothing,
            ..GatewayOptions::default()
        };
        let gateway = gateway.resolve()?.checked()?;
        let operation = OperationOptions {
            state_dir: self.state_dir,
            kernel_events: self.kernel_events,
            log_format: self.log_format,
            ..OperationOptions::default()
        };
        let operation = operation.resolve()?.checked(gateway.port)?;
        Ok(GuardedHost {
            gateway: gateway.gateway,
            port: gateway.port,
            state_dir: operation.state_dir,
            control: self.control,
            kernel_events: operation.kernel_events,
            log_format: operation.log_format,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn checked(options: GuardedOptions) -> String {
        let checked = options.checked();
        checked.map_or_else(|error| error.to_string(), |host| host.port.to_string())
    }

    #[test]
    fn a_gateway_of_any_kind_is_guarded_without_commands() {
        let of = |gateway| GuardedOptions {
            gateway,
            ..GuardedOptions::default()
        };
        for kind in [
            None,
            Some(GatewayKind::Command),
            Some(GatewayKind::SystemdUser),
        ] {
            assert_eq!(checked(of(kind)), "18789", "{kind:?}");
        }
        let refused = checked(of(Some(GatewayKind::Systemd)));
        assert!(refused.contains("unit"), "{refused}");
    }

    #[test]
    fn a_flag_that_would_change_nothing_is_none() {
        let run = |flag| Cli::try_parse_from(["failover", "guard", "run", flag]).map(drop);
        assert!(run("--port=1234").is_ok());
        for flag in [
            "--metrics=127.0.0.1:1",
            "--dry-run",
            "--start=x",
            "--operators=alice",
        ] {
            assert!(run(flag).is_err(), "{flag}");
        }
    }
}
