//! Who holds a listening socket: the process that has it open, and where that process belongs. Found
//! by the socket's inode, never by name: an agent's shell command has the gateway's name, too.
//!
//! Everything read here is a stranger's word, gone or changed by the next look: it is told to people
//! and matched, bounded, and never trusted to be there.

use std::{
    collections::BTreeSet,
    fmt, fs,
    io::{self, Read as _},
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{ProcessKey, eyes::Eyes, listeners::Listener, process::started};
use crate::escape::Escaped;

/// A command line may be megabytes long; this much names it.
const LONGEST_COMMAND_LINE: u64 = 4096;
/// Deeper than any hierarchy of control groups that people build.
const LONGEST_CGROUP: u64 = 16 * 1024;
/// `fs.nr_open` on most systems (man 5 proc): more open files than any process here has.
const MOST_DESCRIPTORS: usize = 1 << 20;
/// More processes than share a port on purpose.
const MOST_HOLDERS: usize = 64;

/// A process that holds listening sockets on the port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Process (thread group).
    pub pid: u32,
    /// When it began, in ticks of the boot clock; 0 when it is gone.
    pub started: u64,
    /// Who opened the sockets.
    pub uid: u32,
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
}

/// What a process's control group tells of where it comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Home {
    /// A unit of the system's service manager.
    SystemUnit(String),
    /// A unit of a user's service manager.
    UserUnit {
        /// Whose.
        uid: u32,
        /// Its name.
        name: String,
    },
    /// A container.
    Container(String),
}

/// The processes that hold these sockets. Those in `told` are looked at first: where the kernel
/// events named the right ones, nobody else is looked at.
#[must_use]
pub fn holders(listeners: &[Listener], told: &BTreeSet<u32>) -> Vec<Holder> {
    let mut wanted: BTreeSet<u32> = listeners.iter().map(|one| one.inode).collect();
    let mut found = Vec::new();
    for pid in told {
        look_at(*pid, listeners, &mut wanted, &mut found);
    }
    if wanted.is_empty() {
        return found;
    }
    for pid in processes().filter(|pid| !told.contains(pid)) {
        look_at(pid, listeners, &mut wanted, &mut found);
        if found.len() >= MOST_HOLDERS {
            break;
        }
    }
    found
}

/// Notes the process if it holds one of the sockets.
fn look_at(pid: u32, listeners: &[Listener], wanted: &mut BTreeSet<u32>, found: &mut Vec<Holder>) {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let (sockets, _eyes) = open_sockets(&process);
    let held: Vec<&Listener> = listeners
        .iter()
        .filter(|listener| sockets.contains(&listener.inode))
        .collect();
    let Some(first) = held.first() else { return };
    for listener in &held {
        wanted.remove(&listener.inode);
    }
    found.push(Holder {
        pid,
        started: started(pid).unwrap_or(0),
        uid: first.uid,
        executable: fs::read_link(process.join("exe")).ok(),
        command_line: command_line(&read(&process.join("cmdline"), LONGEST_COMMAND_LINE)),
        home: home(&read(&process.join("cgroup"), LONGEST_CGROUP)),
        elsewhere: elsewhere(&process),
        addresses: held.iter().map(|listener| listener.address).collect(),
    });
}

/// Inodes of the sockets that a process has open, and the eyes that it takes to see them, where those are
/// the process's own account's: not even root may trace everybody (ptrace(2)).
pub(super) fn open_sockets(process: &Path) -> (BTreeSet<u32>, Option<Eyes>) {
    if let Ok(sockets) = sockets_of(process) {
        return (sockets, None);
    }
    let Ok(owner) = fs::metadata(process) else {
        return Default::default();
    };
    let eyes = Eyes::of(owner.uid(), owner.gid());
    (sockets_of(process).unwrap_or_default(), Some(eyes))
}

/// The process's network namespace, if it is known to be another than the caller's.
fn elsewhere(process: &Path) -> Option<u64> {
    let inode = |process: &Path| Some(fs::metadata(process.join("ns/net")).ok()?.ino());
    // Namespaces belong to threads.
    let own = inode(Path::new("/proc/thread-self"))?;
    inode(process).filter(|inode| *inode != own)
}

