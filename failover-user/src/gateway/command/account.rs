//! The account of the gateway: its IDs, and the environment of commands that run as it.
//!
//! Looked up once, when the configuration is loaded: the name service may be on the network, and a takeover
//! must not wait for it.

use failover_linux::spawn::AccountChange;
use std::{
    collections::BTreeMap,
    env,
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    unistd::{User, getgrouplist},
};
use rustix::process::{Gid, Uid, geteuid};
use thiserror::Error;

/// Folders of programs, relative to the account's home: its own first, as in a login, then those of npm,
/// OpenClaw's installer, pnpm, bun and volta.
const HOME_FOLDERS: [&str; 7] = [
    ".local/bin",
    "bin",
    ".npm-global/bin",
    ".openclaw/bin",
    ".local/share/pnpm",
    ".bun/bin",
    ".volta/bin",
];
const SYSTEM_FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];
/// The default where the password database names no shell (passwd(5)).
const DEFAULT_SHELL: &str = "/bin/sh";

/// An account, from the password and group databases.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
    /// The supplementary groups, including the primary one.
    groups: Vec<u32>,
    home: PathBuf,
    shell: PathBuf,
}

/// Why commands can't be run as this account.
#[derive(Debug, Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("there is no account `{0}`; `getent passwd` lists those that there are")]
    Unknown(String),
    /// The databases can't be read.
    #[error("looking up the account `{name}`: {source}; is the name service running?")]
    Lookup {
        /// The name of the account.
        name: String,
        /// Why.
        source: Errno,
    },
    /// The daemon isn't allowed to change accounts.
    #[error(
        "only root can run commands as `{0}`; run failover as root, or as `{0}` itself, or leave `user` out"
    )]
    NotRoot(String),
}

impl Account {
    /// The account of this name, if commands can be run as it.
    ///
    /// # Errors
    /// When there is none, or this process may not become it.
    pub fn named(name: &str) -> Result<Self, AccountError> {
        let account = Self::look_up(name)?;
        let own = geteuid();
        if own.is_root() || own.as_raw() == account.uid {
            Ok(account)
        } else {
            Err(AccountError::NotRoot(name.to_owned()))
        }
    }

    /// The user ID of the account of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn uid_of(name: &str) -> Result<u32, AccountError> {
        Self::look_up(name).map(|account| account.uid)
    }

    /// This process's account, with the home from its environment.
    ///
    /// # Errors
    /// When the databases don't have it.
    pub fn own() -> Result<Self, AccountError> {
        let uid = geteuid().as_raw();
        let account = Self::found(&uid.to_string(), User::from_uid(uid.into()))?;
        Ok(match env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Self {
                home: home.into(),
                ..account
            },
            None => account,
        })
    }

    /// The account of this name, for reading only.
    ///
    /// # Errors
    /// When there is none.
    pub fn known(name: &str) -> Result<Self, AccountError> {
        Self::look_up(name)
    }

    fn look_up(name: &str) -> Result<Self, AccountError> {
        Self::found(name, User::from_name(name))
    }

    fn found(name: &str, found: nix::Result<Option<User>>) -> Result<Self, AccountError> {
        let lookup = |source| AccountError::Lookup {
            name: name.to_owned(),
            source,
        };
        let user = match found {
            // How some name services say that there is none (getpwnam_r(3)).
            Err(Errno::ENOENT | Errno::ESRCH) => None,
            found => found.map_err(lookup)?,
        };
        let user = user.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
        let c_name =
            CString::new(user.name.as_str()).map_err(|_| AccountError::Unknown(name.to_owned()))?;
        let groups = getgrouplist(&c_name, user.gid).map_err(lookup)?;
        let shell = match user.shell.as_os_str().is_empty() {
            true => DEFAULT_SHELL.into(),
            false => user.shell,
        };
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.iter().map(|group| group.as_raw()).collect(),
            home: user.dir,
            shell,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its user ID.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// The ID of its primary group.
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.gid
    }

    /// Its home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Its PATH.
    #[must_use]
    pub fn path(&self) -> OsString {
        let own = HOME_FOLDERS.iter().map(|folder| self.home.join(folder));
        // A colon separates folders: a home that has one can't be in a PATH, nor one that isn't absolute.
        let own = own.filter(|_| {
            self.home.is_absolute() && !self.home.as_os_str().as_bytes().contains(&b':')
        });
        let folders: Vec<PathBuf> = own.chain(SYSTEM_FOLDERS.map(PathBuf::from)).collect();
        env::join_paths(folders).unwrap_or_default()
    }

    /// The whole environment of a command that runs as it. The folder of the program comes first in PATH: a
    /// version manager installs node beside openclaw.
    #[must_use]
    pub fn environment(&self, program: &Path) -> BTreeMap<OsString, OsString> {
        let mut path = self.path();
        if let Some(folder) = program.parent().filter(|folder| folder.is_absolute())
            && !env::split_paths(&path).any(|known| known == folder)
        {
            let mut folders = folder.as_os_str().to_owned();
            folders.push(":");
            folders.push(&path);
            path = folders;
        }
        let runtime = format!("/run/user/{}", self.uid);
        let own = [
            ("HOME", self.home.clone().into_os_string()),
            ("USER", self.name.clone().into()),
            ("LOGNAME", self.name.clone().into()),
            ("SHELL", self.shell.clone().into_os_string()),
            ("PATH", path),
            (
                "DBUS_SESSION_BUS_ADDRESS",
                format!("unix:path={runtime}/bus").into(),
            ),
            ("XDG_RUNTIME_DIR", runtime.into()),
        ];
        let language = env::vars_os().filter(|(name, _)| is_of_the_place(name));
        let own = own.map(|(name, value)| (OsString::from(name), value));
        language.chain(own).collect()
    }

    /// What the child has to do between fork and exec to become it.
    ///
    /// # Errors
    /// When the path of its home has a NUL character.
    pub fn change(&self) -> std::io::Result<AccountChange> {
        Ok(AccountChange {
            uid: Uid::from_raw(self.uid),
            gid: Gid::from_raw(self.gid),
            groups: self.groups.iter().copied().map(Gid::from_raw).collect(),
            home: CString::new(self.home.clone().into_os_string().into_vec())?,
        })
    }
}

