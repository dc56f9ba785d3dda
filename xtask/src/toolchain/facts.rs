//! What there is on this machine in the way of toolchains.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow};

use super::{Core, PINNED_NIGHTLY, TARGET};
use crate::apt::Unpacked;
use crate::process;
use crate::workspace::Workspace;

/// What was found out about a toolchain.
pub(super) struct Facts {
    /// What to call it.
    pub(super) name: String,
    /// Its compiler.
    pub(super) rustc: PathBuf,
    /// How it would provide the core library.
    pub(super) core: Core,
    /// Whether that core library is there, completely.
    pub(super) has_core: bool,
    /// What to install to get it.
    pub(super) core_package: &'static str,
    /// Output of `rustc -vV`, or why there is none.
    pub(super) version: Result<String>,
    /// The LLVM library that its compiler loads.
    pub(super) llvm: Option<PathBuf>,
}

/// rustup's toolchains whose name says nightly, the pinned one first.
pub(super) fn installed_nightlies() -> Vec<PathBuf> {
    let home = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".rustup")));
    let mut directories: Vec<PathBuf> = home
        .and_then(|home| fs::read_dir(home.join("toolchains")).ok())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| file_name(path).starts_with("nightly"))
        .collect();
    directories.sort_by_key(|path| {
        let name = file_name(path);
        (!name.starts_with(PINNED_NIGHTLY), name)
    });
    directories
}

/// The list of a toolchain's components, which rustup writes when all of them are installed.
pub(super) fn component_list(directory: &Path) -> PathBuf {
    directory.join("lib/rustlib/multirust-config.toml")
}

/// Facts about one of rustup's toolchains.
pub(super) fn of_nightly(directory: &Path) -> Facts {
    let rustc = directory.join("bin/rustc");
    let rustlib = directory.join("lib/rustlib");
    // An installation that was cut short has the source there perhaps, but not in the list.
    let listed = fs::read_to_string(component_list(directory))
        .is_ok_and(|list| list.contains("\"rust-src\""));
    Facts {
        name: file_name(directory),
        core: Core::Source,
        has_core: listed
            && rustlib.join("src/rust/library/core/src/lib.rs").is_file()
            && directory.join("bin/cargo").is_file(),
        core_package: "component rust-src",
        version: process::capture(Command::new(&rustc).arg("-vV")),
        llvm: llvm_library_in(&directory.join("lib")),
        rustc,
    }
}

/// Facts about the distribution's compiler.
pub(super) fn of_system() -> Facts {
    let rustc = PathBuf::from("/usr/bin/rustc");
    let llvm = loaded_llvm(&rustc, &[]);
    of_distribution(rustc, llvm)
}

/// Facts about the distribution's compiler where it is unpacked and not installed.
pub(super) fn of_unpacked(workspace: &Workspace) -> Option<Facts> {
    let unpacked = Unpacked::find(workspace, "rustc-web")?;
    let program = unpacked.path(Path::new("/usr/bin/rustc"));
    let llvm = loaded_llvm(&program, &unpacked.library_folders());
    // The launcher, for the compiler doesn't find its libraries by itself.
    let launcher = workspace.packages().join("bin/rustc");
    Some(of_distribution(launcher, llvm))
}

fn of_distribution(rustc: PathBuf, llvm: Option<PathBuf>) -> Facts {
    let version = if rustc.exists() {
        process::capture(Command::new(&rustc).arg("-vV"))
    } else {
        Err(anyhow!("not installed"))
    };
    Facts {
        name: rustc.display().to_string(),
        core: Core::Compiled,
        has_core: version.is_ok() && has_compiled_core(&rustc),
        core_package: "package libstd-rust-web-dev-bpf of the same version",
        llvm,
        version,
        rustc,
    }
}

fn has_compiled_core(rustc: &Path) -> bool {
    let query = ["--print", "target-libdir", "--target", TARGET];
    process::capture(Command::new(rustc).args(query))
        .ok()
        .and_then(|directory| fs::read_dir(directory.trim()).ok())
        .is_some_and(|entries| {
            entries.flatten().any(|entry| {
                let name = file_name(&entry.path());
                name.starts_with("libcore-") && name.ends_with(".rlib")
            })
        })
}

/// The LLVM library in a toolchain's own `lib` directory.
fn llvm_library_in(directory: &Path) -> Option<PathBuf> {
    fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| file_name(path).starts_with("libLLVM"))
}

/// The LLVM library that a compiler of the distribution loads. Its directory often holds several
/// versions, so only the loader knows.
fn loaded_llvm(rustc: &Path, libraries: &[PathBuf]) -> Option<PathBuf> {
    let mut command = Command::new("ldd");
    command.arg(rustc);
    if !libraries.is_empty() {
        command.env("LD_LIBRARY_PATH", env::join_paths(libraries).ok()?);
    }
    parse_loaded_llvm(&process::capture(&mut command).ok()?)
}

fn parse_loaded_llvm(libraries: &str) -> Option<PathBuf> {
    libraries
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("libLLVM"))
        .find_map(|line| {
            line.split_once("=> ")?
                .1
                .split(" (")
                .next()
                .map(PathBuf::from)
        })
        .filter(|path| path.is_absolute())
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_library_from_the_loader() {
        let libraries = "\tlinux-vdso.so.1 (0x00007fff)\n\
                         \tlibLLVM.so.22.1 => /lib/x86_64-linux-gnu/libLLVM.so.22.1 (0x00007f00)\n";
        assert_eq!(
            parse_loaded_llvm(libraries),
            Some("/lib/x86_64-linux-gnu/libLLVM.so.22.1".into())
        );
        assert_eq!(parse_loaded_llvm("\tlibLLVM.so.22.1 => not found\n"), None);
        assert_eq!(
            parse_loaded_llvm("\tlibc.so.6 => /lib/libc.so.6 (0x00)\n"),
            None
        );
    }
}
