//! Programs from crates.io that the build needs, pinned, below `target/`: never in the user's `~/.cargo`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::process::{self, say};
use crate::workspace::Workspace;

/// One of them.
pub(crate) struct Tool {
    /// The crate, and the program in it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What cargo is told of its features.
    pub(crate) features: &'static [&'static str],
    /// What it does here, and how long it takes to build.
    pub(crate) purpose: &'static str,
    /// The verb that gets it.
    pub(crate) verb: &'static str,
}

impl Tool {
    /// The program, if it is there and runs.
    pub(crate) fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let program = self.directory(workspace).join("bin").join(self.name);
        self.works(&program).then_some(program)
    }

    /// The program, built now unless it is there.
    pub(crate) fn obtain(&self, workspace: &Workspace) -> Result<PathBuf> {
        if let Some(program) = self.find(workspace) {
            return Ok(program);
        }
        let Self {
            name,
            version,
            features,
            purpose,
            verb,
        } = self;
        let directory = self.directory(workspace);
        say(&format!(
            "building {name} {version}, which {purpose}, into {}",
            workspace.relative(&directory).display()
        ));
        let scratch = workspace.tools().join("build");
        let mut command = cargo::isolated(&cargo::program(), workspace);
        command
            .args(["install", name, "--version", version, "--locked", "--force"])
            .args(*features)
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
                "cannot build {name} {version}; with a network and a current stable toolchain \
                 (`rustup update stable`), type: cargo xtask {verb}"
            )
        })?;
        let Some(program) = self.find(workspace) else {
            bail!(
                "{name} {version} was built into {}, but does not run",
                directory.display()
            );
        };
        Ok(program)
    }

    fn directory(&self, workspace: &Workspace) -> PathBuf {
        let Self { name, version, .. } = self;
        workspace.tools().join(format!("{name}-{version}"))
    }

    fn works(&self, program: &Path) -> bool {
        let told = format!("{} {}", self.name, self.version);
        program.is_file()
            && process::capture(Command::new(program).arg("--version"))
                .is_ok_and(|text| text.trim() == told)
    }
}
