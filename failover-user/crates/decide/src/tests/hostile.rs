//! Events in any order, of things that never happened: the invariants hold even then, nothing panics, and
//! when the nonsense ends the decider works as a new one does.

use std::{num::NonZeroU32, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        Action, AnswerFault, CommandResult, Decider, Demand, Event, Failure, Flapping,
        GatewayProbeId, Gone, GuardRules, HostLoss, NoAnswer, OnCrash, Outcome, ProbeId, RoundId,
        Settings, State, Step, Time, invariants::Invariants,
    },
    ms, s,
    script::{ANSWERS, Primary, REFUSES, Script, Start, Stop},
    strategies::{
        begun, cases, evidence, gateway, guard, order, parked, result, routers, settings, standby,
    },
    world::World,
};

/// An event, or what becomes one when it is known which probe and command are in flight.
#[derive(Clone, Debug)]
enum Hostile {
    Any(Event),
    /// The probe in flight ends, if there is one.
    ProbeEnds(Outcome),
    /// The witnesses answer, if they were asked.
    WitnessesAnswer(u32),
    /// The check of the local gateway in flight ends, if there is one.
    GatewayProbeEnds(Outcome),
    /// The command in flight ends, if there is one.
    CommandEnds(CommandResult),
    /// As long as the decider wants to sleep, goes by.
    Sleep,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let took = s(1);
    prop_oneof![
        Just(Outcome::Connected { took }),
        Just(Outcome::Failed {
            failure: Failure::Refused,
            took
        }),
        Just(Outcome::Failed {
            failure: Failure::TimedOut,
            took
        }),
        Just(Outcome::Failed {
            failure: Failure::NoAnswer(NoAnswer::Closed),
            took
        }),
        Just(Outcome::Failed {
            failure: Failure::WrongAnswer(AnswerFault::new(7)),
            took
        }),
        Just(Outcome::unknown(String::new())),
        Just(Outcome::Unknown {
            reason: String::new(),
            gone: Some(Gone::Path)
        }),
        Just(Outcome::Unknown {
            reason: String::new(),
            gone: Some(Gone::Address)
        }),
    ]
}

fn failure() -> Outcome {
    Outcome::Failed {
        failure: Failure::Refused,
        took: ms(0),
    }
}

fn command() -> impl Strategy<Value = Step> {
    prop::sample::select(Step::ALL.to_vec())
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let any_event = prop_oneof![
        Just(Event::Woke),
        (0..50_u64, outcome()).prop_map(|(id, outcome)| Event::ProbeEnded {
            probe: ProbeId(id),
            outcome
        }),
        (evidence(), 0..1000_u64)
            .prop_map(|(evidence, seen)| { Event::Evidence(evidence, Time::from_boot(s(seen))) }),
        gateway().prop_map(Event::Port),
        parked().prop_map(Event::Parking),
        (standby(), any::<bool>()).prop_map(|(mode, can_park)| Event::Standby { mode, can_park }),
        (0..20_u64, outcome()).prop_map(|(probe, outcome)| Event::GatewayProbed {
            probe: GatewayProbeId(probe),
            outcome
        }),
        Just(Event::GatewayDrains),
        any::<bool>().prop_map(Event::PrimaryDrains),
        guard().prop_map(Event::Guard),
        Just(Event::ProbeWanted),
        begun().prop_map(Event::Begun),
        (0..1000_u64).prop_map(|began| Event::GatewayBegan(Time::from_boot(s(began)))),
        Just(Event::Armed),
        order(s(1000)).prop_map(Event::Operator),
        Just(Event::Suspended),
        routers().prop_map(Event::DefaultRouters),
        routers().prop_map(|routers| Event::RoutersPinged {
            answered: routers.into_iter().map(|router| router.id).collect()
        }),
        (0..20_u64, 0..3_u32).prop_map(|(round, answered)| Event::Witnesses {
            round: RoundId(round),
            answered
        }),
        (command(), result()).prop_map(|(command, result)| Event::CommandEnded { command, result }),
    ];
    prop_oneof![
        4 => any_event.prop_map(Hostile::Any),
        3 => Just(Hostile::ProbeEnds(failure())),
        1 => outcome().prop_map(Hostile::ProbeEnds),
        1 => Just(Hostile::GatewayProbeEnds(failure())),
        2 => result().prop_map(Hostile::CommandEnds),
        2 => (0..3_u32).prop_map(Hostile::WitnessesAnswer),
        4 => Just(Hostile::Sleep),
    ]
}

