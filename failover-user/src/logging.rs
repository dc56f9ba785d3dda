//! The log: tracing to standard error, as text for people or JSON for tools.
//!
//! A thread of its own writes, so that a disk that hangs or a reader that doesn't read costs lines
//! and never a decision.

use std::io::{self, IsTerminal as _};

use failover::config::LogFormat;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt};

/// What to log, in `tracing`'s own syntax: `debug`, `failover::probe=trace`.
const FILTER_VARIABLE: &str = "FAILOVER_LOG";
/// Lines that wait to be written; more are dropped.
const MOST_LINES: usize = 4096;

/// Begins logging. Lines from the kernel program come through the `log` crate to the same place. What
/// waits is written when the guard is dropped, if that can be done soon.
///
/// # Errors
/// When the filter in the environment can't be read.
pub(crate) fn begin(format: LogFormat, default: &str) -> anyhow::Result<WorkerGuard> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|error| {
            anyhow::anyhow!("{FILTER_VARIABLE}={filter}: {error}; try `info` or `debug`")
        })?,
        Err(_) => EnvFilter::new(default),
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MOST_LINES)
        .thread_name("log")
        .finish(io::stderr());
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // It would complain on standard error about standard error, and panic when that fails too:
        // a full disk must not end the daemon.
        .log_internal_errors(false);
    let begun = match format {
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| anyhow::anyhow!("beginning to log: {error}"))?;
    Ok(guard)
}
