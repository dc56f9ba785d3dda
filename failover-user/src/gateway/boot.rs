//! Does a unit start at boot, and is there a service manager to start it while nobody is logged in? Read
//! from where systemd keeps it, so that it is known while no service manager runs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{Account, Scope, eyes::Eyes, identity::matches};

/// More than any machine has units; a folder that is longer isn't systemd's.
const MOST_ENTRIES: usize = 10_000;
/// Where a unit is named to be started with another (systemd.unit(5)).
const STARTERS: [&str; 3] = [".wants", ".requires", ".upholds"];
const OF_EVERY_USER: &str = "/etc/systemd/user";
const OF_SYSTEM: &str = "/etc/systemd/system";
const INSTALLED_USER: [&str; 5] = [
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
    "/usr/local/share/systemd/user",
];
const INSTALLED_SYSTEM: [&str; 4] = [
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const LINGERING: &str = "/var/lib/systemd/linger";

/// A unit that is started at boot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enabled {
    /// Its name.
    pub unit: String,
    /// What says so.
    pub link: PathBuf,
    /// It is so for every user, not for the account alone.
    pub for_everybody: bool,
}

/// The units of this name, in which `*` stands for anything, that are started at boot; for a user's unit
/// that is once the account's service manager starts.
#[must_use]
pub fn enabled_units(scope: Scope, name: &str, account: &Account) -> Vec<Enabled> {
    // By unit: one that is wanted twice is told once, and the account's own word first.
    let mut found = BTreeMap::new();
    let mut look = |folder: &Path, for_everybody: bool| {
        for (unit, link) in wanted_in(folder) {
            if matches(name, &unit) {
                found.entry(unit.clone()).or_insert(Enabled {
                    unit,
                    link,
                    for_everybody,
                });
            }
        }
    };
    match scope {
        Scope::User => {
            {
                let _eyes = Eyes::of(account.uid(), account.gid());
                look(&own_folder(account), false);
            }
            look(Path::new(OF_EVERY_USER), true);
        }
        Scope::System => look(Path::new(OF_SYSTEM), false),
    }
    found.into_values().collect()
}

/// Is there a file of such a unit anywhere? One that is made while the machine runs isn't found.
#[must_use]
pub fn is_unit_installed(scope: Scope, name: &str, account: &Account) -> bool {
    let has = |folder: &Path| entries(folder).any(|(unit, _)| matches(name, &unit));
    match scope {
        Scope::User => {
            let own = {
                let _eyes = Eyes::of(account.uid(), account.gid());
                has(&own_folder(account)) || has(&account.home().join(".local/share/systemd/user"))
            };
            own || has(Path::new(OF_EVERY_USER))
                || INSTALLED_USER.map(Path::new).into_iter().any(has)
        }
        Scope::System => {
            has(Path::new(OF_SYSTEM)) || INSTALLED_SYSTEM.map(Path::new).into_iter().any(has)
        }
    }
}

/// Does the account have a service manager while it isn't logged in (loginctl(1))?
#[must_use]
pub fn is_lingering(account: &Account) -> bool {
    Path::new(LINGERING).join(account.name()).exists()
}

/// Is this machine run by systemd (sd_booted(3))?
#[must_use]
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn own_folder(account: &Account) -> PathBuf {
    account.home().join(".config/systemd/user")
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
        // Whether it leads anywhere is no matter: the name counts.
        fs::remove_file(folder.path().join("a.service")).unwrap();
        assert_eq!(wanted_in(folder.path()).len(), 1);
        assert_eq!(wanted_in(Path::new("/proc/nowhere")), []);
    }
}
