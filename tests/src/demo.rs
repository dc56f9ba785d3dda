//! The demonstration: a takeover and a release, shown as they happen.
//!
//! What it prints is what the daemon logs and what `failover trace` shows, merged on one time line;
//! the closing table is computed from those very lines.

use std::{
    collections::HashSet,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    PORT,
    commands::{Command, Commands},
    lab::{Host, Lab, Process},
    lines::{Line, Lines},
    moment::Moment,
    trace::endpoint,
    wait,
};

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the primary serves before it dies, so that a newcomer sees it healthy.
const PEACE: Duration = Duration::from_millis(2200);
/// Lines of two programs arrive out of order; older ones than this are sorted and shown.
const SETTLED: Duration = Duration::from_millis(40);
const TIMINGS: [&str; 8] = [
    "--interval",
    "1s",
    "--recovery-interval",
    "250ms",
    "--timeout",
    "500ms",
    "--strikes",
    "3",
];

/// `failover-lab demo`
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// The daemon's binary
    #[arg(long)]
    failover: PathBuf,
}

/// Shows it. The exit code is 0 only when both the takeover and the release happened.
///
/// # Errors
/// When the lab can't be made, or the daemon doesn't do its work in time.
pub fn run(options: &Options) -> Result<ExitCode> {
    let lab = Lab::build()?;
    let mut show = Show::begin(&lab, &options.failover)?;
    let table = takeover_and_release(&lab, &mut show);
    show.show_before(Moment::now());
    // A reader that has left ends nothing: the exit code still says what happened.
    let _ = write!(io::stdout(), "{}", table?);
    Ok(ExitCode::SUCCESS)
}

/// Runs all of it, and returns the closing table.
fn takeover_and_release(lab: &Lab, show: &mut Show) -> Result<String> {
    for line in [
        "PC-A is 10.0.0.1, PC-B is 10.0.0.2, a switch between them",
        "PC-B probes every 1 s, and takes over after three strikes: in 2 s",
        "these times are shortened: by default it probes every 30 s, and that takes 60 s",
    ] {
        show.note(Moment::now(), "lab", line);
    }
    let primary = lab.host_a().gateway()?;
    show.note(Moment::now(), "PC-A", "the gateway serves");
    show.daemon_begins()?;
    let _ = show.follow(PEACE, |_| false);

    let death = primary.kill();
    show.note(death, "PC-A", "the gateway is killed (SIGKILL)");
    let first = show.strike(1)?;
    let third = show.strike(3)?;
    let start = show.log("command started", "start")?;
    let active = show.state("active")?;
    let listen = show.listener("CLOSE", "LISTEN")?;
    let _ = show.follow(PEACE, |_| false);

    show.note(Moment::now(), "PC-A", "the gateway is started again");
    let _primary = lab.host_a().gateway()?;
    let back = Moment::now();
    let stopping = show.state("stopping")?;
    let stop = show.log("command started", "stop")?;
    let closed = show.listener("LISTEN", "CLOSE")?;
    let standby = show.state("standby")?;
    let _ = show.follow(Duration::from_millis(300), |_| false);

    let table = table(&[
        ("the primary dies", death, death),
        ("  first strike", first, death),
        ("  third strike", third, death),
        ("  start command", start, death),
        ("  PC-B listens (kernel)", listen, death),
        ("  PC-B active", active, death),
        ("the primary is back", back, back),
        ("  a good probe, stopping", stopping, back),
        ("  stop command", stop, back),
        ("  PC-B's port closed (kernel)", closed, back),
        ("  PC-B in standby", standby, back),
    ]);
    let (taken, released) = (rounded(active.since(death)), rounded(standby.since(back)));
    Ok(format!(
        "{table}\ntaken over {taken} after the death, released {released} after the return\n"
    ))
}

fn table(rows: &[(&str, Moment, Moment)]) -> String {
    let mut table = String::from("\nWhat took how long\n");
    for (what, moment, since) in rows {
        let took = moment.since(*since).as_secs_f64();
        let _ = writeln!(table, "  {what:<32} {took:8.3} s");
    }
    table
}

/// With two significant digits, down to milliseconds.
fn rounded(duration: Duration) -> String {
    let digits = match duration.as_millis() {
        1000.. => 1,
        10.. => 2,
        _ => 3,
    };
    format!("{:.digits$} s", duration.as_secs_f64())
}

