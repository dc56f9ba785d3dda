//! Does a unit start at boot, and does a service manager run for it while its user isn't logged in? Read
//! from systemd's own files, so that it works while no service manager runs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use failover_linux::fs_credentials::FsCredentials;

use crate::gateway::{
    command::{account::Account, unit::Scope},
    port::identity::matches,
};

/// Limit for entries of a folder, more than any machine has units.
const MOST_ENTRIES: usize = 10_000;
/// Suffixes of the folders that list units to start with another (systemd.unit(5)).
const STARTERS: [&str; 3] = [".wants", ".requires", ".upholds"];
const OF_EVERY_USER: &str = "/etc/systemd/user";
const OF_SYSTEM: &str = "/etc/systemd/system";
/// Settings there are lost at the next boot.
const RUNTIME_OF_EVERY_USER: &str = "/run/systemd/user";
const RUNTIME_OF_SYSTEM: &str = "/run/systemd/system";
/// Folders of installed units, before and after the merge of `/usr`.
const INSTALLED_USER: [&str; 4] = [
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
    "/usr/local/share/systemd/user",
];
const INSTALLED_SYSTEM: [&str; 3] = [
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const LINGER: &str = "/var/lib/systemd/linger";

/// A unit that starts automatically.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enabled {
    /// Its name.
    pub unit: String,
    /// The service manager that starts it.
    pub scope: Scope,
    /// The link that enables it.
    pub link: PathBuf,
    /// The level at which it is enabled.
    pub by: EnabledBy,
}

/// The level at which a unit is enabled, and so how to disable it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EnabledBy {
    /// By the account; for a system unit, by the administrator.
    Owner,
    /// By the administrator, for every user.
    Everybody,
    /// Until the next boot.
    Runtime,
    /// In the folder that it is installed in.
    Installed,
}

/// The units of this name, in which `*` stands for anything, that start automatically: at boot, or for a user
/// unit when the account's service manager starts. A unit that is a user unit by default may have been
/// installed as a system unit, so those are searched, too.
#[must_use]
pub fn enabled_units(scope: Scope, name: &str, account: &Account) -> Vec<Enabled> {
    let mut found = Vec::new();
    if scope == Scope::User {
        {
            let _credentials = FsCredentials::of(account.uid(), account.gid());
            look(&own_folders(account), scope, name, &mut found);
        }
        look(&everybodys_folders(), scope, name, &mut found);
    }
    look(&system_folders(), Scope::System, name, &mut found);
    found
}

/// Adds the enabled units of the folders. A unit that is enabled twice is listed once, by its first link.
fn look(folders: &[(PathBuf, EnabledBy)], scope: Scope, name: &str, found: &mut Vec<Enabled>) {
    for (folder, by) in folders {
        for (unit, link) in wanted_in(folder) {
            let is_listed = found
                .iter()
                .any(|one| one.scope == scope && one.unit == unit);
            if matches(name, &unit) && !is_listed {
                let by = *by;
                found.push(Enabled {
                    unit,
                    scope,
                    link,
                    by,
                });
            }
        }
    }
}

/// The units of this name that have a file. Transient units aren't found.
#[must_use]
pub fn installed_units(scope: Scope, name: &str, account: &Account) -> BTreeSet<String> {
    let in_folders = |folders: &[(PathBuf, EnabledBy)]| -> BTreeSet<String> {
        let units = folders.iter().flat_map(|(folder, _)| entries(folder));
        let units = units.map(|(unit, _)| unit);
        units.filter(|unit| matches(name, unit)).collect()
    };
    match scope {
        Scope::User => {
            let mut units = {
                let _credentials = FsCredentials::of(account.uid(), account.gid());
                in_folders(&own_folders(account))
            };
            units.extend(in_folders(&everybodys_folders()));
            units
        }
        Scope::System => in_folders(&system_folders()),
    }
}

// Each with its own word first (systemd.unit(5)).

