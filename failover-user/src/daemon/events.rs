//! The kernel's events: had if they can be had, and tried again where that may pass.

use std::{io, time::Duration};

use tracing::{info, warn};

use failover_decide::Time;
use failover_linux::{
    bpf::{
        error::LoadError,
        load::{Batch, KernelEvents, Watch},
    },
    clock,
};

use crate::{
    config::{Configuration, KernelEventsMode},
    daemon::Daemon,
    status::snapshot::Past,
};

/// Before loading is tried again for the first time; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Loading takes a tenth of a second of the loop's time, and 20 MB for a moment.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// When they are tried again.
#[derive(Debug, Default)]
pub(super) struct Again {
    due: Option<Time>,
    pause: Option<Duration>,
}

impl Again {
    /// They can't be had now, and may be later.
    pub(super) fn later(&mut self) {
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        self.due = Some(clock::now() + pause);
        self.pause = Some((2 * pause).min(LONGEST_PAUSE));
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| clock::now() >= due)
    }

    /// How long until then.
    pub(super) fn next(&self) -> Option<Duration> {
        Some(self.due?.since(clock::now()))
    }
}

/// Loads what tells the kernel events, unless they are off; where they aren't required, the lack of
/// them is only told.
pub(super) fn load(
    configuration: &Configuration,
    past: &mut Past,
    again: &mut Again,
) -> Result<Option<KernelEvents>, LoadError> {
    if configuration.kernel_events == KernelEventsMode::Off {
        past.polling = Some("as configured".to_owned());
        return Ok(None);
    }
    match KernelEvents::load(watch(configuration)) {
        Ok(kernel) => Ok(Some(kernel)),
        Err(error) if configuration.kernel_events == KernelEventsMode::Required => Err(error),
        Err(error) => {
            warn!(%error, "no kernel events; looking at the port every second instead");
            if error.may_pass() {
                again.later();
            }
            past.polling = Some(error.to_string());
            Ok(None)
        }
    }
}

fn watch(configuration: &Configuration) -> Watch {
    Watch {
        local_port: configuration.port,
        primary_port: configuration.primary.port,
        all_namespaces: false,
        // Probes and tripwire speak for themselves; every event less is a wake-up less.
        ignored_process: Some(std::process::id()),
        debug: tracing::enabled!(target: "failover_ebpf", tracing::Level::DEBUG),
    }
}

impl Daemon {
    /// They have ended: the port is looked at instead, until they can be had again.
    pub(super) fn kernel_events_ended(&mut self, error: &io::Error) {
        self.past.polling = Some(error.to_string());
        self.kernel = None;
        self.port.without_events();
        self.kernel_again.later();
    }

    /// Tries to have them, if it is time. Not while a command runs: loading takes a moment.
    pub(super) fn try_kernel_events(&mut self) {
        if self.kernel.is_some() || !self.kernel_again.is_due() || self.executor.is_busy() {
            return;
        }
        match KernelEvents::load(watch(&self.configuration)) {
            Ok(kernel) => {
                info!("there are kernel events again");
                self.kernel = Some(kernel);
                self.past.polling = None;
                self.kernel_again = Again::default();
                self.port.with_events();
                self.look();
            }
            Err(error) => {
                self.past.polling = Some(error.to_string());
                self.kernel_again.later();
            }
        }
    }
}

/// Waits for kernel events, where there are any to come. Cancel-safe.
pub(super) async fn kernel_events(kernel: &mut Option<KernelEvents>) -> io::Result<Batch> {
    match kernel {
        Some(kernel) => kernel.next().await,
        None => std::future::pending().await,
    }
}
