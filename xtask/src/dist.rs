//! `cargo xtask dist`: the package for Debian and what comes from it, with everything that belongs to
//! the program. What is in it is said in failover-user/Cargo.toml.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::Profile;
use crate::cross::{self, Target};
use crate::process::{self, say};
use crate::steps::Work;
use crate::tool::Tool;
use crate::workspace::Workspace;
use crate::{build, cargo, kernel, setup};

/// With packages that gzip compresses, which needs no C library here or there.
const PACKAGER: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
    features: &["--no-default-features", "--features", "gzip"],
    work: Work::Packager,
    verb: "dist",
};

/// Builds the program and puts it into `target/dist/failover_<version>_<architecture>.deb`.
pub(crate) fn run(workspace: &Workspace, target: Option<Target>) -> Result<()> {
    workspace.steps.plan(planned_packager(workspace));
    workspace.steps.plan(setup::planned(workspace));
    workspace
        .steps
        .plan(build::planned_product(workspace, target));
    let packager = PACKAGER.obtain(workspace)?;
    let tools = setup::ready(workspace)?;
    kernel::build(workspace, &tools)?;
    match target {
        None => build::product(workspace)?,
        Some(target) => cross::build(workspace, target, Profile::Small, "failover", "failover")?,
    };
    let mut options = vec!["--no-strip", "--profile", Profile::Small.name()];
    if let Some(target) = target {
        options.extend(["--target", target.triple()]);
    }
    let package = package(workspace, &packager, "dist", &options)?;
    say(&format!(
        "{} is built; to install it: sudo apt install ./{0}",
        workspace.relative(&package).display()
    ));
    Ok(())
}

/// A package with the daemon as it was built for the tests, and not as for PC-B, which takes the
/// compiler minutes: everything else in it is the same.
pub(crate) fn package_for_tests(workspace: &Workspace) -> Result<PathBuf> {
    let packager = PACKAGER.obtain(workspace)?;
    let options = ["--fast", "--profile", "dev"];
    package(workspace, &packager, "tested-package", &options)
}

/// Building what makes packages, unless it is there.
pub(crate) fn planned_packager(workspace: &Workspace) -> Option<Work> {
    PACKAGER.planned(workspace)
}

/// Makes a package in a folder below `target/` of what was built.
fn package(
    workspace: &Workspace,
    packager: &Path,
    folder: &str,
    options: &[&str],
) -> Result<PathBuf> {
    let directory = workspace.target().join(folder);
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let mut command = Command::new(packager);
    command
        .current_dir(workspace.root())
        .env("CARGO", cargo::program())
        .env("CARGO_TARGET_DIR", workspace.target())
        .args(["--package", "failover", "--no-build"])
        .args(options)
        .arg("--output")
        .arg(&directory);
    let told = process::capture(&mut command)?;
    let package = told.lines().last().unwrap_or_default().trim();
    Ok(PathBuf::from(package))
}
