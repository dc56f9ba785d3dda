//! Another configuration while it runs: put in force as a whole or not at all. Every part that was built from
//! the old one gets both.

use std::mem;

use failover_decide::Probing;
use failover_linux::{clock, escape::Escaped};

use crate::{
    config::{Configuration, PrimaryAddress},
    daemon::{Daemon, armed_for, inputs::reader::Reading},
    observe::occurrence::{DaemonCourse, Decided, Occurrence},
    status::last_seen::RefusedConfiguration,
};

impl Daemon {
    /// Begins to read the configuration.
    pub(super) fn reload(&mut self) {
        self.observe(&Occurrence::Daemon(DaemonCourse::Reloads));
        self.inputs.reload.begin();
    }

    /// It was read.
    pub(super) fn reloaded(&mut self, read: Reading) {
        let refusal = match read {
            Ok(Ok(new)) => match fixed(&self.settings.configuration, &new) {
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
                self.settings.since = clock::now();
                self.settings.refused = None;
                self.observe(&Occurrence::Daemon(DaemonCourse::Reloaded));
            }
            Some(error) => {
                self.settings.refused = Some(RefusedConfiguration {
                    at: clock::now(),
                    error: first_line(&error),
                });
                self.observe(&Occurrence::Daemon(DaemonCourse::ReloadRefused(&error)));
            }
        }
    }

    /// Every part that was built from a changed option is built again. All other options are looked up when they
    /// are needed.
    fn adopt(&mut self, new: Configuration) {
        let old = mem::replace(&mut self.settings.configuration, new);
        let new = &self.settings.configuration;
        let probing = probing(&old, new);
        let persisted = self.state_dir.persisted();
        if self.inputs.reconfigure(&old, new, probing, persisted) {
            // What failed in the old way says nothing of the new one.
            self.decider.forget_gateway_checks();
        }
        self.executor.reconfigure(new.commands());
        self.observe(&Occurrence::Daemon(DaemonCourse::Reconfigured(probing)));
        let (now, settings) = (clock::now(), self.settings.configuration.decide.clone());
        let actions = self.decider.reconfigure(now, settings, probing);
        self.observe_at(now, &Occurrence::Decided(Decided::Actions(&actions)));
        self.carry_out_all(actions);
        let mode = self.standby_mode();
        self.decide(mode);
        let judges = self.judges();
        self.inputs.quorum.ask_again(&judges);
        if matches!(probing, Probing::SomethingElse | Probing::OfAnother) {
            self.recall();
        }
        if old.gateway != self.settings.configuration.gateway {
            self.executor.ask_for_force();
            self.look_and_decide();
        }
    }
}

/// What the probes of the new configuration have to do with those of the old one.
fn probing(old: &Configuration, new: &Configuration) -> Probing {
    if old.primary != new.primary {
        Probing::OfAnother
    } else if armed_for(old) != armed_for(new) {
        Probing::SomethingElse
    } else if old.check != new.check || old.decide.timeout != new.decide.timeout {
        Probing::Anew
    } else {
        Probing::AsBefore
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
        guard_port: _,
        witnesses: _,
        metrics: _,
        check: _,
        local_check: _,
        decide: _,
        gateway: _,
        standby: _,
        sync: _,
        fence: _,
        notifications: _,
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
