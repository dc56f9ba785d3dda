//! What a guard on the primary's host changes: a lost host is seen at once, a gateway that its own service manager
//! restarts has its time, and an announced end is a switchover. Each takes a failed probe as well.

use std::{num::NonZeroU32, time::Duration};

use super::super::{
    super::{
        Flapping, GuardObservation, GuardRules, HostLoss, OnCrash, Order, PrimaryGateway, Settings,
        StandbyMode, State,
    },
    mission, ms, s,
    script::{ANSWERS, Primary, REFUSES, SILENT, Script},
    world::World,
};

const BEATS: GuardObservation = GuardObservation::Heard(PrimaryGateway::Serves);
const MISSING: GuardObservation = GuardObservation::Missing;
const SILENCE: GuardObservation = GuardObservation::Silent;

fn says(gateway: PrimaryGateway) -> GuardObservation {
    GuardObservation::Heard(gateway)
}

/// A witness answers.
fn rules(guard: GuardRules) -> Script {
    Script::new(Settings {
        witness_quorum: 1,
        named_witnesses: 1,
        guard,
        ..mission()
    })
}

fn fast() -> Script {
    rules(GuardRules {
        host_loss: HostLoss::Fast,
        ..GuardRules::default()
    })
}

fn with(script: Script, guard: &[(Duration, GuardObservation)]) -> Script {
    let mut guard = guard.to_vec();
    guard.insert(0, (s(0), BEATS));
    Script { guard, ..script }
}

/// The host is gone 40 s after the start: its beats end, and nothing answers.
fn host_lost(script: Script) -> Script {
    let script = script.primary([(s(0), ANSWERS), (s(40), SILENT)]);
    with(script, &[(ms(40_100), MISSING), (ms(40_300), SILENCE)])
}

fn starts(world: &World) -> Vec<String> {
    let states = world.journal().states();
    let starts = states.iter().filter(|state| state.contains("starting"));
    starts.cloned().collect()
}

#[test]
fn a_lost_host_is_taken_over_from_once_the_silence_is_long_enough_and_a_witness_has_answered() {
    let world = host_lost(fast()).standby(StandbyMode::Hot).play(s(50));
    // The probe that began at the second missing beat has failed by then.
    assert_eq!(starts(&world), ["40.31 starting 1"]);
    assert_eq!(world.state(), State::Active);
}

#[test]
fn with_strikes_a_lost_host_takes_as_long_as_without_a_guard() {
    let world = host_lost(rules(GuardRules::default())).play(s(150));
    // The silence brought the first strike forward.
    assert_eq!(starts(&world), ["105.36 starting 1"]);
}

#[test]
fn without_witnesses_silence_takes_strikes() {
    let script = Script::new(Settings {
        guard: GuardRules {
            host_loss: HostLoss::Fast,
            ..GuardRules::default()
        },
        ..mission()
    });
    assert_eq!(starts(&host_lost(script).play(s(105))), [""; 0]);
}

#[test]
fn a_guard_that_is_stopped_beside_a_healthy_gateway_is_no_strike() {
    let world = with(fast(), &[(s(40), MISSING), (ms(40_200), SILENCE)])
        .standby(StandbyMode::Hot)
        .play(s(3000));
    assert_eq!(world.journal().states(), [""; 0]);
}

#[test]
fn a_host_that_is_gone_while_its_guard_was_silent_already_takes_strikes() {
    let script = fast().primary([(s(0), ANSWERS), (s(200), SILENT)]);
    let world = with(script, &[(s(40), MISSING), (ms(40_200), SILENCE)]).play(s(1000));
    // What failed began long after the silence: together they prove it with the first failure.
    assert_eq!(starts(&world), ["215.01 starting 1"]);
}

#[test]
fn without_an_answer_of_a_witness_a_lost_host_is_a_cut_cable() {
    let world = host_lost(fast()).witnesses([(s(0), Some(0))]).play(s(300));
    assert_eq!(starts(&world), [""; 0]);
    assert_eq!(world.state(), State::Isolated);
}

#[test]
fn beats_that_come_back_before_the_limit_change_nothing() {
    let script = fast().primary([(s(0), ANSWERS), (s(40), SILENT), (s(41), ANSWERS)]);
    let world = with(script, &[(ms(40_100), MISSING), (ms(40_250), BEATS)]).play(s(300));
    assert_eq!(starts(&world), [""; 0]);
}

#[test]
fn a_gateway_that_ended_for_good_is_taken_over_from_at_the_first_refusal() {
    let script = rules(GuardRules::default()).primary([(s(0), ANSWERS), (s(40), REFUSES)]);
    let world = with(script, &[(ms(40_010), says(PrimaryGateway::Ended))]).play(s(60));
    assert_eq!(starts(&world), ["40.02 starting 1"]);
}

