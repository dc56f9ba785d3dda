//! Statistics of a run: takeovers and their times, and who served when.

use std::time::Duration;

use failover_decide::Time;

/// An outage of this duration needs a takeover, whatever the settings: 30 s / 5 s / 3 take 105 s at
/// most, and a start a few more.
pub const NEEDED_AFTER: Duration = Duration::from_secs(120);
/// Enough for the chart's timeline.
const LONGEST_STORY: usize = 4000;

/// Who serves, at one time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct View {
    /// The primary, those who have a network.
    pub primary: bool,
    /// The local gateway listens.
    pub local: bool,
    /// PC-B runs and has a network.
    pub connected: bool,
    /// PC-B neither sleeps nor is off.
    pub awake: bool,
    /// A stop command is running.
    pub stopping: bool,
}

/// What was counted for one contender.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Simulated time.
    pub simulated: Duration,
    /// Probes made.
    pub probes: u64,
    /// Start commands run.
    pub takeovers: u64,
    /// Start and fence commands run while the primary served.
    pub false_takeovers: u64,
    /// Outages of the primary that PC-B was there for, for [`NEEDED_AFTER`] at least.
    pub needed: u64,
    /// Of these, those in which the local gateway never listened.
    pub missed: u64,
    /// From the primary's loss (or from PC-B's being there, if later) to the local gateway listening.
    pub takeover_times: Vec<Duration>,
    /// From the primary's being back within PC-B's reach to the local gateway being gone.
    pub release_times: Vec<Duration>,
    /// The primary serves and the local gateway listens.
    pub two: Duration,
    /// Of this, PC-B has a network.
    pub two_connected: Duration,
    /// Of [`Self::two`], a stop command is running.
    pub two_stopping: Duration,
    /// Nobody serves.
    pub none: Duration,
    /// Of this, PC-B could not have served: it sleeps, is off or has no network.
    pub none_helpless: Duration,
    /// Invariant violations.
    pub violations: Vec<String>,
    /// Their number; only the first are kept.
    pub violated: u64,
}

impl Statistics {
    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.simulated += other.simulated;
        self.probes += other.probes;
        self.takeovers += other.takeovers;
        self.false_takeovers += other.false_takeovers;
        self.needed += other.needed;
        self.missed += other.missed;
        self.takeover_times.extend(other.takeover_times);
        self.release_times.extend(other.release_times);
        self.two += other.two;
        self.two_connected += other.two_connected;
        self.two_stopping += other.two_stopping;
        self.none += other.none;
        self.none_helpless += other.none_helpless;
        self.violations.extend(other.violations);
        self.violated += other.violated;
    }
}

/// Counts, from one change to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) statistics: Statistics,
    pub(super) story: Vec<(Time, View)>,
    view: View,
    since: Time,
    outage: Option<Outage>,
    /// Since when the local gateway isn't needed any more, and PC-B could know.
    release: Option<Time>,
}

/// The primary is gone and PC-B is there.
#[derive(Clone, Copy, Debug)]
struct Outage {
    since: Time,
    covered: bool,
}

impl Tally {
    /// The world has changed, or not.
    pub(super) fn note(&mut self, now: Time, view: View) {
        if view == self.view {
            return;
        }
        self.pass(now);
        self.view = view;
        if self.story.len() < LONGEST_STORY {
            self.story.push((now, view));
        }
        match (self.outage, !view.primary && view.connected) {
            (None, true) => {
                self.outage = Some(Outage {
                    since: now,
                    covered: view.local,
                });
            }
            (Some(outage), false) => self.outage_over(now, outage),
            (Some(Outage { since, covered }), true) if view.local && !covered => {
                self.statistics.takeover_times.push(now.since(since));
                self.outage = Some(Outage {
                    since,
                    covered: true,
                });
            }
            _ => {}
        }
        match (self.release, view.primary && view.connected) {
            (None, true) if view.local => self.release = Some(now),
            (Some(since), true) if !view.local => {
                self.statistics.release_times.push(now.since(since));
                self.release = None;
            }
            (Some(_), false) => self.release = None,
            _ => {}
        }
    }

    pub(super) fn started(&mut self) {
        self.statistics.takeovers += 1;
        if self.view.primary {
            self.statistics.false_takeovers += 1;
        }
    }

    /// A fence begins. The start that follows finds no primary, so it is judged here.
    pub(super) fn fenced(&mut self) {
        if self.view.primary {
            self.statistics.false_takeovers += 1;
        }
    }

    pub(super) fn end(&mut self, now: Time) {
        self.pass(now);
        if let Some(outage) = self.outage {
            self.outage_over(now, outage);
        }
        self.statistics.simulated = now.as_duration();
    }

    fn outage_over(&mut self, now: Time, outage: Outage) {
        self.outage = None;
        if now.since(outage.since) >= NEEDED_AFTER {
            self.statistics.needed += 1;
            if !outage.covered {
                self.statistics.missed += 1;
            }
        }
    }

    fn pass(&mut self, now: Time) {
        let passed = now.since(self.since);
        self.since = now;
        let view = self.view;
        let helps = view.local && view.connected;
        if view.primary && view.local && view.awake {
            self.statistics.two += passed;
            if view.connected {
                self.statistics.two_connected += passed;
            }
            if view.stopping {
                self.statistics.two_stopping += passed;
            }
        } else if !view.primary && !helps {
            self.statistics.none += passed;
            if !view.connected {
                self.statistics.none_helpless += passed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    #[test]
    fn an_outage_is_counted_from_its_beginning_to_its_end() {
        let mut tally = Tally::default();
        let quiet = View {
            primary: true,
            connected: true,
            awake: true,
            ..View::default()
        };
        let out = View {
            primary: false,
            ..quiet
        };
        let taken = View { local: true, ..out };
        let two = View {
            primary: true,
            ..taken
        };
        for (second, view) in [
            (0, quiet),
            (100, out),
            (170, taken),
            (400, two),
            (402, quiet),
        ] {
            tally.note(at(second), view);
        }
        tally.note(at(500), out);
        tally.end(at(700));
        let statistics = &tally.statistics;
        assert_eq!(statistics.takeover_times, [Duration::from_secs(70)]);
        assert_eq!(statistics.release_times, [Duration::from_secs(2)]);
        assert_eq!(statistics.none, Duration::from_secs(270));
        assert_eq!(statistics.two, Duration::from_secs(2));
        assert_eq!((statistics.needed, statistics.missed), (2, 1));
        assert_eq!(statistics.simulated, Duration::from_secs(700));
    }
}
