//! Another configuration for the inputs: those that were built from a changed option are built again.

use failover_decide::Probing;

use crate::{
    config::Configuration,
    daemon::inputs::{Inputs, prober, progress::Source},
    primary::{local::LocalProber, port_forward::PortForward},
    standby::watch::StandbyWatch,
    state_dir::persisted::Persisted,
    sync::rounds::Rounds,
};

impl Inputs {
    /// Builds the inputs again whose options changed. Does the check of the local gateway change?
    pub(crate) fn reconfigure(
        &mut self,
        old: &Configuration,
        new: &Configuration,
        probing: Probing,
        persisted: &Persisted,
    ) -> bool {
        let timeout = new.decide.timeout;
        self.timeout = timeout;
        if probing != Probing::AsBefore {
            self.prober = prober(new, persisted);
            self.progress.made(Source::Probe);
            self.cause = None;
        }
        let asks_locally = |of: &Configuration| (of.local_check.clone(), of.decide.timeout);
        let asks_otherwise = asks_locally(old) != asks_locally(new);
        if asks_otherwise {
            self.local_prober = LocalProber::new(&new.local_check, timeout);
            self.progress.made(Source::GatewayProbe);
        }
        if asks_otherwise || probing != Probing::AsBefore {
            self.port_forward = PortForward::new(&new.local_check, timeout);
        }
        let asks = |of: &Configuration| {
            let decide = &of.decide;
            (of.witnesses.clone(), decide.witness_quorum, decide.timeout)
        };
        if asks(old) != asks(new) {
            let (witnesses, quorum, timeout) = asks(new);
            self.quorum.replace(witnesses, quorum, timeout);
        }
        if old.gateway != new.gateway {
            self.port.listeners_mut().identify(&new.gateway);
        }
        if old.gateway != new.gateway || old.dry_run != new.dry_run {
            self.standby = StandbyWatch::new(new);
        }
        let copies = |of: &Configuration| (of.sync.clone(), of.gateway.user.clone(), of.dry_run);
        if copies(old) != copies(new) {
            self.rounds = Rounds::of(new);
        }
        // The hosts may have been paired since.
        self.guard.begin(new.guard_port, &new.state_dir);
        let switch = |of: &Configuration| of.notifications.dead_mans_switch.clone();
        if switch(old) != switch(new) {
            self.call(new.notifications.dead_mans_switch.as_ref());
        }
        if old.metrics != new.metrics {
            self.serve_at(new.metrics);
        }
        asks_otherwise
    }
}
