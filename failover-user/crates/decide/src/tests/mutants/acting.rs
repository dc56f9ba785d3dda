//! Deciders that do something other than their rules require, or at another time.

use super::{Mutation, SOUND};
use crate::{
    Action, Cause, CommandResult, Decider, Event, GatewayProbeId, Order, Outcome, PortObservation,
    Step,
    invariants::Invariant,
    tests::{ms, s, script::Script},
};

mutants! {
    two_commands_at_a_time: OneCommand => {
        does: |mutant, _, actions| {
            if actions.contains(&Action::Run(Step::START)) {
                let ended = Event::CommandEnded {
                    command: Step::START,
                    result: CommandResult::Failed { code: 78 },
                };
                mutant.tell(ended, actions);
            }
        },
    }

    two_probes_at_a_time: OneProbe => {
        does: |mutant, event, actions| {
            if let (Event::Evidence(..), Some((probe, _))) = (event, mutant.probe) {
                let outcome = Outcome::unknown(String::new());
                mutant.tell(Event::ProbeEnded { probe, outcome }, actions);
                mutant.tell(Event::ProbeWanted, actions);
            }
        },
    }

    a_fence_counts_that_is_out_of_date: Fenced => {
        does: |mutant, _, actions| {
            if mutant.fenced && actions.contains(&Action::Run(Step::FENCE)) {
                actions.retain(|action| *action != Action::Run(Step::FENCE));
                let ended = Event::CommandEnded {
                    command: Step::FENCE,
                    result: CommandResult::Succeeded,
                };
                mutant.tell(ended, actions);
            }
        },
    }

    witnesses_count_that_were_asked_long_ago: Connected => {
        does: |mutant, event, actions| {
            let asks = |action: &Action| matches!(action, Action::AskWitnesses { .. });
            let asked = actions.iter().position(asks).filter(|_| mutant.connected);
            if let Some(Action::AskWitnesses { round }) = asked.map(|at| actions.remove(at)) {
                let answered = u32::MAX;
                mutant.tell(Event::Witnesses { round, answered }, actions);
            }
            mutant.connected |= matches!(event, Event::Witnesses { answered, .. } if *answered > 0);
        },
    }

    a_stop_for_a_success_from_before_the_gateway_listened: StopReason => {
        does: |mutant, event, actions| {
            let listens = *event == Event::Port(PortObservation::Listening);
            if listens && mutant.answered == Some(true) && mutant.command.is_none() {
                actions.push(Action::Run(Step::STOP));
            }
        },
    }

    a_stop_beside_a_primary_that_fails: StopReason => {
        does: |mutant, _, actions| {
            let failing = mutant.answered == Some(false);
            if mutant.listening && failing && mutant.command.is_none() {
                actions.push(Action::Run(Step::STOP));
            }
        },
    }

    a_command_is_killed_that_does_not_run: KillRunning => {
        does: |mutant, _, actions| {
            if mutant.command.is_none() && actions.is_empty() {
                actions.push(Action::Kill(Step::STOP));
            }
        },
    }

    a_change_of_state_is_recorded_nowhere: ChangeRecorded => {
        does: |_, _, actions| actions.retain(|action| !matches!(action, Action::Record(_))),
    }

    a_probe_for_good_news_counts_as_a_failure: Strikes NothingNew => {
        hears: |_, event| match event {
            Event::Evidence(evidence, _) if evidence.is_good() => Some(Event::ProbeWanted),
            event => Some(event),
        },
        does: |_, _, actions| {
            for action in actions {
                if let Action::Probe { cause, .. } = action
                    && *cause == Cause::Ordered
                {
                    *cause = Cause::GoodNews;
                }
            }
        },
    }

    strikes_from_before_an_absence_count: Strikes => {
        hears: |mutant, event| {
            mutant.lose_absence();
            match event {
                Event::Suspended => None,
                Event::Evidence(evidence, seen) => {
                    let seen = seen.min(mutant.now);
                    Some(Event::Evidence(evidence, mutant.hidden(seen)))
                }
                event => Some(event),
            }
        },
    }

    the_timer_is_set_too_late: DecisionDue => {
        wakes: |mutant, wake| wake.map(|wake| wake + mutant.settings.interval * 2),
    }

    the_timer_is_due_again_and_again: ComesToRest => {
        wakes: |mutant, _| Some(mutant.now + ms(10)),
        shown_by: Some(|| (Script::mission(), s(3))),
    }

    probes_for_news_come_too_often: EarlyProbesSpaced => {
        does: |_, _, actions| {
            for action in actions {
                if let Action::Probe { cause, .. } = action {
                    *cause = Cause::BadNews;
                }
            }
        },
    }

    a_check_of_a_gateway_that_does_not_listen: GatewayChecks => {
        does: |_, event, actions| {
            if *event == Event::Port(PortObservation::Absent) {
                let probe = GatewayProbeId::default();
                actions.push(Action::ProbeGateway { probe });
            }
        },
    }

    the_routers_are_pinged_while_the_primary_is_down: RouterPings => {
        does: |mutant, event, actions| {
            let probed = matches!(event, Event::ProbeEnded { .. });
            if probed && mutant.answered == Some(false) {
                actions.push(Action::PingRouters);
            }
        },
    }

    a_command_is_withheld_without_a_pause: Withheld FewActions => {
        does: |_, _, actions| actions.extend([const { Action::Withhold(Step::START) }; 6]),
    }

    an_ordered_takeover_counts_as_a_flap: OrdersAreNoFlaps => {
        does: |mutant, event, _| {
            let ordered = matches!(event, Event::Operator(Order::TakeOver { .. }));
            if ordered && mutant.decider.takes_over_by_order() {
                let mut persistent = mutant.decider.persistent_state();
                persistent.flap_history.level += 1;
                let settings = mutant.settings.clone();
                mutant.decider = Decider::after(persistent, settings, mutant.now);
            }
        },
    }
}