/// Inodes of the sockets that a process has open; none when it is gone.
///
/// # Errors
/// When they aren't shown to this account.
fn sockets_of(process: &Path) -> io::Result<BTreeSet<u32>> {
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let descriptors = match fs::read_dir(process.join("fd")) {
        Err(error) if denied(&error) => return Err(error),
        descriptors => descriptors.into_iter().flatten(),
    };
    let mut sockets = BTreeSet::new();
    for entry in descriptors.take(MOST_DESCRIPTORS).flatten() {
        let target = match fs::read_link(entry.path()) {
            Err(error) if denied(&error) => return Err(error),
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
    Ok(sockets)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The beginning of a file; nothing where it can't be read.
pub(super) fn read(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}

/// Words end with a zero byte (man 5 proc_pid_cmdline), unless the process wrote over them.
fn command_line(bytes: &[u8]) -> String {
    let words = bytes.split(|byte| *byte == 0);
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    words.join(" ").trim_end().to_owned()
}

/// Where the control group says that the process belongs: the hierarchy of the second version, or
/// systemd's own of the first (man 7 cgroups). Containers are named as systemd and the container
/// engines name their scopes.
fn home(cgroups: &[u8]) -> Option<Home> {
    const SCOPES: [&str; 4] = ["docker-", "libpod-", "cri-containerd-", "crio-"];
    let text = String::from_utf8_lossy(cgroups);
    let path = text.lines().find_map(|line| {
        line.strip_prefix("0::")
            .or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
            .filter(|path| *path != "/")
    })?;
    let mut user = None;
    let mut home = None;
    let mut parent = "";
    for part in path.split('/') {
        let container = match part.strip_suffix(".scope") {
            Some(scope) => SCOPES.iter().find_map(|prefix| scope.strip_prefix(prefix)),
            None => part
                .strip_prefix("lxc.payload.")
                .or_else(|| matches!(parent, "docker" | "lxc").then_some(part)),
        };
        if let Some(container) = container {
            // What runs inside has units of its own, which mean nothing out here.
            return Some(Home::Container(container.to_owned()));
        }
        let user_manager = part
            .strip_prefix("user@")
            .and_then(|rest| rest.strip_suffix(".service")?.parse().ok());
        if user_manager.is_some() {
            user = user_manager;
        } else if part.ends_with(".service") || part.ends_with(".scope") {
            let name = part.to_owned();
            home = Some(match user {
                Some(uid) => Home::UserUnit { uid, name },
                None => Home::SystemUnit(name),
            });
        }
        parent = part;
    }
    home
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            started: _,
            uid,
            executable,
            command_line,
            home,
            elsewhere,
            addresses,
        } = self;
        let executable = executable
            .as_ref()
            .map_or("?".into(), |path| path.to_string_lossy());
        write!(formatter, "{} (pid {pid}, uid {uid}", Escaped(&executable))?;
        if let Some(home) = home {
            write!(formatter, ", {home}")?;
        }
        if let Some(inode) = elsewhere {
            write!(formatter, ", network namespace {inode}")?;
        }
        let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        write!(
            formatter,
            ") on {}: {}",
            addresses.join(" and "),
            Escaped(command_line)
        )
    }
}

impl fmt::Display for Home {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemUnit(name) => write!(formatter, "unit {}", Escaped(name)),
            Self::UserUnit { uid, name } => {
                write!(formatter, "unit {} of user {uid}", Escaped(name))
            }
            Self::Container(name) => write!(formatter, "container {}", Escaped(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::gateway::Listeners;

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

    #[test]
    fn a_process_that_is_gone_holds_nothing() {
        let gone = BTreeSet::from([u32::MAX]);
        assert_eq!(holders(&[], &gone), []);
        let gone = sockets_of(Path::new("/proc/4294967295"));
        assert!(gone.is_ok_and(|sockets| sockets.is_empty()));
    }

    #[test]
    fn units_and_containers_are_told_from_the_control_group() {
        let unit = |name: &str| Some(Home::SystemUnit(name.to_owned()));
        let user = |uid, name: &str| {
            let name = name.to_owned();
            Some(Home::UserUnit { uid, name })
        };
        let container = |name: &str| Some(Home::Container(name.to_owned()));
        for (text, expected) in [
            ("0::/\n", None),
            ("", None),
            (
                "0::/system.slice/gateway.service\n",
                unit("gateway.service"),
            ),
            (
                "0::/user.slice/user-1000.slice/session-3.scope\n",
                unit("session-3.scope"),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/openclaw-gateway.service\n",
                user(1000, "openclaw-gateway.service"),
            ),
            (
                "0::/user.slice/user-0.slice/user@0.service/init.scope\n",
                user(0, "init.scope"),
            ),
            (
                "0::/system.slice/docker-0123456789ab.scope\n",
                container("0123456789ab"),
            ),
            (
                "0::/system.slice/docker-0123456789ab.scope/system.slice/x.service\n",
                container("0123456789ab"),
            ),
            (
                "12:cpu:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n",
                container("abc"),
            ),
            ("0::/lxc.payload.web/init.scope\n", container("web")),
            ("nonsense\n", None),
        ] {
            assert_eq!(home(text.as_bytes()), expected, "{text}");
        }
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
            pid: 1,
            started: 0,
            uid: 2,
            executable: Some("/tmp/a\nb".into()),
            command_line: "\u{1b}[2J\u{202e}x".to_owned(),
            home: Some(Home::SystemUnit("a\rb.service".to_owned())),
            elsewhere: Some(4_026_531_840),
            addresses: vec!["127.0.0.1:18789".parse().unwrap()],
        };
        let told = holder.to_string();
        assert!(
            told.chars()
                .all(|character| character == ' ' || character.is_ascii_graphic()),
            "{told}"
        );
    }
}
