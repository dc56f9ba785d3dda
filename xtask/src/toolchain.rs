//! Toolchains that can compile the kernel program: which there are, and which one to take.
//!
//! The BPF target has no precompiled core library in rustup, so a toolchain must bring one:
//! either as source, which a nightly compiles along (`-Z build-std`), or compiled, as Debian's
//! `libstd-rust-web-dev-bpf` has it. Nothing is remembered between runs: looking takes a
//! fraction of a second, and a record could be wrong.

mod facts;

use std::iter;
use std::path::PathBuf;

use anyhow::{Result, anyhow};

use crate::workspace::Workspace;
use facts::Facts;

/// The target of the kernel program.
pub(crate) const TARGET: &str = "bpfel-unknown-none";
/// The nightly that setup installs where rustup can.
pub(crate) const PINNED_NIGHTLY: &str = "nightly-2026-05-19";
/// The LLVM that the pinned bpf-linker was written for. It reads the compiler's bitcode, which an
/// older LLVM cannot, and calls LLVM's functions, which a newer one may have changed.
const LLVM_MAJOR: u32 = 22;

/// How a toolchain provides the core library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Core {
    /// As source, in a nightly of rustup.
    Source,
    /// Compiled, in the distribution's rustc.
    Compiled,
}

/// A toolchain that qualifies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Toolchain {
    /// What to call it.
    pub(crate) name: String,
    /// Its compiler.
    pub(crate) rustc: PathBuf,
    /// How it provides the core library.
    pub(crate) core: Core,
    /// The LLVM library that its compiler loads, for bpf-linker to load too.
    pub(crate) llvm: PathBuf,
}

impl Toolchain {
    /// Its own cargo; the distribution's rustc is driven by the caller's.
    pub(crate) fn cargo(&self) -> Option<PathBuf> {
        (self.core == Core::Source).then(|| self.rustc.with_file_name("cargo"))
    }
}

/// Takes the first toolchain that qualifies: the pinned nightly, any other, the distribution's.
/// Where none does, returns for each why not.
pub(crate) fn find(workspace: &Workspace) -> Result<Toolchain, Vec<String>> {
    let nightlies = facts::installed_nightlies();
    // Looked at only as far as necessary: every look starts a compiler.
    choose(
        nightlies
            .iter()
            .map(|directory| facts::of_nightly(directory))
            .chain(iter::once_with(facts::of_system))
            .chain(facts::of_unpacked(workspace)),
    )
}

/// What an installation of the pinned nightly left behind that was cut short, if it was. rustup
/// neither removes nor repairs that.
pub(crate) fn unfinished_nightly() -> Option<PathBuf> {
    facts::installed_nightlies().into_iter().find(|directory| {
        facts::file_name(directory).starts_with(PINNED_NIGHTLY)
            // A link is somebody's own toolchain, which has no list of components.
            && !directory.is_symlink()
            && !facts::component_list(directory).exists()
    })
}

fn choose(candidates: impl Iterator<Item = Facts>) -> Result<Toolchain, Vec<String>> {
    let mut objections = Vec::new();
    for facts in candidates {
        let name = facts.name.clone();
        match qualify(facts) {
            Ok(toolchain) => return Ok(toolchain),
            Err(objection) => objections.push(format!("{name}: {objection:#}")),
        }
    }
    Err(objections)
}

fn qualify(facts: Facts) -> Result<Toolchain> {
    // Said before the core library: installing it would not help a compiler that doesn't run.
    let version = facts.version?;
    let llvm_version = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .ok_or_else(|| anyhow!("its compiler is not built on LLVM"))?;
    let major = llvm_version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major != Some(LLVM_MAJOR) {
        return Err(anyhow!(
            "it has LLVM {llvm_version}, and bpf-linker needs {LLVM_MAJOR}"
        ));
    }
    if !facts.has_core {
        return Err(anyhow!(
            "it lacks the core library for {TARGET} ({})",
            facts.core_package
        ));
    }
    let llvm = facts
        .llvm
        .ok_or_else(|| anyhow!("it has no LLVM library that can be shared"))?;
    Ok(Toolchain {
        name: facts.name,
        rustc: facts.rustc,
        core: facts.core,
        llvm,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, llvm_version: &str, has_core: bool) -> Facts {
        Facts {
            name: name.to_owned(),
            rustc: PathBuf::from(name).join("bin/rustc"),
            core: Core::Source,
            has_core,
            core_package: "component rust-src",
            version: Ok(format!("rustc 1.97.0\nLLVM version: {llvm_version}\n")),
            llvm: Some("/lib/libLLVM.so".into()),
        }
    }

    #[test]
    fn first_that_qualifies_is_taken() {
        let candidates = [
            facts("without-core", "22.1.4", false),
            facts("older", "21.1.0", true),
            facts("newer", "23.0.0", true),
            facts("good", "22.1.4", true),
            facts("never-asked", "22.1.4", true),
        ];
        let chosen = choose(candidates.into_iter()).expect("two of them qualify");
        assert_eq!(chosen.name, "good");
        assert_eq!(chosen.cargo(), Some("good/bin/cargo".into()));
    }

    #[test]
    fn every_objection_is_told() {
        let broken = Facts {
            version: Err(anyhow!("not installed")),
            ..facts("gone", "", true)
        };
        let closed = Facts {
            llvm: None,
            ..facts("closed", "22.1.4", true)
        };
        let candidates = [
            facts("bare", "22.1.4", false),
            facts("old", "19.1.7", true),
            broken,
            closed,
        ];
        let objections = choose(candidates.into_iter()).expect_err("none of them qualifies");
        assert_eq!(
            objections,
            [
                "bare: it lacks the core library for bpfel-unknown-none (component rust-src)",
                "old: it has LLVM 19.1.7, and bpf-linker needs 22",
                "gone: not installed",
                "closed: it has no LLVM library that can be shared",
            ]
        );
    }
}
