//! The state directory: one daemon at a time, and what survives it. Compares what has to survive with what is
//! on disk, and writes it where it is another. It must not know what any of it means.

pub(crate) mod lock;
pub(crate) mod persisted;
pub(crate) mod writer;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use failover_decide::{PersistentState, RouterId};
use failover_linux::sock_diag::bound::Bound;

use crate::{
    gateway::spec::LocalGateway,
    standby::{
        drill::{Drill, DrillResult},
        failing::FailedDrills,
    },
    state_dir::{
        lock::{Lock, Refusal},
        persisted::{Binds, PERSISTED, Paused, Persisted, ReleaseHold, flapping::Flapping},
        writer::{Health, Writer},
    },
    sync::lineage::Lineage,
};

/// Gets whether something is on disk.
pub(crate) type Receipt = oneshot::Receiver<bool>;

/// A state directory that this daemon has, or will have.
#[derive(Debug)]
pub(crate) struct StateDir {
    lock: Lock,
    persisted: Persisted,
    writer: Writer,
}

/// What has to survive this daemon, as it is now.
#[derive(Debug)]
pub(crate) struct Durable<'now> {
    /// The primary, as it is configured.
    pub(crate) primary: String,
    /// The same with how it is checked: what is seen healthy.
    pub(crate) armed_for: String,
    /// What the decider hands out.
    pub(crate) decided: PersistentState,
    /// Where the primary answered, if it has a name.
    pub(crate) answered: &'now [SocketAddr],
    pub(crate) gateway: &'now LocalGateway,
    /// What the gateway bound last.
    pub(crate) bound: &'now [Bound],
}

/// Something that survived until now and doesn't any longer, or survives from now on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// The pause is over.
    PauseOver,
    /// A release by hand holds no longer.
    HoldOver,
    /// The primary was seen healthy for the first time.
    Armed,
}

impl StateDir {
    /// Locks it, now or once that can be done, and reads what an earlier daemon left.
    ///
    /// # Errors
    /// When another daemon has it.
    pub(crate) fn open(directory: &Path) -> Result<Self, Refusal> {
        let lock = Lock::acquire(directory)?;
        Ok(Self {
            lock,
            persisted: Persisted::load(directory),
            writer: Writer::new(&PERSISTED, directory),
        })
    }

    /// Waits until a lock that couldn't be had at the start is had. Cancel-safe.
    ///
    /// # Errors
    /// When another daemon was quicker.
    pub(crate) async fn acquired(&mut self) -> Result<(), Refusal> {
        self.lock.acquired().await
    }

    /// What survives.
    pub(crate) const fn persisted(&self) -> &Persisted {
        &self.persisted
    }

    // --- orders, which are kept as they were given -------------------------------------------

    pub(crate) fn pause(&mut self, pause: Paused) {
        self.persisted.pause = Some(pause);
    }

    pub(crate) fn take_over(&mut self, forced: bool) {
        self.persisted.forced = forced;
        self.persisted.hold = None;
    }

    pub(crate) fn release(&mut self, hold: Option<ReleaseHold>) {
        self.persisted.forced = false;
        self.persisted.hold = hold;
    }

    /// A drill has ended.
    pub(crate) fn drilled(&mut self, drill: Drill) {
        let failed = self.persisted.failed_drills.as_ref();
        self.persisted.failed_drills = FailedDrills::after(failed, &drill);
        let drill = Arc::new(drill);
        if drill.result != DrillResult::Interrupted {
            self.persisted.completed_drill = Some(Arc::clone(&drill));
        }
        self.persisted.drill = Some(drill);
        drop(self.write());
    }

    /// Changes what is kept of whose state descends from whose.
    pub(crate) fn change_lineage(&mut self, change: impl FnOnce(&mut Lineage)) {
        let mut lineage = self.persisted.lineage().clone();
        change(&mut lineage);
        if lineage != *self.persisted.lineage() {
            self.persisted.lineage = Arc::new(lineage);
            drop(self.write());
        }
    }

    // --- keeping -----------------------------------------------------------------------------