fn own_folders(account: &Account) -> [(PathBuf, EnabledBy); 3] {
    let runtime = PathBuf::from(format!("/run/user/{}/systemd/user", account.uid()));
    [
        (
            account.home().join(".config/systemd/user"),
            EnabledBy::Owner,
        ),
        (runtime, EnabledBy::Runtime),
        (
            account.home().join(".local/share/systemd/user"),
            EnabledBy::Installed,
        ),
    ]
}

fn everybodys_folders() -> Vec<(PathBuf, EnabledBy)> {
    let said = [
        (OF_EVERY_USER, EnabledBy::Everybody),
        (RUNTIME_OF_EVERY_USER, EnabledBy::Runtime),
    ];
    folders(&said, &INSTALLED_USER)
}

fn system_folders() -> Vec<(PathBuf, EnabledBy)> {
    let said = [
        (OF_SYSTEM, EnabledBy::Owner),
        (RUNTIME_OF_SYSTEM, EnabledBy::Runtime),
    ];
    folders(&said, &INSTALLED_SYSTEM)
}

fn folders(said: &[(&str, EnabledBy)], installed: &[&str]) -> Vec<(PathBuf, EnabledBy)> {
    let installed = installed
        .iter()
        .map(|folder| (*folder, EnabledBy::Installed));
    said.iter()
        .copied()
        .chain(installed)
        .map(|(folder, by)| (folder.into(), by))
        .collect()
}

/// Does the account have a service manager while it isn't logged in (loginctl(1))?
#[must_use]
pub fn is_lingering(account: &Account) -> bool {
    Path::new(LINGER).join(account.name()).exists()
}

/// Is this machine run by systemd (sd_booted(3))?
#[must_use]
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Units that are named in the folders of others, with what names them.
fn wanted_in(folder: &Path) -> Vec<(String, PathBuf)> {
    let starts = |name: &str| STARTERS.iter().any(|suffix| name.ends_with(suffix));
    let folders = entries(folder).filter(|(name, _)| starts(name));
    folders.flat_map(|(_, folder)| entries(&folder)).collect()
}

/// Names and paths of what is in a folder; nothing where it can't be read.
fn entries(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let entries = entries.take(MOST_ENTRIES).flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder as systemctl leaves it: one unit is enabled, one is only there.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for unit in ["a.service", "b.service"] {
            fs::write(folder.path().join(unit), "").unwrap();
        }
        let wants = folder.path().join("default.target.wants");
        fs::create_dir(&wants).unwrap();
        symlink(folder.path().join("a.service"), wants.join("a.service")).unwrap();
        // Settings of another unit are no word of a start.
        let settings = folder.path().join("b.service.d");
        fs::create_dir(&settings).unwrap();
        fs::write(settings.join("b.service"), "").unwrap();
        folder
    }

    #[test]
    fn a_unit_that_another_wants_is_enabled_and_one_that_is_only_there_is_not() {
        let folder = folder();
        let link = folder.path().join("default.target.wants/a.service");
        assert_eq!(
            wanted_in(folder.path()),
            [("a.service".to_owned(), link.clone())]
        );
        // Whether it leads anywhere is ignored: the name counts.
        fs::remove_file(folder.path().join("a.service")).unwrap();
        assert_eq!(wanted_in(folder.path()).len(), 1);
        assert_eq!(wanted_in(Path::new("/proc/nowhere")), []);
    }

    #[test]
    fn one_that_is_wanted_twice_is_told_once_by_the_first_that_says_so() {
        let (own, installed) = (folder(), folder());
        let folders = [
            (own.path().to_owned(), EnabledBy::Owner),
            (installed.path().to_owned(), EnabledBy::Installed),
        ];
        let found = |folders: &[_]| {
            let mut found = Vec::new();
            look(folders, Scope::User, "a*.service", &mut found);
            found.into_iter().map(|one| one.by).collect::<Vec<_>>()
        };
        assert_eq!(found(&folders), [EnabledBy::Owner]);
        assert_eq!(found(&folders[1..]), [EnabledBy::Installed]);
        assert_eq!(found(&[]), []);
    }
}
