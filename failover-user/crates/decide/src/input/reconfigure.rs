//! Applies new settings at run time. Observations and a command in flight survive.

use crate::{
    known::{
        router::RouterWitness,
        situation::{Primary, Situation},
    },
    settings::Settings,
    step::Step,
    time::Time,
};

/// What new settings mean for probing the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probing {
    /// Nothing: a probe in flight continues. With another timeout this is the same as [`Self::Anew`].
    AsBefore,
    /// The primary is probed in another way: a probe in flight is dropped, and the strikes stay.
    Anew,
    /// The check means something else: earlier outcomes, good or bad, say nothing about it.
    SomethingElse,
    /// It is another primary: nothing is known about it.
    OfAnother,
}

impl Situation {
    /// Applies new settings. Strikes, the state and a command in flight survive.
    pub(crate) fn reconfigure(&mut self, now: Time, settings: Settings, probing: Probing) {
        self.isolation.reconfigure(&settings, now);
        self.flap_damping.reconfigure(&settings);
        for definition in self.steps.all() {
            let (first, longest) = (definition.backoff)(&settings);
            self.back_off(definition.step, |pause| {
                pause.reconfigure(first, longest, now);
            });
        }
        if let Primary::Failing(strikes) = &mut self.primary {
            strikes.reconfigure(&settings);
        }
        // With another timeout the outcome would be overdue, or come after the deadline.
        if probing != Probing::AsBefore || settings.timeout != self.settings.timeout {
            self.schedule.give_up();
        }
        self.liveness
            .reconfigure(&settings, settings.start_limit(self.overdue));
        self.armed |= !settings.needs_arming;
        self.settings = settings;
        if matches!(probing, Probing::SomethingElse | Probing::OfAnother) {
            self.primary = Primary::Unproven;
            self.primary_drains = false;
            self.armed = !self.settings.needs_arming;
        }
        if probing == Probing::OfAnother {
            self.discount_steps();
            let takeover = self.steps;
            self.reset_attempts(now, |step| {
                step != Step::START && takeover.is_of_takeover(step)
            });
            self.isolation.forget();
            // Which router was silent while the old primary answered says nothing now.
            self.router.primary_fails();
            self.flap_damping.forget();
            self.seen_alive = None;
            self.vetoes = 0;
        }
        if !self.settings.router_is_witness {
            self.router = RouterWitness::default();
        }
        self.count_witnesses(now);
    }
}
