//! The `failover` binary: reads the command line, and turns errors into messages and exit codes.

#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use clap::Parser as _;
use failover::{
    cli::{
        AskOptions, CheckOptions, Cli, ConfigVerb, DiscardOptions, DrillOptions, GuardVerb,
        HistoryOptions, LetGoOptions, PairOptions, ParkingUnit, ParkingVerb, ShowOptions,
        StatusOptions, SyncTransport, SyncVerb, TraceOptions, UnitJob, UnitName, Verb,
        near_miss::near_miss,
    },
    config::{
        self, Configuration, ConfigurationError, DEFAULT_CONFIG, Faults, GuardedOptions, Locations,
        Options,
    },
    control::{self, AskError, Request, SyncOrder, drill::DrillError, sync::SyncError},
    gateway::{
        command::{
            relay,
            unit::{Scope, UnitCommand, UnitState},
        },
        parking::{self, ParkedUnit, manager, place::Place},
    },
    guard, history, log,
    runtime::rights,
    status::{Document, Protection},
    sync_setup, trace,
};
use failover_sync::{process, setup, transport};
use jiff::ZonedDateTime;
use rustix::process::geteuid;
use tokio::runtime::{Builder, Runtime};
use tracing::info;

/// Usage or configuration error; the same code as clap's.
const USAGE: u8 = 2;
/// The daemon is not running.
const NOT_RUNNING: u8 = 3;
/// The daemon does not answer.
const NO_ANSWER: u8 = 4;
/// Time limit for blocking tasks when the daemon stops.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// What a full drill does, for the confirmation.
const FULL_DRILL: &str =
    "the local gateway takes over for real, beside the primary where that answers, and hands back";
/// Limit for an answer on the terminal, in bytes.
const LONGEST_ANSWER: u64 = 1024;

fn main() -> ExitCode {
    let result = match command_line().verb {
        Verb::Run(options) => run(*options).map(|()| ExitCode::SUCCESS),
        Verb::Check(options) => preflight(*options),
        Verb::Status(options) => status(&options),
        Verb::History(options) => history(&options),
        Verb::Pause(options) => match options.request(&ZonedDateTime::now()) {
            Ok(request) => order(&options.ask, &request),
            Err(over) => Err(anyhow!("--until: {over}")),
        },
        Verb::Resume(options) => order(&options, &Request::Resume),
        Verb::Takeover(options) => order(&options.ask, &options.request()),
        Verb::Release(options) => order(&options.ask, &options.request()),
        Verb::Drill(options) => drill(&options),
        Verb::Sync(verb) => sync(&verb),
        Verb::Explain(options) => explain(&options.words),
        Verb::Trace(options) => trace(&options).map(|()| ExitCode::SUCCESS),
        Verb::Config(ConfigVerb::Init { output }) => init(output.as_deref()),
        Verb::Config(ConfigVerb::Check { file }) => check(file),
        Verb::Config(ConfigVerb::Show(options)) => show(*options),
        Verb::Guard(GuardVerb::Run(options)) => guard(*options).map(|()| ExitCode::SUCCESS),
        Verb::Guard(GuardVerb::Ask(options)) => let_go(options),
        Verb::Guard(GuardVerb::Pair(options)) => pair(&options).map(|()| ExitCode::SUCCESS),
        Verb::Simulate(options) => failover::simulate::run(&options).map(|()| ExitCode::SUCCESS),
        Verb::UnitJob(job) => unit_job(&job).map(|()| ExitCode::SUCCESS),
        // No message: its standard error is the output file.
        Verb::OutputRelay => {
            return match relay::relay() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Verb::UnitState(name) => unit_state(&name).map(|()| ExitCode::SUCCESS),
        Verb::Parking(verb) => parking(verb).map(|()| ExitCode::SUCCESS),
        Verb::ParkingUnit(ParkingUnit {
            verb,
            unit,
            processes,
            user,
        }) => runtime()
            .and_then(|runtime| {
                runtime.block_on(manager::run(verb, scope(user), &unit, &processes))
            })
            .map(|()| ExitCode::SUCCESS),
        Verb::SyncWorker => process::main().map_err(Into::into),
        Verb::SyncSetup => set_up(),
        Verb::SyncTransport(SyncTransport { words }) => transport::carry(words).map_err(Into::into),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; then only the exit code remains.
            for line in told(&error).lines() {
                let _ = writeln!(io::stderr(), "failover: {line}");
            }
            if error.is::<ConfigurationError>() || error.is::<Faults>() {
                USAGE.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// The command line; a wrong one ends the program, with the right one where that can be guessed.
fn command_line() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        let words: Vec<String> = env::args().skip(1).collect();
        if error.use_stderr()
            && let Some(instead) = near_miss(&words)
        {
            let _ = writeln!(io::stderr(), "\n{instead}");
        }
        std::process::exit(error.exit_code())
    })
}

/// Prints what is known by a name, or all names.
fn explain(words: &[String]) -> anyhow::Result<ExitCode> {
    if words.is_empty() {
        return print(&failover::explain::names());
    }
    print(&failover::explain::explain(&words.join(" "))?)
}

/// The error with its causes, without those that its text already contains.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |told, cause| {
            match (told.is_empty(), told.contains(&cause)) {
                (true, _) => cause,
                (false, true) => told,
                (false, false) => format!("{told}: {cause}"),
            }
        })
}

