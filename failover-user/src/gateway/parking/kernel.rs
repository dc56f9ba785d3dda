//! What the procedures ask of the kernel, with the rights of the unit's account: its control group, its process, the
//! sockets on the port. It must not know what follows from an answer.

use std::{
    collections::BTreeSet,
    num::NonZeroU16,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use failover_linux::{
    control_group::{self, ControlGroup},
    fs_credentials::FsCredentials,
    open_sockets,
    process::ProcessKey,
    procfs,
    sock_diag::{
        bound::Bound,
        bound_only::{self, BoundSocket},
        listeners::{Listener, Listeners},
    },
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

/// Looks again and again, for this long.
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
    pub(super) listening: Vec<Listener>,
    /// Those that are bound and do nothing else; `None` where the kernel doesn't tell.
    bound: Option<Vec<BoundSocket>>,
}

/// Another program's socket, which would keep a gateway from listening.
#[derive(Clone, Copy, Debug)]
pub(super) enum InTheWay {
    /// It listens.
    Listening(Listener),
    /// It is bound, and could listen first.
    Bound(BoundSocket),
}

/// Those that have it now.
pub(super) fn sockets(port: NonZeroU16) -> anyhow::Result<Sockets> {
    let listening = Listeners::on(port.get()).now()?;
    let bound = bound_only::on(port.get());
    Ok(Sockets {
        listening,
        bound: bound.with_context(|| format!("asking the kernel who has bound port {port}"))?,
    })
}

impl Sockets {
    /// The first with which this process listens.
    pub(super) fn listener_of(&self, pid: u32) -> Option<&Listener> {
        let open = open_sockets::of(Path::new(&format!("/proc/{pid}"))).0;
        self.listening
            .iter()
            .find(|socket| open.contains(&socket.inode))
    }

    /// Has this process bound a socket that does nothing else? Taken for granted where the kernel doesn't tell.
    pub(super) fn is_bound_by(&self, pid: u32) -> bool {
        let open = open_sockets::of(Path::new(&format!("/proc/{pid}"))).0;
        let Some(bound) = &self.bound else {
            return true;
        };
        bound.iter().any(|socket| open.contains(&socket.inode))
    }

    /// The first of somebody else's that would keep this process from listening.
    pub(super) fn in_the_way_of(&self, pid: u32) -> Option<InTheWay> {
        let open: BTreeSet<u32> = open_sockets::of(Path::new(&format!("/proc/{pid}"))).0;
        let bound = self.bound.as_deref().unwrap_or_default();
        // Whether it takes IPv4 as well isn't told.
        let place = |socket: &BoundSocket| Bound {
            ip: socket.address.ip(),
            only_v6: false,
        };
        let (own, foreign): (Vec<&BoundSocket>, Vec<&BoundSocket>) = bound
            .iter()
            .partition(|socket| open.contains(&socket.inode));
        let wanted: Vec<Bound> = own.into_iter().map(place).collect();
        let listens = self.listening.iter().find(|socket| {
            !open.contains(&socket.inode) && Bound::is_blocked_by(&wanted, socket.bound())
        });
        let binds = || {
            let mut foreign = foreign.into_iter();
            foreign.find(|socket| Bound::is_blocked_by(&wanted, place(socket)))
        };
        listens
            .map(|socket| InTheWay::Listening(*socket))
            .or_else(|| binds().map(|socket| InTheWay::Bound(*socket)))
    }
}
