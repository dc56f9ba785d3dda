//! Debian's kernels, unpacked in `target/kernels/`: which one is meant, and getting it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result};

use super::archive::Archive;
use crate::process::{self, say};
use crate::workspace::Workspace;

/// Package names are PREFIX, release of the kernel. Those for virtual machines: small, and quick to
/// start.
const PREFIX: &str = "linux-image-";
const FLAVOUR: &str = "-cloud-amd64";
/// All of them, and no packages that only point to another.
const PATTERN: &str = r"^linux-image-[0-9]+\.[0-9]+\.[0-9].*-cloud-amd64$";

/// Which kernel to take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    /// The newest of all.
    Newest,
    /// The newest whose version begins so.
    Version(Vec<u64>),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "newest" {
            return Ok(Self::Newest);
        }
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        numbers
            .map(Self::Version)
            .map_err(|_| "write a version like 6.1 or 6.12.117, or `newest`".to_owned())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => formatter.write_str("newest"),
            Self::Version(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
                formatter.write_str(&numbers.join("."))
            }
        }
    }
}

/// The kernels that there are.
pub(super) struct Catalogue<'a> {
    archive: &'a Archive,
    packages: Vec<String>,
}

impl<'a> Catalogue<'a> {
    /// Looks them up.
    pub(super) fn read(archive: &'a Archive) -> Result<Self> {
        let packages = archive.search(PATTERN)?;
        Ok(Self { archive, packages })
    }
}

/// A kernel that can be booted.
pub(super) struct Kernel {
    /// As `uname -r` tells it.
    pub(super) release: String,
    /// What the boot loader loads.
    pub(super) image: PathBuf,
    /// Folder of its modules.
    pub(super) modules: PathBuf,
    /// Where this run's own files go.
    pub(super) directory: PathBuf,
}

impl Kernel {
    /// Finds the kernel that is meant, and downloads it unless it is there.
    pub(super) fn obtain(
        workspace: &Workspace,
        catalogue: &Catalogue<'_>,
        wanted: &Wanted,
    ) -> Result<Self> {
        let package = choose(&catalogue.packages, wanted).with_context(|| {
            format!(
                "Debian's archive has no kernel {wanted} for virtual machines; it has {}",
                versions(&catalogue.packages)
            )
        })?;
        let directory = workspace.guest_kernels().join(package);
        let unpacked = directory.join("unpacked");
        if !unpacked.exists() {
            fetch(catalogue.archive, package, &directory, &unpacked)?;
        }
        Self::in_directory(package, directory, &unpacked)
            .with_context(|| format!("{package} is not what it was; see {}", unpacked.display()))
    }

    /// Newer packages have it all below /usr, older ones below / and /boot.
    fn in_directory(package: &str, directory: PathBuf, unpacked: &Path) -> Result<Self> {
        let release = package.strip_prefix(PREFIX).unwrap_or(package);
        let first = |candidates: [String; 2], what: &str| {
            let mut candidates = candidates.into_iter().map(|path| unpacked.join(path));
            candidates
                .find(|path| path.exists())
                .with_context(|| format!("it has no {what}"))
        };
        let image = first(
            [
                format!("boot/vmlinuz-{release}"),
                format!("usr/lib/modules/{release}/vmlinuz"),
            ],
            "vmlinuz",
        )?;
        let modules = first(
            [
                format!("usr/lib/modules/{release}"),
                format!("lib/modules/{release}"),
            ],
            "modules",
        )?;
        Ok(Self {
            release: release.to_owned(),
            image,
            modules,
            directory,
        })
    }
}

/// Downloads and unpacks the package with those that it is made of. `unpacked` appears whole or not
/// at all.
fn fetch(archive: &Archive, package: &str, directory: &Path, unpacked: &Path) -> Result<()> {
    say(&format!("downloading {package}"));
    let unfinished = directory.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)
            .with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    let content = unfinished.join("content");
    fs::create_dir_all(&content).with_context(|| format!("cannot make {}", content.display()))?;
    archive.download(&with_parts(archive, package)?, &unfinished)?;
    let entries = fs::read_dir(&unfinished)
        .with_context(|| format!("cannot read {}", unfinished.display()))?;
    for entry in entries {
        let path = entry.context("cannot read a directory")?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            process::run(
                Command::new("dpkg")
                    .arg("--extract")
                    .arg(&path)
                    .arg(&content),
            )?;
        }
    }
    fs::rename(&content, unpacked)
        .with_context(|| format!("cannot make {}", unpacked.display()))?;
    fs::remove_dir_all(&unfinished)
        .with_context(|| format!("cannot remove {}", unfinished.display()))
}

