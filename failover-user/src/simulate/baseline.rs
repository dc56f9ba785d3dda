//! The plain shell loop that failover replaces, as `tests/src/bench/loop.sh` has it.
//!
//! It probes, acts and sleeps, and does not detect its own cable. Its `sleep` stands still while PC-B is
//! suspended; it waits for the end of its commands.

use std::time::Duration;

use super::environment::{Answer, Environment, retransmission};
use failover_decide::Settings;

/// The loop's three numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loop {
    /// Slept after each probe.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// Failed probes in a row that make a takeover.
    pub strikes: u32,
}

impl From<&Settings> for Loop {
    fn from(settings: &Settings) -> Self {
        Self {
            interval: settings.interval,
            timeout: settings.timeout,
            strikes: settings.strikes.get(),
        }
    }
}

/// PC-B went down under the loop, or the run is over.
enum Cut {
    Rebooted,
    Over,
}

impl Loop {
    /// Plays the loop until the run is over.
    pub(super) fn play(self, environment: &mut Environment<'_>) {
        // Others start it at a random time, too.
        let phase = self.interval.mul_f64(environment.rng.f64());
        let mut cut = pass(environment, phase);
        while !matches!(cut, Err(Cut::Over)) {
            cut = self.boot(environment);
        }
    }

    /// From PC-B's boot to its next.
    fn boot(self, environment: &mut Environment<'_>) -> Result<(), Cut> {
        let mut fails = 0_u32;
        loop {
            if self.probe(environment)? {
                fails = 0;
                if environment.listens {
                    environment.set_stopping(true);
                    let takes = environment.draw_stop();
                    pass(environment, takes)?;
                    environment.set_listens(false);
                    environment.set_stopping(false);
                }
            } else {
                fails = fails.saturating_add(1);
                if fails >= self.strikes && !environment.listens {
                    environment.tally.started();
                    let start = environment.draw_start();
                    pass(environment, start.takes)?;
                    if start.works {
                        environment.set_listens(true);
                    }
                }
            }
            pass(environment, self.interval)?;
        }
    }

    fn probe(self, environment: &mut Environment<'_>) -> Result<bool, Cut> {
        environment.tally.statistics.probes += 1;
        let mut sent = 0;
        let mut passed = Duration::ZERO;
        loop {
            let left = self.timeout.saturating_sub(passed);
            match environment.ask() {
                Answer::Accepted(took) if took < left => {
                    pass(environment, took)?;
                    return Ok(true);
                }
                Answer::Refused(took) if took < left => {
                    pass(environment, took)?;
                    return Ok(false);
                }
                Answer::Accepted(_) | Answer::Refused(_) | Answer::Silence => {}
            }
            sent += 1;
            let next = retransmission(sent).min(self.timeout);
            pass(environment, next.saturating_sub(passed))?;
            passed = next;
            if passed == self.timeout {
                return Ok(false);
            }
        }
    }
}

/// Lets time go by on PC-B: while it sleeps, none does.
fn pass(environment: &mut Environment<'_>, span: Duration) -> Result<(), Cut> {
    let mut left = span;
    loop {
        let next = environment.next_change();
        let until_next = next.since(environment.now);
        if environment.net.awake() {
            if left < until_next {
                environment.now = environment.now + left;
                return Ok(());
            }
            left -= until_next;
        }
        let was_up = !environment.net.rebooting();
        if environment.change().is_none() {
            return Err(Cut::Over);
        }
        if !was_up && !environment.net.rebooting() {
            return Err(Cut::Rebooted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            chance::generator,
            faults::{Change, Part},
            model::MODELS,
        },
        *,
    };
    use failover_decide::Time;

    #[test]
    fn a_dead_process_is_replaced_within_the_known_range() {
        let plain = Loop {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            strikes: 3,
        };
        let span = |begins, at| Change {
            at: Time::from_boot(Duration::from_secs(at)),
            part: Part::Process,
            begins,
        };
        let faults = [span(true, 200), span(false, 600)];
        let mut times = Vec::new();
        for run in 0..500 {
            let length = Duration::from_secs(900);
            let mut environment =
                Environment::new(&MODELS[0], &faults, length, generator(1, run, 0));
            plain.play(&mut environment);
            times.extend(environment.tally.statistics.takeover_times);
        }
        times.sort();
        // The bench measured 63 to 88 s with a start that takes no time; here it takes about 5 s.
        let start = Duration::from_secs(5);
        let (low, high) = (times[10].saturating_sub(start), times[489] - start);
        assert!(low < Duration::from_secs(63), "{low:?}");
        assert!(times[0] > Duration::from_secs(60), "{:?}", times[0]);
        assert!(high > Duration::from_secs(88), "{high:?}");
        assert!(high < Duration::from_secs(100), "{high:?}");
    }
}
