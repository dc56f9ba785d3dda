//! The kernel's events: had if they can be had, and tried again where that may pass. It must not know what
//! they mean.

use std::{io, num::NonZeroU16, time::Duration};

use tracing::{error, info, warn};

use failover_decide::Time;
use failover_linux::{
    bpf::{
        error::LoadError,
        load::{Batch, KernelEvents, Watch},
    },
    clock,
};

use crate::{config::KernelEventsMode, named::Named};

/// Before loading is tried again for the first time; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Loading takes a tenth of a second of the loop's time, and 20 MB for a moment.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How changes of the local port are noticed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventSource {
    /// The kernel program.
    Kernel,
    /// It is not loaded: the port is polled.
    Polling,
}

impl Named for EventSource {
    const ALL: &'static [Self] = &[Self::Kernel, Self::Polling];

    fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Polling => "polling",
        }
    }
}

/// Where the kernel's events come from.
pub(crate) struct KernelSource {
    watch: Watch,
    events: Option<KernelEvents>,
    again: Again,
    /// The number lost until now.
    lost: u64,
    /// Why there are none.
    polling: Option<Polling>,
}

/// Why there are no kernel events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Polling {
    /// They are off.
    Configured,
    /// The kernel program can't be loaded, or has ended.
    Failed(String),
}

/// When they are tried again.
#[derive(Debug, Default)]
struct Again {
    due: Option<Time>,
    pause: Option<Duration>,
}

impl Again {
    /// They can't be had now, and may be later.
    fn later(&mut self) {
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        self.due = Some(clock::now() + pause);
        self.pause = Some((2 * pause).min(LONGEST_PAUSE));
    }
}

impl KernelSource {
    /// Loads the kernel program, unless it is off. Where it isn't required, a failure is only logged.
    ///
    /// # Errors
    /// Where they are required and can't be had.
    pub(crate) fn load(mode: KernelEventsMode, watch: Watch) -> Result<Self, LoadError> {
        let mut source = Self {
            watch,
            events: None,
            again: Again::default(),
            lost: 0,
            polling: None,
        };
        if mode == KernelEventsMode::Off {
            source.polling = Some(Polling::Configured);
            return Ok(source);
        }
        match KernelEvents::load(watch) {
            Ok(events) => source.events = Some(events),
            Err(error) if mode == KernelEventsMode::Required => {
                return Err(error);
            }
            Err(error) => {
                warn!(%error, "no kernel events; looking at the port every second instead");
                if error.may_pass() {
                    source.again.later();
                }
                source.polling = Some(Polling::Failed(error.to_string()));
            }
        }
        Ok(source)
    }

    /// Are there any?
    pub(crate) const fn is_on(&self) -> bool {
        self.events.is_some()
    }

    /// Why there are none.
    pub(crate) const fn polling(&self) -> Option<&Polling> {
        self.polling.as_ref()
    }

    /// The number lost until now.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    /// These were lost.
    pub(crate) fn add_lost(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
    }

    /// Asks the kernel to tell binds, which isn't free everywhere.
    pub(crate) fn tell_binds(&mut self, wanted: bool) {
        let asked = self.events.as_mut().map(|events| events.tell_binds(wanted));
        if let Some(Err(error)) = asked {
            warn!(%error, "binds to the port aren't reported");
        }
    }

    /// Waits for some, where there are any to come. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Batch> {
        match &mut self.events {
            Some(events) => events.next().await,
            None => std::future::pending().await,
        }
    }

    /// Those that are there now; `None` where there are no kernel events.
    pub(crate) fn drain(&mut self) -> Option<Batch> {
        self.events.as_mut().map(KernelEvents::drain)
    }

    /// Is there anything that nobody took yet?
    pub(crate) fn has_waiting(&self) -> bool {
        self.events.as_ref().is_some_and(KernelEvents::has_waiting)
    }

    /// They have ended, until they can be had again.
    pub(crate) fn end(&mut self, error: &io::Error) {
        error!(%error, "kernel events are lost from now on; looking at the port instead");
        self.polling = Some(Polling::Failed(error.to_string()));
        self.events = None;
        self.again.later();
    }

    /// How long until they are tried again.
    pub(crate) fn next_attempt(&self) -> Option<Duration> {
        let due = self.again.due.filter(|_| self.events.is_none())?;
        Some(due.since(clock::now()))
    }

    /// Tries to have them. Are there any again?
    pub(crate) fn try_again(&mut self) -> bool {
        match KernelEvents::load(self.watch) {
            Ok(events) => {
                info!("there are kernel events again");
                self.events = Some(events);
                self.polling = None;
                self.again = Again::default();
                true
            }
            Err(error) => {
                self.polling = Some(Polling::Failed(error.to_string()));
                self.again.later();
                false
            }
        }
    }
}

/// What a process of these gateways' ports watches.
pub(crate) fn watch(local_port: NonZeroU16, primary_port: NonZeroU16) -> Watch {
    Watch {
        local_port,
        primary_port,
        all_namespaces: false,
        // Probes and tripwire speak for themselves; every event less is a wake-up less.
        ignored_process: Some(std::process::id()),
        debug: tracing::enabled!(target: "failover_ebpf", tracing::Level::DEBUG),
    }
}
