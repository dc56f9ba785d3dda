//! When not to act: isolation, fences, absences, vetoes, flapping, and confirming faster.

use std::num::NonZeroU32;

use super::super::{
    super::{
        Action, CommandResult, Decider, Demand, Event, Evidence, Flapping, Order, Settings, State,
        Time,
    },
    mission, ms, s,
    script::{ANSWERS, HANGS, Primary, REFUSES, SILENT, Script, Start, primary_as_router, router},
};

fn witnessed() -> Settings {
    Settings {
        witness_quorum: 1,
        ..mission()
    }
}

/// The default router is the only witness.
fn routed() -> Settings {
    Settings {
        named_witnesses: 0,
        router_is_witness: true,
        ..witnessed()
    }
}

fn fenced(fence: Demand) -> Settings {
    Settings { fence, ..mission() }
}

fn damped() -> Settings {
    Settings {
        flapping: Some(Flapping {
            window: s(600),
            quiet: s(3600),
            successes: [1, 3, 10]
                .map(|needed| NonZeroU32::new(needed).unwrap())
                .to_vec(),
            interval: s(3),
        }),
        ..mission()
    }
}

// --- is it me? -----------------------------------------------------------------------------------

#[test]
fn witnesses_are_asked_once_and_only_before_a_takeover() {
    let world = Script::new(witnessed())
        .primary([(s(0), ANSWERS), (s(10), SILENT)])
        .play(s(120));
    assert_eq!(world.journal().asked(), ["95 ask"]);
    assert_eq!(
        world.journal().commands(),
        ["95.01 run start", "97.01 start succeeded"]
    );
}

#[test]
fn without_an_answer_from_a_witness_nothing_is_started_and_they_are_asked_again_each_interval() {
    let world = Script::new(witnessed())
        .primary([(s(0), SILENT)])
        .witnesses([(s(0), Some(0))])
        .play(s(200));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.state(), State::Isolated);
    assert_eq!(
        world.journal().asked(),
        ["65 ask", "95 ask", "125 ask", "155 ask", "185 ask"]
    );
}

#[test]
fn strikes_of_an_isolated_watcher_count_for_nothing_once_it_has_a_network_again() {
    let world = Script::new(witnessed())
        .primary([(s(0), SILENT)])
        .witnesses([(s(0), Some(0)), (s(100), Some(1))])
        .play(s(300));
    // Asked at 125, the witnesses answer; three more strikes come at 150, 180 and 210.
    assert_eq!(
        world.journal().commands(),
        ["215.01 run start", "217.01 start succeeded"]
    );
}

#[test]
fn a_probe_that_began_in_isolation_is_no_strike_though_it_ends_after_it() {
    let world = Script::new(Settings {
        timeout: s(30),
        ..witnessed()
    })
    .primary([(s(0), SILENT)])
    .witnesses([(s(0), Some(0)), (s(100), Some(1))])
    .play(s(300));
    // Asked at 120, as the probe of that time begins, the witnesses answer; it ends at 150. Three more
    // begin at 150, 180 and 210.
    assert_eq!(world.journal().asked()[..2], ["90 ask", "120 ask"]);
    assert_eq!(world.journal().runs(), ["240.01 run start"]);
}

#[test]
fn a_primary_that_failed_is_suspect_once_the_isolation_is_over() {
    let world = Script::new(witnessed())
        .primary([(s(0), SILENT)])
        .witnesses([(s(0), Some(0)), (s(100), Some(1))])
        .play(s(140));
    let states = world.journal().states();
    assert_eq!(states.last().unwrap(), "125.01 suspect 0");
    assert_eq!(world.decider().0.primary_answers(), Some(false));
}

