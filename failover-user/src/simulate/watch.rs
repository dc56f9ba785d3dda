//! What must never happen, looked for after every event.
//!
//! It keeps its own books from events and actions alone, so that it doesn't share the decider's
//! mistakes.

mod escape;
mod orders;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use failover_decide::{
    Action, Begun, Cause, Command, CommandResult, Decider, Event, Fence, Gone, Order, Outcome,
    PortObservation, ProbeId, RoundId, Settings, Time,
};

use crate::simulate::watch::{
    escape::{Escape, Facts},
    orders::Orders,
};

/// A probe may begin this much off its time (`SLACK` in decide/schedule.rs).
const SLACK: Duration = Duration::from_millis(2);
/// Longer than any stop that the scene draws.
const LONGEST_STOP: Duration = Duration::from_secs(5);
/// So long a local gateway may stay that isn't needed: a start may have to be ended first.
const STOPPED: Duration = Duration::from_secs(15);
/// Far more events than one moment ever has.
const MOST_AT_ONCE: u32 = 100;
/// Enough to find out what is wrong.
const MOST_KEPT: usize = 5;
/// Changes of state that are checked in detail, per run.
const MOST_ESCAPES: u32 = 50;

/// The books.
pub(super) struct Watch {
    strikes: u32,
    /// From one strike to the next.
    spacing: Duration,
    /// From one success to the next, at most.
    recovery: Duration,
    quorum: u32,
    /// The settings' witnesses.
    named: u32,
    router_is_witness: bool,
    /// The default router has answered pings, and was silent since, perhaps.
    router_answers: bool,
    router_doubted: bool,
    /// Too few witnesses answered when they were asked last.
    isolated: bool,
    /// The round that is waited for.
    round: Option<RoundId>,
    interval: Duration,
    fresh: Duration,
    successes_needed: u32,
    /// Settings that kill each stop before it is done get what they ask for.
    stops_in_time: bool,
    needs_arming: bool,
    armed: bool,
    needs_fence: bool,
    /// The fence succeeded, and nothing was seen since it began that would ask for another.
    fenced: bool,
    /// Something was.
    outdated: bool,
    orders: Orders,
    probe: Option<(Time, Cause, ProbeId)>,
    /// What may fail because it began without a network, or before PC-B slept.
    distrusted: Option<ProbeId>,
    command: Option<Command>,
    /// When the probes began that failed since the last that was answered.
    failures: VecDeque<Time>,
    successes: u32,
    /// When the probe began that was the last of them.
    succeeded: Option<Time>,
    listening: bool,
    start_timeout: Duration,
    /// When the start began whose gateway is seen to come up.
    start: Option<Time>,
    comes_up: bool,
    /// Since when the local gateway should be going.
    unneeded: Option<Time>,
    now: Time,
    at_once: u32,
    escape: Escape,
    escapes: u32,
    violations: Vec<String>,
    violated: u64,
}

impl Watch {
    pub(super) fn new(settings: &Settings) -> Self {
        let strikes = settings.strikes.get();
        Self {
            strikes,
            spacing: settings.confirm_interval,
            recovery: most_spacing(settings),
            quorum: settings.witness_quorum,
            named: settings.named_witnesses,
            router_is_witness: settings.router_is_witness,
            router_answers: false,
            router_doubted: false,
            isolated: false,
            round: None,
            interval: settings.interval,
            fresh: (settings.interval + settings.timeout) * strikes,
            successes_needed: most_successes(settings),
            stops_in_time: settings.stop_timeout > LONGEST_STOP,
            needs_arming: settings.needs_arming,
            armed: !settings.needs_arming,
            needs_fence: settings.fence == Fence::Required,
            fenced: false,
            outdated: false,
            orders: Orders::default(),
            probe: None,
            distrusted: None,
            command: None,
            failures: VecDeque::new(),
            successes: 0,
            succeeded: None,
            listening: false,
            start_timeout: settings.start_timeout,
            start: None,
            comes_up: false,
            unneeded: None,
            now: Time::default(),
            at_once: 0,
            escape: Escape::new(settings),
            escapes: 0,
            violations: Vec::new(),
            violated: 0,
        }
    }

    pub(super) fn violated(&self) -> u64 {
        self.violated
    }

    pub(super) fn into_violations(self) -> Vec<String> {
        self.violations
    }

    /// PC-B booted: nothing is in flight, nothing listens.
    pub(super) fn boot(&mut self) {
        self.probe = None;
        self.distrusted = None;
        self.command = None;
        self.failures.clear();
        self.successes = 0;
        self.succeeded = None;
        self.nobody_was_asked();
        self.armed = !self.needs_arming;
        self.fenced = false;
        self.orders.boot();
        self.listening = false;
        self.comes_up = false;
        self.unneeded = None;
    }

