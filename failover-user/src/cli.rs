//! The command line and its help. Man pages and completions are
//! generated from it (`tests/generated`), so that they never differ.

pub mod near_miss;

use std::{
    ffi::OsString,
    num::{NonZeroU16, NonZeroU64},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};
use jiff::ZonedDateTime;

use crate::{
    config::{
        ConfigurationError, DEFAULT_CONFIG, DEFAULT_CONTROL, DEFAULT_PORT, DEFAULT_STATE_DIR,
        GUARD_CONTROL, GUARD_PORT, GuardedOptions, HumanDuration, Locations, Options, count, path,
        port,
    },
    control::{
        Request,
        until::{Until, UntilOver},
    },
    gateway::{
        command::unit::UnitVerb,
        parking::{
            manager::ManagerVerb,
            place::{DEFAULT_DIRECTORY, Place},
        },
    },
    guard::hook::Otherwise,
    history::Since,
    simulate,
    sync::lineage::Side,
    trace::{Color, Format},
};

/// Takes over from a gateway that has failed, and fails back when it recovers
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon: take over when the primary is down, release when it is back
    ///
    /// Reads /etc/failover/failover.toml if it exists and --config names no other file; flags override
    /// it. SIGHUP reloads it. SIGTERM and Ctrl-C stop the daemon; a running gateway keeps running.
    Run(Box<Options>),
    /// Check that a takeover would work, and how to fix what would not
    ///
    /// Takes the flags of `run`, and reads the same file. Changes nothing. Exit code 0: no errors, 1:
    /// errors.
    Check(Box<CheckOptions>),
    /// Show who serves, and whether PC-A is protected
    ///
    /// Exit code 0: safe, or degraded (PC-A is down, and there is no further standby), 1: not protected, or
    /// two gateways serve, 3: daemon not running, 4: daemon does not answer, or not to this
    /// account.
    Status(StatusOptions),
    /// List incidents: time, cause, evidence, and the duration of each phase
    ///
    /// Reads the files in the state directory, with or without a daemon. Times are in UTC; the newest
    /// incident comes last.
    History(HistoryOptions),
    /// Pause takeovers and releases (maintenance)
    ///
    /// Survives restarts of the daemon and the machine. The log shows which commands were withheld. A second
    /// pause replaces the first, and prints the difference.
    Pause(PauseOptions),
    /// End the pause, and the hold of a release
    Resume(AskOptions),
    /// Take over now, without waiting for the strikes
    ///
    /// The checks are the same as for an automatic takeover: the primary does not answer, was seen healthy once,
    /// witnesses answer, the fence succeeds, the port is free. If the last probe is not
    /// recent, the primary is probed first. --force skips the first three checks, and the local
    /// gateway serves until `failover release`; if the primary answers, it asks for confirmation.
    Takeover(TakeoverOptions),
    /// Stop the local gateway now, although the primary does not answer
    ///
    /// New strikes lead to a new takeover.
    Release(ReleaseOptions),
    /// Show that the local gateway could serve: start it up to its bind, and end it again
    ///
    /// PC-A keeps serving; the local gateway never listens. Prints how long it took, what it sent, and what
    /// it logged. Exit code 0: passed, 1: failed, or not possible.
    Drill(DrillOptions),
    /// Sessions and configuration that are copied from PC-A: how fresh they are, and what to do with them
    #[command(subcommand)]
    Sync(SyncVerb),
    /// Explain a state, a problem, an alert, an event or an option, and what to do
    ///
    /// Needs no daemon. Exit code 0: explained, 1: nothing is known by that name.
    Explain(ExplainOptions),
    /// Show kernel events of the port as they happen
    Trace(TraceOptions),
    /// Simulate settings: years of modelled networks in seconds
    Simulate(Box<simulate::Options>),
    /// Heartbeats from PC-A: run the guard there, and make the keys for both hosts
    #[command(subcommand)]
    Guard(GuardVerb),
    /// Write, check or show a configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Start or stop a unit, as the account of its service manager
    #[command(hide = true)]
    UnitJob(UnitJob),
    /// Store a command's output
    #[command(hide = true)]
    OutputRelay,
    /// Print the state of a unit, as the account of its service manager
    #[command(hide = true)]
    UnitState(UnitName),
    /// Park the local gateway, continue or discard it
    #[command(hide = true, subcommand)]
    Parking(ParkingVerb),
    /// Prepare a unit for parking, as the account of its service manager
    #[command(hide = true)]
    ParkingUnit(ParkingUnit),
    /// Carry out an order about copies of the gateway's state, as the gateway's account
    #[command(hide = true)]
    SyncWorker,
    /// Connect to the host that is copied from, for the worker
    #[command(hide = true)]
    SyncTransport(SyncTransport),
    /// Make or undo the way to PC-A, as the gateway's account
    #[command(hide = true)]
    SyncSetup,
}

