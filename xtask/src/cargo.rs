//! Calling cargo: for the host as the caller would, and for tools with a clean environment.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;
use crate::steps::Work;
use crate::workspace::Workspace;

/// Variables that say how to reach and cache what cargo downloads, and how to talk. All others of
/// cargo and rustc would change what is built.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];

/// One of cargo's profiles, as the workspace's manifest defines them.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// For what is measured.
    Release,
    /// For what is installed on PC-B.
    Small,
}

impl Profile {
    /// Its name, which is also that of its directory below `target/`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Small => "small",
        }
    }
}

/// An executable that cargo built.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Artifact {
    /// Name of the cargo target.
    pub(crate) name: String,
    /// Whether the target is a library, so that this is the test executable of one.
    pub(crate) is_library: bool,
    /// Whether it holds tests rather than the program itself.
    pub(crate) is_test: bool,
    /// The target's main source file.
    pub(crate) source: PathBuf,
    /// Directory of the package.
    pub(crate) package: PathBuf,
    /// The executable.
    pub(crate) executable: PathBuf,
}

/// The cargo that runs this xtask.
pub(crate) fn program() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// A cargo command for this workspace, its output in `target/` whatever the caller has set.
pub(crate) fn host(workspace: &Workspace) -> Command {
    let mut command = Command::new(program());
    command
        .current_dir(workspace.root())
        // Build scripts look there for a C compiler.
        .env("PATH", process::search_path())
        .env("CARGO_TARGET_DIR", workspace.target());
    command
}

/// A cargo command that nothing in the caller's environment can turn into another build.
pub(crate) fn isolated(cargo: &Path, workspace: &Workspace) -> Command {
    let mut command = Command::new(cargo);
    command.current_dir(workspace.root());
    for (name, _) in env::vars_os() {
        if changes_the_build(&name) {
            command.env_remove(&name);
        }
    }
    command
}

fn changes_the_build(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let of_cargo = name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept));
    of_cargo || name.starts_with("RUSTC") || name == "RUSTFLAGS" || name == "LD_LIBRARY_PATH"
}

/// Runs `cargo <arguments>` for the host and returns the executables that it built or found fresh.
/// Only errors and warnings of the compiler are shown.
pub(crate) fn executables(
    workspace: &Workspace,
    work: Work,
    arguments: &[&str],
) -> Result<Vec<Artifact>> {
    workspace
        .steps
        .tell(work, || artifacts_of(workspace, arguments))
}

fn artifacts_of(workspace: &Workspace, arguments: &[&str]) -> Result<Vec<Artifact>> {
    let mut command = host(workspace);
    command
        .args(arguments)
        .args(["--quiet", "--message-format=json-render-diagnostics"]);
    let shown = format!("cargo {}", arguments.join(" "));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{shown}` with {}", program().display()))?;
    let output = child
        .stdout
        .take()
        .context("cargo has no standard output")?;
    let mut artifacts = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.with_context(|| format!("cannot read the output of `{shown}`"))?;
        artifacts.extend(parse_artifact(&line));
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}); see above");
    }
    Ok(artifacts)
}

/// Builds with `arguments` and returns the path of the program called `name`.
pub(crate) fn build_program(
    workspace: &Workspace,
    work: Work,
    arguments: &[&str],
    name: &str,
) -> Result<PathBuf> {
    program_among(&executables(workspace, work, arguments)?, name)
}

/// The program called `name` among what was built.
pub(crate) fn program_among(artifacts: &[Artifact], name: &str) -> Result<PathBuf> {
    artifacts
        .iter()
        .find(|artifact| artifact.name == name && !artifact.is_test && !artifact.is_library)
        .map(|artifact| artifact.executable.clone())
        .with_context(|| format!("cargo built no program {name}"))
}

/// Reads one of cargo's messages; `None` unless it tells of an executable.
fn parse_artifact(line: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("reason")?.as_str()? != "compiler-artifact" {
        return None;
    }
    let path = |value: &Value| value.as_str().map(PathBuf::from);
    let target = message.get("target")?;
    let kinds = target.get("kind")?.as_array()?;
    Some(Artifact {
        executable: path(message.get("executable")?)?,
        name: target.get("name")?.as_str()?.to_owned(),
        is_library: kinds.iter().any(|kind| kind == "lib"),
        is_test: message.get("profile")?.get("test")?.as_bool()?,
        source: path(target.get("src_path")?)?,
        package: path(message.get("manifest_path")?)?.parent()?.to_path_buf(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY_TEST: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/tests#failover-tests@0.1.0","manifest_path":"/w/tests/Cargo.toml","target":{"kind":["lib"],"crate_types":["lib"],"name":"failover_tests","src_path":"/w/tests/src/lib.rs","edition":"2024","doc":true,"doctest":true,"test":true},"profile":{"opt_level":"0","debuginfo":1,"test":true},"features":[],"filenames":["/w/target/debug/deps/failover_tests-1"],"executable":"/w/target/debug/deps/failover_tests-1","fresh":false}"#;

    #[test]
    fn artifact_of_a_library_test() {
        assert_eq!(
            parse_artifact(LIBRARY_TEST),
            Some(Artifact {
                name: "failover_tests".to_owned(),
                is_library: true,
                is_test: true,
                source: "/w/tests/src/lib.rs".into(),
                package: "/w/tests".into(),
                executable: "/w/target/debug/deps/failover_tests-1".into(),
            })
        );
    }

    #[test]
    fn other_messages_are_passed_over() {
        let without_executable = LIBRARY_TEST.replace(
            r#""executable":"/w/target/debug/deps/failover_tests-1""#,
            r#""executable":null"#,
        );
        assert_eq!(parse_artifact(&without_executable), None);
        assert_eq!(
            parse_artifact(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(parse_artifact("   Compiling something"), None);
    }

    #[test]
    fn only_network_and_manners_are_inherited() {
        for gone in [
            "RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
        ] {
            assert!(changes_the_build(OsStr::new(gone)), "{gone}");
        }
        for kept in [
            "CARGO_HOME",
            "CARGO_HTTP_PROXY",
            "CARGO_NET_OFFLINE",
            "PATH",
            "RUSTUP_HOME",
        ] {
            assert!(!changes_the_build(OsStr::new(kept)), "{kept}");
        }
    }
}
