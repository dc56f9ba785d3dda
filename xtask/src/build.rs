//! `cargo xtask build`: the kernel program, and the one file to install.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo::Profile;
use crate::cross::Target;
use crate::process::say;
use crate::workspace::Workspace;
use crate::{cargo, cross, kernel, setup};

/// Does the set-up, builds both and says where they are.
pub(crate) fn run(workspace: &Workspace, target: Option<Target>) -> Result<()> {
    let tools = setup::ready(workspace)?;
    say_size(workspace, &kernel::build(workspace, &tools)?)?;
    let failover = match target {
        None => product(workspace)?,
        // The kernel program is the same: both kinds of machine put the low byte first.
        Some(target) => cross::build(workspace, target, Profile::Small, "failover", "failover")?,
    };
    say_size(workspace, &failover)
}

/// Builds the file for PC-B, with whatever kernel program there is: small, which takes its time.
pub(crate) fn product(workspace: &Workspace) -> Result<PathBuf> {
    let what = "the daemon as for PC-B, which takes a few minutes";
    daemon(workspace, Profile::Small, what)
}

/// Builds the daemon for a show: sooner, and larger.
pub(crate) fn release(workspace: &Workspace) -> Result<PathBuf> {
    daemon(workspace, Profile::Release, "the daemon, optimized")
}

fn daemon(workspace: &Workspace, profile: Profile, what: &str) -> Result<PathBuf> {
    let arguments = [
        "build",
        "--profile",
        profile.name(),
        "--package",
        "failover",
        "--bin",
        "failover",
    ];
    let program = workspace.target().join(profile.name()).join("failover");
    cargo::announce(workspace, &program, what);
    cargo::build_program(workspace, &arguments, "failover")
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
