//! The state machine: takes in what was seen, and says what is to be done.

use std::time::Duration;

use crate::{
    gate::Gates,
    id::GatewayProbeId,
    input::{
        event::Event,
        order::{Order, Pause, Refusal},
        reconfigure::Probing,
    },
    known::{
        isolation::Judges,
        parking::{StandbyMode, StandbyState},
        persistent::PersistentState,
        router::DefaultRouter,
        situation::{Attempt, PortState, Primary, Situation},
        strikes::Strike,
    },
    output::{action::Action, change::Reason, state::State},
    settings::Settings,
    step::{Step, Steps},
    time::{Time, earliest},
};

/// A timer this late was not late: whoever waited for it was away. Far more than a loaded machine
/// needs, and shorter than any outage.
const ABSENCE: Duration = Duration::from_secs(2);

/// The state machine. See the crate.
#[derive(Clone, Debug)]
pub struct Decider {
    situation: Situation,
    gates: Gates,
    /// See [`Self::next_wake`]; as of the last conclusion.
    wake: Option<Time>,
}

impl Decider {
    /// A decider that has seen nothing. Its first probe is due at once.
    #[must_use]
    pub fn new(settings: Settings, now: Time) -> Self {
        Self::after(PersistentState::default(), settings, now)
    }

    /// The same after another one, which handed this out.
    #[must_use]
    pub fn after(persistent: PersistentState, settings: Settings, now: Time) -> Self {
        Self::with(Steps::STANDARD, Gates::STANDARD, persistent, settings, now)
    }

    /// The same with these steps and gates.
    pub(crate) fn with(
        steps: Steps,
        gates: Gates,
        persistent: PersistentState,
        settings: Settings,
        now: Time,
    ) -> Self {
        let mut decider = Self {
            situation: Situation::new(steps, persistent, settings, now),
            gates,
            wake: None,
        };
        decider.note_wake();
        decider
    }

    /// What the next decider needs to know, and nobody can look up: to be kept whenever it changes.
    #[must_use]
    pub fn persistent_state(&self) -> PersistentState {
        self.situation.persistent_state()
    }

    /// Takes in what came together, and returns what is to be done, in order.
    ///
    /// In which order events come doesn't matter, but for those of one kind: each is applied before the
    /// kinds that are judged by it. Nothing is decided until all are.
    pub fn handle(&mut self, now: Time, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        let mut events = events.into_iter();
        let first = events.next();
        let reason = match events.next() {
            // Most come alone.
            None => self.take_in(now, matches!(first, Some(Event::Suspended)), first),
            Some(second) => {
                let mut together: Vec<Event> =
                    first.into_iter().chain([second]).chain(events).collect();
                together.sort_by_key(Event::rank);
                let suspended = matches!(together.first(), Some(Event::Suspended));
                self.take_in(now, suspended, together)
            }
        };
        let mut actions = Vec::new();
        self.conclude(now, reason, &mut actions);
        actions
    }

    /// Takes these in as they are sorted, and returns for which reason a state that follows is entered.
    fn take_in(
        &mut self,
        now: Time,
        suspended: bool,
        events: impl IntoIterator<Item = Event>,
    ) -> Reason {
        let absent = suspended || self.was_absent(now);
        if absent {
            self.situation.begin_anew(now);
        }
        self.situation.expire(now);
        let mut reason = Reason::Time;
        for event in events {
            let news = self.situation.apply(now, event);
            if !matches!(news, Reason::Time) {
                reason = news;
            }
        }
        if absent { Reason::Absence } else { reason }
    }

    /// Takes new settings over. Strikes, the state and a command in flight survive; what is due by the
    /// new settings comes back as actions.
    pub fn reconfigure(&mut self, now: Time, settings: Settings, probing: Probing) -> Vec<Action> {
        // By the settings that it was to keep to, has it been away?
        let mut actions = self.handle(now, []);
        self.situation.reconfigure(now, settings, probing);
        // A shorter pace is none that was missed.
        let pace = self.situation.pace();
        self.situation.schedule.not_before(now, pace);
        self.conclude(now, Reason::Reconfigured, &mut actions);
        actions
    }