/// The subcommands of `failover guard`.
#[derive(Debug, Subcommand)]
pub enum GuardVerb {
    /// Run the guard on PC-A: report to PC-B every 50 ms how this host's gateway is
    ///
    /// It starts and stops nothing, and the gateway does not depend on it. SIGTERM and Ctrl-C stop it, and PC-B is
    /// notified.
    Run(Box<GuardedOptions>),
    /// Before PC-A's gateway starts: have PC-B release its own, and wait for that
    ///
    /// For the gateway's unit, as ExecStartPre=. Root and the gateway's account may ask. Exit code 0: the gateway may
    /// start (released, nothing to release, or no guard is running), 1: it may not, only with --or=refuse.
    Ask(LetGoOptions),
    /// Make the keys for the heartbeats: on PC-B first, and then on PC-A with --with
    ///
    /// Both hosts show a code of six digits; keys are kept only if both operators confirm that it is the same. A further pairing
    /// replaces the keys, and those before it stay valid until the next.
    Pair(PairOptions),
}

/// Options of `failover guard ask`.
#[derive(Args, Debug)]
pub struct LetGoOptions {
    /// Limit for the whole time, at most 30 s
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    pub timeout: HumanDuration,
    /// What follows if PC-B does not answer, or has not finished in time
    #[arg(long = "or", value_name = "WHAT", default_value = "start")]
    pub otherwise: Otherwise,
    /// Control socket of the guard
    #[arg(long, value_name = "PATH", default_value = GUARD_CONTROL, value_parser = path)]
    pub control: PathBuf,
}

/// Options of `failover guard pair`.
#[derive(Args, Debug)]
pub struct PairOptions {
    /// PC-B, where `failover guard pair` waits [default: wait for PC-A]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub with: Option<String>,
    /// The port to wait at (TCP)
    #[arg(long, value_name = "PORT", default_value_t = GUARD_PORT, value_parser = port, conflicts_with = "with")]
    pub guard_port: NonZeroU16,
    /// The state directory, where the keys are kept
    #[arg(long, value_name = "DIR", default_value = DEFAULT_STATE_DIR)]
    pub state_dir: PathBuf,
}

/// The daemon to connect to.
#[derive(Args, Debug)]
pub struct AskOptions {
    /// The daemon's control socket.
    #[arg(
        long,
        value_name = "PATH",
        value_parser = path,
        help = with_default("The daemon's control socket", DEFAULT_CONTROL)
    )]
    pub control: Option<PathBuf>,
    /// The daemon's configuration file.
    #[arg(long, value_name = "FILE", help = config_help())]
    pub config: Option<PathBuf>,
}

/// For what the daemon's configuration file says, unless a flag does.
fn with_default(what: &str, default: &str) -> String {
    format!("{what} [default: from the configuration file, or {default}]")
}

fn config_help() -> String {
    format!("The daemon's configuration file [default: {DEFAULT_CONFIG}, if it exists]")
}

impl AskOptions {
    /// The paths of the daemon's control socket and state directory.
    ///
    /// # Errors
    /// When the given file cannot be read.
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

/// Options of `failover pause`.
#[derive(Args, Debug)]
pub struct PauseOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Duration of the pause [default: until `failover resume`]
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true)]
    pub span: Option<HumanDuration>,
    /// End of the pause, in local time: 18:30, "Sun 06:00" or "2026-12-24 08:00"
    #[arg(long, value_name = "WHEN", conflicts_with = "span")]
    pub until: Option<Until>,
    /// The reason, for the log and `failover status`
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl PauseOptions {
    /// The control request, at this time.
    ///
    /// # Errors
    /// When the pause would be over already.
    pub fn request(&self, now: &ZonedDateTime) -> Result<Request, UntilOver> {
        let until = self.until.map(|until| until.after(now)).transpose()?;
        let seconds = until.map(|until| {
            let span = until.duration_since(now.timestamp());
            // Not before that moment.
            span.as_secs().unsigned_abs() + u64::from(span.subsec_nanos() > 0)
        });
        Ok(Request::Pause {
            seconds: seconds.or_else(|| self.span.map(|span| span.get().as_secs())),
            reason: self.reason.clone(),
        })
    }
}

/// Options of `failover takeover`.
#[derive(Args, Debug)]
pub struct TakeoverOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Take over even if the primary answers, was never seen healthy, or no witness answers
    #[arg(long)]
    pub force: bool,
    /// Do not ask for confirmation if both gateways will run
    #[arg(long, requires = "force")]
    pub yes: bool,
}

impl TakeoverOptions {
    /// The control request.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::Takeover {
            force: self.force,
            yes: self.yes,
        }
    }
}

