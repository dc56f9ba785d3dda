//! `cargo xtask vmtest`: the program on kernels other than this machine's, each in a virtual machine
//! with nothing but the program, the lab and the modules that the lab needs.

mod archive;
mod boot;
mod cpio;
mod image;
mod initramfs;
mod modules;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use archive::Archive;
use boot::Verdict;
pub(crate) use image::Wanted;
use image::{Catalogue, Kernel};

use crate::process::{self, say};
use crate::workspace::Workspace;
use crate::{build, kernel, lab, setup};

/// The oldest that matters, the machine's that most have, and the newest.
pub(crate) const DEFAULT_KERNELS: [&str; 3] = ["5.10", "6.1", "newest"];

/// What the lab's cables and switch are, and what listeners are found with. Where no program loads
/// modules on demand, all must be loaded before.
const MODULES: [&str; 3] = ["bridge", "veth", "tcp_diag"];

/// Builds all it takes, then boots one kernel after the other.
pub(crate) fn run(workspace: &Workspace, kernels: &[Wanted]) -> Result<ExitCode> {
    if !cfg!(target_arch = "x86_64") {
        bail!("vmtest boots kernels for x86-64 with the program as built here; run it on x86-64");
    }
    setup::program(boot::QEMU, "qemu-system-x86", "the kernels run in it")?;
    let tools = setup::ready(workspace)?;
    kernel::build(workspace, &tools)?;
    let guest = Guest {
        failover: build::release(workspace)?,
        lab: lab::build(workspace)?,
        ip: process::find_program("ip").context("`ip` is not there, though it was just now")?,
    };
    let archive = Archive::open(workspace)?;
    let catalogue = Catalogue::read(&archive)?;
    let mut failures = 0;
    for wanted in kernels {
        match test(workspace, &catalogue, wanted, &guest) {
            Ok(Verdict::Passed(_)) => {}
            Ok(Verdict::Failed(_)) => failures += 1,
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

/// The programs that run in a guest.
struct Guest {
    failover: PathBuf,
    lab: PathBuf,
    ip: PathBuf,
}

fn test(
    workspace: &Workspace,
    catalogue: &Catalogue<'_>,
    wanted: &Wanted,
    guest: &Guest,
) -> Result<Verdict> {
    let kernel = Kernel::obtain(workspace, catalogue, wanted)?;
    let modules = modules::collect(&kernel.modules, &MODULES)?;
    let programs = [&guest.failover, &guest.lab, &guest.ip].map(PathBuf::as_path);
    let initramfs = initramfs::pack(&programs, &modules)?;
    let began = Instant::now();
    let verdict = boot::run(&kernel, &initramfs)?;
    let seconds = began.elapsed().as_secs_f64();
    let told = match &verdict {
        Verdict::Passed(checks) => format!("passed {checks} checks"),
        Verdict::Failed(why) => why.clone(),
    };
    say(&format!(
        "kernel {}, {seconds:.1} s: {told}",
        kernel.release
    ));
    Ok(verdict)
}
