//! Starts and stops a unit through its service manager's D-Bus interface (org.freedesktop.systemd1(5)): it
//! waits for the job to end, and reads back the unit's state.
//!
//! It is a separate command, which the daemon runs like all others: as the account of the service manager, so
//! that it gets access; with a timeout and a kill; and without any state left in the daemon.

use std::{fmt, io, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use tokio::{io::AsyncReadExt as _, time::timeout};
use zbus::zvariant::OwnedObjectPath;

use failover_linux::escape::Escaped;

pub use crate::gateway::command::manager::Scope;
use crate::gateway::{
    command::{
        account::Account,
        alone,
        command_line::{CommandLine, THIS_PROGRAM},
        manager::{MANAGER, Manager, PATH},
    },
    spec::LocalUnit,
};

/// Hidden verbs of the command line.
const VERB: &str = "unit-job";
const STATE_VERB: &str = "unit-state";
/// A line for each of a few units.
const LONGEST_ANSWER: u64 = 4096;
/// Limit for the units that a pattern matches.
const MOST_UNITS: usize = 16;

/// Timeout if the daemon, which kills it long before, is gone.
const LONGEST_JOB: Duration = Duration::from_secs(3600);

/// An operation on a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum UnitVerb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
}

/// An operation on a certain unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitCommand {
    verb: UnitVerb,
    scope: Scope,
    unit: String,
}

impl UnitVerb {
    /// Its name, on the command line too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Start => "StartUnit",
            Self::Stop => "StopUnit",
        }
    }

    /// Is this the wanted state of the unit?
    fn is_reached(self, state: &str) -> bool {
        match self {
            Self::Start => matches!(state, "active" | "activating" | "reloading" | "refreshing"),
            // One that had to be killed has failed, and is gone.
            Self::Stop => matches!(state, "inactive" | "failed"),
        }
    }
}

impl UnitCommand {
    /// This operation on that unit.
    #[must_use]
    pub fn new(verb: UnitVerb, scope: Scope, unit: &str) -> Self {
        let unit = unit.to_owned();
        Self { verb, scope, unit }
    }

    /// The command line that runs it in its own process.
    #[must_use]
    pub fn line(&self) -> CommandLine {
        let mut arguments = vec![VERB.to_owned(), self.verb.name().to_owned()];
        if self.scope == Scope::User {
            arguments.push("--user".to_owned());
        }
        arguments.push(self.unit.clone());
        CommandLine {
            program: THIS_PROGRAM.into(),
            arguments,
        }
    }

    /// Runs it, and waits until it is done. Prints the resulting state of the unit. Inside a tokio runtime.
    ///
    /// # Errors
    /// When the manager can't be reached or refuses, or the unit isn't in the wanted state.
    pub async fn run(&self) -> anyhow::Result<()> {
        timeout(LONGEST_JOB, self.job())
            .await
            .with_context(|| format!("not within {LONGEST_JOB:?}"))?
            .with_context(|| format!("{} {self}", self.verb.name()))
    }

    async fn job(&self) -> anyhow::Result<()> {
        let manager = Manager::connect(self.scope).await?;
        let unit = manager.load(&self.unit).await?;
        if self.verb == UnitVerb::Start {
            // A unit that failed too often would not be started; what is wanted now is wanted.
            let _ = manager.ask("ResetFailedUnit", &self.unit).await;
        }
        let result = manager.job(self.verb.method(), &self.unit).await?;
        let state: String = manager.property(&unit, "ActiveState").await?;
        let detail: String = manager.property(&unit, "SubState").await?;
        println!("{self}: job {result}, {state} ({detail})");
        ensure!(
            result == "done",
            "the job ended as `{result}`; `{} status {}` says more",
            self.scope.systemctl(),
            self.unit
        );
        ensure!(
            self.verb.is_reached(&state),
            "the job is done, but the unit is {state} ({detail}); `{} status {}` says more",
            self.scope.systemctl(),
            self.unit
        );
        Ok(())
    }
}

/// The command line that prints the states of the units of this name, in which `*` stands for anything: one
/// per line, see [`UnitState`].
fn state_line(scope: Scope, name: &str) -> CommandLine {
    let mut arguments = vec![STATE_VERB.to_owned()];
    if scope == Scope::User {
        arguments.push("--user".to_owned());
    }
    arguments.push(name.to_owned());
    CommandLine {
        program: THIS_PROGRAM.into(),
        arguments,
    }
}