/// Options of `failover release`.
#[derive(Args, Debug)]
pub struct ReleaseOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Prevent a takeover for this time
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub hold: Option<HumanDuration>,
}

impl ReleaseOptions {
    /// The control request.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::Release {
            hold_seconds: self.hold.map(|span| span.get().as_secs()),
        }
    }
}

/// Options of `failover drill`.
#[derive(Args, Debug)]
pub struct DrillOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Take over for real, and hand back: the bots are silent twice for a moment, and two gateways serve in between
    #[arg(long)]
    pub full: bool,
    /// Do not ask for confirmation of a full drill
    #[arg(long, requires = "full")]
    pub yes: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Subcommands of `failover sync`.
#[derive(Debug, Subcommand)]
pub enum SyncVerb {
    /// Make the way to PC-A: a key that may do one thing there, and the way back
    ///
    /// Prints the one line for PC-A's authorized_keys. Run it again once that is in: it tests the way, and prints the
    /// drop-in for PC-A's unit. Exit code 0: the way works, 1: the line is not in yet.
    Init(SyncInitOptions),
    /// Undo the way to PC-A on both hosts, and delete the copies
    ///
    /// Exit code 0: nothing is left, 1: PC-A was not reached.
    Remove(SyncRemoveOptions),
    /// Show the newest copy, its age, what is in place, and what differs
    ///
    /// Exit code 0: fresh, 1: older than sync-max-age, or both sides have changed.
    Status(SyncStatusOptions),
    /// Copy what has changed on PC-A now, and wait for the result
    Now(AskOptions),
    /// Check all copies again
    ///
    /// Exit code 0: all are whole, 1: one is not.
    Verify(AskOptions),
    /// Put a copy in place of PC-B's state, which is kept aside
    ///
    /// The local gateway must not run. A takeover begins with this copy until there is one that is newer than all
    /// that exist now.
    Restore(RestoreOptions),
    /// What PC-A's key runs here: hands PC-A's state back before its gateway starts
    #[command(hide = true)]
    Answer(AskOptions),
    /// Choose whose state stays where PC-A and PC-B have both changed
    ///
    /// Nothing is merged. The other side's state is kept aside.
    Choose(ChooseOptions),
}

/// Options of `failover sync init`.
#[derive(Args, Debug)]
pub struct SyncInitOptions {
    /// The daemon's configuration file.
    #[arg(long, value_name = "FILE", help = config_help())]
    pub config: Option<PathBuf>,
    /// PC-B as PC-A reaches it [default: the gateway's account, and the address of PC-B on the way to PC-A]
    #[arg(long, value_name = "ACCOUNT@HOST[:PORT]")]
    pub back: Option<String>,
}

/// Options of `failover sync remove`.
#[derive(Args, Debug)]
pub struct SyncRemoveOptions {
    /// The daemon's configuration file.
    #[arg(long, value_name = "FILE", help = config_help())]
    pub config: Option<PathBuf>,
    /// Also delete the trees that were kept aside
    #[arg(long)]
    pub all: bool,
}

/// Options of `failover sync status`.
#[derive(Args, Debug)]
pub struct SyncStatusOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Options of `failover sync restore`.
#[derive(Args, Debug)]
pub struct RestoreOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// The number of the copy
    #[arg(long, value_name = "NUMBER", value_parser = count::<u64>)]
    pub generation: u64,
}

/// Options of `failover sync choose`.
#[derive(Args, Debug)]
pub struct ChooseOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// The side whose state stays
    pub side: Side,
}

/// The command that the daemon runs to start or stop a unit.
#[derive(Args, Debug)]
pub struct UnitJob {
    /// Start or stop.
    pub verb: UnitVerb,
    /// The unit's full name
    pub unit: String,
    /// Use this account's service manager, not the system's
    #[arg(long)]
    pub user: bool,
}

/// What rsync calls its remote shell with.
#[derive(Args, Debug)]
pub struct SyncTransport {
    /// The other host's name, and the command there
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub words: Vec<OsString>,
}

/// The command that the daemon runs to query a unit that it has started.
#[derive(Args, Debug)]
pub struct UnitName {
    /// The unit's full name, or a glob pattern with `*`
    pub unit: String,
    /// Use this account's service manager, not the system's
    #[arg(long)]
    pub user: bool,
}

/// Subcommands of `failover parking`, which the daemon runs, and an operator may. Run as root.
#[derive(Debug, Subcommand)]
pub enum ParkingVerb {
    /// Start the unit, and stop it in its bind of the port, before it listens
    Park(ParkOptions),
    /// Continue the parked gateway, so that it serves
    Continue(ParkingPlace),
    /// End what is parked without it having served
    Discard(DiscardOptions),
    /// Show what is parked
    Look(LookOptions),
}

