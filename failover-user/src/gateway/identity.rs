//! Is it the gateway? Decided by where a listening process belongs, whose it is and what it runs,
//! never by the name that it gives itself. Pure: what is known of a process goes in.
//!
//! What a process tells of itself is hostile. So no rule goes by its words or its `comm`, and those
//! that go by its program's file name also ask for the account: a stranger may call a program
//! `node`, but not be alice.

use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Holder, Home, Listener};

/// What OpenClaw runs in.
const OPENCLAW_PROGRAMS: [&str; 4] = ["node", "nodejs", "bun", "openclaw"];
/// OpenClaw's unit, and those of its profiles (`openclaw-gateway-NAME.service`).
pub const OPENCLAW_UNITS: &str = "openclaw-gateway*.service";
/// Programs that listen for somebody else: behind them is another machine, or a container.
const FORWARDERS: [&str; 27] = [
    "autossh",
    "cloudflared",
    "dbclient",
    "docker-proxy",
    "dropbear",
    "gvproxy",
    "kubectl",
    "nc.openbsd",
    "nc.traditional",
    "ncat",
    "pasta",
    "pasta.avx2",
    "passt",
    "passt.avx2",
    "redir",
    "rinetd",
    "rootlesskit",
    "rootlessport",
    "slirp4netns",
    "socat",
    "ssh",
    "sshd",
    "sshd-session",
    "stunnel",
    "stunnel4",
    "systemd-socket-proxyd",
    "tailscaled",
];
/// What the kernel adds to a program's path once its file is gone, as after an upgrade (man 5
/// proc_pid_exe).
const DELETED: &[u8] = b" (deleted)";

/// What counts as the gateway: whatever fits one of the rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    rules: Vec<Rule>,
}

/// One way to be the gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rule {
    /// A unit's process.
    Unit {
        /// The unit's name; `*` stands for anything.
        name: String,
        /// Whose service manager it belongs to.
        manager: Manager,
    },
    /// Anybody's of this account.
    Account {
        /// Its name, for people.
        name: String,
        /// Its number.
        uid: u32,
    },
    /// A process that runs this program: a path, or a bare file name.
    Executable(PathBuf),
    /// What OpenClaw runs in, outside of containers.
    OpenClaw {
        /// Whose it must be; `None`: anybody's.
        uid: Option<u32>,
    },
    /// Any program of this account's that doesn't listen for somebody else.
    NoForwarder {
        /// The account.
        uid: u32,
    },
}

/// A service manager.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manager {
    /// The system's.
    System,
    /// This user's.
    User(u32),
    /// Any user's.
    AnyUser,
    /// Any at all.
    Any,
}

impl Identity {
    /// By these rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// OpenClaw's unit, or what it runs in, of this account or of any.
    #[must_use]
    pub fn openclaw(uid: Option<u32>, unit: Option<String>) -> Self {
        let unit = Rule::Unit {
            name: unit.unwrap_or_else(|| OPENCLAW_UNITS.to_owned()),
            manager: uid.map_or(Manager::AnyUser, Manager::User),
        };
        Self::new(vec![unit, Rule::OpenClaw { uid }])
    }

    /// Whatever of this account's listens for itself.
    #[must_use]
    pub fn of_account(uid: u32) -> Self {
        Self::new(vec![Rule::NoForwarder { uid }])
    }

    /// This unit of the system's service manager.
    #[must_use]
    pub fn system_unit(name: String) -> Self {
        let manager = Manager::System;
        Self::new(vec![Rule::Unit { name, manager }])
    }

    /// Is this process the gateway?
    #[must_use]
    pub fn is_gateway(&self, holder: &Holder) -> bool {
        self.rules.iter().any(|rule| rule.fits(holder))
    }

    /// The same of a socket whose process can't be seen: only its account is known.
    #[must_use]
    pub fn is_gateways(&self, listener: &Listener) -> bool {
        self.rules
            .iter()
            .any(|rule| matches!(rule, Rule::Account { uid, .. } if *uid == listener.uid))
    }
}