/// The package, and all packages of the same kernel that it depends on. From 7.x on the image itself
/// is empty.
fn with_parts(archive: &Archive, package: &str) -> Result<Vec<String>> {
    let release = package.strip_prefix(PREFIX).unwrap_or(package);
    let mut known = vec![package.to_owned()];
    let mut next = 0;
    while let Some(part) = known.get(next) {
        for found in parts(&archive.show(part)?, release) {
            if !known.contains(&found) {
                known.push(found);
            }
        }
        next += 1;
    }
    Ok(known)
}

/// What a package depends on and is of the same kernel.
fn parts(stanza: &str, release: &str) -> Vec<String> {
    let depends = stanza
        .lines()
        .find_map(|line| line.strip_prefix("Depends:"));
    let names = depends
        .unwrap_or_default()
        .split([',', '|'])
        .filter_map(|dependency| dependency.split_whitespace().next());
    names
        .filter(|name| name.ends_with(release))
        .map(str::to_owned)
        .collect()
}

/// The newest package that is meant.
fn choose<'a>(packages: &'a [String], wanted: &Wanted) -> Option<&'a str> {
    packages
        .iter()
        .filter(|package| match wanted {
            Wanted::Newest => true,
            Wanted::Version(version) => numbers(package).starts_with(version),
        })
        .max_by_key(|package| numbers(package))
        .map(String::as_str)
}

/// All numbers of a package's version, which order as the versions do: Debian's revision comes last.
fn numbers(package: &str) -> Vec<u64> {
    let version = package.strip_prefix(PREFIX).unwrap_or(package);
    let version = version.strip_suffix(FLAVOUR).unwrap_or(version);
    version
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The versions that there are, to show to people: 5.10, 6.1, …
fn versions(packages: &[String]) -> String {
    let mut versions: Vec<Vec<u64>> = packages
        .iter()
        .map(|package| numbers(package).into_iter().take(2).collect())
        .collect();
    versions.sort();
    versions.dedup();
    let versions: Vec<String> = versions
        .into_iter()
        .map(|version| Wanted::Version(version).to_string())
        .collect();
    match versions.as_slice() {
        [] => "none at all".to_owned(),
        _ => versions.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages() -> Vec<String> {
        [
            "6.1.0-0.deb11.52",
            "6.1.0-50",
            "6.1.0-9",
            "6.12.107+deb13",
            "6.12.117+deb13",
            "7.2.13+deb14",
            "7.3.4+deb13",
            "5.10.0-46",
        ]
        .map(|version| format!("{PREFIX}{version}{FLAVOUR}"))
        .to_vec()
    }

    fn chosen(wanted: &str) -> Option<String> {
        let wanted: Wanted = wanted.parse().unwrap();
        choose(&packages(), &wanted).map(str::to_owned)
    }

    #[test]
    fn the_newest_that_is_meant_is_chosen() {
        for (wanted, version) in [
            ("newest", "7.3.4+deb13"),
            ("7.2", "7.2.13+deb14"),
            ("6", "6.12.117+deb13"),
            ("6.1", "6.1.0-50"),
            ("6.12.107", "6.12.107+deb13"),
            ("5.10", "5.10.0-46"),
        ] {
            let package = format!("{PREFIX}{version}{FLAVOUR}");
            assert_eq!(chosen(wanted), Some(package), "{wanted}");
        }
    }

    #[test]
    fn a_kernel_that_is_not_there_is_not_replaced_by_another() {
        assert_eq!(chosen("6.11"), None);
        assert_eq!(chosen("5.1"), None);
        assert_eq!(versions(&packages()), "5.10, 6.1, 6.12, 7.2, 7.3");
        assert_eq!(versions(&[]), "none at all");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        assert!("latest".parse::<Wanted>().is_err());
        assert!("6.1-rc1".parse::<Wanted>().is_err());
        assert!("".parse::<Wanted>().is_err());
    }

    #[test]
    fn parts_of_a_kernel_are_followed_and_nothing_else() {
        let stanza = "Package: linux-image-7.3.4+deb13-cloud-amd64\n\
            Depends: dracut | initramfs-tools (>= 0.120), linux-base-7.3.4+deb13-cloud-amd64 \
            (= 7.3.4-1), linux-modules-7.3.4+deb13-cloud-amd64 (= 7.3.4-1)\nSize: 1\n";
        assert_eq!(
            parts(stanza, "7.3.4+deb13-cloud-amd64"),
            [
                "linux-base-7.3.4+deb13-cloud-amd64",
                "linux-modules-7.3.4+deb13-cloud-amd64"
            ]
        );
        assert!(parts("Package: x\n", "7.3.4+deb13-cloud-amd64").is_empty());
    }
}
