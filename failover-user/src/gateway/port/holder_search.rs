//! Searches for the processes that hold listening sockets: likely ones first, and only until each socket has a
//! holder. Other accounts' open files cost next to nothing, however many there are.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use failover_linux::{
    open_sockets::{self, MOST_DESCRIPTORS},
    process::{ProcessKey, accounts, started},
    procfs,
    sock_diag::listeners::Listener,
};

use crate::gateway::port::{holder::Holder, home::home_of, invocation::InvocationMark};

/// A command line may be megabytes long; this much names it.
const LONGEST_COMMAND_LINE: u64 = 4096;
/// More processes than share a port on purpose.
const MOST_HOLDERS: usize = 64;
/// Descriptors have the lowest free number (open(2)), and a server opens its socket early.
const USUAL_DESCRIPTORS: usize = 1024;
/// Timeout where nothing waits for the result.
const PATIENCE: Duration = Duration::from_secs(5);

/// A search for the holders of sockets.
#[derive(Debug)]
pub struct HolderSearch<'search> {
    /// Searched first: the processes that events named, and those that held the sockets before.
    pub first: &'search [u32],
    /// The search ends then, whatever was found.
    pub deadline: Instant,
    /// The mark of our own start's descendants.
    pub mark: Option<&'search InvocationMark>,
    /// Reading another account's arguments from its memory may block for ever (see `command_line`): only
    /// these accounts' are read; `None`: all.
    pub trusted: Option<&'search BTreeSet<u32>>,
}

/// What a search found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holders {
    /// The processes that hold at least one of the sockets.
    pub held: Vec<Holder>,
    /// All processes were searched, or every socket has a holder.
    pub is_complete: bool,
}

/// The processes that hold these sockets. Those in `first` are searched first.
#[must_use]
pub fn holders(listeners: &[Listener], first: &BTreeSet<u32>) -> Vec<Holder> {
    let first: Vec<u32> = first.iter().copied().collect();
    let search = HolderSearch {
        first: &first,
        deadline: Instant::now() + PATIENCE,
        mark: None,
        trusted: None,
    };
    let found = search.holders(listeners);
    found.held
}

