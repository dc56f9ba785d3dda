//! Set-up: finds what the other verbs need, and gets what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::process::{self, say};
use crate::steps::Work;
use crate::toolchain::{self, PINNED_NIGHTLY, TARGET, Toolchain};
use crate::workspace::Workspace;
use crate::{apt, linker};

/// Debian's rustc and the core library for BPF that goes with it.
const DISTRIBUTION_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// What it takes to build the kernel program.
pub(crate) struct Tools {
    /// The compiler.
    pub(crate) toolchain: Toolchain,
    /// Path of bpf-linker.
    pub(crate) linker: PathBuf,
}

/// Everything that building, the demonstration and the tests need, installed where missing.
pub(crate) fn ready(workspace: &Workspace) -> Result<Tools> {
    // The quick one first: what fails should fail before the long work.
    program(
        workspace,
        "ip",
        "iproute2",
        "the two-host lab makes its network with it",
    )?;
    let toolchain = match toolchain::find(workspace) {
        Ok(toolchain) => toolchain,
        Err(objections) => workspace
            .steps
            .tell(Work::Toolchain, || obtain_toolchain(workspace, &objections))?,
    };
    let linker = linker::obtain(workspace)?;
    Ok(Tools { toolchain, linker })
}

/// The same tools if they are there already; installs nothing.
pub(crate) fn present(workspace: &Workspace) -> Option<Tools> {
    Some(Tools {
        toolchain: toolchain::find(workspace).ok()?,
        linker: linker::find(workspace)?,
    })
}

/// The part of the work of [`ready`] and [`crate::kernel::build`] that takes long, where that was never
/// done.
pub(crate) fn planned(workspace: &Workspace) -> Vec<Work> {
    let toolchain = toolchain::find(workspace).is_err();
    let object = !crate::kernel::is_built(workspace);
    [
        toolchain.then_some(Work::Toolchain),
        linker::planned(workspace),
        object.then_some(Work::KernelProgram),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Makes sure that the system program `name` is there.
pub(crate) fn program(workspace: &Workspace, name: &str, package: &str, why: &str) -> Result<()> {
    if process::find_program(name).is_some() {
        return Ok(());
    }
    say(&format!("`{name}` is missing; {why}"));
    apt::install(workspace, &[package])
}

/// Has installed what the lab lacks to boot a systemd. Where that can't be, the tests that need one say
/// so and are skipped.
pub(crate) fn systemd(workspace: &Workspace, lab: &Path) -> Result<()> {
    let told = process::capture(Command::new(lab).arg("missing"))?;
    let missing: Vec<&str> = told.split_whitespace().collect();
    if missing.is_empty() {
        return Ok(());
    }
    say("some tests boot a systemd, which is not all there");
    if let Err(error) = apt::install(workspace, &missing) {
        say(&format!("{error:#}; going on without"));
    }
    Ok(())
}

/// Has installed what checks the metrics and looks at the page. Where that can't be, those tests say so
/// and are skipped.
pub(crate) fn watching(workspace: &Workspace) {
    for (name, package, why) in [
        (
            "promtool",
            "prometheus",
            "some tests check metrics and alarms with it",
        ),
        (
            "chromedriver",
            "chromium-driver",
            "some tests look at the page with it",
        ),
    ] {
        if let Err(error) = program(workspace, name, package, why) {
            say(&format!("{error:#}; going on without"));
        }
    }
}

/// Gets what copies a gateway's state between two hosts. Where that can't be, those tests say so and are skipped.
pub(crate) fn copying(workspace: &Workspace) {
    let programs = [
        ("ssh", "openssh-client"),
        ("rsync", "rsync"),
        ("python3", "python3"),
    ];
    let installed = programs.into_iter().try_for_each(|(name, package)| {
        let why = "some tests copy a gateway's state with it";
        program(workspace, name, package, why)
    });
    // Unpacked: installing it would start an sshd on this machine.
    let unpacked = match process::find_program("sshd") {
        Some(_) => Ok(()),
        None => apt::unpack(workspace, &["openssh-server"]),
    };
    for error in [installed.err(), unpacked.err()].into_iter().flatten() {
        say(&format!("{error:#}; going on without"));
    }
}

/// Says that all is there, and which.
pub(crate) fn report(workspace: &Workspace, tools: &Tools) {
    say(&format!(
        "set-up is complete: {} compiles for {TARGET}, {} links",
        tools.toolchain.name,
        workspace.relative(&tools.linker).display()
    ));
}

fn obtain_toolchain(workspace: &Workspace, objections: &[String]) -> Result<Toolchain> {
    say(&format!(
        "no installed toolchain can compile the kernel program for {TARGET}:"
    ));
    for objection in objections {
        say(&format!("  {objection}"));
    }
    let mut failures = Vec::new();
    for (obtain, by_hand) in WAYS {
        let result = obtain(workspace).and_then(|()| {
            toolchain::find(workspace)
                .map_err(|objections| anyhow!("not enough: {}", objections.join("; ")))
        });
        match result {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => {
                say(&format!("that did not work: {error:#}"));
                failures.push(format!("  {}", by_hand()));
            }
        }
    }
    bail!(
        "no toolchain for the kernel program, see above; one of these commands gets one:\n{}",
        failures.join("\n")
    )
}

/// Ways to a toolchain: to go it, and to tell somebody else.
type Way = (fn(&Workspace) -> Result<()>, fn() -> String);

/// The ways, best first.
const WAYS: [Way; 2] = [
    (install_nightly, || rustup_arguments().join(" ")),
    (
        |workspace| apt::install(workspace, &DISTRIBUTION_PACKAGES),
        || apt::by_hand(&DISTRIBUTION_PACKAGES),
    ),
];

fn rustup_arguments() -> [&'static str; 9] {
    [
        "rustup",
        "toolchain",
        "install",
        PINNED_NIGHTLY,
        "--profile",
        "minimal",
        "--component",
        "rust-src",
        "--no-self-update",
    ]
}

/// Has rustup install the pinned nightly, and leaves nothing behind where that fails.
fn install_nightly(_: &Workspace) -> Result<()> {
    let [rustup, arguments @ ..] = rustup_arguments();
    if process::find_program(rustup).is_none() {
        bail!("rustup is not installed");
    }
    say(&format!(
        "installing {PINNED_NIGHTLY} with rust-src through rustup"
    ));
    discard_unfinished_nightly()?;
    let mut command = Command::new(rustup);
    // Without a network there is no point in trying again and again, or in a backtrace.
    command
        .args(arguments)
        .env("RUSTUP_MAX_RETRIES", "1")
        .env("RUST_BACKTRACE", "0");
    let result = process::run(&mut command);
    discard_unfinished_nightly()?;
    result
}

/// Removes what an installation left that failed or was interrupted, now or earlier.
fn discard_unfinished_nightly() -> Result<()> {
    let Some(directory) = toolchain::unfinished_nightly() else {
        return Ok(());
    };
    say(&format!(
        "removing the unfinished installation {}",
        directory.display()
    ));
    fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))
}
