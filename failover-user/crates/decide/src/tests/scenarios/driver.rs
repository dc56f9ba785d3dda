//! A daemon that gets its time late, or not at all for a while.

use super::super::{
    super::{Evidence, State},
    ms, s,
    script::{ANSWERS, REFUSES, SILENT, Script, Start},
};

#[test]
fn a_timer_s_own_slack_does_not_add_up() {
    let world = Script::mission()
        .lateness([ms(1), ms(2), ms(0)])
        .play(s(3601));
    let times = world.journal().probe_times();
    assert_eq!(times.len(), 121);
    assert!(times.last().unwrap() <= &(s(3600) + ms(2)), "{times:?}");
}

#[test]
fn a_timer_s_own_slack_costs_no_strike() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .lateness([ms(2), ms(0)])
        .play(s(61));
    assert_eq!(world.journal().runs(), ["60 run start"]);
}

#[test]
fn after_a_stall_of_minutes_there_is_one_probe_and_then_the_fixed_rate_from_there() {
    let world = Script::mission().stall(s(40), s(400)).play(s(470));
    assert_eq!(
        world.journal().probe_times(),
        [s(0), s(30), s(400), s(430), s(460)]
    );
}

#[test]
fn a_stall_while_active_brings_no_burst_either() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .stall(s(70), s(130))
        .play(s(132));
    assert_eq!(
        world.journal().probe_times()[11..],
        [s(69), s(130), s(131), s(132)]
    );
}

#[test]
fn strikes_from_before_a_long_stall_do_not_count() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .stall(s(50), s(400))
        .play(s(462));
    assert_eq!(
        world.journal().states(),
        [
            "0 suspect 1",
            "30 suspect 2",
            "400 standby",
            "400 suspect 1",
            "430 suspect 2",
            "460 starting 1",
            "462 active",
        ]
    );
}

#[test]
fn a_failure_that_is_read_long_after_it_happened_is_no_takeover() {
    let world = Script::mission()
        .primary([(s(0), SILENT), (s(80), ANSWERS)])
        .stall(s(62), s(400))
        .play(s(500));
    // The third failure of 65 is read at 400, with the strikes of 0 and 30 long expired.
    assert_eq!(world.journal().commands(), [""; 0]);
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn strikes_from_before_a_stall_start_again() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .stall(s(50), s(75))
        .play(s(138));
    assert_eq!(
        world.journal().states(),
        [
            "0 suspect 1",
            "30 suspect 2",
            "75 standby",
            "75 suspect 1",
            "105 suspect 2",
            "135 starting 1",
            "137 active"
        ]
    );
}

#[test]
fn news_read_after_a_stall_brings_no_more_than_one_early_probe() {
    let world = Script::mission()
        .evidence((50..200).map(|at| (s(at), Evidence::Closed)))
        .stall(s(40), s(400))
        .play(s(431));
    assert_eq!(
        world.journal().probe_times(),
        [s(0), s(30), s(400), s(401), s(431)]
    );
}

#[test]
fn a_start_that_hung_through_a_stall_has_its_time_from_its_end() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::hangs(), Start::works(s(2))])
        .stall(s(70), s(130))
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "190 kill start",
            "190.02 start was ended by signal 9",
            "190.02 run stop",
            "191.02 stop succeeded",
            "191.02 run start",
            "193.02 start succeeded",
        ]
    );
}
