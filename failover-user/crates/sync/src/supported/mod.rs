//! What the gateway that is installed here can use: a generation of a newer one would not open, and a takeover with it
//! would fail. It is learned from the databases that the local gateway has written.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use crate::{
    database,
    failure::Failure,
    files,
    generation::Manifest,
    local,
    outcome::{Fit, Outcome, Refused},
    spec::Spec,
    store::{Store, StoreError},
};

const NAME: &str = "supported.json";
/// In bytes.
const LONGEST: u64 = 1 << 20;
/// Of a unit file, in bytes.
const LONGEST_UNIT: u64 = 256 << 10;
/// How OpenClaw notes its version in its unit file (2026.9.6, measured).
const VERSION: &str = "OPENCLAW_SERVICE_VERSION=";
/// Of a version, in characters.
const LONGEST_VERSION: usize = 64;

/// What the local gateway wrote when it ran last.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Supported {
    /// Its version, where it is known.
    pub gateway_version: Option<String>,
    /// Its databases with their schema numbers.
    pub databases: BTreeMap<PathBuf, i64>,
}

/// What is known of the gateway that is installed here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installed {
    /// The version that would be started.
    pub(crate) version: Option<String>,
    /// What was learned, of this or another version.
    pub(crate) supported: Option<Supported>,
}

/// Notes what the local gateway writes.
pub(crate) fn learn(spec: &Spec, store: &Store, deadline: Instant) -> Result<Outcome, Failure> {
    let mut databases = BTreeMap::new();
    for path in local::databases(&spec.state, deadline)? {
        let real = local::real(&path).map_err(Failure::file("opening", &path))?;
        // One that can't be read now says nothing.
        if let Ok(number) = database::user_version_of(&real, deadline) {
            databases.insert(path, number);
        }
    }
    let supported = Supported {
        gateway_version: installed_version(spec),
        databases,
    };
    let outcome = Outcome::Learned {
        gateway_version: supported.gateway_version.clone(),
        databases: supported.databases.len(),
    };
    if !supported.databases.is_empty() {
        write(store, &supported)?;
    }
    Ok(outcome)
}

/// Reads what is known.
pub(crate) fn installed(spec: &Spec, store: &Store) -> Result<Installed, Failure> {
    let path = store.path().join(NAME);
    let supported = match files::read(&path, LONGEST) {
        // What can't be read any more is learned again.
        Ok(text) => serde_json::from_slice(&text).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::file("reading", &path)(error)),
    };
    Ok(Installed {
        version: installed_version(spec),
        supported,
    })
}

fn write(store: &Store, supported: &Supported) -> Result<(), StoreError> {
    let path = store.path().join(NAME);
    let text = serde_json::to_vec(supported)
        .map_err(|error| StoreError::io("writing", &path)(error.into()))?;
    files::replace(&path, &text).map_err(StoreError::io("writing", &path))
}

/// The version in the unit file.
fn installed_version(spec: &Spec) -> Option<String> {
    let text = files::read(spec.unit_file.as_ref()?, LONGEST_UNIT).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (_, rest) = text.split_once(VERSION)?;
    let is_of_version = |one: char| one.is_ascii_alphanumeric() || ".-+_".contains(one);
    let version: String = rest.chars().take_while(|one| is_of_version(*one)).collect();
    (!version.is_empty() && version.len() <= LONGEST_VERSION).then_some(version)
}

impl Installed {
    /// How a generation fits.
    ///
    /// # Errors
    /// When it is of a newer gateway, or has a newer schema than the local gateway writes.
    pub(crate) fn fit(&self, manifest: &Manifest) -> Result<Fit, Refused> {
        let refused = |reason: String| Refused {
            number: manifest.number,
            reason,
        };
        let (source, local) = (manifest.gateway_version.clone(), self.version.clone());
        let versions = source.as_deref().zip(local.as_deref());
        let order = versions.and_then(|(source, local)| compare(source, local));
        if let (Some(Ordering::Greater), Some((source, local))) = (order, versions) {
            return Err(refused(format!(
                "it is of version {source}, and {local} is installed here; install {source}"
            )));
        }
        let Some(supported) = &self.supported else {
            return Ok(Fit::Unknown { source, local });
        };
        let is_of_this_version = supported.gateway_version == self.version;
        let mut is_older = order == Some(Ordering::Less);
        let mut is_unknown = !is_of_this_version;
        for (path, number) in &manifest.databases {
            match supported
                .number(path)
                .map(|known| (number.cmp(&known), known))
            {
                Some((Ordering::Greater, known)) if is_of_this_version => {
                    return Err(refused(format!(
                        "{} has schema {number}, and the gateway here writes {known}; install the version that the other host has",
                        path.display()
                    )));
                }
                Some((Ordering::Greater, _)) | None => is_unknown = true,
                Some((Ordering::Less, _)) => is_older = true,
                Some((Ordering::Equal, _)) => {}
            }
        }
        Ok(match (is_unknown, is_older) {
            (true, _) => Fit::Unknown { source, local },
            (false, true) => Fit::Older { source, local },
            (false, false) => Fit::Same,
        })
    }
}

impl Supported {
    /// Of this database, or the highest of those of the same name: each agent has one.
    fn number(&self, path: &Path) -> Option<i64> {
        let of_name = (self.databases.iter())
            .filter(|(other, _)| other.file_name() == path.file_name())
            .map(|(_, number)| *number);
        self.databases.get(path).copied().max(of_name.max())
    }
}

/// Compares versions number by number (2026.9.6, 2026.10.1-beta.2); `None` for what isn't one.
fn compare(one: &str, other: &str) -> Option<Ordering> {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let release = text.split(['-', '+']).next()?;
        release
            .split('.')
            .map(|number| number.parse().ok())
            .collect()
    };
    Some(numbers(one)?.cmp(&numbers(other)?))
}

#[cfg(test)]
mod tests;