/// What is shown, and its sources.
struct Show {
    began: Moment,
    standby: Host,
    failover: PathBuf,
    commands: Commands,
    /// Where the daemon has all that is its own: on this machine another one may run.
    directory: PathBuf,
    log: Option<Source>,
    kernel: Source,
    color: bool,
    /// All that came from the daemon and the kernel, for the table.
    seen: Vec<Line>,
    /// What isn't shown yet: time, program, text.
    pending: Vec<(Moment, &'static str, String)>,
    /// What was shown of probes since one of the two has done something.
    shown_probes: HashSet<String>,
}

struct Source {
    lines: Lines,
    read: usize,
    process: Process,
}

impl Source {
    fn new(lines: Lines, process: Process) -> Self {
        Self {
            lines,
            read: 0,
            process,
        }
    }

    /// How it ended, if it has, and its last words among these lines.
    fn ended(&mut self) -> Option<(ExitStatus, String)> {
        let status = self.process.ended()?;
        let _ = wait::attempt(Duration::from_secs(1), || self.lines.ended().then_some(()));
        let lines = self.lines.from(0);
        let last: Vec<&str> = lines
            .iter()
            .rev()
            .take(5)
            .map(|line| line.text.as_str())
            .collect();
        Some((
            status,
            last.into_iter().rev().collect::<Vec<_>>().join("\n"),
        ))
    }

    fn next(&mut self) -> Vec<Line> {
        let lines = self.lines.from(self.read);
        self.read += lines.len();
        lines
    }
}

impl Show {
    fn begin(lab: &Lab, failover: &Path) -> Result<Self> {
        let failover = failover
            .canonicalize()
            .context("finding the daemon's binary")?;
        let directory = lab.directory().join("pc-b");
        let commands = Commands::new(&directory, lab.binary())?;
        let mut trace = lab.host_b().command(&failover);
        trace.args(["trace", "--output", "json"]);
        trace.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = lab.host_b().spawn(&mut trace)?;
        let output = process.child().stdout.take().context("a pipe")?;
        Ok(Self {
            began: Moment::now(),
            standby: lab.host_b().clone(),
            failover,
            commands,
            directory,
            log: None,
            kernel: Source::new(Lines::of(output), process),
            color: io::stdout().is_terminal(),
            seen: Vec::new(),
            pending: Vec::new(),
            shown_probes: HashSet::new(),
        })
    }

    fn daemon_begins(&mut self) -> Result<()> {
        let mut daemon = self.standby.command(&self.failover);
        daemon
            .args(["run", "--config", "/dev/null", "--log-format", "json"])
            .args(["--primary", "10.0.0.1"])
            .args(["--gateway", "command"])
            .args(TIMINGS)
            .args(["--start", &self.commands.line(Command::Start)])
            .args(["--stop", &self.commands.line(Command::Stop)])
            .arg("--state-dir")
            .arg(self.directory.join("state"))
            .arg("--control")
            .arg(self.directory.join("control.sock"))
            .env("FAILOVER_LOG", "info,failover::daemon=debug")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = self.standby.spawn(&mut daemon)?;
        let errors = process.child().stderr.take().context("a pipe")?;
        self.log = Some(Source::new(Lines::of(errors), process));
        self.await_line("the daemon watches", |line| line.message() == "watching")
            .map(drop)
    }

    // --- waiting for what matters ------------------------------------------------------------

    fn strike(&mut self, number: u64) -> Result<Moment> {
        self.await_line(&format!("strike {number}"), |line| {
            line.message() == "state changed" && line.number("strikes") == Some(number)
        })
    }

    fn state(&mut self, state: &str) -> Result<Moment> {
        self.await_line(&format!("state {state}"), |line| {
            line.message() == "state changed" && line.field("to") == state
        })
    }

    fn log(&mut self, message: &str, command: &str) -> Result<Moment> {
        self.await_line(&format!("{message}: {command}"), |line| {
            line.message() == message && line.field("command") == command
        })
    }

    fn listener(&mut self, old: &str, new: &str) -> Result<Moment> {
        self.await_line(&format!("the kernel's {new}"), |line| {
            line.field("kind") == "tcp-state"
                && (line.field("old"), line.field("new")) == (old, new)
        })
    }

    fn await_line(&mut self, what: &str, wanted: impl Fn(&Line) -> bool) -> Result<Moment> {
        if let Some(line) = self.seen.iter().rev().find(|line| wanted(line)) {
            return Ok(line.at);
        }
        if let Some(moment) = self.follow(PATIENCE, &wanted) {
            return Ok(moment);
        }
        match self.ended() {
            Some(ended) => bail!("not seen: {what}; {ended}"),
            None => bail!("not within {PATIENCE:?}: {what}"),
        }
    }

