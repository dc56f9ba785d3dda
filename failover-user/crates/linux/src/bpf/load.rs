//! Loading and attaching the kernel program, and reading what it tells.

use std::{
    hint, io,
    num::NonZeroU16,
    os::{fd::AsRawFd, linux::fs::MetadataExt as _},
    time::{Duration, Instant},
};

use aya::{
    Btf, BtfError, Ebpf, EbpfError, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray},
    programs::{BtfTracePoint, Program, ProgramError},
};
use aya_log::EbpfLogger;
use failover_ebpf::{Filter, GLOBAL_FILTER, GLOBAL_LAYOUT, Layout, MAP_EVENTS, MAP_LOST};
use rustix::process::{Resource, Rlimit, setrlimit};
use thiserror::Error;
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    bpf::{binds::Binds, event::KernelEvent, layout, layout::LayoutError, ring::Ring},
    trim::give_back_free_memory,
};

/// The kernel program, put here by the build script; empty when it wasn't built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/failover.o"));

/// The most events taken from the ring buffer in one go.
const LARGEST_BATCH: usize = 256;

/// How long the reader stays awake after an event. A connection makes ten within 100 µs, and being
/// woken for each costs both sides far more.
const LINGER: Duration = Duration::from_micros(20);

/// Inode of the machine's first process-number namespace (include/uapi/linux/nsfs.h, 6.18,
/// `PID_NS_INIT_INO`).
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// How far the kernel is closed to root (Documentation/admin-guide/LSM, kernel_lockdown(7)).
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// The only mode in which it may not be read: no tracefs, no `bpf_probe_read_kernel`
/// (security/security.c, 6.18, `lockdown_reasons`).
const CONFIDENTIALITY: &str = "[confidentiality]";

/// What to watch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watch {
    /// The local gateway's port.
    pub local_port: NonZeroU16,
    /// The primary's port.
    pub primary_port: NonZeroU16,
    /// Sockets of every network namespace, not only of the caller's.
    pub all_namespaces: bool,
    /// A process whose TCP sockets are nothing new to the caller: itself.
    pub ignored_process: Option<u32>,
    /// Hear the kernel program's own debug lines.
    pub debug: bool,
}

/// Why there are no kernel events. Each says what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A plain `cargo build` without the kernel program.
    #[error("this binary was built without its kernel program; build it with `cargo xtask build`")]
    NotBuiltIn,
    /// The kernel lacks something.
    #[error(
        "{0}; kernel events need Linux 5.9 or later with CONFIG_DEBUG_INFO_BTF, and root's rights to read them"
    )]
    Layout(#[from] LayoutError),
    /// Nor functions nor the system call can be watched.
    #[error("who binds the port can't be watched, all else can: {0}")]
    Binds(#[source] LayoutError),
    /// The kernel keeps even root from reading its memory.
    #[error(
        "this kernel is locked down ({mode}, see {LOCKDOWN}), which keeps kernel events from working in whole or in part; if that isn't meant, boot it without lockdown={mode}, otherwise give --kernel-events off. Without lockdown this would mean: {source}"
    )]
    LockedDown {
        /// How.
        mode: String,
        /// What has failed.
        source: Box<LoadError>,
    },
    /// Own namespaces can't be told.
    #[error("reading {path}: {source}; is /proc mounted?")]
    Namespace {
        /// The file.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Not allowed.
    #[error(
        "loading the kernel program isn't permitted ({0}); run as root, or give CAP_BPF and CAP_PERFMON"
    )]
    NotPermitted(String),
    /// The kernel refused the program or a map.
    #[error("the kernel refused the program: {0}; it needs Linux 5.9 or later")]
    Refused(String),
    /// The object lacks a map or program: built from another version.
    #[error("the kernel program has no `{0}`; build it anew with `cargo xtask build`")]
    Incomplete(&'static str),
    /// The events can't be waited for.
    #[error("waiting for kernel events: {0}")]
    Wait(#[source] io::Error),
}

impl LoadError {
    /// May it go well another time? A moment without memory or descriptors passes.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        const PASSING: [i32; 5] = [
            libc::EAGAIN,
            libc::EINTR,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
        ];
        match self {
            Self::Wait(error)
            | Self::Namespace { source: error, .. }
            | Self::Layout(LayoutError::Read { source: error, .. }) => error
                .raw_os_error()
                .is_some_and(|errno| PASSING.contains(&errno)),
            // The library's own errors are kept as text.
            Self::Refused(text) => PASSING
                .iter()
                .any(|errno| text.contains(&format!("(os error {errno})"))),
            Self::Layout(_)
            | Self::Binds(_)
            | Self::LockedDown { .. }
            | Self::NotBuiltIn
            | Self::NotPermitted(_)
            | Self::Incomplete(_) => false,
        }
    }

    /// The same, with the reason where that is a lockdown.
    pub fn explained(self) -> Self {
        let told = std::fs::read_to_string(LOCKDOWN).unwrap_or_default();
        self.explained_by(&told)
    }

    /// `lockdown`: what the kernel tells of it, the mode in brackets.
    fn explained_by(self, lockdown: &str) -> Self {
        let may_be = match &self {
            Self::Layout(_) | Self::Binds(_) | Self::NotPermitted(_) | Self::Refused(_) => true,
            Self::NotBuiltIn
            | Self::LockedDown { .. }
            | Self::Namespace { .. }
            | Self::Incomplete(_)
            | Self::Wait(_) => false,
        };
        let mode = lockdown
            .split_whitespace()
            .find(|mode| *mode == CONFIDENTIALITY);
        match mode {
            Some(mode) if may_be => Self::LockedDown {
                mode: mode.trim_matches(['[', ']']).to_owned(),
                source: Box::new(self),
            },
            _ => self,
        }
    }
}

