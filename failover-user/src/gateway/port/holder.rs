//! The holder of a listening socket: the process that has it open, and its unit or container. Found by the
//! socket's inode, never by name: an agent's shell command has the gateway's name, too.
//!
//! Everything read here comes from processes that aren't trusted, and may be gone or changed at the next look:
//! it is shown and matched, bounded, and never relied on.

use std::{collections::BTreeSet, fmt, net::SocketAddr, path::PathBuf};

use failover_linux::{
    escape::Escaped,
    process::{ProcessKey, parent, started},
};

use crate::gateway::port::home::{Home, home_of};

/// Deeper than processes are nested in a container.
const MOST_PARENTS: usize = 256;
/// Limit for the addresses of one holder in a text.
const MOST_WRITTEN: usize = 4;

/// A process that holds listening sockets on the port, all opened by the same account. A process may
/// hold sockets that another account opened and passed to it (SCM_RIGHTS in unix(7)): those are a
/// separate holder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Process ID (thread group).
    pub pid: u32,
    /// When it began, in ticks of the boot clock.
    pub started: u64,
    /// The account that opened the sockets, from sock_diag(7).
    pub uid: u32,
    /// The accounts that the process runs as (real, effective, saved, file system), each once.
    pub accounts: Vec<u32>,
    /// Its executable; `None` when the process is gone or hides it.
    pub executable: Option<PathBuf>,
    /// Its arguments, separated by spaces; truncated.
    pub command_line: String,
    /// The unit or container that it belongs to.
    pub home: Option<Home>,
    /// Inode of its network namespace, if that isn't the caller's. The sockets are still in the caller's:
    /// opened before the process moved, or passed to it.
    pub elsewhere: Option<u64>,
    /// The addresses that it listens on.
    pub addresses: Vec<SocketAddr>,
    /// The inodes of these sockets.
    pub sockets: Vec<u32>,
    /// Its environment has the invocation mark: it descends from a start command of ours.
    pub is_marked: bool,
}

impl Holder {
    /// Identifies the process, also when its ID is reused.
    #[must_use]
    pub const fn key(&self) -> ProcessKey {
        ProcessKey {
            pid: self.pid,
            started: self.started,
        }
    }

    /// The same, reduced to these sockets; `None` if it has none of them.
    #[must_use]
    pub fn of(&self, sockets: &BTreeSet<u32>) -> Option<Self> {
        let both = self.sockets.iter().zip(&self.addresses);
        let (sockets, addresses): (Vec<u32>, Vec<SocketAddr>) =
            both.filter(|(inode, _)| sockets.contains(inode)).unzip();
        (!sockets.is_empty()).then(|| Self {
            addresses,
            sockets,
            ..self.clone()
        })
    }

    /// Does it run only as this account, or root?
    #[must_use]
    pub fn runs_as(&self, uid: u32) -> bool {
        !self.accounts.is_empty() && self.accounts.iter().all(|one| [uid, 0].contains(one))
    }

    /// Are both the sockets and the process this account's? Root's don't count.
    #[must_use]
    pub fn is_of(&self, uid: u32) -> bool {
        self.uid == uid && self.runs_as(uid)
    }

    /// Are both the sockets and the process this account's, or root's?
    #[must_use]
    pub fn is_of_or_roots(&self, uid: u32) -> bool {
        [uid, 0].contains(&self.uid) && self.runs_as(uid)
    }

    /// Did the process open its sockets itself, or get them from root, for example from a service manager?
    /// Any other account could have passed them to it as a disguise.
    #[must_use]
    pub fn owns_its_sockets(&self) -> bool {
        self.uid == 0 || self.accounts.contains(&self.uid)
    }