fn events() -> impl Strategy<Value = Vec<(Duration, Hostile)>> {
    let gap = prop_oneof![
        6 => Just(ms(0)),
        2 => (0..3000_u64).prop_map(ms),
        1 => (0..90_000_u64).prop_map(ms),
        1 => (0..400_u64).prop_map(Duration::from_nanos),
    ];
    vec((gap, hostile()), 0..200)
}

/// Feeds the events to a decider that the oracle watches, and returns both and the time.
fn endure(settings: &Settings, events: Vec<(Duration, Hostile)>) -> (Decider, Invariants, Time) {
    let mut now = Time::from_boot(s(77));
    let mut decider = Decider::new(settings.clone(), now);
    let mut invariants = Invariants::thorough(settings.clone());
    for (gap, hostile) in events {
        now = now + gap;
        let event = match (hostile, invariants.probe(), invariants.command()) {
            (Hostile::Any(event), ..) => event,
            (Hostile::ProbeEnds(outcome), Some(probe), _) => Event::ProbeEnded { probe, outcome },
            (Hostile::CommandEnds(result), _, Some(command)) => {
                Event::CommandEnded { command, result }
            }
            (Hostile::GatewayProbeEnds(outcome), ..) => match invariants.gateway_probe() {
                Some(probe) => Event::GatewayProbed { probe, outcome },
                None => continue,
            },
            (Hostile::WitnessesAnswer(answered), ..) => match invariants.round() {
                Some(round) => Event::Witnesses { round, answered },
                None => continue,
            },
            (Hostile::Sleep, ..) => {
                now = decider.next_wake().map_or(now, |wake| wake.max(now));
                Event::Woke
            }
            _ => continue,
        };
        invariants.before(now, &event, &decider);
        let actions = decider.handle(now, [event]);
        invariants.after(now, &actions, decider.next_wake(), &decider);
        let violations = invariants.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
    (decider, invariants, now)
}

/// A world with causes and effects, after all that.
fn calm_world(settings: Settings, after: (Decider, Invariants, Time), primary: Primary) -> World {
    let (decider, invariants, now) = after;
    // A start has four times its time after some that had all of it.
    let patience =
        settings.start_timeout * 4 + settings.stop_timeout + settings.fence_timeout + s(60);
    // Strikes may have to start again, and a release may take a dozen successes.
    let probes = (settings.interval + settings.timeout) * (2 * settings.strikes.get() + 20);
    let mut script = Script::new(settings).primary([(ms(0), primary)]);
    script.boot = now.as_duration();
    script.starts = vec![Start::works(ms(10))];
    script.stops = vec![Stop::works(ms(10))];
    script.fences = vec![Some((ms(10), CommandResult::Succeeded))];
    script.witnesses = vec![(ms(0), Some(u32::MAX))];
    let mut world = World::around(decider, invariants, script);
    world.nothing_is_ordered();
    world.play(patience + probes);
    world
}

/// Numbers that nobody configures.
fn absurd() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        (0..1000_u64).prop_map(|days| s(days * 86_400)),
        Just(s(u64::MAX)),
        Just(Duration::MAX),
    ]
}

fn absurd_settings() -> impl Strategy<Value = Settings> {
    let strikes = prop_oneof![1..5_u32, Just(u32::MAX)];
    let durations = [(); 9].map(|()| absurd());
    let others = (any::<u32>(), any::<u32>(), any::<bool>());
    (durations, strikes, others).prop_map(|(durations, strikes, others)| {
        let [
            interval,
            recovery_interval,
            timeout,
            start_timeout,
            stop_timeout,
            ..,
        ] = durations;
        let [.., confirm_interval, fence_timeout, window, quiet] = durations;
        let strikes = NonZeroU32::new(strikes).unwrap();
        let (witness_quorum, veto_limit, fence) = others;
        Settings {
            interval,
            recovery_interval,
            timeout,
            strikes,
            start_timeout,
            stop_timeout,
            confirm_interval,
            witness_quorum,
            named_witnesses: veto_limit,
            router_is_witness: fence,
            fence: if fence {
                Demand::Required
            } else {
                Demand::None
            },
            fence_timeout,
            veto_limit,
            watch_gateway: true,
            needs_arming: fence,
            flapping: Some(Flapping {
                window,
                quiet,
                successes: vec![NonZeroU32::MIN, strikes],
                interval: timeout,
            }),
            guard: GuardRules {
                host_loss: HostLoss::Fast,
                on_crash: OnCrash::Wait,
                restart_time: quiet,
            },
        }
    })
}

