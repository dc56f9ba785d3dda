//! Loading and attaching the kernel program, and reading what it tells.

use std::{
    hint, io,
    num::NonZeroU16,
    os::{fd::AsRawFd, linux::fs::MetadataExt as _},
    time::{Duration, Instant},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{MapData, PerCpuArray},
    programs::BtfTracePoint,
};
use aya_log::EbpfLogger;
use failover_ebpf::{
    Filter, GLOBAL_FILTER, GLOBAL_LAYOUT, Layout, MAP_EVENTS, MAP_LOST, RING_BYTES,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    bpf::{
        binds::Binds,
        error::{LoadError, program},
        event::KernelEvent,
        layout, limits,
        pod::Pod,
        ring::Ring,
    },
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
        limits::lift();
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
            events: readable(Ring::new(events, MAP_EVENTS, RING_BYTES)?)?,
            last: None,
            lost: PerCpuArray::try_from(lost)?,
            lost_told: 0,
            malformed: 0,
            debug: watch.debug.then(|| readable(logger)).transpose()?,
            programs,
            binds,
        })
    }

    /// Enables or disables tracing of binds. If it costs other programs nothing, they are always
    /// traced; if it makes system calls slower, only on request.
    ///
    /// # Errors
    /// A [`LoadError`]; all other events are still reported.
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

    /// The pending events, without waiting; limited, so that a flood does not starve the caller.
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

    /// Events that were lost since the last call: the ring buffer was full, or a record
    /// was damaged.
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
