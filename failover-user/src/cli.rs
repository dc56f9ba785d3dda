//! The command line, once: what it takes, and the help that says so. Man pages and completions are
//! rendered from it (`tests/generated`), so that none of them says anything else.

use std::{
    num::{NonZeroU16, NonZeroU64},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{
        ConfigurationError, DEFAULT_CONFIG, DEFAULT_PORT, DEFAULT_STATE_DIR, HumanDuration,
        Locations, Options, count, path, port,
    },
    control::Request,
    gateway::command::unit::UnitVerb,
    history::Since,
    simulate,
    trace::{Color, Format},
};

/// Takes over from a gateway that stopped answering, and lets go when it is back
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Watch the primary, take over when it is down, let go when it is back
    ///
    /// Reads /etc/failover/failover.toml where that is there and --config names no other file; flags win
    /// over it. SIGHUP has it read again, SIGTERM and Ctrl-C end it, and leave a gateway that runs alone.
    Run(Box<Options>),
    /// Look whether PC-B could protect PC-A, before the daemon is to: each thing with its remedy
    ///
    /// Takes the flags of `run`, and reads the same file. Changes nothing. Exit code 0: no errors; 1: there
    /// are some.
    Check(Box<CheckOptions>),
    /// Ask the daemon who serves and whether PC-B is safe
    ///
    /// Exit code 0: safe, or degraded (PC-A is down, and nothing stands behind PC-B); 1: not protected, or
    /// two gateways serve; 3: no daemon is running; 4: one is there and doesn't answer, or not this
    /// account.
    Status(StatusOptions),
    /// Tell every incident: when, why with the evidence, how long each phase took
    ///
    /// Reads the files in the state directory, with or without a daemon. Times are in UTC, and the newest
    /// incident comes last.
    History(HistoryOptions),
    /// Have the daemon observe and report, and run nothing
    ///
    /// Survives restarts of the daemon and of the machine. What would have been run is in the log. A second
    /// pause replaces the first, and says whether that makes it longer or shorter.
    Pause(PauseOptions),
    /// End the pause, and the time that a release holds
    Resume(AskOptions),
    /// Take over now, without waiting for the strikes
    ///
    /// Through the same checks as by itself: the primary doesn't answer, was seen healthy once,
    /// witnesses answer, the fence succeeds, nobody else has the port. Where the last answer isn't from
    /// just now, the primary is probed first. --force skips the first three checks, and has the local
    /// gateway serve until `failover release`; where the primary answers, it asks for confirmation.
    Takeover(TakeoverOptions),
    /// Stop the local gateway now, although the primary doesn't answer
    ///
    /// A new takeover needs new strikes.
    Release(ReleaseOptions),
    /// Show kernel events of the port as they happen
    Trace(TraceOptions),
    /// Try settings out: years in seconds, in virtual time against modelled networks
    Simulate(simulate::Options),
    /// Write, check or show a configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Start or stop a unit, as the account whose service manager has it
    #[command(hide = true)]
    UnitJob(UnitJob),
    /// Keep a command's output
    #[command(hide = true)]
    OutputRelay,
    /// Say what state a unit is in, as the account whose service manager has it
    #[command(hide = true)]
    UnitState(UnitName),
}

/// Whom to ask.
#[derive(Args, Debug)]
pub struct AskOptions {
    /// The daemon's control socket
    /// [default: what the configuration file says, or /run/failover/control.sock]
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub control: Option<PathBuf>,
    /// The daemon's configuration file [default: /etc/failover/failover.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl AskOptions {
    /// Where the daemon is; its control socket is what counts.
    ///
    /// # Errors
    /// When the file that is named can't be read.
    pub fn locations(&self) -> Result<Locations, ConfigurationError> {
        match &self.control {
            Some(control) => Ok(Locations {
                control: control.clone(),
                state_dir: DEFAULT_STATE_DIR.into(),
                unread: None,
            }),
            None => Locations::of(self.config.as_deref()),
        }
    }
}

