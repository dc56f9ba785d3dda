//! The log, as an observer: one line for what a person asks at three in the morning. Only renders.

use tracing::{debug, error, info, warn};

use failover_decide::{Order, Outcome};
use failover_linux::{bpf::event::Bind, clock, escape::Escaped};

use crate::{
    log::{
        lines,
        lines::{Losses, Probes},
    },
    named::Named as _,
    observe::occurrence::{
        Context, DaemonCourse, Decided, GatewayProbeSeen, Observer, Occurrence, OrderCourse,
        ProbeSeen, Seen, Sighting, Source, SyncCourse, typed,
    },
    standby::drill::{Drill, DrillResult},
    sync::rounds::Weight,
    wording,
};

/// What the log has to know of the lines before.
#[derive(Debug, Default)]
pub(crate) struct Log {
    losses: Losses,
    probes: Probes,
}

impl Observer for Log {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Daemon(course) => daemon(course, context),
            Occurrence::Seen(seen) => self.seen(seen, context),
            Occurrence::Decided(decided) => self::decided(decided, context),
            Occurrence::Order(order, course) => self::order(*order, course),
            Occurrence::Sync(course) => copies(course),
            // The executor logs these.
            Occurrence::Command(..) | Occurrence::Turned => {}
        }
    }
}

impl Log {
    fn seen(&mut self, seen: &Seen, context: &Context) {
        match seen {
            Seen::Suspend(slept) => warn!(
                slept = format_args!("{slept:.1?}"),
                "the machine was suspended; strikes start again"
            ),
            Seen::KernelEvents { lost, .. } => self.losses.note(*lost),
            Seen::Evidence(sighting) => evidence(sighting),
            Seen::RefusedBind(bind) => refused_bind(bind, context),
            Seen::Probe(ProbeSeen { outcome, cause, .. }) => {
                self.probes.log(outcome, *cause, context.decider.state());
            }
            Seen::Certificate(certificate) => warn!(
                certificate,
                "the primary shows a certificate that isn't trusted"
            ),
            Seen::Readiness(readiness) => lines::readiness(readiness),
            Seen::GatewayProbe(probe) => gateway_probe(probe, context),
            Seen::GatewayDrains(since) => info!(
                since = %clock::wall(*since),
                "the local gateway drains: it finishes what it is at, and goes"
            ),
            Seen::Start(found) => info!(
                found = found.description,
                "{}",
                wording::reason::begun(found.begun)
            ),
            // The port and the witnesses log these.
            Seen::Listener(_) | Seen::Port(_) | Seen::Witnesses { .. } => {}
        }
    }
}

fn daemon(course: &DaemonCourse, context: &Context) {
    let Context {
        configuration,
        decider,
        port,
        ..
    } = context;
    match course {
        DaemonCourse::Begins { kernel_events } => {
            info!(
                primary = %configuration.primary,
                check = configuration.check.name(),
                local_check = configuration.local_check.name(),
                port = configuration.port,
                kernel_events = if *kernel_events { "on" } else { "off" },
                dry_run = configuration.dry_run,
                listening = port.listeners().is_listening(),
                "watching"
            );
            if !decider.is_armed() {
                warn!(
                    primary = %configuration.primary,
                    "the primary was never seen healthy, so nothing is taken over until it is: its address may be wrong; see --arm"
                );
            }
            if decider.release_needs() > 1 {
                warn!(
                    successes = decider.release_needs(),
                    "the primary flapped before this daemon started: its next release needs this number of successes in a row"
                );
            }
        }
        DaemonCourse::Reloads => info!("SIGHUP: the configuration is read again"),
        DaemonCourse::Reloaded => {
            info!(primary = %configuration.primary, "another configuration is in force");
        }
        DaemonCourse::ReloadRefused(error) => error!(
            error,
            "the new configuration is refused; the old one stays in force"
        ),
        DaemonCourse::Ended(totals) => info!(
            state = decider.state().name(),
            takeovers = totals.takeovers,
            releases = totals.releases,
            no_gateway = format_args!("{:.1?}", totals.no_gateway),
            dual_active = format_args!("{:.1?}", totals.dual_active),
            listening = port.listeners().is_listening(),
            "stopping; the gateway keeps running"
        ),
        DaemonCourse::Watches | DaemonCourse::Reconfigured(_) | DaemonCourse::Ends => {}
    }
}

fn evidence(sighting: &Sighting) {
    let evidence = wording::reason::evidence(sighting.evidence);
    match &sighting.source {
        // It stands beside the failed probes that it explains.
        Source::Kernel(_) => {}
        Source::Own(_) => {
            let sighting = wording::reason::sighting(sighting);
            debug!(sighting, "of this program's own");
        }
        Source::Tripwire => info!(evidence, "the connection to the primary has died"),
        Source::Acknowledged(age) => info!(evidence, ?age, "the primary answers others"),
    }
}

