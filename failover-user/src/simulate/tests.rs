//! The whole simulation.

use std::time::Duration;

use super::{
    Contender, How, Loop, Simulation,
    chance::generator,
    chart,
    environment::Environment,
    faults::{Change, Part},
    model::{MODELS, Model},
    stress, table,
    world::World,
};
use failover_decide::{Demand, Settings, StandbyMode, Time};

use crate::config::Configuration;

fn settings() -> Settings {
    let options = "primary = '192.0.2.1'\ndry-run = true".parse().unwrap();
    Configuration::load(options).unwrap().decide
}

fn contenders() -> Vec<Contender> {
    vec![
        Contender {
            name: "A & B".to_owned(),
            how: How::Daemon(settings(), StandbyMode::Cold),
        },
        Contender {
            name: "loop".to_owned(),
            how: How::Loop(Loop::from(&settings())),
        },
    ]
}

/// One run of the daemon with these faults, on a wired network.
fn played(faults: &[Change], length: u64, seed: u64) -> super::statistics::Statistics {
    let length = Duration::from_secs(length);
    let mut environment = Environment::new(&MODELS[0], faults, length, generator(seed, 0, 0));
    World::new(&mut environment, &settings(), StandbyMode::Cold).play();
    environment.tally.statistics
}

fn span(part: Part, from: u64, until: u64) -> [Change; 2] {
    [(from, true), (until, false)].map(|(at, begins)| Change {
        at: Time::from_boot(Duration::from_secs(at)),
        part,
        begins,
    })
}

#[test]
fn a_seed_gives_the_same_report_whatever_the_number_of_threads() {
    let of = |seed, threads| {
        let simulation = Simulation::of(&contenders(), 20, seed, Some(threads));
        serde_json::to_string(&simulation.report()).unwrap()
    };
    assert_eq!(of(1, 1), of(1, 3));
    assert_ne!(of(1, 1), of(2, 1));
}

#[test]
fn nothing_happens_that_must_never_happen() {
    let simulation = Simulation::of(&contenders(), 80, 3, None);
    let report = simulation.report();
    assert_eq!(report.all[0].violations, [""; 0]);
    assert!(report.all[0].takeovers > 5, "{report:?}");
    assert!((report.all[0].days - 80.0).abs() < 1e-6);
    assert!(table(&report).contains("invariant violations"));
    let chart = chart(&simulation);
    assert!(chart.contains("A &amp; B") && chart.ends_with("</svg>\n"));
}

#[test]
fn stress_starts_and_stops_gateways_and_finds_nothing() {
    let settings = Settings {
        fence: Demand::Required,
        ..settings()
    };
    for (model, mode) in MODELS.iter().zip(StandbyMode::ALL.into_iter().cycle()) {
        let days = Duration::from_secs(5 * 86_400);
        let mut rng = generator(7, 0, 2);
        let (faults, orders) = stress::prepared(model, days, &mut rng);
        let mut environment = Environment::new(model, &faults, days, rng);
        World::stressed(&mut environment, &settings, mode, orders).play();
        let statistics = environment.tally.statistics;
        assert_eq!(statistics.violations, [""; 0], "{}", model.name);
        assert!(statistics.takeovers > 5, "{}: {statistics:?}", model.name);
    }
}

#[test]
fn a_dead_process_is_replaced_after_two_intervals_and_a_start() {
    for seed in 0..50 {
        let statistics = played(&span(Part::Process, 200, 600), 900, seed);
        let [time] = statistics.takeover_times[..] else {
            panic!("{statistics:?}");
        };
        // A start that fails is tried again after a second.
        let range = Duration::from_secs(61)..Duration::from_secs(80);
        assert!(range.contains(&time), "{time:?}");
        assert!(statistics.release_times[0] < Duration::from_secs(5));
        assert_eq!((statistics.needed, statistics.missed), (1, 0));
    }
}

#[test]
fn nobody_takes_over_for_want_of_an_own_network() {
    for part in [Part::CableB, Part::UpstreamB, Part::Suspend] {
        let statistics = played(&span(part, 200, 5000), 6000, 1);
        assert_eq!(
            (statistics.takeovers, statistics.violated),
            (0, 0),
            "{part:?}"
        );
    }
}

/// A cable from PC-A to PC-B, and the router behind another one.
static DIRECT: Model = Model {
    direct: true,
    ..MODELS[0]
};

#[test]
fn a_direct_cable_that_dies_with_pc_a_is_an_outage_like_any_other() {
    for part in [Part::Host, Part::LinkA] {
        for seed in 0..20 {
            let faults = span(part, 200, 1000);
            let length = Duration::from_secs(1500);
            let mut environment = Environment::new(&DIRECT, &faults, length, generator(seed, 0, 0));
            World::new(&mut environment, &settings(), StandbyMode::Cold).play();
            let statistics = environment.tally.statistics;
            assert_eq!(
                (statistics.needed, statistics.missed),
                (1, 0),
                "{statistics:?}"
            );
            assert_eq!(
                (statistics.false_takeovers, statistics.violated),
                (0, 0),
                "{statistics:?}"
            );
            let time = statistics.takeover_times[0];
            assert!(time < Duration::from_secs(90), "{part:?}: {time:?}");
        }
    }
}

