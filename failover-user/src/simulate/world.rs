//! The daemon in virtual time: drives a real [`Decider`] as the daemon does, through one run's
//! faults.
//!
//! It is called on time, but for suspends. It was armed long ago, but under stress, and a local gateway
//! that listens answers. Who listens is known at once, as with kernel events. The tripwire tells of a
//! dead process at once and of silence after its keepalives; other connections to the primary are not
//! modelled, so there is no other evidence.

mod router;

use std::time::Duration;

use super::{
    environment::{Answer, Environment, FENCE, Orders, Start, retransmission},
    faults::Change,
    parking::Parking,
    tripwire::Tripwire,
};
use failover_decide::{
    Action, Begun, CommandResult, Decider, Event, Failure, Gone, Outcome, PersistentState,
    PortObservation, ProbeId, RoundId, Settings, StandbyMode, Step, Time, invariants::Invariants,
};
use router::Router;

/// A killed command is gone after this time.
const DYING: Duration = Duration::from_millis(10);

pub(super) struct World<'s, 'a> {
    environment: &'s mut Environment<'a>,
    settings: &'s Settings,
    decider: Decider,
    invariants: Invariants,
    wake: Option<Time>,
    probe: Option<Probe>,
    command: Option<Running>,
    /// When the gateway comes up whose start command has given up.
    coming: Option<Time>,
    router: Router,
    witnesses: Option<Round>,
    tripwire: Tripwire,
    parking: Parking,
    asleep: Option<Time>,
    rebooted: bool,
    /// What an operator does next; `None` where there is none, and the primary was seen long ago.
    operator: Option<Orders>,
}

/// A probe in flight.
struct Probe {
    id: ProbeId,
    began: Time,
    sent: u32,
    /// When something happens: an answer arrives, or the SYN is sent again, or time is up.
    next: Time,
    answer: Option<Outcome>,
}

/// The witnesses are being asked.
struct Round {
    id: RoundId,
    ends: Time,
    answered: u32,
}

/// A command in flight.
struct Running {
    command: Step,
    ends: Time,
    result: CommandResult,
}

impl<'s, 'a> World<'s, 'a> {
    /// A daemon that is armed at a random time within its first interval.
    pub(super) fn new(
        environment: &'s mut Environment<'a>,
        settings: &'s Settings,
        mode: StandbyMode,
    ) -> Self {
        let begin = Time::default() + settings.interval.mul_f64(environment.rng.f64());
        while environment.next_change() < begin && environment.change().is_some() {}
        environment.now = begin;
        Self {
            decider: Decider::new(settings.clone(), begin),
            invariants: Invariants::new(settings.clone()),
            environment,
            settings,
            wake: None,
            probe: None,
            command: None,
            coming: None,
            router: Router::default(),
            witnesses: None,
            tripwire: Tripwire::default(),
            parking: Parking::of(mode),
            asleep: None,
            rebooted: false,
            operator: None,
        }
    }

    /// The same with an operator, and an owner who may have given a wrong address.
    pub(super) fn stressed(
        environment: &'s mut Environment<'a>,
        settings: &'s Settings,
        mode: StandbyMode,
        orders: Orders,
    ) -> Self {
        Self {
            operator: Some(orders),
            ..Self::new(environment, settings, mode)
        }
    }

    /// Plays until the run is over.
    pub(super) fn play(mut self) {
        self.boot();
        loop {
            let change = self.environment.next_change();
            let own = if self.asleep.is_some() {
                None
            } else {
                self.next_own()
            };
            match own {
                Some(at) if at < change => {
                    self.environment.now = self.environment.now.max(at);
                    self.own(at);
                }
                _ => match self.environment.change() {
                    Some(change) => self.changed(change),
                    None => break,
                },
            }
        }
        self.invariants.end(self.environment.now, &self.decider);
        let statistics = &mut self.environment.tally.statistics;
        statistics.violated = self.invariants.violated();
        let violations = self.invariants.violations().iter();
        statistics.violations = violations.map(ToString::to_string).collect();
    }

    /// What the daemon keeps on disk is there afterwards. The wall clock is right.
    fn boot(&mut self) {
        let persistent = PersistentState {
            armed: false,
            ..self.decider.persistent_state()
        };
        let settings = self.settings.clone();
        self.decider = Decider::after(persistent, settings, self.environment.now);
        self.invariants.boot();
        self.probe = None;
        self.command = None;
        self.coming = None;
        self.witnesses = None;
        self.tripwire = Tripwire::default();
        self.parking.forget();
        self.router.give_up();
        if self.operator.is_none() || self.environment.rng.bool() {
            self.tell(Event::Armed);
        }
        self.tell(Router::found());
        if let Some(standby) = self.parking.standby() {
            self.tell(standby);
        }
        self.tell(Event::Port(PortObservation::Absent));
    }

