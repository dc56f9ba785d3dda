//! How ready the local gateway is, and what drills have shown.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use failover_decide::{StandbyMode, StandbyState};

use crate::{
    config::StandbyChoice,
    named::Named,
    status::snapshot::Snapshot,
    web::metrics::{
        rows::Rows,
        values::{gauge, seconds_at},
    },
};

#[derive(Clone, Debug, EncodeLabelSet)]
struct Mode {
    mode: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// A row a value: 1 for the current one, 0 for the others.
fn rows<T: Named, Labels>(
    current: T,
    labels: fn(&'static str) -> Labels,
) -> Rows<Labels, ConstGauge<u64>> {
    let all = T::ALL.iter();
    Rows(
        all.map(|value| (labels(value.name()), gauge(*value == current)))
            .collect(),
    )
}

/// See the module.
pub(super) fn standby(to: &mut Registry, snapshot: &Snapshot) {
    let standby = &snapshot.standby;
    to.register(
        "standby_configured",
        "1 for the configured standby mode, 0 for the others",
        rows::<StandbyChoice, _>(standby.choice, |mode| Mode { mode }),
    );
    to.register(
        "standby_mode",
        "1 for the standby mode in force, 0 for the others",
        rows::<StandbyMode, _>(standby.effective.mode, |mode| Mode { mode }),
    );
    to.register(
        "standby_state",
        "1 for what the local gateway is while it does not serve, 0 for the others",
        rows::<StandbyState, _>(standby.state, |state| State { state }),
    );
    let parked = standby.parked.as_ref();
    let is_parked = standby.state == StandbyState::Parked;
    seconds_at(
        to,
        "standby_parked_since",
        "Since when the local gateway is parked",
        is_parked.then_some(standby.since),
    );
    if let Some(took) = standby.parking_took {
        to.register_with_unit(
            "standby_parking",
            "How long the last parking took",
            Unit::Seconds,
            ConstGauge::new(took.as_secs_f64()),
        );
    }
    if let Some(memory) = parked.and_then(|parked| parked.memory) {
        to.register_with_unit(
            "standby_memory",
            "Memory of the parked gateway's control group",
            Unit::Bytes,
            ConstGauge::new(memory),
        );
    }
    if let Some(drill) = &standby.last_drill {
        seconds_at(
            to,
            "drill_last",
            "When the last drill ended",
            Some(drill.at),
        );
        to.register(
            "drill_last_success",
            "1 unless the last drill that was not interrupted failed",
            gauge(standby.failed_drills.is_none()),
        );
    }
    let drills = snapshot.totals.drills().map(|(result, count)| {
        let result = result.name();
        (Ended { result }, ConstCounter::new(count))
    });
    to.register("drills", "Drills that have ended", Rows(drills.collect()));
}
