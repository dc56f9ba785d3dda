//! What holds at every single event, whatever happened before.
//!
//! The laws keep their own books, from events and actions alone.

use std::time::Duration;

use super::super::{
    Action, Begun, Cause, Command, CommandResult, Decider, DefaultRouter, Event, Failure, Fence,
    GatewayProbeId, Gone, Order, Outcome, PortObservation, ProbeId, Refusal, RoundId, RouterId,
    Settings, Time,
};
use super::{ms, s};

/// Whoever comes later than this was away.
const ABSENCE: Duration = s(2);
/// A timer may be this late without a probe counting as late.
const SLACK: Duration = ms(2);

#[derive(Clone, Debug)]
pub(super) struct Laws {
    settings: Settings,
    probe: Option<(ProbeId, Cause, Time)>,
    /// When the failed probes in a row began, oldest first.
    failures: Vec<Time>,
    /// When the last probe that said anything was answered, if it was.
    success: Option<Time>,
    /// When a probe was answered last, whatever came after.
    answered: Option<Time>,
    command: Option<InFlight>,
    gateway: Option<(PortObservation, Time)>,
    /// The round of witnesses that was asked last, when, and how many answered.
    witnesses: Option<(RoundId, Time, Option<u32>)>,
    /// When enough of them answered last.
    connected: Option<Time>,
    /// When the last probe began that found no path to the primary.
    pathless: Option<Time>,
    /// The default routers, as they were looked up last.
    routers: Vec<DefaultRouter>,
    /// Those that have answered pings in quiet times, and are silent since, perhaps.
    proven: Vec<RouterId>,
    doubted: bool,
    /// When too few witnesses answered, and since then none did.
    isolated: Option<Time>,
    /// The fence command has ended well, or as well as is asked, and what was seen before it counts.
    fenced: bool,
    /// What was seen before the last fence command began counts no longer.
    outdated: bool,
    /// The probe that was in flight during an absence.
    distrusted: Option<ProbeId>,
    /// When somebody's connection last showed the primary alive.
    seen_alive: Option<Time>,
    /// A probe that was made for bad news was answered: a later one may be for news as false.
    false_alarm: bool,
    /// A start has run since the last stop: there may be something to undo.
    started: bool,
    /// The primary was seen healthy once.
    armed: bool,
    /// The orders in force.
    pause: Option<Option<Time>>,
    takeover: Option<bool>,
    released: bool,
    hold: Option<Time>,
    /// The check of the local gateway that isn't answered yet, and how many failed in a row.
    gateway_probe: Option<GatewayProbeId>,
    gateway_failures: u32,
    /// It has answered since it listens, or had all the time there is for that.
    gateway_answered: bool,
    /// When the last start command was run, or else the absence ended through which it went on.
    start: Option<Time>,
    /// What it began was seen to live last, since when nothing has changed.
    comes_up: bool,
    /// The gateway's time to answer first counts from here, at the earliest.
    first_answer_from: Option<Time>,
    last_early: Option<Time>,
    last_on_schedule: Option<Time>,
    /// The current second, and how often the timer fired in it.
    fired: (u64, u32),
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    command: Command,
    killed: bool,
}

