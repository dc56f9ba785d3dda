//! Who holds a listening socket: the process that has it open, and where that process belongs. Found
//! by the socket's inode, never by name: an agent's shell command has the gateway's name, too.
//!
//! Everything read here is a stranger's word, gone or changed by the next look: it is told to people
//! and matched, bounded, and never trusted to be there.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use failover_linux::{
    escape::Escaped,
    fs_credentials::Eyes,
    process::{ProcessKey, accounts, parent, started},
    sock_diag::listeners::Listener,
};

use crate::gateway::port::{
    home::{Home, home},
    invocation::Launch,
};
use failover_linux::procfs;

/// A command line may be megabytes long; this much names it.
const LONGEST_COMMAND_LINE: u64 = 4096;
/// Deeper than any hierarchy of control groups that people build.
const LONGEST_CGROUP: u64 = 16 * 1024;
/// `fs.nr_open` on most systems (man 5 proc): more open files than any process here has.
const MOST_DESCRIPTORS: usize = 1 << 20;
/// More processes than share a port on purpose.
const MOST_HOLDERS: usize = 64;
/// Deeper than processes are nested in a container.
const MOST_PARENTS: usize = 256;
/// Descriptors have the lowest free number (open(2)), and a server opens its socket early.
const USUAL_DESCRIPTORS: usize = 1024;
/// For who has nobody waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time is looked at after so many descriptors, each of which takes about a microsecond.
const LOOKS_A_BREAK: usize = 256;
/// Of the addresses of one holder, so many are written out.
const MOST_WRITTEN: usize = 4;

/// A process that holds listening sockets on the port, all opened by the same account. A process may
/// hold sockets that another account opened and handed to it (SCM_RIGHTS in unix(7)): those are a
/// holder of their own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Process (thread group).
    pub pid: u32,
    /// When it began, in ticks of the boot clock.
    pub started: u64,
    /// The account that opened the sockets, as sock_diag(7) tells.
    pub uid: u32,
    /// The accounts that the process runs as (real, effective, saved, file system), each once.
    pub accounts: Vec<u32>,
    /// What it runs; `None` when the process is gone or hides it.
    pub executable: Option<PathBuf>,
    /// Its words, separated by spaces; cut where they are long.
    pub command_line: String,
    /// The unit or container that it belongs to.
    pub home: Option<Home>,
    /// Inode of the network namespace that it is in, where that isn't the caller's: the sockets are
    /// the caller's all the same, opened before it went there, or handed to it.
    pub elsewhere: Option<u64>,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// The inodes of these sockets.
    pub sockets: Vec<u32>,
    /// It descends from a start command of ours, as its environment shows.
    pub launched: bool,
}

impl Holder {
    /// Which process it is, and no later one of its number.
    #[must_use]
    pub const fn key(&self) -> ProcessKey {
        ProcessKey {
            pid: self.pid,
            started: self.started,
        }
    }

    /// The same with these of its sockets alone, if it has any of them.
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

    /// Does it run as nobody but this account, and root?
    #[must_use]
    pub fn runs_as(&self, uid: u32) -> bool {
        !self.accounts.is_empty() && self.accounts.iter().all(|one| [uid, 0].contains(one))
    }

    /// Are both the sockets and the process this account's? What belongs to root, which may become
    /// anybody, is not.
    #[must_use]
    pub fn is_of(&self, uid: u32) -> bool {
        self.uid == uid && self.runs_as(uid)
    }

    /// Are both the sockets and the process this account's, or root's?
    #[must_use]
    pub fn is_of_or_roots(&self, uid: u32) -> bool {
        [uid, 0].contains(&self.uid) && self.runs_as(uid)
    }

    /// Did the process open its sockets itself, or get them from root, as from a service manager? Any
    /// other account may have handed them to it to be taken for it.
    #[must_use]
    pub fn owns_its_sockets(&self) -> bool {
        self.uid == 0 || self.accounts.contains(&self.uid)
    }

