//! What the procedures ask of the kernel, with the rights of the unit's account: its control group, its process, the
//! sockets on the port. It must not know what follows from an answer.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    num::NonZeroU16,
    ops::ControlFlow,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use failover_linux::{
    control_group::{self, ControlGroup},
    fs_credentials::FsCredentials,
    netlink::NetlinkError,
    open_sockets,
    process::ProcessKey,
    procfs,
    sock_diag::{self, Query, bound::Bound, bound_only},
};
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::gateway::{
    command::account::Account,
    parking::{group, record::Record},
};

/// Freezing took 0.3 to 2.7 ms on two cores; a process that waits for a disk may take longer.
const FROZEN: Duration = Duration::from_secs(5);
/// Ending 627 MB took 106 ms.
const ENDED: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// A dump takes microseconds, and this long only where somebody hinders it.
const ANSWER: Duration = Duration::from_secs(2);
/// Any account can open as many as it likes.
const MOST_SOCKETS: usize = 4096;
/// A number.
const LONGEST_MEMORY: u64 = 64;

/// A unit's control group, with the rights of its account.
#[derive(Debug)]
pub(super) struct Unit {
    account: Option<Account>,
    group: ControlGroup,
}

impl Unit {
    /// That of a record, checked to be the account's own.
    pub(super) fn of(record: &Record) -> anyhow::Result<Self> {
        let account = record.unit.manager_account()?;
        ensure!(
            group::is_of(&record.group, &record.unit, account.as_ref()),
            "{} isn't a control group of that unit",
            record.group
        );
        let root = group::root()?;
        let group = ControlGroup::at(root.join(record.group.trim_start_matches('/')));
        Ok(Self { account, group })
    }

    /// The account of its manager.
    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        self.group.directory()
    }

    /// Its number, as long as it exists.
    pub(super) fn id(&self) -> Option<u64> {
        self.group.id()
    }

    /// Does anything run in it, or below?
    pub(super) fn is_populated(&self) -> bool {
        self.group.is_populated() == Some(true)
    }

    /// Is all of it frozen?
    pub(super) fn is_frozen(&self) -> bool {
        self.group.is_frozen() == Some(true)
    }

    /// Freezes all of it, and waits until it is.
    pub(super) fn freeze(&self) -> anyhow::Result<()> {
        let _rights = self.rights();
        Ok(self.group.freeze(Instant::now() + FROZEN)?)
    }

    /// Lets it run again. One that isn't there does.
    pub(super) fn thaw(&self) -> anyhow::Result<()> {
        if self.group.is_populated().is_none() {
            return Ok(());
        }
        let _rights = self.rights();
        Ok(self.group.thaw()?)
    }

    /// Kills all that is in it, frozen or not, and waits until it is gone.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let _rights = self.rights();
        Ok(self.group.kill(Instant::now() + ENDED)?)
    }

    /// What runs in it and below; nothing where that can't be known.
    pub(super) fn processes(&self) -> Vec<u32> {
        self.group.processes().unwrap_or_default()
    }

    /// Is this process in it, or below?
    pub(super) fn holds(&self, pid: u32) -> bool {
        let (Ok(root), Some(path)) = (group::root(), control_group::of_process(pid)) else {
            return false;
        };
        root.join(path).starts_with(self.folder())
    }

    /// Bytes of its memory, where they are counted.
    pub(super) fn memory(&self) -> Option<u64> {
        let text = procfs::read(&self.folder().join("memory.current"), LONGEST_MEMORY);
        String::from_utf8_lossy(&text).trim().parse().ok()
    }

    fn rights(&self) -> FsCredentials {
        let (uid, gid) = group::rights(self.account());
        FsCredentials::of(uid, gid)
    }
}

/// Sends a signal to this very process.
pub(super) fn signal(process: ProcessKey, signal: Signal) -> anyhow::Result<()> {
    let gone = || format!("process {} has ended", process.pid);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.with_context(gone)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).with_context(gone)?;
    // Looked at after the descriptor was opened: so that is this process's.
    ensure!(ProcessKey::of(process.pid) == Some(process), "{}", gone());
    match pidfd_send_signal(&descriptor, signal) {
        Ok(()) => Ok(()),
        Err(Errno::SRCH) => Err(anyhow::anyhow!(gone())),
        Err(error) => Err(error).context("sending the signal"),
    }
}