impl Laws {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            probe: None,
            failures: Vec::new(),
            success: None,
            answered: None,
            command: None,
            gateway: None,
            witnesses: None,
            connected: None,
            pathless: None,
            routers: Vec::new(),
            proven: Vec::new(),
            doubted: false,
            isolated: None,
            fenced: false,
            outdated: false,
            distrusted: None,
            seen_alive: None,
            false_alarm: false,
            started: false,
            armed: false,
            pause: None,
            takeover: None,
            released: false,
            hold: None,
            gateway_probe: None,
            gateway_failures: 0,
            gateway_answered: false,
            start: None,
            comes_up: false,
            first_answer_from: None,
            last_early: None,
            last_on_schedule: None,
            fired: (0, 0),
        }
    }

    /// The probe in flight.
    pub(super) fn probe(&self) -> Option<ProbeId> {
        self.probe.map(|(probe, ..)| probe)
    }

    /// The round of witnesses that wasn't answered yet.
    pub(super) fn round(&self) -> Option<RoundId> {
        self.witnesses
            .and_then(|(round, _, answered)| answered.is_none().then_some(round))
    }

    /// The check of the local gateway in flight.
    pub(super) fn gateway_probe(&self) -> Option<GatewayProbeId> {
        self.gateway_probe
    }

    /// The command in flight.
    pub(super) fn command(&self) -> Option<Command> {
        self.command.map(|in_flight| in_flight.command)
    }

    /// The timer fired although nothing else happened.
    pub(super) fn timer_fired(&mut self, now: Time) {
        let second = now.as_duration().as_secs();
        let before = if self.fired.0 == second {
            self.fired.1
        } else {
            0
        };
        self.fired = (second, before + 1);
        assert!(before < 25, "the timer fires again and again at {now:?}");
    }

    pub(super) fn check(
        &mut self,
        now: Time,
        event: &Event,
        actions: &[Action],
        before: &Decider,
        after: &Decider,
    ) {
        if self.says_nothing(event) {
            changes_nothing(now, event, before);
        }
        self.notice_absence(now, event, before);
        self.pause
            .take_if(|until| until.is_some_and(|until| until <= now));
        self.hold.take_if(|until| *until <= now);
        self.observe(now, event, before);
        if before.primary_answers() == Some(false) && after.primary_answers().is_none() {
            // The last strike has become too old.
            self.outdate_fence();
        }
        for action in actions {
            match action {
                Action::Probe { probe, cause } => self.probe_begins(now, *probe, *cause),
                Action::Run(Command::Start) => self.start_runs(now, after),
                Action::Run(Command::Stop) => self.stop_runs(now),
                Action::Run(Command::Fence) => self.fence_runs(now, after),
                Action::AskWitnesses { round } => {
                    if let Some((_, asked, None)) = self.witnesses {
                        // Nobody came back.
                        self.isolated = Some(asked);
                    }
                    self.witnesses = Some((*round, now, None));
                }
                Action::PingRouters => {
                    assert!(self.settings.router_is_witness, "a ping that nobody wants");
                    assert_eq!(self.success, Some(now), "a ping when the primary is down");
                }
                Action::ProbeGateway { probe } => self.gateway_probe_begins(*probe),
                Action::Withhold(command) => {
                    assert!(self.pause.is_some(), "{command} withheld, and why?");
                }
                Action::Kill(command) => self.kill(now, *command),
                Action::Record(change) => {
                    assert_eq!(change.from, before.state(), "a change from elsewhere");
                    assert_ne!(change.from, change.to, "a change that is none");
                }
            }
        }
        let recorded = actions
            .iter()
            .filter(|action| matches!(action, Action::Record(_)))
            .count();
        let changes = usize::from(before.state() != after.state());
        assert_eq!(recorded, changes, "every change is told once");
        assert!(actions.len() <= 6, "one of each at most: {actions:?}");
        operators_are_no_flaps(before, after);
        self.refusals_are_fresh(now, after);
        self.strikes_are_in_the_books(now, after);
        self.timer_is_never_stuck(now, after);
    }

    // --- the books ---------------------------------------------------------------------------

    fn observe(&mut self, now: Time, event: &Event, before: &Decider) {
        match event {
            Event::Woke
            | Event::Suspended
            | Event::GatewayDrains
            | Event::PrimaryDrains(_)
            | Event::ProbeWanted => {}
            Event::Begun(begun) => {
                self.comes_up = *begun == Begun::Alive && before.awaits_start();
            }
            // It may have had its time long ago.
            Event::GatewayBegan(_) => self.gateway_answered = true,
            Event::Armed => self.armed = true,
            Event::Operator(order) => {
                let mut judge = before.clone();
                if self.is_late(now, before) {
                    judge.begin_anew(now);
                }
                if judge.objection(now, *order).is_none() {
                    self.ordered(*order);
                }
            }
            Event::GatewayProbed { probe, outcome } => {
                if self.gateway_probe.take_if(|id| id == probe).is_none() {
                    return;
                }
                match outcome {
                    Outcome::Connected { .. } => {
                        self.gateway_failures = 0;
                        self.gateway_answered = true;
                    }
                    Outcome::Failed { .. } => self.gateway_failures += 1,
                    Outcome::Unknown { .. } => {}
                }
            }
            Event::DefaultRouters(routers) => {
                let before = self.needed();
                self.routers.clone_from(routers);
                self.count_anew(before);
            }
            Event::RoutersPinged { answered } => {
                let before = self.needed();
                self.pinged(answered);
                self.count_anew(before);
            }
            Event::Evidence(evidence, seen) => {
                if evidence.is_good() {
                    self.seen_alive = self.seen_alive.max(Some(now.min(*seen)));
                }
            }
            Event::Witnesses { round, answered } => {
                let needed = self.needed();
                let Some((asked, at, answer @ None)) = &mut self.witnesses else {
                    return;
                };
                if asked != round {
                    return;
                }
                *answer = Some(*answered);
                if *answered >= needed {
                    self.connected = Some(now);
                }
                if *answered < needed {
                    self.isolated = Some(*at);
                } else if self.isolated.take().is_some() {
                    self.reconnected();
                }
            }
            Event::ProbeEnded { probe, outcome } => {
                let Some((_, cause, began)) = self.probe.take_if(|(id, ..)| id == probe) else {
                    return;
                };
                let outcome = &self.counted(outcome);
                if !matches!(outcome, Outcome::Connected { .. }) {
                    self.doubted = false;
                }
                let trusted = self.distrusted != Some(*probe) && cause != Cause::GoodNews;
                if trusted && fails_for(outcome) == Some(Failure::Gone(Gone::Path)) {
                    self.pathless = Some(began);
                }
                match (outcome, cause) {
                    (Outcome::Connected { .. }, _) => {
                        self.failures.clear();
                        self.false_alarm |= cause == Cause::BadNews;
                        if self.takeover != Some(true) {
                            self.outdate_fence();
                        }
                        self.nobody_was_asked();
                        self.routers_are_judged();
                        self.success = Some(now);
                        self.answered = Some(now);
                        self.armed = true;
                        if self.takeover == Some(false) && before.release_needs() <= 1 {
                            self.takeover = None;
                        }
                    }
                    (Outcome::Failed { .. }, _) if self.distrusted == Some(*probe) => {}
                    (
                        Outcome::Failed { failure, .. },
                        Cause::Scheduled | Cause::BadNews | Cause::Ordered,
                    ) => {
                        self.failures.push(began);
                        // What others saw may excuse it, unless TCP connected.
                        let rumour = cause == Cause::BadNews && self.false_alarm;
                        let excused = rumour && failure.is_silence();
                        let counts = self.settings.veto_limit == 0
                            || failure.is_above_tcp()
                            || self.seen_alive.is_none_or(|seen| seen < began);
                        if counts && !excused {
                            self.success = None;
                        }
                    }
                    (Outcome::Failed { .. }, Cause::GoodNews) | (Outcome::Unknown { .. }, _) => {}
                }
            }
            Event::Port(gateway) => match self.gateway {
                Some((before, _)) if before == *gateway => {}
                _ => {
                    self.gateway = Some((*gateway, now));
                    self.gateway_probe = None;
                    self.gateway_failures = 0;
                    self.gateway_answered = false;
                    self.comes_up = false;
                }
            },
            Event::CommandEnded { command, result } => {
                let ended = self
                    .command
                    .take_if(|in_flight| in_flight.command == *command);
                let good =
                    *result == CommandResult::Succeeded || self.settings.fence == Fence::Optional;
                if *command == Command::Start {
                    self.comes_up = false;
                }
                if ended.is_some() && *command == Command::Fence && good && !self.outdated {
                    self.fenced = true;
                }
            }
        }
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Pause { until } => self.pause = Some(until),
            Order::Resume => {
                self.pause = None;
                self.hold = None;
            }
            Order::TakeOver { force } => {
                self.takeover = Some(force);
                self.hold = None;
            }
            Order::Release { hold_until: hold } => {
                self.takeover = None;
                self.released = true;
                self.hold = hold;
                // Whoever orders it knows what failed.
                self.failures.clear();
                self.nobody_was_asked();
                self.outdate_fence();
            }
        }
    }

    fn outdate_fence(&mut self) {
        self.fenced = false;
        self.outdated = true;
    }

    /// Whatever failed until now, or was asked until now and will, may have failed for that reason.
    fn reconnected(&mut self) {
        self.failures.clear();
        self.distrusted = self.probe.map(|(probe, ..)| probe);
        self.outdate_fence();
    }

    fn nobody_was_asked(&mut self) {
        self.isolated = None;
        self.witnesses = None;
    }

    /// After an absence nothing counts that was seen before: the decider was called later than it
    /// asked to be, or a probe was told later than it can end.
    fn notice_absence(&mut self, now: Time, event: &Event, before: &Decider) {
        if self.is_late(now, before) || *event == Event::Suspended {
            self.failures.clear();
            self.outdate_fence();
            self.nobody_was_asked();
            self.distrusted = self.probe.map(|(probe, ..)| probe);
            self.gateway_failures = 0;
            self.start = self.start.map(|_| now);
            self.comes_up = false;
            if let Some((PortObservation::Listening, since)) = &mut self.gateway
                && !self.gateway_answered
            {
                // No deadline was fair.
                self.first_answer_from = Some(now.max(*since));
            }
        }
    }

    fn needed(&self) -> u32 {
        self.needed_by(&self.proven, &self.routers)
    }

    /// A router that has answered counts, unless it is the primary.
    fn needed_by(&self, proven: &[RouterId], routers: &[DefaultRouter]) -> u32 {
        let is_primary = |id: &RouterId| {
            let mut routers = routers.iter().filter(|router| router.is_primary);
            routers.any(|router| router.id == *id)
        };
        let counts = self.settings.router_is_witness && proven.iter().any(|id| !is_primary(id));
        let counting = self.settings.named_witnesses.saturating_add(counts.into());
        self.settings.witness_quorum.min(counting)
    }

    fn pinged(&mut self, answered: &[RouterId]) {
        if !self.settings.router_is_witness {
            return;
        }
        self.doubted = answered.is_empty();
        if !answered.is_empty() {
            self.proven = answered.to_vec();
        }
    }

    /// The primary has answered, so a silent router has been so for a reason of its own; and where other
    /// routers are there now, the primary answers by them.
    fn routers_are_judged(&mut self) {
        let is_there = |router: &DefaultRouter| self.proven.contains(&router.id);
        let replaced = !self.routers.is_empty() && !self.routers.iter().any(is_there);
        if replaced || self.doubted {
            self.proven.clear();
        }
        self.doubted = false;
    }

    /// Where another number has to answer, nobody was asked for as many.
    fn count_anew(&mut self, before: u32) {
        if self.needed() == before {
            return;
        }
        if let Some((.., Some(answered))) = &mut self.witnesses {
            *answered = 0;
        }
        if self.isolated.take().is_some() {
            self.reconnected();
        }
    }

    /// Without a path a probe has failed where somebody can say that PC-B's network is well.
    fn counted(&self, outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Unknown {
                gone: Some(gone), ..
            } if *gone == Gone::Address || self.needed() > 0 => Outcome::Failed {
                failure: Failure::Gone(*gone),
                took: Duration::ZERO,
            },
            outcome => outcome.clone(),
        }
    }

    fn is_late(&self, now: Time, before: &Decider) -> bool {
        let answer = self.probe.map(|(.., began)| began + self.settings.timeout);
        let expected = [before.next_wake(), answer].into_iter().flatten().min();
        let late = expected.map(|expected| now.since(expected));
        match late {
            Some(late) if late > ABSENCE + SLACK => true,
            // A probe is due a timer's slack before it begins: the decider alone knows.
            Some(late) if late > ABSENCE => before.was_absent(now),
            _ => false,
        }
    }

    fn says_nothing(&self, event: &Event) -> bool {
        match event {
            Event::Woke | Event::ProbeWanted | Event::PrimaryDrains(_) => true,
            // Good news may take a strike back.
            Event::Evidence(evidence, _) => !evidence.is_good(),
            Event::Suspended
            | Event::GatewayProbed { .. }
            | Event::GatewayDrains
            | Event::GatewayBegan(_)
            | Event::Begun(_)
            | Event::Armed
            | Event::Operator(_) => false,
            Event::DefaultRouters(routers) => {
                self.needed_by(&self.proven, routers) == self.needed()
            }
            Event::RoutersPinged { answered } => {
                answered.is_empty()
                    || !self.settings.router_is_witness
                    || self.needed_by(answered, &self.routers) == self.needed()
            }
            Event::Witnesses { round, .. } => self.round() != Some(*round),
            Event::ProbeEnded { probe, outcome } => match self.probe {
                Some((id, cause, _)) if id == *probe => match self.counted(outcome) {
                    Outcome::Connected { .. } => false,
                    Outcome::Failed { .. } => cause == Cause::GoodNews,
                    Outcome::Unknown { .. } => true,
                },
                _ => true,
            },
            Event::Port(gateway) => {
                matches!(self.gateway, Some((before, _)) if before == *gateway)
            }
            Event::CommandEnded { command, .. } => self.command() != Some(*command),
        }
    }

    // --- the laws ----------------------------------------------------------------------------

    /// Probes never overlap, early ones are a second apart, and the others an interval.
    fn probe_begins(&mut self, now: Time, probe: ProbeId, cause: Cause) {
        assert!(self.probe.is_none(), "two probes at a time");
        self.probe = Some((probe, cause, now));
        if cause == Cause::Scheduled {
            let interval = self
                .settings
                .interval
                .min(self.settings.recovery_interval)
                .min(self.settings.confirm_interval);
            let gap = self.last_on_schedule.map(|last| now.since(last));
            assert!(
                gap.is_none_or(|gap| gap + SLACK >= interval),
                "a burst of probes: {gap:?} apart"
            );
        } else {
            let gap = self.last_early.map(|last| now.since(last));
            assert!(
                gap.is_none_or(|gap| gap >= s(1)),
                "early probes {gap:?} apart"
            );
            self.last_early = Some(now);
        }
        // One for what may be a false alarm again leaves the schedule alone, unless it is answered.
        if matches!(cause, Cause::Scheduled | Cause::Ordered)
            || (cause == Cause::BadNews && !self.false_alarm)
        {
            self.last_on_schedule = Some(now);
        }
    }

    /// Three failures in a row, an interval apart, none of them old, nobody listens, enough
    /// witnesses answered lately, and the primary was made sure of.
    fn start_runs(&mut self, now: Time, after: &Decider) {
        self.takeover_begins(now, Command::Start);
        assert!(
            self.fenced || self.settings.fence == Fence::None,
            "a start without a fence"
        );
        if self.takeover.is_none() {
            assert_eq!(after.strikes().len(), self.settings.strikes.get() as usize);
        }
        self.path_is_still_gone(after);
        self.started = true;
        self.released = false;
        self.start = Some(now);
        self.comes_up = false;
    }

    /// A start whose gateway is seen to come up, and one that listens and hasn't answered yet, has all its
    /// time: nothing but the primary's return or an order ends it before.
    fn is_given_its_time(&self, now: Time) {
        let has_time = |from: Time| now.since(from) < self.settings.start_timeout;
        let is_over = |start: Time| !has_time(start);
        let needed_no_more = self.success.is_some() || self.released;
        match self.gateway {
            Some((PortObservation::Listening, since)) => {
                let from = self.first_answer_from.unwrap_or(since);
                let from = self
                    .start
                    .filter(|start| *start <= since)
                    .map_or(from, |start| self.first_answer_from.unwrap_or(start));
                assert!(
                    needed_no_more || self.gateway_answered || is_over(from),
                    "a gateway that hasn't answered yet is ended at {now:?}, begun at {from:?}"
                );
            }
            Some((PortObservation::Foreign, _)) | None => {}
            Some((PortObservation::Absent | PortObservation::Terminating, _)) => assert!(
                needed_no_more || !self.comes_up || self.start.is_none_or(is_over),
                "a start that comes up is ended at {now:?}, begun at {:?}",
                self.start
            ),
        }
    }

    /// The same reasons as for a start.
    fn fence_runs(&mut self, now: Time, after: &Decider) {
        self.path_is_still_gone(after);
        assert_ne!(self.settings.fence, Fence::None, "a fence that there isn't");
        assert!(!self.fenced, "a second fence");
        self.takeover_begins(now, Command::Fence);
        self.outdated = false;
    }

    /// Where strikes count for want of a path, a witness has answered, and the path was gone after it.
    fn path_is_still_gone(&self, after: &Decider) {
        let for_want_of_a_path = after
            .strikes()
            .iter()
            .any(|strike| strike.failure == Failure::Gone(Gone::Path));
        if for_want_of_a_path && self.takeover != Some(true) {
            assert!(self.needed() > 0, "no path, and nobody to ask");
            let in_turn = self.connected.zip(self.pathless);
            assert!(
                in_turn.is_some_and(|(connected, pathless)| pathless + SLACK >= connected),
                "no path at {:?}, witnesses at {:?}",
                self.pathless,
                self.connected
            );
        }
    }

    fn takeover_begins(&mut self, now: Time, command: Command) {
        assert!(
            self.command.is_none(),
            "{command} beside {:?}",
            self.command
        );
        assert!(self.pause.is_none(), "{command} during a pause");
        assert!(self.hold.is_none(), "{command} although a release holds");
        let forced = self.takeover == Some(true);
        assert!(
            self.armed || forced || !self.settings.needs_arming,
            "{command}, and the primary was never seen healthy"
        );
        if self.needed() > 0 && !forced {
            let fresh = self.witnesses.is_some_and(|(_, asked, answered)| {
                now.since(asked) <= self.settings.interval
                    && answered.is_some_and(|answered| answered >= self.needed())
            });
            assert!(fresh, "{command}, and the witnesses: {:?}", self.witnesses);
        }
        assert!(
            matches!(
                self.gateway,
                Some((PortObservation::Absent | PortObservation::Terminating, _))
            ),
            "a start, and the local port is {:?}",
            self.gateway
        );
        let interval = self.settings.confirm_interval;
        let mut spaced: Vec<Time> = Vec::new();
        for began in &self.failures {
            let is_new = now.since(*began) <= self.strike_lifetime() + SLACK;
            let is_apart = spaced
                .last()
                .is_none_or(|last| began.since(*last) + SLACK >= interval);
            if is_new && is_apart {
                spaced.push(*began);
            }
        }
        let needed = match self.takeover {
            Some(true) => 0,
            Some(false) => 1,
            None => self.settings.strikes.get(),
        };
        assert!(
            spaced.len() >= needed as usize,
            "a start after failures at {:?}, now {now:?}",
            self.failures
        );
        self.command = Some(InFlight {
            command,
            killed: false,
        });
    }

    /// A stop has a reason: the last probe that said anything was answered since somebody listens; or
    /// it undoes a start; or the gateway doesn't answer; or an operator says so. What isn't ours is
    /// never stopped.
    fn stop_runs(&mut self, now: Time) {
        assert!(self.command.is_none(), "a stop beside {:?}", self.command);
        self.is_given_its_time(now);
        assert!(self.pause.is_none(), "a stop during a pause");
        let listening = matches!(self.gateway, Some((PortObservation::Listening, _)));
        let answered = matches!(
            (self.gateway, self.success),
            (Some((_, since)), Some(success)) if success >= since
        );
        let believed = self.success.is_some() && (listening && answered || self.started);
        let undoes = self.started && !listening;
        let hangs = listening && self.gateway_failures >= self.settings.strikes.get();
        let ordered = self.released && (listening || self.started);
        assert!(
            (believed && self.takeover != Some(true)) || undoes || hangs || ordered,
            "a stop of {:?}: success {:?}, started {}, takeover {:?}, released {}, {} failures",
            self.gateway,
            self.success,
            self.started,
            self.takeover,
            self.released,
            self.gateway_failures
        );
        self.command = Some(InFlight {
            command: Command::Stop,
            killed: false,
        });
        self.started = false;
    }

    /// Only while it listens, and one at a time.
    fn gateway_probe_begins(&mut self, probe: GatewayProbeId) {
        assert!(self.settings.watch_gateway, "a check that nobody wants");
        assert!(self.gateway_probe.is_none(), "two checks at a time");
        assert!(
            matches!(self.gateway, Some((PortObservation::Listening, _))),
            "a check of {:?}",
            self.gateway
        );
        self.gateway_probe = Some(probe);
    }

    fn kill(&mut self, now: Time, command: Command) {
        if command == Command::Start {
            self.is_given_its_time(now);
        }
        match &mut self.command {
            Some(in_flight) if in_flight.command == command && !in_flight.killed => {
                in_flight.killed = true;
            }
            other => panic!("a kill of {command}, and in flight is {other:?}"),
        }
    }

    /// What the decider calls strikes are failures that really happened, in a row, apart, not old.
    fn strikes_are_in_the_books(&self, now: Time, after: &Decider) {
        let strikes = after.strikes();
        for strike in strikes {
            let began = |failure: &&Time| failure.since(strike.due) <= SLACK;
            assert!(
                self.failures.iter().any(|failure| began(&failure)),
                "{strike:?} is none of {:?}",
                self.failures
            );
            assert!(
                now.since(strike.due) <= self.strike_lifetime(),
                "{strike:?} is old at {now:?}"
            );
        }
        for pair in strikes.windows(2) {
            assert!(
                pair[1].due.since(pair[0].due) >= self.settings.confirm_interval,
                "strikes too close: {pair:?}"
            );
        }
    }

    /// The timer is set later than now once it has fired; without one, a probe is in flight.
    fn timer_is_never_stuck(&self, now: Time, after: &Decider) {
        let mut woken = after.clone();
        let actions = woken.handle(now, []);
        match woken.next_wake() {
            Some(wake) => assert!(wake > now, "awake at {now:?}, and again at {wake:?}"),
            None => assert!(
                self.probe.is_some()
                    || actions
                        .iter()
                        .any(|action| matches!(action, Action::Probe { .. })),
                "nothing is due, ever"
            ),
        }
    }

    /// That the primary answers is said only where it has within an interval; and before that is said of an
    /// order, it is probed unless it answered just now.
    fn refusals_are_fresh(&self, now: Time, after: &Decider) {
        let order = Order::TakeOver { force: false };
        let age = self.answered.map(|answered| now.since(answered));
        let refuses = after.objection(now, order) == Some(Refusal::PrimaryAnswers);
        assert!(
            !refuses || age.is_some_and(|age| age < self.settings.interval),
            "a takeover refused by an answer of {age:?} ago"
        );
        let known = after.primary_answers() == Some(false)
            || age.is_some_and(|age| age < self.settings.recovery_interval);
        assert!(
            known || after.must_probe_first(now, order) || after.objection(now, order).is_some(),
            "a takeover without a look"
        );
    }

    fn strike_lifetime(&self) -> Duration {
        (self.settings.interval + self.settings.timeout) * self.settings.strikes.get()
    }
}