fn refused_bind(bind: &Bind, context: &Context) {
    let origin = &bind.origin;
    warn!(
        address = %bind.local,
        by = %Escaped(&origin.comm),
        pid = origin.pid.unwrap_or(0),
        uid = origin.uid,
        held_by = context.port.listeners().held_by(),
        "the port is taken (EADDRINUSE)"
    );
}

fn gateway_probe(probe: &GatewayProbeSeen, context: &Context) {
    let outcome = wording::probe::outcome(probe.outcome);
    match probe.outcome {
        Outcome::Failed { .. } if probe.counts && context.decider.gateway_comes_up() => {
            info!(outcome, "the local gateway listens and hasn't answered yet");
        }
        Outcome::Failed { .. } if probe.counts => warn!(
            outcome,
            strikes = context.decider.gateway_strikes() + 1,
            "the local gateway listens and doesn't answer as it should"
        ),
        Outcome::Unknown { .. } if probe.counts => {
            warn!(outcome, "the local gateway can't be checked");
        }
        Outcome::Connected { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } => {
            debug!(outcome, "the local gateway was checked");
        }
    }
}

fn decided(decided: &Decided, context: &Context) {
    match decided {
        Decided::State(explanation) => lines::state(explanation),
        Decided::Withheld(command) => {
            warn!(%command, "paused: the command would be run now, and isn't");
        }
        Decided::PauseOver => info!("the pause is over"),
        Decided::HoldOver => info!("the release holds no longer"),
        Decided::Armed => info!(
            primary = %context.configuration.primary,
            "the primary was seen healthy; from now on it is taken over when it fails"
        ),
        Decided::Standby(state) => info!(
            state = state.name(),
            mode = context.decider.standby_mode().name(),
            "{}",
            wording::standby::changed(*state)
        ),
        Decided::DrillEnded(drill) => drill_ended(drill),
        Decided::StandbyMode(effective) => info!(
            mode = effective.mode.name(),
            reason = wording::standby::why(&effective.why),
            "how ready the local gateway is kept"
        ),
        Decided::Event(_) | Decided::Actions(_) | Decided::Paused => {}
    }
}

fn copies(course: &SyncCourse) {
    match course {
        SyncCourse::Ended(report) => {
            let ended = wording::sync::ended(report.task, &report.outcome);
            let (task, took) = (report.task.name(), report.took);
            match report.weight() {
                Weight::Routine => debug!(task, ?took, "{ended}"),
                Weight::News => info!(task, ?took, "{ended}"),
                Weight::Trouble => warn!(task, ?took, "{ended}"),
            }
        }
        SyncCourse::Serves { with, age, lacks } => {
            info!("{}", wording::sync::serves(*with, *age));
            if let Some(lacks) = lacks {
                warn!("{}", wording::sync::lacks(lacks));
            }
        }
        SyncCourse::Chosen { side, by } => warn!("{}", wording::sync::chosen(*side, *by)),
        SyncCourse::Stale { age, why } => warn!("{}", wording::sync::stale(*age, why)),
        SyncCourse::Fresh => info!("the copy of PC-A's state is fresh again"),
        SyncCourse::Split => warn!(
            "PC-A and PC-B both have changes that the other lacks; nothing is overwritten until you choose: see `failover sync status`"
        ),
    }
}

fn drill_ended(drill: &Drill) {
    let result = drill.result.name();
    let ended = wording::standby::drill(drill.result);
    let (took, sent) = (drill.took_ms, drill.packets_sent);
    let said = drill.said.as_ref().map(|line| Escaped(line).to_string());
    match drill.result {
        DrillResult::Passed => info!(
            result,
            took_ms = took,
            packets_sent = sent,
            "the drill {ended}"
        ),
        DrillResult::Sent | DrillResult::Failed => error!(
            result,
            took_ms = took,
            packets_sent = sent,
            said,
            "the drill {ended}"
        ),
        DrillResult::Uncounted => warn!(result, took_ms = took, "the drill {ended}"),
        DrillResult::Interrupted => info!(result, "the drill {ended}"),
    }
}

fn order(order: Order, course: &OrderCourse) {
    let (words, until) = typed(order);
    match course {
        OrderCourse::Waits { by } => info!(
            order = words,
            by, "an order waits until the primary was probed"
        ),
        OrderCourse::Refused { by, refusal } => {
            info!(
                order = words,
                by,
                refusal = wording::order::refusal(*refusal),
                "an order isn't followed"
            );
        }
        OrderCourse::Unconfirmed { by } => {
            info!(order = words, by, "an order has to be confirmed");
        }
        // It starts and stops nothing that serves, and most come from drill-every.
        OrderCourse::Given { by, .. } if order == Order::Drill => info!(by, "a drill begins"),
        OrderCourse::Given { by, pause } => {
            warn!(
                order = words,
                by,
                until = until.map(clock::rfc3339),
                "an operator gives an order"
            );
            if let Some((_, change)) = pause {
                info!(change, "a pause is in force");
            }
        }
    }
}