/// The same decider, as far as anybody can tell.
fn as_text(decider: &Decider, actions: &[Action]) -> String {
    format!("{decider:?} {actions:?}")
}

proptest! {
    #![proptest_config(cases(128))]

    /// The caller that hands in several events needn't know their order.
    #[test]
    fn what_comes_together_may_come_in_any_order(
        settings in settings(),
        before in events(),
        together in vec(hostile(), 1..8),
        shuffled in any::<prop::sample::Index>(),
        later in (0..3000_u64).prop_map(ms),
    ) {
        let (decider, invariants, now) = endure(&settings, before);
        let now = now + later;
        let mut kinds = Vec::new();
        let mut events: Vec<Event> = together
            .into_iter()
            .filter_map(|hostile| match hostile {
                Hostile::Any(event) => Some(event),
                Hostile::ProbeEnds(outcome) => {
                    invariants.probe().map(|probe| Event::ProbeEnded { probe, outcome })
                }
                Hostile::CommandEnds(result) => {
                    invariants.command().map(|command| Event::CommandEnded { command, result })
                }
                Hostile::GatewayProbeEnds(outcome) => {
                    invariants.gateway_probe().map(|probe| Event::GatewayProbed { probe, outcome })
                }
                Hostile::WitnessesAnswer(answered) => {
                    invariants.round().map(|round| Event::Witnesses { round, answered })
                }
                Hostile::Sleep => None,
            })
            .collect();
        // Two of one kind stay in their order.
        events.retain(|event| {
            let kind = std::mem::discriminant(event);
            let is_first = !kinds.contains(&kind);
            kinds.push(kind);
            is_first
        });
        let mut one = decider.clone();
        let actions = one.handle(now, events.clone());
        let expected = as_text(&one, &actions);
        if !events.is_empty() {
            let at = shuffled.index(events.len());
            events.rotate_left(at);
        }
        for order in [events.clone(), events.iter().rev().cloned().collect()] {
            let mut other = decider.clone();
            let actions = other.handle(now, order);
            prop_assert_eq!(as_text(&other, &actions), expected.clone());
        }
    }

    #[test]
    fn the_invariants_hold_whatever_is_said(settings in settings(), events in events()) {
        endure(&settings, events);
    }

    #[test]
    fn no_nonsense_keeps_a_takeover_from_coming(settings in settings(), events in events()) {
        let after = endure(&settings, events);
        let world = calm_world(settings, after, REFUSES);
        prop_assert_eq!(world.state(), State::Active, "{}", world.journal());
    }

    #[test]
    fn no_nonsense_keeps_a_release_from_coming(settings in settings(), events in events()) {
        let after = endure(&settings, events);
        let world = calm_world(settings, after, ANSWERS);
        prop_assert_eq!(world.state(), State::Standby, "{}", world.journal());
    }

    #[test]
    fn nothing_panics_at_the_ends_of_time(
        settings in absurd_settings(),
        boot in absurd(),
        events in vec((absurd(), hostile()), 0..200),
        backwards in any::<bool>(),
    ) {
        let boot = Time::from_boot(boot);
        let (mut now, mut probes) = (boot, 0);
        let mut decider = Decider::new(settings, boot);
        for (gap, hostile) in events {
            // A clock that goes backwards must not cause a panic either.
            now = if backwards { Time::from_boot(gap) } else { now + gap };
            let event = match hostile {
                Hostile::Any(event) => event,
                Hostile::ProbeEnds(outcome) => Event::ProbeEnded { probe: ProbeId(probes), outcome },
                Hostile::CommandEnds(result) => Event::CommandEnded { command: Step::START, result },
                Hostile::GatewayProbeEnds(outcome) => {
                    Event::GatewayProbed { probe: GatewayProbeId(1), outcome }
                }
                Hostile::WitnessesAnswer(answered) => Event::Witnesses { round: RoundId(1), answered },
                Hostile::Sleep => {
                    now = decider.next_wake().unwrap_or(now);
                    Event::Woke
                }
            };
            let actions = decider.handle(now, [event]);
            prop_assert!(actions.len() <= 6, "{:?}", actions);
            let begun = actions.iter().filter(|action| matches!(action, Action::Probe { .. }));
            probes += u64::from(begun.count() > 0);
        }
    }
}