#[test]
fn what_the_witnesses_said_before_a_release_by_hand_is_neither_isolation_nor_a_network() {
    for before in [0, 1] {
        let force = Order::TakeOver { force: true };
        let release = Order::Release { hold_until: None };
        let world = Script::new(witnessed())
            .primary([(s(0), SILENT)])
            .witnesses([(s(0), Some(before)), (s(100), Some(1))])
            .orders([(s(90), force), (s(110), release)])
            .play(s(300));
        let states = world.journal().states();
        // Neither isolated on the old word nor starting before there is a new one.
        let after = states
            .iter()
            .skip_while(|state| !state.ends_with("stopping 1"));
        let names: Vec<&str> = after
            .filter_map(|state| Some(state.split_once(' ')?.1))
            .collect();
        let expected = [
            "stopping 1",
            "suspect 1",
            "suspect 2",
            "suspect 3",
            "starting 1",
            "active",
        ];
        assert_eq!(names, expected, "{before}");
    }
}

#[test]
fn what_the_witnesses_said_before_an_absence_opens_no_gate_after_it() {
    let settings = Settings {
        witness_quorum: 1,
        confirm_interval: s(1),
        ..fenced(Demand::Required)
    };
    let world = Script::new(settings)
        .primary([(s(0), ANSWERS), (s(10), REFUSES)])
        .witnesses([(s(0), Some(1)), (s(35), Some(0))])
        .fences([Some((ms(100), CommandResult::Failed { code: 1 }))])
        .stall(s(33), s(39))
        .play(s(59));
    let fences = world.journal().run_times_of("fence");
    assert!(
        fences.iter().all(|fence| *fence < s(33)),
        "{}",
        world.journal()
    );
    assert!(!fences.is_empty());
}

#[test]
fn witnesses_that_nobody_comes_back_from_have_not_answered() {
    let world = Script::new(witnessed())
        .primary([(s(0), SILENT)])
        .witnesses([(s(0), None)])
        .play(s(300));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.state(), State::Isolated);
}

#[test]
fn a_router_that_answers_no_pings_abstains_and_it_is_as_if_there_were_no_witness() {
    let script = |settings| Script::new(settings).primary([(s(0), ANSWERS), (s(10), SILENT)]);
    let world = script(routed())
        .pings([(s(0), false)])
        .witnesses([(s(0), Some(0))])
        .play(s(120));
    assert_eq!(world.journal().asked(), [""; 0]);
    let without = script(mission()).play(s(120));
    assert_eq!(world.journal().states(), without.journal().states());
    assert_eq!(world.journal().commands(), without.journal().commands());
    assert!(!world.journal().runs().is_empty());
}

#[test]
fn no_more_witnesses_are_needed_than_count() {
    let settings = Settings {
        witness_quorum: 2,
        ..mission()
    };
    let world = Script::new(settings.clone())
        .primary([(s(0), SILENT)])
        .play(s(100));
    assert_eq!(world.state(), State::Isolated);
    let settings = Settings {
        named_witnesses: 1,
        ..settings
    };
    let world = Script::new(settings).primary([(s(0), SILENT)]).play(s(100));
    assert_eq!(world.journal().runs(), ["65.01 run start"]);
}

/// It answers pings while the primary is well.
fn proven_router() -> Script {
    Script::new(routed()).primary([(s(0), ANSWERS), (s(10), SILENT)])
}

#[test]
fn a_router_that_has_answered_in_quiet_times_has_to_answer_before_a_takeover() {
    let world = proven_router().play(s(120));
    assert_eq!(world.journal().asked(), ["95 ask"]);
    assert_eq!(world.journal().runs(), ["95.01 run start"]);
    let silent = proven_router().witnesses([(s(0), Some(0))]).play(s(600));
    assert_eq!(silent.journal().runs(), [""; 0]);
    assert_eq!(silent.state(), State::Isolated);
}

#[test]
fn a_router_is_pinged_in_quiet_times_only_and_every_ten_minutes() {
    let world = Script::new(routed())
        .primary([(s(0), ANSWERS), (s(1300), SILENT), (s(1420), ANSWERS)])
        .play(s(2000));
    let pings = world.journal().pings();
    assert_eq!(pings, ["0 ping", "600 ping", "1200 ping", "1420.01 ping"]);
}

