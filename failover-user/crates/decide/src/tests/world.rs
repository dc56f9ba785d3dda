//! Virtual time: a real decider, driven exactly as the daemon drives it, in a world that follows a
//! [`Script`]. Every event is checked against the [`Invariants`].

mod daemon;

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        CommandResult, Decider, Event, Evidence, GuardObservation, Order, Outcome,
        ParkingObservation, PortObservation, ProbeId, State, Step, Strike, Time,
        invariants::{Invariants, Violation},
    },
    journal::Journal,
    mutants::Mutant,
    script::{Primary, Script, Sight, Start, Stop},
};

/// Who started the gateway that listens: a run of the start command, or somebody else.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Run(u64);

/// Something that will happen unless something else prevents it.
#[derive(Clone, Debug)]
enum Happening {
    PrimaryBecomes(Primary),
    TripwireBreaks(ProbeId, Evidence),
    CommandEnds(Run, CommandResult),
    GatewayListens(Run, Option<Duration>),
    GatewayDies(Run),
    GatewayIsStopped,
    /// The process of the stopped gateway has exited.
    ProcessEnds,
    /// The daemon checks what a start command started.
    Look(u64),
    /// By its owner, foreign or not.
    PortIsFreed,
    ForeignListens,
    GatewayHangs(bool),
    ParkedBecomes(ParkingObservation),
    FirstLook,
    /// The daemon learns this.
    Arrives(Event),
}

/// The command in flight.
#[derive(Clone, Debug)]
struct InFlight {
    run: Run,
    command: Step,
    /// Of a start, see there.
    foreground: bool,
    survives: bool,
}

pub(super) struct World {
    script: Script,
    decider: Mutant,
    invariants: Invariants,
    now: Time,
    /// In order of time; at equal times, in the order in which they were planned.
    agenda: BTreeMap<(Time, u64), Happening>,
    planned: u64,
    primary: Primary,
    /// The last good probe, whose connection is kept.
    held: Option<ProbeId>,
    in_flight: Option<InFlight>,
    listener: Option<Run>,
    /// The process that listened is still there.
    ending: bool,
    /// A foreign listener has the port.
    foreign: bool,
    /// What listens doesn't answer.
    hangs: bool,
    /// Before this time it doesn't answer yet.
    answers: Time,
    /// A process of this start is alive until then, or until it is stopped.
    lives: Option<(Run, Time)>,
    /// A gateway is parked.
    parked: bool,
    last_run: Run,
    /// What these runs started will no longer come up.
    dead: Vec<Run>,
    /// How many starts, stops and timer wake-ups there have been.
    starts: usize,
    stops: usize,
    fences: usize,
    parks: usize,
    discards: usize,
    wakes: usize,
    looked: bool,
    /// Number of the current check of what a start command started; earlier ones are dropped.
    look: u64,
    journal: Journal,
    /// What waits until all has happened that happens at this time; `None`: nothing does.
    together: Option<Vec<Event>>,
}

impl World {
    pub(super) fn new(script: Script) -> Self {
        let now = Time::from_boot(script.boot);
        let decider = Decider::new(script.settings.clone(), now);
        Self::around(
            decider,
            Invariants::thorough(script.settings.clone()),
            script,
        )
    }

    /// A world for a decider with a broken rule.
    pub(super) fn mutated(mutant: Mutant, script: Script) -> Self {
        let invariants = Invariants::thorough(script.settings.clone());
        Self::of(mutant, invariants, script)
    }

    /// A world for a decider that already knows something. What is in flight ends at once, with no
    /// result.
    pub(super) fn around(decider: Decider, invariants: Invariants, script: Script) -> Self {
        Self::of(
            Mutant::sound(decider, script.settings.clone()),
            invariants,
            script,
        )
    }

