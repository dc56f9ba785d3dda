//! What kernel events may do, and what they may not.

use super::super::{
    super::Evidence,
    ms, s,
    script::{ANSWERS, Echo, Primary, REFUSES, SILENT, Script, UNKNOWN},
};
use std::time::Duration;

/// The same evidence, over and over.
fn storm(
    evidence: Evidence,
    from: Duration,
    until: Duration,
    every: Duration,
) -> impl Iterator<Item = (Duration, Evidence)> {
    std::iter::successors(Some(from), move |at| Some(*at + every))
        .take_while(move |at| *at < until)
        .map(move |at| (at, evidence))
}

#[test]
fn bad_news_brings_a_probe_now_and_restarts_the_schedule() {
    for evidence in [
        Evidence::Refused,
        Evidence::Reset,
        Evidence::TimedOut,
        Evidence::Closed,
    ] {
        let world = Script::mission()
            .evidence([(ms(12_300), evidence)])
            .play(s(75));
        assert_eq!(
            world.journal().probes(),
            [
                "0 probe scheduled",
                "12.35 probe bad-news",
                "42.35 probe scheduled",
                "72.35 probe scheduled",
            ]
        );
        assert_eq!(world.journal().states(), [""; 0]);
    }
}

#[test]
fn good_news_of_a_healthy_primary_brings_nothing() {
    let world = Script::mission()
        .evidence([(s(12), Evidence::Established)])
        .play(s(60));
    assert_eq!(world.journal().probe_times(), [s(0), s(30), s(60)]);
}

#[test]
fn bad_news_is_no_strike_however_much_there_is() {
    let world = Script::mission()
        .evidence(storm(Evidence::Refused, s(0), s(600), ms(100)))
        .play(s(600));
    assert_eq!(world.journal().states(), [""; 0]);
}

#[test]
fn bad_news_while_suspect_changes_nothing() {
    let quiet = Script::mission().primary([(s(0), REFUSES)]);
    let noisy = quiet
        .clone()
        .evidence(storm(Evidence::Refused, s(1), s(60), ms(90)));
    let (quiet, noisy) = (quiet.play(s(120)), noisy.play(s(120)));
    assert_eq!(noisy.journal().probes(), quiet.journal().probes());
    assert_eq!(noisy.journal().states(), quiet.journal().states());
}

#[test]
fn good_news_while_suspect_brings_a_probe_whose_success_ends_the_suspicion() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(40), ANSWERS)])
        .evidence([(s(42), Evidence::Established)])
        .play(s(91));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "42 standby"]
    );
    assert_eq!(
        world.journal().probes(),
        [
            "0 probe scheduled",
            "30 probe scheduled",
            "42 probe good-news",
            "60 probe scheduled",
            "90 probe scheduled",
        ]
    );
}

#[test]
fn good_news_while_suspect_brings_a_probe_whose_failure_changes_nothing() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .evidence([(s(42), Evidence::Established)])
        .play(s(60));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "60 starting 1"]
    );
    assert_eq!(
        world.journal().probes(),
        [
            "0 probe scheduled",
            "30 probe scheduled",
            "42 probe good-news",
            "60 probe scheduled",
        ]
    );
}

#[test]
fn a_storm_of_good_news_about_a_dead_primary_makes_no_strike_earlier() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .evidence(storm(Evidence::Established, s(1), s(100), ms(70)))
        .play(s(61));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "60 starting 1"]
    );
}

#[test]
fn a_scheduled_probe_that_is_due_goes_before_one_for_good_news() {
    let world = Script::mission()
        .primary([(s(0), SILENT)])
        .evidence(storm(Evidence::Established, s(1), s(100), ms(100)))
        .play(s(80));
    // The probes for good news take 5 s each, and put a strike off by no more than that.
    assert_eq!(
        world.journal().states()[..2],
        ["5 suspect 1", "35.1 suspect 2"]
    );
    assert_eq!(world.journal().runs(), ["65.1 run start"]);
}

#[test]
fn there_is_at_most_one_early_probe_a_second() {
    let world = Script::mission()
        .evidence(storm(Evidence::Reset, ms(12_300), s(15), ms(10)))
        .play(s(16));
    assert_eq!(
        world.journal().probe_times(),
        [ms(0), ms(12_350), ms(13_350), ms(14_350), ms(15_350)]
    );
}

#[test]
fn early_probes_that_find_a_healthy_primary_become_rare() {
    let world = Script::mission()
        .evidence(storm(Evidence::Closed, s(1), s(3600), ms(500)))
        .play(s(3600));
    let times = world.journal().probe_times();
    assert_eq!(
        times[..10],
        [
            0, 1050, 2050, 3050, 4050, 5050, 7050, 11_050, 19_050, 35_050
        ]
        .map(ms),
        "{:?}",
        &times[..20]
    );
    assert!(times.len() < 135, "{} probes in an hour", times.len());
}

