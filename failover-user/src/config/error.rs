//! What can be wrong with a configuration.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use failover_linux::escape;

use crate::config::{
    check::CheckError, command::CommandError, fence::FenceError, flap_damping::NoSuccesses,
    gateway::GatewayError, notify::WebhookError, operation::OperationError, option::OptionError,
    standby::StandbyError, sync::SyncError, takeover::TakeoverError, trust::NotTrusted,
    values::Toml, witness::WitnessesError,
};

/// What is wrong with a configuration. Each message names the option and what to do.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// The file can't be read.
    #[error("reading {path}: {source}; {remedy}", remedy = remedy(.path, .source))]
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
    /// What stands in the file is no configuration: what is wrong, and what to do.
    #[error("{0}")]
    Written(String),
    /// The primary is this very gateway.
    #[error("the primary {primary} is the local gateway itself; set primary to PC-A's address")]
    OwnGateway {
        /// As it was given.
        primary: String,
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
    /// Where is the primary?
    #[error(
        "no primary; set PC-A's address with --primary HOST[:PORT], or `primary = \"…\"` in the file"
    )]
    NoPrimary,
    /// An option can't have this value.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A command can't be run.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The primary or the local gateway can't be checked like this.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Probes can't follow each other like this.
    #[error(transparent)]
    Takeover(#[from] TakeoverError),
    /// The local gateway can't be kept ready like this.
    #[error(transparent)]
    Standby(#[from] StandbyError),
    /// Nothing can be copied like this.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The witnesses can't be asked like this.
    #[error(transparent)]
    Witnesses(#[from] WitnessesError),
    /// The primary can't be fenced like this.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// Flaps can't be counted like this.
    #[error(transparent)]
    FlapDamping(#[from] NoSuccesses),
    /// The local gateway can't be run like this.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Events can't be sent there.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The daemon can't run like this.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

/// What to do about a file that can't be read.
fn remedy(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => {
            let quoted = shell_words::quote(&path.to_string_lossy()).into_owned();
            let quoted = escape::one_line(&quoted);
            format!("name another file, or create it: failover config init --output {quoted}")
        }
        io::ErrorKind::PermissionDenied => {
            "run this as root, or as an account that may read it".to_owned()
        }
        _ => "is it a configuration file?".to_owned(),
    }
}

/// A line of a configuration file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// Something that is wrong, and its line, if it is in the file.
#[derive(Debug, Error)]
pub struct Fault {
    /// Where.
    pub place: Option<Place>,
    /// What.
    pub error: ConfigurationError,
}

/// All that is wrong with a configuration: at least one thing.
#[derive(Debug, Error)]
pub struct Faults(pub Vec<Fault>);

impl From<ConfigurationError> for Fault {
    fn from(error: ConfigurationError) -> Self {
        Self { place: None, error }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.place(), self.error)
    }
}

impl Fault {
    fn place(&self) -> String {
        let place = self.place.as_ref().map(|Place { path, line }| {
            let path = escape::one_line(&path.to_string_lossy());
            format!("{path}:{line}: ")
        });
        place.unwrap_or_default()
    }

    /// What is wrong, with its place, and what to do, where that is known: for the author of the configuration. A command
    /// that is for a shell is repeated, with whatever secret is in it.
    #[must_use]
    pub fn parts(&self) -> (String, Option<String>) {
        let (what, remedy) = match self.needs_shell() {
            Some((what, remedy)) => (what, Some(remedy)),
            None => {
                let shown = self.error.to_string();
                match shown.rsplit_once("; ") {
                    Some((what, remedy)) => (what.to_owned(), Some(remedy.to_owned())),
                    None => (shown, None),
                }
            }
        };
        (self.place() + &what, remedy)
    }

    /// The same of a command that is for a shell. What is offered is quoted for the place where it is
    /// written: a line of the file, or the command line.
    fn needs_shell(&self) -> Option<(String, String)> {
        let CommandError { option, source } = self.error.command()?;
        let by_shell = source.by_shell()?;
        let offer = match &self.place {
            Some(_) => format!("{option} = {}", Toml(&by_shell.into())),
            None => {
                let quoted = shell_words::quote(&by_shell);
                format!("--{option} {}", escape::one_line(&quoted))
            }
        };
        let (what, remedy) = source.without_shell(&format!("`{offer}`"))?;
        Some((format!("{option}: {what}"), remedy))
    }
}

/// A line each.
impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&shown.join("\n"))
    }
}

impl ConfigurationError {
    /// The command that can't be run, if it is that.
    fn command(&self) -> Option<&CommandError> {
        match self {
            Self::Command(error)
            | Self::Gateway(GatewayError::Command(error))
            | Self::Fence(FenceError::Command(error)) => Some(error),
            Self::Read { .. }
            | Self::NotTrusted(_)
            | Self::TooLong { .. }
            | Self::Written(_)
            | Self::OwnGateway { .. }
            | Self::LogFilter { .. }
            | Self::NoPrimary
            | Self::Option(_)
            | Self::Check(_)
            | Self::Takeover(_)
            | Self::Standby(_)
            | Self::Sync(_)
            | Self::Witnesses(_)
            | Self::Fence(FenceError::NothingToRequire)
            | Self::FlapDamping(_)
            | Self::Gateway(_)
            | Self::Webhook(_)
            | Self::Operation(_) => None,
        }
    }

    /// The option that has to change, where it is one.
    pub(super) fn option(&self) -> Option<&'static str> {
        Some(match self {
            Self::OwnGateway { .. } => "primary",
            Self::Option(error) => error.option(),
            Self::Command(error) => error.option,
            Self::Check(error) => error.option(),
            Self::Takeover(error) => error.option(),
            Self::Standby(_) => "drill-every",
            Self::Sync(error) => error.option(),
            Self::Witnesses(error) => error.option(),
            Self::Fence(error) => error.option(),
            Self::FlapDamping(NoSuccesses) => "flap-successes",
            Self::Gateway(error) => error.option(),
            Self::Webhook(error) => error.option(),
            Self::Operation(error) => error.option(),
            Self::Read { .. }
            | Self::NotTrusted(_)
            | Self::TooLong { .. }
            | Self::Written(_)
            | Self::LogFilter { .. }
            | Self::NoPrimary => return None,
        })
    }
}