    /// When the first process of its unit or container began, as far up as its parents are in there:
    /// the init process of a container is a parent of all that run in its process namespace.
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

/// How the holders of sockets are looked for.
#[derive(Debug)]
pub struct HolderSearch<'search> {
    /// These are looked at first: whom the kernel named, and who held the sockets before.
    pub first: &'search [u32],
    /// Then it ends, whatever was found.
    pub deadline: Instant,
    /// Marks what descends from our own start.
    pub launch: Option<&'search Launch>,
    /// Reading another account's words from its memory may take for ever (see `command_line`): only these
    /// accounts' are read; `None`: everybody's.
    pub trusted: Option<&'search BTreeSet<u32>>,
}

/// What a search found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holders {
    /// Those that hold one of the sockets at least.
    pub held: Vec<Holder>,
    /// Everybody was looked at, or every socket has a holder.
    pub is_complete: bool,
}

/// The processes that hold these sockets. Those in `told` are looked at first.
#[must_use]
pub fn holders(listeners: &[Listener], told: &BTreeSet<u32>) -> Vec<Holder> {
    let first: Vec<u32> = told.iter().copied().collect();
    let search = HolderSearch {
        first: &first,
        deadline: Instant::now() + PATIENCE,
        launch: None,
        trusted: None,
    };
    let found = search.holders(listeners);
    found.held
}

impl HolderSearch<'_> {
    /// Looks at one process after the other until each socket has a holder: first the likely ones, then
    /// those of the accounts that opened the sockets, then everybody; and of each first the descriptors
    /// where a listening socket is usually found. Other accounts' open files cost nothing so, however many
    /// they are.
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
        match all_processes() {
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

    /// Notes the process if it holds one of the sockets, among so many descriptors. Has it more?
    fn look_at(&self, pid: u32, most: usize, listeners: &[Listener], found: &mut Found) -> bool {
        let before = started(pid);
        let process = PathBuf::from(format!("/proc/{pid}"));
        let open = open_sockets_among(&process, most, self.deadline);
        found.is_cut |= open.is_cut;
        let held: Vec<&Listener> = listeners
            .iter()
            .filter(|listener| open.sockets.contains(&listener.inode))
            .collect();
        let Some(first) = held.first() else {
            return open.has_more;
        };
        // Hidden from others (hidepid= in man 5 proc), it is read with its account's rights alone.
        let Some(began) = before.or_else(|| started(pid)) else {
            return false;
        };
        let executable = fs::read_link(process.join("exe")).ok();
        // A service manager holds the sockets that it listens with for a service. That holds them, too.
        let is_manager = pid == 1 || is_service_manager(executable.as_deref());
        let is_trusted = self
            .trusted
            .is_none_or(|trusted| owner(&process).is_some_and(|uid| trusted.contains(&uid)));
        let key = ProcessKey {
            pid,
            started: began,
        };
        let launch = self.launch.filter(|_| is_trusted);
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
            launched: launch.is_some_and(|launch| launch.began(key)),
        };
        // Another process may have got its number while it was looked at.
        if started(pid) == Some(began) {
            found.add(key, by_account(&holder, &held), &held, is_manager);
        }
        open.has_more
    }
}