fn run(options: Options) -> anyhow::Result<()> {
    // Resolved once: a reload reads the same file, even if it has been deleted meanwhile.
    let options = options.or_default_file();
    let file = options.config.clone();
    // Without a configuration, loading it below returns the error.
    if !geteuid().is_root()
        && let Some(configuration) = config::Validation::load(options.clone()).configuration
    {
        rights::check(&configuration, env::args_os())?;
    }
    let reader = move || Configuration::load(options.clone());
    let configuration = reader()?;
    let _log = log::begin(configuration.log_format, "info")?;
    if let Some(file) = file {
        info!(file = %file.display(), "configuration loaded");
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(failover::daemon::run(configuration, Arc::new(reader)));
    // A name lookup cannot be cancelled (getaddrinfo(3)), and may take a minute.
    runtime.shutdown_timeout(LAST_PATIENCE);
    ended
}

fn guard(options: GuardedOptions) -> anyhow::Result<()> {
    let host = options.checked()?;
    let _log = log::begin(host.log_format, "info")?;
    let runtime = runtime()?;
    let ended = runtime.block_on(guard::primary::run(host));
    runtime.shutdown_timeout(LAST_PATIENCE);
    ended
}

/// Before PC-A's gateway starts.
fn let_go(options: LetGoOptions) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let within = options.timeout.get();
    let ended = runtime.block_on(guard::hook::run(options.control, within, options.otherwise));
    // Nobody waits for the guard's answer after SIGTERM.
    runtime.shutdown_background();
    Ok(match ended? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn pair(options: &PairOptions) -> anyhow::Result<()> {
    match &options.with {
        Some(peer) => guard::pairing::connect(peer, &options.state_dir),
        None => guard::pairing::wait(options.guard_port, &options.state_dir),
    }
}

/// Writes the default configuration with comments; never overwrites a file.
fn init(output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let text = config::commented();
    let Some(path) = output else {
        return print(&text);
    };
    // The package creates the default folder; other folders may be missing.
    config::write_new(path, &text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => anyhow!(
            "{} already exists; move it away, or use another --output",
            path.display()
        ),
        _ => anyhow::Error::from(error).context(format!("writing {}", path.display())),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs all checks.
fn preflight(options: CheckOptions) -> anyhow::Result<ExitCode> {
    let CheckOptions { options, output } = options;
    let runtime = runtime()?;
    let report = runtime.block_on(failover::preflight::check(options.or_default_file()));
    // Do not wait for a disk that hangs.
    runtime.shutdown_background();
    print(&match output {
        trace::Format::Text => report.to_string(),
        trace::Format::Json => serde_json::to_string_pretty(&report)? + "\n",
    })?;
    Ok(match report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn check(file: PathBuf) -> anyhow::Result<ExitCode> {
    let told = format!("{} is valid\n", file.display());
    let loaded = Configuration::load(Options::of_file(file));
    let Err(Faults(faults)) = loaded else {
        return print(&told);
    };
    // The caller can read the file, so the message may contain its values.
    for fault in &faults {
        let (what, remedy) = fault.parts();
        let remedy = remedy.map(|remedy| format!("; {remedy}"));
        let _ = writeln!(
            io::stderr(),
            "failover: {what}{}",
            remedy.unwrap_or_default()
        );
    }
    Ok(USAGE.into())
}

/// Shows the settings that `run` would use.
fn show(options: ShowOptions) -> anyhow::Result<ExitCode> {
    let ShowOptions {
        options,
        secrets,
        output,
    } = options;
    let settings = config::in_force(&options.or_default_file(), secrets)?;
    print(&match output {
        trace::Format::Text => config::as_file(&settings),
        trace::Format::Json => serde_json::to_string_pretty(&settings)? + "\n",
    })
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    match io::stdout().write_all(text.as_bytes()) {
        // A closed pipe, as with `head`, is not an error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Shows the daemon's status, once or repeatedly. The exit code is that of the last one.
fn status(options: &StatusOptions) -> anyhow::Result<ExitCode> {
    let locations = options.ask.locations()?;
    if options.short {
        return short(&locations);
    }
    if options.watch && options.output == trace::Format::Text && io::stdout().is_terminal() {
        return watch(&locations);
    }
    loop {
        let status: Document = match control::ask(&locations.control, &Request::Status) {
            Ok(status) => status,
            Err(error) => return Ok(unanswered(&error, &locations)),
        };
        let shown = match options.output {
            trace::Format::Text => status.to_string(),
            trace::Format::Json => serde_json::to_string(&status)? + "\n",
        };
        // A closed pipe, as with `head`, is not an error.
        let written = write!(io::stdout(), "{shown}").and_then(|()| io::stdout().flush());
        if !options.watch || written.is_err() {
            return Ok(protection(&status));
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// One line, whatever the daemon does: a prompt has no place for more.
fn short(locations: &Locations) -> anyhow::Result<ExitCode> {
    match control::ask::<Document>(&locations.control, &Request::Status) {
        Ok(status) => {
            print(&format!("{}\n", status.short()))?;
            Ok(protection(&status))
        }
        Err(error) => {
            print(&format!("{}\n", error.short()))?;
            Ok(exit_code(&error))
        }
    }
}

/// The exit code for a status.
fn protection(status: &Document) -> ExitCode {
    match status.protection() {
        Protection::Safe | Protection::Degraded => ExitCode::SUCCESS,
        Protection::Unsafe => ExitCode::FAILURE,
    }
}

/// Prints why there is no answer.
fn unanswered(error: &AskError, locations: &Locations) -> ExitCode {
    let _ = writeln!(io::stderr(), "failover: {error}");
    if let Some(error) = &locations.unread {
        let _ = writeln!(
            io::stderr(),
            "failover: {error}; or set --control, if the daemon uses another socket"
        );
    }
    exit_code(error)
}

/// The exit code where there is no answer.
fn exit_code(error: &AskError) -> ExitCode {
    match error {
        AskError::NotRunning { .. } => NOT_RUNNING.into(),
        AskError::NotPermitted { .. } | AskError::NoAnswer { .. } | AskError::Unreadable { .. } => {
            NO_ANSWER.into()
        }
        AskError::Refused(_) | AskError::Unconfirmed(_) => ExitCode::FAILURE,
    }
}

/// Prints the history files, with or without a daemon.
fn history(options: &HistoryOptions) -> anyhow::Result<ExitCode> {
    let state_dir = match &options.state_dir {
        Some(directory) => directory.clone(),
        None => Locations::of(options.config.as_deref())?.state_dir,
    };
    let directory = state_dir.display();
    let history = history::read(&state_dir).with_context(|| {
        format!("reading the history in {directory}; set --state-dir for another directory")
    })?;
    let skipped = history.skipped;
    if skipped > 0 {
        let _ = writeln!(
            io::stderr(),
            "failover: skipped {skipped} lines in {directory}: of an unknown version, or \
             truncated by a crash"
        );
    }
    let since = options.since.map(history::Since::get);
    let told = history.since(since);
    match (options.output, since) {
        (trace::Format::Json, _) => {
            let lines = told
                .iter()
                .map(|line| serde_json::to_string(line).map(|line| line + "\n"));
            print(&lines.collect::<Result<String, _>>()?)
        }
        (trace::Format::Text, Some(since)) if told.is_empty() => {
            print(&format!("no incident since {since:.0}\n"))
        }
        (trace::Format::Text, None) if told.is_empty() => print("no incident\n"),
        (trace::Format::Text, _) => {
            let blocks: Vec<String> = told.iter().map(ToString::to_string).collect();
            print(&blocks.join("\n"))
        }
    }
}

/// Sends an operator command, and prints the result.
fn order(ask: &AskOptions, request: &Request) -> anyhow::Result<ExitCode> {
    let locations = ask.locations()?;
    let mut answer = control::order(&locations.control, request);
    if let Err(AskError::Unconfirmed(why)) = &answer
        && confirmed(why)
    {
        let confirmed = Request::Takeover {
            force: true,
            yes: true,
        };
        answer = control::order(&locations.control, &confirmed);
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Ok(unanswered(&error, &locations)),
    };
    // The command is executed even if this output fails.
    let done = if answer.note.is_none() {
        "done"
    } else {
        "ordered"
    };
    let _ = writeln!(io::stdout(), "{done}; the state is {}", answer.state);
    if let Some(now) = answer.now {
        let _ = writeln!(io::stdout(), "{now}");
    }
    if let Some(note) = answer.note {
        let _ = writeln!(io::stderr(), "failover: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for confirmation on the terminal. Without one, as in a script, --force is enough, with a
/// warning.
fn confirmed(why: &str) -> bool {
    if !is_interactive() {
        let _ = writeln!(
            io::stderr(),
            "failover: the primary answers, too: both gateways serve until `failover release`"
        );
        return true;
    }
    let _ = write!(io::stderr(), "failover: {why}\nContinue? [y/N] ");
    let mut answer = String::new();
    // An unreadable line is a no.
    let read = io::stdin()
        .lock()
        .take(LONGEST_ANSWER)
        .read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}

/// Can somebody be asked?
fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Drills, and reports. A full one is a real takeover.
fn drill(options: &DrillOptions) -> anyhow::Result<ExitCode> {
    let locations = options.ask.locations()?;
    let socket = &locations.control;
    if options.full {
        if !options.yes {
            if !is_interactive() {
                return Err(anyhow!(
                    "{FULL_DRILL}; without a terminal: failover drill --full --yes"
                ));
            }
            if !confirmed(FULL_DRILL) {
                return Ok(ExitCode::FAILURE);
            }
        }
        return match control::drill::full_drill(socket, true) {
            Ok([taken, handed_back]) => print(&format!(
                "taken over in {:.1} s, handed back in {:.1} s\n",
                taken.as_secs_f64(),
                handed_back.as_secs_f64()
            )),
            Err(error) => drill_failed(error, &locations),
        };
    }
    match control::drill::drill(socket) {
        Ok(drill) => {
            print(&match options.output {
                trace::Format::Text => drill.report(),
                trace::Format::Json => serde_json::to_string(&drill)? + "\n",
            })?;
            Ok(match control::drill::has_passed(&drill) {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Err(error) => drill_failed(error, &locations),
    }
}

/// Copies of PC-A's sessions and configuration.
fn sync(verb: &SyncVerb) -> anyhow::Result<ExitCode> {
    match verb {
        SyncVerb::Init(options) => {
            let back = options.back.as_deref();
            with_way(options.config.as_deref(), async |configuration| {
                sync_setup::init(configuration, back).await
            })
        }
        SyncVerb::Remove(options) => with_way(options.config.as_deref(), async |configuration| {
            sync_setup::remove(configuration, options.all).await
        }),
        SyncVerb::Status(options) => asked(&options.ask, |socket| {
            let sync = control::sync::status(socket)?;
            let shown = match options.output {
                trace::Format::Text => sync.to_string(),
                trace::Format::Json => serde_json::to_string(&sync).unwrap_or_default() + "\n",
            };
            Ok((sync.is_good(), shown))
        }),
        SyncVerb::Now(ask) => asked(ask, |socket| {
            control::sync::now(socket).map(|(good, text)| (good, text + "\n"))
        }),
        SyncVerb::Verify(ask) => asked(ask, |socket| carried_out(socket, SyncOrder::Verify)),
        SyncVerb::Restore(options) => asked(&options.ask, |socket| {
            let generation = options.generation;
            carried_out(socket, SyncOrder::Restore { generation })
        }),
        SyncVerb::Choose(options) => asked(&options.ask, |socket| {
            control::sync::choose(socket, options.side).map(|means| (true, means + "\n"))
        }),
        SyncVerb::Answer(ask) => asked(ask, |socket| {
            Ok((true, control::hand_back::hand_back(socket)? + "\n"))
        }),
    }
}

/// Asks the daemon, and shows what it says.
fn asked(
    ask: &AskOptions,
    what: impl FnOnce(&Path) -> Result<(bool, String), SyncError>,
) -> anyhow::Result<ExitCode> {
    let locations = ask.locations()?;
    match what(&locations.control) {
        Ok((is_good, text)) => {
            print(&text)?;
            Ok(match is_good {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Err(SyncError::Ask(error)) => Ok(unanswered(&error, &locations)),
        Err(error) => Err(error.into()),
    }
}

/// Does something with the way to PC-A, which the configuration names.
fn with_way(
    config: Option<&Path>,
    what: impl AsyncFnOnce(&Configuration) -> anyhow::Result<bool>,
) -> anyhow::Result<ExitCode> {
    let file = config.unwrap_or(Path::new(DEFAULT_CONFIG));
    let configuration = Configuration::load(Options::of_file(file.to_owned()))?;
    Ok(match runtime()?.block_on(what(&configuration))? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The part of the gateway's account.
fn set_up() -> anyhow::Result<ExitCode> {
    let told = setup::main()?;
    print(&told.text)?;
    Ok(match told.is_done {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn carried_out(socket: &Path, order: SyncOrder) -> Result<(bool, String), SyncError> {
    let ended = control::sync::carried_out(socket, order)?;
    Ok((ended.succeeded, ended.result + "\n"))
}

fn drill_failed(error: DrillError, locations: &Locations) -> anyhow::Result<ExitCode> {
    match error {
        DrillError::Ask(error) => Ok(unanswered(&error, locations)),
        error => Err(error.into()),
    }
}

/// Updates in place, until Ctrl-C.
fn watch(locations: &Locations) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let last = runtime.block_on(failover::status::watch::run(&locations.control));
    // Do not wait for a pending request.
    runtime.shutdown_background();
    match last {
        Ok(status) => Ok(protection(&status)),
        Err(error) => match error.downcast_ref() {
            Some(error) => Ok(unanswered(error, locations)),
            None => Err(error),
        },
    }
}

fn trace(options: &TraceOptions) -> anyhow::Result<()> {
    let _log = log::begin(
        Default::default(),
        if options.debug { "debug" } else { "warn" },
    )?;
    runtime()?.block_on(trace::run(trace::Settings {
        port: options.port,
        all_namespaces: options.all_namespaces,
        debug: options.debug,
        format: options.output,
        color: options.color,
        duration: options.duration.map(config::HumanDuration::get),
        count: options.count.map(Into::into),
    }))
}

fn unit_job(job: &UnitJob) -> anyhow::Result<()> {
    let command = UnitCommand::new(job.verb, scope(job.user), &job.unit);
    runtime()?.block_on(command.run())
}

fn unit_state(name: &UnitName) -> anyhow::Result<()> {
    let states = runtime()?.block_on(UnitState::of(scope(name.user), &name.unit))?;
    for state in states {
        println!("{}", state.line());
    }
    Ok(())
}

/// Parks, continues, discards, or looks. Blocking: such a command does nothing else.
fn parking(verb: ParkingVerb) -> anyhow::Result<()> {
    match verb {
        ParkingVerb::Park(options) => {
            let unit = ParkedUnit {
                name: options.unit,
                account: options.account,
            };
            let within = options.within.get();
            parking::park(&options.place.place(), unit.checked()?, within)
        }
        ParkingVerb::Continue(options) => parking::proceed(&options.place()),
        ParkingVerb::Discard(DiscardOptions { directory, port }) => {
            let places = match port {
                Some(port) => vec![Place::new(&directory, port)],
                None => Place::all_in(&directory)
                    .with_context(|| format!("reading {}", directory.display()))?,
            };
            places.iter().try_for_each(parking::discard)
        }
        ParkingVerb::Look(options) => {
            let found = parking::look(&options.place.place());
            match options.output {
                trace::Format::Text => println!("{found}"),
                trace::Format::Json => println!("{}", found.json()?),
            }
            Ok(())
        }
    }
}

const fn scope(of_user: bool) -> Scope {
    match of_user {
        true => Scope::User,
        false => Scope::System,
    }
}

/// One thread is enough, and uses the least memory.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}