    fn of(decider: Mutant, invariants: Invariants, script: Script) -> Self {
        let mut world = Self {
            decider,
            invariants,
            now: Time::from_boot(script.boot),
            agenda: BTreeMap::new(),
            planned: 0,
            primary: Primary::Silent,
            held: None,
            in_flight: None,
            listener: None,
            ending: false,
            foreign: false,
            hangs: false,
            answers: Time::from_boot(script.boot),
            lives: None,
            parked: false,
            last_run: Run(0),
            dead: Vec::new(),
            starts: 0,
            stops: 0,
            fences: 0,
            parks: 0,
            discards: 0,
            wakes: 0,
            looked: false,
            look: 0,
            journal: Journal::default(),
            together: None,
            script,
        };
        let Script {
            primary,
            evidence,
            by_hand,
            orders,
            drains,
            guard,
            hangs,
            standby,
            parking,
            routers,
            first_look,
            ..
        } = world.script.clone();
        for (at, primary) in primary {
            world.plan(at, Happening::PrimaryBecomes(primary));
        }
        if let Some(probe) = world.invariants.probe() {
            let outcome = Outcome::unknown("forgotten".to_owned());
            let ended = Event::ProbeEnded { probe, outcome };
            world.plan(Duration::ZERO, Happening::Arrives(ended));
        }
        if let Some(command) = world.invariants.command() {
            let ended = Event::CommandEnded {
                command,
                result: CommandResult::Abandoned,
            };
            world.plan(Duration::ZERO, Happening::Arrives(ended));
        }
        for (at, evidence) in evidence {
            let seen = Time::from_boot(world.script.boot) + at;
            world.plan(at, Happening::Arrives(Event::Evidence(evidence, seen)));
        }
        for (at, gateway) in by_hand {
            let happening = match gateway {
                PortObservation::Listening => Happening::GatewayListens(Run(0), None),
                PortObservation::Absent | PortObservation::Terminating => Happening::PortIsFreed,
                PortObservation::Foreign => Happening::ForeignListens,
            };
            world.plan(at, happening);
        }
        for (at, order) in orders {
            world.plan(at, Happening::Arrives(Event::Operator(order)));
        }
        for (at, drains) in drains {
            world.plan(at, Happening::Arrives(Event::PrimaryDrains(drains)));
        }
        for (at, seen) in guard {
            world.plan(at, Happening::Arrives(Event::Guard(seen)));
        }
        for (at, routers) in routers {
            world.plan(at, Happening::Arrives(Event::DefaultRouters(routers)));
        }
        for (at, mode, can_park) in standby {
            world.plan(at, Happening::Arrives(Event::Standby { mode, can_park }));
        }
        for (at, becomes) in parking {
            world.plan(at, Happening::ParkedBecomes(becomes));
        }
        for (at, hangs) in hangs {
            world.plan(at, Happening::GatewayHangs(hangs));
        }
        world.plan(first_look, Happening::FirstLook);
        world
    }

    /// The same with events that are handed in together where they come at the same time. The
    /// invariants are not checked: they take one event after the other.
    pub(super) fn together(self) -> Self {
        Self {
            together: Some(Vec::new()),
            ..self
        }
    }

    /// The same world after everything up to this time has happened.
    pub(super) fn played(mut self, until: Duration) -> Self {
        self.play(until);
        self
    }

