//! A metric with labels.

use std::fmt::{self, Debug};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::{MetricType, TypedMetric},
};

/// A metric once for each set of labels.
#[derive(Debug)]
pub(super) struct Rows<Labels, Metric>(pub(super) Vec<(Labels, Metric)>);

impl<Labels, Metric> EncodeMetric for Rows<Labels, Metric>
where
    Labels: EncodeLabelSet,
    Metric: EncodeMetric + TypedMetric,
{
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        for (labels, metric) in &self.0 {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        Metric::TYPE
    }
}