    /// Whatever follows from what is known now.
    fn conclude(&mut self, now: Time, reason: Reason, actions: &mut Vec<Action>) {
        let (situation, gates) = (&mut self.situation, self.gates);
        situation.now = now;
        let mut commands = Vec::new();
        let reason = situation.expire_start(now, reason);
        situation.forget_strikes(now);
        situation.command(gates, now, &mut commands);
        // People read why before they read what.
        situation.note_change(gates, now, reason, actions);
        let drill_end = situation.parking.drill_end.take();
        actions.extend(drill_end.map(Action::DrillEnded));
        actions.append(&mut commands);
        situation.note_standby(now, actions);
        // After the change of state, which sets the pace.
        let pace = situation.pace();
        if let Some((probe, cause)) = situation.schedule.probe(now, pace) {
            actions.push(Action::Probe { probe, cause });
        }
        if situation.router.is_due() {
            actions.push(Action::PingRouters);
        }
        if let Some(probe) = situation.liveness.probe(now) {
            actions.push(Action::ProbeGateway { probe });
        }
        self.note_wake();
    }

    /// When to call [`Self::handle`], if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.wake
    }

    /// It is requested twice: by whoever drives the decider, and to find out whether that one was away.
    fn note_wake(&mut self) {
        let situation = &self.situation;
        let probe = situation.schedule.next(situation.pace());
        self.wake = earliest(&[
            probe,
            situation.next_command(self.gates),
            situation.liveness.next(),
            situation.orders.next(),
        ]);
    }

    /// When the probe in flight was due: it may have begun a timer's slack later.
    pub(crate) fn probe_due(&self) -> Option<Time> {
        self.situation.schedule.in_flight_since()
    }

    /// Whoever drives the decider came much later than it should have.
    fn was_absent(&self, now: Time) -> bool {
        let situation = &self.situation;
        let answer = situation
            .schedule
            .in_flight_since()
            .map(|since| since + situation.settings.timeout);
        let expected = earliest(&[self.wake, answer]);
        expected.is_some_and(|expected| now.since(expected) > ABSENCE)
    }

    /// As after an absence.
    pub(crate) fn begin_anew(&mut self, now: Time) {
        self.situation.begin_anew(now);
        self.note_wake();
    }

    /// The state, as people name it.
    #[must_use]
    pub fn state(&self) -> State {
        self.situation.state
    }

    /// Since when it has been in this state.
    #[must_use]
    pub fn since(&self) -> Time {
        self.situation.since
    }

    /// The failed probes in a row that count, oldest first.
    #[must_use]
    pub fn strikes(&self) -> &[Strike] {
        self.situation.strikes()
    }

    /// What the last probe that said anything says of the primary; `None`: none has, or it is too old.
    #[must_use]
    pub fn primary_answers(&self) -> Option<bool> {
        match self.situation.primary {
            Primary::Unproven => None,
            Primary::Healthy { .. } => Some(true),
            Primary::Failing(_) => Some(false),
        }
    }

    /// Does the local gateway listen?
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.situation.listening()
    }

    /// Since when both gateways serve: the primary answers, and has since the local one listens.
    #[must_use]
    pub fn two_serve(&self) -> Option<Time> {
        match (&self.situation.primary, self.situation.port) {
            (
                Primary::Healthy {
                    at, since: back, ..
                },
                Some(PortState::Listening { since }),
            ) if *at >= since => Some(since.max(*back)),
            _ => None,
        }
    }

    /// How many of the successes that a release takes there have been.
    #[must_use]
    pub fn successes(&self) -> u32 {
        match self.situation.primary {
            Primary::Healthy { successes, .. } => successes,
            Primary::Unproven | Primary::Failing(_) => 0,
        }
    }

    /// How many successes in a row a release takes now.
    #[must_use]
    pub fn release_needs(&self) -> u32 {
        self.situation.flap_damping.needed()
    }

    /// Did the primary say with its last answer that it drains?
    #[must_use]
    pub fn primary_drains(&self) -> bool {
        self.situation.primary_drains
    }

    /// How often the primary has flapped, as an index into [`crate::Flapping::successes`].
    pub(crate) fn flap_level(&self) -> usize {
        self.situation.flap_damping.history().level
    }

    /// Was the primary seen healthy once, or is that not asked for?
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.situation.armed
    }

    /// The pause in force.
    #[must_use]
    pub fn pause(&self) -> Option<Pause> {
        self.situation.orders.pause()
    }

    /// Until when no takeover is made after a release by hand.
    #[must_use]
    pub fn hold_until(&self) -> Option<Time> {
        self.situation.orders.hold_until()
    }

    /// Does the local gateway serve whatever the primary does, as ordered?
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.situation.orders.forces()
    }

    /// Was a takeover ordered, whether or not it is forced, and isn't over?
    #[must_use]
    pub fn takes_over_by_order(&self) -> bool {
        self.situation.orders.takes_over()
    }

    /// Was a release ordered, and isn't over?
    #[must_use]
    pub fn releases_by_order(&self) -> bool {
        self.situation.orders.releases()
    }

    /// Does the failure of this check of the local gateway count? Not of one that nobody waits for, and
    /// not while the gateway is being stopped: then it is expected.
    #[must_use]
    pub fn counts_gateway_probe(&self, probe: GatewayProbeId) -> bool {
        let stopping = matches!(self.situation.attempt, Attempt::Running { command, .. } if command == Step::STOP);
        self.situation.liveness.awaits(probe) && !stopping && !self.situation.lets_go()
    }

    /// Checks of the local gateway in a row that failed.
    #[must_use]
    pub fn gateway_strikes(&self) -> u32 {
        self.situation.liveness.strikes()
    }

    /// The local gateway is asked in another way from now on: what failed until now counts for nothing.
    pub fn forget_gateway_checks(&mut self) {
        self.situation.liveness.forget();
        self.note_wake();
    }

    /// Is a start under way whose gateway doesn't listen yet? Then [`Event::Begun`] is of use.
    #[must_use]
    pub fn awaits_start(&self) -> bool {
        self.situation.awaits_start()
    }

    /// How long a start may take now: twice as long after one that had all its time, and then four times.
    /// The same start with the same limit would come to nothing again and again.
    #[must_use]
    pub fn start_limit(&self) -> Duration {
        self.situation.start_limit()
    }

    /// Hasn't the local gateway, which listens, answered yet, and does it have time left?
    #[must_use]
    pub fn gateway_comes_up(&self) -> bool {
        self.situation.liveness.comes_up()
    }

    /// Who is to be asked before a takeover, where these are the default routers now.
    #[must_use]
    pub fn judges(&self, routers: &[DefaultRouter]) -> Judges {
        self.situation.judges(routers)
    }

    /// Does the default router's answer count before a takeover?
    #[must_use]
    pub fn router_counts(&self) -> bool {
        self.situation.router.counts()
    }

    /// How ready the local gateway is.
    #[must_use]
    pub fn standby_state(&self) -> StandbyState {
        self.situation.parking.state
    }

    /// Since when it is so ready.
    #[must_use]
    pub fn standby_since(&self) -> Time {
        self.situation.parking.since
    }

    /// How ready it is to be kept.
    #[must_use]
    pub fn standby_mode(&self) -> StandbyMode {
        self.situation.parking.mode
    }

    /// Can this machine park this gateway?
    #[must_use]
    pub fn can_park(&self) -> bool {
        self.situation.parking.is_possible
    }

    /// Is a drill under way?
    #[must_use]
    pub fn drills(&self) -> bool {
        self.situation.parking.drill.is_some()
    }

    /// The local gateway is to go: the primary is believed, or an operator says so.
    #[must_use]
    pub fn lets_go(&self) -> bool {
        self.situation.lets_go()
    }

    /// Why this order would not be followed now, if so. To be asked before it is given.
    #[must_use]
    pub fn objection(&self, now: Time, order: Order) -> Option<Refusal> {
        self.situation.objection(now, order)
    }

    /// Does this order depend on how the primary is now, which isn't known, or only from a while ago?
    /// Then it has to be probed first: [`Event::ProbeWanted`].
    #[must_use]
    pub fn must_probe_first(&self, now: Time, order: Order) -> bool {
        self.situation.must_probe_first(now, order)
    }
}
