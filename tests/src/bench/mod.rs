//! The benchmark: failover against the plain shell loop and keepalived, in one run, each in labs of
//! its own with the same gateways and commands.
//!
//! Outages begin at random points of the monitors' intervals, the same points for all three. Nearly
//! everything here is waiting, so labs run side by side; those that probe every second a few at a
//! time, so that they don't wait for each other.

mod cgroup;
mod episode;
mod gateway;
mod goals;
mod guard;
mod idle;
mod kernel;
mod latency;
mod load;
mod monitor;
mod report;
mod sync;

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};

use crate::PORT;
use episode::{Loss, Phases};
use latency::Place;
use load::Load;
use monitor::{FAST, MISSION, Monitor, Timing};
use report::{Goal, Report, Row};

/// Labs that probe every second, at a time.
const FAST_AT_A_TIME: usize = 4;
/// Labs that probe every 30 s, at a time. They sleep.
const MISSION_AT_A_TIME: usize = 100;
/// How long idle monitors are watched.
const IDLE_PERIOD: Duration = Duration::from_secs(120);
/// Connections for the delay of kernel events, and how many a second.
const CONNECTIONS: u32 = 1000;
const RATE: u32 = 200;
const MEGABYTE: f64 = 1e6;

/// `failover-lab bench`
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// The daemon's binary
    #[arg(long)]
    failover: PathBuf,
    /// Write the figures here, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Outages of each kind for each monitor
    #[arg(long, default_value = "10")]
    samples: NonZeroUsize,
    /// Seed of the random phases
    #[arg(long, default_value_t = 18789)]
    seed: u64,
    /// Only the settings of one second: two minutes instead of ten
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    mode: Option<Mode>,
}

/// Another benchmark.
#[derive(clap::Subcommand, Clone, Debug)]
enum Mode {
    /// Measure the kernel program and its reader, beside bpftrace and tcpstates
    Kernel(kernel::Options),
    /// Measure takeovers by the real OpenClaw, kept ready in each way
    Gateway(gateway::Options),
    /// Measure what it costs to have PC-A's state on PC-B
    Sync(sync::Options),
    /// Measure host loss and its return with a guard on PC-A, beside keepalived on both hosts and the loop
    Guard(guard::Options),
}

/// Measures, and prints the table. The exit code is 0 when every goal is met.
///
/// # Errors
/// When a lab can't be made, or a monitor doesn't do its work at all.
pub fn run(options: &Options) -> Result<ExitCode> {
    match &options.mode {
        Some(Mode::Kernel(kernel)) => return kernel::run(kernel, &options.failover),
        Some(Mode::Gateway(gateway)) => return gateway::run(gateway, &options.failover),
        Some(Mode::Sync(sync)) => return sync::run(sync, &options.failover),
        Some(Mode::Guard(guard)) => return guard::run(guard, &options.failover),
        None => {}
    }
    let timings: &[Timing] = if options.quick {
        &[FAST]
    } else {
        &[MISSION, FAST]
    };
    let mut bench = Bench {
        options,
        random: fastrand::Rng::with_seed(options.seed),
        rows: Vec::new(),
    };
    bench.kernel_latency()?;
    for timing in timings {
        bench.outages(*timing)?;
    }
    bench.idle(timings)?;
    Report::new(Some(options.seed), bench.rows).publish(options.json.as_deref())
}

struct Bench<'options> {
    options: &'options Options,
    random: fastrand::Rng,
    rows: Vec<Row>,
}

/// Samples of each monitor.
type Samples = BTreeMap<Monitor, Vec<f64>>;

