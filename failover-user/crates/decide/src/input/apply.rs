//! How each event changes what is known. Nothing is decided here.

use std::time::Duration;

use crate::{
    id::ProbeId,
    input::{
        event::{Event, PortObservation},
        order::Order,
        outcome::{Failure, Gone, Outcome},
    },
    known::{
        isolation::Turn,
        schedule::{InFlight, SLACK},
        situation::{Attempt, PortState, Primary, Situation},
        strikes::{Strike, Strikes},
    },
    output::{action::Cause, change::Reason, state::State},
    settings::Demand,
    step::{CommandResult, Definition, End, Step},
    time::Time,
};

impl Situation {
    pub(crate) fn apply(&mut self, now: Time, event: Event) -> Reason {
        match event {
            // These change nothing by themselves: every event is followed by a decision.
            Event::Woke | Event::Suspended => Reason::Time,
            Event::ProbeEnded { probe, outcome } => self.apply_probe(now, probe, outcome),
            Event::Evidence(evidence, seen) => {
                let failing = matches!(self.primary, Primary::Failing(_));
                self.schedule.evidence(now, evidence, failing);
                if evidence.is_good() {
                    self.apply_sign_of_life(seen.min(now));
                }
                Reason::Evidence(evidence)
            }
            Event::Witnesses { round, answered } => {
                let turn = self.isolation.answered(round, answered, now);
                self.believe(now, turn);
                Reason::Witnesses { answered }
            }
            Event::DefaultRouters(routers) => {
                self.router.found(routers);
                self.count_witnesses(now)
            }
            Event::RoutersPinged { answered } => {
                if self.settings.router_is_witness {
                    self.router.answered(answered);
                }
                self.count_witnesses(now)
            }
            Event::Port(gateway) => self.apply_port(now, gateway),
            Event::Parking(seen) => {
                self.apply_parking(now, seen);
                Reason::Time
            }
            Event::Standby { mode, can_park } => {
                self.parking.mode = mode;
                self.parking.is_possible = can_park;
                Reason::Time
            }
            Event::GatewayProbed { probe, outcome } => {
                if self.liveness.ended(probe, &outcome) {
                    self.overdue = 0;
                }
                Reason::GatewayProbed(outcome)
            }
            Event::Begun(begun) => {
                self.apply_begun(now, begun);
                Reason::Time
            }
            Event::GatewayBegan(began) => {
                self.liveness.began(began.min(now));
                Reason::Time
            }
            Event::GatewayDrains => {
                // The last stop works, it only takes a while: another one would change nothing.
                if let Some(since) = self.outlived_stop {
                    let until = since + self.settings.stop_timeout;
                    self.back_off(Step::STOP, |pause| pause.wait(until));
                }
                Reason::Time
            }
            Event::PrimaryDrains(drains) => {
                self.primary_drains = drains;
                Reason::Time
            }
            Event::Guard(seen) => {
                self.apply_guard(now, seen);
                Reason::Guard(seen)
            }
            Event::ProbeWanted => {
                if !self.schedule.will_tell() {
                    self.schedule.ask(now);
                }
                Reason::Time
            }
            Event::Armed => {
                self.armed = true;
                Reason::Time
            }
            Event::Operator(order) => self.apply_order(now, order),
            Event::CommandEnded { command, result } => self.apply_command(now, command, result),
        }
    }

    /// The router may have begun or ceased to count as a witness.
    pub(crate) fn count_witnesses(&mut self, now: Time) -> Reason {
        let counting = self.counting();
        if self.isolation.counting() == counting {
            return Reason::Time;
        }
        let turn = self.isolation.count(counting);
        self.believe(now, turn);
        Reason::Counting(counting)
    }

    /// Probes that failed while PC-B was isolated may have failed for that reason, and so may the one in flight.
    fn believe(&mut self, now: Time, turn: Turn) {
        if turn == Turn::Reconnected {
            self.discount_failures();
            self.schedule.distrust();
            if self.orders.takes_over() {
                self.schedule.ask(now);
            }
        }
    }

    /// Ignores the failures until now. That doesn't make the primary healthy.
    fn discount_failures(&mut self) {
        if let Primary::Failing(strikes) = &mut self.primary {
            *strikes = Strikes::new(&self.settings);
        }
        self.discount_steps();
    }

    /// What the steps of a takeover have achieved, or are about to, no longer holds.
    pub(crate) fn discount_steps(&mut self) {
        for (_, done) in self.done.iter_mut() {
            *done = false;
        }
        if let Attempt::Running { outdated, .. } = &mut self.attempt {
            *outdated = true;
        }
    }