/// While an operator's order is in force, nothing makes the next release harder.
fn operators_are_no_flaps(before: &Decider, after: &Decider) {
    let ordered = [before, after].iter().all(|decider| {
        decider.takes_over_by_order() || decider.pause().is_some() || decider.hold_until().is_some()
    });
    let began = before.primary_answers() != Some(false) && after.primary_answers() == Some(false);
    // What a level asks for may be less than the one below, where somebody configures it like that.
    let raised =
        after.persistent_state().flap_history.level > before.persistent_state().flap_history.level;
    assert!(
        !(ordered && began && raised),
        "an operator's outage counts as a flap"
    );
    assert!(
        !(after.takes_over_by_order() && raised),
        "an ordered takeover counts as a flap"
    );
}

fn fails_for(outcome: &Outcome) -> Option<Failure> {
    match outcome {
        Outcome::Failed { failure, .. } => Some(*failure),
        Outcome::Connected { .. } | Outcome::Unknown { .. } => None,
    }
}

/// The event made no difference but for when to probe.
fn changes_nothing(now: Time, event: &Event, before: &Decider) {
    let commands = |decider: &mut Decider, event: Event| -> Vec<Action> {
        decider
            .handle(now, [event])
            .into_iter()
            .filter(|action| matches!(action, Action::Run(_) | Action::Kill(_)))
            .collect()
    };
    let mut with = before.clone();
    let mut with_actions = commands(&mut with, event.clone());
    with_actions.extend(commands(&mut with, Event::Woke));
    let mut without = before.clone();
    let without_actions = commands(&mut without, Event::Woke);
    assert_eq!(with_actions, without_actions, "{event:?} makes commands");
    assert_eq!(with.state(), without.state(), "{event:?} makes a state");
    assert_eq!(
        with.strikes(),
        without.strikes(),
        "{event:?} makes a difference in strikes"
    );
}
