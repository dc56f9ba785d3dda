//! The command line, once: what it takes, and the help that says so. Man pages and completions are
//! rendered from it (`tests/generated.rs`), so that none of them says anything else.

use std::{
    num::{NonZeroU16, NonZeroU64},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{
        DEFAULT_CONFIG, DEFAULT_CONTROL, DEFAULT_PORT, DEFAULT_STATE_DIR, Options, Span, count,
        port,
    },
    control::Request,
    gateway::UnitVerb,
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
    Run(Box<Options>),
    /// Look whether PC-B could protect PC-A, before the daemon is to: each thing with its remedy
    ///
    /// Without --config it looks at /etc/failover/failover.toml where that is there. Changes nothing.
    /// Exit code 0: no errors; 1: there are some.
    Check(Box<CheckOptions>),
    /// Ask the daemon who serves and whether PC-B is safe
    ///
    /// Exit code 0: safe; 1: not protected, or no answer; 3: no daemon is running.
    Status(StatusOptions),
    /// Tell every incident: when, why with the evidence, how long each phase took
    ///
    /// Reads the files in the state directory, with or without a daemon. Times are in UTC, and the newest
    /// incident comes last.
    History(HistoryOptions),
    /// Have the daemon observe and report, and run nothing
    ///
    /// Survives restarts of the daemon and of the machine. What would have been run is in the log.
    Pause(PauseOptions),
    /// End the pause, and the time that a release holds
    Resume(AskOptions),
    /// Take over now, without waiting for the strikes
    ///
    /// Through the same checks as by itself: the primary doesn't answer, was seen healthy once,
    /// witnesses answer, the fence succeeds, nobody else has the port. --force skips the first three,
    /// and has the local gateway serve until `failover release`.
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
}

/// Whom to ask.
#[derive(Args, Debug)]
pub struct AskOptions {
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL)]
    pub control: PathBuf,
}

/// Of `failover pause`.
#[derive(Args, Debug)]
pub struct PauseOptions {
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL)]
    pub control: PathBuf,
    /// For so long [default: until `failover resume`]
    #[arg(long = "for", value_name = "DURATION")]
    pub span: Option<Span>,
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
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL)]
    pub control: PathBuf,
    /// Although the primary answers, was never seen healthy, or no witness answers
    #[arg(long)]
    pub force: bool,
}

impl TakeoverOptions {
    /// What it asks for.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::Takeover { force: self.force }
    }
}

/// Of `failover release`.
#[derive(Args, Debug)]
pub struct ReleaseOptions {
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL)]
    pub control: PathBuf,
    /// Take over again no sooner than after so long
    #[arg(long, value_name = "DURATION")]
    pub hold: Option<Span>,
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

/// Of `failover config`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Write the commented default configuration
    Init {
        /// Into this file, which must not be there yet [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a configuration file as `run` does
    ///
    /// Exit code 0: it can be run; 2: it can't, and a message says where and what to do.
    Check {
        /// The file
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Show what is in force with these flags and this file, and where each value comes from
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
    /// How it looks
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Of `failover status`.
#[derive(Args, Debug)]
pub struct StatusOptions {
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL)]
    pub control: PathBuf,
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
    #[arg(long, value_name = "DIR", default_value = DEFAULT_STATE_DIR)]
    pub state_dir: PathBuf,
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
    #[arg(long)]
    pub duration: Option<Span>,
    /// End after so many events
    #[arg(long, value_parser = count::<NonZeroU64>)]
    pub count: Option<NonZeroU64>,
    /// Show the kernel program's own debug lines, on standard error
    #[arg(long)]
    pub debug: bool,
}
