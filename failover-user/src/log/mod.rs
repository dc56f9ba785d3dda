//! The log: tracing to standard error, as text for people or JSON for tools; and where that leads to
//! systemd's journal, with its fields.
//!
//! A thread of its own writes, so that a disk that hangs or a reader that doesn't read costs lines
//! and never a decision.

pub mod journal;
pub(crate) mod lines;
pub(crate) mod observer;
pub(crate) mod reminders;
pub(crate) mod systemd;
pub mod writer;

use std::{
    env,
    io::{self, IsTerminal as _},
    panic,
};

use crate::{
    config::{ConfigurationError, LogFormat},
    log::journal::Journal,
    log::writer::{Guard, LogWriter},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry,
    filter::{ParseError, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// What to log, in `tracing`'s own syntax: `debug`, `failover::primary=trace`.
const FILTER_VARIABLE: &str = "FAILOVER_LOG";
/// What the library that loads the kernel program tells at `debug` is for its own developers.
const QUIET: &str = "aya=info,aya_obj=info";

/// Begins logging. Lines from the kernel program come through the `log` crate to the same place. What
/// waits is written when the guard is dropped, if that can be done soon.
///
/// # Errors
/// When the filter in the environment can't be read.
pub fn begin(format: LogFormat, default: &str) -> anyhow::Result<Guard> {
    let filter = filter(default)?;
    // Who asks for JSON wants it as it is.
    let journal = match format {
        LogFormat::Text => Journal::of_standard_error(),
        LogFormat::Json => None,
    };
    let is_json = format == LogFormat::Json || journal.is_some();
    let (writer, guard) = match journal {
        Some(journal) => LogWriter::to(journal),
        None => LogWriter::to(io::stderr()),
    };
    let layer = fmt::layer()
        .with_writer(move || writer.clone())
        // It would complain on standard error about standard error, and panic when that fails too:
        // a full disk must not end the daemon.
        .log_internal_errors(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if is_json {
        layer.json().flatten_event(true).boxed()
    } else {
        let ansi = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
        layer.with_target(false).with_ansi(ansi).boxed()
    };
    let begun = tracing_subscriber::registry()
        .with(layer)
        .with(filter)
        .try_init();
    begun.map_err(|error| anyhow::anyhow!("beginning to log: {error}"))?;
    // Whoever reads JSON gets no other lines, and the journal its fields.
    panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(guard)
}

/// What the environment asks for, else the default.
fn filter(default: &str) -> Result<Targets, ConfigurationError> {
    let asked = env::var(FILTER_VARIABLE).unwrap_or_default();
    let wrong = |message: String| ConfigurationError::LogFilter {
        variable: FILTER_VARIABLE,
        filter: asked.clone(),
        message,
    };
    // A word alone is a level. `tracing` would take another for the name of a module, and be silent.
    for word in asked
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        if word.contains('[') {
            return Err(wrong(format!(
                "`{word}` names a span, and only modules have levels"
            )));
        }
        if !word.contains(['=', ':']) && word.parse::<LevelFilter>().is_err() {
            return Err(wrong(format!("`{word}` is no level")));
        }
    }
    let chosen = if asked.trim().is_empty() {
        default
    } else {
        &asked
    };
    format!("{QUIET},{chosen}")
        .parse()
        .map_err(|error: ParseError| wrong(error.to_string()))
}