impl HolderSearch<'_> {
    /// Searches process by process until each socket has a holder: first the likely ones, then those of
    /// the accounts that opened the sockets, then all others; and in each first the descriptors where a
    /// listening socket usually is. So other accounts' open files cost nothing, however many there are.
    #[must_use]
    pub fn holders(&self, listeners: &[Listener]) -> Holders {
        let mut found = Found::of(listeners);
        for pid in self.first {
            if found.is_done() || self.is_over() {
                break;
            }
            let most = MOST_DESCRIPTORS;
            self.look_at(*pid, most, listeners, &mut found);
        }
        if !found.is_done() && !self.is_over() {
            self.look_at_all(listeners, &mut found);
        }
        Holders {
            is_complete: found.is_done() || !(self.is_over() || found.is_cut),
            held: found.held,
        }
    }

    fn look_at_all(&self, listeners: &[Listener], found: &mut Found) {
        let openers: BTreeSet<u32> = listeners.iter().map(|one| one.uid).collect();
        let (mut likely, mut others) = (Vec::new(), Vec::new());
        match procfs::list_processes() {
            Ok(pids) => {
                for pid in pids.filter(|pid| !self.first.contains(pid)) {
                    let owner = fs::metadata(format!("/proc/{pid}")).map(|of| of.uid());
                    match owner.is_ok_and(|owner| openers.contains(&owner)) {
                        true => likely.push(pid),
                        false => others.push(pid),
                    }
                }
            }
            Err(_) => found.is_cut = true,
        }
        likely.append(&mut others);
        let mut large = Vec::new();
        for pid in likely {
            if found.is_done() || self.is_over() {
                return;
            }
            if self.look_at(pid, USUAL_DESCRIPTORS, listeners, found) {
                large.push(pid);
            }
        }
        for pid in large {
            if found.is_done() || self.is_over() {
                return;
            }
            self.look_at(pid, MOST_DESCRIPTORS, listeners, found);
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Records the process if one of its first `most` descriptors is one of the sockets. Has it more?
    fn look_at(&self, pid: u32, most: usize, listeners: &[Listener], found: &mut Found) -> bool {
        let before = started(pid);
        let process = PathBuf::from(format!("/proc/{pid}"));
        let open = open_sockets::among(&process, most, self.deadline);
        found.is_cut |= open.is_cut;
        let held: Vec<&Listener> = listeners
            .iter()
            .filter(|listener| open.sockets.contains(&listener.inode))
            .collect();
        let Some(first) = held.first() else {
            return open.has_more;
        };
        // A hidden process (hidepid= in man 5 proc) can be read only with its account's rights.
        let Some(began) = before.or_else(|| started(pid)) else {
            return false;
        };
        let executable = fs::read_link(process.join("exe")).ok();
        // A service manager also holds the sockets of its socket-activated services.
        let is_manager = pid == 1 || is_service_manager(executable.as_deref());
        let is_trusted = self
            .trusted
            .is_none_or(|trusted| owner(&process).is_some_and(|uid| trusted.contains(&uid)));
        let key = ProcessKey {
            pid,
            started: began,
        };
        let mark = self.mark.filter(|_| is_trusted);
        let holder = Holder {
            pid,
            started: began,
            uid: first.uid,
            accounts: accounts(pid),
            executable,
            command_line: match is_trusted {
                true => command_line(&procfs::read(
                    &process.join("cmdline"),
                    LONGEST_COMMAND_LINE,
                )),
                false => "?".to_owned(),
            },
            home: home_of(pid),
            elsewhere: elsewhere(&process),
            addresses: Vec::new(),
            sockets: Vec::new(),
            is_marked: mark.is_some_and(|mark| mark.is_on(key)),
        };
        // Its ID may have been reused meanwhile.
        if started(pid) == Some(began) {
            found.add(key, by_account(&holder, &held), &held, is_manager);
        }
        open.has_more
    }
}

/// The result so far.
struct Found {
    wanted: BTreeSet<u32>,
    held: Vec<Holder>,
    /// Something couldn't be read, for a reason within this process.
    is_cut: bool,
}

impl Found {
    fn of(listeners: &[Listener]) -> Self {
        Self {
            wanted: listeners.iter().map(|one| one.inode).collect(),
            held: Vec::new(),
            is_cut: false,
        }
    }

    fn add(
        &mut self,
        key: ProcessKey,
        holders: impl Iterator<Item = Holder>,
        sockets: &[&Listener],
        is_manager: bool,
    ) {
        if !is_manager {
            for socket in sockets {
                self.wanted.remove(&socket.inode);
            }
        }
        // It was searched before, without its higher descriptors.
        self.held.retain(|one| one.key() != key);
        self.held.extend(holders);
    }

    fn is_done(&self) -> bool {
        self.wanted.is_empty() || self.held.len() >= MOST_HOLDERS
    }
}

fn is_service_manager(executable: Option<&Path>) -> bool {
    executable.and_then(Path::file_name) == Some("systemd".as_ref())
}

fn owner(process: &Path) -> Option<u32> {
    fs::metadata(process).ok().map(|of| of.uid())
}

/// A holder for each account that opened some of the sockets.
fn by_account(holder: &Holder, held: &[&Listener]) -> impl Iterator<Item = Holder> {
    let accounts: BTreeSet<u32> = held.iter().map(|listener| listener.uid).collect();
    accounts.into_iter().map(|uid| {
        let opened = held.iter().filter(|listener| listener.uid == uid);
        Holder {
            uid,
            addresses: opened.clone().map(|listener| listener.address).collect(),
            sockets: opened.map(|listener| listener.inode).collect(),
            ..holder.clone()
        }
    })
}

/// The process's network namespace, if it is known to differ from the caller's.
fn elsewhere(process: &Path) -> Option<u64> {
    let inode = |process: &Path| Some(fs::metadata(process.join("ns/net")).ok()?.ino());
    // Namespaces belong to threads.
    let own = inode(Path::new("/proc/thread-self"))?;
    inode(process).filter(|inode| *inode != own)
}

/// A process's arguments are in its own memory. A process that maps them from its own file system (fuse(4)),
/// or handles its page faults (userfaultfd(2)), can block its readers for any time.
///
/// Arguments end with a zero byte (man 5 proc_pid_cmdline), unless the process overwrote them.
fn command_line(bytes: &[u8]) -> String {
    let words = bytes.split(|byte| *byte == 0);
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    words.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use failover_linux::sock_diag::listeners::Listeners;

    use super::*;
    use crate::gateway::port::holder::holder_for_tests as holder;

    fn held_by_this_process(first: &BTreeSet<u32>) {
        let sockets = [
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        ];
        for socket in &sockets {
            let address = socket.local_addr().unwrap();
            let listeners = Listeners::on(address.port()).now().unwrap();
            let holders = holders(&listeners, first);
            // The child of a test beside this one has the socket, too, until its exec.
            let holder = holders.iter().find(|one| one.pid == std::process::id());
            let holder = holder.unwrap_or_else(|| panic!("held by {holders:?}"));
            assert_eq!(holder.addresses, [address]);
            assert_eq!(holder.sockets, [listeners[0].inode]);
            assert!(holder.owns_its_sockets(), "{holder:?}");
            assert_eq!(
                holder.executable.as_deref(),
                Some(std::env::current_exe().unwrap().as_path())
            );
            assert!(!holder.command_line.is_empty());
        }
    }

    fn search(first: &[u32], deadline: Instant) -> HolderSearch<'_> {
        HolderSearch {
            first,
            deadline,
            mark: None,
            trusted: None,
        }
    }

    #[test]
    fn a_socket_is_found_in_the_process_that_the_kernel_reported() {
        held_by_this_process(&BTreeSet::from([std::process::id()]));
    }

    #[test]
    fn a_socket_is_found_when_nobody_or_the_wrong_one_was_reported() {
        held_by_this_process(&BTreeSet::new());
        held_by_this_process(&BTreeSet::from([1]));
    }

    #[test]
    fn the_search_ends_with_the_last_socket_and_is_incomplete_without_time() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners = Listeners::on(socket.local_addr().unwrap().port()).now();
        let listeners = listeners.unwrap();
        let own = std::process::id();
        let later = Instant::now() + Duration::from_secs(60);
        // No other process was searched, so no other is found, even if it has the socket by chance.
        let found = search(&[own, own], later).holders(&listeners);
        assert!(found.is_complete);
        assert_eq!(found.held.len(), 1);
        assert_eq!(found.held[0].sockets, [listeners[0].inode]);
        let found = search(&[], Instant::now()).holders(&listeners);
        assert_eq!(found, Holders::default());
        // A socket without a holder is searched for everywhere.
        let unheld = Listener {
            inode: u32::MAX,
            ..listeners[0]
        };
        let found = search(&[own], later).holders(&[unheld]);
        assert!(found.is_complete && found.held.is_empty());
        let both = search(&[], later).holders(&[listeners[0], unheld]);
        assert!(both.held.iter().any(|one| one.pid == own));
    }

    #[test]
    fn arguments_of_untrusted_accounts_are_not_read() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners = Listeners::on(socket.local_addr().unwrap().port()).now();
        let listeners = listeners.unwrap();
        let nobody = BTreeSet::from([u32::MAX]);
        let first = [std::process::id()];
        let wary = HolderSearch {
            trusted: Some(&nobody),
            ..search(&first, Instant::now() + PATIENCE)
        };
        let found = wary.holders(&listeners);
        assert_eq!(found.held[0].command_line, "?");
    }

    #[test]
    fn the_sockets_of_each_account_are_held_apart() {
        let listener = |address: &str, uid, inode| Listener {
            address: address.parse().unwrap(),
            uid,
            inode,
            only_v6: false,
        };
        let listeners = [
            listener("127.0.0.1:1", 1000, 1),
            listener("127.0.0.2:1", 7, 2),
            listener("[::1]:1", 1000, 3),
        ];
        let held: Vec<&Listener> = listeners.iter().collect();
        let holder = holder(1000, &[1000]);
        let found: Vec<_> = by_account(&holder, &held)
            .map(|one| (one.uid, one.sockets))
            .collect();
        assert_eq!(found, [(7, vec![2]), (1000, vec![1, 3])]);
    }

    #[test]
    fn arguments_are_joined_and_the_last_terminator_is_no_argument() {
        assert_eq!(
            command_line(b"openclaw\0gateway\0run\0"),
            "openclaw gateway run"
        );
        assert_eq!(command_line(b""), "");
        assert_eq!(command_line(b"\xff\0"), "\u{fffd}");
    }

    #[test]
    fn a_process_that_is_gone_holds_nothing() {
        let gone = BTreeSet::from([u32::MAX]);
        assert_eq!(holders(&[], &gone), []);
    }
}
