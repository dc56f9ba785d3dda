//! Start, stop and fence commands that note each run and do as a script says.
//!
//! The daemon is given `failover-lab start …`, and the same with `stop` and `fence`. Each run appends
//! a line to `commands.log` when it begins and one when it ends, and behaves as line n of
//! `start.plan`, say, tells, n being the how-manieth run of the command it is; the last line repeats.

mod run;

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{lab::Lab, moment::Moment, wait};
use run::Behaviour;
pub use run::{Options, run};

/// Which command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Starts the gateway.
    Start,
    /// Stops it.
    Stop,
    /// Makes sure that the primary is gone: here, it only says so.
    Fence,
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Fence => "fence",
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    /// When.
    pub time: Moment,
    /// Which command.
    pub command: Command,
    /// The how-manieth run of this command, from 1.
    pub run: usize,
    /// What happened.
    pub event: Event,
    /// The command's process number.
    pub pid: u32,
    /// As the plan says.
    pub behaviour: String,
}

/// What a line of the log tells.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    Begin,
    /// A run begins while another one hasn't ended: never right.
    Overlap,
    /// It has a child that only ends when it is killed.
    Child {
        /// That child.
        pid: u32,
    },
    /// It ends. One that is killed tells nothing.
    End {
        /// What it returns.
        code: u8,
    },
}

/// Which `openclaw` it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Release {
    /// 2026.9.6: a stop without a terminal wants `--force`.
    Current,
    /// 2026.6.11: it doesn't know `--force`.
    Old,
}

/// The folder with plans, log and process number.
#[derive(Clone, Debug)]
pub struct Commands {
    directory: PathBuf,
    lab_binary: PathBuf,
}

impl Commands {
    /// In this folder, which is made; all succeed unless planned otherwise.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new(directory: &Path, lab_binary: &Path) -> Result<Self> {
        fs::create_dir_all(directory).context("making the commands' folder")?;
        let commands = Self {
            directory: directory.to_owned(),
            lab_binary: lab_binary.to_owned(),
        };
        commands.plan(Command::Start, &["ok"])?;
        commands.plan(Command::Stop, &["ok"])?;
        commands.plan(Command::Fence, &["ok"])?;
        Ok(commands)
    }

    /// Says what the runs of a command do, one after the other; the last repeats.
    ///
    /// # Errors
    /// When one of them is unknown, or can't be written down.
    pub fn plan(&self, command: Command, behaviours: &[&str]) -> Result<()> {
        for behaviour in behaviours {
            behaviour.parse::<Behaviour>()?;
        }
        fs::write(self.plan_file(command), behaviours.join("\n")).context("writing a plan")
    }

    /// Lets the start go on that is held, and all that follow.
    ///
    /// # Panics
    /// When that can't be written down.
    pub fn unblock(&self) {
        fs::write(let_go_file(&self.directory), "").expect("letting a start go");
    }

    /// The command line to give to the daemon.
    #[must_use]
    pub fn line(&self, command: Command) -> String {
        format!(
            "'{}' {} --directory '{}'",
            self.lab_binary.display(),
            command.name(),
            self.directory.display()
        )
    }

    /// Writes a program `openclaw` whose `gateway start` and `gateway stop` are these commands, and
    /// tells where it is. Its folder can be put into `PATH`.
    ///
    /// # Errors
    /// When its folder can't be made.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn openclaw(&self, release: Release) -> Result<PathBuf> {
        let (stop, other_stop, complaint, help) = match release {
            Release::Current => (
                "gateway stop --force",
                "gateway stop",
                "Refusing to stop the gateway from a non-interactive shell without --force",
                "  --force     Allow stop from a non-interactive shell (default: false)",
            ),
            Release::Old => (
                "gateway stop",
                "gateway stop --force",
                "OpenClaw does not recognize option \"--force\".",
                "  --json      Output JSON (default: false)",
            ),
        };
        let script = format!(
            "#!/bin/sh\n\
             case \"$*\" in\n\
             'gateway start') exec {} ;;\n\
             '{stop}') exec {} ;;\n\
             '{other_stop}') echo '{complaint}' >&2 ;;\n\
             'gateway stop --help') echo 'Options:'; echo '{help}'; exit 0 ;;\n\
             *) echo \"no such command: $*\" >&2 ;;\n\
             esac\n\
             exit 1\n",
            self.line(Command::Start),
            self.line(Command::Stop),
        );
        let folder = self.directory.join("bin");
        fs::create_dir_all(&folder).context("making the folder of openclaw")?;
        let program = folder.join("openclaw");
        Lab::write_program(&program, &script);
        Ok(program)
    }

    /// What happened so far.
    ///
    /// # Panics
    /// When a line is not one of ours.
    #[must_use]
    pub fn log(&self) -> Vec<Record> {
        records(&self.directory).expect("reading the commands' log")
    }

    /// The commands that were run, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let log = self.log();
        log.iter()
            .filter(|record| record.event == Event::Begin)
            .map(|record| record.command.name())
            .collect()
    }

    /// The local gateway's process number, if one was started and not stopped. It is written down right
    /// after the gateway listens, so it is waited for a little.
    #[must_use]
    pub fn gateway(&self) -> Option<u32> {
        wait::attempt(Duration::from_secs(1), || gateway(&self.directory))
    }

    /// The log, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for record in self.log() {
            let _ = writeln!(text, "{record:?}");
        }
        text
    }

    fn plan_file(&self, command: Command) -> PathBuf {
        self.directory.join(format!("{}.plan", command.name()))
    }
}

/// The gateway's process number: one that was written down, and is still a gateway's.
fn gateway(directory: &Path) -> Option<u32> {
    let file = pid_file(directory);
    let pid = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
    // The number may belong to somebody else by now. A process with this file in its environment is ours.
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    arguments
        .split(|byte| *byte == 0)
        .any(|argument| argument == file.as_os_str().as_encoded_bytes())
        .then_some(pid)
}

fn pid_file(directory: &Path) -> PathBuf {
    directory.join("gateway.pid")
}

fn let_go_file(directory: &Path) -> PathBuf {
    directory.join("let-go")
}

fn records(directory: &Path) -> Result<Vec<Record>> {
    let text = match fs::read_to_string(directory.join("commands.log")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context("reading the log"),
    };
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("reading {line:?}")))
        .collect()
}

/// One write to a file opened for appending: lines never mix.
fn append(directory: &Path, record: &Record) -> Result<()> {
    let mut line = serde_json::to_string(record).context("making a line")?;
    line.push('\n');
    let mut log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("commands.log"))
        .context("opening the log")?;
    log.write_all(line.as_bytes()).context("writing the log")
}
