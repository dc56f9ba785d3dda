//! What `failover check` would say, as far as the daemon doesn't see it by itself: looked at once, beside
//! everything else, and only logged.

use tracing::{debug, error, warn};

use crate::{
    config::Configuration,
    preflight::{Finding, Level, at_start},
    runtime::background,
};

/// Without a thread, it is retried for this number of seconds.
const ATTEMPTS: u32 = 600;

/// Begins to look. Nobody waits for it: accounts and files may be on a network that isn't there.
pub(crate) fn begin(configuration: &Configuration) {
    let configuration = configuration.clone();
    tokio::spawn(async move {
        let looking = background::run_patiently("preflight", ATTEMPTS, || {
            let configuration = configuration.clone();
            move || at_start(&configuration)
        });
        match looking.await {
            Ok(findings) => findings.iter().for_each(log),
            Err(error) => debug!(%error, "the preflight was given up"),
        }
    });
}

pub(crate) fn log(finding: &Finding) {
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
