//! Is a listening process the gateway? Decided by its unit, its account and its executable, never by the
//! name that it gives itself. Pure: the facts of a process are its input.
//!
//! Nothing that a process controls is trusted. So no rule uses its arguments or its `comm`, and each rule
//! compares accounts: that of the sockets, from sock_diag, and those of the process. Any account can name
//! a program `node` or its own unit `openclaw-gateway.service`, but it can't become alice.

use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use failover_linux::sock_diag::listeners::Listener;

use crate::gateway::port::{holder::Holder, home::Home};

/// The executables that OpenClaw runs in, with or without a version: `node-22`, `node22`, `nodejs-22.1`.
const OPENCLAW_PROGRAMS: [&str; 4] = ["nodejs", "node", "bun", "openclaw"];
/// OpenClaw's unit.
pub const OPENCLAW_UNIT: &str = "openclaw-gateway.service";
/// OpenClaw's unit, and the units of its profiles (`openclaw-gateway-NAME.service`).
pub const OPENCLAW_UNITS: &str = "openclaw-gateway*.service";
/// Its units under former names.
pub const LEGACY_UNITS: [&str; 2] = ["clawdbot-gateway*.service", "moltbot-gateway*.service"];
/// Forwarders: programs that listen for another machine, or for a container.
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
/// The kernel appends this to an executable's path once its file is gone, as after an upgrade (man 5
/// proc_pid_exe).
const DELETED: &[u8] = b" (deleted)";

/// Defines the gateway: a process that matches one of the rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    rules: Vec<Rule>,
}

/// One rule of an [`Identity`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rule {
    /// Any process of a unit.
    Unit {
        /// The unit's name; `*` stands for anything.
        name: String,
        /// The service manager that it belongs to.
        manager: Manager,
    },
    /// Any process of this account.
    Account {
        /// Its name, for texts.
        name: String,
        /// Its user ID.
        uid: u32,
    },
    /// A process that runs this program.
    Executable {
        /// A path, or a bare file name.
        path: PathBuf,
        /// The account that runs it, unless root does.
        uid: u32,
    },
    /// An executable that OpenClaw runs in, outside of containers.
    OpenClaw {
        /// The account that runs it.
        uid: u32,
    },
    /// Any program of this account except forwarders.
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
}

impl Identity {
    /// By these rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// OpenClaw's unit, or an executable that it runs in, of this account.
    #[must_use]
    pub fn openclaw(uid: u32, unit: Option<String>) -> Self {
        let unit = Rule::Unit {
            name: unit.unwrap_or_else(|| OPENCLAW_UNITS.to_owned()),
            manager: Manager::User(uid),
        };
        Self::new(vec![unit, Rule::OpenClaw { uid }])
    }

    /// Any program of this account except forwarders.
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

    /// The accounts that the rules name.
    pub fn accounts(&self) -> impl Iterator<Item = u32> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Account { uid, .. }
            | Rule::Executable { uid, .. }
            | Rule::OpenClaw { uid }
            | Rule::NoForwarder { uid }
            | Rule::Unit {
                manager: Manager::User(uid),
                ..
            } => Some(*uid),
            Rule::Unit { .. } => None,
        })
    }

    /// Is this process the gateway?
    #[must_use]
    pub fn is_gateway(&self, holder: &Holder) -> bool {
        self.rules.iter().any(|rule| rule.fits(holder))
    }

    /// The same for a socket whose process isn't visible: only its account is known.
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
            Self::Unit { name, manager } => match (&holder.home, manager) {
                (Some(Home::SystemUnit(unit)), Manager::System) => {
                    // Root decides which account a system unit runs as.
                    holder.owns_its_sockets() && matches(name, unit)
                }
                (Some(Home::UserUnit { uid, name: unit }), Manager::User(wanted)) => {
                    uid == wanted && holder.is_of(*wanted) && matches(name, unit)
                }
                _ => false,
            },
            Self::Account { uid, .. } => holder.is_of(*uid),
            Self::Executable { path, uid } => {
                holder.is_of_or_roots(*uid)
                    && executable.is_some_and(|executable| match path.is_absolute() {
                        true => executable == path,
                        false => executable.file_name() == Some(path.as_os_str()),
                    })
            }
            Self::OpenClaw { uid } => {
                holder.is_of(*uid)
                    && executable
                        .and_then(Path::file_name)
                        .and_then(OsStr::to_str)
                        .is_some_and(is_openclaw_runtime)
                    // It isn't what the commands start and stop.
                    && !matches!(holder.home, Some(Home::Container { .. }))
            }
            Self::NoForwarder { uid } => {
                // One that can't be seen may be anything.
                holder.is_of(*uid) && executable.is_some() && !is_named(executable, &FORWARDERS)
            }
        }
    }
}

