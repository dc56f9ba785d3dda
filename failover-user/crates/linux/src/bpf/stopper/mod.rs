//! The stopper: a kernel program that stops a gateway in its own bind of the port, before it can listen.
//!
//! It is pinned, so it works without the process that made it, and the next one finds it again. Blocking, for
//! processes that do one thing. It knows nothing of units, primaries or strikes.
//!
//! What it covers: each bind by the system call, and by io_uring where functions can be watched. What comes to
//! listen without having been stopped (a bind through io_uring otherwise, a bind linked with its listen, a
//! second thread that is quicker) is killed in the same system call, and reported as [`Caught::Listened`]: it
//! listens for some microseconds and never accepts.
//!
//! What it doesn't cover: a process that isn't the main process (a gateway below a wrapper script), a socket that
//! is handed over by the service manager, and, on a kernel that may preempt itself, a bind and its listen that both
//! run on a processor while it is in the midst of the same program for another task (the kernel skips those:
//! `bpf_prog_active`, `active` of a program). So the caller has to treat a listener as a failure all the same.

mod error;
mod event;
mod pins;
mod programs;
mod target;

use std::{
    fs, io,
    num::NonZeroU16,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aya::maps::{Array, Map, MapData};
use failover_ebpf::stop::{
    self as contract, Control, MAP_CONTROL, MAP_STOPS, MAP_TARGET, STOPS_BYTES, VERSION,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use self::error::chain;
pub(super) use self::programs::object;
pub use self::{
    error::StopperError,
    event::{Caught, StopEvent},
    programs::Way,
    target::{GroupPath, MainProcess, Target, TargetError},
};
use crate::bpf::{pod::Pod, ring::Ring};

/// Held while this process tries whether the machine can park.
static PROBING: Mutex<()> = Mutex::new(());

/// A stopper that is pinned. Dropping this changes nothing about it.
pub struct Stopper {
    place: PathBuf,
    control: Array<MapData, Pod<Control>>,
    target: Array<MapData, Pod<contract::Target>>,
    stops: Ring,
}

impl Stopper {
    /// The one whose pins are in this directory of a BPF file system (`/sys/fs/bpf/failover/18789`), disarmed if
    /// it is a new one. Mounts the file system where nobody has. A new one takes up to a second.
    ///
    /// # Errors
    /// A [`StopperError`], which says what to do; the standby is cold then.
    pub fn open(place: &Path) -> Result<Self, StopperError> {
        if let Some(found) = Self::find(place)? {
            return Ok(found);
        }
        let unfinished = pins::begin(place)?;
        let made = programs::load(&unfinished)
            .and_then(|()| mark(&unfinished))
            .and_then(|()| pins::finish(&unfinished, place));
        if let Err(error) = made {
            let _ = pins::remove(&unfinished);
            pins::remove_above(place);
            return Err(error);
        }
        Self::found(place)
    }

    /// The one whose pins are in this directory, if there are any. Takes less than a millisecond.
    ///
    /// # Errors
    /// When they are damaged or another version's, or can't be looked at: [`Self::remove`] them.
    pub fn find(place: &Path) -> Result<Option<Self>, StopperError> {
        match fs::symlink_metadata(place) {
            Ok(_) => Self::found(place).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StopperError::File {
                deed: "reading",
                place: place.to_owned(),
                source,
            }),
        }
    }

    fn found(place: &Path) -> Result<Self, StopperError> {
        let control = control(place)?;
        let found = control.get(&0, 0)?.0.version;
        if found != VERSION {
            let place = place.to_owned();
            return Err(StopperError::OtherVersion { place, found });
        }
        Ok(Self {
            place: place.to_owned(),
            control,
            target: array(place, MAP_TARGET)?,
            stops: Ring::new(map(place, MAP_STOPS)?, MAP_STOPS, STOPS_BYTES)?,
        })
    }

    /// How it sees binds.
    #[must_use]
    pub fn way(&self) -> Way {
        programs::way(&self.place)
    }

    /// From now on stops the target at its next bind of the port. Forgets stops that nobody has waited for.
    /// Attaches what was taken away, which takes a millisecond, and some 10 just after it was detached.
    ///
    /// # Errors
    /// When that can't be done; it is disarmed then.
    pub fn arm(&mut self, target: &Target) -> Result<(), StopperError> {
        self.disarm()?;
        let record = target.record()?;
        self.target.set(0, Pod(record), 0)?;
        programs::attach(&self.place)?;
        while self.stops.next(|_| ()).is_some() {}
        self.set_port(u32::from(target.port.get()))
    }

    /// For as long as the target stays stopped: it remains armed, but where binds are seen by the system call
    /// their tracepoints are taken away, so that nobody is slowed down for hours. Should the target run all the
    /// same, it is killed when it listens ([`Caught::Listened`]). [`Self::arm`] stops binds again.
    ///
    /// # Errors
    /// When a pin can't be removed.
    pub fn guard(&mut self) -> Result<(), StopperError> {
        programs::detach_calls(&self.place)
    }

    /// From now on stops nobody: at once, but for a bind that is under way on another processor ([`Self::settle`]).
    /// Who is stopped stays stopped.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn disarm(&mut self) -> Result<(), StopperError> {
        self.set_port(0)
    }

    /// The port that it is armed for.
    ///
    /// # Errors
    /// When the map can't be read.
    pub fn armed(&self) -> Result<Option<NonZeroU16>, StopperError> {
        let port = self.control.get(&0, 0)?.0.port;
        Ok(u16::try_from(port).ok().and_then(NonZeroU16::new))
    }

    /// Waits until no bind is under way any more that has seen it armed: afterwards nobody is stopped who wasn't
    /// before. Some 10 ms. Of no use for a process that is stopped already.
    pub fn settle(&self) {
        // The programs run within the kernel's read-side sections, whose end this waits for
        // (kernel/sched/membarrier.c, 6.18). Where it can't be had, a bind takes some microseconds.
        // SAFETY: a system call that takes numbers.
        let done =
            unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
        if done != 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Disarms it, and detaches what slows down others: where binds are seen by the system call, every system
    /// call of the machine takes longer until this is done. It is done some 10 ms after this returns.
    ///
    /// # Errors
    /// When a pin can't be removed.
    pub fn detach(&mut self) -> Result<(), StopperError> {
        self.disarm()?;
        programs::detach_calls(&self.place)
    }

    /// Takes away programs, links, maps and the directory, of whatever version: nobody is stopped any more.
    /// Nothing to do where there are none.
    ///
    /// # Errors
    /// When they can't be removed.
    pub fn remove(place: &Path) -> Result<(), StopperError> {
        // At once for all, rather than link by link.
        if let Ok(mut control) = control(place) {
            let _ = control.set(0, Pod(Control::default()), 0);
        }
        pins::remove(place)?;
        pins::remove(&pins::beside(place))?;
        pins::remove_above(place);
        Ok(())
    }

    /// Could this machine park? Tried beside the directory `place` with everything that it takes, and taken away
    /// again.
    ///
    /// # Errors
    /// Why not.
    pub fn probe(place: &Path) -> Result<Way, StopperError> {
        // One after the other: two of one process would pin under the same name.
        let _turn = PROBING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!("-probe-{}", std::process::id()));
        let place = &place.with_file_name(name);
        let tried = Self::open(place).and_then(|stopper| {
            programs::attach(place)?;
            Ok(stopper.way())
        });
        let removed = Self::remove(place);
        let way = tried?;
        removed.map(|()| way)
    }

    /// The next stop since it was armed; `None`: there was none by the deadline. Only one process may wait.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub fn wait_for_stop(&mut self, deadline: Instant) -> Result<Option<StopEvent>, StopperError> {
        loop {
            // A record that isn't one costs a look and no more.
            while let Some(stop) = self.stops.next(StopEvent::parse) {
                if stop.is_some() {
                    self.stops.may_sleep();
                    return Ok(stop);
                }
            }
            if !self.stops.may_sleep() {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let left = Timespec::try_from(left).ok();
            let mut asked = [PollFd::new(&self.stops, PollFlags::IN)];
            match poll(&mut asked, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(StopperError::Wait(errno.into())),
            }
        }
    }

    fn set_port(&mut self, port: u32) -> Result<(), StopperError> {
        let version = VERSION;
        Ok(self.control.set(0, Pod(Control { version, port }), 0)?)
    }
}

/// Writes down whose it is.
fn mark(place: &Path) -> Result<(), StopperError> {
    let disarmed = Control {
        version: VERSION,
        port: 0,
    };
    Ok(control(place)?.set(0, Pod(disarmed), 0)?)
}

fn control(place: &Path) -> Result<Array<MapData, Pod<Control>>, StopperError> {
    array(place, MAP_CONTROL)
}

fn array<T: Copy>(place: &Path, name: &'static str) -> Result<Array<MapData, Pod<T>>, StopperError>
where
    Pod<T>: aya::Pod,
{
    let found = Array::try_from(map(place, name)?);
    found.map_err(|error| StopperError::Damaged {
        place: programs::map_pin(place, name),
        reason: chain(&error),
    })
}

fn map(place: &Path, name: &'static str) -> Result<Map, StopperError> {
    let pin = programs::map_pin(place, name);
    let found = MapData::from_pin(&pin).and_then(Map::from_map_data);
    found.map_err(|error| StopperError::Damaged {
        place: pin,
        reason: chain(&error),
    })
}
