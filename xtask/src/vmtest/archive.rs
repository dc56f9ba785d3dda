//! Debian's archive of kernels, through apt with lists of its own: what this machine has installed,
//! and where it installs from, stays as it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::machine::Machine;
use crate::apt::{self, Unpacked};
use crate::process::{self, say};
use crate::workspace::Workspace;

/// What signs the suites below; on each Debian.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where the kernels are, as of 2026: 5.10, 6.1, 6.12, all from 6.16 on, and the next Debian's.
const SUITES: [(Source, &str); 5] = [
    (Source::Security, "bullseye-security"),
    (Source::Main, "bookworm"),
    (Source::Main, "trixie"),
    (Source::Main, "trixie-backports"),
    (Source::Main, "sid"),
];

/// New kernels come a few times a month.
const LISTS_ARE_FRESH: Duration = Duration::from_secs(12 * 60 * 60);

/// Which of Debian's archives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    /// Releases.
    Main,
    /// Their security updates.
    Security,
}

/// apt with a private list of sources and a private state.
pub(super) struct Archive {
    /// Everything is below it.
    kernels: PathBuf,
    /// apt's own.
    directory: PathBuf,
}

impl Archive {
    /// Prepares the lists, and fetches them where they are missing or old.
    pub(super) fn open(workspace: &Workspace, machine: Machine) -> Result<Self> {
        let kernels = workspace.guest_kernels().join(machine.architecture());
        let archive = Self {
            directory: kernels.join("apt"),
            kernels,
        };
        let keyring = keyring(workspace)?;
        for part in ["state", "cache"] {
            let part = archive.directory.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        write(
            &archive.configuration(),
            &configuration(&archive.directory, machine.architecture()),
        )?;
        let sources = sources(&mirrors()?, &keyring);
        if fs::read_to_string(archive.sources()).ok().as_ref() != Some(&sources) {
            // The lists are those of other sources.
            let _ = fs::remove_file(archive.stamp());
            write(&archive.sources(), &sources)?;
        }
        if !archive.is_fresh() {
            archive.update()?;
        }
        Ok(archive)
    }

    /// Names of all packages that match a regular expression.
    pub(super) fn search(&self, pattern: &str) -> Result<Vec<String>> {
        let mut command = self.command("apt-cache");
        let found = process::capture(command.args(["search", "--names-only", pattern]))?;
        let names = found.lines().filter_map(|line| line.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }

    /// These packages, and all that they depend on and that are wanted.
    pub(super) fn with_dependencies(
        &self,
        packages: &[&str],
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let mut known = BTreeSet::new();
        let mut next: BTreeSet<String> = packages.iter().map(|&name| name.to_owned()).collect();
        while !next.is_empty() {
            let mut command = self.command("apt-cache");
            command.args(["show", "--no-all-versions"]).args(&next);
            let stanzas = process::capture(&mut command)?;
            known.append(&mut next);
            next.extend(
                dependencies(&stanzas)
                    .filter(|name| is_wanted(name) && !known.contains(*name))
                    .map(str::to_owned),
            );
        }
        Ok(known.into_iter().collect())
    }

    /// The unpacked content of packages: in a directory called `name`, where it stays for the next
    /// time. It appears whole or not at all.
    pub(super) fn unpack(
        &self,
        name: &str,
        packages: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<PathBuf> {
        let directory = self.kernels.join(name);
        let unpacked = directory.join("unpacked");
        if unpacked.exists() {
            return Ok(unpacked);
        }
        say(&format!("downloading {name}"));
        let unfinished = directory.join("unfinished");
        if unfinished.exists() {
            remove(&unfinished)?;
        }
        let content = unfinished.join("content");
        fs::create_dir_all(&content)
            .with_context(|| format!("cannot make {}", content.display()))?;
        self.download(&packages()?, &unfinished)?;
        let entries = fs::read_dir(&unfinished)
            .with_context(|| format!("cannot read {}", unfinished.display()))?;
        for entry in entries {
            let path = entry.context("cannot read a directory")?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                let mut command = Command::new("dpkg");
                process::run(command.arg("--extract").arg(&path).arg(&content))?;
            }
        }
        fs::rename(&content, &unpacked)
            .with_context(|| format!("cannot make {}", unpacked.display()))?;
        remove(&unfinished)?;
        Ok(unpacked)
    }

    /// Downloads packages into a directory.
    fn download(&self, packages: &[String], into: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        command
            .current_dir(into)
            .args(["--quiet", "download"])
            .args(packages);
        process::run(&mut command).with_context(|| {
            format!(
                "cannot download {}, which the archive's lists name; take another kernel, or \
                 remove {} to have new lists",
                packages.join(" "),
                self.stamp().display()
            )
        })
    }

    /// A suite may have gone from the mirror, and its kernel not be the one that is wanted. So this
    /// only tells, and the search for a kernel decides.
    fn update(&self) -> Result<()> {
        say("fetching the lists of Debian's kernels");
        let mut command = self.command("apt-get");
        match process::run(command.args(["--quiet", "update"])) {
            Ok(()) => write(&self.stamp(), ""),
            Err(error) => {
                say(&format!("{error}; going on with what is there"));
                Ok(())
            }
        }
    }

    fn is_fresh(&self) -> bool {
        let written = self.stamp().metadata().and_then(|stamp| stamp.modified());
        written
            .ok()
            .and_then(|written| written.elapsed().ok())
            .is_some_and(|age| age < LISTS_ARE_FRESH)
    }

    /// Its date is that of the lists.
    fn stamp(&self) -> PathBuf {
        self.directory.join("updated")
    }

    fn sources(&self) -> PathBuf {
        self.directory.join("sources.list")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("LC_ALL", "C")
            .arg("--config-file")
            .arg(self.configuration());
        command
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("apt.conf")
    }
}

/// What is different from this machine's apt. It is read last.
fn configuration(directory: &Path, architecture: &str) -> String {
    let directory = directory.display();
    format!(
        r#"Dir::Etc::SourceList "{directory}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "{directory}/state";
Dir::State::status "/dev/null";
Dir::Cache "{directory}/cache";
// Some containers are set up to have none. With it, a look takes a third of the time.
Dir::Cache::pkgcache "pkgcache.bin";
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
Acquire::Languages "none";
// The work tree may be closed to apt's own account.
APT::Sandbox::User "root";
// Nobody's business: these clean up after apt's usual work.
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"#
    )
}

fn write(file: &Path, content: &str) -> Result<()> {
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

fn remove(directory: &Path) -> Result<()> {
    fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))
}

/// The first choices of what packages depend on, in what apt-cache shows of them.
fn dependencies(stanzas: &str) -> impl Iterator<Item = &str> {
    stanzas
        .lines()
        .filter_map(|line| line.strip_prefix("Depends:"))
        .flat_map(|depends| depends.split(','))
        .filter_map(|dependency| dependency.split_whitespace().next())
}

/// Installed where it is missing.
fn keyring(workspace: &Workspace) -> Result<PathBuf> {
    const PACKAGE: &str = "debian-archive-keyring";
    let installed = Path::new(KEYRING);
    if !installed.exists() {
        apt::install(workspace, &[PACKAGE])?;
    }
    match Unpacked::find(workspace, PACKAGE) {
        Some(unpacked) if !installed.exists() => Ok(unpacked.path(installed)),
        _ => Ok(installed.to_owned()),
    }
}

/// Where this machine gets Debian from.
struct Mirrors {
    main: String,
    security: Option<String>,
}

/// Asks apt for the archives that call themselves Debian's: the sources may be in any of its
/// formats, and third parties' beside them.
fn mirrors() -> Result<Mirrors> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"]);
    parse_mirrors(&process::capture(&mut command)?)
}