/// A running kernel program. Dropping it detaches and unloads.
pub struct KernelEvents {
    events: AsyncFd<Ring>,
    /// When there was an event last.
    last: Option<Instant>,
    lost: PerCpuArray<MapData, u64>,
    lost_told: u64,
    malformed: u64,
    debug: Option<AsyncFd<Logger>>,
    binds: Binds,
    /// Holds the programs and their attachments.
    programs: Ebpf,
}

type Logger = EbpfLogger<&'static dyn log::Log>;

/// Events that came together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// In the order of the ring buffer.
    pub events: Vec<KernelEvent>,
    /// Events lost since the batch before.
    pub lost: u64,
}

impl KernelEvents {
    /// Loads the program into the kernel and attaches it.
    ///
    /// # Errors
    /// A [`LoadError`], which says what to do.
    pub fn load(watch: Watch) -> Result<Self, LoadError> {
        Self::loaded(watch).map_err(LoadError::explained)
    }

    fn loaded(watch: Watch) -> Result<Self, LoadError> {
        if OBJECT.is_empty() {
            return Err(LoadError::NotBuiltIn);
        }
        // Up to 5.10 BPF memory counts against this limit; where raising it isn't allowed, loading
        // may work all the same.
        let _ = setrlimit(
            Resource::Memlock,
            Rlimit {
                current: None,
                maximum: None,
            },
        );
        let kernel = layout::kernel()?;
        // Whether it is needed shows later.
        let bind = layout::bind_fields();
        let layout = Layout {
            bind: bind.as_ref().copied().unwrap_or_default(),
            members: kernel.members,
        };
        let log_level = u8::from(watch.debug) * aya_log::Level::Debug as u8;
        let mut programs = EbpfLoader::new()
            // Nothing to relocate: the layout is a global.
            .btf(None)
            .override_global(GLOBAL_LAYOUT, &Pod(layout), true)
            .override_global(GLOBAL_FILTER, &Pod(filter(watch)?), true)
            .override_global(aya_log::LEVEL, &log_level, true)
            .load(OBJECT)?;
        let btf = Btf::from_sys_fs()?;
        let binds = Binds::prepare(&mut programs, &kernel.bind_functions, bind.map(drop), &btf);
        // Before the first event: the log's map must outlive loading, and no event may be missed.
        let logger = EbpfLogger::init(&mut programs)
            .map_err(|error| LoadError::Refused(error.to_string()))?;
        let lost = programs
            .take_map(MAP_LOST)
            .ok_or(LoadError::Incomplete(MAP_LOST))?;
        let events = programs
            .take_map(MAP_EVENTS)
            .ok_or(LoadError::Incomplete(MAP_EVENTS))?;
        let state: &mut BtfTracePoint = program(&mut programs, "inet_sock_set_state")?;
        state.load("inet_sock_set_state", &btf)?;
        state.attach()?;
        drop(btf);
        give_back_free_memory();
        Ok(Self {
            events: readable(Ring::new(events)?)?,
            last: None,
            lost: PerCpuArray::try_from(lost)?,
            lost_told: 0,
            malformed: 0,
            debug: watch.debug.then(|| readable(logger)).transpose()?,
            programs,
            binds,
        })
    }