    /// Lets everything up to this time (from the world's beginning) happen.
    pub(super) fn play(&mut self, until: Duration) {
        let until = Time::from_boot(self.script.boot) + until;
        let (mut before, mut events) = (self.now, 0);
        loop {
            events = if self.now == before { events + 1 } else { 0 };
            before = self.now;
            assert!(events < 1000, "no end of events at {:?}", self.elapsed());
            let planned = self.agenda.keys().next().copied();
            if planned.is_none_or(|(at, _)| at > self.now) && self.hand_in() {
                continue;
            }
            let wake = self.decider.next_wake().map(|wake| {
                let late = self.script.lateness[self.wakes % self.script.lateness.len()];
                self.awake((wake + late).max(self.now))
            });
            match (planned, wake) {
                (Some(key), _) if key.0 <= until && wake.is_none_or(|wake| key.0 <= wake) => {
                    self.now = key.0;
                    if let Some(happening) = self.agenda.remove(&key) {
                        self.happen(happening);
                    }
                }
                (_, Some(wake)) if wake <= until => {
                    self.now = wake;
                    self.wakes += 1;
                    self.tell(Event::Woke);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    /// From now on the primary stays like this, commands work, nothing interferes and the timer is on time.
    pub(super) fn calm_down(&mut self, primary: Primary) {
        let meddles = |happening: &Happening| {
            matches!(
                happening,
                Happening::PrimaryBecomes(_)
                    | Happening::GatewayListens(Run(0), _)
                    | Happening::ForeignListens
                    | Happening::GatewayHangs(_)
                    | Happening::ParkedBecomes(_)
                    | Happening::Arrives(Event::Operator(_) | Event::DefaultRouters(_))
            )
        };
        self.agenda.retain(|_, happening| !meddles(happening));
        let now = self.elapsed();
        // A stall that has begun keeps its end, so that waiting events keep their order.
        self.script.stalls.retain(|&(from, _)| from <= now);
        self.script.routers.retain(|(from, _)| *from <= now);
        self.plan(self.elapsed(), Happening::PrimaryBecomes(primary));
        self.script.starts = vec![Start::works(Duration::from_millis(10))];
        self.script.stops = vec![Stop::works(Duration::from_millis(10))];
        self.script.fences = vec![Some((Duration::from_millis(10), CommandResult::Succeeded))];
        self.script.witnesses = vec![(Duration::ZERO, Some(u32::MAX))];
        self.script.parks = vec![Some((Duration::from_millis(10), CommandResult::Succeeded))];
        self.script.goes_on = Start::works(Duration::from_millis(10));
        self.script.discards = self.script.parks.clone();
        self.script.lateness = vec![Duration::ZERO];
        self.hangs = false;
        self.script.answers_after = Duration::ZERO;
        self.script.sight = Sight::Good;
        if std::mem::take(&mut self.foreign) {
            self.tell_of_gateway();
        }
        self.nothing_is_ordered();
    }

    /// No order is in force, and the primary was seen once.
    pub(super) fn nothing_is_ordered(&mut self) {
        self.tell(Event::Armed);
        self.tell(Event::Guard(GuardObservation::None));
        self.tell(Event::Operator(Order::Resume));
        self.tell(Event::Operator(Order::Release { hold_until: None }));
    }

    /// The violations of a decider with a broken rule.
    pub(super) fn violations(&self) -> &[Violation] {
        self.invariants.violations()
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(super) fn state(&self) -> State {
        self.decider.decider().state()
    }

    /// The decider as it is now, and the time.
    pub(super) fn decider(&self) -> (Decider, Time) {
        (self.decider.decider().clone(), self.now)
    }

    /// How many witnesses have to answer now.
    pub(super) fn witnesses_needed(&self) -> u32 {
        self.decider
            .decider()
            .judges(self.script.routers_at(self.elapsed()))
            .needed
    }

    pub(super) fn strikes(&self) -> &[Strike] {
        self.decider.decider().strikes()
    }

    pub(super) fn listens(&self) -> bool {
        self.listener.is_some()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.since_beginning(self.now)
    }

    pub(super) fn since_beginning(&self, time: Time) -> Duration {
        time.since(Time::from_boot(self.script.boot))
    }

    // --- the world ---------------------------------------------------------------------------

    fn plan(&mut self, at: Duration, happening: Happening) {
        self.planned += 1;
        let at = Time::from_boot(self.script.boot) + at;
        self.agenda.insert((at, self.planned), happening);
    }

    fn plan_in(&mut self, delay: Duration, happening: Happening) {
        self.plan(self.elapsed() + delay, happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::PrimaryBecomes(primary) => self.primary_becomes(primary),
            Happening::TripwireBreaks(probe, evidence) => {
                if self.held == Some(probe) {
                    self.tell(Event::Evidence(evidence, self.now));
                }
            }
            Happening::CommandEnds(run, result) => self.command_ends(run, result),
            Happening::GatewayListens(run, dies) => {
                if self.listener.is_none() && !self.foreign && !self.dead.contains(&run) {
                    self.hangs = false;
                    self.answers = self.now + self.script.answers_after;
                    self.listener = Some(run);
                    if let Some(uptime) = dies {
                        self.plan_in(uptime, Happening::GatewayDies(run));
                    }
                    self.tell_of_gateway();
                }
            }
            Happening::GatewayDies(run) => self.gateway_dies(run),
            Happening::ForeignListens => {
                if self.listener.is_none() {
                    self.foreign = true;
                    self.tell_of_gateway();
                }
            }
            Happening::GatewayHangs(hangs) => self.hangs = hangs,
            Happening::ParkedBecomes(becomes) => {
                if self.parked {
                    self.parked = becomes == ParkingObservation::Parked;
                    self.tell(Event::Parking(becomes));
                }
            }
            Happening::Look(turn) => self.look(turn),
            Happening::PortIsFreed => {
                self.happen(Happening::GatewayIsStopped);
                if std::mem::take(&mut self.foreign) {
                    self.tell_of_gateway();
                }
            }
            Happening::GatewayIsStopped => {
                self.dead.extend((1..=self.last_run.0).map(Run));
                if let Some(run) = self.listener {
                    if !self.script.lingers.is_zero() {
                        self.ending = true;
                        self.plan_in(self.script.lingers, Happening::ProcessEnds);
                    }
                    self.gateway_dies(run);
                }
            }
            Happening::ProcessEnds => {
                self.ending = false;
                self.tell_of_gateway();
            }
            Happening::FirstLook => {
                self.looked = true;
                self.tell_of_gateway();
            }
            Happening::Arrives(event) => self.tell(event),
        }
    }

    fn primary_becomes(&mut self, primary: Primary) {
        if let (true, Primary::Answers { .. }, Some(probe)) =
            (self.script.tripwire, &self.primary, self.held)
            && let Some((delay, evidence)) = primary.seen_by_a_connection()
        {
            self.plan_in(delay, Happening::TripwireBreaks(probe, evidence));
        }
        self.primary = primary;
    }

    fn command_ends(&mut self, run: Run, result: CommandResult) {
        if let Some(ended) = self.in_flight.take_if(|in_flight| in_flight.run == run) {
            if ended.foreground {
                self.dead.push(run);
                self.gateway_dies(run);
            }
            match ended.command {
                Step::PARK => self.parked = result.is_success(),
                Step::DISCARD => self.parked &= !result.is_success(),
                _ => {}
            }
            self.tell(Event::CommandEnded {
                command: ended.command,
                result,
            });
            if ended.command == Step::START {
                self.look_anew();
            }
        }
    }

    fn gateway_dies(&mut self, run: Run) {
        if self.listener.take_if(|listener| *listener == run).is_some() {
            self.tell_of_gateway();
            self.look_anew();
        }
        if self
            .in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.run == run && in_flight.foreground)
        {
            self.command_ends(run, CommandResult::Failed { code: 1 });
        }
    }
}
