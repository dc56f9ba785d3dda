//! All that the guest has: the programs with their libraries, and the modules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::modules::Module;
use crate::process;

/// Directory of the programs in the guest.
pub(super) const PROGRAMS: &str = "/bin";
/// Where `failover-lab guest` looks for modules, which it loads in the order of their names.
const MODULES: &str = "modules";

/// Packs them. The guest's programs find their libraries where the host's do.
pub(super) fn pack(programs: &[&Path], modules: &[Module]) -> Result<Vec<u8>> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for program in programs {
        let name = program
            .file_name()
            .with_context(|| format!("{} is no file", program.display()))?;
        let place = format!("{PROGRAMS}/{}", name.to_string_lossy());
        files.push((place, read(program)?));
    }
    for library in libraries(programs)? {
        files.push((library.display().to_string(), read(&library)?));
    }
    for (number, module) in modules.iter().enumerate() {
        let place = format!("{MODULES}/{number:02}-{}.ko", module.name);
        files.push((place, module.content.clone()));
    }

    let mut archive = Archive::default();
    let mut directories = BTreeSet::from([MODULES.to_owned()]);
    for (path, _) in &files {
        directories.extend(parents(path));
    }
    // In their order, each comes after those above it.
    for directory in &directories {
        archive.directory(directory)?;
    }
    for (path, content) in &files {
        archive.file(path.trim_start_matches('/'), content)?;
    }
    archive.finish()
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// All directories above a file, without the slash that they begin with.
fn parents(path: &str) -> Vec<String> {
    Path::new(path.trim_start_matches('/'))
        .ancestors()
        .skip(1)
        .map(|directory| directory.display().to_string())
        .filter(|directory| !directory.is_empty())
        .collect()
}

/// The libraries of all programs, and what loads them.
fn libraries(programs: &[&Path]) -> Result<BTreeSet<PathBuf>> {
    let mut libraries = BTreeSet::new();
    for program in programs {
        let listed = process::capture(Command::new("ldd").arg(program))?;
        let listed = parse_libraries(&listed)
            .with_context(|| format!("{} can't run even here", program.display()))?;
        libraries.extend(listed);
    }
    Ok(libraries)
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
    fn directories_of_a_file() {
        assert_eq!(parents("/lib/x/libc.so.6"), ["lib/x", "lib"]);
        assert!(parents("init").is_empty());
    }
}
