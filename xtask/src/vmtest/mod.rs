//! `cargo xtask vmtest`: the program on kernels other than this machine's, each in an emulated
//! machine with nothing but the program, the lab and the modules that the lab needs.

mod archive;
mod boot;
mod cpio;
mod image;
mod initramfs;
mod machine;
mod modules;
mod programs;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use archive::Archive;
use boot::{Lockdown, Verdict};
pub(crate) use image::Wanted;
use image::{Catalogue, Kernel};
use machine::Machine;
use programs::Files;

use crate::cross::Target;
use crate::process::say;
use crate::workspace::Workspace;
use crate::{build, kernel, lab, setup};

/// The oldest that matters, the one of Debian 12, and the newest.
pub(crate) const DEFAULT_KERNELS: [&str; 3] = ["5.10", "6.1", "newest"];

/// What the lab's cables and switch are, and what listeners are found with. Where no program loads
/// modules on demand, all must be loaded before.
const MODULES: [&str; 3] = ["bridge", "veth", "tcp_diag"];

/// Builds all it takes, then boots one kernel after the other.
pub(crate) fn run(
    workspace: &Workspace,
    target: Option<Target>,
    kernels: &[Wanted],
) -> Result<ExitCode> {
    let machine = Machine::of(target)?;
    let (emulator, package) = machine.emulator();
    workspace.steps.plan(setup::planned(workspace));
    workspace
        .steps
        .plan(build::planned_product(workspace, target));
    workspace.steps.plan(lab::planned(workspace));
    setup::program(workspace, emulator, package, "the kernels run in it")?;
    let tools = setup::ready(workspace)?;
    kernel::build(workspace, &tools)?;
    let archive = Archive::open(workspace, machine)?;
    let programs = match target {
        None => programs::native(workspace)?,
        Some(target) => programs::foreign(workspace, &archive, target)?,
    };
    let catalogue = Catalogue::read(&archive)?;
    let mut failures = 0;
    for wanted in kernels {
        match test(workspace, machine, &programs, &catalogue, wanted) {
            Ok(true) => {}
            Ok(false) => failures += 1,
            // What is wrong with one kernel says nothing about the next.
            Err(error) => {
                say(&format!("kernel {wanted}: no test: {error:#}"));
                failures += 1;
            }
        }
    }
    if failures > 0 {
        say(&format!("{failures} of {} kernels failed", kernels.len()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn test(
    workspace: &Workspace,
    machine: Machine,
    programs: &Files,
    catalogue: &Catalogue<'_>,
    wanted: &Wanted,
) -> Result<bool> {
    let kernel = Kernel::obtain(catalogue, wanted)?;
    let modules = modules::collect(workspace, &kernel.modules, &MODULES)?;
    let initramfs = initramfs::pack(programs, &modules)?;
    let mut passed = true;
    for (lockdown, how) in [
        (Lockdown::None, ""),
        (Lockdown::Confidentiality, ", locked down"),
    ] {
        let began = Instant::now();
        let verdict = boot::run(machine, &kernel, &initramfs, lockdown)?;
        let seconds = began.elapsed().as_secs_f64();
        let told = match verdict {
            Verdict::Passed(checks) => format!("passed {checks} checks"),
            Verdict::Failed(why) => {
                passed = false;
                why
            }
        };
        say(&format!(
            "kernel {}{how}, {seconds:.1} s: {told}",
            kernel.release
        ));
    }
    Ok(passed)
}