#[test]
fn early_probes_that_say_nothing_become_rare() {
    let mut script = Script::mission().primary([(s(0), UNKNOWN)]);
    script.echo = Echo::AfterTheProbeEnded;
    let world = script.play(s(3600));
    let probes = world.journal().probes().len();
    assert!(probes < 135, "{probes} probes in an hour");
}

#[test]
fn after_a_quiet_interval_bad_news_is_believed_at_once_again() {
    let world = Script::mission()
        .evidence(storm(Evidence::Closed, s(1), s(300), ms(500)).chain([
            (ms(400_100), Evidence::Closed),
            (ms(401_200), Evidence::Closed),
        ]))
        .play(s(402));
    let times = world.journal().probe_times();
    assert_eq!(times[times.len() - 2..], [ms(400_150), ms(401_250)]);
}

#[test]
fn bad_news_that_comes_while_a_probe_is_answered_is_looked_into_afterwards() {
    let world = Script::mission()
        .primary([
            (s(0), Primary::Answers { after: ms(500) }),
            (ms(30_100), REFUSES),
        ])
        .evidence([(ms(30_200), Evidence::Closed)])
        .play(s(91));
    // The probe of 30 is answered at 30.5.
    assert_eq!(
        world.journal().states(),
        ["30.5 suspect 1", "60.5 suspect 2", "90.5 starting 1"]
    );
}

#[test]
fn bad_news_of_a_failed_probe_s_own_making_is_answered_by_it() {
    for echo in [Echo::BeforeTheProbeEnds, Echo::AfterTheProbeEnded] {
        for primary in [REFUSES, SILENT, ANSWERS] {
            let plain = Script::mission().primary([(s(0), ANSWERS), (s(50), primary)]);
            let mut echoed = plain.clone();
            echoed.echo = echo;
            let (plain, echoed) = (plain.play(s(110)), echoed.play(s(110)));
            assert_eq!(echoed.journal().probes(), plain.journal().probes());
            assert_eq!(echoed.journal().states(), plain.journal().states());
        }
    }
}

#[test]
fn a_strike_found_early_and_the_scheduled_one_after_it_are_an_interval_apart() {
    // Dead shortly before a scheduled probe would have come.
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (ms(29_900), REFUSES)])
        .tripwire()
        .play(s(90));
    assert_eq!(
        world.journal().states(),
        ["29.95 suspect 1", "59.95 suspect 2", "89.95 starting 1"]
    );
}

#[test]
fn news_is_not_needed() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (s(200), REFUSES)])
        .play(s(400));
    assert_eq!(world.journal().runs().len(), 3);
}

// --- false alarms --------------------------------------------------------------------------------

/// A connection dies of silence twice, and the primary was well the first time.
fn silent_twice(second: Primary) -> Script {
    Script::mission()
        .primary([(s(0), ANSWERS), (s(15), second), (s(36), ANSWERS)])
        .evidence([(s(10), Evidence::TimedOut), (s(20), Evidence::TimedOut)])
}

#[test]
fn a_silence_like_one_that_was_a_false_alarm_is_no_strike_where_the_probe_meets_silence_as_well() {
    let world = silent_twice(SILENT).play(s(60));
    assert_eq!(world.journal().states(), [""; 0], "{}", world.journal());
    // The scheduled probe comes as if there had been none.
    let probes = world.journal().probes();
    assert_eq!(
        probes,
        [
            "0 probe scheduled",
            "10.05 probe bad-news",
            "20.05 probe bad-news",
            "40.05 probe scheduled"
        ]
    );
}

#[test]
fn where_the_probe_meets_more_than_silence_it_is_a_strike() {
    let world = silent_twice(REFUSES).play(s(30));
    assert_eq!(world.journal().states(), ["20.05 suspect 1"]);
}

#[test]
fn the_first_silence_is_believed_and_so_is_one_after_a_quiet_time() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(5), SILENT)])
        .evidence([(s(10), Evidence::TimedOut)])
        .play(s(20));
    assert_eq!(world.journal().states(), ["15.05 suspect 1"]);
    let later = s(30 * 25);
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (later, SILENT)])
        .evidence([(s(10), Evidence::TimedOut), (later, Evidence::TimedOut)])
        .play(later + s(8));
    assert_eq!(world.journal().states(), ["755.05 suspect 1"]);
}

#[test]
fn a_connection_that_is_reset_is_believed_however_many_silences_were_false() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(15), SILENT)])
        .evidence([
            (s(10), Evidence::TimedOut),
            (s(20), Evidence::TimedOut),
            (ms(20_010), Evidence::Reset),
        ])
        .play(s(30));
    assert_eq!(world.journal().states(), ["25.05 suspect 1"]);
}
