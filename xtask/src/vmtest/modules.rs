//! Kernel modules: finding them in an unpacked kernel, with what they depend on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::setup;
use crate::workspace::Workspace;

/// A module, ready to be loaded.
pub(super) struct Module {
    /// Its name.
    pub(super) name: String,
    /// The ELF file.
    pub(super) content: Vec<u8>,
}

/// These modules and all that they need, in the order in which to load them. What is built into the
/// kernel is left out.
pub(super) fn collect(
    workspace: &Workspace,
    directory: &Path,
    names: &[&str],
) -> Result<Vec<Module>> {
    let mut search = Search {
        files: files_below(directory)?,
        builtin: fs::read_to_string(directory.join("modules.builtin")).unwrap_or_default(),
        workspace,
        directory,
        modules: Vec::new(),
    };
    for name in names {
        search.add(name)?;
    }
    Ok(search.modules)
}

struct Search<'a> {
    workspace: &'a Workspace,
    directory: &'a Path,
    files: Vec<PathBuf>,
    /// Paths, one a line.
    builtin: String,
    modules: Vec<Module>,
}

impl Search<'_> {
    /// Adds what the module needs, then the module. The kernel's modules depend on each other in no
    /// circles.
    fn add(&mut self, name: &str) -> Result<()> {
        if self.modules.iter().any(|module| module.name == name) {
            return Ok(());
        }
        let found = self
            .files
            .iter()
            .find(|file| module_name(file).as_deref() == Some(name));
        let Some(file) = found else {
            let is_builtin = |line: &str| module_name(Path::new(line)).as_deref() == Some(name);
            if self.builtin.lines().any(is_builtin) {
                return Ok(());
            }
            bail!(
                "the kernel has no module {name}, neither built in nor in {}",
                self.directory.display()
            );
        };
        let content = read(self.workspace, file)?;
        for dependency in dependencies(&content) {
            self.add(&dependency)?;
        }
        self.modules.push(Module {
            name: name.to_owned(),
            content,
        });
        Ok(())
    }
}

/// All files below a directory.
pub(super) fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let cannot = || format!("cannot read {}", directory.display());
        for entry in fs::read_dir(&directory).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            if entry.file_type().with_context(cannot)?.is_dir() {
                directories.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// The name of the module in a file, compressed or not. Dashes and underscores are the same to the
/// kernel.
fn module_name(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let stem = [".ko", ".ko.xz", ".ko.zst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))?;
    Some(stem.replace('-', "_"))
}

/// Reads a module. Not every kernel can decompress one by itself.
fn read(workspace: &Workspace, file: &Path) -> Result<Vec<u8>> {
    let (program, package) = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => ("xz", "xz-utils"),
        Some("zst") => ("zstd", "zstd"),
        _ => return fs::read(file).with_context(|| format!("cannot read {}", file.display())),
    };
    setup::program(
        workspace,
        program,
        package,
        "the kernel's modules are compressed with it",
    )?;
    let found = process::find_program(program);
    let output = Command::new(found.unwrap_or_else(|| program.into()))
        .args(["--decompress", "--stdout"])
        .arg(file)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} cannot decompress {}; see above", file.display());
    }
    Ok(output.stdout)
}

/// Names of the modules that one needs, from the `depends=` entry of its `.modinfo` section, which
/// holds strings, each ended by a zero.
fn dependencies(content: &[u8]) -> Vec<String> {
    const ENTRY: &[u8] = b"\0depends=";
    let Some(start) = content
        .windows(ENTRY.len())
        .position(|bytes| bytes == ENTRY)
    else {
        return Vec::new();
    };
    let entry = content.get(start + ENTRY.len()..).unwrap_or_default();
    let names = entry.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(names)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_kernel() {
        for (file, name) in [
            ("kernel/net/veth.ko", Some("veth")),
            ("kernel/net/veth.ko.xz", Some("veth")),
            ("kernel/net/tcp-diag.ko.zst", Some("tcp_diag")),
            ("modules.builtin", None),
        ] {
            assert_eq!(module_name(Path::new(file)).as_deref(), name, "{file}");
        }
    }

    #[test]
    fn dependencies_are_read_from_the_module() {
        let module = b"\x7fELF\0license=GPL\0depends=llc,x-y\0name=bridge\0";
        assert_eq!(dependencies(module), ["llc", "x_y"]);
        assert!(dependencies(b"\x7fELF\0depends=\0name=llc\0").is_empty());
        assert!(dependencies(b"\x7fELF").is_empty());
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let directory = std::env::temp_dir().join(format!("xtask-modules-{}", std::process::id()));
        let deep = directory.join("kernel/net");
        fs::create_dir_all(&deep).unwrap();
        for (name, depends) in [("bridge", "stp,llc"), ("stp", "llc"), ("llc", "")] {
            let content = format!("\0depends={depends}\0");
            fs::write(deep.join(format!("{name}.ko")), content).unwrap();
        }
        fs::write(directory.join("modules.builtin"), "kernel/net/veth.ko\n").unwrap();
        let workspace = Workspace::locate().unwrap();
        let modules = collect(&workspace, &directory, &["bridge", "veth", "llc"]).unwrap();
        let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["llc", "stp", "bridge"]);
        assert!(collect(&workspace, &directory, &["nothing"]).is_err());
        fs::remove_dir_all(&directory).unwrap();
    }
}
