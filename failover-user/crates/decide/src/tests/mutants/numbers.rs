//! Deciders with other settings than those that are configured.

use std::num::NonZeroU32;

use super::{Mutation, SOUND};
use crate::{
    Demand, Settings,
    invariants::Invariant,
    tests::{
        mission, s,
        script::{REFUSES, Script},
    },
};

mutants! {
    one_strike_is_enough: Failures => {
        settings: |settings| settings.strikes = NonZeroU32::MIN,
    }

    strikes_count_that_are_too_close: Strikes => {
        settings: |settings| settings.confirm_interval /= 20,
    }

    old_strikes_count: Failures => {
        settings: |settings| settings.timeout *= 20,
    }

    a_start_without_a_fence: Fenced => {
        settings: |settings| settings.fence = Demand::None,
    }

    a_start_without_witnesses: Connected => {
        settings: |settings| settings.witness_quorum = 0,
    }

    a_start_while_unarmed: Armed => {
        settings: |settings| settings.needs_arming = false,
        shown_by: Some(|| {
            let settings = Settings {
                needs_arming: true,
                ..mission()
            };
            let script = Script::new(settings).primary([(s(0), REFUSES)]);
            (script, s(100))
        }),
    }

    a_start_is_ended_before_its_time: StartTime => {
        settings: |settings| settings.start_timeout /= 20,
    }

    a_flapping_primary_is_believed_at_once: PrimaryProven => {
        settings: |settings| settings.flapping = None,
    }

    probes_come_in_bursts: ProbesSpaced => {
        settings: |settings| settings.interval /= 20,
    }

    an_old_answer_refuses_a_takeover: FreshRefusal => {
        settings: |settings| settings.recovery_interval = settings.interval * 20,
    }
}
