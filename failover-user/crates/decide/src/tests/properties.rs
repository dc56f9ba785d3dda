//! Whatever happens in a world, the [invariants](crate::invariants) hold; and once it calms down, the decider
//! soon reaches the right state.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    super::{Demand, Evidence, Settings, State},
    ms, s,
    script::{ANSWERS, MOVED, PATHLESS, Primary, REFUSES, SILENT, Script},
    strategies::{cases, horizon, news, script, settings},
    world::World,
};

/// Longer than anything takes that began before the world calmed down.
fn soon(settings: &Settings) -> Duration {
    // Strikes may have to start again, and a release may take a dozen successes.
    let probes = (settings.interval + settings.timeout) * (2 * settings.strikes.get() + 20);
    // The random commands take 100 s at most, listening and dying the same again.
    // After two starts that timed out, a start has four times its timeout, and so has the first answer.
    probes + settings.start_timeout * 8 + settings.stop_timeout + settings.fence_timeout + s(500)
}

/// A world that has played its script, and then calms down. Events that come in one moment are handed in
/// together in half of the worlds.
fn calmed(script: Script, primary: Primary) -> World {
    let (horizon, soon) = (horizon(&script.settings), soon(&script.settings));
    let mut world = match script.tripwire {
        true => script.play_one_by_one(horizon),
        false => script.play_together(horizon),
    };
    world.calm_down(primary);
    world.play(horizon + soon);
    world
}

proptest! {
    #![proptest_config(cases(192))]

    /// From any state: a success leads to a stop if a local gateway listens.
    #[test]
    fn a_primary_that_answers_for_good_ends_in_standby(script in script()) {
        let mut world = calmed(script.clone(), ANSWERS);
        prop_assert_eq!(world.state(), State::Standby, "{}", world.journal());
        prop_assert!(!world.listens(), "{}", world.journal());
        let before = world.journal().commands();
        world.play(world.elapsed() + script.settings.interval * 10);
        prop_assert_eq!(world.journal().commands(), before);
    }

    /// From any state: three strikes lead to a gateway that listens, and stays.
    #[test]
    fn a_primary_that_refuses_for_good_ends_in_active(script in script()) {
        let mut world = calmed(script.clone(), REFUSES);
        prop_assert_eq!(world.state(), State::Active, "{}", world.journal());
        prop_assert!(world.listens(), "{}", world.journal());
        let before = world.journal().commands();
        world.play(world.elapsed() + script.settings.interval * 10);
        prop_assert_eq!(world.journal().commands(), before);
        prop_assert_eq!(world.state(), State::Active);
    }

    /// From any state: a host that is gone is no different.
    #[test]
    fn a_primary_that_is_silent_for_good_ends_in_active(script in script()) {
        let world = calmed(script, SILENT);
        prop_assert_eq!(world.state(), State::Active, "{}", world.journal());
    }

    /// From any state: a missing path is a strike if a witness can confirm that PC-B's network works;
    /// otherwise nothing is started or stopped for it.
    #[test]
    fn a_path_that_is_gone_for_good_ends_in_active_where_there_are_witnesses(script in script()) {
        let world = calmed(script, PATHLESS);
        if world.witnesses_needed() > 0 {
            prop_assert_eq!(world.state(), State::Active, "{}", world.journal());
        } else {
            let started = world.state() == State::Active;
            prop_assert_eq!(started, world.listens(), "{}", world.journal());
        }
    }

    /// From any state: an address that PC-B has itself isn't the primary's.
    #[test]
    fn an_address_that_moved_here_for_good_ends_in_active(script in script()) {
        let world = calmed(script, MOVED);
        prop_assert_eq!(world.state(), State::Active, "{}", world.journal());
    }

    /// Whatever the news, it delays a takeover by at most one timeout per strike, and never brings it
    /// before two whole intervals after the first strike.
    #[test]
    fn news_neither_prevents_nor_hastens_a_takeover(
        settings in settings(),
        died in 0.0..3.0_f64,
        silent in any::<bool>(),
        tripwire in any::<bool>(),
        storm in 10..500_u64,
        evidence in settings().prop_flat_map(|settings| news(settings.interval)),
    ) {
        let settings = Settings {
            witness_quorum: 0,
            fence: Demand::None,
            veto_limit: 0,
            ..settings
        };
        let died = settings.interval.mul_f64(died);
        let cycle = settings.interval + settings.timeout;
        let latest = died + settings.interval + cycle * settings.strikes.get();
        let good = (0..2000).map(|step| (ms(storm * step), Evidence::Established));
        let mut script = Script::new(settings.clone())
            .evidence(evidence.into_iter().chain(good));
        script.primary.push((died, if silent { SILENT } else { REFUSES }));
        script.tripwire = tripwire;
        let world = script.play_one_by_one(latest);
        let start = world.journal().run_times().first().copied();
        let earliest = died + settings.confirm_interval * (settings.strikes.get() - 1);
        prop_assert!(start.is_some_and(|start| start >= earliest), "{}", world.journal());
    }

    /// Unknown probes from some time on: nothing is started or stopped because of them.
    #[test]
    fn a_watcher_that_cannot_probe_runs_nothing_new(script in script()) {
        let horizon = horizon(&script.settings);
        let mut quiet = script;
        quiet.orders = Vec::new();
        quiet.standby = Vec::new();
        quiet.primary = vec![(s(0), Primary::Unknown { after: ms(1) })];
        let world = quiet.play_one_by_one(horizon);
        prop_assert_eq!(world.journal().commands(), [""; 0]);
    }
}