    /// Tells binds from now on, or need not any longer. Where that costs others nothing, they are always
    /// told; where it makes system calls slower, not before this asks for them.
    ///
    /// # Errors
    /// A [`LoadError`]; all else goes on to be told.
    pub fn tell_binds(&mut self, wanted: bool) -> Result<(), LoadError> {
        self.binds.ask(&mut self.programs, wanted)
    }

    /// Waits for events. Returns at least one, or a count of lost ones. Cancel-safe.
    ///
    /// # Errors
    /// When the descriptor can't be waited for.
    pub async fn next(&mut self) -> io::Result<Batch> {
        loop {
            let batch = self.drain();
            if !batch.events.is_empty() || batch.lost > 0 {
                return Ok(batch);
            }
            if self.linger() || !self.events.get_mut().may_sleep() {
                continue;
            }
            tokio::select! {
                guard = self.events.readable_mut() => guard?.clear_ready(),
                line = debug_line(&mut self.debug) => line?,
            }
        }
    }

    /// Are there events that nobody has taken yet?
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.events.get_ref().ready()
    }

    /// What has come until now, without waiting; so much at a time that a flood starves nobody.
    pub fn drain(&mut self) -> Batch {
        let mut batch = Batch::default();
        let ring = self.events.get_mut();
        let mut told = false;
        while batch.events.len() < LARGEST_BATCH
            && let Some(event) = ring.next(KernelEvent::parse)
        {
            told = true;
            match event {
                Some(event) => batch.events.push(event),
                None => self.malformed = self.malformed.saturating_add(1),
            }
        }
        // Only a full ring loses events, so asking an empty one's count would be a system call for
        // nothing. But for a bind by system call: its loss shows with the next event.
        if told {
            self.last = Some(Instant::now());
            batch.lost = self.newly_lost();
        }
        batch
    }

    /// Looks for the next event for a moment, if there was one just now: `true` when it has come.
    fn linger(&self) -> bool {
        let ring = self.events.get_ref();
        while self.last.is_some_and(|last| last.elapsed() < LINGER) {
            if ring.ready() {
                return true;
            }
            hint::spin_loop();
        }
        false
    }

    /// Events that could not be told since this was asked last: the ring buffer was full, or what it
    /// held was damaged.
    fn newly_lost(&mut self) -> u64 {
        let in_kernel = self
            .lost
            .get(&0, 0)
            .map_or(0, |counts| counts.iter().sum::<u64>());
        let total = in_kernel.saturating_add(self.malformed);
        let newly = total.saturating_sub(self.lost_told);
        self.lost_told = total;
        newly
    }
}

/// One of the object's programs.
pub fn program<'a, T>(programs: &'a mut Ebpf, name: &'static str) -> Result<&'a mut T, LoadError>
where
    &'a mut T: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = programs.program_mut(name);
    Ok(program.ok_or(LoadError::Incomplete(name))?.try_into()?)
}

fn filter(watch: Watch) -> Result<Filter, LoadError> {
    let namespace =
        |path| std::fs::metadata(path).map_err(|source| LoadError::Namespace { path, source });
    let pid = namespace("/proc/self/ns/pid")?;
    let first = pid.st_ino() == FIRST_PID_NAMESPACE;
    let netns = match watch.all_namespaces {
        true => 0,
        // Namespaces belong to threads.
        false => namespace("/proc/thread-self/ns/net")?.st_ino(),
    };
    Ok(Filter {
        pid_namespace_device: if first { 0 } else { pid.st_dev() },
        pid_namespace_inode: if first { 0 } else { pid.st_ino() },
        local_port: watch.local_port.get(),
        primary_port: watch.primary_port.get(),
        // Namespace inodes are 32 bits wide (include/linux/ns_common.h, 6.18).
        netns: u32::try_from(netns).unwrap_or(u32::MAX),
        ignored_pid: watch.ignored_process.unwrap_or(0),
        reserved: 0,
    })
}