/// Of `failover pause`.
#[derive(Args, Debug)]
pub struct PauseOptions {
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskOptions,
    /// For so long [default: until `failover resume`]
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true)]
    pub span: Option<HumanDuration>,
    /// Why: the log and `failover status` tell it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl PauseOptions {
    /// What it asks for.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::Pause {
            seconds: self.span.map(|span| span.get().as_secs()),
            reason: self.reason.clone(),
        }
    }
}

/// Of `failover takeover`.
#[derive(Args, Debug)]
pub struct TakeoverOptions {
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Although the primary answers, was never seen healthy, or no witness answers
    #[arg(long)]
    pub force: bool,
    /// Don't ask for confirmation where two gateways will run
    #[arg(long, requires = "force")]
    pub yes: bool,
}

impl TakeoverOptions {
    /// What it asks for.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::Takeover {
            force: self.force,
            yes: self.yes,
        }
    }
}

/// Of `failover release`.
#[derive(Args, Debug)]
pub struct ReleaseOptions {
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Take over again no sooner than after so long
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub hold: Option<HumanDuration>,
}

impl ReleaseOptions {
    /// What it asks for.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::Release {
            hold_seconds: self.hold.map(|span| span.get().as_secs()),
        }
    }
}

/// What the daemon runs for a gateway that is a unit.
#[derive(Args, Debug)]
pub struct UnitJob {
    /// What to do with it.
    pub verb: UnitVerb,
    /// The unit's whole name
    pub unit: String,
    /// It is of this account's service manager, not of the system's
    #[arg(long)]
    pub user: bool,
}

/// What the daemon asks for while it waits for a unit that it started.
#[derive(Args, Debug)]
pub struct UnitName {
    /// The unit's whole name; `*` stands for anything
    pub unit: String,
    /// It is of this account's service manager, not of the system's
    #[arg(long)]
    pub user: bool,
}

/// Of `failover config`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Write the commented default configuration
    Init {
        /// Into this file, which must not be there yet; its folder is made [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a configuration file as `run` does
    ///
    /// Exit code 0: it can be run; 2: it can't, and a message says where and what to do.
    Check {
        /// The file
        #[arg(value_name = "FILE", default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Show what `run` would put in force with these flags and this file, and where each value comes from
    ///
    /// It reads the file and asks no daemon: one that runs may have refused what the file says now, which
    /// `failover status` and the log tell.
    Show(Box<ShowOptions>),
}

/// Of `failover check`.
#[derive(Args, Debug)]
pub struct CheckOptions {
    /// As for `run`.
    #[command(flatten)]
    pub options: Options,
    /// How it looks
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Of `failover config show`.
#[derive(Args, Debug)]
pub struct ShowOptions {
    /// As for `run`.
    #[command(flatten)]
    pub options: Options,
    /// Also show values that may be secrets: URLs, paths and command lines
    #[arg(long)]
    pub secrets: bool,
    /// How it looks
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Of `failover status`.
#[derive(Args, Debug)]
pub struct StatusOptions {
    /// Whom to ask.
    #[command(flatten)]
    pub ask: AskOptions,
    /// How it looks
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
    /// Show it again every second, in place, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// Of `failover history`.
#[derive(Args, Debug)]
pub struct HistoryOptions {
    /// The daemon's state directory
    /// [default: what the configuration file says, or /var/lib/failover]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The daemon's configuration file [default: /etc/failover/failover.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only what went on since then: how long ago, as 2d or 12h, or a date, as 2026-11-24, in UTC
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Since>,
    /// How it looks; json: one object a line
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Of `failover trace`.
#[derive(Args, Debug)]
pub struct TraceOptions {
    /// The port to watch, at either end
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = port)]
    pub port: NonZeroU16,
    /// Sockets of every network namespace, not only of this one
    #[arg(long)]
    pub all_namespaces: bool,
    /// How lines look
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
    /// Whether text has colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// End after this time
    #[arg(long, allow_hyphen_values = true)]
    pub duration: Option<HumanDuration>,
    /// End after so many events
    #[arg(long, value_parser = count::<NonZeroU64>)]
    pub count: Option<NonZeroU64>,
    /// Show the kernel program's own debug lines, on standard error
    #[arg(long)]
    pub debug: bool,
}
