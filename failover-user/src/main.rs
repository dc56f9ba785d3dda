//! The `failover` binary: reads the command line, and turns errors into messages and exit codes.

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
        AskOptions, CheckOptions, Cli, ConfigVerb, HistoryOptions, ShowOptions, StatusOptions,
        TraceOptions, UnitJob, UnitName, Verb,
    },
    config::{self, Configuration, ConfigurationError, Faults, Locations, Options},
    control::{self, AskError, Request},
    gateway::command::{
        relay,
        unit::{Scope, UnitCommand, UnitState},
    },
    history, log,
    runtime::rights,
    status::{Protection, Status},
    trace,
};
use rustix::process::geteuid;
use tokio::runtime::{Builder, Runtime};
use tracing::info;

/// What the caller got wrong; the same code as clap's.
const USAGE: u8 = 2;
/// Nobody to ask.
const NOT_RUNNING: u8 = 3;
/// Somebody to ask, and no answer: nobody knows how it is.
const NO_ANSWER: u8 = 4;
/// Whatever still runs when the daemon ends has so long.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Of a question on the terminal, in bytes.
const LONGEST_ANSWER: u64 = 1024;

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Run(options) => run(*options).map(|()| ExitCode::SUCCESS),
        Verb::Check(options) => preflight(*options),
        Verb::Status(options) => status(&options),
        Verb::History(options) => history(&options),
        Verb::Pause(options) => order(&options.ask, &options.request()),
        Verb::Resume(options) => order(&options, &Request::Resume),
        Verb::Takeover(options) => order(&options.ask, &options.request()),
        Verb::Release(options) => order(&options.ask, &options.request()),
        Verb::Trace(options) => trace(&options).map(|()| ExitCode::SUCCESS),
        Verb::Config(ConfigVerb::Init { output }) => init(output.as_deref()),
        Verb::Config(ConfigVerb::Check { file }) => check(file),
        Verb::Config(ConfigVerb::Show(options)) => show(*options),
        Verb::Simulate(options) => failover::simulate::run(&options).map(|()| ExitCode::SUCCESS),
        Verb::UnitJob(job) => unit_job(&job).map(|()| ExitCode::SUCCESS),
        // Nobody reads a message of its: its standard error is the file.
        Verb::OutputRelay => {
            return match relay::relay() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Verb::UnitState(name) => unit_state(&name).map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the code says enough then.
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

/// The error with its causes, but for those that it has told already.
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
    // Once: a reload reads the same file, also one that has gone meanwhile.
    let options = options.or_default_file();
    let file = options.config.clone();
    // Where there is no configuration at all, reading it says why.
    if !geteuid().is_root()
        && let Some(configuration) = config::Validation::load(options.clone()).configuration
    {
        rights::check(&configuration, env::args_os())?;
    }
    let reader = move || Configuration::load(options.clone());
    let configuration = reader()?;
    let _log = log::begin(configuration.log_format, "info")?;
    if let Some(file) = file {
        info!(file = %file.display(), "the configuration is what this file says, where no flag does");
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(failover::daemon::run(configuration, Arc::new(reader)));
    // A look-up of a name can't be cancelled (getaddrinfo(3)), and may take a minute.
    runtime.shutdown_timeout(LAST_PATIENCE);
    ended
}

/// Writes the commented default configuration; never over another.
fn init(output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let text = config::commented()?;
    let Some(path) = output else {
        return print(&text);
    };
    // The package makes the usual folder; elsewhere nobody has.
    config::write_new(path, &text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => anyhow!(
            "{} is there already, and is left as it is; give another --output, or move it away",
            path.display()
        ),
        _ => anyhow::Error::from(error).context(format!("writing {}", path.display())),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at all that the daemon would need.
fn preflight(options: CheckOptions) -> anyhow::Result<ExitCode> {
    let CheckOptions { options, output } = options;
    let runtime = runtime()?;
    let report = runtime.block_on(failover::preflight::check(options.or_default_file()));
    // A disk that hangs keeps nobody waiting.
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
    let told = format!("{} can be run\n", file.display());
    let loaded = Configuration::load(Options {
        config: Some(file),
        ..Options::default()
    });
    let Err(Faults(faults)) = loaded else {
        return print(&told);
    };
    // Whoever asks has written the file, and may see what is in it.
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

/// Shows what `run` would put in force.
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
        // A reader that has left, as `head` does, wants no message.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Shows the daemon's status, once or again and again. The exit code is that of the last one.
fn status(options: &StatusOptions) -> anyhow::Result<ExitCode> {
    let locations = options.ask.locations()?;
    if options.watch && options.output == trace::Format::Text && io::stdout().is_terminal() {
        return watch(&locations);
    }
    loop {
        let status: Status = match control::ask(&locations.control, &Request::Status) {
            Ok(status) => status,
            Err(error) => return Ok(unanswered(&error, &locations)),
        };
        let shown = match options.output {
            trace::Format::Text => status.to_string(),
            trace::Format::Json => serde_json::to_string(&status)? + "\n",
        };
        // A reader that has left, as `head` does, wants no message.
        let written = write!(io::stdout(), "{shown}").and_then(|()| io::stdout().flush());
        if !options.watch || written.is_err() {
            return Ok(protection(&status));
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// The exit code that goes with a status.
fn protection(status: &Status) -> ExitCode {
    match status.protection() {
        Protection::Safe | Protection::Degraded => ExitCode::SUCCESS,
        Protection::Unsafe => ExitCode::FAILURE,
    }
}

/// Says why the daemon says nothing.
fn unanswered(error: &AskError, locations: &Locations) -> ExitCode {
    let _ = writeln!(io::stderr(), "failover: {error}");
    if let Some(error) = &locations.unread {
        let _ = writeln!(
            io::stderr(),
            "failover: {error}; or say with --control where the daemon is, if it isn't there"
        );
    }
    match error {
        AskError::NotRunning { .. } => NOT_RUNNING.into(),
        AskError::NotPermitted { .. } | AskError::NoAnswer { .. } | AskError::Unreadable { .. } => {
            NO_ANSWER.into()
        }
        AskError::Refused(_) | AskError::Unconfirmed(_) => ExitCode::FAILURE,
    }
}

/// Tells what is in the files, whether a daemon runs or not.
fn history(options: &HistoryOptions) -> anyhow::Result<ExitCode> {
    let state_dir = match &options.state_dir {
        Some(directory) => directory.clone(),
        None => Locations::of(options.config.as_deref())?.state_dir,
    };
    let directory = state_dir.display();
    let history = history::read(&state_dir).with_context(|| {
        format!("reading the history in {directory}; --state-dir names another directory")
    })?;
    let skipped = history.skipped;
    if skipped > 0 {
        let _ = writeln!(
            io::stderr(),
            "failover: {skipped} lines in {directory} are no history that this version knows, or were \
             cut off by a crash; they are skipped"
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

/// Has the daemon do something, and says what came of it.
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
    // The order is followed, whether or not anybody reads that.
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

/// Asks on the terminal whether that is meant. Where nobody can be asked, as in a script, --force stands, with a
/// warning.
fn confirmed(why: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let _ = writeln!(
            io::stderr(),
            "failover: the primary answers as well: two gateways serve until `failover release`"
        );
        return true;
    }
    let _ = write!(io::stderr(), "failover: {why}\nDo it? [y/N] ");
    let mut answer = String::new();
    // A line that can't be read is no consent.
    let read = io::stdin()
        .lock()
        .take(LONGEST_ANSWER)
        .read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}

/// In place, until Ctrl-C.
fn watch(locations: &Locations) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let last = runtime.block_on(failover::status::watch::run(&locations.control));
    // A question that is still under way keeps nobody waiting.
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

const fn scope(of_user: bool) -> Scope {
    match of_user {
        true => Scope::User,
        false => Scope::System,
    }
}

/// One thread: there is little to do, and it must cost nothing.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}