impl Rule {
    fn fits(&self, holder: &Holder) -> bool {
        let executable = holder.executable.as_deref().map(undeleted);
        match self {
            Self::Unit { name, manager } => match &holder.home {
                Some(Home::SystemUnit(unit)) => {
                    matches!(manager, Manager::System | Manager::Any) && matches(name, unit)
                }
                Some(Home::UserUnit { uid, name: unit }) => {
                    let right = match manager {
                        Manager::System => false,
                        Manager::User(wanted) => wanted == uid,
                        Manager::AnyUser | Manager::Any => true,
                    };
                    right && matches(name, unit)
                }
                Some(Home::Container(_)) | None => false,
            },
            Self::Account { uid, .. } => holder.uid == *uid,
            Self::Executable(wanted) => {
                executable.is_some_and(|executable| match wanted.is_absolute() {
                    true => executable == wanted,
                    false => executable.file_name() == Some(wanted.as_os_str()),
                })
            }
            Self::OpenClaw { uid } => {
                uid.is_none_or(|uid| holder.uid == uid)
                    && is_named(executable, &OPENCLAW_PROGRAMS)
                    // It isn't what the commands start and stop.
                    && !matches!(holder.home, Some(Home::Container(_)))
            }
            Self::NoForwarder { uid } => {
                // One that can't be seen may be anything.
                holder.uid == *uid && executable.is_some() && !is_named(executable, &FORWARDERS)
            }
        }
    }
}

/// Does this process listen for somebody else?
#[must_use]
pub fn is_forwarder(holder: &Holder) -> bool {
    is_named(holder.executable.as_deref().map(undeleted), &FORWARDERS)
}

fn is_named(executable: Option<&Path>, names: &[&str]) -> bool {
    let name = executable.and_then(Path::file_name);
    name.is_some_and(|name| names.iter().any(|known| name == *known))
}

fn undeleted(executable: &Path) -> &Path {
    let bytes = executable.as_os_str().as_bytes();
    Path::new(OsStr::from_bytes(
        bytes.strip_suffix(DELETED).unwrap_or(bytes),
    ))
}