    // --- time --------------------------------------------------------------------------------

    fn next_own(&self) -> Option<Time> {
        let times = [
            self.wake,
            self.coming,
            self.probe.as_ref().map(|probe| probe.next),
            self.command.as_ref().map(|command| command.ends),
            self.tripwire.ends(),
            self.witnesses.as_ref().map(|round| round.ends),
            self.next_order(),
            self.router.ends(),
        ];
        // By reference: this runs for every event, and moving the array would take longest.
        times.iter().flatten().min().copied()
    }

    fn own(&mut self, at: Time) {
        if self.probe.as_ref().is_some_and(|probe| probe.next <= at) {
            self.probe_goes_on();
        } else if let Some(ended) = self.command.take_if(|command| command.ends <= at) {
            self.command_ended(ended);
        } else if self.coming.take_if(|coming| *coming <= at).is_some() {
            self.environment.set_listens(true);
            self.tell(Event::Port(PortObservation::Listening));
        } else if let Some(evidence) = self.tripwire.ended(at) {
            self.tell(Event::Evidence(evidence, self.environment.now));
        } else if let Some(round) = self.witnesses.take_if(|round| round.ends <= at) {
            self.tell(Event::Witnesses {
                round: round.id,
                answered: round.answered,
            });
        } else if let Some(pinged) = self.router.ended(at) {
            self.tell(pinged);
        } else if self.next_order().is_some_and(|order| order <= at) {
            self.order();
        } else {
            self.tell(Event::Woke);
        }
    }

    fn next_order(&self) -> Option<Time> {
        let orders = self.operator.as_ref()?;
        orders.front().map(|(at, _)| *at)
    }

    /// As the daemon does, it asks first.
    fn order(&mut self) {
        let orders = self.operator.as_mut();
        if let Some((_, order)) = orders.and_then(Orders::pop_front)
            && self
                .decider
                .objection(self.environment.now, order)
                .is_none()
        {
            self.tell(Event::Operator(order));
        }
    }

    fn changed(&mut self, change: Change) {
        let now = self.environment.now;
        if self.environment.net.rebooting() {
            self.rebooted = true;
        }
        match (self.asleep, self.environment.net.awake()) {
            (None, false) => self.asleep = Some(now),
            (Some(since), true) => {
                self.asleep = None;
                if std::mem::take(&mut self.rebooted) {
                    self.boot();
                } else {
                    self.woke_up(now.since(since));
                }
            }
            _ => {}
        }
        self.changes_tripwire(change);
    }

    fn changes_tripwire(&mut self, change: Change) {
        self.tripwire
            .changed(change, self.environment, self.settings.interval);
    }

    /// Timers stood still while PC-B slept.
    fn woke_up(&mut self, slept: Duration) {
        let slots = [
            self.probe.as_mut().map(|probe| &mut probe.next),
            self.command.as_mut().map(|command| &mut command.ends),
            self.coming.as_mut(),
            self.witnesses.as_mut().map(|round| &mut round.ends),
        ];
        for slot in slots.into_iter().flatten() {
            *slot = *slot + slept;
        }
        self.router.slept(slept);
        self.tripwire.slept(slept);
        self.parking.slept(slept);
        self.tell(Event::Suspended);
        if self.coming.is_some() && self.decider.awaits_start() {
            self.tell(Event::Begun(Begun::Alive));
        }
    }

    // --- what is seen ------------------------------------------------------------------------

    fn tell(&mut self, event: Event) {
        let now = self.environment.now;
        self.invariants.before(now, &event, &self.decider);
        let actions = self.decider.handle(now, [event]);
        self.wake = self.decider.next_wake();
        self.invariants
            .after(now, &actions, self.wake, &self.decider);
        for action in &actions {
            self.carry_out(action);
        }
    }

    fn probe_goes_on(&mut self) {
        let Some(mut probe) = self.probe.take() else {
            return;
        };
        let now = self.environment.now;
        let took = now.since(probe.began);
        let outcome = match probe.answer.take() {
            Some(outcome) => outcome,
            None if took < self.settings.timeout => {
                self.send(&mut probe);
                self.probe = Some(probe);
                return;
            }
            None if !self.environment.has_carrier() => Outcome::Unknown {
                reason: String::new(),
                gone: Some(Gone::Path),
            },
            None => Outcome::Failed {
                failure: Failure::TimedOut,
                took,
            },
        };
        if matches!(outcome, Outcome::Connected { .. }) {
            self.tripwire
                .connected(self.environment, self.settings.interval);
        }
        let probe = probe.id;
        self.tell(Event::ProbeEnded { probe, outcome });
    }