/// While 30 % of the packets are lost each way, a plain loop that asks the same question takes over for
/// nothing, too. Without witnesses and flap damping, so that the probing alone is compared.
#[test]
fn heavy_loss_makes_no_more_false_takeovers_than_the_loop() {
    let days = 20;
    let length = Duration::from_secs(days * 86_400);
    let faults = [Change {
        at: Time::from_boot(Duration::from_secs(1)),
        part: Part::Fade(0.3),
        begins: true,
    }];
    let plain = Settings {
        witness_quorum: 0,
        named_witnesses: 0,
        router_is_witness: false,
        flapping: None,
        ..settings()
    };
    let played = |settings: &Settings| {
        let mut environment = Environment::new(&MODELS[0], &faults, length, generator(1, 0, 0));
        World::new(&mut environment, settings, StandbyMode::Cold).play();
        assert_eq!(environment.tally.statistics.violations, [""; 0]);
        environment.tally.statistics
    };
    let mut environment = Environment::new(&MODELS[0], &faults, length, generator(1, 0, 0));
    Loop::from(&plain).play(&mut environment);
    let of_loop = environment.tally.statistics;
    let of_daemon = played(&plain);
    let by_default = played(&settings());
    let summary = format!(
        "false takeovers in {days} days: loop {}, daemon {}, with its defaults {}; probes {}, {}, {}",
        of_loop.false_takeovers,
        of_daemon.false_takeovers,
        by_default.false_takeovers,
        of_loop.probes,
        of_daemon.probes,
        by_default.probes,
    );
    println!("{summary}");
    assert!(of_loop.false_takeovers > 50, "{summary}");
    assert!(
        of_daemon.false_takeovers <= of_loop.false_takeovers,
        "{summary}"
    );
    assert!(
        by_default.false_takeovers <= of_loop.false_takeovers,
        "{summary}"
    );
}

#[test]
fn a_reboot_of_pc_b_in_an_outage_costs_one_more_takeover() {
    let mut faults = Vec::from(span(Part::Host, 200, 2000));
    faults.extend(span(Part::RebootB, 1000, 1100));
    faults.sort_by_key(|change| change.at);
    let statistics = played(&faults, 3000, 2);
    assert_eq!(statistics.takeover_times.len(), 2, "{statistics:?}");
    assert_eq!(statistics.violated, 0, "{statistics:?}");
}

#[test]
fn a_reboot_of_pc_b_without_a_network_starts_nothing() {
    let mut faults = Vec::from(span(Part::UpstreamB, 200, 4000));
    faults.extend(span(Part::RebootB, 1000, 1100));
    faults.sort_by_key(|change| change.at);
    let statistics = played(&faults, 6000, 1);
    assert_eq!(
        (statistics.takeovers, statistics.violated),
        (0, 0),
        "{statistics:?}"
    );
}

#[test]
fn a_reboot_of_pc_b_forgets_no_flapping() {
    // Of the release after the second outage, which takes three successes, with and without a reboot
    // in between.
    let release = |reboots: bool| {
        let mut faults = Vec::from(span(Part::Process, 200, 400));
        faults.extend(span(Part::Process, 600, 800));
        if reboots {
            faults.extend(span(Part::RebootB, 450, 500));
            faults.sort_by_key(|change| change.at);
        }
        let statistics = played(&faults, 1200, 1);
        assert_eq!(
            (statistics.takeovers, statistics.violated),
            (2, 0),
            "{statistics:?}"
        );
        statistics.release_times[1]
    };
    for reboots in [false, true] {
        let took = release(reboots);
        assert!(took > Duration::from_secs(6), "{reboots}: {took:?}");
    }
}

#[test]
fn odd_settings_are_no_bug_of_the_state_machines() {
    let short = Duration::from_millis(100);
    let odd = [
        Settings {
            stop_timeout: short,
            start_timeout: short,
            ..settings()
        },
        Settings {
            confirm_interval: short,
            recovery_interval: settings().interval,
            flapping: None,
            ..settings()
        },
        Settings {
            fence: Demand::Required,
            fence_timeout: short,
            timeout: settings().interval,
            ..settings()
        },
        Settings {
            fence: Demand::Optional,
            witness_quorum: 0,
            ..settings()
        },
    ];
    let contenders = odd.map(|settings| Contender {
        name: String::new(),
        how: How::Daemon(settings, StandbyMode::Cold),
    });
    for of in Simulation::of(&contenders, 8, 1, None).report().all {
        assert_eq!(of.violations, [""; 0]);
    }
}

/// What is parked serves at once, and what is parked only from the first strike on is parked by the third.
#[test]
fn a_parked_gateway_takes_over_in_no_time_and_nothing_happens_that_must_not() {
    let contenders = StandbyMode::ALL.map(|mode| Contender {
        name: mode.name().to_owned(),
        how: How::Daemon(settings(), mode),
    });
    let report = Simulation::of(&contenders, 400, 1, None).report();
    let [cold, warm, hot] = &report.all[..] else {
        panic!("{report:?}");
    };
    for of in [cold, warm, hot] {
        assert_eq!(of.violations, [""; 0], "{}", of.name);
        assert!(of.takeover.count > 5, "{of:?}");
    }
    for ready in [warm, hot] {
        assert!(cold.takeover.p50 - ready.takeover.p50 > 2.0, "{report:?}");
        assert!(
            ready.none_avoidable_per_year < cold.none_avoidable_per_year,
            "{report:?}"
        );
        // Being ready makes nobody bolder.
        assert!(
            ready.false_takeovers <= cold.false_takeovers + 1,
            "{report:?}"
        );
    }
}
