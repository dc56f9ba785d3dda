//! From the primary's death to the start command.

use super::super::{
    super::{Evidence, Failure, Settings},
    mission, ms, s,
    script::{ANSWERS, Primary, REFUSES, SILENT, Script, UNKNOWN},
};

#[test]
fn a_primary_that_answers_is_probed_at_the_fixed_rate_and_nothing_else_happens() {
    let world = Script::mission().play(s(120));
    assert_eq!(
        world.journal().probes(),
        [
            "0 probe scheduled",
            "30 probe scheduled",
            "60 probe scheduled",
            "90 probe scheduled",
            "120 probe scheduled",
        ]
    );
    assert_eq!(world.journal().states(), [""; 0]);
    assert_eq!(world.journal().commands(), [""; 0]);
}

#[test]
fn a_dead_process_is_noticed_at_once_and_replaced_sixty_seconds_after_the_first_strike() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(100), REFUSES)])
        .tripwire()
        .play(s(163));
    assert_eq!(
        world.journal().states(),
        [
            "100.05 suspect 1",
            "130.05 suspect 2",
            "160.05 starting 1",
            "162.05 active"
        ]
    );
    assert_eq!(
        world.journal().commands(),
        ["160.05 run start", "162.05 start succeeded"]
    );
    assert_eq!(
        world.journal().probes(),
        [
            "0 probe scheduled",
            "30 probe scheduled",
            "60 probe scheduled",
            "90 probe scheduled",
            "100.05 probe bad-news",
            "130.05 probe scheduled",
            "160.05 probe scheduled",
            "161.05 probe scheduled",
            "162.05 probe scheduled",
        ]
    );
}

#[test]
fn a_lost_host_is_known_lost_sixty_nine_seconds_later() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(100), SILENT)])
        .tripwire()
        .play(s(200));
    // The keepalives give up at 104; each probe takes its 5 s to time out.
    assert_eq!(
        world.journal().states(),
        [
            "109.05 suspect 1",
            "139.05 suspect 2",
            "169.05 starting 1",
            "171.05 active"
        ]
    );
}

#[test]
fn a_lost_host_is_known_lost_within_seventy_seconds_whenever_it_goes() {
    for lost in 0..60 {
        let lost = s(90) + ms(500) * lost;
        let world = Script::mission()
            .primary([(s(0), ANSWERS), (lost, SILENT)])
            .tripwire()
            .play(lost + s(70));
        assert_eq!(world.journal().runs().len(), 1, "lost at {lost:?}");
    }
}

#[test]
fn without_kernel_events_a_dead_primary_is_replaced_at_the_third_scheduled_probe() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(100), REFUSES)])
        .play(s(200));
    assert_eq!(
        world.journal().states(),
        [
            "120 suspect 1",
            "150 suspect 2",
            "180 starting 1",
            "182 active"
        ]
    );
}

#[test]
fn two_strikes_and_a_success_are_no_takeover() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(10), REFUSES), (s(80), ANSWERS)])
        .play(s(300));
    assert_eq!(
        world.journal().states(),
        ["30 suspect 1", "60 suspect 2", "90 standby"]
    );
    assert_eq!(world.journal().commands(), [""; 0]);
}

#[test]
fn strikes_count_from_one_again_after_a_success() {
    let world = Script::mission()
        .primary([
            (s(0), ANSWERS),
            (s(10), REFUSES),
            (s(80), ANSWERS),
            (s(100), REFUSES),
        ])
        .play(s(182));
    assert_eq!(
        world.journal().states(),
        [
            "30 suspect 1",
            "60 suspect 2",
            "90 standby",
            "120 suspect 1",
            "150 suspect 2",
            "180 starting 1",
            "182 active",
        ]
    );
}

#[test]
fn an_unknown_probe_is_neither_a_strike_nor_a_reset() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(40), UNKNOWN), (s(80), REFUSES)])
        .play(s(93));
    assert_eq!(
        world.journal().states(),
        // Refused at 0 and 30, unknown at 60.
        ["0 suspect 1", "30 suspect 2", "90 starting 1", "92 active"]
    );
}