/// Does the name fit, where `*` stands for anything? In time that grows with the product of the
/// lengths at most.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", or ")?;
            }
            write!(formatter, "{rule}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit { name, manager } => {
                write!(formatter, "unit {name}")?;
                match manager {
                    Manager::User(uid) => write!(formatter, " of user {uid}"),
                    Manager::AnyUser => formatter.write_str(" of a user"),
                    Manager::System | Manager::Any => Ok(()),
                }
            }
            Self::Account { name, .. } => write!(formatter, "any process of {name}"),
            Self::Executable(path) => write!(formatter, "{}", path.display()),
            Self::OpenClaw { uid: Some(uid) } => {
                write!(formatter, "OpenClaw in node or bun of uid {uid}")
            }
            Self::OpenClaw { uid: None } => formatter.write_str("OpenClaw in node or bun"),
            Self::NoForwarder { uid } => write!(
                formatter,
                "any process of uid {uid} that forwards to nobody else"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holder(uid: u32, executable: &str, home: Option<Home>) -> Holder {
        Holder {
            pid: 42,
            started: 1,
            uid,
            executable: (!executable.is_empty()).then(|| executable.into()),
            // Whatever it says of itself counts for nothing.
            command_line: "openclaw gateway run".to_owned(),
            home,
            elsewhere: None,
            addresses: vec!["0.0.0.0:18789".parse().unwrap()],
        }
    }

    fn user_unit(uid: u32, name: &str) -> Option<Home> {
        let name = name.to_owned();
        Some(Home::UserUnit { uid, name })
    }

    fn system_unit(name: &str) -> Option<Home> {
        Some(Home::SystemUnit(name.to_owned()))
    }

    fn container() -> Option<Home> {
        Some(Home::Container("0123".to_owned()))
    }

    #[track_caller]
    fn assert_all(identity: &Identity, cases: &[(bool, u32, &str, Option<Home>)]) {
        for (expected, uid, executable, home) in cases {
            let holder = holder(*uid, executable, home.clone());
            assert_eq!(
                identity.is_gateway(&holder),
                *expected,
                "{holder} as {identity}"
            );
        }
    }

    #[test]
    fn openclaw_is_its_unit_or_its_program_of_its_account() {
        let alice = Identity::openclaw(Some(1000), None);
        assert_all(
            &alice,
            &[
                (true, 1000, "/usr/bin/node", None),
                (
                    true,
                    1000,
                    "/home/alice/.nvm/v24/bin/node",
                    system_unit("session-3.scope"),
                ),
                (true, 1000, "/usr/bin/node (deleted)", None),
                (true, 1000, "/home/alice/.bun/bin/bun", None),
                (true, 1000, "", user_unit(1000, "openclaw-gateway.service")),
                (
                    true,
                    1000,
                    "/usr/bin/python3",
                    user_unit(1000, "openclaw-gateway-work.service"),
                ),
                (false, 1001, "/usr/bin/node", None),
                (false, 0, "/usr/bin/node", None),
                (
                    false,
                    1001,
                    "/usr/bin/node",
                    user_unit(1001, "openclaw-gateway.service"),
                ),
                (false, 1000, "/usr/bin/ssh", None),
                (
                    false,
                    1000,
                    "/usr/bin/ssh",
                    system_unit("openclaw-gateway.service"),
                ),
                (false, 1000, "/usr/bin/node", container()),
                (false, 1000, "/tmp/node/x", None),
                (false, 1000, "", None),
            ],
        );
    }

    #[test]
    fn openclaw_of_nobody_in_particular_may_be_anybodys() {
        assert_all(
            &Identity::openclaw(None, None),
            &[
                (true, 1000, "/usr/bin/node", None),
                (true, 0, "/usr/bin/node", None),
                (true, 7, "", user_unit(7, "openclaw-gateway.service")),
                (false, 1000, "/usr/bin/socat", None),
            ],
        );
    }

    #[test]
    fn a_unit_that_is_named_is_that_one_only() {
        assert_all(
            &Identity::openclaw(Some(1000), Some("bot.service".to_owned())),
            &[
                (true, 1000, "", user_unit(1000, "bot.service")),
                (false, 1000, "", user_unit(1000, "openclaw-gateway.service")),
                (false, 1000, "", user_unit(1001, "bot.service")),
            ],
        );
        assert_all(
            &Identity::system_unit("bot.service".to_owned()),
            &[
                (true, 0, "", system_unit("bot.service")),
                (true, 1000, "/usr/bin/socat", system_unit("bot.service")),
                (false, 0, "", system_unit("bot2.service")),
                (false, 0, "", user_unit(0, "bot.service")),
                (false, 0, "/usr/bin/node", None),
            ],
        );
    }

    #[test]
    fn any_program_of_the_account_is_the_gateway_unless_it_forwards() {
        let mut cases = vec![
            (true, 0, "/opt/bot", None),
            (true, 0, "/usr/bin/python3", container()),
            (false, 1000, "/opt/bot", None),
            (false, 0, "", None),
            (false, 0, "/usr/bin/ssh (deleted)", None),
        ];
        let forwarders: Vec<String> = FORWARDERS.iter().map(|name| format!("/x/{name}")).collect();
        cases.extend(
            forwarders
                .iter()
                .map(|path| (false, 0, path.as_str(), None)),
        );
        assert_all(&Identity::of_account(0), &cases);
    }

    #[test]
    fn what_is_named_as_owner_counts_and_nothing_else() {
        let identity = Identity::new(vec![
            Rule::Account {
                name: "bob".to_owned(),
                uid: 1001,
            },
            Rule::Executable("/usr/bin/docker-proxy".into()),
            Rule::Executable("socat".into()),
            Rule::Unit {
                name: "a*b*.service".to_owned(),
                manager: Manager::Any,
            },
        ]);
        assert_all(
            &identity,
            &[
                (true, 1001, "", None),
                (true, 0, "/usr/bin/docker-proxy", None),
                (true, 0, "/usr/bin/docker-proxy (deleted)", None),
                (false, 0, "/opt/docker-proxy", None),
                (true, 0, "/opt/socat", None),
                (true, 0, "", system_unit("a-b-c.service")),
                (true, 0, "", user_unit(5, "ab.service")),
                (false, 0, "", system_unit("a.service")),
                (false, 0, "", container()),
                (false, 0, "/usr/bin/node", None),
            ],
        );
    }

    #[test]
    fn a_socket_of_somebody_unseen_is_known_by_its_account_only() {
        let listener = Listener {
            address: "0.0.0.0:18789".parse().unwrap(),
            uid: 1000,
            inode: 1,
        };
        assert!(!Identity::openclaw(Some(1000), None).is_gateways(&listener));
        assert!(!Identity::of_account(1000).is_gateways(&listener));
        let account = |uid| {
            let name = "alice".to_owned();
            Identity::new(vec![Rule::Account { name, uid }])
        };
        assert!(account(1000).is_gateways(&listener));
        assert!(!account(1001).is_gateways(&listener));
    }

    #[test]
    fn nothing_is_the_gateway_where_nothing_was_named() {
        assert_all(&Identity::default(), &[(false, 0, "/usr/bin/node", None)]);
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn no_name_breaks_it(pattern in "[a*]{0,20}", name in ".{0,40}") {
            let _ = matches(&pattern, &name);
        }
    }
}
