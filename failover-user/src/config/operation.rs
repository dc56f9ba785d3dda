//! How the daemon itself runs: its files, who may order it about, what it serves and logs.

use std::{net::SocketAddr, num::NonZeroU16, path::PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{
    option::{Always, daemon, option_set},
    parse::{address, path},
};
use crate::gateway::command::account::{Account, AccountError};

/// The default of `state-dir`.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/failover";
/// The default of `control`.
pub const DEFAULT_CONTROL: &str = "/run/failover/control.sock";

option_set! {
    /// How the daemon itself runs.
    pub(crate) struct OperationOptions => OperationValues {
        /// Directory for the history, the daemon's state and the output of commands
        #[arg(value_name = "DIR", value_parser = path)]
        state_dir: Always<PathBuf> = daemon().directory().default(DEFAULT_STATE_DIR.into());

        /// Control socket
        #[arg(value_name = "PATH", value_parser = path)]
        control: Always<PathBuf> = daemon().socket().default(DEFAULT_CONTROL.into());

        /// Accounts besides root that may pause, take over and release
        #[arg(value_name = "ACCOUNTS", value_delimiter = ',')]
        operators: Option<Vec<String>> = daemon().alternative(vec!["alice".to_owned()]);

        /// Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect
        #[arg(value_name = "IP:PORT", value_parser = address)]
        metrics: Option<SocketAddr> = daemon().example(SocketAddr::from(([127, 0, 0, 1], 9179)));

        /// Kernel events (eBPF): used if available, required, or off
        #[arg(value_name = "MODE")]
        kernel_events: Always<KernelEventsMode> = daemon().default(KernelEventsMode::Auto);

        /// Log format
        #[arg(value_name = "FORMAT")]
        log_format: Always<LogFormat> = daemon().default(LogFormat::Text);

        /// Decide and log, but run no commands
        #[arg(value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        dry_run: Always<bool> = daemon().default(false);
    }
}

/// Whether kernel events are used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KernelEventsMode {
    /// Use them if available; otherwise log why, and poll the port every second.
    #[default]
    Auto,
    /// Don't run without them.
    Required,
    /// Poll the port every second.
    Off,
}

/// Log format.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A daemon that can't run like this.
#[derive(Debug, Error)]
pub enum OperationError {
    /// Metrics would take the gateway's port, or any.
    #[error("metrics is {0}; give it a port of its own, like 9179, and not the gateway's")]
    MetricsPort(SocketAddr),
    /// Somebody who may give orders can't be found.
    #[error("operators: {0}")]
    Operators(#[source] AccountError),
}

impl OperationError {
    /// The option that has to change.
    pub(super) const fn option(&self) -> &'static str {
        match self {
            Self::MetricsPort(_) => "metrics",
            Self::Operators(_) => "operators",
        }
    }
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) state_dir: PathBuf,
    pub(super) control: PathBuf,
    pub(super) operators: Vec<u32>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) kernel_events: KernelEventsMode,
    pub(super) log_format: LogFormat,
    pub(super) dry_run: bool,
}

impl OperationValues {
    /// `gateway_port`: the local gateway's.
    pub(super) fn checked(self, gateway_port: NonZeroU16) -> Result<Operation, OperationError> {
        let Self {
            state_dir,
            control,
            operators,
            metrics,
            kernel_events,
            log_format,
            dry_run,
        } = self;
        if let Some(metrics) = metrics
            && (metrics.port() == 0 || metrics.port() == gateway_port.get())
        {
            return Err(OperationError::MetricsPort(metrics));
        }
        let operators = operators.unwrap_or_default();
        let operators = operators.iter().map(|name| Account::uid_of(name));
        Ok(Operation {
            state_dir,
            control,
            operators: operators
                .collect::<Result<_, _>>()
                .map_err(OperationError::Operators)?,
            metrics,
            kernel_events,
            log_format,
            dry_run,
        })
    }
}
