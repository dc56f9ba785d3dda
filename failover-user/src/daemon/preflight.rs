//! What `failover check` would say, as far as the daemon doesn't see it by itself: looked at once, beside
//! everything else, and only told.

use tokio::task::spawn_blocking;
use tracing::{debug, error, warn};

use crate::{
    config::Configuration,
    preflight::{self, Finding, Level},
};

/// Begins to look. Nobody waits for it: accounts and files may be on a network that isn't there.
pub(super) fn begin(configuration: &Configuration) {
    let configuration = configuration.clone();
    let looking = spawn_blocking(move || preflight::at_start(&configuration));
    tokio::spawn(async move {
        match looking.await {
            Ok(findings) => findings.iter().for_each(tell),
            Err(error) => debug!(%error, "the preflight was given up"),
        }
    });
}

pub(super) fn tell(finding: &Finding) {
    let Finding {
        name: check,
        level,
        message,
        remedy,
    } = finding;
    match level {
        Level::Ok => debug!(check, "{message}"),
        Level::Warning => warn!(check, remedy, "{message}"),
        Level::Error => error!(check, remedy, "{message}"),
    }
}
