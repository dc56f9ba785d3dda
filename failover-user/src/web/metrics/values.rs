//! What metrics are made of.

use jiff::Timestamp;
use prometheus_client::{
    metrics::gauge::ConstGauge,
    registry::{Registry, Unit},
};

/// 1 if it is so, or else 0.
pub(super) fn gauge(is_so: bool) -> ConstGauge<u64> {
    ConstGauge::new(u64::from(is_so))
}

/// A number of things.
pub(super) fn count(count: usize) -> ConstGauge<usize> {
    ConstGauge::new(count)
}

/// A moment in seconds since 1970, if there is one.
pub(super) fn seconds_at(to: &mut Registry, name: &str, help: &str, time: Option<Timestamp>) {
    let Some(time) = time else {
        return;
    };
    let seconds = ConstGauge::new(time.as_duration().as_secs_f64());
    to.register_with_unit(format!("{name}_timestamp"), help, Unit::Seconds, seconds);
}