impl Bench<'_> {
    fn kernel_latency(&mut self) -> Result<()> {
        progress(&format!("kernel events of {CONNECTIONS} connections"));
        let load = Load {
            port: PORT,
            connections: CONNECTIONS,
            rate: Some(RATE),
            threads: 1,
        };
        let latency = latency::run(load, Place::Anywhere)?;
        anyhow::ensure!(
            latency.lost == 0,
            "{} kernel events were lost",
            latency.lost
        );
        let delays = latency.delays.iter().map(|delay| delay.as_secs_f64() * 1e6);
        self.rows.push(Row::new(
            "",
            "kernel's stamp to user space",
            "µs",
            Goal::Median(100.0),
            [(Monitor::Failover, delays.collect())],
        ));
        Ok(())
    }

    fn outages(&mut self, timing: Timing) -> Result<()> {
        let mut jobs = Vec::new();
        for _ in 0..self.options.samples.get() {
            for loss in [Loss::Process, Loss::Host] {
                let mut phase = || timing.interval.mul_f64(self.random.f64());
                let phases = Phases {
                    loss: phase(),
                    back: phase(),
                };
                jobs.extend(Monitor::ALL.map(|monitor| (monitor, loss, phases)));
            }
        }
        progress(&format!("{} outages at {}", jobs.len(), timing.name));
        let at_a_time = if timing.interval > Duration::from_secs(10) {
            MISSION_AT_A_TIME
        } else {
            FAST_AT_A_TIME
        };
        let outages = side_by_side(at_a_time, jobs, |(monitor, loss, phases)| {
            let outage = episode::run(monitor, timing, loss, phases, &self.options.failover)?;
            Ok((monitor, loss, outage))
        })?;

        let (mut process, mut host, mut release) = (Samples::new(), Samples::new(), Samples::new());
        let mut memory = Samples::new();
        for (monitor, loss, outage) in outages {
            let takeovers = match loss {
                Loss::Process => &mut process,
                Loss::Host => &mut host,
            };
            takeovers
                .entry(monitor)
                .or_default()
                .push(outage.takeover.as_secs_f64());
            let released = outage.release.map(|time| time.as_secs_f64());
            release.entry(monitor).or_default().extend(released);
            let resident = outage.resident.map(megabytes);
            memory.entry(monitor).or_default().extend(resident);
        }
        let slow = timing.interval == MISSION.interval;
        let limit = if slow { 60.5 } else { 2.2 };
        let mut row = |measure, goal, samples| {
            self.rows
                .push(Row::new(timing.name, measure, "s", goal, samples));
        };
        row("process dies, PC-B listens", Goal::Most(limit), process);
        // At one second the probes are faster than the tripwire: three rounds, the last one's timeout.
        let limit = if slow { 70.0 } else { 4.2 };
        row("host is lost, PC-B listens", Goal::Most(limit), host);
        row(
            "primary is back, PC-B is released",
            Goal::Most(1.2),
            release,
        );
        self.rows.push(Row::new(
            timing.name,
            "afterwards: resident memory",
            "MB",
            Goal::Most(10.0),
            memory,
        ));
        Ok(())
    }

    fn idle(&mut self, timings: &[Timing]) -> Result<()> {
        progress(&format!("idle for {} s", IDLE_PERIOD.as_secs()));
        let mut jobs = Vec::new();
        for timing in timings {
            jobs.extend(Monitor::ALL.map(|monitor| (monitor, *timing)));
        }
        let measured = side_by_side(jobs.len(), jobs, |(monitor, timing)| {
            let idle = idle::run(monitor, timing, IDLE_PERIOD, &self.options.failover)?;
            Ok((monitor, timing.name, idle))
        })?;
        for timing in timings {
            let (mut cpu, mut memory) = (Samples::new(), Samples::new());
            let of_timing = measured.iter().filter(|(_, name, _)| *name == timing.name);
            for (monitor, _, idle) in of_timing {
                cpu.insert(*monitor, vec![idle.cpu.as_secs_f64() * 1e3]);
                memory.insert(*monitor, vec![megabytes(idle.resident)]);
            }
            let limit = if timing.interval == MISSION.interval {
                3.0
            } else {
                30.0
            };
            let mut row = |measure, unit, limit, samples| {
                self.rows.push(Row::new(
                    timing.name,
                    measure,
                    unit,
                    Goal::Most(limit),
                    samples,
                ));
            };
            row("idle: CPU a minute", "ms", limit, cpu);
            row("idle: resident memory", "MB", 10.0, memory);
        }
        Ok(())
    }
}

/// Runs the jobs, with a limit for concurrent ones; the first error ends it.
fn side_by_side<Job: Send, Done: Send>(
    at_a_time: usize,
    jobs: Vec<Job>,
    work: impl Fn(Job) -> Result<Done> + Sync,
) -> Result<Vec<Done>> {
    let workers = at_a_time.min(jobs.len());
    let jobs = Mutex::new(VecDeque::from(jobs));
    let next = || {
        jobs.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let clear = || jobs.lock().unwrap_or_else(PoisonError::into_inner).clear();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    while let Some(job) = next() {
                        // Nobody begins anything new once something has failed.
                        done.push(work(job).inspect_err(|_| clear())?);
                    }
                    anyhow::Ok(done)
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            let done = worker.join().map_err(|_| anyhow!("a worker panicked"))??;
            all.extend(done);
        }
        Ok(all)
    })
}

fn megabytes(bytes: u64) -> f64 {
    let kilobytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
    f64::from(kilobytes) * 1024.0 / MEGABYTE
}

fn progress(what: &str) {
    eprintln!("failover-lab: measuring {what}");
}
