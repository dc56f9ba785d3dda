//! The first and only program of a guest machine that `cargo xtask vmtest` boots: it checks that
//! the program under test works on the guest's kernel, prints a verdict and switches off.

mod checks;
mod clocks;
mod parking;
mod report;
mod system;

use std::{
    convert::Infallible,
    io::{self, Write as _},
};

use anyhow::{Result, ensure};
use report::Report;

/// Begins the verdict's line on the console, which is all that the host trusts.
const MARK: &str = "failover-vmtest:";

/// Runs all checks, prints the verdict and switches the machine off.
///
/// # Errors
/// When this is not the first process of a machine, and when the machine can't be switched off.
pub fn run() -> Result<Infallible> {
    ensure!(
        std::process::id() == 1,
        "this mounts file systems and switches the machine off, so it only runs as the first \
         process of a guest machine; type: cargo xtask vmtest"
    );
    let mut report = Report::default();
    report.check("set-up of the guest", || {
        system::prepare().unwrap_or_else(|error| panic!("{error:#}"));
    });
    if report.is_clean() {
        checks::run(&mut report);
    }
    // A line of its own, whatever stands before it.
    println!("\n{MARK} {}", report.verdict());
    let _ = io::stdout().flush();
    system::power_off()
}