fn parse_mirrors(targets: &str) -> Result<Mirrors> {
    let find = |wanted: &str| {
        targets.lines().find_map(|line| {
            let address = line.strip_prefix("Debian|")?.strip_prefix(wanted)?;
            Some(address.strip_prefix('|')?.to_owned())
        })
    };
    let Some(main) = find("Debian") else {
        bail!(
            "apt knows of no Debian archive on this machine, and the kernels come from there; on \
             Debian type `apt-get update` as root, elsewhere run this in a Debian container"
        );
    };
    Ok(Mirrors {
        main,
        security: find("Debian-Security"),
    })
}

/// The content of our sources.list.
fn sources(mirrors: &Mirrors, keyring: &Path) -> String {
    let mut text = String::new();
    for (source, suite) in SUITES {
        let address = match (source, &mirrors.security) {
            (Source::Main, _) => &mirrors.main,
            (Source::Security, Some(security)) => security,
            (Source::Security, None) => {
                say(&format!(
                    "apt has no security updates here, so {suite} is left out"
                ));
                continue;
            }
        };
        text.push_str(&format!(
            "deb [signed-by={} target=Packages] {address} {suite} main\n",
            keyring.display()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
        Docker|Docker CE|https://elsewhere.invalid/linux/debian/\n\
        Debian|Debian-Security|http://mirror.invalid/debian-security/\n\
        Debian|Debian|http://mirror.invalid/debian/\n\
        Debian|Debian|http://second.invalid/debian/\n";

    #[test]
    fn mirrors_are_debians_own() {
        let mirrors = parse_mirrors(TARGETS).unwrap();
        assert_eq!(mirrors.main, "http://mirror.invalid/debian/");
        let security = mirrors.security.unwrap();
        assert_eq!(security, "http://mirror.invalid/debian-security/");
        assert!(parse_mirrors("Ubuntu|Ubuntu|http://mirror.invalid/ubuntu/\n").is_err());
    }

    #[test]
    fn each_suite_comes_from_its_archive() {
        let text = sources(&parse_mirrors(TARGETS).unwrap(), Path::new(KEYRING));
        assert_eq!(text.lines().count(), SUITES.len());
        assert!(text.contains("] http://mirror.invalid/debian-security/ bullseye-security main\n"));
        assert!(text.contains("] http://mirror.invalid/debian/ sid main\n"));
    }

    #[test]
    fn security_updates_may_be_missing() {
        let mirrors = parse_mirrors("Debian|Debian|http://mirror.invalid/debian/\n").unwrap();
        assert!(!sources(&mirrors, Path::new(KEYRING)).contains("bullseye"));
    }

    #[test]
    fn dependencies_are_the_first_choices() {
        let stanzas = "Package: linux-image-7\nVersion: 7\nDepends: dracut | initramfs-tools \
            (>= 0.120), linux-base-7 (= 7.3.4-1)\n\nPackage: linux-base-7\nSize: 1\n\n\
            Package: x\nDepends: libc6\n";
        let found: Vec<&str> = dependencies(stanzas).collect();
        assert_eq!(found, ["dracut", "linux-base-7", "libc6"]);
    }
}
