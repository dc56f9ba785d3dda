//! Random numbers that depend on a seed and nothing else.

use std::{f64::consts::TAU, time::Duration};

use fastrand::Rng;

/// Longer than anything simulated; keeps a heavy tail from overflowing a `Duration`.
const LONGEST: f64 = 1e9;

/// A log-normal distribution: durations of failures and repairs have many short and a few very long
/// ones.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Half of the samples are below; seconds.
    pub median: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

impl Spread {
    /// One sample.
    pub fn sample(self, rng: &mut Rng) -> Duration {
        let normal = (-2.0 * unit(rng).ln()).sqrt() * (TAU * rng.f64()).cos();
        seconds(self.median * (self.sigma * normal).exp())
    }
}

/// From an exponential distribution with this mean.
pub fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * unit(rng).ln()
}

/// Seconds as a span of time; never negative, never too long.
pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST))
}

/// A generator of its own for one run and purpose (splitmix64 keeps neighbouring numbers apart).
pub fn generator(seed: u64, run: u64, purpose: u64) -> Rng {
    let mut mixed = seed;
    for part in [run, purpose] {
        mixed = mix(mixed ^ mix(part));
    }
    Rng::with_seed(mixed)
}

fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// In (0, 1]: has a logarithm.
fn unit(rng: &mut Rng) -> f64 {
    1.0 - rng.f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_spread_is_below_its_median() {
        let mut rng = generator(1, 2, 3);
        let spread = Spread {
            median: 60.0,
            sigma: 1.5,
        };
        let below = (0..10_000)
            .filter(|_| spread.sample(&mut rng) < Duration::from_secs(60))
            .count();
        assert!((4_800..5_200).contains(&below), "{below}");
    }

    #[test]
    fn each_run_has_its_own_numbers() {
        let first = |seed, run, purpose| generator(seed, run, purpose).u64(..);
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        assert_ne!(first(1, 2, 3), first(1, 3, 2));
        assert_ne!(first(1, 2, 3), first(2, 2, 3));
    }
}
