//! bpf-linker, pinned, below `target/`.
//!
//! It is built with its default features: it then loads the LLVM library of the compiler at run
//! time, and no LLVM development files are needed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::process::{self, say};
use crate::workspace::Workspace;

const VERSION: &str = "0.10.1";

/// The linker, if it is there and runs.
pub(crate) fn find(workspace: &Workspace) -> Option<PathBuf> {
    let program = directory(workspace).join("bin/bpf-linker");
    works(&program).then_some(program)
}

/// The linker, built now unless it is there.
pub(crate) fn obtain(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(program) = find(workspace) {
        return Ok(program);
    }
    let directory = directory(workspace);
    say(&format!(
        "building bpf-linker {VERSION}, which links the kernel program, into {} \
         (once, a minute or two)",
        workspace.relative(&directory).display()
    ));
    let scratch = workspace.tools().join("build");
    let mut command = cargo::isolated(&cargo::program(), workspace);
    command.args([
        "install",
        "bpf-linker",
        "--version",
        VERSION,
        "--locked",
        "--force",
    ]);
    command
        .arg("--root")
        .arg(&directory)
        .arg("--target-dir")
        .arg(&scratch);
    // Cargo advises to add the directory to PATH unless it is there.
    let bin = directory.join("bin");
    let path = process::search_path();
    if let Ok(path) = env::join_paths(env::split_paths(&path).chain([bin])) {
        command.env("PATH", path);
    }
    let result = process::run(&mut command);
    // Some hundred megabytes that nobody needs again, whether it worked or not.
    if scratch.exists() {
        fs::remove_dir_all(&scratch)
            .with_context(|| format!("cannot remove {}", scratch.display()))?;
    }
    result.with_context(|| {
        format!(
            "cannot build bpf-linker {VERSION}; with a network and a current stable toolchain \
             (`rustup update stable`), type: cargo xtask setup"
        )
    })?;
    let Some(program) = find(workspace) else {
        bail!(
            "bpf-linker {VERSION} was built into {}, but does not run",
            directory.display()
        );
    };
    Ok(program)
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.tools().join(format!("bpf-linker-{VERSION}"))
}

fn works(program: &Path) -> bool {
    program.is_file()
        && process::capture(Command::new(program).arg("--version"))
            .is_ok_and(|text| text.trim() == format!("bpf-linker {VERSION}"))
}