    /// Counts a probe that could not be made as failed, in the cases of [`Gone`].
    fn counted(&self, now: Time, outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Unknown {
                gone: Some(gone), ..
            } if *gone == Gone::Address || self.isolation.has_judges() => Outcome::Failed {
                failure: Failure::Gone(*gone),
                took: self
                    .schedule
                    .in_flight_since()
                    .map_or(Duration::ZERO, |due| now.since(due)),
            },
            outcome => outcome.clone(),
        }
    }

    fn apply_probe(&mut self, now: Time, probe: ProbeId, outcome: Outcome) -> Reason {
        let counted = self.counted(now, &outcome);
        let Some(ended) = self.schedule.ended(probe, &counted) else {
            return Reason::Time;
        };
        if let Outcome::Failed { failure, .. } = &counted
            && ended.cause != Cause::GoodNews
            && !ended.distrusted
        {
            self.note_path(*failure, ended.due);
        }
        if !matches!(counted, Outcome::Connected { .. }) {
            self.router.primary_fails();
        }
        match &counted {
            Outcome::Connected { .. } => self.apply_success(now, ended),
            // A short silence is no strike, but what a longer one leads to must not wait.
            Outcome::Failed { failure, .. }
                if ended.cause == Cause::Guard && failure.is_silence() && !ended.distrusted =>
            {
                self.confirm_loss(now, *failure, ended.due);
                self.schedule.ask_too(now);
            }
            // The failure of an early probe for good news changes nothing.
            Outcome::Failed { failure, .. }
                if ended.cause == Cause::GoodNews
                    || ended.distrusted
                    || (ended.rumour && failure.is_silence()) => {}
            // Another connection showed the primary alive meanwhile: the probe was wrong.
            Outcome::Failed { failure, .. }
                if !failure.is_above_tcp()
                    && self.seen_alive.is_some_and(|seen| seen >= ended.due)
                    && self.vetoes < self.settings.veto_limit =>
            {
                self.vetoes += 1;
                return Reason::Vetoed(outcome);
            }
            Outcome::Failed { failure, took } => {
                self.confirm_loss(now, *failure, ended.due);
                let strike = Strike {
                    due: ended.due,
                    failure: *failure,
                    took: *took,
                };
                let is_new = !matches!(self.primary, Primary::Failing(_));
                if is_new && self.is_expected() {
                    self.flap_damping.expected();
                } else if self.healthy() && failure.is_of_its_process() {
                    self.flap_damping.crashed(now);
                }
                if is_new {
                    self.fails_from(now);
                }
                if let Primary::Failing(strikes) = &mut self.primary {
                    strikes.add(strike);
                }
            }
            // Neither a strike nor a reset.
            Outcome::Unknown { .. } => {}
        }
        Reason::Probe(outcome)
    }

    /// The primary fails, and no strike counts yet.
    pub(crate) fn fails_from(&mut self, now: Time) {
        self.primary = Primary::Failing(Strikes::new(&self.settings));
        self.reset_attempts(now, |step| step == Step::STOP);
    }

    /// If the path is back, it may have been missing for a reason on PC-B: an earlier answer of a witness
    /// says nothing about the time when it was missing.
    fn note_path(&mut self, failure: Failure, due: Time) {
        if failure == Failure::Gone(Gone::Path) {
            self.pathless = Some(due);
        } else if let Primary::Failing(strikes) = &mut self.primary
            && let Some(answered) = self.isolation.connected_at()
            && due >= answered
        {
            strikes.forget_lost_path();
        }
    }

    fn apply_success(&mut self, now: Time, ended: InFlight) {
        let spacing = self
            .settings
            .recovery_interval
            .max(self.flap_damping.spacing())
            .saturating_sub(SLACK);
        self.primary = match self.primary {
            Primary::Healthy {
                successes,
                counted,
                since,
                ..
            } => {
                let counts = ended.due >= counted + spacing;
                Primary::Healthy {
                    at: now,
                    successes: successes.saturating_add(u32::from(counts)),
                    counted: if counts { ended.due } else { counted },
                    since,
                }
            }
            Primary::Unproven | Primary::Failing(_) => Primary::Healthy {
                at: now,
                successes: 1,
                counted: ended.due,
                since: now,
            },
        };
        // A forced takeover continues as it was.
        if !self.orders.forces() {
            self.overdue = 0;
            self.reset_takeover(now);
            self.discount_steps();
        }
        self.isolation.forget();
        if self.settings.router_is_witness {
            self.router.primary_answers(now);
            self.count_witnesses(now);
        }
        self.vetoes = 0;
        self.guard.confirmed = None;
        self.armed = true;
        self.flap_damping.answered(now);
        if self.trusted() {
            self.flap_damping.release(now);
            self.orders.primary_is_back();
        }
    }

    /// Is the primary being stopped or restarted in an orderly way, or is an order in force that is meant for
    /// such times? Then a failure isn't a sign that the primary flaps.
    pub(crate) fn is_expected(&self) -> bool {
        self.primary_drains
            || self.orders.takes_over()
            || self.orders.pause().is_some()
            || self.orders.hold_until().is_some()
    }

    /// Another program's connection showed the primary alive at this time: the last strike is withdrawn, unless
    /// its probe began later.
    fn apply_sign_of_life(&mut self, seen: Time) {
        let before = self.seen_alive;
        self.seen_alive = before.max(Some(seen));
        if let Primary::Failing(strikes) = &mut self.primary
            && !strikes.reached()
            && strikes.last_can_be_gainsaid(seen, before)
            && self.vetoes < self.settings.veto_limit
        {
            self.vetoes += 1;
            strikes.take_back();
            // It doesn't confirm what the guard reports either.
            self.guard.confirmed = None;
            if strikes.count() == 0 {
                self.primary = Primary::Unproven;
                self.discount_steps();
            }
        }
    }

    /// Removes what has expired.
    pub(crate) fn expire(&mut self, now: Time) {
        self.orders.expire(now);
        self.flap_damping.forget_old(now);
    }

    /// Starts again after an absence: earlier failures are ignored, and timeouts start again.
    pub(crate) fn note_absence(&mut self, now: Time) {
        if matches!(self.primary, Primary::Failing(_)) {
            self.primary = Primary::Unproven;
        }
        self.discount_steps();
        self.forget_guard();
        self.isolation.forget();
        self.schedule.distrust();
        self.liveness.note_absence(now);
        match &mut self.attempt {
            Attempt::Running { since, .. } => *since = now,
            Attempt::Activating {
                since, ended, gone, ..
            } => {
                *since = now;
                *ended = now;
                *gone = None;
                self.begun = None;
            }
            Attempt::Idle => {}
        }
    }

    fn apply_port(&mut self, now: Time, gateway: PortObservation) -> Reason {
        let before = self.port;
        let is_news = match (before, gateway) {
            (Some(PortState::Listening { .. }), PortObservation::Listening)
            | (Some(PortState::Absent), PortObservation::Absent)
            | (Some(PortState::Terminating), PortObservation::Terminating)
            | (Some(PortState::Foreign), PortObservation::Foreign) => false,
            (None | Some(_), _) => true,
        };
        if !is_news {
            return Reason::Time;
        }
        self.port = Some(match gateway {
            PortObservation::Absent => PortState::Absent,
            PortObservation::Terminating => PortState::Terminating,
            PortObservation::Listening => PortState::Listening { since: now },
            PortObservation::Foreign => PortState::Foreign,
        });
        self.outlived_stop = None;
        if gateway == PortObservation::Listening {
            let began = match self.attempt {
                Attempt::Running {
                    command: Step::START,
                    since,
                    ..
                }
                | Attempt::Activating { since, .. } => since,
                Attempt::Running { .. } | Attempt::Idle => now,
            };
            self.liveness.begin(now, began, self.start_limit());
            if !self.settings.watch_gateway {
                self.overdue = 0;
            }
            // What the last start left running has come up after all.
            if !self.must_release() {
                self.stop_owed = false;
            }
            match &mut self.attempt {
                Attempt::Running { came_up, .. } => *came_up = true,
                Attempt::Activating { .. } => self.attempt = Attempt::Idle,
                Attempt::Idle => {}
            }
        } else {
            self.liveness.end();
            // A listener that was there only for a moment isn't a gateway that has come up: OpenClaw tests the
            // port before its unit binds it.
            let limit = self.start_limit();
            if let Attempt::Running {
                command: Step::START,
                since,
                killed: false,
                came_up,
                vanished,
                ..
            } = &mut self.attempt
                && now < *since + limit
            {
                *vanished |= *came_up;
                *came_up = false;
                // The last observation is out of date.
                self.begun = None;
            }
            if matches!(
                self.state,
                State::Stopping { .. } | State::Restarting { .. }
            ) {
                self.reset_attempts(now, |step| step == Step::STOP);
            }
            if matches!(self.state, State::Stopping { .. }) {
                // Expected.
            } else if let Some(PortState::Listening { since }) = before {
                let uptime = now.since(since);
                self.back_off(Step::START, |pause| pause.vanished(now, uptime));
            }
        }
        Reason::Port(gateway)
    }

    fn apply_order(&mut self, now: Time, order: Order) -> Reason {
        if self.objection(now, order).is_some() {
            return Reason::Time;
        }
        self.orders.follow(order);
        match order {
            Order::Release { .. } => {
                // The operator knew of the failures until now.
                self.discount_failures();
                self.isolation.forget();
                self.reset_attempts(now, |_| true);
            }
            Order::TakeOver { .. } => {
                self.reset_takeover(now);
                self.isolation.hurry();
                self.flap_damping.ordered();
                if matches!(&self.primary, Primary::Failing(strikes) if strikes.count() == 0) {
                    self.schedule.ask(now);
                }
            }
            Order::Drill => self.begin_drill(now),
            Order::Pause { .. } | Order::Resume => {}
        }
        Reason::Ordered(order)
    }

    fn apply_command(&mut self, now: Time, ended: Step, result: CommandResult) -> Reason {
        let Attempt::Running {
            command,
            since,
            killed,
            came_up,
            vanished,
            outdated,
        } = self.attempt
        else {
            return Reason::Time;
        };
        let definition = self.steps.get(ended).filter(|_| command == ended);
        let Some(definition) = definition else {
            return Reason::Time;
        };
        self.attempt = Attempt::Idle;
        let listening = self.listening();
        match definition.end {
            End::Listening if listening || came_up => {}
            // Interrupted because the primary is back: not a failure of the gateway.
            End::Listening if killed && self.stop_owed => {}
            End::Listening if !killed && self.may_come_up(&result) => {
                self.begun = None;
                self.attempt = Attempt::Activating {
                    since,
                    ended: now,
                    failed: !result.is_success(),
                    gone: None,
                };
            }
            // Nothing ran, so there is nothing to clean up.
            End::Listening if matches!(result, CommandResult::NotRun { .. }) => {
                self.back_off(Step::START, |pause| pause.failed(now));
            }
            // The failure was counted when the listener was lost.
            End::Listening if vanished => self.stop_owed = true,
            End::Listening => self.start_failed(now),
            End::Closed => {
                self.stop_owed = false;
                if listening {
                    self.back_off(Step::STOP, |pause| pause.failed(now));
                    self.outlived_stop = Some(since);
                    self.liveness.hurry();
                } else {
                    self.reset_attempts(now, |step| step == Step::STOP);
                }
            }
            End::Success => self.apply_success_of(now, definition, &result, outdated),
            End::Parked => self.parking_ended(now, killed, result.is_success()),
            End::Discarded => self.discard_ended(now, result.is_success()),
        }
        Reason::CommandEnded { command, result }
    }

    /// The command of a step has ended that is done when it succeeds, or once it was tried if it is optional.
    fn apply_success_of(
        &mut self,
        now: Time,
        definition: &Definition,
        result: &CommandResult,
        outdated: bool,
    ) {
        let step = definition.step;
        let is_of_takeover = self.steps.is_of_takeover(step);
        if is_of_takeover && outdated {
            return;
        }
        let is_enough = (definition.demand)(&self.settings) == Demand::Optional;
        if !result.is_success() && !is_enough {
            self.back_off(step, |pause| pause.failed(now));
        } else if is_of_takeover {
            self.done.set(step, true);
        } else {
            self.owed.set(step, false);
            self.reset_attempts(now, |one| one == step);
        }
    }

    /// May the gateway still come up after a start with this result? Not on a port that another program holds.
    fn may_come_up(&self, result: &CommandResult) -> bool {
        let is_hopeless = !result.is_success() && self.port == Some(PortState::Foreign);
        result.may_have_begun() && !is_hopeless
    }

    /// It may have left something running that never listens, for example OpenClaw's unit.
    fn start_failed(&mut self, now: Time) {
        self.back_off(Step::START, |pause| pause.failed(now));
        self.stop_owed = true;
    }

    /// No witness can confirm any longer that PC-B's own network works: strikes for a missing path don't count.
    fn discount_lost_path(&mut self) {
        if let Primary::Failing(strikes) = &mut self.primary
            && strikes.forget_lost_path()
            && strikes.as_slice().is_empty()
        {
            self.primary = Primary::Unproven;
            self.discount_steps();
        }
    }

    pub(crate) fn forget_strikes(&mut self, now: Time) {
        if !self.isolation.has_judges() {
            self.discount_lost_path();
        }
        if let Primary::Failing(strikes) = &mut self.primary
            && strikes.forget_old(now)
            && strikes.as_slice().is_empty()
        {
            self.primary = Primary::Unproven;
            self.discount_steps();
        }
    }
}