#[test]
fn a_router_that_falls_silent_together_with_the_primary_still_counts() {
    let world = Script::new(routed())
        .primary([(s(0), ANSWERS), (s(601), SILENT)])
        .pings([(s(0), true), (s(600), false)])
        .witnesses([(s(0), Some(0))])
        .play(s(1000));
    assert_eq!(world.state(), State::Isolated);
    assert_eq!(world.journal().runs(), [""; 0]);
}

#[test]
fn strikes_of_an_isolated_watcher_count_for_nothing_once_its_witness_abstains() {
    let world = proven_router()
        .witnesses([(s(0), Some(0))])
        // The primary's address has moved to it, say.
        .routers([
            (s(0), vec![router(1)]),
            (s(130), vec![primary_as_router(1)]),
        ])
        .play(s(250));
    assert_eq!(world.journal().runs(), ["215 run start"]);
}

#[test]
fn an_active_gateway_is_left_alone_when_the_witnesses_fall_silent() {
    let world = Script::new(witnessed())
        .primary([(s(0), SILENT)])
        .witnesses([(s(0), Some(1)), (s(80), Some(0))])
        .play(s(600));
    assert_eq!(world.state(), State::Active);
    assert_eq!(world.journal().runs(), ["65.01 run start"]);
}

// --- is it really gone? --------------------------------------------------------------------------

#[test]
fn a_fence_comes_before_the_start() {
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES)])
        .play(s(70));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run fence",
            "60.5 fence succeeded",
            "60.5 run start",
            "62.5 start succeeded"
        ]
    );
}

#[test]
fn a_required_fence_that_fails_blocks_the_takeover_and_is_tried_again() {
    let failed = Some((ms(500), CommandResult::Failed { code: 1 }));
    let worked = Some((ms(500), CommandResult::Succeeded));
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES)])
        .fences([failed.clone(), failed, worked])
        .play(s(70));
    assert_eq!(
        world.journal().runs(),
        [
            "60 run fence",
            "61.5 run fence",
            "64 run fence",
            "64.5 run start"
        ]
    );
}

#[test]
fn an_optional_fence_that_fails_is_tried_once() {
    let world = Script::new(fenced(Demand::Optional))
        .primary([(s(0), REFUSES)])
        .fences([Some((ms(500), CommandResult::Failed { code: 1 }))])
        .play(s(70));
    assert_eq!(world.journal().runs(), ["60 run fence", "60.5 run start"]);
}

#[test]
fn a_fence_that_hangs_is_killed_and_tried_again() {
    let worked = Some((ms(500), CommandResult::Succeeded));
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES)])
        .fences([None, worked])
        .play(s(80));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run fence",
            "70 kill fence",
            "70.02 fence was ended by signal 9",
            "71.02 run fence",
            "71.52 fence succeeded",
            "71.52 run start",
            "73.52 start succeeded"
        ]
    );
}

#[test]
fn a_primary_that_comes_back_while_it_is_fenced_is_let_be() {
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES), (s(65), ANSWERS)])
        .fences([None])
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run fence",
            "65 kill fence",
            "65.02 fence was ended by signal 9"
        ]
    );
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn each_outage_is_fenced_anew() {
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (s(200), REFUSES)])
        .play(s(400));
    let fences = world.journal().runs();
    let fences = fences.iter().filter(|run| run.ends_with("run fence"));
    assert_eq!(fences.count(), 2, "{}", world.journal());
}

#[test]
fn what_a_fence_made_sure_of_before_a_release_by_hand_is_not_so_after_it() {
    let hold = Some(Time::from_boot(s(1000 + 4000)));
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES)])
        .orders([(s(200), Order::Release { hold_until: hold })])
        .play(s(4100));
    let runs = world.journal().runs();
    assert_eq!(
        runs[2..],
        ["200 run stop", "4000 run fence", "4000.5 run start"]
    );
}

