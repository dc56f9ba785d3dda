//! All that the guest has: the programs with their libraries, and the modules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::cpio::Archive;
use super::modules::Module;
use super::programs::Files;

/// Where `failover-lab guest` looks for modules, which it loads in the order of their names.
const MODULES: &str = "modules";

/// Packs them.
pub(super) fn pack(programs: &Files, modules: &[Module]) -> Result<Vec<u8>> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (place, file) in programs {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        files.push((place.clone(), content));
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

/// All directories above a file, without the slash that they begin with.
fn parents(path: &str) -> Vec<String> {
    Path::new(path.trim_start_matches('/'))
        .ancestors()
        .skip(1)
        .map(|directory| directory.display().to_string())
        .filter(|directory| !directory.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_a_file() {
        assert_eq!(parents("/lib/x/libc.so.6"), ["lib/x", "lib"]);
        assert!(parents("init").is_empty());
    }
}
