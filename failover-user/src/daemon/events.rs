//! The kernel's events: had if they can be had.

use std::io;

use tracing::warn;

use super::snapshot::Past;
use crate::{
    config::{Configuration, KernelEventsMode},
    kernel::{Batch, KernelEvents, LoadError, Watch},
};

/// Loads what tells the kernel events, unless they are off; where they aren't required, the lack of
/// them is only told.
pub(super) fn load(
    configuration: &Configuration,
    past: &mut Past,
) -> Result<Option<KernelEvents>, LoadError> {
    if configuration.kernel_events == KernelEventsMode::Off {
        past.polling = Some("as configured".to_owned());
        return Ok(None);
    }
    let watch = Watch {
        local_port: configuration.port,
        primary_port: configuration.primary.port,
        all_namespaces: false,
        // Probes and tripwire speak for themselves; every event less is a wake-up less.
        ignored_process: Some(std::process::id()),
        debug: tracing::enabled!(target: "failover_ebpf", tracing::Level::DEBUG),
    };
    match KernelEvents::load(watch) {
        Ok(kernel) => Ok(Some(kernel)),
        Err(error) if configuration.kernel_events == KernelEventsMode::Required => Err(error),
        Err(error) => {
            warn!(%error, "no kernel events; looking at the port every second instead");
            past.polling = Some(error.to_string());
            Ok(None)
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