/// The states of the units of this name, from a process of an account that may ask: this one, where it is `None` or the
/// service manager is the system's.
///
/// # Errors
/// When the service manager can't be queried.
pub(crate) async fn states(
    unit: &LocalUnit,
    account: Option<&Account>,
) -> io::Result<Vec<UnitState>> {
    let line = state_line(unit.scope, &unit.name);
    let account = account.filter(|_| unit.scope == Scope::User);
    let mut process = alone(&line, account)?;
    process
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = process.spawn()?;
    let mut answer = String::new();
    if let Some(output) = child.stdout.take() {
        output
            .take(LONGEST_ANSWER)
            .read_to_string(&mut answer)
            .await?;
    }
    match child.wait().await? {
        status if status.success() => Ok(answer.lines().filter_map(UnitState::parsed).collect()),
        status => Err(io::Error::other(format!(
            "the service manager can't be queried: {status}"
        ))),
    }
}

/// The state of a unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitState {
    name: String,
    active: String,
    sub: String,
    /// Its pending job; 0: none.
    job: u32,
    /// Automatic restarts since it was started.
    pub(crate) restarts: u32,
}

impl UnitState {
    /// Parses a line.
    pub(crate) fn parsed(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut word = || words.next().map(str::to_owned);
        let (name, active, sub) = (word()?, word()?, word()?);
        Some(Self {
            name,
            active,
            sub,
            job: word()?.parse().ok()?,
            restarts: word()?.parse().ok()?,
        })
    }

    /// Its `ActiveState` and `SubState` (org.freedesktop.systemd1(5)).
    pub(crate) fn state(&self) -> (&str, &str) {
        (&self.active, &self.sub)
    }

    /// Is it running, or about to? One that waits for its automatic restart is, too.
    pub(crate) fn is_active(&self) -> bool {
        self.job != 0 || !matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// The loaded units of this name. Inside a tokio runtime.
    ///
    /// # Errors
    /// When the manager can't be reached.
    pub async fn of(scope: Scope, name: &str) -> anyhow::Result<Vec<Self>> {
        /// An element of ListUnitsByPatterns (org.freedesktop.systemd1(5)).
        type Listed = (
            String,
            String,
            String,
            String,
            String,
            String,
            OwnedObjectPath,
            u32,
            String,
            OwnedObjectPath,
        );
        let manager = Manager::connect(scope).await?;
        // Backslashes escape in patterns (fnmatch(3)), and are a part of names (systemd-escape(1)).
        let pattern = name.replace('\\', "\\\\");
        let body = (&[] as &[&str], &[pattern.as_str()] as &[&str]);
        let listed: Vec<Listed> = manager
            .call(PATH, MANAGER, "ListUnitsByPatterns", &body)
            .await?
            .body()
            .deserialize()?;
        let mut states = Vec::new();
        for (name, _, _, active, sub, _, unit, job, ..) in listed.into_iter().take(MOST_UNITS) {
            // A unit of another kind has no such property.
            let restarts = manager.restarts(&unit).await.unwrap_or(0);
            states.push(Self {
                name,
                active,
                sub,
                job,
                restarts,
            });
        }
        Ok(states)
    }

    /// Prints them for a parser.
    #[must_use]
    pub fn line(&self) -> String {
        let Self {
            name,
            active,
            sub,
            job,
            restarts,
        } = self;
        format!("{name} {active} {sub} {job} {restarts}")
    }
}

impl fmt::Display for UnitState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, active, sub, ..
        } = self;
        write!(
            formatter,
            "unit {} is {} ({})",
            Escaped(name),
            Escaped(active),
            Escaped(sub)
        )
    }
}

impl Scope {
    const fn systemctl(self) -> &'static str {
        match self {
            Self::System => "systemctl",
            Self::User => "systemctl --user",
        }
    }
}

impl fmt::Display for UnitCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::System => write!(formatter, "unit {}", self.unit),
            Scope::User => write!(formatter, "user unit {}", self.unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let text = "a.service activating auto-restart 0 3";
        let state = UnitState::parsed(text).unwrap();
        assert_eq!(state.line(), text);
        assert_eq!(state.restarts, 3);
        for nonsense in ["", "a", "a b c", "a b c d e", "a b c 1"] {
            assert_eq!(UnitState::parsed(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_stop_is_content_with_a_unit_that_failed_and_a_start_is_not() {
        for (state, started, stopped) in [
            ("active", true, false),
            ("activating", true, false),
            ("reloading", true, false),
            ("deactivating", false, false),
            ("inactive", false, true),
            ("failed", false, true),
            ("", false, false),
        ] {
            assert_eq!(UnitVerb::Start.is_reached(state), started, "{state}");
            assert_eq!(UnitVerb::Stop.is_reached(state), stopped, "{state}");
        }
    }
}