/// Language and time zone: settings of the machine, not of an account.
fn is_of_the_place(name: &OsStr) -> bool {
    name == "LANG" || name == "TZ" || name.as_bytes().starts_with(b"LC_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Account {
        Account {
            name: "alice".to_owned(),
            uid: 1000,
            gid: 100,
            groups: vec![100, 27],
            home: "/home/alice".into(),
            shell: "/bin/zsh".into(),
        }
    }

    fn value(environment: &BTreeMap<OsString, OsString>, name: &str) -> String {
        let value = environment.get(OsStr::new(name));
        value
            .and_then(|value| value.to_str())
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn a_command_finds_what_a_login_would_have_given_it() {
        let environment = alice().environment(Path::new("/usr/bin/openclaw"));
        for (name, expected) in [
            ("HOME", "/home/alice"),
            ("USER", "alice"),
            ("LOGNAME", "alice"),
            ("SHELL", "/bin/zsh"),
            ("XDG_RUNTIME_DIR", "/run/user/1000"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"),
        ] {
            assert_eq!(value(&environment, name), expected, "{name}");
        }
        let path = value(&environment, "PATH");
        assert!(path.starts_with("/home/alice/.local/bin:"), "{path}");
        assert!(path.ends_with("/usr/bin:/sbin:/bin"), "{path}");
        let others = environment.keys().filter(|name| {
            !matches!(
                name.to_str(),
                Some(
                    "HOME"
                        | "USER"
                        | "LOGNAME"
                        | "SHELL"
                        | "PATH"
                        | "XDG_RUNTIME_DIR"
                        | "DBUS_SESSION_BUS_ADDRESS"
                )
            )
        });
        assert!(
            others.clone().all(|name| is_of_the_place(name)),
            "{others:?}"
        );
    }

    #[test]
    fn what_lies_beside_the_program_is_found_first() {
        let beside = "/home/alice/.nvm/versions/node/v24/bin";
        let environment = alice().environment(&Path::new(beside).join("openclaw"));
        assert!(value(&environment, "PATH").starts_with(&format!("{beside}:")));
    }

    #[test]
    fn a_home_that_cannot_be_in_a_path_is_left_out_of_it() {
        for home in ["/home/a:b", "", "relative"] {
            let account = Account {
                home: home.into(),
                ..alice()
            };
            assert!(
                account
                    .path()
                    .to_str()
                    .unwrap()
                    .starts_with("/usr/local/sbin:"),
                "{home}"
            );
        }
    }

    #[test]
    fn language_and_time_zone_are_of_the_place_and_secrets_are_not() {
        for (name, expected) in [
            ("LANG", true),
            ("LC_ALL", true),
            ("TZ", true),
            ("LANGUAGE", false),
            ("OPENCLAW_GATEWAY_TOKEN", false),
            ("LD_PRELOAD", false),
        ] {
            assert_eq!(is_of_the_place(OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn an_account_is_looked_up_with_its_home_and_groups() {
        let root = Account::look_up("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0), "{root:?}");
        assert!(root.home.is_absolute(), "{root:?}");
    }

    #[test]
    fn an_account_that_does_not_exist_is_told_by_name() {
        for name in ["no-such-account", "", "a\0b"] {
            let error = Account::named(name).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
