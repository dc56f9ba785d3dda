//! What a monitor costs while nothing happens.

use std::{path::Path, thread, time::Duration};

use anyhow::Result;

use super::{
    cgroup::Cgroup,
    monitor::{self, Monitor, Timing},
};
use crate::{lab::Lab, moment::Moment};

/// What it used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    /// CPU time a minute.
    pub(super) cpu: Duration,
    /// Resident memory in bytes.
    pub(super) resident: u64,
}

/// Watches a healthy primary for this long, once it has settled.
pub(super) fn run(
    monitor: Monitor,
    timing: Timing,
    period: Duration,
    failover: &Path,
) -> Result<Idle> {
    let cgroup = Cgroup::new()?;
    let lab = Lab::build()?;
    let _primary = lab.host_a().gateway()?;
    let running = monitor::start(monitor, timing, &lab, failover, &cgroup)?;
    // Starting up is over, and the first look as well.
    thread::sleep(timing.interval / 2 + Duration::from_secs(3));
    let (began, before) = (Moment::now(), cgroup.cpu_time()?);
    thread::sleep(period);
    let (used, took) = (cgroup.cpu_time()? - before, Moment::now().since(began));
    let resident = cgroup.resident()?;
    anyhow::ensure!(resident > 0, "{} has ended", monitor.name());
    drop(running);
    Ok(Idle {
        cpu: used.mul_f64(60.0 / took.as_secs_f64()),
        resident,
    })
}
