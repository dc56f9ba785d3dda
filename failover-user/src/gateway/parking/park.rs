//! Parks a unit: it is started with the kernel program armed, stopped in its bind, frozen and checked. If anything
//! fails, everything is undone. A command that is killed leaves a record from which the next one continues.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use failover_linux::{
    bpf::stopper::StopEvent,
    escape,
    process::{self, ProcessKey},
};

use crate::gateway::{
    command::account::Account,
    parking::{
        discard,
        facts::Facts,
        fingerprint::Fingerprint,
        group,
        guard::{Counter, Guard},
        kernel::{self, Unit},
        manager::{self, ManagerVerb},
        place::Place,
        record::{Phase, Record, milliseconds},
        unit::{self, ParkedUnit},
    },
};

/// A `discard` or `continue` that is at its end.
const LOCK: Duration = Duration::from_secs(5);
/// Polling interval for a unit that is starting.
const LOOK: Duration = Duration::from_millis(100);
/// Polling interval for a unit without a process: the manager may not have begun its job yet, or the unit has failed.
const ASK: Duration = Duration::from_secs(1);
/// From the signal to the stop of all threads.
const STOPPED: Duration = Duration::from_secs(5);

/// Parks this unit, within this time.
///
/// # Errors
/// When it can't be parked, or not in time. Then nothing is left of it, unless the message says so.
pub fn park(place: &Place, parked: ParkedUnit, within: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + within;
    let _lock = place.lock(LOCK)?;
    if Record::read(place)?.is_some() {
        bail!(
            "port {} has a parked gateway already; `failover parking look` shows it, and `discard` ends it",
            place.port()
        );
    }
    let account = parked.manager_account()?;
    let facts = manager::call(&parked, account.as_ref(), ManagerVerb::Look)?;
    unit::check(&facts)?;
    ensure!(
        !facts.is_active(),
        "the unit is {} already; only one that doesn't run can be parked",
        escape::one_line(&facts.active_state)
    );
    let listening = kernel::sockets(place.port())?.listening;
    if let Some(listener) = listening.first() {
        bail!(
            "uid {} listens on {} already; nothing is started beside it",
            listener.uid,
            listener.address
        );
    }
    let group = group::expected(&parked, account.as_ref(), &facts).context(
        "the unit's control group can't be known before it runs; is its Slice= one of systemd's?",
    )?;
    let record = Record::new(place.port(), parked, group);
    let unit = Unit::of(&record)?;
    // Before anything that a later command would have to undo.
    record.write(place)?;
    let mut attempt = Attempt {
        place,
        record,
        unit,
        deadline,
    };
    match attempt.run() {
        Ok(()) => {
            println!("{}", crate::gateway::parking::look::look(place));
            Ok(())
        }
        Err(error) => match discard::end(place, &attempt.record) {
            Ok(()) => Err(error),
            Err(left) => Err(error.context(format!(
                "it isn't parked, and something of it is left ({left:#}); `failover parking discard` tries again"
            ))),
        },
    }
}

struct Attempt<'place> {
    place: &'place Place,
    record: Record,
    unit: Unit,
    deadline: Instant,
}

impl Attempt<'_> {
    fn run(&mut self) -> anyhow::Result<()> {
        let mut guard = Guard::open(self.place)?;
        let facts = self.ask(ManagerVerb::Hold)?;
        in_force(&facts)?;
        // What it reads is what is there now, or newer.
        self.record.read = Fingerprint::of(&facts, self.account());
        guard.arm(self.place.port(), &self.record.group, facts.manager_process)?;
        let counter = Counter::begin()
            .inspect_err(|error| eprintln!("failover: what it sends isn't counted: {error:#}"))
            .ok();
        self.record.times.started = Some(milliseconds());
        self.record.write(self.place)?;
        self.ask(ManagerVerb::Start)?;

        let stopped = self.stopped(&mut guard)?;
        self.record.times.bound = Some(milliseconds());
        let process = self.frozen(stopped.pid)?;
        self.check(stopped, process)?;
        self.record.sent = counter.and_then(|counter| counter.of(&self.unit));
        self.record.times.parked = Some(milliseconds());
        self.record.phase = Phase::Parked {
            process: process.into(),
        };
        Ok(self.record.write(self.place)?)
    }

    fn account(&self) -> Option<&Account> {
        self.unit.account()
    }

    fn ask(&self, verb: ManagerVerb) -> anyhow::Result<Facts> {
        manager::call(&self.record.unit, self.account(), verb)
    }

    /// Waits until the kernel has stopped it in its bind.
    fn stopped(&self, guard: &mut Guard) -> anyhow::Result<StopEvent> {
        let mut asked = Instant::now();
        loop {
            if let Some(stopped) = guard.wait(self.deadline.min(Instant::now() + LOOK))? {
                return Ok(stopped);
            }
            ensure!(
                Instant::now() < self.deadline,
                "it hasn't bound port {} in time",
                self.place.port()
            );
            if self.unit.is_populated() {
                asked = Instant::now();
            } else if asked.elapsed() >= ASK {
                asked = Instant::now();
                let facts = self.ask(ManagerVerb::Look)?;
                ensure!(
                    facts.is_active(),
                    "the unit is {} before it has bound port {}; `systemctl status` says more",
                    escape::one_line(&facts.active_state),
                    self.place.port()
                );
            }
        }
    }

    /// Freezes the unit once its process is stopped: a thread that is frozen on its way back from its bind has yet to
    /// take the signal (get_signal, kernel/signal.c, 6.18).
    fn frozen(&self, pid: u32) -> anyhow::Result<ProcessKey> {
        let process = ProcessKey::of(pid)
            .with_context(|| format!("process {pid} has ended while it was parked"))?;
        ensure!(
            kernel::until(STOPPED, || process::is_stopped(process)),
            "process {pid} wasn't stopped within {STOPPED:?}"
        );
        self.unit.freeze()?;
        Ok(process)
    }

    /// Is the stopped process what was to be parked, and nothing of it at large?
    fn check(&self, stopped: StopEvent, process: ProcessKey) -> anyhow::Result<()> {
        let pid = process.pid;
        ensure!(
            self.unit.id() == Some(stopped.control_group) && self.unit.holds(pid),
            "process {pid} isn't in {}",
            self.record.group
        );
        let facts = self.ask(ManagerVerb::Look)?;
        // Before a unit's first start its manager says that it has no watchdog (service_start, `core/service.c`,
        // systemd 252).
        unit::check(&facts)?;
        ensure!(
            facts.main_process == pid,
            "process {pid} isn't the unit's main process ({})",
            facts.main_process
        );
        ensure!(
            facts.group == self.record.group,
            "the unit runs in {}, not in {}",
            escape::one_line(&facts.group),
            self.record.group
        );
        in_force(&facts)?;
        let sockets = kernel::sockets(self.place.port())?;
        if let Some(listener) = sockets.listener_of(&self.unit, pid) {
            bail!("it listens on {} already", listener.address);
        }
        ensure!(
            sockets.is_bound_by(&self.unit, pid),
            "process {pid} has no socket that is bound to port {}",
            self.place.port()
        );
        Ok(())
    }
}

/// Does the manager apply the drop-in?
fn in_force(facts: &Facts) -> anyhow::Result<()> {
    let Facts {
        restart,
        kill_signal,
        ..
    } = facts;
    ensure!(
        restart == "no" && *kill_signal == libc::SIGKILL,
        "the unit keeps Restart={} and KillSignal={kill_signal} in spite of our drop-in, so it could be revived or \
         woken; is there a later drop-in?",
        escape::one_line(restart)
    );
    Ok(())
}
