//! What keeps a takeover from being made: an address that was never seen healthy, a port that somebody
//! else has.

use super::super::{
    super::{PortObservation, Settings, State},
    mission, s,
    script::{ANSWERS, REFUSES, Script, Start},
};

fn careful() -> Settings {
    Settings {
        needs_arming: true,
        ..mission()
    }
}

#[test]
fn a_primary_that_was_never_healthy_is_not_taken_over() {
    let world = Script::new(careful())
        .primary([(s(0), REFUSES)])
        .play(s(3600));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "60 unarmed"]
    );
    assert_eq!(world.journal().commands(), [""; 0]);
}

#[test]
fn one_success_arms_for_good() {
    let world = Script::new(careful())
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (s(130), REFUSES)])
        .play(s(300));
    assert_eq!(world.journal().runs(), ["210 run start"]);
}

#[test]
fn while_a_foreign_listener_has_the_port_nothing_is_started_and_as_soon_as_it_is_free_something_is()
{
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .by_hand([
            (s(10), PortObservation::Foreign),
            (s(100), PortObservation::Absent),
        ])
        .play(s(300));
    assert_eq!(
        world.journal().states(),
        [
            "0 suspect 1",
            "30 suspect 2",
            "60 blocked",
            "100 starting 1",
            "102 active"
        ]
    );
    assert_eq!(world.journal().runs(), ["100 run start"]);
}

#[test]
fn a_foreign_listener_is_never_stopped() {
    let world = Script::mission()
        .by_hand([(s(10), PortObservation::Foreign)])
        .play(s(300));
    assert_eq!(world.journal().commands(), [""; 0]);
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn what_a_start_left_behind_is_stopped_although_a_foreign_listener_has_the_port_by_then() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::fails(s(52))])
        .by_hand([(s(70), PortObservation::Foreign)])
        .play(s(300));
    assert_eq!(world.journal().runs(), ["60 run start", "112 run stop"]);
    assert_eq!(world.state().name(), "blocked");
}
