//! The programs that run in a guest, and the libraries that they load: from this machine where the
//! guest is of its kind, from Debian's archive where it is of another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::archive::Archive;
use super::modules::files_below;
use crate::cargo::Profile;
use crate::cross::{self, Target};
use crate::process;
use crate::workspace::Workspace;
use crate::{build, lab};

/// Directory of the programs in the guest.
pub(super) const DIRECTORY: &str = "/bin";

/// Files by their place in the guest.
pub(super) type Files = BTreeMap<String, PathBuf>;

/// Builds them for a machine like this one.
pub(super) fn native(workspace: &Workspace) -> Result<Files> {
    let programs = [
        build::product(workspace)?,
        lab::build(workspace)?,
        process::find_program("ip").context("`ip` is not there, though it was just now")?,
    ];
    let mut files = Files::new();
    for program in programs {
        let listed = process::capture(Command::new("ldd").arg(&program))?;
        let libraries = parse_libraries(&listed)
            .with_context(|| format!("{} can't run even here", program.display()))?;
        // The guest's programs find their libraries where the host's do.
        files.extend(
            libraries
                .into_iter()
                .map(|path| (path.display().to_string(), path)),
        );
        add_program(&mut files, program)?;
    }
    Ok(files)
}

/// Builds them for another kind of machine.
pub(super) fn foreign(workspace: &Workspace, archive: &Archive, target: Target) -> Result<Files> {
    let mut files = Files::new();
    for (profile, package, name) in [
        (Profile::Small, "failover", "failover"),
        (Profile::Release, "failover-tests", "failover-lab"),
    ] {
        let program = cross::build(workspace, target, profile, package, name)?;
        add_program(&mut files, program)?;
    }
    let unpacked = archive.unpack("userland", || {
        let is_library = |name: &str| {
            (name.starts_with("lib") || name.starts_with("zlib")) && !name.ends_with("-bin")
        };
        // Rust's programs want the second one.
        archive.with_dependencies(&["iproute2", "libgcc-s1"], is_library)
    })?;
    let found = files_below(&unpacked)?;
    let ip = found.iter().find(|file| file.ends_with("bin/ip"));
    let ip = ip.context("Debian's iproute2 has no `ip`")?;
    add_program(&mut files, ip.clone())?;
    for file in found {
        // A link may lead astray, to this machine's own.
        let is_inside = fs::canonicalize(&file).is_ok_and(|real| real.starts_with(&unpacked));
        if let Some(name) = library_name(&file).filter(|_| is_inside) {
            // Where the loader looks, and where programs look for the loader.
            files.insert(format!("/lib/{name}"), file);
        }
    }
    Ok(files)
}

fn add_program(files: &mut Files, program: PathBuf) -> Result<()> {
    let name = program
        .file_name()
        .with_context(|| format!("{} is no file", program.display()))?;
    let place = format!("{DIRECTORY}/{}", name.to_string_lossy());
    files.insert(place, program);
    Ok(())
}

/// The name of a library by which programs know it: with one number at its end.
fn library_name(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    let (_, number) = name.split_once(".so.")?;
    number.parse::<u32>().is_ok().then_some(name)
}

/// Reads the output of ldd(1). What has no path is in the kernel.
fn parse_libraries(listed: &str) -> Result<Vec<PathBuf>> {
    let mut libraries = Vec::new();
    for line in listed.lines() {
        if line.contains("not found") {
            bail!("a library is missing: {}", line.trim());
        }
        let path = line.split_whitespace().find(|word| word.starts_with('/'));
        libraries.extend(path.map(PathBuf::from));
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_their_loader_are_found() {
        let listed = "\tlinux-vdso.so.1 (0x00007f39c4738000)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f39c401e000)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f39c473a000)\n";
        assert_eq!(
            parse_libraries(listed).unwrap(),
            [
                PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"),
                PathBuf::from("/lib64/ld-linux-x86-64.so.2")
            ]
        );
        assert!(parse_libraries("\tstatically linked\n").unwrap().is_empty());
        assert!(parse_libraries("\tlibmnl.so.0 => not found\n").is_err());
    }

    #[test]
    fn libraries_are_taken_under_one_name() {
        let name = |file| library_name(Path::new(file));
        assert_eq!(name("usr/lib/x/libz.so.1"), Some("libz.so.1"));
        assert_eq!(
            name("lib/ld-linux-aarch64.so.1"),
            Some("ld-linux-aarch64.so.1")
        );
        assert_eq!(name("usr/lib/x/libz.so.1.3.1"), None);
        assert_eq!(name("usr/lib/x/libz.so"), None);
        assert_eq!(name("usr/share/doc/libz"), None);
    }
}