/// Where it is noted what is parked.
#[derive(Args, Debug)]
pub struct ParkingPlace {
    /// The daemon's runtime directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIRECTORY)]
    pub directory: PathBuf,
    /// The local gateway's port
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = port)]
    pub port: NonZeroU16,
}

impl ParkingPlace {
    /// The same for the procedures.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::new(&self.directory, self.port)
    }
}

/// Options of `failover parking park`.
#[derive(Args, Debug)]
pub struct ParkOptions {
    /// Where it is noted.
    #[command(flatten)]
    pub place: ParkingPlace,
    /// The unit's full name
    #[arg(long, value_name = "NAME")]
    pub unit: String,
    /// The account whose service manager has it [default: the system's has it]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Time limit
    #[arg(long, value_name = "DURATION", default_value = "6m")]
    pub within: HumanDuration,
}

/// Options of `failover parking discard`.
#[derive(Args, Debug)]
pub struct DiscardOptions {
    /// The daemon's runtime directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIRECTORY)]
    pub directory: PathBuf,
    /// Only that of this port [default: of every port]
    #[arg(long, value_parser = port)]
    pub port: Option<NonZeroU16>,
}

/// Options of `failover parking look`.
#[derive(Args, Debug)]
pub struct LookOptions {
    /// Where it is noted.
    #[command(flatten)]
    pub place: ParkingPlace,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// What `failover parking` asks of a unit's service manager.
#[derive(Args, Debug)]
pub struct ParkingUnit {
    /// The operation.
    pub verb: ManagerVerb,
    /// The unit's full name
    pub unit: String,
    /// Processes of the unit that were killed
    pub processes: Vec<u32>,
    /// Use this account's service manager, not the system's
    #[arg(long)]
    pub user: bool,
}

/// Subcommands of `failover config`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Write the default configuration, with comments
    Init {
        /// The file to create, with its folder; it must not exist yet [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a configuration file like `run` does
    ///
    /// Exit code 0: valid, 2: invalid, with the place and a remedy for each error.
    Check {
        /// The file
        #[arg(value_name = "FILE", default_value = DEFAULT_CONFIG)]
        file: PathBuf,
    },
    /// Show the settings of `run` with these flags and this file, and where each value comes from
    ///
    /// Needs no daemon. A running daemon may have other settings, if it has not reloaded the file or has
    /// rejected it: see `failover status`.
    Show(Box<ShowOptions>),
}

/// Options of `failover check`.
#[derive(Args, Debug)]
pub struct CheckOptions {
    /// The options of `run`.
    #[command(flatten)]
    pub options: Options,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Options of `failover config show`.
#[derive(Args, Debug)]
pub struct ShowOptions {
    /// The options of `run`.
    #[command(flatten)]
    pub options: Options,
    /// Also show values that may contain secrets: URLs, paths and command lines
    #[arg(long)]
    pub secrets: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Options of `failover status`.
#[derive(Args, Debug)]
pub struct StatusOptions {
    /// The daemon to connect to.
    #[command(flatten)]
    pub ask: AskOptions,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
    /// Update the output in place every second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// One short line, for a shell prompt or a status bar
    #[arg(long, conflicts_with_all = ["watch", "output"])]
    pub short: bool,
}

/// Options of `failover explain`.
#[derive(Args, Debug)]
pub struct ExplainOptions {
    /// A name, or part of a message: isolated, FailoverStartFails, interval [default: list all names]
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
}

/// Options of `failover history`.
#[derive(Args, Debug)]
pub struct HistoryOptions {
    /// The daemon's state directory.
    #[arg(
        long,
        value_name = "DIR",
        help = with_default("The daemon's state directory", DEFAULT_STATE_DIR)
    )]
    pub state_dir: Option<PathBuf>,
    /// The daemon's configuration file.
    #[arg(long, value_name = "FILE", help = config_help())]
    pub config: Option<PathBuf>,
    /// Only incidents since then: a duration before now, like 2d or 12h, or a date in UTC, like 2026-11-24
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Since>,
    /// Output format; json: one object a line
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// Options of `failover trace`.
#[derive(Args, Debug)]
pub struct TraceOptions {
    /// The port to trace, local or remote
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = port)]
    pub port: NonZeroU16,
    /// Trace sockets of all network namespaces, not only of this one
    #[arg(long)]
    pub all_namespaces: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
    /// When to colour the text output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Stop after this time
    #[arg(long, allow_hyphen_values = true)]
    pub duration: Option<HumanDuration>,
    /// Stop after this number of events
    #[arg(long, value_parser = count::<NonZeroU64>)]
    pub count: Option<NonZeroU64>,
    /// Show debug messages of the eBPF program, on standard error
    #[arg(long)]
    pub debug: bool,
}
