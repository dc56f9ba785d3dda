//! What can be wrong with a configuration.

use std::{io, net::SocketAddr, path::PathBuf};

use thiserror::Error;

use super::{
    GatewayError, NotTrusted, Span, check::CheckError, webhook::WebhookError,
    witness::WitnessesError,
};
use crate::gateway::{AccountError, CommandLineError};

/// What is wrong with a configuration. Each names the option and says what to do.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// The file can't be read.
    #[error("reading {path}: {source}; give another with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file may be others' work.
    #[error(transparent)]
    NotTrusted(#[from] NotTrusted),
    /// The file is much too long to be one.
    #[error("{path} is longer than {limit} bytes; is it a configuration file?")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A place in the file is wrong.
    #[error("{path}:{line}: {message}")]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What, and what to do.
        message: String,
    },
    /// The primary is this very gateway.
    #[error(
        "the primary {primary} is the local gateway itself; name PC-A's address with --primary"
    )]
    OwnGateway {
        /// As it was given.
        primary: String,
    },
    /// Metrics would take the gateway's port, or any.
    #[error("metrics is {metrics}; give it a port of its own, like 9179, and not the gateway's")]
    MetricsPort {
        /// As it was given.
        metrics: SocketAddr,
    },
    /// The log's filter can't be read.
    #[error("{variable}={filter}: {message}; try `info` or `failover=debug`")]
    LogFilter {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        filter: String,
        /// What is wrong.
        message: String,
    },
    /// Nobody said where the primary is.
    #[error(
        "no primary; say where PC-A is with --primary HOST[:PORT], or `primary = \"…\"` in the file"
    )]
    NoPrimary,
    /// A value is out of range.
    #[error("{option} is {value}; it must be between {least} and {most}")]
    Range {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// Smallest allowed.
        least: String,
        /// Largest allowed.
        most: String,
    },
    /// Two values don't go together.
    #[error(
        "{longer} ({longer_value}) is longer than {shorter} ({shorter_value}); shorten {longer} or lengthen {shorter}"
    )]
    Order {
        /// The option that is too long.
        longer: &'static str,
        /// Its value.
        longer_value: Span,
        /// The option that it must not exceed.
        shorter: &'static str,
        /// Its value.
        shorter_value: Span,
    },
    /// Something is required that there isn't.
    #[error("fence-required is given without a fence; name the command with --fence")]
    NothingToRequire,
    /// No level of flapping is left.
    #[error("flap-successes is empty; write counts like 1,3,10, or turn it off with flap-damping")]
    NoSuccesses,
    /// The primary can't be checked like this.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Nothing can be sent there.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The witnesses can't be asked like this.
    #[error(transparent)]
    Witnesses(#[from] WitnessesError),
    /// Commands can't be run as this account.
    #[error("user: {0}")]
    User(#[from] AccountError),
    /// The gateway can't be like this.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Somebody who may give orders can't be found.
    #[error("operators: {0}")]
    Operators(#[source] AccountError),
    /// A command can't be run.
    #[error("{option}: {source}")]
    Command {
        /// The option.
        option: &'static str,
        /// Why.
        source: CommandLineError,
    },
}