#[test]
fn a_word_of_the_guard_alone_is_not_enough() {
    let script = rules(GuardRules::default());
    let world = with(script, &[(s(40), says(PrimaryGateway::Ended))]).play(s(3000));
    assert_eq!(world.journal().states(), [""; 0]);
}

#[test]
fn a_gateway_that_is_being_restarted_has_its_time_and_no_more() {
    let quick = |guard: GuardRules| {
        let mut script = rules(guard).primary([(s(0), ANSWERS), (s(40), REFUSES)]);
        // Three strikes are there long before.
        script.settings.interval = s(2);
        script.settings.confirm_interval = s(2);
        with(script, &[(s(40), says(PrimaryGateway::Restarting))])
    };
    let world = quick(GuardRules::default()).play(s(100));
    assert_eq!(starts(&world), ["60.01 starting 1"]);
    let at_once = GuardRules {
        on_crash: OnCrash::TakeOver,
        ..GuardRules::default()
    };
    assert_eq!(starts(&quick(at_once).play(s(50))), ["40.01 starting 1"]);
    // An operator needn't wait.
    let world = quick(GuardRules::default())
        .orders([(s(45), Order::TakeOver { force: false })])
        .play(s(50));
    assert_eq!(starts(&world), ["45.01 starting 1"]);
}

#[test]
fn an_announced_end_parks_the_local_gateway_and_is_a_switchover_once_it_has_come() {
    let script = rules(GuardRules::default())
        .standby(StandbyMode::Warm)
        .primary([(s(0), ANSWERS), (s(70), REFUSES)]);
    let world = with(
        script,
        &[
            (s(40), says(PrimaryGateway::Ends)),
            (s(70), says(PrimaryGateway::Stopped)),
        ],
    )
    .play(s(100));
    assert_eq!(starts(&world), ["70.01 starting 1"]);
    assert_eq!(
        world.journal().standby_state(),
        [
            "40 run park",
            "40 parking",
            "55 parked",
            "70.01 run start",
            "70.01 cold"
        ]
    );
}

#[test]
fn a_machine_that_announced_its_end_and_is_silent_is_gone() {
    let script = rules(GuardRules::default()).primary([(s(0), ANSWERS), (s(50), SILENT)]);
    let world = with(
        script,
        &[
            (s(40), says(PrimaryGateway::Ends)),
            (ms(50_100), MISSING),
            (ms(50_300), SILENCE),
        ],
    )
    .play(s(60));
    assert_eq!(starts(&world), ["50.31 starting 1"]);
}

#[test]
fn a_success_answers_every_doubt() {
    let script = fast().primary([
        (s(0), ANSWERS),
        (s(40), SILENT),
        (ms(40_250), ANSWERS),
        (s(60), Primary::Unknown { after: ms(0) }),
    ]);
    let world = with(script, &[(ms(40_100), MISSING), (s(45), SILENCE)]).play(s(300));
    assert_eq!(starts(&world), [""; 0]);
}

#[test]
fn what_was_heard_before_an_absence_counts_no_longer() {
    let script = rules(GuardRules::default()).primary([(s(0), ANSWERS), (ms(39_900), REFUSES)]);
    let world = with(script, &[(s(35), says(PrimaryGateway::Ended))])
        .stall(ms(39_000), s(100))
        .play(ms(100_900));
    assert_eq!(starts(&world), [""; 0]);
}

#[test]
fn a_crash_during_an_operators_order_is_no_flap() {
    const FORCE: Order = Order::TakeOver { force: true };
    let pause = Order::Pause { until: None };
    for order in [FORCE, pause] {
        let script = Script::new(Settings {
            flapping: Some(Flapping {
                window: s(600),
                quiet: s(3600),
                successes: [1, 3]
                    .map(|needed| NonZeroU32::new(needed).unwrap())
                    .to_vec(),
                interval: s(5),
            }),
            guard: GuardRules {
                on_crash: OnCrash::TakeOver,
                ..GuardRules::default()
            },
            ..mission()
        });
        // It crashes a second time soon after it has come back.
        let script = script
            .primary([
                (s(0), ANSWERS),
                (s(100), REFUSES),
                (s(200), ANSWERS),
                (s(400), REFUSES),
            ])
            .orders([(s(40), order)]);
        let restarting = says(PrimaryGateway::Restarting);
        let guard = [(s(100), restarting), (s(205), BEATS), (s(400), restarting)];
        let world = with(script, &guard).play(s(500));
        let (decider, _) = world.decider();
        assert_eq!(decider.release_needs(), 1, "{order:?}");
    }
}
