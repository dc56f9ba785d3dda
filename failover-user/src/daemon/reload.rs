//! Another configuration while it runs: read when SIGHUP comes, put in force as a whole or not at all.

use std::{future::Future, io, mem, pin::Pin, sync::Arc};

use tracing::{error, info};

use failover_decide::Probing;
use failover_linux::{clock, escape::Escaped};

use crate::{
    config::{Configuration, Faults, PrimaryAddress},
    daemon::{Daemon, orders::armed_for, progress::Source},
    primary::{Prober, local::LocalProber, port_forward::Tunnel},
    runtime::background,
    witness::Witnesses,
};

/// Reads the configuration as it was read at the start.
pub type Reader = dyn Fn() -> Result<Configuration, Faults> + Send + Sync;
type Read = Result<Configuration, Faults>;
/// What is being read, if anything is.
pub(super) type Rereading = Option<Pin<Box<dyn Future<Output = Reread>>>>;
/// What came of it.
pub(super) type Reread = io::Result<Read>;

/// Where the kernel gives no thread to read in, it is tried for so many seconds before the reload is
/// refused; systemd waits for longer (TimeoutStartSec in systemd.service(5)).
const ATTEMPTS: u32 = 10;

impl Daemon {
    /// Begins to read: files and programs may lie on a disk that hangs. One that is being read is
    /// given up.
    pub(super) fn reread(&mut self) {
        info!("SIGHUP: the configuration is read again");
        self.supervisor.reloading();
        let reader = Arc::clone(&self.reader);
        self.rereading = Some(Box::pin(background::run_patiently(
            "reload",
            ATTEMPTS,
            move || {
                let reader = Arc::clone(&reader);
                move || reader()
            },
        )));
    }

    pub(super) fn reread_ended(&mut self, read: Reread) {
        self.rereading = None;
        let refusal = match read {
            Ok(Ok(new)) => match fixed(&self.configuration, &new) {
                changed if changed.is_empty() => {
                    self.adopt(new);
                    None
                }
                changed => Some(format!(
                    "{} can't change while it runs; type: systemctl restart failover",
                    changed.join(", ")
                )),
            },
            Ok(Err(faults)) => Some(faults.to_string().replace('\n', "; and ")),
            Err(error) => Some(format!(
                "it can't be read now: {error}; type `systemctl reload failover` again"
            )),
        };
        match refusal {
            None => {
                info!(primary = %self.configuration.primary, "another configuration is in force");
                self.configured = clock::now();
                self.past.refused = None;
                self.supervisor.note(None);
            }
            Some(error) => {
                error!(
                    error,
                    "the new configuration is refused; the old one stays in force"
                );
                self.past.refused = Some((clock::now(), first_line(&error)));
                let note = format!("the new configuration is refused: {error}");
                self.supervisor.note(Some(note));
            }
        }
        self.supervisor.ready();
    }

    /// Whatever was built from the configuration is built anew where its part changed. All else is
    /// looked up when it is needed.
    fn adopt(&mut self, new: Configuration) {
        let old = mem::replace(&mut self.configuration, new);
        let new = &self.configuration;
        let probing = if old.primary != new.primary {
            Probing::OfAnother
        } else if armed_for(&old) != armed_for(new) {
            Probing::SomethingElse
        } else if old.check != new.check || old.decide.timeout != new.decide.timeout {
            Probing::Anew
        } else {
            Probing::AsBefore
        };
        if probing != Probing::AsBefore {
            let good = self
                .state_dir
                .persisted()
                .good_addresses(&new.primary.to_string());
            self.prober = Prober::new(new.primary.clone(), &new.check, new.decide.timeout)
                .beside(new.port)
                .after(good);
            self.progress.made(Source::Probe);
            self.probe_cause = None;
        }
        let asks_locally = |of: &Configuration| (of.local_check.clone(), of.decide.timeout);
        let asks_otherwise = asks_locally(&old) != asks_locally(new);
        if asks_otherwise {
            self.local_prober = LocalProber::new(&new.local_check, new.decide.timeout);
            self.progress.made(Source::GatewayProbe);
            // What failed in the old way says nothing of the new one.
            self.decider.forget_gateway_checks();
        }
        if asks_otherwise || probing != Probing::AsBefore {
            self.tunnel = Tunnel::new(new);
            self.past.tunnel = None;
        }
        if probing == Probing::OfAnother {
            self.past.probe = None;
            self.recent.clear();
        }
        let asks = |of: &Configuration| {
            let decide = &of.decide;
            (of.witnesses.clone(), decide.witness_quorum, decide.timeout)
        };
        if probing == Probing::OfAnother {
            // What was silent while another answered.
            self.router.primary_fails();
        }
        if asks(&old) != asks(&self.configuration) {
            let (witnesses, _, timeout) = asks(&self.configuration);
            self.ask_other_witnesses(Witnesses::new(witnesses, timeout));
        }
        let new = &self.configuration;
        if old.gateway != new.gateway {
            self.port.identify(&new.gateway);
        }
        self.executor.reconfigure(new.commands());
        if old.metrics != new.metrics {
            self.watchers.serve_at(new.metrics);
        }
        let settings = new.decide.clone();
        self.alarms.reconfigure(new);
        self.recorder
            .reconfigured(new.primary.to_string(), new.dry_run);
        let now = clock::now();
        let actions = self.decider.reconfigure(now, settings, probing);
        self.recorder.decided(now, &self.decider, &actions);
        self.carry_out_all(actions);
        if matches!(probing, Probing::SomethingElse | Probing::OfAnother) {
            self.recall();
        }
        if old.gateway != self.configuration.gateway {
            self.executor.ask_for_force();
            self.look();
        }
    }
}

/// As much as stands on a line; the log has all of it.
fn first_line(error: &str) -> String {
    Escaped(error.lines().next().unwrap_or_default()).to_string()
}

/// The options that changed although they can't while it runs: what depends on them was made at the
/// start.
fn fixed(old: &Configuration, new: &Configuration) -> Vec<&'static str> {
    let Configuration {
        primary,
        port,
        state_dir,
        control,
        log_format,
        kernel_events,
        // These can: they are looked up when they are needed, or see `adopt`.
        witnesses: _,
        metrics: _,
        check: _,
        local_check: _,
        decide: _,
        gateway: _,
        fence: _,
        notify: _,
        webhook: _,
        operators: _,
        dry_run: _,
    } = new;
    let PrimaryAddress {
        host: _,
        // The kernel program looks for it.
        port: primary_port,
    } = primary;
    let changed = [
        ("the primary's port", old.primary.port != *primary_port),
        ("port", old.port != *port),
        ("state-dir", old.state_dir != *state_dir),
        ("control", old.control != *control),
        ("log-format", old.log_format != *log_format),
        ("kernel-events", old.kernel_events != *kernel_events),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(option, _)| option).collect()
}

/// Waits for what is being read, if anything is. Cancel-safe.
pub(super) async fn reread(rereading: &mut Rereading) -> Reread {
    match rereading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
