//! What a service manager says of a unit, read in its account's process and handed on as JSON. An account controls
//! its own manager, so all of it is a claim: bounded here, and checked where it is used.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use crate::gateway::command::manager::{MANAGER, Manager, PATH, SERVICE, UNIT};

/// Of the text that has them.
pub(super) const LONGEST_FACTS: usize = 64 * 1024;
/// Of each list.
const MOST: usize = 64;
/// Of each text (PATH_MAX).
const LONGEST_TEXT: usize = 4096;

/// The facts of a unit.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// LoadState: `loaded`, `not-found`, ...
    pub load_state: String,
    /// ActiveState.
    pub active_state: String,
    /// It has a job that hasn't ended.
    pub has_job: bool,
    /// Type.
    pub kind: String,
    /// Restart.
    pub restart: String,
    /// KillSignal, a number (signal(7)).
    pub kill_signal: i32,
    /// WatchdogSec, in microseconds.
    pub watchdog: u64,
    /// Its slice's name.
    pub slice: String,
    /// Its control group, as the manager names it; empty while there is none.
    pub group: String,
    /// Its main process; 0: none.
    pub main_process: u32,
    /// Units that activate it.
    pub triggered_by: Vec<String>,
    /// Files that it was read from and reads: the unit's own, drop-ins, environment files.
    pub files: Vec<String>,
    /// The words of its start command.
    pub command: Vec<String>,
    /// The manager's own control group.
    pub manager_group: String,
    /// The manager's process.
    pub manager_process: u32,
}

impl Facts {
    /// Asks for them. Inside a tokio runtime.
    ///
    /// # Errors
    /// When the manager can't be asked.
    pub(super) async fn ask(manager: &Manager, name: &str) -> anyhow::Result<Self> {
        let object: OwnedObjectPath = manager.ask("LoadUnit", name).await?.body().deserialize()?;
        let unit = Properties(manager.properties(object.as_str(), UNIT).await?);
        let service = Properties(manager.properties(object.as_str(), SERVICE).await?);
        let own = Properties(manager.properties(PATH, MANAGER).await?);
        let mut files = vec![unit.text("FragmentPath")];
        files.extend(unit.texts("DropInPaths"));
        files.extend(service.first_of_each("EnvironmentFiles"));
        files.retain(|file| !file.is_empty());
        files.truncate(MOST);
        Ok(Self {
            load_state: unit.text("LoadState"),
            active_state: unit.text("ActiveState"),
            has_job: unit.job() != 0,
            kind: service.text("Type"),
            restart: service.text("Restart"),
            kill_signal: service.number("KillSignal").unwrap_or_default(),
            watchdog: service.number("WatchdogUSec").unwrap_or_default(),
            slice: service.text("Slice"),
            group: service.text("ControlGroup"),
            main_process: service.number("MainPID").unwrap_or_default(),
            triggered_by: unit.texts("TriggeredBy"),
            files,
            command: service.command(),
            manager_group: own.text("ControlGroup"),
            manager_process: manager.process().await?,
        })
    }

    /// Reads what [`Self::ask`] found in another process.
    ///
    /// # Errors
    /// When it isn't that.
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        ensure!(text.len() < LONGEST_FACTS, "the answer is too long");
        let facts: Self = serde_json::from_slice(text).context("the answer isn't readable")?;
        Ok(facts)
    }

    /// Is it running, on its way up or down, or waiting for its restart?
    pub(super) fn is_active(&self) -> bool {
        self.has_job || !matches!(self.active_state.as_str(), "inactive" | "failed")
    }
}

/// Those of a D-Bus interface. One that is missing or of another type reads as empty.
struct Properties(HashMap<String, OwnedValue>);

impl Properties {
    fn text(&self, name: &str) -> String {
        let value = self.0.get(name).map(|value| &**value);
        value.and_then(text).unwrap_or_default()
    }

    fn number<N>(&self, name: &str) -> Option<N>
    where
        N: for<'value> TryFrom<&'value Value<'value>>,
    {
        N::try_from(self.0.get(name)?).ok()
    }

    fn list(&self, name: &str) -> Vec<&Value<'_>> {
        match self.0.get(name).map(|value| &**value) {
            Some(Value::Array(array)) => array.iter().take(MOST).collect(),
            _ => Vec::new(),
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).into_iter().filter_map(text).collect()
    }

    /// Of a list of structures that begin with a text.
    fn first_of_each(&self, name: &str) -> Vec<String> {
        let entries = self.list(name).into_iter();
        entries
            .filter_map(|entry| match entry {
                Value::Structure(entry) => text(entry.fields().first()?),
                _ => None,
            })
            .collect()
    }

    /// `Job` is its number, 0 for none, and its object.
    fn job(&self) -> u32 {
        match self.0.get("Job").map(|value| &**value) {
            Some(Value::Structure(job)) => match job.fields().first() {
                Some(Value::U32(number)) => *number,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// The program and the arguments of the first start command.
    fn command(&self) -> Vec<String> {
        let starts = self.list("ExecStart");
        let Some(Value::Structure(start)) = starts.first() else {
            return Vec::new();
        };
        match start.fields() {
            [program, Value::Array(words), ..] => text(program)
                .into_iter()
                .chain(words.iter().skip(1).filter_map(text))
                .take(MOST)
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Str(text) if text.len() <= LONGEST_TEXT => Some(text.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn nonsense_of_an_accounts_manager_is_refused(bytes in vec(any::<u8>(), 0..400)) {
            prop_assert!(Facts::parse(&bytes).is_err());
        }
    }

    #[test]
    fn facts_survive_the_way_between_two_processes() {
        let facts = Facts {
            group: "/a/b".to_owned(),
            main_process: 7,
            files: vec!["/etc/x".to_owned()],
            ..Facts::default()
        };
        let text = serde_json::to_vec(&facts).unwrap();
        assert_eq!(Facts::parse(&text).unwrap(), facts);
        assert!(Facts::parse(&vec![b' '; LONGEST_FACTS]).is_err());
    }
}
