//! Programs from crates.io that the build needs, pinned, below `target/`: never in the user's `~/.cargo`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::process;
use crate::steps::Work;
use crate::workspace::Workspace;

/// They run for seconds, so the compiler's time counts for more than theirs: without optimization it
/// is half.
const PROFILE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_DEV_DEBUG", "none"),
    ("CARGO_PROFILE_DEV_STRIP", "debuginfo"),
    ("CARGO_INCREMENTAL", "0"),
];

/// One of them.
pub(crate) struct Tool {
    /// The crate, and the program in it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The features, for cargo.
    pub(crate) features: &'static [&'static str],
    /// Building it.
    pub(crate) work: Work,
    /// The verb that gets it.
    pub(crate) verb: &'static str,
}

impl Tool {
    /// The program, if it is there and runs.
    pub(crate) fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let program = self.directory(workspace).join("bin").join(self.name);
        self.works(&program).then_some(program)
    }

    /// [`Self::obtain`]'s work, if it has any.
    pub(crate) fn planned(&self, workspace: &Workspace) -> Option<Work> {
        self.find(workspace).is_none().then_some(self.work)
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
            work,
            verb,
        } = self;
        let directory = self.directory(workspace);
        let scratch = workspace.tools().join("build");
        let mut command = cargo::isolated(&cargo::program(), workspace);
        command
            .args(["install", name, "--version", version, "--locked", "--force"])
            .args(["--quiet", "--debug"])
            .envs(PROFILE)
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
        let result = workspace.steps.tell(*work, || process::run(&mut command));
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
