//! `cargo xtask dist`: the package for Debian and what comes from it, with everything that belongs to
//! the program. What is in it is said in failover-user/Cargo.toml.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::Profile;
use crate::cross::{self, Target};
use crate::process::{self, say};
use crate::tool::Tool;
use crate::workspace::Workspace;
use crate::{build, cargo, kernel, setup};

/// With packages that gzip compresses, which needs no C library here or there.
const PACKAGER: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
    features: &["--no-default-features", "--features", "gzip"],
    purpose: "makes the package (once, about a minute)",
    verb: "dist",
};

/// Builds the program and puts it into `target/dist/failover_<version>_<architecture>.deb`.
pub(crate) fn run(workspace: &Workspace, target: Option<Target>) -> Result<()> {
    let package = package(workspace, target)?;
    say(&format!(
        "{} is built; to install it: sudo apt install ./{0}",
        workspace.relative(&package).display()
    ));
    Ok(())
}

fn package(workspace: &Workspace, target: Option<Target>) -> Result<PathBuf> {
    let packager = PACKAGER.obtain(workspace)?;
    let tools = setup::ready(workspace)?;
    kernel::build(workspace, &tools)?;
    match target {
        None => build::product(workspace)?,
        Some(target) => cross::build(workspace, target, Profile::Small, "failover", "failover")?,
    };
    let directory = workspace.target().join("dist");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let mut command = Command::new(packager);
    command
        .current_dir(workspace.root())
        .env("CARGO", cargo::program())
        .env("CARGO_TARGET_DIR", workspace.target())
        .args(["--package", "failover", "--no-build", "--no-strip"])
        .args(["--profile", Profile::Small.name()])
        .arg("--output")
        .arg(&directory);
    if let Some(target) = target {
        command.args(["--target", target.triple()]);
    }
    let told = process::capture(&mut command)?;
    let package = told.lines().last().unwrap_or_default().trim();
    Ok(PathBuf::from(package))
}
