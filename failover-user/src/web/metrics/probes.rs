//! How long probes took, by how they ended.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::ConstCounter, histogram::Histogram},
};

use failover_decide::Outcome;

use crate::web::metrics::rows::Rows;

/// From a cable's length to the longest timeout that makes sense, in seconds.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How long the probes took, by how they ended.
#[derive(Clone, Debug)]
pub struct Probes(Vec<Row>);

#[derive(Clone, Debug)]
struct Row {
    ended: Ended,
    count: u64,
    /// `None` for those that said nothing: what they took says nothing, either.
    durations: Option<Histogram>,
}

#[derive(Clone, Debug, EncodeLabelSet)]
pub(super) struct Ended {
    outcome: &'static str,
}

impl Default for Probes {
    /// With every outcome: what only appears when it happens first is a rise that nobody sees.
    fn default() -> Self {
        let rows = Outcome::KINDS.into_iter().map(|outcome| Row {
            ended: Ended { outcome },
            count: 0,
            durations: (outcome != Outcome::UNKNOWN).then(|| Histogram::new(BUCKETS)),
        });
        Self(rows.collect())
    }
}

impl Probes {
    /// A probe of the primary has ended.
    pub fn note(&mut self, outcome: &Outcome) {
        let kind = outcome.kind();
        let Some(row) = self.0.iter_mut().find(|row| row.ended.outcome == kind) else {
            return;
        };
        row.count = row.count.saturating_add(1);
        if let Outcome::Connected { took } | Outcome::Failed { took, .. } = outcome
            && let Some(durations) = &row.durations
        {
            durations.observe(took.as_secs_f64());
        }
    }

    pub(super) fn counts(&self) -> Rows<Ended, ConstCounter> {
        let rows = self.0.iter();
        Rows(
            rows.map(|row| (row.ended.clone(), ConstCounter::new(row.count)))
                .collect(),
        )
    }

    pub(super) fn durations(&self) -> Rows<Ended, Histogram> {
        let rows = self.0.iter();
        let rows = rows.filter_map(|row| Some((row.ended.clone(), row.durations.clone()?)));
        Rows(rows.collect())
    }
}
