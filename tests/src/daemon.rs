//! The program under test as a daemon on PC-B, and what its log says.

use std::{ffi::OsString, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::Signal;

use crate::{
    commands::{Command, Commands, Event, Record},
    lab::{Host, Lab, Process, failover_binary},
    lines::{Line, Lines},
    moment::Moment,
    wait,
};

/// How the daemon is to run. The times are short ones that suit a loaded machine.
#[derive(Clone, Debug)]
pub struct Setup {
    host: Host,
    commands: Commands,
    directory: PathBuf,
    primary: String,
    interval: Duration,
    recovery_interval: Duration,
    timeout: Duration,
    start_timeout: Duration,
    stop_timeout: Duration,
    /// What runs the daemon, if it isn't run directly.
    wrapper: Vec<OsString>,
    more: Vec<String>,
}

impl Setup {
    /// On PC-B of this lab, watching PC-A.
    ///
    /// # Panics
    /// When the lab's directory can't be written to.
    #[must_use]
    pub fn new(lab: &Lab) -> Self {
        let directory = lab.directory().join("pc-b");
        Self {
            host: lab.host_b().clone(),
            commands: Commands::new(&directory, lab.binary()).expect("preparing the commands"),
            directory,
            primary: lab.host_a().gateway_address().to_string(),
            interval: Duration::from_millis(400),
            recovery_interval: Duration::from_millis(100),
            timeout: Duration::from_millis(250),
            start_timeout: Duration::from_secs(2),
            stop_timeout: Duration::from_secs(2),
            wrapper: Vec::new(),
            more: Vec::new(),
        }
    }

    /// Watching something else.
    #[must_use]
    pub fn primary(mut self, primary: &str) -> Self {
        primary.clone_into(&mut self.primary);
        self
    }

    /// From one probe to the next.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long a probe may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a start may take.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// How long a stop may take.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// What the runs of the start command do, see [`crate::commands`].
    ///
    /// # Panics
    /// When it can't be written down.
    #[must_use]
    pub fn starts(self, behaviours: &[&str]) -> Self {
        self.plan(Command::Start, behaviours)
    }

    /// What the runs of the stop command do.
    ///
    /// # Panics
    /// When it can't be written down.
    #[must_use]
    pub fn stops(self, behaviours: &[&str]) -> Self {
        self.plan(Command::Stop, behaviours)
    }

    fn plan(self, command: Command, behaviours: &[&str]) -> Self {
        self.commands
            .plan(command, behaviours)
            .expect("planning what the commands do");
        self
    }

    /// Names are looked up in this file instead of `/etc/hosts`: in a mount namespace of its own.
    #[must_use]
    pub fn hosts_file(mut self, path: impl Into<PathBuf>) -> Self {
        let shell = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
        self.wrapper = ["unshare", "--mount", "sh", "-c", shell]
            .map(OsString::from)
            .to_vec();
        self.wrapper.push(path.into().into_os_string());
        self
    }

    /// Root without these capabilities, as capabilities(7) names them, in lower case.
    #[must_use]
    pub fn without_capabilities(mut self, names: &[&str]) -> Self {
        let dropped: Vec<String> = names.iter().map(|name| format!("-{name}")).collect();
        self.wrapper = ["setpriv", "--bounding-set", &dropped.join(",")]
            .map(OsString::from)
            .to_vec();
        self
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.more.push(argument.to_owned());
        self
    }

    /// Starts the daemon, and waits until it is armed.
    ///
    /// # Panics
    /// When it can't be run, or ends.
    #[must_use]
    pub fn spawn(self) -> Daemon {
        let words: Vec<OsString> = self
            .wrapper
            .iter()
            .cloned()
            .chain([failover_binary().into_os_string()])
            .collect();
        let (program, arguments) = words.split_first().expect("at least the daemon");
        let mut command = self.host.command(program);
        let times = [
            ("--interval", self.interval),
            ("--recovery-interval", self.recovery_interval),
            ("--timeout", self.timeout),
            ("--start-timeout", self.start_timeout),
            ("--stop-timeout", self.stop_timeout),
        ];
        command
            .args(arguments)
            .args(["run", "--strikes", "3", "--log-format", "json"])
            .args(["--primary", &self.primary])
            .args(times.iter().flat_map(|(option, time)| {
                [(*option).to_owned(), format!("{}ms", time.as_millis())]
            }))
            .args(["--start", &self.commands.line(Command::Start)])
            .args(["--stop", &self.commands.line(Command::Stop)])
            .arg("--state-dir")
            .arg(self.directory.join("state"))
            .arg("--control")
            .arg(self.directory.join("control.sock"))
            .args(&self.more)
            .env("FAILOVER_LOG", "info,failover=debug")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = self
            .host
            .spawn(&mut command)
            .unwrap_or_else(|error| panic!("{error:#}"));
        let errors = process.child().stderr.take().expect("a pipe");
        let mut daemon = Daemon {
            setup: self,
            process,
            lines: Lines::of(errors),
            read: 0,
        };
        daemon.says("armed", |line| line.message() == "armed");
        daemon
    }
}

/// A running daemon. What is waited for has not been waited for before: each wait goes on where the
/// last one ended.
#[derive(Debug)]
pub struct Daemon {
    setup: Setup,
    process: Process,
    lines: Lines,
    read: usize,
}

impl Daemon {
    // --- its log ---------------------------------------------------------------------------------

    /// Waits for a line of its log.
    ///
    /// # Panics
    /// With the whole log, when it doesn't come.
    pub fn says(&mut self, what: &str, wanted: impl FnMut(&Line) -> bool) -> Line {
        self.says_within(wait::LONG, what, wanted)
    }

    /// The same with another patience.
    ///
    /// # Panics
    /// With the whole log, when it doesn't come.
    pub fn says_within(
        &mut self,
        patience: Duration,
        what: &str,
        mut wanted: impl FnMut(&Line) -> bool,
    ) -> Line {
        let found = wait::attempt(patience, || {
            // Asked before the look, so that the last words are not missed.
            let ended = self.lines.ended();
            for line in self.lines.from(self.read) {
                self.read += 1;
                if wanted(&line) {
                    return Some(Some(line));
                }
            }
            ended.then_some(None)
        });
        match found {
            Some(Some(line)) => line,
            Some(None) => panic!("the daemon ended before: {what}\n{}", self.lines.text()),
            None => panic!("not within {patience:?}: {what}\n{}", self.lines.text()),
        }
    }

    /// Waits until it changes to this state.
    pub fn becomes(&mut self, state: &str) -> Line {
        self.says(&format!("state {state}"), |line| {
            line.message() == "state changed" && line.field("to") == state
        })
    }

    /// Waits for a probe with this outcome.
    pub fn probes(&mut self, outcome: &str) -> Line {
        self.says(&format!("a probe that ends {outcome}"), |line| {
            is_probe(line) && line.field("outcome") == outcome
        })
    }

    /// Waits until it has so many strikes.
    pub fn counts(&mut self, strikes: u64) -> Line {
        self.says(&format!("{strikes} strikes"), |line| {
            line.message() == "state changed" && line.number("strikes") == Some(strikes)
        })
    }

    /// All lines so far that are wanted.
    #[must_use]
    pub fn said(&self, wanted: impl FnMut(&Line) -> bool) -> Vec<Line> {
        let mut lines = self.lines.from(0);
        lines.retain(wanted);
        lines
    }

    /// All probes so far.
    #[must_use]
    pub fn probed(&self) -> Vec<Line> {
        self.said(is_probe)
    }

    /// The states it went through so far.
    #[must_use]
    pub fn states(&self) -> Vec<String> {
        let mut states: Vec<String> = self
            .said(|line| line.message() == "state changed")
            .iter()
            .map(|line| line.field("to").to_owned())
            .collect();
        // Another strike or attempt is no other state.
        states.dedup();
        states
    }

    // --- its commands ----------------------------------------------------------------------------

    /// The folder of its start and stop commands.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.setup.commands
    }

    /// Waits until the n-th command, counted from 1 over starts and stops, begins.
    ///
    /// # Panics
    /// With the whole log, when it doesn't, or it is another command.
    pub fn begins(&self, number: usize, command: Command) -> Record {
        let found = wait::attempt(wait::LONG, || {
            let mut begun = self.setup.commands.log();
            begun.retain(|record| record.event == Event::Begin);
            begun.into_iter().nth(number - 1)
        });
        match found {
            Some(record) if record.command == command => record,
            _ => panic!(
                "command {number} should be {command:?}:\n{}{}",
                self.setup.commands.text(),
                self.lines.text()
            ),
        }
    }

    /// Waits for what a run of a command tells.
    ///
    /// # Panics
    /// With the whole log, when it doesn't.
    pub fn notes<T>(&self, what: &str, mut wanted: impl FnMut(&Record) -> Option<T>) -> T {
        wait::attempt(wait::LONG, || {
            self.setup.commands.log().iter().find_map(&mut wanted)
        })
        .unwrap_or_else(|| {
            panic!(
                "not told by a command: {what}\n{}{}",
                self.setup.commands.text(),
                self.lines.text()
            )
        })
    }

    /// Waits for the process number of the child that a hanging command has.
    pub fn hanging_child(&self) -> u32 {
        self.notes("a hanging child", |record| match record.event {
            Event::Child { pid } => Some(pid),
            _ => None,
        })
    }

    /// Asserts that for a while it runs no further command.
    ///
    /// # Panics
    /// When it does.
    pub fn runs_nothing_for(&self, period: Duration) {
        let before = self.setup.commands.names();
        wait::nothing_happens("another command was run", period, || {
            let now = self.setup.commands.names();
            (now != before).then_some(now)
        });
    }

    // --- its life --------------------------------------------------------------------------------

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends it a signal, and tells when.
    pub fn signal(&self, signal: Signal) -> Moment {
        self.process.signal(signal)
    }

    /// Kills it, and starts another one the same way.
    #[must_use]
    pub fn killed_and_restarted(self) -> Self {
        let Self { setup, process, .. } = self;
        process.kill();
        setup.spawn()
    }

    /// Ends it with SIGTERM, and asserts that it went well.
    ///
    /// # Panics
    /// When it doesn't end soon with exit code 0.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
        let status = wait::until("the daemon ends on SIGTERM", wait::LONG, || {
            self.process.ended()
        });
        assert_eq!(status.code(), Some(0), "{}", self.lines.text());
    }

    /// What every scenario ends with: the daemon ends well, and ran exactly these commands, never
    /// two at a time.
    ///
    /// # Panics
    /// When it didn't.
    pub fn ends_having_run(mut self, expected: &[&str]) {
        self.terminate();
        let (commands, log) = (&self.setup.commands, self.lines.text());
        assert_eq!(commands.names(), expected, "\n{}{log}", commands.text());
        assert_alone(&commands.log());
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.contains("kernel events were lost"), "{log}");
    }
}

/// Never two commands at a time.
fn assert_alone(log: &[Record]) {
    let mut running: Option<&Record> = None;
    for record in log {
        match record.event {
            Event::Overlap => panic!("two commands at a time: {log:#?}"),
            Event::Begin => {
                assert!(
                    running.is_none_or(|before| before.time <= record.time),
                    "{log:#?}"
                );
                running = Some(record);
            }
            Event::Child { .. } | Event::End { .. } => assert!(
                running.is_some_and(|running| running.pid == record.pid),
                "a command spoke after the next one had begun: {log:#?}"
            ),
        }
    }
}

fn is_probe(line: &Line) -> bool {
    matches!(
        line.message(),
        "probe" | "probe failed" | "probe says nothing about the primary"
    )
}
