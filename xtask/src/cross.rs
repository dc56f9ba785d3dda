//! Building for another processor than this machine's: the standard library, linker and C library
//! that it takes, obtained where missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::apt::{self, Unpacked};
use crate::cargo::{self, Profile};
use crate::process::{self, say};
use crate::steps::Work;
use crate::workspace::Workspace;

/// A processor to build for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// 64-bit ARM, as in a Raspberry Pi 3 or later
    Arm64,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::Arm64.triple();
        if text == known {
            return Ok(Self::Arm64);
        }
        Err(format!("nothing is built for `{text}`; write {known}"))
    }
}

impl Target {
    /// Rust's name for it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// GNU's compiler for it, which knows how to link.
    fn linker(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-linux-gnu-gcc",
        }
    }

    /// Debian's packages with the linker and the C library.
    fn packages(self) -> [&'static str; 2] {
        match self {
            Self::Arm64 => ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        }
    }

    /// A file of the second package.
    fn c_library(self) -> &'static Path {
        Path::new(match self {
            Self::Arm64 => "/usr/aarch64-linux-gnu/lib/libc.so",
        })
    }
}

/// Builds a program of the workspace for use on another processor.
pub(crate) fn build(
    workspace: &Workspace,
    target: Target,
    profile: Profile,
    package: &str,
    name: &str,
) -> Result<PathBuf> {
    obtain_standard_library(target)?;
    let linker = obtain_linker(workspace, target)?;
    let linker = format!(
        r#"target.{}.linker="{}""#,
        target.triple(),
        linker.display()
    );
    let arguments = [
        "build",
        "--profile",
        profile.name(),
        "--package",
        package,
        "--bin",
        name,
        "--target",
        target.triple(),
        "--config",
        &linker,
    ];
    let work = match profile {
        Profile::Release => Work::Lab,
        Profile::Small => Work::Product,
    };
    cargo::build_program(workspace, work, &arguments, name)
}

fn obtain_linker(workspace: &Workspace, target: Target) -> Result<PathBuf> {
    // On a machine of that kind its own C library is what is linked.
    let is_native = env::consts::ARCH == "aarch64" && target == Target::Arm64;
    let [package, _] = target.packages();
    let find = || {
        let unpacked = Unpacked::find(workspace, package);
        let unpacked = unpacked.map(|unpacked| unpacked.path(target.c_library()));
        let has_library =
            is_native || target.c_library().exists() || unpacked.is_some_and(|path| path.exists());
        process::find_program(target.linker()).filter(|_| has_library)
    };
    if let Some(linker) = find() {
        return Ok(linker);
    }
    say(&format!(
        "`{}` or its C library is missing; programs for {} are linked with them",
        target.linker(),
        target.triple()
    ));
    apt::install(workspace, &target.packages())?;
    find().with_context(|| {
        format!(
            "`{}` is still missing after its packages came",
            target.linker()
        )
    })
}

/// rustup has the standard library for every processor; a distribution's compiler rarely does.
fn obtain_standard_library(target: Target) -> Result<()> {
    if has_standard_library(target)? {
        return Ok(());
    }
    let triple = target.triple();
    if process::find_program("rustup").is_none() {
        bail!(
            "the Rust compiler here has no standard library for {triple}, and only rustup could \
             add it; install rustup, or build on such a machine"
        );
    }
    say(&format!(
        "installing the standard library for {triple} through rustup"
    ));
    let mut command = Command::new("rustup");
    command
        .args(["target", "add", triple])
        .env("RUSTUP_MAX_RETRIES", "1");
    process::run(&mut command).with_context(|| {
        format!(
            "cannot get the standard library for {triple}; where rustup can't reach its server, \
             build on such a machine"
        )
    })?;
    if !has_standard_library(target)? {
        bail!(
            "the standard library for {triple} is still missing: rustup's toolchain is not the one \
             that `rustc` runs; see `rustup show`"
        );
    }
    Ok(())
}

/// Whether the compiler that cargo runs has it.
fn has_standard_library(target: Target) -> Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", target.triple()]);
    let directory = process::capture(&mut command)?;
    // rustc tells where it would look, whether or not that is there.
    Ok(Path::new(directory.trim()).is_dir())
}
