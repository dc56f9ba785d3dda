//! The state machine: takes in events, and returns the actions that follow.

use std::time::Duration;

use crate::{
    gate::Gates,
    id::GatewayProbeId,
    input::{
        event::{Event, GuardObservation},
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

/// A timer that is this late means that the daemon was suspended, stopped or stalled. Far more than the delay on
/// a loaded machine, and shorter than any outage.
const ABSENCE: Duration = Duration::from_secs(2);

/// The state machine. See the crate.
#[derive(Clone, Debug)]
pub struct Decider {
    situation: Situation,
    gates: Gates,
    /// See [`Self::next_wake`]; as of the last decision.
    wake: Option<Time>,
}

impl Decider {
    /// A decider that has seen nothing. Its first probe is due at once.
    #[must_use]
    pub fn new(settings: Settings, now: Time) -> Self {
        Self::after(PersistentState::default(), settings, now)
    }

    /// A decider that continues from the persistent state of an earlier one.
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

    /// What the next decider needs and can't observe. The caller must save it whenever it changes.
    #[must_use]
    pub fn persistent_state(&self) -> PersistentState {
        self.situation.persistent_state()
    }

    /// Handles events that came together, and returns the actions to carry out, in order.
    ///
    /// The order of events doesn't matter, except among those of one kind: each is applied before the kinds
    /// that are judged by it. Nothing is decided until all are applied.
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

    /// Applies these events in order, and returns the reason for a change of state that follows.
    fn take_in(
        &mut self,
        now: Time,
        suspended: bool,
        events: impl IntoIterator<Item = Event>,
    ) -> Reason {
        let absent = suspended || self.was_absent(now);
        if absent {
            self.situation.note_absence(now);
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

    /// Applies new settings. Strikes, the state and a command in flight survive; what is due under the new
    /// settings is returned as actions.
    pub fn reconfigure(&mut self, now: Time, settings: Settings, probing: Probing) -> Vec<Action> {
        // An absence is judged by the old settings.
        let mut actions = self.handle(now, []);
        self.situation.reconfigure(now, settings, probing);
        // A probe that is overdue only because of a shorter interval wasn't missed.
        let pace = self.situation.pace();
        self.situation.schedule.not_before(now, pace);
        self.conclude(now, Reason::Reconfigured, &mut actions);
        actions
    }

    /// Decides everything that follows from what is known now.
    fn conclude(&mut self, now: Time, reason: Reason, actions: &mut Vec<Action>) {
        let (situation, gates) = (&mut self.situation, self.gates);
        situation.now = now;
        let mut commands = Vec::new();
        let reason = situation.expire_start(now, reason);
        situation.forget_strikes(now);
        situation.command(gates, now, &mut commands);
        // The reason is reported before the action.
        situation.note_change(gates, now, reason, actions);
        let drill_end = situation.parking.drill_end.take();
        actions.extend(drill_end.map(Action::DrillEnded));
        actions.append(&mut commands);
        situation.note_standby(now, actions);
        // After the change of state, which determines the interval.
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

    /// When to call [`Self::handle`] if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.wake
    }

    /// Computes the next wake once: the caller asks for it, and the check for an absence needs it.
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

    /// Is this call much later than it should be?
    fn was_absent(&self, now: Time) -> bool {
        let situation = &self.situation;
        let answer = situation
            .schedule
            .in_flight_since()
            .map(|since| since + situation.settings.timeout);
        let expected = earliest(&[self.wake, answer]);
        expected.is_some_and(|expected| now.since(expected) > ABSENCE)
    }

    /// What is known of the guard on the primary's host. The caller reports an observation that differs.
    #[must_use]
    pub fn guard(&self) -> GuardObservation {
        self.situation.guard_observation()
    }

    /// Is the primary's loss proven by its guard and a failed probe, whatever the strikes say?
    #[must_use]
    pub fn loss_is_proven(&self) -> bool {
        // A failure that was withdrawn or is too old proves nothing, whatever it had confirmed.
        self.situation.fails() && self.situation.loss_is_proven(self.situation.now)
    }

    /// Until when a takeover waits, because the primary's own service manager restarts its gateway.
    #[must_use]
    pub fn restarts_until(&self) -> Option<Time> {
        self.situation.restarts_until()
    }

    /// The same as after an absence.
    pub(crate) fn note_absence(&mut self, now: Time) {
        self.situation.note_absence(now);
        self.note_wake();
    }

    /// The state that people see.
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

    /// Was the last conclusive probe answered? `None`: there was none, or it has expired.
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

    /// Successes in a row that count towards a release.
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

    /// Did the primary's last answer report that it is draining?
    #[must_use]
    pub fn primary_drains(&self) -> bool {
        self.situation.primary_drains
    }

    /// How often the primary has flapped, as an index into [`crate::Flapping::successes`].
    pub(crate) fn flap_level(&self) -> usize {
        self.situation.flap_damping.history().level
    }

    /// Was the primary seen healthy once, or is arming not required?
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.situation.armed
    }

    /// The pause in force.
    #[must_use]
    pub fn pause(&self) -> Option<Pause> {
        self.situation.orders.pause()
    }

    /// Until when an ordered release prevents a takeover.
    #[must_use]
    pub fn hold_until(&self) -> Option<Time> {
        self.situation.orders.hold_until()
    }

    /// Is a forced takeover in force: does the local gateway serve whatever the primary does?
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.situation.orders.forces()
    }

    /// Is an ordered takeover in force, forced or not?
    #[must_use]
    pub fn takes_over_by_order(&self) -> bool {
        self.situation.orders.takes_over()
    }

    /// Is an ordered release in force?
    #[must_use]
    pub fn releases_by_order(&self) -> bool {
        self.situation.orders.releases()
    }

    /// Does a failure of this check of the local gateway count? Not if the check isn't in flight, and not
    /// while the gateway is being stopped: then it is expected.
    #[must_use]
    pub fn counts_gateway_probe(&self, probe: GatewayProbeId) -> bool {
        let stopping = matches!(self.situation.attempt, Attempt::Running { command, .. } if command == Step::STOP);
        self.situation.liveness.awaits(probe) && !stopping && !self.situation.must_release()
    }

    /// Checks of the local gateway in a row that failed.
    #[must_use]
    pub fn gateway_strikes(&self) -> u32 {
        self.situation.liveness.strikes()
    }

    /// The local gateway is checked in another way from now on: earlier failures are ignored.
    pub fn forget_gateway_checks(&mut self) {
        self.situation.liveness.forget();
        self.note_wake();
    }

    /// Is a start in progress whose gateway doesn't listen yet? Then [`Event::Begun`] is useful.
    #[must_use]
    pub fn awaits_start(&self) -> bool {
        self.situation.awaits_start()
    }

    /// How long a start may take now: twice as long after one that timed out, and four times after two. With
    /// the same limit, the same start would time out repeatedly.
    #[must_use]
    pub fn start_limit(&self) -> Duration {
        self.situation.start_limit()
    }

    /// Does the local gateway listen without having answered yet, and has it time left for that?
    #[must_use]
    pub fn gateway_comes_up(&self) -> bool {
        self.situation.liveness.comes_up()
    }

    /// The witnesses that must be queried before a takeover, if these are the default routers now.
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

    /// Since when it has been in this standby state.
    #[must_use]
    pub fn standby_since(&self) -> Time {
        self.situation.parking.since
    }

    /// How ready it must be kept.
    #[must_use]
    pub fn standby_mode(&self) -> StandbyMode {
        self.situation.parking.mode
    }

    /// Can this machine park this gateway?
    #[must_use]
    pub fn can_park(&self) -> bool {
        self.situation.parking.is_possible
    }

    /// Is a drill in progress?
    #[must_use]
    pub fn drills(&self) -> bool {
        self.situation.parking.drill.is_some()
    }

    /// Must the local gateway be released: is the primary trusted, or has an operator ordered it?
    #[must_use]
    pub fn must_release(&self) -> bool {
        self.situation.must_release()
    }

    /// Why this order would be refused now, if so. Call this before handing in the order.
    #[must_use]
    pub fn objection(&self, now: Time, order: Order) -> Option<Refusal> {
        self.situation.objection(now, order)
    }

    /// Does this order depend on the primary's present health, and is that unknown or out of date? Then the
    /// primary must be probed first: [`Event::ProbeWanted`].
    #[must_use]
    pub fn must_probe_first(&self, now: Time, order: Order) -> bool {
        self.situation.must_probe_first(now, order)
    }
}
