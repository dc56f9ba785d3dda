//! Packet loss: a Gilbert-Elliott channel in continuous time.
//!
//! The channel's state is a Markov chain with two states, so its state at the next packet follows
//! exactly from its state at the last one and the time between: nothing happens in between.

use fastrand::Rng;

use failover_decide::Time;

/// A channel that changes between a good and a bad state.
#[derive(Clone, Copy, Debug)]
pub struct GilbertElliott {
    /// Mean time in the good state, seconds.
    pub good: f64,
    /// Mean time in the bad one, seconds.
    pub bad: f64,
    /// Share of packets lost while good, each way.
    pub loss_good: f64,
    /// Share of packets lost while bad, each way.
    pub loss_bad: f64,
}

impl GilbertElliott {
    /// Share of the time in the bad state.
    #[must_use]
    pub fn share_bad(&self) -> f64 {
        self.bad / (self.good + self.bad)
    }

    /// Share of all packets lost, each way.
    #[must_use]
    pub fn loss(&self) -> f64 {
        let bad = self.share_bad();
        bad * self.loss_bad + (1.0 - bad) * self.loss_good
    }
}

/// One channel, as it was when the last packet was sent.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    share_bad: f64,
    /// How fast the past is forgotten, 1/seconds.
    rate: f64,
    /// That a packet or its answer is lost.
    round_trip_good: f64,
    round_trip_bad: f64,
    bad: bool,
    at: Time,
}

impl Channel {
    pub(super) fn new(model: &GilbertElliott, rng: &mut Rng) -> Self {
        let share_bad = model.share_bad();
        Self {
            share_bad,
            rate: 1.0 / model.good + 1.0 / model.bad,
            round_trip_good: there_and_back(model.loss_good),
            round_trip_bad: there_and_back(model.loss_bad),
            bad: rng.f64() < share_bad,
            at: Time::default(),
        }
    }

    /// Is a packet sent now lost, or its answer?
    pub(super) fn loses(&mut self, now: Time, rng: &mut Rng) -> bool {
        let forgotten = now.since(self.at).as_secs_f64() * self.rate;
        // Beyond that nothing is left of it in an f64, and exp() is what takes the time here.
        let remembered = if forgotten < 40.0 {
            (-forgotten).exp()
        } else {
            0.0
        };
        let before = if self.bad { 1.0 } else { 0.0 };
        self.at = now;
        self.bad = rng.f64() < self.share_bad + (before - self.share_bad) * remembered;
        let loss = if self.bad {
            self.round_trip_bad
        } else {
            self.round_trip_good
        };
        rng.f64() < loss
    }
}

/// That at least one of two packets is lost.
pub(super) fn there_and_back(loss: f64) -> f64 {
    1.0 - (1.0 - loss) * (1.0 - loss)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{chance::generator, model::MODELS},
        *,
    };

    const MODEL: GilbertElliott = GilbertElliott {
        good: 10.0,
        bad: 0.5,
        loss_good: 0.001,
        loss_bad: 0.5,
    };

    /// Which of this number of packets at this distance are lost.
    fn lost(gap: Duration, count: u32) -> Vec<bool> {
        let mut rng = generator(7, 0, 0);
        let mut channel = Channel::new(&MODEL, &mut rng);
        (1..=count)
            .map(|packet| channel.loses(Time::from_boot(gap * packet), &mut rng))
            .collect()
    }

    fn share(lost: &[bool]) -> f64 {
        let count = lost.iter().filter(|lost| **lost).count();
        f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(lost.len()).unwrap())
    }

    #[test]
    fn loss_is_near_its_stationary_value_whatever_the_distance() {
        let bad = MODEL.share_bad();
        let expected = bad * 0.75 + (1.0 - bad) * there_and_back(0.001);
        for milliseconds in [50, 1000, 30_000] {
            let share = share(&lost(Duration::from_millis(milliseconds), 400_000));
            assert!((share / expected - 1.0).abs() < 0.08, "{share} {expected}");
        }
    }

    #[test]
    fn losses_come_in_bursts() {
        let after_a_loss = |gap| {
            let lost = lost(gap, 400_000);
            let next: Vec<bool> = lost
                .windows(2)
                .filter_map(|pair| pair[0].then_some(pair[1]))
                .collect();
            share(&next)
        };
        assert!(after_a_loss(Duration::from_millis(50)) > 0.5);
        assert!(after_a_loss(Duration::from_secs(30)) < 0.06);
    }

    #[test]
    fn the_models_lose_what_their_documentation_says() {
        let wireless = &MODELS[3];
        assert!((wireless.bursts.loss() - 0.0248).abs() < 0.0005);
    }
}
