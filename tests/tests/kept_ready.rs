//! A gateway that is kept ready, whatever happens to it meanwhile: it never serves beside a healthy primary, and it does
//! when it is needed. With the lab's own gateway; `openclaw_kept_ready` does the same with the real one.

use failover_tests::standby::{Gateway::Scripted, scenarios};

#[test]
fn suspicions_that_end_well_cost_not_one_listen_and_not_one_packet() {
    scenarios::suspicions_that_end_well(Scripted);
}

#[test]
fn one_that_is_killed_or_restarted_or_stopped_by_others_is_parked_again() {
    scenarios::ended_by_others_it_is_parked_again(Scripted);
}

#[test]
fn one_that_others_wake_does_not_serve() {
    scenarios::woken_by_others_it_does_not_serve(Scripted);
}

#[test]
fn one_whose_configuration_has_changed_is_parked_again_but_not_too_often() {
    scenarios::changed_configuration_parks_it_again(Scripted);
}

#[test]
fn a_foreign_listener_on_its_port_keeps_it_parked_until_that_is_gone() {
    scenarios::foreign_listener_keeps_it_parked(Scripted);
}
