//! How long a silence may be before it means something: six beats, and longer where the gaps between beats are longer
//! than they should be.
//!
//! A busy host, a lossy link or one whose delay varies makes long gaps on its own. What was measured lately is
//! therefore what counts, as in TCP's retransmission timer (RFC 6298): the mean gap and its deviation, and besides the
//! longest one of some minutes, because gaps come in bursts.

use std::time::Duration;

use failover_decide::Time;

/// This many beats have to be missing.
pub const BEATS: u32 = 6;
/// The primary is probed at this one, so that the answer is there when the limit is reached.
pub const PROBED_AT: u32 = 2;
/// A limit beyond that would be no faster than strikes.
const LONGEST_LIMIT: Duration = Duration::from_secs(10);
/// Deviations beyond the mean: RFC 6298 has four, for a timer that may be wrong now and then.
const DEVIATIONS: u32 = 8;
/// The longest gap counts for one or two of these.
const WINDOW: Duration = Duration::from_secs(300);

/// The gaps between beats.
#[derive(Clone, Debug)]
pub struct Gaps {
    interval: Duration,
    last: Option<Time>,
    /// Of gaps, smoothed with an eighth and a quarter of what is new (RFC 6298, 2.3).
    mean: Duration,
    deviation: Duration,
    /// The longest of this window and of the one before it.
    longest: [Duration; 2],
    window_began: Option<Time>,
}

impl Gaps {
    /// No beat has been heard. They should come at this interval.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            mean: interval,
            deviation: Duration::ZERO,
            longest: [Duration::ZERO; 2],
            window_began: None,
        }
    }

    /// A fresh beat, and the interval that its sender keeps.
    pub fn heard(&mut self, now: Time, interval: Duration) {
        if interval != self.interval {
            *self = Self::new(interval);
        }
        if let Some(last) = self.last.replace(now.max(self.last.unwrap_or(now))) {
            self.measured(now, now.since(last));
        }
    }

    /// The beats that follow are of another start, or after a silence that has ended: what lies between is no gap.
    pub const fn interrupted(&mut self) {
        self.last = None;
    }

    fn measured(&mut self, now: Time, gap: Duration) {
        let distance = gap.abs_diff(self.mean);
        self.deviation = (self.deviation * 3 + distance) / 4;
        self.mean = (self.mean * 7 + gap) / 8;
        let began = *self.window_began.get_or_insert(now);
        let windows = now.since(began).as_secs() / WINDOW.as_secs();
        if windows > 0 {
            let [this, _] = self.longest;
            self.longest = [
                Duration::ZERO,
                if windows == 1 { this } else { Duration::ZERO },
            ];
            self.window_began = Some(now);
        }
        let [this, _] = &mut self.longest;
        *this = gap.max(*this);
    }

    /// When the last beat was heard.
    #[must_use]
    pub const fn last(&self) -> Option<Time> {
        self.last
    }

    /// The longest gap of the last minutes.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest.into_iter().max().unwrap_or_default()
    }

    /// How long a silence has to be.
    #[must_use]
    pub fn limit(&self) -> Duration {
        let steady = self.interval * BEATS;
        let measured = self.mean + self.deviation * DEVIATIONS;
        // Half as much again as was ever seen.
        let longest = self.longest() * 3 / 2;
        steady.max(measured).max(longest).min(LONGEST_LIMIT)
    }

    /// When the primary has to be probed, unless a beat comes before.
    #[must_use]
    pub fn probe_at(&self) -> Option<Time> {
        let share = self.limit() * PROBED_AT / BEATS;
        self.last.map(|last| last + share)
    }

    /// When the silence is long enough, unless a beat comes before.
    #[must_use]
    pub fn silent_at(&self) -> Option<Time> {
        self.last.map(|last| last + self.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(50);

    fn at(milliseconds: u64) -> Time {
        Time::from_boot(Duration::from_millis(milliseconds))
    }

    fn after(gaps: impl IntoIterator<Item = u64>) -> (Gaps, u64) {
        let (mut heard, mut now) = (Gaps::new(INTERVAL), 1000);
        heard.heard(at(now), INTERVAL);
        for gap in gaps {
            now += gap;
            heard.heard(at(now), INTERVAL);
        }
        (heard, now)
    }

    #[test]
    fn on_a_quiet_network_six_beats_are_silence_and_the_second_asks_for_a_probe() {
        let (gaps, last) = after((0..1000).map(|beat| 48 + beat % 5));
        assert_eq!(gaps.limit(), INTERVAL * BEATS);
        assert_eq!(gaps.silent_at(), Some(at(last + 300)));
        assert_eq!(gaps.probe_at(), Some(at(last + 100)));
    }

    #[test]
    fn after_a_long_gap_a_silence_has_to_be_half_as_long_again_for_some_minutes() {
        let (gaps, _) = after(
            [50, 50, 386, 50, 50]
                .into_iter()
                .chain((0..1200).map(|_| 50)),
        );
        assert_eq!(gaps.limit(), Duration::from_millis(579));
        let (gaps, _) = after([50, 50, 386].into_iter().chain((0..12_600).map(|_| 50)));
        assert_eq!(gaps.limit(), INTERVAL * BEATS);
    }

    #[test]
    fn a_limit_never_grows_beyond_what_strikes_take() {
        let (gaps, _) = after([9_000, 9_000, 9_000]);
        assert_eq!(gaps.limit(), LONGEST_LIMIT);
    }

    #[test]
    fn nothing_is_silent_before_it_was_heard_nor_after_an_interruption() {
        assert_eq!(Gaps::new(INTERVAL).silent_at(), None);
        let (mut gaps, last) = after([50]);
        gaps.interrupted();
        assert_eq!(gaps.silent_at(), None);
        gaps.heard(at(last + 60_000), INTERVAL);
        assert_eq!(gaps.limit(), INTERVAL * BEATS);
    }

    /// 5 % of beats lost, and each delayed by up to 200 ms, for an hour: no silence is as long as the limit.
    #[test]
    fn an_hour_of_loss_and_jitter_is_never_silence() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut draw = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut arrivals: Vec<u64> = (0..72_000)
            .filter(|_| draw(100) >= 5)
            .map(|beat| 1000 + beat * 50)
            .collect();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for arrival in &mut arrivals {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            *arrival += random % 200;
        }
        arrivals.sort_unstable();
        let mut gaps = Gaps::new(INTERVAL);
        for arrival in arrivals {
            if let Some(silent) = gaps.silent_at() {
                assert!(at(arrival) < silent, "{arrival}: {:?}", gaps.limit());
            }
            gaps.heard(at(arrival), INTERVAL);
        }
    }
}
