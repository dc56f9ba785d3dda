//! The program under test as a daemon on PC-B, and its log.

mod deaf;
mod setup;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Output},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    commands::{Command, Commands, Event, Record},
    lab::{Lab, Process, failover_binary},
    lines::{Line, Lines},
    moment::Moment,
    wait,
};
pub use setup::Setup;

/// A running daemon. What is waited for has not been waited for before: each wait continues where the
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

    /// The same with another timeout.
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
        self.becomes_within(wait::LONG, state)
    }

    /// The same with another timeout.
    pub fn becomes_within(&mut self, patience: Duration, state: &str) -> Line {
        self.says_within(patience, &format!("state {state}"), |line| {
            is_change(line) && line.field("to") == state
        })
    }

    /// Takes over from this primary, which is killed, and releases for another one.
    ///
    /// # Panics
    /// With the whole log, when it doesn't.
    #[must_use]
    pub fn takes_over_and_releases(&mut self, lab: &Lab, primary: Process) -> Process {
        primary.kill();
        self.becomes("active");
        let primary = lab.host_a().gateway().expect("a primary");
        self.becomes("standby");
        primary
    }

    /// Gives it an order as root: a verb of `failover` that takes `--control`, and its options.
    ///
    /// # Panics
    /// When that can't be run.
    #[must_use]
    pub fn order(&self, words: &[&str]) -> Output {
        process::Command::new(failover_binary())
            .args(words)
            .arg("--control")
            .arg(self.control())
            .output()
            .expect("running failover")
    }

    /// Gives it an order that it follows, and returns the output.
    ///
    /// # Panics
    /// When it isn't.
    pub fn follows(&self, words: &[&str]) -> String {
        let output = self.order(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Waits for a probe with this outcome.
    pub fn probes(&mut self, outcome: &str) -> Line {
        self.says(&format!("a probe that ends {outcome}"), |line| {
            is_probe(line) && line.field("outcome") == outcome
        })
    }

    /// Waits until it has this number of strikes.
    pub fn counts(&mut self, strikes: u64) -> Line {
        self.says(&format!("{strikes} strikes"), |line| {
            is_change(line) && line.number("strikes") == Some(strikes)
        })
    }

    /// All lines so far that are wanted.
    #[must_use]
    pub fn said(&self, wanted: impl FnMut(&Line) -> bool) -> Vec<Line> {
        let mut lines = self.lines.from(0);
        lines.retain(wanted);
        lines
    }

    /// All lines before the first that is wanted.
    #[must_use]
    pub fn said_before(&self, mut wanted: impl FnMut(&Line) -> bool) -> Vec<Line> {
        let lines = self.lines.from(0).into_iter();
        lines.take_while(|line| !wanted(line)).collect()
    }

    /// The probes before it changed to this state first.
    #[must_use]
    pub fn probed_before(&self, state: &str) -> Vec<Line> {
        let mut lines = self.said_before(|line| is_change(line) && line.field("to") == state);
        lines.retain(is_probe);
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
            .said(is_change)
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

    /// Waits for a report of a command's run.
    ///
    /// # Panics
    /// With the whole log, when it doesn't.
    pub fn notes<T>(&self, what: &str, mut wanted: impl FnMut(&Record) -> Option<T>) -> T {
        wait::attempt(wait::LONG, || {
            self.setup.commands.log().iter().find_map(&mut wanted)
        })
        .unwrap_or_else(|| {
            panic!(
                "not reported by a command: {what}\n{}{}",
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

    // --- its answers -----------------------------------------------------------------------------

    /// Its control socket.
    #[must_use]
    pub fn control(&self) -> &Path {
        self.setup.control()
    }

    /// The output of `failover status`, with the exit code.
    ///
    /// # Panics
    /// When that isn't JSON.
    #[must_use]
    pub fn status(&self) -> (Value, i32) {
        let output = process::Command::new(failover_binary())
            .args(["status", "--output", "json", "--control"])
            .arg(self.control())
            .output()
            .expect("running failover status");
        let status = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (status, output.status.code().expect("an exit code"))
    }

    /// Changes these options of its file, see [`Setup::configure`], and has it read again.
    pub fn reload(&self, changes: &[(&str, &str)]) {
        self.setup.configure(changes);
        self.signal(Signal::HUP);
    }

    // --- its life --------------------------------------------------------------------------------

    /// Its process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its memory of this kind in bytes, such as `RssAnon` (proc_pid_status(5)).
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn memory(&self, kind: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: Option<u64> = number.and_then(|number| number.parse().ok());
        kilobytes.unwrap_or_else(|| panic!("no {kind} in {status}")) * 1024
    }

    /// How many files and sockets it has open.
    ///
    /// # Panics
    /// When it doesn't run any longer.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.pid()));
        descriptors.expect("the daemon runs").count()
    }

    /// Sends it a signal, and returns when.
    pub fn signal(&self, signal: Signal) -> Moment {
        self.process.signal(signal)
    }

    /// Waits until its persisted state is like this: it is logged before it is on disk.
    ///
    /// # Panics
    /// With what it keeps, when it never is.
    pub fn remembers(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let file = self.setup.state_dir().join("remembered.json");
        let read = || fs::read_to_string(&file).unwrap_or_default();
        wait::attempt(wait::LONG, || {
            let kept = serde_json::from_str(&read()).ok()?;
            wanted(&kept).then_some(())
        })
        .unwrap_or_else(|| panic!("it doesn't remember {what}: {}", read()));
    }

    /// Its state directory.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.setup.state_dir()
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
        assert_eq!(self.exit_code(), Some(0), "{}", self.lines.text());
    }

    /// Waits until it has ended and all of its output is read; its exit code, if it has one.
    ///
    /// # Panics
    /// When it doesn't end soon.
    pub fn exit_code(&mut self) -> Option<i32> {
        let status = wait::until("the daemon and its log end", wait::LONG, || {
            let ended = self.process.ended()?;
            self.lines.ended().then_some(ended)
        });
        status.code()
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

fn is_change(line: &Line) -> bool {
    line.message() == "state changed"
}

fn is_probe(line: &Line) -> bool {
    matches!(
        line.message(),
        "probe" | "probe failed" | "probe says nothing about the primary"
    )
}
