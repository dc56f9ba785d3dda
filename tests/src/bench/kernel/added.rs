//! What everybody else on the machine pays for those who watch a port: CPU time added to work that has
//! nothing to do with it, all included. The kernel's own figures tell the programs' run time alone, and
//! not what it does to call them: filling a tracepoint's record takes longer than most programs.
//!
//! One thread on one processor does the work in short batches, with a watcher and without by turns.
//! Others on the machine only ever make a batch slower, so the quicker ones tell what it takes.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::{
    net::{Shutdown, listen, shutdown},
    time::{ClockId, clock_gettime},
};

use super::{OTHER, watcher::Watcher};
use crate::{
    bench::{
        latency::{Place, confine_reader},
        load::connect,
        report::{Contestant, Goal, Row},
    },
    lab::{Lab, host::bound},
};

/// Labs in each round.
const LABS: u32 = 2;
/// Batches in each turn, and the tenths of them that are faster than the one that counts.
const BATCHES: u32 = 100;
const QUICKER: usize = 2;
/// Whether it is watched. In this order what changes steadily, such as the number of connections that
/// linger, adds the same to both.
const TURNS: [bool; 8] = [false, true, true, false, false, true, true, false];

/// What is done, and paid for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Work {
    /// A socket begins and ends to listen: two events, and little else.
    Listening,
    /// A connection with both its ends: ten events.
    Connecting,
}

impl Work {
    /// In each batch.
    const fn times(self) -> u32 {
        match self {
            Self::Listening => 500,
            Self::Connecting => 50,
        }
    }

    /// CPU time of each batch, in nanoseconds for each time.
    fn batches(self) -> Result<Vec<f64>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, OTHER));
        let socket = bound(address).with_context(|| format!("binding to {address}"))?;
        let batch: Box<dyn Fn() -> io::Result<()>> = match self {
            Self::Listening => Box::new(move || begin_and_end(&socket, self.times())),
            Self::Connecting => {
                listen(&socket, 8).context("listening")?;
                let listener = TcpListener::from(socket);
                Box::new(move || connect(&listener, self.times(), Duration::ZERO))
            }
        };
        // The first one finds nothing where it is needed.
        batch().context("working")?;
        let timed = |_| {
            let before = cpu_time();
            batch().context("working")?;
            let used = cpu_time().saturating_sub(before);
            Ok(used.as_secs_f64() * 1e9 / f64::from(self.times()))
        };
        (0..BATCHES).map(timed).collect()
    }
}

/// CPU time of the work in one lab, in nanoseconds each time.
#[derive(Clone, Copy, Debug)]
struct Cost {
    alone: f64,
    watched: f64,
}

pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 3]> {
    let mut event: BTreeMap<Contestant, Vec<f64>> = BTreeMap::new();
    let mut connection = event.clone();
    let mut added = event.clone();
    for _ in 0..rounds * LABS {
        for contestant in [
            Contestant::Bpftrace,
            Contestant::Tcpstates,
            Contestant::Empty,
            Contestant::Failover,
        ] {
            let cost = measure(Work::Listening, contestant, failover)?;
            let samples = event.entry(contestant).or_default();
            samples.push((cost.watched - cost.alone) / 2.0);
            let cost = measure(Work::Connecting, contestant, failover)?;
            for (contestant, nanoseconds) in
                [(contestant, cost.watched), (Contestant::Nobody, cost.alone)]
            {
                let samples = connection.entry(contestant).or_default();
                samples.push(nanoseconds / 1e3);
            }
            let samples = added.entry(contestant).or_default();
            samples.push((cost.watched / cost.alone - 1.0) * 100.0);
        }
    }
    Ok([
        Row::new(
            "one CPU",
            "added to an event, other port",
            "ns",
            Goal::MedianAndPeers(150.0),
            event,
        )
        .with_interval(),
        Row::new(
            "one CPU",
            "added to a connection, other port",
            "%",
            Goal::Surely(1.0),
            added,
        )
        .with_interval(),
        Row::new(
            "one CPU",
            "a connection, other port",
            "µs",
            Goal::Shown,
            connection,
        )
        .with_interval(),
    ])
}

fn measure(work: Work, contestant: Contestant, failover: &Path) -> Result<Cost> {
    // A new one each time: closed connections linger for a minute.
    let lab = Lab::build()?;
    let host = lab.host_b();
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    let mut watcher = None;
    for is_watched in TURNS {
        watcher = match is_watched {
            false => None,
            true if watcher.is_some() => watcher,
            true => Some(Watcher::start(contestant, &lab, failover)?),
        };
        let batches = host.enter("added", || {
            confine_reader(Place::Together)?;
            work.batches()
        })?;
        match is_watched {
            true => watched.extend(batches),
            false => alone.extend(batches),
        }
    }
    Ok(Cost {
        alone: undisturbed(alone)?,
        watched: undisturbed(watched)?,
    })
}

/// What a batch takes that others don't disturb, or hardly.
fn undisturbed(mut batches: Vec<f64>) -> Result<f64> {
    batches.sort_by(f64::total_cmp);
    let place = batches.len() * QUICKER / 10;
    batches.get(place).copied().context("no batches")
}

fn begin_and_end(socket: &OwnedFd, times: u32) -> io::Result<()> {
    for _ in 0..times {
        listen(socket, 1)?;
        shutdown(socket, Shutdown::Read)?;
    }
    Ok(())
}

/// Of this thread; loopback's softirqs run in its system calls.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