#[test]
fn what_a_fence_made_sure_of_before_an_isolation_is_not_so_after_it() {
    let settings = Settings {
        witness_quorum: 1,
        ..fenced(Demand::Required)
    };
    let world = Script::new(settings)
        .primary([(s(0), REFUSES)])
        .starts([Start::fails(s(2))])
        .witnesses([(s(0), Some(1)), (s(61), Some(0)), (s(3000), Some(1))])
        .play(s(3200));
    let fences = world.journal().run_times_of("fence");
    assert_eq!(fences.len(), 2, "{}", world.journal());
    assert!(fences[1] > s(3000), "{}", world.journal());
}

#[test]
fn a_fence_whose_end_is_read_after_an_absence_has_made_sure_of_nothing() {
    let settings = Settings {
        fence_timeout: s(100),
        ..fenced(Demand::Required)
    };
    let world = Script::new(settings)
        .primary([(s(0), REFUSES)])
        .fences([Some((s(20), CommandResult::Succeeded))])
        .stall(s(70), s(4000))
        .play(s(4200));
    let runs = world.journal().runs();
    assert_eq!(runs, ["60 run fence", "4060 run fence", "4080 run start"]);
}

#[test]
fn a_release_ends_a_fence_in_flight() {
    let hold = Some(Time::from_boot(s(1000 + 500)));
    let world = Script::new(fenced(Demand::Required))
        .primary([(s(0), REFUSES)])
        .fences([None])
        .orders([(s(63), Order::Release { hold_until: hold })])
        .play(s(100));
    let commands = world.journal().commands();
    assert_eq!(commands[..2], ["60 run fence", "63 kill fence"]);
    assert_eq!(commands.len(), 3, "{commands:?}");
}

// --- was I asleep? -------------------------------------------------------------------------------

#[test]
fn a_stopped_daemon_with_two_strikes_starts_counting_again() {
    for away in [s(10), s(60)] {
        let world = Script::mission()
            .primary([(s(0), REFUSES), (s(45), ANSWERS)])
            .stall(s(55), s(55) + away)
            .play(s(300));
        assert_eq!(world.journal().runs(), [""; 0], "away for {away:?}");
    }
}

#[test]
fn a_probe_that_was_in_flight_during_an_absence_may_not_fail() {
    // It times out at 65 and is read at 75, as a third strike if it were believed.
    let world = Script::mission()
        .primary([(s(0), SILENT), (s(70), ANSWERS)])
        .stall(s(62), s(75))
        .play(s(300));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.state(), State::Standby);
}

// --- did somebody else see it alive? --------------------------------------------------------------

#[test]
fn a_probe_that_fails_while_others_are_answered_is_no_strike_so_many_times_in_a_row() {
    let settings = Settings {
        veto_limit: 2,
        ..mission()
    };
    // Each probe takes 5 s to fail, and 3 s into it somebody's data is acknowledged.
    let alive = (0..100).map(|round| (s(30 * round + 3), Evidence::Acknowledged));
    let world = Script::new(settings)
        .primary([(s(0), SILENT)])
        .evidence(alive)
        .play(s(200));
    assert_eq!(
        world.journal().states(),
        [
            "65 suspect 1",
            "95 suspect 2",
            "125 starting 1",
            "127 active"
        ]
    );
}

#[test]
fn a_kernel_that_goes_on_answering_does_not_excuse_the_process_that_hangs_behind_it() {
    let settings = Settings {
        veto_limit: 3,
        ..mission()
    };
    for evidence in [Evidence::Acknowledged, Evidence::Established] {
        // During each probe, and between them.
        let alive = (0..100).map(|round| (s(10 * round + 3), evidence));
        let world = Script::new(settings.clone())
            .primary([(s(0), HANGS)])
            .evidence(alive)
            .play(s(75));
        assert_eq!(
            world.journal().states(),
            ["5 suspect 1", "35 suspect 2", "65 starting 1", "67 active"],
            "{evidence:?}"
        );
    }
}

