//! One outage in a lab of its own: the primary is lost at a random point of the monitor's interval,
//! and comes back at another.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    cgroup::Cgroup,
    monitor::{self, Monitor, Timing},
};
use crate::{
    commands::{Command, Commands, Event},
    lab::Lab,
    moment::Moment,
    wait,
};

/// A monitor that was started so long ago has probed, and is at rest.
const SETTLED: Duration = Duration::from_secs(3);
/// Poll interval. The times come from the commands' log.
const POLL: Duration = Duration::from_millis(50);

/// How PC-A is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Loss {
    /// The gateway's process dies; PC-A's kernel refuses connections.
    Process,
    /// PC-A falls silent.
    Host,
}

/// Where in the monitor's interval things happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phases {
    pub(super) loss: Duration,
    pub(super) back: Duration,
}

/// What took how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    /// From the loss to the local gateway listening.
    pub(super) takeover: Duration,
    /// From the primary listening again to the local gateway being gone; measured where the process
    /// was lost.
    pub(super) release: Option<Duration>,
    /// Resident memory in bytes after the release, where that was measured.
    pub(super) resident: Option<u64>,
}

pub(super) fn run(
    monitor: Monitor,
    timing: Timing,
    loss: Loss,
    phases: Phases,
    failover: &Path,
) -> Result<Outage> {
    let cgroup = Cgroup::new()?;
    let lab = Lab::build()?;
    let primary = lab.host_a().gateway()?;
    let running = monitor::start(monitor, timing, &lab, failover, &cgroup)?;
    thread::sleep(SETTLED + phases.loss);
    let lost = match loss {
        Loss::Process => primary.kill(),
        Loss::Host => lab.switch_port(lab.host_a()).down(),
    };
    // Rounds that are never on time, each with a probe that runs into its timeout, and some more.
    let patience = (timing.interval + timing.timeout) * (timing.strikes + 1) + wait::LONG;
    let listening = done(&running.commands, Command::Start, lost, patience)
        .with_context(|| format!("{} takes over after {loss:?}", monitor.name()))?;
    let takeover = listening.since(lost);
    if loss == Loss::Host {
        return Ok(Outage {
            takeover,
            release: None,
            resident: None,
        });
    }
    thread::sleep(SETTLED + phases.back);
    // The few milliseconds until it listens count, too: nobody can be faster than the truth.
    let back = Moment::now();
    let _primary = lab.host_a().gateway()?;
    let gone = done(&running.commands, Command::Stop, back, patience)
        .with_context(|| format!("{} releases", monitor.name()))?;
    // All that it does has been done once: at rest before that it holds less.
    thread::sleep(SETTLED);
    let resident = cgroup.resident()?;
    anyhow::ensure!(resident > 0, "{} has ended", monitor.name());
    Ok(Outage {
        takeover,
        release: Some(gone.since(back)),
        resident: Some(resident),
    })
}

/// When the command first ended well after this moment: the gateway listens by then, or is gone.
pub(super) fn done(
    commands: &Commands,
    wanted: Command,
    after: Moment,
    patience: Duration,
) -> Result<Moment> {
    let deadline = Moment::now() + patience;
    loop {
        let log = commands.log();
        let ended = log.iter().find(|record| {
            record.command == wanted
                && record.event == Event::End { code: 0 }
                && record.time >= after
        });
        if let Some(record) = ended {
            return Ok(record.time);
        }
        anyhow::ensure!(
            Moment::now() < deadline,
            "no {wanted:?} within {patience:?}; the commands so far:\n{}",
            commands.text()
        );
        thread::sleep(POLL);
    }
}
