//! What `failover check` would say, as far as the daemon doesn't see it by itself: looked at once, beside
//! everything else, and only logged.

use tracing::{debug, error, warn};

use failover_decide::Probing;

use crate::{
    config::Configuration,
    observe::occurrence::{Context, DaemonCourse, Observer, Occurrence, Seen},
    preflight::{Finding, Level, at_start, first_probe},
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

/// Logs what the first probe of a primary means, if it failed.
#[derive(Debug, Default)]
pub(crate) struct FirstProbe {
    /// It has ended.
    is_over: bool,
}

impl Observer for FirstProbe {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Seen(Seen::Probe(probe)) => {
                let (configuration, outcome) = (context.configuration, probe.outcome);
                if !self.is_over
                    && let Some(finding) = first_probe(configuration, outcome, probe.certificate)
                {
                    log(&finding);
                }
                self.is_over = true;
            }
            Occurrence::Daemon(DaemonCourse::Reconfigured(Probing::OfAnother)) => {
                self.is_over = false;
            }
            Occurrence::Seen(_)
            | Occurrence::Daemon(_)
            | Occurrence::Decided(_)
            | Occurrence::Command(..)
            | Occurrence::Sync(_)
            | Occurrence::Order(..)
            | Occurrence::Turned => {}
        }
    }
}

fn log(finding: &Finding) {
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
