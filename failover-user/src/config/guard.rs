//! The guard on PC-A: what its heartbeats, or their absence, lead to.

use std::{num::NonZeroU16, path::PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use failover_decide::{GuardRules, HostLoss, OnCrash};

use crate::{
    config::{
        ConfigurationError, KernelEventsMode, LogFormat,
        gateway::GatewayOptions,
        operation::OperationOptions,
        option::{Always, guard, option_set},
        parse::port,
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

/// Flags of the guard on PC-A.
#[derive(Args, Clone, Debug, Default)]
pub struct PrimaryOptions {
    /// Its gateway.
    #[command(flatten)]
    pub(crate) gateway: GatewayOptions,
    /// How the guard runs.
    #[command(flatten)]
    pub(crate) operation: OperationOptions,
}

/// What the guard on PC-A needs to know.
#[derive(Clone, Debug)]
pub(crate) struct GuardedHost {
    /// Its gateway.
    pub(crate) gateway: LocalGateway,
    /// The gateway's port.
    pub(crate) port: NonZeroU16,
    /// Where the keys are.
    pub(crate) state_dir: PathBuf,
    pub(crate) kernel_events: KernelEventsMode,
    /// The format of the log.
    pub(crate) log_format: LogFormat,
}

impl PrimaryOptions {
    /// Checks the flags.
    ///
    /// # Errors
    /// When one is wrong.
    pub(crate) fn checked(self) -> Result<GuardedHost, ConfigurationError> {
        let gateway = self.gateway.resolve()?.checked()?;
        let operation = self.operation.resolve()?.checked(gateway.port)?;
        Ok(GuardedHost {
            gateway: gateway.gateway,
            port: gateway.port,
            state_dir: operation.state_dir,
            kernel_events: operation.kernel_events,
            log_format: operation.log_format,
        })
    }
}
