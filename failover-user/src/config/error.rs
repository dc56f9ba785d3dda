//! What can be wrong with a configuration.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use thiserror::Error;

use failover_linux::escape;

use crate::{
    config::{
        GatewayError, HumanDuration, NotTrusted, check::CheckError, values::Toml,
        webhook::WebhookError, witness::WitnessesError,
    },
    gateway::command::{account::AccountError, command_line::CommandLineError},
};

/// What is wrong with a configuration. Each names the option and says what to do.
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
    /// Where nothing can be kept, or nothing found.
    #[error("{option} is {path}, {what}; write the full path of {wanted}", path = shown(.option, .path))]
    Path {
        /// The option.
        option: &'static str,
        /// As it was given.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
    /// Two values don't go together.
    #[error(
        "{longer} ({longer_value}) is longer than {shorter} ({shorter_value}); shorten {longer} or lengthen {shorter}"
    )]
    Order {
        /// The option that is too long.
        longer: &'static str,
        /// Its value.
        longer_value: HumanDuration,
        /// The option that it must not exceed.
        shorter: &'static str,
        /// Its value.
        shorter_value: HumanDuration,
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

/// Somebody may have written the secret itself where its file belongs.
fn shown(option: &str, path: &Path) -> String {
    if option.ends_with("token-file") && !path.is_absolute() {
        return "not shown, it may be a secret".to_owned();
    }
    escape::one_line(&path.to_string_lossy())
}

/// What to do about a file that can't be read.
fn remedy(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => {
            let quoted = shell_words::quote(&path.to_string_lossy()).into_owned();
            let quoted = escape::one_line(&quoted);
            format!("name another file, or have it written: failover config init --output {quoted}")
        }
        io::ErrorKind::PermissionDenied => "run this as root, or as who may read it".to_owned(),
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

/// Something that is wrong, and where the file says it, if it does.
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

    /// What is wrong, with its place, and what to do, where that is known: for who has written it. A command
    /// that is for a shell is repeated, with whatever secret is in it.
    #[must_use]
    pub fn parts(&self) -> (String, Option<String>) {
        let (what, remedy) = match self.needs_shell() {
            Some((what, remedy)) => (what, Some(remedy)),
            None => {
                let told = self.error.to_string();
                match told.rsplit_once("; ") {
                    Some((what, remedy)) => (what.to_owned(), Some(remedy.to_owned())),
                    None => (told, None),
                }
            }
        };
        (self.place() + &what, remedy)
    }

    /// The same of a command that is for a shell. What is offered is quoted for the place where it is
    /// written: a line of the file, or the command line.
    fn needs_shell(&self) -> Option<(String, String)> {
        let ConfigurationError::Command { option, source } = &self.error else {
            return None;
        };
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
        let told: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&told.join("\n"))
    }
}

impl ConfigurationError {
    /// The option that is to be changed, where it is one.
    pub(super) fn option(&self) -> Option<&'static str> {
        Some(match self {
            Self::Range { option, .. }
            | Self::Path { option, .. }
            | Self::Command { option, .. } => option,
            Self::Order { longer, .. } => longer,
            Self::OwnGateway { .. } => "primary",
            Self::MetricsPort { .. } => "metrics",
            Self::NothingToRequire => "fence-required",
            Self::NoSuccesses => "flap-successes",
            Self::Check(error) => error.option(),
            Self::Webhook(error) => error.option(),
            Self::Witnesses(error) => error.option(),
            Self::User(_) => "user",
            Self::Gateway(error) => error.option(),
            Self::Operators(_) => "operators",
            Self::Read { .. }
            | Self::NotTrusted(_)
            | Self::TooLong { .. }
            | Self::Written(_)
            | Self::LogFilter { .. }
            | Self::NoPrimary => return None,
        })
    }
}