    /// PC-B slept; no command ran meanwhile.
    pub(super) fn slept(&mut self, slept: Duration) {
        if let Some(since) = &mut self.unneeded {
            *since = *since + slept;
        }
    }

    /// Before the decider sees it.
    pub(super) fn sees(&mut self, now: Time, event: &Event) {
        self.at_once = if now == self.now { self.at_once + 1 } else { 0 };
        if self.at_once == MOST_AT_ONCE {
            self.violation(now, "the decider does not settle");
        }
        if now < self.now {
            self.violation(now, "time went backwards");
        }
        self.now = now;
        match event {
            Event::ProbeEnded { outcome, .. } => self.probe_ended(outcome),
            Event::Port(gateway) => {
                self.listening = *gateway == PortObservation::Listening;
                self.comes_up = false;
                if !self.listening {
                    self.unneeded = None;
                    self.orders.released();
                }
            }
            Event::CommandEnded { command, result } => {
                if self.command.take() != Some(*command) {
                    self.violation(now, "a command ended that was not running");
                }
                if *command == Command::Fence {
                    self.fenced = *result == CommandResult::Succeeded && !self.outdated;
                }
            }
            Event::Witnesses { round, answered } if self.round == Some(*round) => {
                self.round = None;
                let connected = *answered >= self.needed();
                if connected {
                    self.has_a_network();
                }
                self.isolated = !connected;
            }
            Event::RoutersPinged { answered } => {
                self.router_answers |= !answered.is_empty();
                self.router_doubted = answered.is_empty();
            }
            Event::Suspended => {
                self.comes_up = false;
                self.failures.clear();
                self.distrusted = self.probe.map(|(.., probe)| probe);
                self.outdate_fence();
                self.nobody_was_asked();
            }
            Event::Begun(begun) => self.comes_up = *begun == Begun::Alive,
            Event::Armed => self.armed = true,
            Event::Operator(order) => {
                self.orders.given(*order);
                self.unneeded = None;
                if let Order::Release { .. } = order {
                    self.failures.clear();
                    self.nobody_was_asked();
                    self.outdate_fence();
                }
            }
            Event::Woke
            | Event::Witnesses { .. }
            | Event::Evidence(..)
            | Event::GatewayProbed { .. }
            | Event::GatewayDrains
            | Event::PrimaryDrains(_)
            | Event::GatewayBegan(_)
            | Event::DefaultRouters(_)
            | Event::ProbeWanted => {}
        }
        if let Some(since) = self.unneeded
            && self.stops_in_time
            && now.since(since) > STOPPED
        {
            self.violation(now, "the primary answers and the local gateway is kept");
            self.unneeded = None;
        }
    }

    /// What the decider made of it.
    pub(super) fn checks(
        &mut self,
        now: Time,
        actions: &[Action],
        wake: Option<Time>,
        decider: &Decider,
    ) {
        let mut changed = false;
        for action in actions {
            match action {
                Action::Probe { probe, cause } => {
                    if self.probe.replace((now, *cause, *probe)).is_some() {
                        self.violation(now, "two probes are in flight");
                    }
                }
                Action::Run(command) => {
                    if self.command.replace(*command).is_some() {
                        self.violation(now, "two commands are in flight");
                    }
                    if let Some(what) = self.forbids(now, *command) {
                        self.violation(now, what);
                    }
                    self.outdated &= *command != Command::Fence;
                }
                Action::Kill(command) => {
                    if self.command != Some(*command) {
                        self.violation(now, "a command is killed that is not running");
                    }
                }
                Action::Record(_) => changed = true,
                Action::AskWitnesses { round } => self.round = Some(*round),
                Action::ProbeGateway { .. } | Action::PingRouters | Action::Withhold(_) => {}
            }
        }
        let due = wake.is_some_and(|wake| wake <= now + self.interval + SLACK);
        if self.probe.is_none() && !due {
            self.violation(now, "no decision is due within an interval");
        }
        if changed && self.escapes < MOST_ESCAPES && self.orders.leave_it_to_the_primary(now) {
            self.escapes += 1;
            self.tries_to_escape(now, decider);
        }
    }

    pub(super) fn end(&mut self, now: Time, decider: &Decider) {
        if self.orders.leave_it_to_the_primary(now) {
            self.tries_to_escape(now, decider);
        }
    }

