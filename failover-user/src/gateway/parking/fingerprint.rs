//! What a gateway has read by the time it is parked, and won't notice a change of: its program, its configuration,
//! and the files of its unit. Compared by what stat(2) says, never by reading.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use failover_linux::fs_credentials::FsCredentials;
use serde::{Deserialize, Serialize};

use crate::gateway::{
    command::account::Account,
    parking::{drop_in, facts::Facts, group},
};

/// More files than a unit with its drop-ins and words has.
const MOST: usize = 128;
/// PATH_MAX.
const LONGEST_PATH: usize = 4096;
/// OpenClaw's, below its account's home.
const OPENCLAW_FILES: [&str; 3] = [
    ".openclaw/openclaw.json",
    ".openclaw/.env",
    ".openclaw/secrets.json",
];

/// Files with what they were; `None`: there was none.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Fingerprint(Vec<(String, Option<Stamp>)>);

/// What tells a file from the one that was there before (stat(2)).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// In bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified: i64,
}

impl FromIterator<(String, Option<Stamp>)> for Fingerprint {
    fn from_iter<I: IntoIterator<Item = (String, Option<Stamp>)>>(files: I) -> Self {
        Self(files.into_iter().take(MOST).collect())
    }
}

impl Fingerprint {
    /// Of the gateway of this unit, with the rights of its account.
    pub(super) fn of(facts: &Facts, account: Option<&Account>) -> Self {
        let words = facts.command.iter().filter(|word| word.starts_with('/'));
        let units = facts.files.iter();
        let home = account.map(Account::home).filter(|home| home.is_absolute());
        let own = home
            .into_iter()
            .flat_map(|home| OPENCLAW_FILES.map(|file| home.join(file)));
        let mut paths: Vec<String> = words
            .chain(units)
            .cloned()
            .chain(own.filter_map(|path| path.into_os_string().into_string().ok()))
            .filter(|path| path.len() < LONGEST_PATH && Path::new(path).is_absolute())
            // It comes and goes with the parking itself.
            .filter(|path| !path.ends_with(drop_in::NAME))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let _rights = credentials(account);
        paths
            .into_iter()
            .map(|path| (stamp(&path), path))
            .map(|(stamp, path)| (path, stamp))
            .collect()
    }

    /// The first file that isn't any longer what it was.
    pub(crate) fn changed(&self, account: Option<&Account>) -> Option<PathBuf> {
        let _rights = credentials(account);
        let changed = self.0.iter().find(|(path, before)| stamp(path) != *before);
        changed.map(|(path, _)| PathBuf::from(path))
    }

    /// Of bounded size, and of files that a path leads to from anywhere.
    pub(super) fn is_sane(&self) -> bool {
        let is_path = |path: &str| path.len() < LONGEST_PATH && path.starts_with('/');
        self.0.len() <= MOST
            && self
                .0
                .iter()
                .all(|(path, _)| is_path(path) && !path.contains('\0'))
    }
}

fn credentials(account: Option<&Account>) -> FsCredentials {
    let (uid, gid) = group::rights(account);
    FsCredentials::of(uid, gid)
}

fn stamp(path: &str) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some(Stamp {
        device: file.dev(),
        inode: file.ino(),
        size: file.size(),
        modified: file
            .mtime()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(file.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_what_was_read_is_noticed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [program, unit, missing, ours] = ["program", "a.service", "missing", drop_in::NAME]
            .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        for file in [&program, &unit, &ours] {
            fs::write(file, "1").unwrap();
        }
        let facts = Facts {
            command: vec![program.clone(), "gateway".to_owned(), missing.clone()],
            files: vec![unit.clone(), ours.clone()],
            ..Facts::default()
        };
        let before = Fingerprint::of(&facts, None);
        assert!(before.is_sane());
        assert_eq!(before.changed(None), None);
        fs::remove_file(&ours).unwrap();
        assert_eq!(
            before.changed(None),
            None,
            "the drop-in of the parking itself"
        );
        fs::write(&missing, "").unwrap();
        assert_eq!(before.changed(None), Some(missing.clone().into()));
        fs::remove_file(&missing).unwrap();
        // As a package manager does it.
        fs::write(folder.path().join("new"), "1").unwrap();
        fs::rename(folder.path().join("new"), &program).unwrap();
        assert_eq!(before.changed(None), Some(program.into()));
    }
}
