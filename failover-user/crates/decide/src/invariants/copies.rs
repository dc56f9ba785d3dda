//! What a copy of the decider would do: nothing, after an event without news; and something, once its timer
//! has fired.

use super::{
    books::Books,
    violation::{Invariant, Violations},
};
use crate::{Action, Cause, Decider, Event, Outcome, Time};

impl Books {
    /// An event without news changes at most when the primary is probed next.
    pub(super) fn changes_nothing(
        &self,
        now: Time,
        event: &Event,
        before: &Decider,
        violations: &mut Violations,
    ) {
        if !self.says_nothing(event) {
            return;
        }
        let mut with = before.clone();
        let mut with_commands = commands(&mut with, now, event.clone());
        with_commands.extend(commands(&mut with, now, Event::Woke));
        let mut without = before.clone();
        let without_commands = commands(&mut without, now, Event::Woke);
        violations.unless(
            with_commands == without_commands
                && with.state() == without.state()
                && with.strikes() == without.strikes(),
            Invariant::NothingNew,
            || {
                format!(
                    "{event:?}: {with_commands:?}, {}, without {without_commands:?}, {}",
                    with.state().name(),
                    without.state().name()
                )
            },
        );
    }

    /// The timer is set later than now once it has fired; without one, a probe is in flight.
    pub(super) fn timer_moves(&self, now: Time, after: &Decider, violations: &mut Violations) {
        let mut woken = after.clone();
        let actions = woken.handle(now, []);
        let wake = woken.next_wake();
        let moves = match wake {
            Some(wake) => wake > now,
            None => {
                let probes = |action: &Action| matches!(action, Action::Probe { .. });
                self.probe.is_some() || actions.iter().any(probes)
            }
        };
        violations.unless(moves, Invariant::TimerMoves, || {
            format!("awake at {now:?}, and again at {wake:?}")
        });
    }

    /// Is this event without news, except for when to probe?
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
            | Event::Parking(_)
            | Event::Standby { .. }
            | Event::Guard(_)
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
                Some(_) | None => true,
            },
            Event::Port(gateway) => self.gateway.is_some_and(|(before, _)| before == *gateway),
            Event::CommandEnded { command, .. } => self
                .command
                .is_none_or(|in_flight| in_flight.command != *command),
        }
    }
}

fn commands(decider: &mut Decider, now: Time, event: Event) -> Vec<Action> {
    let actions = decider.handle(now, [event]).into_iter();
    actions
        .filter(|action| matches!(action, Action::Run(_) | Action::Kill(_)))
        .collect()
}