/// What is found so far.
struct Found {
    wanted: BTreeSet<u32>,
    held: Vec<Holder>,
    /// Something couldn't be looked at, for a reason of this process's own.
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
        // One that was looked at before, and not at all of its descriptors.
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

/// Sockets among a process's first descriptors.
#[derive(Debug, Default)]
struct Open {
    sockets: BTreeSet<u32>,
    has_more: bool,
    /// Not all could be looked at, for a reason of this process's own.
    is_cut: bool,
    eyes: Option<Eyes>,
}

fn open_sockets_among(process: &Path, most: usize, deadline: Instant) -> Open {
    match sockets_of(process, most, deadline) {
        Err(error) if is_denied(&error) => {}
        result => return opened(result, None),
    }
    let Ok(owner) = fs::metadata(process) else {
        return Open::default();
    };
    let eyes = Eyes::of(owner.uid(), owner.gid());
    opened(sockets_of(process, most, deadline), Some(eyes))
}

fn opened(result: io::Result<(BTreeSet<u32>, bool)>, eyes: Option<Eyes>) -> Open {
    match result {
        Ok((sockets, has_more)) => Open {
            sockets,
            has_more,
            is_cut: false,
            eyes,
        },
        Err(error) => Open {
            is_cut: is_our_own(&error),
            eyes,
            ..Open::default()
        },
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// A lack of descriptors or memory says nothing about who was looked at.
fn is_our_own(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)
    )
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

/// Where a process belongs.
pub(crate) fn home_of(pid: u32) -> Option<Home> {
    static OWN: OnceLock<Option<Home>> = OnceLock::new();
    let of = |process: &str| {
        home(&procfs::read(
            Path::new(&format!("/proc/{process}/cgroup")),
            LONGEST_CGROUP,
        ))
    };
    beside(
        of(&pid.to_string()),
        OWN.get_or_init(|| of("self")).as_ref(),
    )
}

/// What is in the same container as this process is as outside of any: commands start and stop it there.
fn beside(home: Option<Home>, own: Option<&Home>) -> Option<Home> {
    let is_own = |home: &Home| matches!(home, Home::Container { .. }) && Some(home) == own;
    home.filter(|home| !is_own(home))
}

/// Inodes of the sockets that a process has open, and the eyes that it takes to see them, where those are
/// the process's own account's: not even root may trace everybody (ptrace(2)).
pub(crate) fn open_sockets(process: &Path) -> (BTreeSet<u32>, Option<Eyes>) {
    let open = open_sockets_among(process, MOST_DESCRIPTORS, Instant::now() + PATIENCE);
    (open.sockets, open.eyes)
}

/// The process's network namespace, if it is known to be another than the caller's.
fn elsewhere(process: &Path) -> Option<u64> {
    let inode = |process: &Path| Some(fs::metadata(process.join("ns/net")).ok()?.ino());
    // Namespaces belong to threads.
    let own = inode(Path::new("/proc/thread-self"))?;
    inode(process).filter(|inode| *inode != own)
}

/// Inodes of the sockets among the first descriptors of a process, and whether it has more; none when it
/// is gone.
///
/// # Errors
/// When they aren't shown to this account, or there is no room to look.
fn sockets_of(process: &Path, most: usize, deadline: Instant) -> io::Result<(BTreeSet<u32>, bool)> {
    let mut descriptors = match fs::read_dir(process.join("fd")) {
        Err(error) if is_denied(&error) || is_our_own(&error) => return Err(error),
        descriptors => descriptors.into_iter().flatten(),
    };
    let mut sockets = BTreeSet::new();
    for (count, entry) in descriptors.by_ref().take(most).flatten().enumerate() {
        if count % LOOKS_A_BREAK == 0 && Instant::now() >= deadline {
            return Ok((sockets, true));
        }
        let target = match fs::read_link(entry.path()) {
            Err(error) if is_denied(&error) => return Err(error),
            // Closed meanwhile.
            Err(_) => continue,
            Ok(target) => target,
        };
        let inode = target.to_str().and_then(|target| {
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse::<u32>().ok()
        });
        sockets.extend(inode);
    }
    Ok((sockets, descriptors.next().is_some()))
}

pub(crate) fn processes() -> impl Iterator<Item = u32> {
    all_processes().into_iter().flatten()
}

/// The same where it matters that they can't be listed.
fn all_processes() -> io::Result<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// What a process was called with lies in its own memory. Whoever maps that from a file system of its own
/// (fuse(4)), or handles its page faults (userfaultfd(2)), has its readers wait for as long as it likes.
///
/// Words end with a zero byte (man 5 proc_pid_cmdline), unless the process wrote over them.
fn command_line(bytes: &[u8]) -> String {
    let words = bytes.split(|byte| *byte == 0);
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    words.join(" ").trim_end().to_owned()
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
            launched: _,
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

/// The first so many of them, and how many more there are.
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use failover_linux::sock_diag::listeners::Listeners;

    fn holder(uid: u32, accounts: &[u32]) -> Holder {
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
            launched: false,
        }
    }

    fn held_by_this_process(told: &BTreeSet<u32>) {
        let sockets = [
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        ];
        for socket in &sockets {
            let address = socket.local_addr().unwrap();
            let listeners = Listeners::on(address.port()).now().unwrap();
            let holders = holders(&listeners, told);
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

    #[test]
    fn a_socket_is_found_in_the_process_that_the_kernel_told_of() {
        held_by_this_process(&BTreeSet::from([std::process::id()]));
    }

    #[test]
    fn a_socket_is_found_when_nobody_or_the_wrong_one_was_told_of() {
        held_by_this_process(&BTreeSet::new());
        held_by_this_process(&BTreeSet::from([1]));
    }

    fn search(first: &[u32], deadline: Instant) -> HolderSearch<'_> {
        HolderSearch {
            first,
            deadline,
            launch: None,
            trusted: None,
        }
    }

    #[test]
    fn the_search_ends_with_the_last_socket_and_says_so_when_it_had_no_time() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners = Listeners::on(socket.local_addr().unwrap().port()).now();
        let listeners = listeners.unwrap();
        let own = std::process::id();
        let later = Instant::now() + Duration::from_secs(60);
        // Nobody else was looked at, so nobody else is found: not even who has it by chance.
        let found = search(&[own, own], later).holders(&listeners);
        assert!(found.is_complete);
        assert_eq!(found.held.len(), 1);
        assert_eq!(found.held[0].sockets, [listeners[0].inode]);
        let found = search(&[], Instant::now()).holders(&listeners);
        assert_eq!(found, Holders::default());
        // One that nobody holds is looked for everywhere.
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
    fn a_socket_behind_thousands_of_descriptors_is_found_at_last() {
        let most = 3;
        let (_, has_more) =
            sockets_of(Path::new("/proc/self"), most, Instant::now() + PATIENCE).unwrap();
        assert!(has_more);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let high = rustix::io::fcntl_dupfd_cloexec(&socket, 900).unwrap();
        drop(socket);
        let inode = u32::try_from(rustix::fs::fstat(&high).unwrap().st_ino).unwrap();
        let (sockets, _) = sockets_of(
            Path::new("/proc/self"),
            MOST_DESCRIPTORS,
            Instant::now() + PATIENCE,
        )
        .unwrap();
        assert!(sockets.contains(&inode));
    }

    #[test]
    fn words_of_those_who_are_not_trusted_are_not_read() {
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
    fn a_process_that_is_gone_holds_nothing() {
        let gone = BTreeSet::from([u32::MAX]);
        assert_eq!(holders(&[], &gone), []);
        let gone = Path::new("/proc/4294967295");
        let gone = sockets_of(gone, MOST_DESCRIPTORS, Instant::now() + PATIENCE);
        assert_eq!(gone.unwrap(), (BTreeSet::new(), false));
    }

    #[test]
    fn what_is_in_the_daemons_own_container_is_as_outside_of_any() {
        let container = |name: &str| {
            let name = name.to_owned();
            Some(Home::Container { owner: None, name })
        };
        let unit = || Some(Home::SystemUnit("x.service".to_owned()));
        let own = container("a");
        for (home, expected) in [
            (container("a"), None),
            (container("b"), container("b")),
            (unit(), unit()),
            (None, None),
        ] {
            assert_eq!(beside(home, own.as_ref()), expected);
        }
        assert_eq!(beside(container("a"), None), container("a"));
        assert_eq!(beside(unit(), unit().as_ref()), unit());
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
    fn words_are_joined_and_the_last_end_is_no_word() {
        assert_eq!(
            command_line(b"openclaw\0gateway\0run\0"),
            "openclaw gateway run"
        );
        assert_eq!(command_line(b""), "");
        assert_eq!(command_line(b"\xff\0"), "\u{fffd}");
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
        let told = holder.to_string();
        assert!(
            told.chars()
                .all(|character| character == ' ' || character.is_ascii_graphic()),
            "{told}"
        );
    }
}
