//! `cargo xtask build`: the kernel program, and the one file to install.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo::Profile;
use crate::cross::Target;
use crate::process::say;
use crate::steps::Work;
use crate::workspace::Workspace;
use crate::{cargo, cross, kernel, setup};

/// Does the set-up, builds both and says where they are.
pub(crate) fn run(workspace: &Workspace, target: Option<Target>) -> Result<()> {
    workspace.steps.plan(setup::planned(workspace));
    workspace.steps.plan(planned_product(workspace, target));
    let tools = setup::ready(workspace)?;
    for object in kernel::build(workspace, &tools)? {
        say_size(workspace, &object)?;
    }
    let failover = match target {
        None => product(workspace)?,
        // The kernel program is the same: both kinds of machine put the low byte first.
        Some(target) => cross::build(workspace, target, Profile::Small, "failover", "failover")?,
    };
    say_size(workspace, &failover)
}

/// Builds the file for PC-B, with whatever kernel program there is: small, which takes its time.
pub(crate) fn product(workspace: &Workspace) -> Result<PathBuf> {
    let arguments = [
        "build",
        "--profile",
        Profile::Small.name(),
        "--package",
        "failover",
        "--bin",
        "failover",
    ];
    cargo::build_program(workspace, Work::Product, &arguments, "failover")
}

/// What [`product`], or the same for another processor, has to do if it was never done.
pub(crate) fn planned_product(workspace: &Workspace, target: Option<Target>) -> Option<Work> {
    let folder = match target {
        None => workspace.target(),
        Some(target) => workspace.target().join(target.triple()),
    };
    let program = folder.join(Profile::Small.name()).join("failover");
    (!program.exists()).then_some(Work::Product)
}

/// The programs for use on this machine.
pub(crate) struct Programs {
    /// The daemon.
    pub(crate) failover: PathBuf,
    /// The lab.
    pub(crate) lab: PathBuf,
}

/// Builds all programs of the workspace with the dev profile, with whatever kernel program there is. The
/// demonstration and the tests use the same: what cargo compiles for one it doesn't compile for the
/// other.
pub(crate) fn programs(workspace: &Workspace) -> Result<Programs> {
    let arguments = ["build", "--workspace", "--bins"];
    let built = cargo::executables(workspace, Work::Programs, &arguments)?;
    Ok(Programs {
        failover: cargo::program_among(&built, "failover")?,
        lab: cargo::program_among(&built, "failover-lab")?,
    })
}

/// What [`programs`] has to do if it was never done.
pub(crate) fn planned_programs(workspace: &Workspace) -> Option<Work> {
    let program = workspace.target().join("debug/failover-lab");
    (!program.exists()).then_some(Work::Programs)
}

fn say_size(workspace: &Workspace, file: &Path) -> Result<()> {
    let bytes = file
        .metadata()
        .with_context(|| format!("cannot find {}", file.display()))?
        .len();
    say(&format!(
        "{} is built, {} KiB",
        workspace.relative(file).display(),
        bytes.div_ceil(1024)
    ));
    Ok(())
}
