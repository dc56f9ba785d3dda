//! The `failover` binary: reads the command line, and turns errors into messages and exit codes.

mod cli;
mod logging;

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;
use failover::{
    config::{Configuration, ConfigurationError, Options},
    trace,
};
use tokio::runtime::{Builder, Runtime};

use cli::{Cli, TraceOptions, Verb};

/// What the caller got wrong; the same code as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Run(options) => run(*options),
        Verb::Trace(options) => trace(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the code says enough then.
            let _ = writeln!(std::io::stderr(), "failover: {}", told(&error));
            if error.is::<ConfigurationError>() {
                USAGE.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// The error with its causes, but for those that it has told already.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |told, cause| {
            match (told.is_empty(), told.contains(&cause)) {
                (true, _) => cause,
                (false, true) => told,
                (false, false) => format!("{told}: {cause}"),
            }
        })
}

fn run(options: Options) -> anyhow::Result<()> {
    let configuration = Configuration::load(options)?;
    logging::begin(configuration.log_format, "info")?;
    runtime()?.block_on(failover::daemon::run(configuration))
}

fn trace(options: &TraceOptions) -> anyhow::Result<()> {
    logging::begin(
        Default::default(),
        if options.debug { "debug" } else { "warn" },
    )?;
    runtime()?.block_on(trace::run(trace::Settings {
        port: options.port,
        all_namespaces: options.all_namespaces,
        debug: options.debug,
        format: options.output,
        color: options.color,
        duration: options.duration.map(failover::config::Span::get),
        count: options.count.map(Into::into),
    }))
}

/// One thread: there is little to do, and it must cost nothing.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}
