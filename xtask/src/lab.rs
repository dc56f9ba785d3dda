//! `cargo xtask demo` and `cargo xtask bench`: the two-host lab, under root.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use crate::privileges::Privileges;
use crate::steps::Work;
use crate::workspace::Workspace;
use crate::{build, cargo, kernel, litestream, openclaw, setup};

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
pub(crate) fn run(workspace: &Workspace, show: Show, arguments: &[OsString]) -> Result<()> {
    let privileges = Privileges::obtain().map_err(|error| {
        anyhow!(
            "the lab needs root: {error:#}; as root, type: cargo xtask {}",
            verb(show)
        )
    })?;
    workspace.steps.plan(setup::planned(workspace));
    match show {
        Show::Demo => workspace.steps.plan(build::planned_programs(workspace)),
        Show::Bench => {
            workspace
                .steps
                .plan(build::planned_product(workspace, None));
            workspace.steps.plan(planned(workspace));
        }
    }
    let tools = setup::ready(workspace)?;
    let asks = |mode| arguments.iter().any(|argument| argument == mode);
    let is_of_sync = matches!(show, Show::Bench) && asks("sync");
    let is_of_guard = matches!(show, Show::Bench) && asks("guard");
    let is_with_openclaw = is_of_sync || matches!(show, Show::Bench) && asks("gateway");
    if matches!(show, Show::Bench) {
        // Each takes some that the others don't.
        let peers: &[_] = if asks("kernel") {
            &[("bpftrace", "bpftrace"), ("tcpstates", "libbpf-tools")]
        } else if is_with_openclaw {
            &[]
        } else {
            &[("keepalived", "keepalived")]
        };
        for (name, package) in peers {
            setup::program(workspace, name, package, "the benchmark compares with it")?;
        }
    }
    kernel::build(workspace, &tools)?;
    let (failover, lab) = match show {
        Show::Demo => {
            let programs = build::programs(workspace)?;
            (programs.failover, programs.lab)
        }
        Show::Bench => (build::product(workspace)?, build(workspace)?),
    };

    let mut command = privileges.command(&lab);
    command
        .arg(verb(show))
        .arg("--failover")
        .arg(&failover)
        .args(arguments);
    if is_of_sync {
        setup::copying(workspace);
        if let Some(program) = litestream::present(workspace) {
            command.arg("--litestream").arg(program);
        }
    }
    if is_of_guard {
        setup::systemd(workspace, &lab)?;
        command.env("FAILOVER_BIN", &failover);
    }
    if is_with_openclaw {
        if !is_of_sync {
            setup::systemd(workspace, &lab)?;
        }
        // The hosts in the lab have them from there.
        command
            .env("FAILOVER_BIN", &failover)
            .env("FAILOVER_OPENCLAW", openclaw::ready(workspace)?);
    }
    Err(command.exec()).with_context(|| format!("cannot run {} as root", lab.display()))
}

/// Builds the lab's program to measure with, and for guests, which are slow.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let arguments = [
        "build",
        "--release",
        "--package",
        "failover-tests",
        "--bin",
        "failover-lab",
    ];
    cargo::build_program(workspace, Work::Lab, &arguments, "failover-lab")
}

/// What [`build`] has to do if it was never done.
pub(crate) fn planned(workspace: &Workspace) -> Option<Work> {
    let program = workspace.target().join("release/failover-lab");
    (!program.exists()).then_some(Work::Lab)
}

fn verb(show: Show) -> &'static str {
    match show {
        Show::Demo => "demo",
        Show::Bench => "bench",
    }
}
