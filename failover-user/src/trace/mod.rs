//! `failover trace`: kernel events as they happen, without a daemon.
//!
//! It renders the events of `kernel/` and decides nothing.

pub(crate) mod json;
mod output;
pub(crate) mod text;

use std::{num::NonZeroU16, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};
use tracing::warn;

use failover_linux::{
    bpf::load::{Batch, KernelEvents, Watch},
    trim::give_back,
};

use crate::trace::output::Output;

pub use output::{Color, Format};

/// Settings of a trace.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The port to watch, local or remote.
    pub port: NonZeroU16,
    /// Sockets of every network namespace.
    pub all_namespaces: bool,
    /// Log the eBPF program's debug messages.
    pub debug: bool,
    /// The output format.
    pub format: Format,
    /// When to colour the text.
    pub color: Color,
    /// Stop after this time.
    pub duration: Option<Duration>,
    /// Stop after this number of events.
    pub count: Option<u64>,
}

/// Number of events shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Totals {
    seen: u64,
    lost: u64,
}

/// Shows events until the duration, the count, a signal, or until the reader closes the pipe.
///
/// # Errors
/// When the eBPF program cannot be loaded, or the output cannot be written.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut kernel = KernelEvents::load(Watch {
        local_port: settings.port,
        primary_port: settings.port,
        all_namespaces: settings.all_namespaces,
        ignored_process: None,
        debug: settings.debug,
    })?;
    if let Err(error) = kernel.tell_binds(true) {
        warn!(%error, "binds are not shown");
    }
    let mut output = Output::new(settings.format, settings.color, settings.all_namespaces);
    let mut totals = Totals::default();
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    // Too long for the clock: no end.
    let end = settings
        .duration
        .and_then(|duration| Instant::now().checked_add(duration));
    output.begin()?;
    give_back();
    loop {
        let batch = tokio::select! {
            batch = kernel.next() => batch.context("waiting for kernel events")?,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = reached(end) => break,
            () = output.reader_gone() => return Ok(()),
        };
        if !show(&batch, settings.count, &mut totals, &mut output)? {
            break;
        }
    }
    // The remaining events; the limits still apply.
    show(&kernel.drain(), settings.count, &mut totals, &mut output)?;
    output.end(totals.seen, totals.lost);
    Ok(())
}

/// Writes a batch. `false`: stop.
fn show(
    batch: &Batch,
    count: Option<u64>,
    totals: &mut Totals,
    output: &mut Output,
) -> anyhow::Result<bool> {
    for event in &batch.events {
        if count.is_some_and(|count| totals.seen >= count) {
            break;
        }
        totals.seen = totals.seen.saturating_add(1);
        output.event(event);
    }
    if batch.lost > 0 {
        totals.lost = totals.lost.saturating_add(batch.lost);
        output.lost(batch.lost);
    }
    let open = output.flush()?;
    Ok(open && count.is_none_or(|count| totals.seen < count))
}

async fn reached(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