    /// Shows what comes, until the wanted line is among it, the time is up or nothing more can come.
    fn follow(&mut self, patience: Duration, wanted: impl Fn(&Line) -> bool) -> Option<Moment> {
        wait::attempt(patience, || {
            // Asked before the lines are read: so the last ones are among them.
            let ended = self.ended().is_some();
            let mut lines = self.kernel.next();
            lines.extend(self.log.iter_mut().flat_map(Source::next));
            lines.sort_by_key(|line| line.at);
            let found = lines.iter().find(|line| wanted(line)).map(|line| line.at);
            self.pending.extend(lines.iter().filter_map(shown));
            self.seen.extend(lines);
            self.show_before(Moment::now() - SETTLED);
            (found.is_some() || ended).then_some(found)
        })
        .flatten()
    }

    /// Has one of the two ended that should go on to the end?
    fn ended(&mut self) -> Option<String> {
        if let Some((status, words)) = self.log.as_mut().and_then(Source::ended) {
            return Some(format!("`failover run` has ended ({status}): {words}"));
        }
        // Its complaints go to the terminal.
        let (status, _) = self.kernel.ended()?;
        Some(format!("`failover trace` has ended ({status})"))
    }

    // --- showing -----------------------------------------------------------------------------

    fn note(&mut self, moment: Moment, who: &'static str, what: &str) {
        self.pending.push((moment, who, what.to_owned()));
    }

    /// Shows what happened before this moment, in the order in which it happened.
    fn show_before(&mut self, end: Moment) {
        self.pending.sort_by_key(|(moment, ..)| *moment);
        let settled = self.pending.partition_point(|(moment, ..)| *moment < end);
        let settled: Vec<_> = self.pending.drain(..settled).collect();
        for (moment, who, what) in settled {
            // While the local gateway serves, one probe after the other shows the same.
            let is_of_probe = what.starts_with("probe: ") || what.starts_with("connection to ");
            if is_of_probe && !self.shown_probes.insert(what.clone()) {
                continue;
            }
            if !is_of_probe && who != "kernel" {
                self.shown_probes.clear();
            }
            self.print(moment, who, &what);
        }
    }

    fn print(&self, moment: Moment, who: &str, what: &str) {
        let (begin, end) = match (self.color, who) {
            (false, _) => ("", ""),
            (true, "PC-A") => ("\x1b[35m", "\x1b[0m"),
            (true, "PC-B") => ("\x1b[1m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[0m"),
        };
        let seconds = moment.since(self.began).as_secs_f64();
        let _ = writeln!(
            io::stdout(),
            "{seconds:8.3} s  {begin}{who:<6}  {what}{end}"
        );
    }
}

/// What a line becomes, where it is worth showing.
fn shown(line: &Line) -> Option<(Moment, &'static str, String)> {
    let (who, what) = match line.field("kind") {
        "tcp-state" => ("kernel", kernel_state(line)?),
        "bind" => (
            "kernel",
            format!("bind by {}: {}", line.field("comm"), line.field("result")),
        ),
        _ => ("PC-B", daemon(line)?),
    };
    Some((line.at, who, what))
}

/// Probes that come and go are the daemon's own; the rest of the port's life is worth a line.
fn kernel_state(line: &Line) -> Option<String> {
    let (old, new) = (line.field("old"), line.field("new"));
    let local = endpoint(line, "local")?;
    let remote = endpoint(line, "remote")?;
    let error = line.field("error");
    match (old, new) {
        ("CLOSE", "LISTEN") | ("LISTEN", "CLOSE") => {
            let (pid, comm) = (line.number("pid").unwrap_or_default(), line.field("comm"));
            Some(format!("{local} {old} -> {new} (process {pid}, {comm})"))
        }
        (_, "CLOSE") if !error.is_empty() => {
            Some(format!("connection to {remote}: {old} -> {new} ({error})"))
        }
        ("ESTABLISHED", "CLOSE_WAIT") if remote.port() == PORT => {
            Some(format!("connection to {remote}: closed by the primary"))
        }
        _ => None,
    }
}

fn daemon(line: &Line) -> Option<String> {
    let text = |name: &str| line.field(name).to_owned();
    Some(match line.message() {
        "watching" => "watching the primary".to_owned(),
        "probe" => "probe: the primary answers".to_owned(),
        "probe failed" => format!("probe: {}", text("outcome")),
        "the connection to the primary has died" => "tripwire: the connection has died".to_owned(),
        "state changed" => {
            let to = text("to");
            let count = match line.number("strikes") {
                Some(strikes @ 1..)
                    if ["suspect", "fencing", "starting"].contains(&to.as_str()) =>
                {
                    format!(" (strike {strikes})")
                }
                _ => String::new(),
            };
            format!("{} -> {}{count}", text("from"), to.to_uppercase())
        }
        "command started" => format!("runs the {} command", text("command")),
        "command ended" => format!("the {} command {}", text("command"), text("result")),
        _ => return None,
    })
}
