//! The worker's process, of the gateway's account: the order comes as JSON on standard input, what came of it goes as
//! one line of JSON to standard output. What an order is, and how long it may take, is not decided here.

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getpid, nice, setpgid, setrlimit, umask},
};
use thiserror::Error;

use crate::{spec::Spec, worker};

/// The limit of an order, in bytes: paths and patterns.
const LONGEST_SPEC: u64 = 1 << 20;
/// Of its priority: nothing that it does may delay a decision.
const NICE: i32 = 10;

/// Why there is no outcome.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// Not run by the daemon.
    #[error("the order on standard input is unreadable: {0}")]
    Order(#[from] serde_json::Error),
    /// The system.
    #[error("the worker can't begin: {0}")]
    System(#[from] io::Error),
}

/// The verb of the program: exit code 0 whatever came of the order.
///
/// # Errors
/// When there is no order, or nobody to tell.
pub fn main() -> Result<ExitCode, ProcessError> {
    let mut order = Vec::new();
    io::stdin()
        .lock()
        .take(LONGEST_SPEC)
        .read_to_end(&mut order)?;
    let spec: Spec = serde_json::from_slice(&order)?;
    restrict(&spec)?;
    let outcome = worker::run(&spec);
    let mut line = serde_json::to_string(&outcome)?;
    line.push('\n');
    io::stdout().write_all(line.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What holds for this process and all that it runs.
fn restrict(spec: &Spec) -> io::Result<()> {
    umask(Mode::RWXG | Mode::RWXO);
    // It leads its group, so that the daemon can end it by that. Where it does already, that is refused.
    let _ = setpgid(Some(getpid()), Some(getpid()));
    let _ = nice(NICE);
    // A file that grows while it is copied is cut off by the kernel.
    let largest = Rlimit {
        current: Some(spec.limits.file_bytes),
        maximum: Some(spec.limits.file_bytes),
    };
    Ok(setrlimit(Resource::Fsize, largest)?)
}
