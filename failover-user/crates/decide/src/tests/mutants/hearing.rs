//! Deciders that get wrong events.

use std::time::Duration;

use super::{Mutation, SOUND};
use crate::{
    CommandResult, Event, Failure, Gone, GuardObservation, Order, Outcome, PortObservation,
    PrimaryGateway, Step, Time,
    invariants::Invariant,
    tests::{
        s,
        script::{REFUSES, Script},
    },
};

const SILENCE: Outcome = Outcome::Failed {
    failure: Failure::TimedOut,
    took: Duration::ZERO,
};
const NOTHING: Outcome = Outcome::unknown(String::new());

/// The end of a command, as the decider gets it.
const fn ended(command: Step, result: CommandResult) -> Option<Event> {
    Some(Event::CommandEnded { command, result })
}

mutants! {
    a_command_during_a_pause: Paused => {
        hears: |_, event| match event {
            Event::Operator(Order::Pause { .. }) => None,
            event => Some(event),
        },
    }

    a_start_although_a_release_holds: Held => {
        hears: |_, event| match event {
            Event::Operator(Order::Release { .. }) => {
                Some(Event::Operator(Order::Release { hold_until: None }))
            }
            event => Some(event),
        },
        shown_by: Some(|| {
            let hold_until = Some(Time::from_boot(s(2000)));
            let script = Script::mission()
                .primary([(s(0), REFUSES)])
                .orders([(s(100), Order::Release { hold_until })]);
            (script, s(400))
        }),
    }

    no_release_although_one_was_ordered: Released => {
        hears: |_, event| match event {
            Event::Operator(Order::Release { .. }) => None,
            event => Some(event),
        },
    }

    every_takeover_is_forced: Failures => {
        hears: |_, event| match event {
            Event::Operator(Order::TakeOver { .. }) => {
                Some(Event::Operator(Order::TakeOver { force: true }))
            }
            event => Some(event),
        },
    }

    a_forced_takeover_ends_with_a_success: StopReason => {
        hears: |_, event| match event {
            Event::Operator(Order::TakeOver { .. }) => {
                Some(Event::Operator(Order::TakeOver { force: false }))
            }
            event => Some(event),
        },
    }

    a_start_beside_a_foreign_listener: PortFree => {
        hears: |_, event| match event {
            Event::Port(PortObservation::Foreign) => Some(Event::Port(PortObservation::Absent)),
            event => Some(event),
        },
    }

    a_foreign_listener_is_stopped: StopReason => {
        hears: |_, event| match event {
            Event::Port(PortObservation::Foreign) => Some(Event::Port(PortObservation::Listening)),
            event => Some(event),
        },
    }

    a_fence_that_failed_is_enough: Fenced => {
        hears: |_, event| match event {
            Event::CommandEnded {
                command: command @ Step::FENCE,
                ..
            } => ended(command, CommandResult::Succeeded),
            event => Some(event),
        },
    }

    a_fence_that_succeeded_is_repeated: FencedOnce => {
        hears: |_, event| match event {
            Event::CommandEnded {
                command: command @ Step::FENCE,
                ..
            } => ended(command, CommandResult::Failed { code: 1 }),
            event => Some(event),
        },
    }

    too_few_witnesses_are_enough: Connected PathMissing => {
        hears: |_, event| match event {
            Event::Witnesses { round, .. } => Some(Event::Witnesses {
                round,
                answered: u32::MAX,
            }),
            event => Some(event),
        },
    }

    a_router_that_answers_is_no_witness: Connected => {
        hears: |_, event| match event {
            Event::RoutersPinged { .. } => None,
            event => Some(event),
        },
    }

    a_missing_path_is_a_failure_that_nobody_confirms: Strikes => {
        hears: |_, event| match event {
            Event::ProbeEnded {
                probe,
                outcome:
                    Outcome::Unknown {
                        gone: Some(Gone::Path),
                        ..
                    },
            } => Some(Event::ProbeEnded {
                probe,
                outcome: SILENCE,
            }),
            event => Some(event),
        },
    }

    a_probe_that_says_nothing_is_a_failure: Strikes => {
        hears: |_, event| match event {
            Event::ProbeEnded {
                probe,
                outcome: Outcome::Unknown { gone: None, .. },
            } => Some(Event::ProbeEnded {
                probe,
                outcome: SILENCE,
            }),
            event => Some(event),
        },
    }

    failures_count_that_are_not_in_a_row: Failures StateLeft => {
        hears: |_, event| match event {
            Event::ProbeEnded {
                probe,
                outcome: Outcome::Connected { .. },
            } => Some(Event::ProbeEnded {
                probe,
                outcome: NOTHING,
            }),
            event => Some(event),
        },
    }

    a_primary_that_answers_ends_no_takeover: Released => {
        hears: |mutant, event| match event {
            Event::ProbeEnded {
                probe,
                outcome: Outcome::Connected { .. },
            } if mutant.listening => Some(Event::ProbeEnded {
                probe,
                outcome: NOTHING,
            }),
            event => Some(event),
        },
    }

    a_missing_beat_is_silence: Failures => {
        hears: |_, event| match event {
            Event::Guard(GuardObservation::Missing) => {
                Some(Event::Guard(GuardObservation::Silent))
            }
            event => Some(event),
        },
    }

    a_gateway_that_is_being_restarted_has_ended: Failures RestartWaits => {
        hears: |_, event| match event {
            Event::Guard(GuardObservation::Heard(PrimaryGateway::Restarting)) => {
                Some(Event::Guard(GuardObservation::Heard(PrimaryGateway::Ended)))
            }
            event => Some(event),
        },
    }

    a_local_gateway_that_answers_is_restarted: StopReason => {
        hears: |_, event| match event {
            Event::GatewayProbed {
                probe,
                outcome: Outcome::Connected { .. },
            } => Some(Event::GatewayProbed {
                probe,
                outcome: SILENCE,
            }),
            event => Some(event),
        },
    }

    a_start_that_has_ended_is_killed: KillRunning => {
        hears: |_, event| match event {
            Event::CommandEnded {
                command: Step::START,
                ..
            } => None,
            event => Some(event),
        },
    }
}