    /// Keeps what has to survive from now on.
    pub(crate) fn keep(&mut self, now: &Durable) -> Vec<Change> {
        let before = self.persisted.clone();
        let mut changes = Vec::new();
        let persisted = &mut self.persisted;
        let PersistentState {
            armed,
            standing,
            flap_history,
            routers,
        } = &now.decided;
        if standing.pause.is_none() && persisted.pause.take().is_some() {
            changes.push(Change::PauseOver);
        }
        if standing.hold_until.is_none() && persisted.hold.take().is_some() {
            changes.push(Change::HoldOver);
        }
        persisted.forced &= standing.forced;
        if *armed && persisted.armed_for.as_ref() != Some(&now.armed_for) {
            persisted.armed_for = Some(now.armed_for.clone());
            changes.push(Change::Armed);
        }
        if persisted.flaps(&now.primary) != *flap_history {
            persisted.flapping = Flapping::of(&now.primary, *flap_history);
        }
        if !now.answered.is_empty() {
            persisted.keep_addresses(&now.primary, now.answered);
        }
        if persisted.bound(now.gateway) != now.bound {
            persisted.bound = Some(Binds::of(now.gateway, now.bound));
        }
        let name = |router: &RouterId| router.as_str().to_owned();
        persisted.routers = routers.iter().map(name).collect();
        if self.persisted != before {
            drop(self.write());
        }
        changes
    }

    /// Writes what survives now, whether or not it is another than before.
    pub(crate) fn write(&self) -> Receipt {
        self.writer.write(self.persisted.document())
    }

    /// Writes what waits for a thread.
    pub(crate) fn go_on(&self) {
        self.writer.go_on();
    }

    /// Gives what is being written a moment.
    pub(crate) fn finish(&self, patience: Duration) {
        self.writer.finish(patience);
    }

    /// Whether it is being kept.
    pub(crate) fn health(&self) -> Health {
        self.writer.health()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{config::Configuration, standby::drill};

    const LONG: Duration = Duration::from_secs(10);

    fn gateway() -> LocalGateway {
        let options = "primary = '192.0.2.1'\ndry-run = true\ngateway = 'command'\nstart = 'true'\nstop = 'true'";
        let configuration = Configuration::load(options.parse().unwrap());
        configuration.unwrap().gateway
    }

    #[test]
    fn what_has_to_survive_is_written_when_it_is_another_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("remembered.json");
        let gateway = gateway();
        let durable = |armed_for: Option<&str>| Durable {
            primary: "192.0.2.1:18789".to_owned(),
            armed_for: armed_for.unwrap_or("another").to_owned(),
            decided: PersistentState {
                armed: armed_for.is_some(),
                ..PersistentState::default()
            },
            answered: &[],
            gateway: &gateway,
            bound: &[],
        };
        let mut state_dir = StateDir::open(directory.path()).unwrap();
        assert_eq!(state_dir.keep(&durable(None)), []);
        state_dir.finish(LONG);
        assert!(!file.exists());
        assert_eq!(state_dir.keep(&durable(Some("one"))), [Change::Armed]);
        assert_eq!(state_dir.keep(&durable(Some("one"))), []);
        state_dir.finish(LONG);
        assert!(fs::read_to_string(&file).unwrap().contains("\"one\""));
        // One that isn't armed any longer, as the check is another, was armed once.
        assert_eq!(state_dir.keep(&durable(None)), []);
        assert_eq!(state_dir.persisted().armed_for.as_deref(), Some("one"));
    }

    #[test]
    fn an_order_that_is_over_survives_no_longer_and_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let gateway = gateway();
        let over = Durable {
            primary: "192.0.2.1:18789".to_owned(),
            armed_for: "192.0.2.1:18789 tcp".to_owned(),
            decided: PersistentState::default(),
            answered: &[],
            gateway: &gateway,
            bound: &[],
        };
        let mut state_dir = StateDir::open(directory.path()).unwrap();
        state_dir.pause(Paused::now(None, 0, None));
        state_dir.release(ReleaseHold::now(60));
        assert_eq!(state_dir.keep(&over), [Change::PauseOver, Change::HoldOver]);
        assert_eq!(state_dir.keep(&over), []);
        assert_eq!(state_dir.persisted().pause, None);
        state_dir.take_over(true);
        state_dir.keep(&over);
        assert!(!state_dir.persisted().forced);
    }

    #[test]
    fn an_interrupted_drill_takes_nothing_back_that_the_one_before_has_shown() {
        let directory = tempfile::tempdir().unwrap();
        let mut state_dir = StateDir::open(directory.path()).unwrap();
        for result in [DrillResult::Passed, DrillResult::Interrupted] {
            state_dir.drilled(drill::sample(result));
        }
        let result = |drill: &Option<Arc<Drill>>| drill.as_ref().map(|drill| drill.result);
        let persisted = state_dir.persisted();
        assert_eq!(result(&persisted.drill), Some(DrillResult::Interrupted));
        assert_eq!(
            result(&persisted.completed_drill),
            Some(DrillResult::Passed)
        );
        state_dir.finish(LONG);
        drop(state_dir);
        let state_dir = StateDir::open(directory.path()).unwrap();
        let persisted = state_dir.persisted();
        assert_eq!(
            result(&persisted.completed_drill),
            Some(DrillResult::Passed)
        );
    }
}