    /// Why this command must not be run now.
    fn forbids(&mut self, now: Time, command: Command) -> Option<&'static str> {
        if command == Command::Start {
            self.start = Some(now);
            self.comes_up = false;
        }
        let has_time = self
            .start
            .is_some_and(|start| now.since(start) < self.start_timeout);
        if command == Command::Stop
            && std::mem::take(&mut self.comes_up)
            && has_time
            && self.successes == 0
            && self.orders.leave_it_to_the_primary(now)
        {
            return Some("a start that comes up is undone");
        }
        let forbidden = self.orders.forbid(now, command);
        if forbidden.is_some() || command == Command::Stop {
            return forbidden;
        }
        let forced = self.orders.forces();
        let needed = if self.orders.takes_over() {
            1
        } else {
            self.strikes
        };
        if command == Command::Start && self.needs_fence && !self.fenced {
            Some("a start without the fence")
        } else if forced {
            None
        } else if self.fresh_failures(now) < needed {
            Some("a start without fresh consecutive failures")
        } else if self.isolated {
            Some("a start without a network")
        } else if !self.armed {
            Some("a start for a primary that was never seen healthy")
        } else {
            None
        }
    }

    /// How many witnesses have to answer: a router that has answered is one.
    fn needed(&self) -> u32 {
        let router = self.router_is_witness && self.router_answers;
        self.quorum.min(self.named.saturating_add(router.into()))
    }

    /// What was seen without one proves nothing, nor does what was asked and isn't answered yet.
    fn has_a_network(&mut self) {
        if std::mem::take(&mut self.isolated) {
            self.failures.clear();
            self.distrusted = self.probe.map(|(.., probe)| probe);
            self.outdate_fence();
        }
    }

    fn outdate_fence(&mut self) {
        self.fenced = false;
        self.outdated = true;
    }

    /// A round that was asked is answered too late.
    fn nobody_was_asked(&mut self) {
        self.isolated = false;
        self.round = None;
    }

    fn probe_ended(&mut self, outcome: &Outcome) {
        let Some((began, cause, probe)) = self.probe.take() else {
            self.violation(self.now, "a probe ended that was not in flight");
            return;
        };
        let witnesses = self.needed();
        let doubted = std::mem::take(&mut self.router_doubted);
        match outcome {
            Outcome::Connected { .. } => {
                // The router was silent for a reason of its own.
                self.router_answers &= !doubted;
                self.failures.clear();
                self.nobody_was_asked();
                self.armed = true;
                if !self.orders.forces() {
                    self.outdate_fence();
                }
                let next = self.succeeded.map(|last| last + self.recovery);
                if next.is_none_or(|next| began >= next) {
                    self.successes = self.successes.saturating_add(1);
                    self.succeeded = Some(began);
                }
                if self.successes >= self.successes_needed {
                    self.orders.primary_is_back();
                    if self.listening && self.orders.leave_it_to_the_primary(self.now) {
                        self.unneeded.get_or_insert(self.now);
                    }
                }
            }
            // A path that is gone counts where witnesses say that PC-B's network is well.
            Outcome::Unknown {
                gone: Some(gone), ..
            } if witnesses == 0 && *gone == Gone::Path => {}
            Outcome::Failed { .. } | Outcome::Unknown { gone: Some(_), .. } => {
                self.successes = 0;
                self.succeeded = None;
                self.unneeded = None;
                if cause != Cause::GoodNews && self.distrusted != Some(probe) {
                    self.failures.push_back(began);
                }
            }
            Outcome::Unknown { gone: None, .. } => {}
        }
    }

    /// The most failures, none too close to the next, that are young enough.
    fn fresh_failures(&mut self, now: Time) -> u32 {
        while self
            .failures
            .front()
            .is_some_and(|began| now.since(*began) > self.fresh + SLACK)
        {
            self.failures.pop_front();
        }
        let mut last = None;
        let mut count = 0;
        for began in &self.failures {
            if last.is_none_or(|last| *began + SLACK >= last + self.spacing) {
                count += 1;
                last = Some(*began);
            }
        }
        count
    }

    /// A state that no event can leave would show here: whatever it is now, a primary that answers
    /// leads to standby, and one that doesn't to an active local gateway.
    fn tries_to_escape(&mut self, now: Time, decider: &Decider) {
        let facts = Facts {
            probe: self.probe.map(|(_, _, probe)| probe),
            command: self.command,
            listening: self.listening,
        };
        for answers in [true, false] {
            // With a wrong address nobody serves, whatever answers there.
            if !answers && !self.armed {
                continue;
            }
            if let Err(state) = self.escape.settles(now, decider, facts, answers) {
                self.violation(now, &format!("{state} is never left, answers: {answers}"));
            }
        }
    }

    fn violation(&mut self, now: Time, what: &str) {
        self.violated += 1;
        if self.violations.len() < MOST_KEPT {
            let at = now.as_duration();
            self.violations.push(format!("after {at:.3?}: {what}"));
        }
    }
}

/// The longest time that has to be between two successes for both to count.
fn most_spacing(settings: &Settings) -> Duration {
    let flapping = settings.flapping.as_ref().map(|rules| rules.interval);
    settings.recovery_interval.max(flapping.unwrap_or_default())
}

/// The most successes in a row that a release ever takes.
fn most_successes(settings: &Settings) -> u32 {
    let flapping = settings.flapping.iter();
    let counts = flapping.flat_map(|rules| rules.successes.iter().map(|count| count.get()));
    counts.max().unwrap_or(1)
}
