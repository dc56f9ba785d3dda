//! Debian's kernels, unpacked in `target/kernels/`: which one is meant, and getting it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};

use super::archive::Archive;

/// Package names are this and the release of the kernel.
const PREFIX: &str = "linux-image-";
/// Kernels for virtual machines: small, and quick to start.
const FLAVOUR: &str = "-cloud-";
/// All of them, and no packages that only point to another.
const PATTERN: &str = r"^linux-image-[0-9]+\.[0-9]+\.[0-9].*-cloud-[a-z0-9]+$";

/// Which kernel to take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    /// The newest of all.
    Newest,
    /// The newest whose version begins with these numbers.
    Version(String),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "newest" {
            return Ok(Self::Newest);
        }
        if text
            .split(['.', '-'])
            .any(|number| number.parse::<u64>().is_err())
        {
            return Err("write a version like 6.1 or 6.1.0-50, or `newest`".to_owned());
        }
        Ok(Self::Version(text.to_owned()))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Newest => "newest",
            Self::Version(version) => version,
        })
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
    pub(super) fn obtain(catalogue: &Catalogue<'_>, wanted: &Wanted) -> Result<Self> {
        let package = choose(&catalogue.packages, wanted).with_context(|| {
            format!(
                "Debian's archive has no kernel {wanted} for virtual machines; it has {}",
                versions(&catalogue.packages)
            )
        })?;
        let release = package.strip_prefix(PREFIX).unwrap_or(package);
        let unpacked = catalogue.archive.unpack(package, || {
            // From 7.x on the image itself is empty, and depends on its parts.
            let is_part = |name: &str| name.ends_with(release);
            catalogue.archive.with_dependencies(&[package], is_part)
        })?;
        Self::in_directory(release, &unpacked).with_context(|| {
            format!(
                "{} is not whole; remove it and try again",
                unpacked.display()
            )
        })
    }

    /// Newer packages have it all below /usr, older ones below / and /boot.
    fn in_directory(release: &str, unpacked: &Path) -> Result<Self> {
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
            directory: unpacked.parent().unwrap_or(unpacked).to_owned(),
        })
    }
}

/// The newest package that is meant.
fn choose<'a>(packages: &'a [String], wanted: &Wanted) -> Option<&'a str> {
    packages
        .iter()
        .filter(|package| match wanted {
            Wanted::Newest => true,
            Wanted::Version(version) => numbers(package).starts_with(&numbers(version)),
        })
        .max_by_key(|package| numbers(package))
        .map(String::as_str)
}

/// All numbers of a version, or of a package's, which order as the versions do: Debian's revision
/// comes last.
fn numbers(package: &str) -> Vec<u64> {
    let version = package.strip_prefix(PREFIX).unwrap_or(package);
    version
        .split(FLAVOUR)
        .next()
        .unwrap_or(version)
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
        .map(|numbers| {
            numbers
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(".")
        })
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
        .map(|version| format!("{PREFIX}{version}{FLAVOUR}amd64"))
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
            ("6.1.0-9", "6.1.0-9"),
        ] {
            let package = format!("{PREFIX}{version}{FLAVOUR}amd64");
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
}
