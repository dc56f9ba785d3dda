//! `cargo xtask demo` and `cargo xtask bench`: the two-host lab, under root.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use crate::privileges::Privileges;
use crate::workspace::Workspace;
use crate::{build, cargo, kernel, setup};

/// What to do in the lab.
#[derive(Clone, Copy)]
pub(crate) enum Show {
    /// Show a takeover and a release.
    Demo,
    /// Compare with keepalived, or the kernel program with bpftrace and tcpstates.
    Bench,
}

/// Builds all it takes, then becomes the lab. Returns only where that fails.
///
/// xtask doesn't stay as a parent: so Ctrl-C ends the lab and nothing but the lab, which cleans
/// up, and its exit code is what the caller sees.
pub(crate) fn run(workspace: &Workspace, show: Show, arguments: &[String]) -> Result<()> {
    let privileges = Privileges::obtain().map_err(|error| {
        anyhow!(
            "the lab needs root: {error:#}; as root, type: cargo xtask {}",
            verb(show)
        )
    })?;
    let tools = setup::ready(workspace)?;
    if matches!(show, Show::Bench) {
        // `bench` alone takes some that `bench kernel` doesn't, and the other way round.
        let peers: &[_] = match arguments.iter().any(|argument| argument == "kernel") {
            true => &[("bpftrace", "bpftrace"), ("tcpstates", "libbpf-tools")],
            false => &[("keepalived", "keepalived")],
        };
        for (name, package) in peers {
            setup::program(name, package, "the benchmark compares with it")?;
        }
    }
    kernel::build(workspace, &tools)?;
    let failover = match show {
        Show::Demo => build::release(workspace)?,
        Show::Bench => build::product(workspace)?,
    };
    let lab = build(workspace)?;

    let mut command = privileges.command(&lab);
    command
        .arg(verb(show))
        .arg("--failover")
        .arg(&failover)
        .args(arguments);
    Err(command.exec()).with_context(|| format!("cannot run {} as root", lab.display()))
}

/// Builds the lab's program for use.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let arguments = [
        "build",
        "--release",
        "--package",
        "failover-tests",
        "--bin",
        "failover-lab",
    ];
    let program = workspace.target().join("release/failover-lab");
    cargo::announce(workspace, &program, "the two hosts that the daemon runs on");
    cargo::build_program(workspace, &arguments, "failover-lab")
}

fn verb(show: Show) -> &'static str {
    match show {
        Show::Demo => "demo",
        Show::Bench => "bench",
    }
}
