//! No path to the primary: PC-B's own fault, unless a witness answers over another one.

use super::super::{
    super::{Demand, Gone, Settings, State},
    mission, ms, s,
    script::{
        ANSWERS, MOVED, PATHLESS, Primary, REFUSES, SILENT, Script, primary_as_router, router,
    },
};

fn witnessed() -> Settings {
    Settings {
        witness_quorum: 1,
        ..mission()
    }
}

/// The primary answers, then the path to it is gone.
fn loses_its_path() -> Script {
    Script::new(witnessed()).primary([(s(0), ANSWERS), (s(10), PATHLESS)])
}

#[test]
fn a_path_that_went_with_the_primary_makes_a_takeover_where_a_witness_answers() {
    let world = loses_its_path().play(s(120));
    // Strikes at 30, 60 and 90; the witness answers, and a last probe finds the path still gone.
    assert_eq!(world.journal().asked(), ["90 ask"]);
    assert_eq!(
        world.journal().commands(),
        ["90.06 run start", "92.06 start succeeded"]
    );
}

#[test]
fn where_nobody_is_named_as_a_witness_it_stays_unknown() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(10), PATHLESS)])
        .play(s(3600));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.state(), State::Standby);
    assert_eq!(world.strikes(), []);
}

#[test]
fn where_no_witness_counts_it_stays_unknown_and_what_counted_before_does_not_any_longer() {
    let lost = |named_witnesses, router_is_witness| {
        let settings = Settings {
            named_witnesses,
            router_is_witness,
            ..witnessed()
        };
        Script::new(settings).primary([(s(0), ANSWERS), (s(10), PATHLESS)])
    };
    let world = lost(0, false).play(s(3600));
    assert_eq!(world.journal().runs(), [""; 0]);
    let world = lost(0, true)
        .routers([(s(0), vec![router(1)]), (s(70), vec![primary_as_router(1)])])
        .play(s(3600));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.strikes(), []);
}

#[test]
fn a_watcher_whose_only_cable_is_pulled_is_isolated_and_starts_nothing() {
    let world = loses_its_path().witnesses([(s(0), Some(0))]).play(s(3600));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.state(), State::Isolated);
}

#[test]
fn strikes_from_before_the_cable_was_plugged_in_again_count_for_nothing() {
    let world = Script::new(witnessed())
        .primary([(s(0), ANSWERS), (s(10), PATHLESS), (s(100), SILENT)])
        .witnesses([(s(0), Some(0)), (s(100), Some(1))])
        .play(s(300));
    // Asked at 120, the witness answers; three strikes come at 120, 150 and 180, of which the first
    // began before that.
    assert_eq!(world.journal().runs(), ["215.01 run start"]);
}

/// The cable is plugged in again while the witness is being asked.
#[test]
fn a_witness_that_answers_over_a_path_that_has_come_back_is_no_ground_for_a_takeover() {
    for back in [ANSWERS, SILENT] {
        let world = Script::new(witnessed())
            .primary([(s(0), ANSWERS), (s(10), PATHLESS), (ms(90_005), back)])
            .play(s(150));
        assert_eq!(world.journal().asked(), ["90 ask"]);
        assert_eq!(world.journal().runs(), [""; 0], "{}", world.journal());
    }
}

#[test]
fn a_primary_that_refuses_and_then_loses_its_path_is_taken_over_all_the_same() {
    let world = Script::new(witnessed())
        .primary([(s(0), ANSWERS), (s(10), REFUSES), (s(70), PATHLESS)])
        .play(s(120));
    assert_eq!(world.journal().runs(), ["90.06 run start"]);
}

/// A network card that comes and goes with the other end's power supply.
#[test]
fn a_path_that_comes_and_goes_makes_a_takeover_in_the_end() {
    let silent_or_gone = [
        (s(0), ANSWERS),
        (s(10), PATHLESS),
        (s(70), SILENT),
        (s(80), PATHLESS),
        (s(91), SILENT),
        (s(100), PATHLESS),
    ];
    let world = Script::new(witnessed())
        .primary(silent_or_gone)
        .play(s(400));
    assert_eq!(world.state(), State::Active, "{}", world.journal());
}

#[test]
fn a_fence_needs_the_same_and_so_does_an_order() {
    let settings = Settings {
        fence: Demand::Required,
        ..witnessed()
    };
    let world = Script::new(settings)
        .primary([(s(0), ANSWERS), (s(10), PATHLESS)])
        .play(s(120));
    assert_eq!(world.journal().runs()[0], "90.06 run fence");
    let order = super::super::super::Order::TakeOver { force: false };
    let world = loses_its_path().orders([(s(40), order)]).play(s(120));
    let runs = world.journal().runs();
    assert!(runs[0].starts_with("40.06"), "{runs:?}");
}

#[test]
fn what_a_probe_finds_slowly_is_confirmed_by_one_that_began_after_the_answer() {
    let slowly = Primary::Gone {
        gone: Gone::Path,
        after: s(4),
    };
    let world = Script::new(witnessed())
        .primary([(s(0), ANSWERS), (s(10), slowly)])
        .play(s(150));
    assert_eq!(world.journal().asked(), ["94 ask"]);
    assert_eq!(world.journal().runs(), ["98.06 run start"]);
}

#[test]
fn an_address_that_moved_here_is_a_strike_with_and_without_witnesses() {
    for settings in [mission(), witnessed()] {
        let world = Script::new(settings)
            .primary([(s(0), ANSWERS), (s(10), MOVED)])
            .play(s(120));
        assert_eq!(world.journal().runs().len(), 1);
        assert_eq!(world.state(), State::Active);
        // Its own gateway's answers change nothing.
        assert_eq!(world.strikes().len(), 3);
    }
}

#[test]
fn an_address_that_moves_back_is_the_primarys_again() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(10), MOVED), (s(200), ANSWERS)])
        .play(s(240));
    assert_eq!(world.state(), State::Standby);
    assert_eq!(world.journal().runs().len(), 2);
}