/// Is this process a forwarder?
#[must_use]
pub fn is_forwarder(holder: &Holder) -> bool {
    is_named(holder.executable.as_deref().map(undeleted), &FORWARDERS)
}

/// Does OpenClaw run in executables of this name?
#[must_use]
pub fn is_openclaw_runtime(name: &str) -> bool {
    OPENCLAW_PROGRAMS.iter().any(|program| {
        name.strip_prefix(program).is_some_and(|version| {
            let version = version.strip_prefix('-').unwrap_or(version);
            let version = version.strip_prefix('v').unwrap_or(version);
            name == *program
                || version.starts_with(|first: char| first.is_ascii_digit())
                    && version
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    })
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

/// Does the name match the pattern, in which `*` stands for anything? The time is bounded by the product
/// of the lengths.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
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
                    Manager::System => Ok(()),
                }
            }
            Self::Account { name, .. } => write!(formatter, "any process of {name}"),
            Self::Executable { path, uid: 0 } => write!(formatter, "{} of root", path.display()),
            Self::Executable { path, uid } => {
                write!(formatter, "{} of uid {uid} or root", path.display())
            }
            Self::OpenClaw { uid } => write!(formatter, "OpenClaw in node or bun of uid {uid}"),
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
            accounts: vec![uid],
            executable: (!executable.is_empty()).then(|| executable.into()),
            // Whatever it says of itself counts for nothing.
            command_line: "openclaw gateway run".to_owned(),
            home,
            elsewhere: None,
            addresses: vec!["0.0.0.0:18789".parse().unwrap()],
            sockets: vec![1],
            is_marked: false,
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
        let name = "0123".to_owned();
        Some(Home::Container { owner: None, name })
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
        let alice = Identity::openclaw(1000, None);
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
                (true, 1000, "/usr/bin/node-22", None),
                (true, 1000, "/usr/bin/node22", None),
                (
                    true,
                    1000,
                    "/opt/node-v22.1.0/bin/node-v22.1.0 (deleted)",
                    None,
                ),
                (true, 1000, "/usr/bin/nodejs-20", None),
                (false, 1001, "/usr/bin/node-22", None),
                (false, 1000, "/usr/bin/node-red", None),
                (false, 1000, "/usr/bin/node_exporter", None),
                (false, 1000, "/usr/bin/nodemon", None),
                (false, 1000, "/usr/bin/node-", None),
                (false, 1000, "/usr/bin/node-22x", None),
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
    fn a_unit_that_is_named_is_that_one_only() {
        assert_all(
            &Identity::openclaw(1000, Some("bot.service".to_owned())),
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
        let program = |path: &str| Rule::Executable {
            path: path.into(),
            uid: 1000,
        };
        let unit = |manager| Rule::Unit {
            name: "a*b*.service".to_owned(),
            manager,
        };
        let identity = Identity::new(vec![
            Rule::Account {
                name: "bob".to_owned(),
                uid: 1001,
            },
            program("/usr/bin/docker-proxy"),
            program("socat"),
            unit(Manager::System),
            unit(Manager::User(1000)),
        ]);
        assert_all(
            &identity,
            &[
                (true, 1001, "", None),
                (true, 0, "/usr/bin/docker-proxy", None),
                (true, 1000, "/usr/bin/docker-proxy (deleted)", None),
                (false, 1002, "/usr/bin/docker-proxy", None),
                (false, 0, "/opt/docker-proxy", None),
                (true, 1000, "/opt/socat", None),
                (false, 1002, "/opt/socat", None),
                (true, 7, "", system_unit("a-b-c.service")),
                (true, 1000, "", user_unit(1000, "ab.service")),
                (false, 5, "", user_unit(5, "ab.service")),
                (false, 5, "", user_unit(1000, "ab.service")),
                (false, 0, "", system_unit("a.service")),
                (false, 0, "", container()),
                (false, 0, "/usr/bin/node", None),
            ],
        );
    }

    #[test]
    fn sockets_that_another_account_opened_and_handed_over_are_not_the_gateways() {
        let rules = vec![
            Rule::Unit {
                name: "bot.service".to_owned(),
                manager: Manager::System,
            },
            Rule::OpenClaw { uid: 1000 },
            Rule::NoForwarder { uid: 1000 },
        ];
        let identity = Identity::new(rules);
        for home in [None, system_unit("bot.service")] {
            let mut handed = holder(7, "/usr/bin/node", home);
            handed.accounts = vec![1000];
            assert!(!identity.is_gateway(&handed), "{handed}");
        }
        // From root, as by socket activation.
        let mut activated = holder(0, "/usr/bin/node", system_unit("bot.service"));
        activated.accounts = vec![1000];
        assert!(identity.is_gateway(&activated), "{activated}");
    }

    #[test]
    fn a_socket_of_somebody_unseen_is_known_by_its_account_only() {
        let listener = Listener {
            address: "0.0.0.0:18789".parse().unwrap(),
            uid: 1000,
            inode: 1,
            only_v6: false,
        };
        assert!(!Identity::openclaw(1000, None).is_gateways(&listener));
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

    /// Any rule for alice, whose user ID is 1000.
    fn rule() -> impl Strategy<Value = Rule> {
        let name = prop::sample::select(vec!["*", "bot.service", OPENCLAW_UNITS, "docker*"]);
        let path = prop::sample::select(vec!["node", "/usr/bin/node", "/opt/bot"]);
        prop_oneof![
            name.prop_map(|name| Rule::Unit {
                name: name.to_owned(),
                manager: Manager::User(1000),
            }),
            Just(Rule::Account {
                name: "alice".to_owned(),
                uid: 1000,
            }),
            path.prop_map(|path| Rule::Executable {
                path: path.into(),
                uid: 1000,
            }),
            Just(Rule::OpenClaw { uid: 1000 }),
            Just(Rule::NoForwarder { uid: 1000 }),
        ]
    }

    /// Everything that another unprivileged account can look like: it chooses its program, and the names
    /// below its own service manager.
    fn foreign() -> impl Strategy<Value = Holder> {
        let name = prop_oneof![
            Just("openclaw-gateway.service".to_owned()),
            Just("bot.service".to_owned()),
            ".{0,20}",
        ];
        let executable = prop_oneof![
            Just("/usr/bin/node".to_owned()),
            Just("/usr/bin/node (deleted)".to_owned()),
            Just("/opt/bot".to_owned()),
            "/.{0,20}",
        ];
        let home = (any::<bool>(), name, 1001..2000_u32).prop_map(|(container, name, uid)| {
            Some(match container {
                true => Home::Container {
                    owner: Some(uid),
                    name,
                },
                false => Home::UserUnit { uid, name },
            })
        });
        // Its own process with its own sockets, its sockets in another process, a program with the
        // set-user-ID bit of another account's.
        let accounts = prop::sample::select(vec![
            (1001, vec![1001]),
            (1001, vec![1000]),
            (1001, vec![0]),
            (1000, vec![1000, 1001]),
            (0, vec![0, 1001]),
            (1000, vec![1001]),
            (0, vec![1001]),
            (1001, vec![]),
        ]);
        (accounts, executable, home).prop_map(|((uid, accounts), executable, home)| Holder {
            accounts,
            ..holder(uid, &executable, home)
        })
    }

    proptest! {
        #[test]
        fn no_other_account_is_taken_for_the_gateway(
            rules in prop::collection::vec(rule(), 1..4),
            foreign in foreign(),
        ) {
            let identity = Identity::new(rules);
            prop_assert!(!identity.is_gateway(&foreign), "{foreign} as {identity}");
            let listener = Listener {
                address: "0.0.0.0:18789".parse().unwrap(),
                uid: 1001,
                inode: 1,
                only_v6: false,
            };
            prop_assert!(!identity.is_gateways(&listener));
        }

        #[test]
        fn no_name_breaks_it(pattern in "[a*]{0,20}", name in ".{0,40}") {
            let _ = matches(&pattern, &name);
        }
    }
}