#[test]
fn several_who_connect_in_one_moment_take_back_one_strike() {
    let burst = [s(40), s(40), ms(40_001)].map(|at| (at, Evidence::Established));
    let world = Script::new(Settings {
        veto_limit: 3,
        ..mission()
    })
    .primary([(s(0), REFUSES)])
    .evidence(burst)
    .play(s(41));
    assert_eq!(world.decider().0.strikes().len(), 1);
}

#[test]
fn somebody_who_connects_after_a_strike_takes_it_back() {
    let settings = Settings {
        veto_limit: 3,
        ..mission()
    };
    let world = Script::new(settings)
        .primary([(s(0), SILENT)])
        .evidence([(s(50), Evidence::Established)])
        .play(s(55));
    assert_eq!(
        world.journal().states(),
        ["5 suspect 1", "35 suspect 2", "50 suspect 1"]
    );
}

#[test]
fn a_primary_whose_only_strike_is_taken_back_is_suspect_no_longer() {
    let world = Script::new(Settings {
        veto_limit: 3,
        ..mission()
    })
    .primary([(s(0), SILENT)])
    .evidence([(s(20), Evidence::Established)])
    .play(s(21));
    assert_eq!(world.journal().states(), ["5 suspect 1", "20 standby"]);
}

// --- is it flapping? -----------------------------------------------------------------------------

/// How long each release of an outage of 70 s, every 200 s, took from the primary's return.
fn releases(settings: Settings, gap: u64) -> Vec<u64> {
    let outages = 4;
    let mut script = Script::new(settings);
    for outage in 0..outages {
        script.primary.push((s(gap * outage + 10), REFUSES));
        script.primary.push((s(gap * outage + 100), ANSWERS));
    }
    let world = script.play(s(gap * outages));
    let stops = world.journal().run_times_of("stop");
    stops
        .iter()
        .zip(0..)
        .map(|(at, outage)| at.as_secs() - (gap * outage + 100))
        .collect()
}

#[test]
fn a_primary_that_fails_again_soon_has_to_answer_longer_each_time() {
    assert_eq!(releases(damped(), 200), [0, 6, 27, 27]);
}

#[test]
fn it_is_the_failure_that_comes_soon_and_not_the_takeover() {
    // Released at 200, it falls silent nine minutes later, and is taken over after ten.
    let world = Script::new(damped())
        .primary([(s(0), SILENT), (s(200), ANSWERS), (s(740), SILENT)])
        .play(s(900));
    assert!(world.journal().run_times_of("start")[1] > s(800));
    assert_eq!(world.decider().0.release_needs(), 3);
}

#[test]
fn a_primary_that_fails_again_much_later_is_believed_at_once() {
    assert_eq!(releases(damped(), 4000), [0, 0, 0, 0]);
}

/// How long the release takes of an outage of 90 s that comes after two of five seconds, too short
/// for a takeover, each at a probe of its own.
fn release_after_short_outages(like: Primary, settings: Settings) -> u64 {
    let mut script = Script::new(settings).tripwire();
    for begin in [10, 60] {
        script.primary.push((s(begin), like.clone()));
        script.primary.push((s(begin + 5), ANSWERS));
    }
    script.primary.push((s(110), like));
    script.primary.push((s(200), ANSWERS));
    let world = script.play(s(300));
    let stops = world.journal().run_times_of("stop");
    stops[0].as_secs() - 200
}

#[test]
fn a_primary_that_crashes_in_a_loop_is_not_believed_at_its_first_success() {
    assert_eq!(release_after_short_outages(REFUSES, damped()), 27);
    assert_eq!(release_after_short_outages(REFUSES, mission()), 0);
}

