//! New numbers while it runs: what was seen stays seen, what runs goes on.

use crate::{
    known::{
        router::RouterWitness,
        situation::{Primary, Situation},
    },
    settings::Settings,
    step::Step,
    time::Time,
};

/// What new settings mean for the asking of the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probing {
    /// Nothing: a probe in flight goes on. With another timeout that is [`Self::Anew`].
    AsBefore,
    /// It is asked in another way: a probe in flight is given up, and its strikes stay.
    Anew,
    /// It is asked something else: what it answered until now, well or not, says nothing of that.
    SomethingElse,
    /// It is another primary: nothing is known of it.
    OfAnother,
}

impl Situation {
    /// Takes new settings over. Strikes, the state and a command in flight survive.
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
        // By another timeout the answer would be overdue, or come when nobody waits.
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
            // Who was silent while another one answered.
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