#[test]
fn unknown_probes_alone_change_nothing_for_ever() {
    let world = Script::mission().primary([(s(0), UNKNOWN)]).play(s(3600));
    assert_eq!(world.journal().states(), [""; 0]);
    assert_eq!(world.journal().probes().len(), 121);
}

#[test]
fn strikes_older_than_three_intervals_and_timeouts_say_nothing_of_now() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(40), UNKNOWN), (s(110), REFUSES)])
        .play(s(182));
    // A strike lasts 105 s: at 120 that of 0 has gone, at 150 that of 30; each time one more comes.
    assert_eq!(
        world.journal().states(),
        [
            "0 suspect 1",
            "30 suspect 2",
            "120 suspect 1",
            "120 suspect 2",
            "150 suspect 1",
            "150 suspect 2",
            "180 starting 1",
            "182 active",
        ]
    );
}

#[test]
fn a_strike_counts_for_three_intervals_and_timeouts_and_no_longer() {
    // Probes of the watcher's own fault between, so that the strikes of 0 and 30 only grow old.
    for (back, starts) in [(s(89), 1), (s(119), 0)] {
        let world = Script::mission()
            .primary([(s(0), REFUSES), (s(31), UNKNOWN), (back, REFUSES)])
            .play(back + s(2));
        assert_eq!(world.journal().runs().len(), starts, "{}", world.journal());
    }
}

#[test]
fn suspicion_ends_when_the_last_strike_is_too_old() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(10), REFUSES), (s(40), UNKNOWN)])
        .play(s(600));
    assert_eq!(world.journal().states(), ["30 suspect 1", "150 standby"]);
}

#[test]
fn a_daemon_born_beside_a_dead_primary_takes_over_after_three_strikes() {
    let world = Script::mission().primary([(s(0), REFUSES)]).play(s(62));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "60 starting 1", "62 active"]
    );
}

#[test]
fn nothing_is_started_before_somebody_has_looked_at_the_local_port() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .first_look(s(100))
        .play(s(200));
    assert_eq!(
        world.journal().commands(),
        ["100 run start", "102 start succeeded"]
    );
}

#[test]
fn every_kind_of_failure_is_a_strike() {
    for primary in [
        Primary::Refuses { after: ms(3) },
        Primary::Unreachable { after: ms(3060) },
        Primary::Answers { after: s(5) },
        Primary::Silent,
    ] {
        let (took, _) = primary.probed(s(5));
        let world = Script::mission()
            .primary([(s(0), primary)])
            .play(s(60) + took);
        assert_eq!(world.journal().runs().len(), 1);
    }
}

#[test]
fn the_change_of_state_tells_which_probes_failed_how_and_when() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(20), SILENT)])
        .play(s(65));
    let strikes: Vec<_> = world
        .strikes()
        .iter()
        .map(|strike| {
            (
                world.since_beginning(strike.due),
                strike.failure,
                strike.took,
            )
        })
        .collect();
    assert_eq!(
        strikes,
        [
            (s(0), Failure::Refused, ms(0)),
            (s(30), Failure::TimedOut, s(5)),
            (s(60), Failure::TimedOut, s(5)),
        ]
    );
}

#[test]
fn one_strike_is_enough_where_one_is_asked_for() {
    let settings = Settings {
        strikes: std::num::NonZeroU32::MIN,
        ..mission()
    };
    let world = Script::new(settings)
        .primary([(s(0), ANSWERS), (s(10), REFUSES)])
        .evidence([(s(11), Evidence::Reset)])
        .play(s(14));
    assert_eq!(
        world.journal().states(),
        ["11.05 starting 1", "13.05 active"]
    );
}

#[test]
fn a_gateway_wanted_for_hours_is_kept_for_hours() {
    for down in [REFUSES, SILENT, Primary::Unreachable { after: ms(3060) }] {
        let world = Script::mission().primary([(s(0), down)]).play(s(4 * 3600));
        assert_eq!(world.journal().runs().len(), 1);
        assert_eq!(
            world.journal().states().len(),
            4,
            "{:?}",
            world.journal().states()
        );
    }
}
