//! The log: tracing to standard error, as text for people or JSON for tools.

use std::io::{self, IsTerminal as _};

use failover::config::LogFormat;
use tracing_subscriber::{EnvFilter, fmt};

/// What to log, in `tracing`'s own syntax: `debug`, `failover::probe=trace`.
const FILTER_VARIABLE: &str = "FAILOVER_LOG";

/// Begins logging. Lines from the kernel program come through the `log` crate to the same place.
///
/// # Errors
/// When the filter in the environment can't be read.
pub(crate) fn begin(format: LogFormat, default: &str) -> anyhow::Result<()> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|error| {
            anyhow::anyhow!("{FILTER_VARIABLE}={filter}: {error}; try `info` or `debug`")
        })?,
        Err(_) => EnvFilter::new(default),
    };
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
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
    begun.map_err(|error| anyhow::anyhow!("beginning to log: {error}"))
}