    fn send(&mut self, probe: &mut Probe) {
        let now = self.environment.now;
        probe.sent += 1;
        let over = probe.began + self.settings.timeout;
        probe.next = over.min(probe.began + retransmission(probe.sent));
        let so_far = now.since(probe.began);
        let (took, outcome) = match self.environment.ask() {
            Answer::Accepted(took) => (
                took,
                Outcome::Connected {
                    took: so_far + took,
                },
            ),
            Answer::Refused(took) => (
                took,
                Outcome::Failed {
                    failure: Failure::Refused,
                    took: so_far + took,
                },
            ),
            Answer::Silence => return,
        };
        if now + took < over {
            probe.next = now + took;
            probe.answer = Some(outcome);
        } else {
            probe.next = over;
        }
    }

    fn command_ended(&mut self, ended: Running) {
        let Running {
            command, result, ..
        } = ended;
        let worked = result == CommandResult::Succeeded;
        match command {
            Step::START if worked && !self.environment.listens => {
                self.environment.set_listens(true);
                self.tell(Event::Port(PortObservation::Listening));
            }
            Step::STOP => {
                if worked {
                    self.coming = None;
                    self.environment.set_listens(false);
                    self.tell(Event::Port(PortObservation::Absent));
                }
                self.environment.set_stopping(false);
            }
            Step::PARK if worked => self.parking.parked(),
            Step::FENCE if worked => {
                let change = self.environment.fence();
                self.changes_tripwire(change);
            }
            _ => {}
        }
        let left = match self.coming {
            Some(_) => Begun::Alive,
            None => Begun::Gone,
        };
        self.tell(Event::CommandEnded { command, result });
        if command == Step::START && self.decider.awaits_start() {
            self.tell(Event::Begun(left));
        }
    }

    // --- what is decided ---------------------------------------------------------------------

    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::Probe { probe, .. } => self.begin_probe(*probe),
            Action::PingRouters => {
                let answer = self.environment.ask_witness(self.settings.timeout);
                let now = self.environment.now;
                self.router.ping(now, answer, self.settings.timeout);
            }
            Action::Run(command) => self.run(*command),
            Action::AskWitnesses { round } => self.ask_witnesses(*round),
            Action::Kill(_) => {
                self.coming = None;
                if let Some(running) = &mut self.command {
                    running.ends = self.environment.now + DYING;
                    running.result = CommandResult::Signalled {
                        signal: libc::SIGKILL,
                    };
                }
            }
            Action::Record(_)
            | Action::ProbeGateway { .. }
            | Action::Withhold(_)
            | Action::Standby(_)
            | Action::DrillEnded(_) => {}
        }
    }

    fn begin_probe(&mut self, id: ProbeId) {
        self.environment.tally.statistics.probes += 1;
        self.tripwire = Tripwire::default();
        let now = self.environment.now;
        let mut probe = Probe {
            id,
            began: now,
            sent: 0,
            next: now,
            answer: None,
        };
        self.send(&mut probe);
        self.probe = Some(probe);
    }

    fn ask_witnesses(&mut self, id: RoundId) {
        self.router.give_up();
        let (takes, answered) = match self.environment.ask_witness(self.settings.timeout) {
            Some(took) => (took, self.settings.witness_quorum),
            None => (self.settings.timeout, 0),
        };
        self.witnesses = Some(Round {
            id,
            ends: self.environment.now + takes,
            answered,
        });
    }

    /// The switch that PC-A's power hangs on is reached over the network, and so is whatever else there is.
    fn over_the_network(&self) -> (Duration, bool) {
        (FENCE, self.environment.net.connected())
    }

    fn run(&mut self, command: Step) {
        let (takes, works) = match command {
            Step::START => {
                self.environment.tally.started();
                if let Some(takes) = self.parking.goes_on(self.environment.now) {
                    return self.runs(command, takes, true);
                }
                let Start {
                    takes,
                    works,
                    gives_up,
                } = self.environment.draw_start();
                match gives_up {
                    Some(after) => {
                        self.coming = Some(self.environment.now + takes);
                        (after, false)
                    }
                    None => (takes, works),
                }
            }
            Step::STOP => {
                self.environment.set_stopping(true);
                (self.environment.draw_stop(), true)
            }
            Step::FENCE => {
                self.environment.tally.fenced();
                self.over_the_network()
            }
            Step::PARK => self.parking.begins(self.environment),
            Step::DISCARD => self.parking.ends(),
            _ => self.over_the_network(),
        };
        self.runs(command, takes, works);
    }

    fn runs(&mut self, command: Step, takes: Duration, works: bool) {
        let result = if works {
            CommandResult::Succeeded
        } else {
            CommandResult::Failed { code: 1 }
        };
        self.command = Some(Running {
            command,
            ends: self.environment.now + takes,
            result,
        });
    }
}
