//! Packages that are unpacked and not installed: their files below `target/packages/<name>`, and for
//! each program a launcher in `target/packages/bin` that has it find its own libraries.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// Where Debian's packages have programs.
const PROGRAMS: [&str; 4] = ["usr/bin", "usr/sbin", "bin", "sbin"];
/// And libraries.
const LIBRARIES: [&str; 2] = ["usr/lib", "lib"];
/// Those that the loader itself belongs to: only this machine's own fit each other.
const LOADERS_OWN: [&str; 2] = ["libc6", "libc-bin"];

/// A set of packages that belong together, unpacked.
pub(crate) struct Unpacked {
    root: PathBuf,
}

impl Unpacked {
    /// Downloads and unpacks `new`, which is what `packages` come to here. It is kept for the next
    /// time, and is there whole or not at all.
    pub(super) fn make(workspace: &Workspace, packages: &[&str], new: &[String]) -> Result<()> {
        let name = packages.first().context("no package")?;
        let place = workspace.packages();
        let this = Self {
            root: place.join(name),
        };
        if !this.root.is_dir() {
            let download = place.join(format!("{name}.download"));
            let content = place.join(format!("{name}.unfinished"));
            for folder in [&download, &content] {
                remove(folder)?;
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
            }
            let wanted = new
                .iter()
                .filter(|package| !LOADERS_OWN.contains(&package.as_str()));
            download_and_unpack(wanted, &download, &content)?;
            remove(&download)?;
            fs::rename(&content, &this.root)
                .with_context(|| format!("cannot make {}", this.root.display()))?;
        }
        this.write_launchers(&place.join("bin"))
    }

    /// What was unpacked for a package, if it was.
    pub(crate) fn find(workspace: &Workspace, package: &str) -> Option<Self> {
        let root = workspace.packages().join(package);
        root.is_dir().then_some(Self { root })
    }

    /// Where a file is that would be at this absolute path if it were installed.
    pub(crate) fn path(&self, installed: &Path) -> PathBuf {
        let path = installed.strip_prefix("/").unwrap_or(installed);
        self.root.join(path)
    }

    /// For `LD_LIBRARY_PATH`. The folders that programs name themselves are below these.
    pub(crate) fn library_folders(&self) -> Vec<PathBuf> {
        let triplet = format!("{}-linux-gnu", env::consts::ARCH);
        LIBRARIES
            .iter()
            .map(|folder| self.root.join(folder))
            .flat_map(|folder| [folder.join(&triplet), folder])
            .filter(|folder| folder.is_dir())
            .collect()
    }

    fn write_launchers(&self, bin: &Path) -> Result<()> {
        let cannot = || format!("cannot write the launchers in {}", bin.display());
        fs::create_dir_all(bin).with_context(cannot)?;
        let libraries = env::join_paths(self.library_folders())
            .with_context(|| format!("a colon in {}", self.root.display()))?;
        let libraries = libraries.to_string_lossy().into_owned();
        for (name, program) in self.programs() {
            let mut command = vec![program];
            command.extend(self.system_root(&name));
            let script = launcher(&command, &libraries);
            let draft = bin.join(format!(".{name}.unfinished"));
            fs::write(&draft, script).with_context(cannot)?;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).with_context(cannot)?;
            fs::rename(&draft, bin.join(&name)).with_context(cannot)?;
        }
        Ok(())
    }

    /// What a cross compiler, `<triplet>-gcc`, needs to find its C library, which is named by the path
    /// that it has when installed.
    fn system_root(&self, name: &str) -> Option<PathBuf> {
        let triplet = name.strip_suffix("-gcc")?;
        let library = self.root.join("usr").join(triplet);
        let option = format!("--sysroot={}", self.root.display());
        library.is_dir().then(|| option.into())
    }

    /// By their names.
    fn programs(&self) -> Vec<(String, PathBuf)> {
        let mut names = BTreeSet::new();
        let mut programs = Vec::new();
        for folder in PROGRAMS {
            let entries = fs::read_dir(self.root.join(folder)).into_iter().flatten();
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                // Links that lead out of what is unpacked lead nowhere.
                if entry.path().is_file() && names.insert(name.clone()) {
                    let program = self.behind_script(&name, entry.path());
                    programs.push((name, program));
                }
            }
        }
        programs
    }

    /// Debian starts some programs, Chromium among them, by a script that knows them by the path that
    /// they have when installed; the program itself is in a folder of its own.
    fn behind_script(&self, name: &str, program: PathBuf) -> PathBuf {
        let own = self.root.join("usr/lib").join(name).join(name);
        match is_script(&program) && own.is_file() {
            true => own,
            false => program,
        }
    }
}

fn launcher(command: &[PathBuf], libraries: &str) -> String {
    let command: Vec<String> = command
        .iter()
        .map(|word| quoted(&word.display().to_string()))
        .collect();
    let (command, libraries) = (command.join(" "), quoted(libraries));
    format!(
        "#!/bin/sh\n\
         # Made by `cargo xtask`: the package of this program is unpacked and not installed.\n\
         LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         export LD_LIBRARY_PATH\n\
         exec {command} \"$@\"\n"
    )
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn is_script(file: &Path) -> bool {
    let mut first = [0; 2];
    fs::File::open(file)
        .and_then(|mut file| file.read_exact(&mut first))
        .is_ok_and(|()| first == *b"#!")
}

fn download_and_unpack<'a>(
    packages: impl Iterator<Item = &'a String>,
    download: &Path,
    content: &Path,
) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .current_dir(download)
        // Root's downloads would be those of an account that can't write here.
        .args(["--quiet", "--option", "APT::Sandbox::User=root", "download"])
        .args(packages);
    process::run(&mut command)?;
    let entries =
        fs::read_dir(download).with_context(|| format!("cannot read {}", download.display()))?;
    for entry in entries {
        let package = entry.context("cannot read a directory")?.path();
        let mut command = Command::new("dpkg");
        process::run(command.arg("--extract").arg(&package).arg(content))?;
    }
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
    fn a_launcher_has_its_program_find_its_libraries() {
        let root = env::temp_dir().join(format!("xtask it's-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let shown = "#!/bin/sh\necho \"$LD_LIBRARY_PATH|$*\"\n";
        write("usr/bin/show", shown);
        write(
            "usr/bin/browser",
            "#!/bin/sh\nexec /usr/lib/browser/browser\n",
        );
        write("usr/lib/browser/browser", shown);
        write("usr/bin/arm-gcc", shown);
        fs::create_dir_all(root.join("usr/arm/lib")).unwrap();
        fs::create_dir_all(root.join("lib")).unwrap();
        let unpacked = Unpacked { root: root.clone() };
        let bin = root.join("launchers");
        unpacked.write_launchers(&bin).unwrap();
        for name in ["show", "browser", "arm-gcc"] {
            let mut command = Command::new(bin.join(name));
            command.args(["a b", "c"]).env("LD_LIBRARY_PATH", "/other");
            let told = process::capture(&mut command).unwrap();
            let root = root.display();
            let option = match name {
                "arm-gcc" => format!("--sysroot={root} "),
                _ => String::new(),
            };
            let expected = format!("{root}/usr/lib:{root}/lib:/other|{option}a b c\n");
            assert_eq!(told, expected, "{name}");
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
