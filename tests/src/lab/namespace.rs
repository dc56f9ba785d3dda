//! A network namespace without a name: it exists while a process runs in it or has it open, and leaves nothing in
//! `/run/netns`.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::{fs::MetadataExt as _, process::CommandExt as _},
    },
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// A network namespace, held open.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
    identity: Identity,
}

/// Identifies a namespace while it is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The namespace of a file in `/proc/PID/ns` or of an open namespace.
    ///
    /// # Errors
    /// When there is none, or access is denied.
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from(&metadata))
    }

    /// The network namespace of a process; `None` when the process is gone or a zombie.
    #[must_use]
    pub fn of_process(pid: u32) -> Option<Self> {
        Self::of(Path::new(&format!("/proc/{pid}/ns/net"))).ok()
    }

    /// The inode number, as in kernel events.
    #[must_use]
    pub fn inode(self) -> u64 {
        self.inode
    }
}

impl From<&fs::Metadata> for Identity {
    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

impl Namespace {
    /// A new namespace with only a loopback interface, which is down.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> io::Result<Self> {
        // A thread of its own leaves for the new namespace and ends; this one stays where it is.
        let file = thread::spawn(|| {
            // SAFETY: only descriptors and the working directory can be confused by unsharing them,
            // and neither is unshared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
            File::open("/proc/thread-self/ns/net")
        })
        .join()
        .map_err(|_| io::Error::other("the thread that makes the namespace panicked"))??;
        let identity = Identity::from(&file.metadata()?);
        Ok(Self {
            file: Arc::new(file),
            identity,
        })
    }

    /// Its identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// A path by which other processes can open it while this process has it open.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// A command that runs in it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let file = Arc::clone(&self.file);
        let mut command = Command::new(program);
        // SAFETY: runs between fork and exec; setns is a bare system call and takes no lock.
        unsafe {
            command.pre_exec(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .map_err(io::Error::from)
            });
        }
        command
    }

    /// Runs `work` in it, on a new thread of this name. Sockets made there stay there.
    ///
    /// # Panics
    /// When `work` does, or the namespace can't be entered.
    pub fn enter<T: Send>(&self, name: &str, work: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("entering a network namespace of the lab");
            work()
        };
        thread::scope(|scope| {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, enter)
                .expect("starting a thread")
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