/// Polls until it is so, for this time at most.
pub(super) fn until(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// The TCP sockets that have a port.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Those that listen.
    pub(super) listening: Vec<PortSocket>,
    /// Those that are bound and do nothing else; `None` where the kernel doesn't tell.
    bound: Option<Vec<PortSocket>>,
}

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PortSocket {
    pub(super) address: SocketAddr,
    pub(super) uid: u32,
    inode: u32,
    only_v6: bool,
    /// Number of the control group that it was opened in.
    group: Option<u64>,
}

/// Another program's socket, which would keep a gateway from listening.
#[derive(Clone, Copy, Debug)]
pub(super) enum InTheWay {
    /// It listens.
    Listening(PortSocket),
    /// It is bound, and could listen first.
    Bound(PortSocket),
}

/// Those that have it now.
pub(super) fn sockets(port: NonZeroU16) -> anyhow::Result<Sockets> {
    let asked = || format!("asking the kernel whose sockets have port {port}");
    let port = port.get();
    let listening = ask(&Query::listeners(port), port).with_context(asked)?;
    let bound = ask(&Query::bound_only(port), port).with_context(asked)?;
    // None may mean that the kernel doesn't know such a question.
    let tells = !bound.is_empty() || bound_only::on(port).with_context(asked)?.is_some();
    Ok(Sockets {
        listening,
        bound: tells.then_some(bound),
    })
}

fn ask(query: &Query, port: u16) -> Result<Vec<PortSocket>, NetlinkError> {
    let mut sockets = Vec::new();
    let deadline = Instant::now() + ANSWER;
    sock_diag::each(&sock_diag::open()?, query, deadline, |found| {
        if found.source.port() == port {
            sockets.push(PortSocket {
                address: SocketAddr::new(found.source.ip().to_canonical(), port),
                uid: found.uid,
                inode: found.inode,
                only_v6: found.is_only_v6(),
                group: found.control_group(),
            });
        }
        match sockets.len() < MOST_SOCKETS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    Ok(sockets)
}

impl PortSocket {
    const fn bound(&self) -> Bound {
        Bound {
            ip: self.address.ip(),
            only_v6: self.only_v6,
        }
    }
}

/// How a unit's sockets are known: by the group that they were opened in, and by the descriptors of its process, which
/// root without CAP_SYS_PTRACE doesn't see of a process that has more rights.
struct Owner {
    group: Option<u64>,
    inodes: BTreeSet<u32>,
}

impl Owner {
    fn of(unit: &Unit, pid: u32) -> Self {
        Self {
            group: unit.id(),
            inodes: open_sockets::of(Path::new(&format!("/proc/{pid}"))).0,
        }
    }

    fn has(&self, socket: &PortSocket) -> bool {
        let is_of_group = self.group.is_some() && socket.group == self.group;
        is_of_group || self.inodes.contains(&socket.inode)
    }
}

impl Sockets {
    /// The first with which this process of the unit listens.
    pub(super) fn listener_of(&self, unit: &Unit, pid: u32) -> Option<&PortSocket> {
        let owner = Owner::of(unit, pid);
        self.listening.iter().find(|socket| owner.has(socket))
    }

    /// Has this process of the unit bound a socket that does nothing else? Taken for granted where the kernel doesn't
    /// tell.
    pub(super) fn is_bound_by(&self, unit: &Unit, pid: u32) -> bool {
        let owner = Owner::of(unit, pid);
        let bound = self.bound.as_ref();
        bound.is_none_or(|bound| bound.iter().any(|socket| owner.has(socket)))
    }

    /// The first of somebody else's that would keep this process of the unit from listening.
    pub(super) fn in_the_way_of(&self, unit: &Unit, pid: u32) -> Option<InTheWay> {
        let owner = Owner::of(unit, pid);
        let bound = self.bound.as_deref().unwrap_or_default();
        let own = bound.iter().filter(|socket| owner.has(socket));
        let wanted: Vec<Bound> = own.map(PortSocket::bound).collect();
        let foreign = |sockets: &[PortSocket]| {
            let mut sockets = sockets.iter().filter(|socket| !owner.has(socket));
            sockets
                .find(|socket| Bound::is_blocked_by(&wanted, socket.bound()))
                .copied()
        };
        let listens = foreign(&self.listening).map(InTheWay::Listening);
        listens.or_else(|| foreign(bound).map(InTheWay::Bound))
    }
}
