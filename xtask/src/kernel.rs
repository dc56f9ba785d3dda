//! Building the kernel programs into `target/kernel`.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::process;
use crate::setup::Tools;
use crate::steps::Work;
use crate::toolchain::{Core, TARGET};
use crate::workspace::Workspace;

/// The workspace's release profile is made for a small program on the host. bpf-linker does its
/// own link-time optimization.
const PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "none"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
    ("CARGO_PROFILE_RELEASE_LTO", "false"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
];

/// The programs of failover-ebpf, and the files that they become.
const OBJECTS: [(&str, &str); 2] = [
    ("failover-ebpf", "failover.o"),
    ("failover-stopper", "stopper.o"),
];

/// ELF's number for BPF (`EM_BPF`, include/uapi/linux/elf-em.h).
const ELF_MACHINE_BPF: u16 = 247;

/// Are they there, of whatever version?
pub(crate) fn is_built(workspace: &Workspace) -> bool {
    OBJECTS
        .iter()
        .all(|(_, name)| workspace.kernel_object(name).exists())
}

/// Builds the objects and puts them where the build script of failover-linux looks.
pub(crate) fn build(workspace: &Workspace, tools: &Tools) -> Result<Vec<PathBuf>> {
    let build_directory = workspace.kernel().join("build");
    let toolchain = &tools.toolchain;
    let cargo = toolchain.cargo().unwrap_or_else(cargo::program);

    let mut command = cargo::isolated(&cargo, workspace);
    command.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "failover-ebpf",
    ]);
    for (program, _) in OBJECTS {
        command.args(["--bin", program]);
    }
    command.args(["--target", TARGET]);
    command.arg("--target-dir").arg(&build_directory);
    match toolchain.core {
        Core::Source => {
            command.args(["-Z", "build-std=core"]);
        }
        // A stable compiler, and the BPF crates use features that have no stable name yet.
        Core::Compiled => {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
    }
    command
        .env("RUSTC", &toolchain.rustc)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            compiler_flags(workspace, tools).join("\x1f"),
        )
        .env(
            "LD_LIBRARY_PATH",
            llvm_directory(workspace, &toolchain.llvm)?,
        )
        .envs(PROFILE);
    let result = workspace
        .steps
        .tell(Work::KernelProgram, || process::run(&mut command));
    result.with_context(|| {
        format!(
            "cannot build the kernel program with {} (if the toolchain is to blame, remove it \
             and type: cargo xtask setup)",
            toolchain.name
        )
    })?;

    let built = build_directory.join(TARGET).join("release");
    OBJECTS
        .into_iter()
        .map(|(program, name)| {
            let destination = workspace.kernel_object(name);
            put(&built.join(program), &destination)?;
            Ok(destination)
        })
        .collect()
}

/// Puts an object in its place, if a loader can use it.
fn put(built: &Path, destination: &Path) -> Result<()> {
    let object = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    if let Err(objection) = check(&object) {
        bail!(
            "the kernel program in {} is unusable: {objection}",
            built.display()
        );
    }
    replace_if_different(destination, &object)
}

fn compiler_flags(workspace: &Workspace, tools: &Tools) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    // Two up from bin/rustc.
    let sysroot = tools.toolchain.rustc.ancestors().nth(2);
    let places = [
        (Some(workspace.root()), "."),
        (home.as_deref(), "cargo"),
        (sysroot, "toolchain"),
    ];

    let mut flags = vec![
        format!("-Clinker={}", tools.linker.display()),
        // No debug information, so no BTF of its own: kernels refuse Rust's type names in it
        // (`MaybeUninit<u8>`, "Invalid name", 6.18), and nothing needs it. A tenth of the size.
        "-Cdebuginfo=0".to_owned(),
    ];
    // Panic messages carry paths; without this machine's own, the same source makes the same object.
    flags.extend(places.into_iter().filter_map(|(place, name)| {
        Some(format!("--remap-path-prefix={}={name}", place?.display()))
    }));
    flags
}

/// A directory that holds nothing but the compiler's LLVM library.
///
/// bpf-linker takes the first `libLLVM*` in `LD_LIBRARY_PATH`, and the distribution's library
/// directory has several. The link's name is nobody else's, so no program loads it by chance.
fn llvm_directory(workspace: &Workspace, library: &Path) -> Result<PathBuf> {
    let directory = workspace.kernel().join("llvm");
    let link = directory.join("libLLVM-of-the-compiler.so");
    if fs::read_link(&link).ok().as_deref() == Some(library) {
        return Ok(directory);
    }
    let create = || -> io::Result<()> {
        fs::create_dir_all(&directory)?;
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(library, &link)
    };
    create().with_context(|| format!("cannot make {}", link.display()))?;
    Ok(directory)
}

/// Whether this is what a loader of BPF programs can use.
fn check(object: &[u8]) -> Result<(), &'static str> {
    if !object.starts_with(b"\x7fELF") {
        return Err("it is no ELF file");
    }
    let machine = object.get(18..20).and_then(|bytes| bytes.try_into().ok());
    if machine.map(u16::from_le_bytes) != Some(ELF_MACHINE_BPF) {
        return Err("it is not for BPF");
    }
    // Section names stand in the file as they are, each ended by a zero.
    if !object.windows(11).any(|window| window == b"tracepoint\0") {
        return Err("it has no tracepoint programs");
    }
    Ok(())
}

/// Writes `content` unless it is there already: a new date alone would make cargo rebuild
/// everything that embeds the file. The file appears whole or not at all.
fn replace_if_different(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, content)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(machine: u16, section: &[u8]) -> Vec<u8> {
        let mut object = b"\x7fELF".to_vec();
        object.resize(18, 0);
        object.extend(machine.to_le_bytes());
        object.extend(section);
        object
    }

    #[test]
    fn only_bpf_with_tracepoint_programs_is_usable() {
        assert_eq!(check(&object(ELF_MACHINE_BPF, b"tracepoint\0")), Ok(()));
        assert!(check(&object(62, b"tracepoint\0")).is_err());
        assert!(check(&object(ELF_MACHINE_BPF, b"\0.text\0")).is_err());
        assert!(check(b"BC\xc0\xde").is_err());
        assert!(check(b"\x7fELF").is_err());
    }

    #[test]
    fn equal_content_keeps_the_file() {
        let directory = std::env::temp_dir().join(format!("xtask-test-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("failover.o");
        replace_if_different(&file, b"one").unwrap();
        let first = file.metadata().unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        replace_if_different(&file, b"one").unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), first);
        replace_if_different(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            1,
            "nothing unfinished is left"
        );
        fs::remove_dir_all(&directory).unwrap();
    }
}
