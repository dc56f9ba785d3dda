//! `failover trace`: kernel events as they happen, without a daemon.
//!
//! It renders what `kernel/` tells and decides nothing.

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

/// What to show, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The port to watch, local or remote.
    pub port: NonZeroU16,
    /// Sockets of every network namespace.
    pub all_namespaces: bool,
    /// Hear the kernel program's own debug lines.
    pub debug: bool,
    /// How lines look.
    pub format: Format,
    /// Whether text has colours.
    pub color: Color,
    /// Ends it after this time.
    pub duration: Option<Duration>,
    /// Ends it after so many events.
    pub count: Option<u64>,
}

/// How many there were.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Totals {
    seen: u64,
    lost: u64,
}

/// Shows events until the duration, the count, a signal or the reader's end.
///
/// # Errors
/// When the kernel program can't be loaded or the output can't be written.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut kernel = KernelEvents::load(Watch {
        local_port: settings.port,
        primary_port: settings.port,
        all_namespaces: settings.all_namespaces,
        ignored_process: None,
        debug: settings.debug,
    })?;
    if let Err(error) = kernel.tell_binds(true) {
        warn!(%error, "binds aren't shown");
    }
    let mut output = Output::new(settings.format, settings.color, settings.all_namespaces);
    let mut totals = Totals::default();
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    // Beyond the clock's last moment it never ends.
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
    // What came until the last moment; the limits still hold.
    show(&kernel.drain(), settings.count, &mut totals, &mut output)?;
    output.end(totals.seen, totals.lost);
    Ok(())
}

/// Writes a batch. `false`: nobody wants more.
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