#[test]
fn a_network_that_comes_and_goes_is_no_crash_of_the_primarys() {
    let plain = release_after_short_outages(SILENT, mission());
    assert_eq!(release_after_short_outages(SILENT, damped()), plain);
}

#[test]
fn crashes_are_forgotten_after_an_hour_without_one() {
    let mut script = Script::new(damped()).tripwire();
    for begin in [10, 60, 110] {
        script.primary.push((s(begin), REFUSES));
        script.primary.push((s(begin + 5), ANSWERS));
    }
    let needed_after = |time| script.clone().play(time).decider().0.release_needs();
    assert_eq!(needed_after(s(50)), 1);
    assert_eq!(needed_after(s(100)), 3);
    assert_eq!(needed_after(s(150)), 10);
    assert_eq!(needed_after(s(3700)), 10);
    assert_eq!(needed_after(s(3750)), 1);
}

#[test]
fn without_damping_every_release_needs_one_success() {
    assert_eq!(releases(mission(), 200), [0, 0, 0, 0]);
}

// --- faster without being hastier ------------------------------------------------------------------

#[test]
fn a_shorter_confirm_interval_takes_over_sooner_with_as_many_strikes() {
    let settings = Settings {
        confirm_interval: s(5),
        ..mission()
    };
    let world = Script::new(settings)
        .primary([(s(0), ANSWERS), (s(100), REFUSES)])
        .tripwire()
        .play(s(115));
    assert_eq!(
        world.journal().states(),
        [
            "100.05 suspect 1",
            "105.05 suspect 2",
            "110.05 starting 1",
            "112.05 active"
        ]
    );
}

#[test]
fn a_fence_that_ends_after_the_primary_has_answered_says_nothing_of_its_next_outage() {
    let settings = Settings {
        fence: Demand::Optional,
        confirm_interval: s(1),
        ..mission()
    };
    let mut script = Script::new(settings)
        .primary([(s(0), REFUSES), (s(10), ANSWERS), (s(15), REFUSES)])
        .fences([None, Some((ms(500), CommandResult::Succeeded))]);
    // The killed fence takes its time to go, until the primary has failed again.
    script.dying = s(10);
    let world = script.play(s(60));
    let runs = world.journal().runs();
    assert_eq!(runs.len(), 3, "{}", world.journal());
    assert!(runs[1].ends_with("run fence"), "{runs:?}");
    assert!(runs[2].ends_with("run start"), "{runs:?}");
}

/// Strikes after a failed probe that began at second 100, if another program's connection to the primary was
/// made at this second, and reported before the probe ended or afterwards.
fn strikes_beside_a_connection(made: u64, reported_after: bool) -> usize {
    let at = |second| Time::from_boot(s(second));
    let settings = Settings {
        veto_limit: 3,
        ..mission()
    };
    let mut decider = Decider::new(settings, at(100));
    let actions = decider.handle(at(100), [Event::Woke]);
    let probe = actions.iter().find_map(|action| match action {
        Action::Probe { probe, .. } => Some(*probe),
        _ => None,
    });
    let ended = Event::ProbeEnded {
        probe: probe.unwrap(),
        outcome: REFUSES.probed(s(5)).1,
    };
    let connection = Event::Evidence(Evidence::Established, at(made));
    let mut events = [connection, ended];
    if reported_after {
        events.reverse();
    }
    for event in events {
        decider.handle(at(101), [event]);
    }
    decider.strikes().len()
}

#[test]
fn a_connection_from_before_a_probe_excuses_it_as_little_as_none() {
    for reported_after in [false, true] {
        assert_eq!(strikes_beside_a_connection(99, reported_after), 1);
        assert_eq!(strikes_beside_a_connection(100, reported_after), 0);
        // Nobody has seen the future.
        assert_eq!(strikes_beside_a_connection(5000, reported_after), 0);
    }
}
