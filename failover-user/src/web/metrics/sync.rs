//! The copies of the primary's state: how old, how large, and how rounds go.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::{
    status::snapshot::Snapshot,
    web::metrics::{
        rows::Rows,
        values::{count, gauge},
    },
};

#[derive(Clone, Debug, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// See the module.
pub(super) fn sync(to: &mut Registry, snapshot: &Snapshot) {
    let Some(sync) = &snapshot.sync else {
        return;
    };
    let known = &sync.known;
    if let Some(age) = known.age(snapshot.now) {
        to.register_with_unit(
            "sync_age",
            "How long ago the newest copy was last known to be what PC-A has",
            Unit::Seconds,
            ConstGauge::new(age.as_secs_f64()),
        );
    }
    to.register_with_unit(
        "sync_max_age",
        "The age from which on the newest copy is a problem",
        Unit::Seconds,
        ConstGauge::new(sync.max_age.as_secs_f64()),
    );
    if let Some(newest) = known.newest() {
        to.register(
            "sync_generation",
            "Number of the newest copy",
            ConstGauge::new(newest.number.0),
        );
        to.register_with_unit(
            "sync_size",
            "Size of the newest copy",
            Unit::Bytes,
            ConstGauge::new(newest.bytes),
        );
    }
    to.register(
        "sync_failing",
        "1 while rounds fail",
        gauge(known.failing.is_some()),
    );
    to.register(
        "sync_refused",
        "Copies that do not fit the local gateway",
        count(known.refused.len()),
    );
    to.register(
        "sync_both_changed",
        "1 while PC-A and PC-B both have changes that the other lacks",
        gauge(sync.is_split),
    );
    let totals = &known.totals;
    let rounds = [
        ("copied", totals.copied),
        ("unchanged", totals.unchanged),
        ("failed", totals.failed),
    ];
    let rounds = rounds.map(|(result, count)| (Ended { result }, ConstCounter::new(count)));
    to.register("sync_rounds", "Rounds that have ended", Rows(rounds.into()));
    to.register_with_unit(
        "sync_round_duration",
        "How long rounds took, together",
        Unit::Seconds,
        ConstCounter::new(totals.took.as_secs_f64()),
    );
    to.register_with_unit(
        "sync_transferred",
        "What rounds sent and received",
        Unit::Bytes,
        ConstCounter::new(totals.bytes),
    );
}