/// Passes the kernel program's own lines on to the log. Without a logger it never returns.
async fn debug_line(logger: &mut Option<AsyncFd<Logger>>) -> io::Result<()> {
    match logger {
        Some(logger) => {
            let mut guard = logger.readable_mut().await?;
            guard.get_inner_mut().flush();
            guard.clear_ready();
            Ok(())
        }
        None => std::future::pending().await,
    }
}

fn readable<T: AsRawFd>(source: T) -> Result<AsyncFd<T>, LoadError> {
    // SAFETY: the ring buffer and the logger around one own their map's descriptor until they are
    // dropped, and always return that one.
    unsafe { AsyncFd::register_with_interest(source, Interest::READABLE) }
        .map_err(|error| LoadError::Wait(error.into()))
}

/// A record that goes into a global as it is.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Pod<T>(T);

// SAFETY: `repr(C)`, only numbers, no padding (sizes asserted in failover-ebpf), valid for any bits.
unsafe impl aya::Pod for Pod<Layout> {}
// SAFETY: the same.
unsafe impl aya::Pod for Pod<Filter> {}

impl From<EbpfError> for LoadError {
    fn from(error: EbpfError) -> Self {
        classify(&error)
    }
}

impl From<ProgramError> for LoadError {
    fn from(error: ProgramError) -> Self {
        match &error {
            // The verifier says EACCES too (kernel/bpf/verifier.c, 6.18), but only it says why.
            ProgramError::LoadError { verifier_log, .. }
                if !verifier_log.to_string().is_empty() =>
            {
                Self::Refused(error.to_string())
            }
            _ => classify(&error),
        }
    }
}

impl From<BtfError> for LoadError {
    fn from(error: BtfError) -> Self {
        classify(&error)
    }
}

impl From<MapError> for LoadError {
    fn from(error: MapError) -> Self {
        classify(&error)
    }
}

/// Not permitted, or refused? The chain of causes tells.
fn classify(error: &(dyn std::error::Error + 'static)) -> LoadError {
    let mut text = error.to_string();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let kind = current.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::PermissionDenied) {
            return LoadError::NotPermitted(error.to_string());
        }
        cause = current.source();
        if let Some(inner) = cause {
            let inner = inner.to_string();
            if !text.contains(&inner) {
                text = format!("{text}: {inner}");
            }
        }
    }
    LoadError::Refused(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: LoadError, lockdown: &str) -> String {
        error.explained_by(lockdown).to_string()
    }

    #[test]
    fn a_lack_of_descriptors_or_memory_passes_and_an_old_kernel_does_not() {
        let refused = |errno| {
            let error = io::Error::from_raw_os_error(errno);
            LoadError::Refused(format!("the map can't be made: {error}"))
        };
        assert!(refused(libc::EMFILE).may_pass() && refused(libc::ENOMEM).may_pass());
        assert!(!refused(libc::EINVAL).may_pass());
        let wait = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(LoadError::Wait(wait).may_pass());
        assert!(!LoadError::NotBuiltIn.may_pass());
    }

    #[test]
    fn a_lockdown_is_named_where_it_may_be_the_reason() {
        let refused = || LoadError::Refused("unknown func".to_owned());
        let said = told(refused(), "none integrity [confidentiality]\n");
        assert!(said.contains("(confidentiality, see /sys/"), "{said}");
        assert!(said.contains("lockdown=confidentiality"), "{said}");
        assert!(said.contains("unknown func"), "{said}");
        // That one lets the kernel be read.
        for other in ["none [integrity] confidentiality\n", "[none]\n", ""] {
            assert_eq!(told(refused(), other), refused().to_string());
        }
        let incomplete = told(LoadError::Incomplete("a map"), "[confidentiality]");
        assert!(!incomplete.contains("locked down"), "{incomplete}");
    }
}
