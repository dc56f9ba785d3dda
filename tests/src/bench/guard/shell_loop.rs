//! The plain shell loop at 30 s and three strikes. Its events take minutes, nearly all of them waiting, so its labs run
//! side by side.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    Event,
    observer::{Client, Serves, both, longest_gap},
    outcome::Sample,
};
use crate::{
    PORT,
    bench::{
        cgroup::Cgroup,
        monitor::{self, MISSION, Monitor},
        side_by_side,
    },
    lab::Lab,
    moment::Moment,
    wait,
};

/// Three strikes, the first of them an interval late.
const PATIENCE: Duration = Duration::from_secs(150);
const SETTLED: Duration = Duration::from_secs(3);

pub(super) fn measure() -> Result<Vec<Sample>> {
    let mut random = fastrand::Rng::with_seed(2);
    let jobs: Vec<(Event, Duration)> = [Event::HostLoss, Event::Killed]
        .into_iter()
        .cycle()
        .take(4)
        .map(|event| (event, MISSION.interval.mul_f64(random.f64())))
        .collect();
    let samples = side_by_side(jobs.len(), jobs, |(event, phase)| outage(event, phase))?;
    Ok(samples.into_iter().flatten().collect())
}

fn outage(event: Event, phase: Duration) -> Result<[Sample; 2]> {
    let cgroup = Cgroup::new()?;
    let lab = Lab::build()?;
    let outside = lab.add_host("PC-C");
    let clients = [lab.host_a(), lab.host_b()]
        .map(|host| Client::of(&outside, (host.address(), PORT).into()));
    let [a, b] = [lab.host_a(), lab.host_b()].map(Serves::listening);
    let gateway = lab.host_a().gateway()?;
    // The path of the daemon is not used by the loop.
    let _running = monitor::start(Monitor::Loop, MISSION, &lab, Path::new(""), &cgroup)?;
    thread::sleep(SETTLED + phase);
    let lost = match event {
        Event::HostLoss => {
            let cut = lab.switch_port(lab.host_a()).down();
            gateway.kill();
            cut
        }
        Event::Killed | Event::Switchover | Event::Return => gateway.kill(),
    };
    let [of_a, of_b] = &clients;
    let first = of_b.first_after(lost, PATIENCE);
    let nobody = first.context("PC-B doesn't answer")?.since(lost);
    let loss = Sample {
        event,
        nobody,
        two: both(&a, &b, lost, Moment::now()),
    };
    thread::sleep(SETTLED);
    let back = lab.switch_port(lab.host_a()).up();
    let _gateway = lab.host_a().gateway()?;
    wait::attempt(PATIENCE, || (!b.now()).then_some(())).context("PC-B isn't released")?;
    thread::sleep(SETTLED);
    let now = Moment::now();
    let back = Sample {
        event: Event::Return,
        nobody: longest_gap(&[of_a, of_b], back, now),
        two: both(&a, &b, back, now),
    };
    Ok([loss, back])
}