    /// When the first process of its unit or container began, searched among its parents: a container's
    /// init process is a parent of all others in its PID namespace.
    #[must_use]
    pub fn home_since(&self) -> u64 {
        let (mut pid, mut since) = (self.pid, self.started);
        for _ in 0..MOST_PARENTS {
            let Some((above, began)) = parent(pid).and_then(|above| Some((above, started(above)?)))
            else {
                break;
            };
            if home_of(above) != self.home {
                break;
            }
            (pid, since) = (above, since.min(began));
        }
        since
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            started: _,
            uid,
            accounts,
            executable,
            command_line,
            home,
            elsewhere,
            addresses,
            sockets: _,
            is_marked: _,
        } = self;
        let executable = executable
            .as_ref()
            .map_or("?".into(), |path| path.to_string_lossy());
        write!(formatter, "{} (pid {pid}, uid {uid}", Escaped(&executable))?;
        for account in accounts.iter().filter(|account| *account != uid) {
            write!(formatter, ", run as uid {account}")?;
        }
        if let Some(home) = home {
            write!(formatter, ", {home}")?;
        }
        if let Some(inode) = elsewhere {
            write!(formatter, ", network namespace {inode}")?;
        }
        let written = first_of(
            addresses.iter().map(SocketAddr::to_string),
            MOST_WRITTEN,
            " and ",
        );
        write!(formatter, ") on {written}: {}", Escaped(command_line))
    }
}

/// The first `most` of them, and how many more there are.
#[must_use]
pub fn first_of(all: impl Iterator<Item = String>, most: usize, separator: &str) -> String {
    let mut all = all;
    let mut written: Vec<String> = all.by_ref().take(most).collect();
    let rest = all.count();
    if rest > 0 {
        written.push(format!("{rest} more"));
    }
    written.join(separator)
}

/// One that holds nothing.
#[cfg(test)]
pub(crate) fn holder_for_tests(uid: u32, accounts: &[u32]) -> Holder {
    Holder {
        pid: 1,
        started: 0,
        uid,
        accounts: accounts.to_vec(),
        executable: None,
        command_line: String::new(),
        home: None,
        elsewhere: None,
        addresses: Vec::new(),
        sockets: Vec::new(),
        is_marked: false,
    }
}

#[cfg(test)]
mod tests {
    use super::{holder_for_tests as holder, *};
    use crate::gateway::port::home::home_of;

    #[test]
    fn a_process_is_an_accounts_if_nobody_else_runs_it() {
        for (uid, accounts, own, or_roots, owns) in [
            (1000, &[1000][..], true, true, true),
            // It began as root.
            (1000, &[0, 1000], true, true, true),
            // Root opened the sockets, as for socket activation.
            (0, &[1000], false, true, true),
            (0, &[0], false, true, true),
            // Somebody else's sockets, or somebody else's process.
            (7, &[1000], false, false, false),
            (1000, &[7], false, false, false),
            (0, &[7], false, false, true),
            // A program with the set-user-ID bit that somebody else runs.
            (1000, &[1000, 7], false, false, true),
            (0, &[0, 7], false, false, true),
            (1000, &[], false, false, false),
        ] {
            let holder = holder(uid, accounts);
            let found = (
                holder.is_of(1000),
                holder.is_of_or_roots(1000),
                holder.owns_its_sockets(),
            );
            assert_eq!(found, (own, or_roots, owns), "{holder:?}");
        }
    }

    #[test]
    fn a_unit_is_as_old_as_the_first_process_in_it_that_is_a_parent() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let mut inside = holder(0, &[0]);
        inside.pid = child.id();
        inside.started = started(child.id()).unwrap();
        inside.home = home_of(own);
        let since = inside.home_since();
        inside.home = Some(Home::SystemUnit("another.service".to_owned()));
        let alone = inside.home_since();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(since <= started(own).unwrap(), "{since}");
        assert_eq!(alone, inside.started);
    }

    #[test]
    fn what_is_hostile_stays_on_one_line() {
        let holder = Holder {
            executable: Some("/tmp/a\nb".into()),
            command_line: "\u{1b}[2J\u{202e}x".to_owned(),
            home: Some(Home::SystemUnit("a\rb.service".to_owned())),
            elsewhere: Some(4_026_531_840),
            addresses: vec!["127.0.0.1:18789".parse().unwrap()],
            ..holder(2, &[2, 3])
        };
        let shown = holder.to_string();
        assert!(
            shown
                .chars()
                .all(|character| character == ' ' || character.is_ascii_graphic()),
            "{shown}"
        );
    }
}
