//! How long after the kernel's time stamp an event is in the daemon's hands: the program and the
//! reader are the daemon's own, loaded here.

use std::{
    num::NonZeroU16,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use failover_decide::Time;
use failover_linux::{
    bpf::load::{KernelEvents, Watch},
    clock,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::time::timeout;

use super::load::Load;
use crate::lab::Lab;

/// Timeout for events after the last connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of the sleeper that is woken beside the reader. Timers of threads like it may be 50 µs late by
/// themselves (prctl(2), PR_SET_TIMERSLACK).
const SLEEP: Duration = Duration::from_millis(2);

/// Where the connections are made. They and the reader on one processor take turns, and a kernel
/// without preemption ends a system call first: so the same load has two kinds of delays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// As the kernel likes.
    Anywhere,
    /// Not on the reader's processor, if there is another.
    Apart,
    /// On the reader's processor.
    Together,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    /// From the kernel's time stamp to user space, for each event.
    pub(super) delays: Vec<Duration>,
    /// How late the machine woke a sleeper meanwhile that may run where the reader may: so long
    /// nobody can be sooner.
    pub(super) wakeups: Vec<Duration>,
    pub(super) lost: u64,
    /// Connections a second that there were.
    pub(super) rate: f64,
}

/// Watches the port of these connections while they are made.
pub(super) fn run(load: Load, place: Place) -> Result<Latency> {
    let lab = Lab::build()?;
    lab.host_b().enter("latency", || {
        let port = NonZeroU16::new(load.port).context("no port")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting a runtime")?;
        let _inside = runtime.enter();
        let mut kernel = KernelEvents::load(Watch {
            local_port: port,
            primary_port: port,
            all_namespaces: false,
            ignored_process: None,
            debug: false,
        })?;
        let connecting = confine_reader(place)?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let connecting = scope.spawn(move || {
                // Its threads inherit it.
                sched_setaffinity(None, &connecting).context("choosing processors")?;
                load.run()
            });
            // It inherits the reader's processors.
            let sleeping = scope.spawn(|| sleep_until(&done));
            let mut seen = Latency {
                delays: Vec::new(),
                wakeups: Vec::new(),
                lost: 0,
                rate: 0.0,
            };
            let read = runtime.block_on(async {
                while let Ok(batch) = timeout(PATIENCE, kernel.next()).await {
                    let (batch, now) = (batch.context("reading events")?, clock::now());
                    let times = batch.events.iter().map(|event| event.origin().time);
                    let delays = times.map(|time| now.since(Time::from_boot(time)));
                    seen.delays.extend(delays);
                    seen.lost += batch.lost;
                }
                anyhow::Ok(())
            });
            done.store(true, Ordering::Relaxed);
            let slept = sleeping.join();
            seen.wakeups = slept.map_err(|_| anyhow!("the sleeper panicked"))?;
            read?;
            let connected = connecting.join();
            let took = connected.map_err(|_| anyhow!("the connecting thread panicked"))??;
            seen.rate = load.reached(took);
            ensure!(!seen.delays.is_empty(), "no kernel event came");
            Ok(seen)
        })
    })
}

/// Sleeps repeatedly for a short while, and returns how late each wake-up was.
fn sleep_until(done: &AtomicBool) -> Vec<Duration> {
    let mut late = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let due = Instant::now() + SLEEP;
        thread::sleep(SLEEP);
        late.push(due.elapsed());
    }
    late
}

/// Leaves the calling thread one processor, unless it may be anywhere; returns those for the
/// connections.
pub(super) fn confine_reader(place: Place) -> Result<CpuSet> {
    let mut all = sched_getaffinity(None).context("asking for the processors")?;
    let first = (0..CpuSet::MAX_CPU).find(|processor| all.is_set(*processor));
    let first = first.context("no processor")?;
    let mut one = CpuSet::new();
    one.set(first);
    if place != Place::Anywhere {
        sched_setaffinity(None, &one).context("choosing a processor")?;
    }
    if place == Place::Apart && all.count() > 1 {
        all.unset(first);
    }
    Ok(match place {
        Place::Anywhere | Place::Apart => all,
        Place::Together => one,
    })
}
