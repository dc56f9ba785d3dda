//! What Prometheus reads: the snapshot and the probes' durations, as OpenMetrics or in the older text
//! format. Only renders. A metric is an entry in [`registry`] or one of the functions below it.

mod format;
mod probes;
mod rows;
mod standby;
mod sync;
#[cfg(test)]
mod tests;
mod values;

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};

use failover_decide::StateKind;

use crate::{
    kernel_events::EventSource,
    named::Named as _,
    notify::alarms::ChannelStatus,
    status::{Protection, snapshot::Snapshot},
    web::metrics::{
        format::older,
        rows::Rows,
        values::{count, gauge, seconds_at},
    },
};

pub use format::Format;
pub use probes::Probes;

/// Everything, in one text.
#[must_use]
pub(crate) fn render(snapshot: &Snapshot, probes: &Probes, format: Format) -> String {
    let mut text = String::new();
    // Writing to a string doesn't fail.
    let _ = encode(&mut text, &registry(snapshot, probes));
    match format {
        Format::OpenMetrics => text,
        Format::Text => older(&text),
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Build {
    version: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Is {
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Level {
    level: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Command {
    command: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Tried {
    kind: &'static str,
    result: &'static str,
}

fn registry(snapshot: &Snapshot, probes: &Probes) -> Registry {
    let mut registry = Registry::with_prefix("failover");
    let to = &mut registry;
    let build = Build {
        version: env!("CARGO_PKG_VERSION"),
    };
    to.register("build", "Version of the program", Info::new(build));
    let kind = snapshot.state.kind();
    let states = StateKind::ALL.into_iter();
    let states = states.map(|state| {
        (
            Is {
                state: state.name(),
            },
            gauge(state == kind),
        )
    });
    to.register(
        "state",
        "1 for the current state, 0 for the others",
        Rows(states.collect()),
    );
    seconds_at(
        to,
        "state_since",
        "When this state began",
        Some(snapshot.since),
    );
    seconds_at(
        to,
        "heartbeat",
        "When the daemon made this",
        Some(snapshot.now),
    );
    let primary = &snapshot.primary;
    let last = primary.last_probe.as_ref().map(|probe| probe.at);
    seconds_at(
        to,
        "last_probe",
        "When the last probe of the primary ended",
        last,
    );
    to.register(
        "protected",
        "1 if this machine can take over and release",
        gauge(snapshot.protection != Protection::Unsafe),
    );
    let levels = Protection::ALL.iter().map(|protection| {
        let level = protection.name();
        (Level { level }, gauge(snapshot.protection == *protection))
    });
    to.register(
        "protection",
        "1 for the current level of protection, 0 for the others",
        Rows(levels.collect()),
    );
    to.register(
        "dual_active",
        "1 while the primary and the local gateway both serve",
        gauge(snapshot.dual_active_since.is_some()),
    );
    seconds_at(
        to,
        "dual_active_since",
        "Since when the primary and the local gateway both serve",
        snapshot.dual_active_since,
    );
    to.register(
        "problems",
        "Number of problems that prevent a takeover or a release",
        count(snapshot.problems.len()),
    );
    to.register(
        "armed",
        "1 once the primary was seen healthy, or if that is not required",
        gauge(snapshot.armed),
    );
    to.register(
        "paused",
        "1 while an operator has paused takeovers and releases",
        gauge(snapshot.paused.is_some()),
    );
    to.register(
        "forced",
        "1 during a forced takeover: the local gateway keeps running even if the primary answers",
        gauge(snapshot.forced),
    );
    to.register(
        "held",
        "1 while an operator's release prevents a takeover",
        gauge(snapshot.held_until.is_some()),
    );
    seconds_at(
        to,
        "held_until",
        "End of the time in which an operator's release prevents a takeover",
        snapshot.held_until,
    );
    to.register(
        "warnings",
        "Number of warnings: what needs attention, but prevents nothing",
        count(snapshot.warnings.len()),
    );
    to.register(
        "dry_run",
        "1 in a dry run, in which no command is run",
        gauge(snapshot.dry_run),
    );
    to.register(
        "strikes",
        "Failed probes in a row that count",
        count(primary.strikes.len()),
    );
    to.register(
        "strikes_needed",
        "How many of them are needed for a takeover",
        ConstGauge::new(primary.strikes_needed),
    );
    to.register(
        "probes",
        "Probes of the primary that have ended",
        probes.counts(),
    );
    to.register_with_unit(
        "probe_duration",
        "Duration of the probes of the primary, by result",
        Unit::Seconds,
        probes.durations(),
    );
    gateway(to, snapshot);
    standby::standby(to, snapshot);
    sync::sync(to, snapshot);
    totals(to, snapshot);
    channels(to, &snapshot.channels);
    configuration(to, snapshot);
    kernel_events(to, snapshot);
    witnesses(to, snapshot);
    registry
}

fn witnesses(to: &mut Registry, snapshot: &Snapshot) {
    let Some(witnesses) = &snapshot.witnesses else {
        return;
    };
    to.register(
        "witnesses_quorum",
        "How many witnesses must answer before a takeover",
        ConstGauge::new(witnesses.needed),
    );
    if let Some(last) = &witnesses.last {
        to.register(
            "witnesses_answered",
            "How many answered the last time",
            ConstGauge::new(last.answered),
        );
    }
}

fn gateway(to: &mut Registry, snapshot: &Snapshot) {
    to.register(
        "local_gateway_listening",
        "1 if the local gateway listens on its port",
        gauge(snapshot.gateway.holder.is_gateway()),
    );
    to.register(
        "local_port_foreign",
        "1 if another program listens on the local gateway's port",
        gauge(snapshot.gateway.holder.is_foreign()),
    );
}

fn totals(to: &mut Registry, snapshot: &Snapshot) {
    let totals = &snapshot.totals;
    to.register(
        "takeovers",
        "Takeovers: the local gateway was started and came up",
        ConstCounter::new(totals.takeovers),
    );
    to.register(
        "releases",
        "Releases: the local gateway served and was stopped",
        ConstCounter::new(totals.releases),
    );
    let commands = totals.commands().map(|(command, result, count)| {
        let label = Command {
            command: command.name(),
            result: result.name(),
        };
        (label, ConstCounter::new(count))
    });
    to.register(
        "commands",
        "Commands that have ended",
        Rows(commands.collect()),
    );
    let spans = [
        (
            "no_gateway",
            "How long the primary had failed and nobody served",
            totals.no_gateway,
        ),
        (
            "dual_active",
            "How long the primary and the local gateway both served",
            totals.dual_active,
        ),
    ];
    for (name, help, span) in spans {
        // To the millisecond, as the document has it.
        let span = Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let seconds = span.as_secs_f64();
        to.register_with_unit(name, help, Unit::Seconds, ConstCounter::new(seconds));
    }
}

fn channels(to: &mut Registry, channels: &[ChannelStatus]) {
    let mut tried = Vec::new();
    for channel in channels {
        let delivered = &channel.delivered;
        for (result, count) in [
            ("told", delivered.sent),
            ("failed", delivered.failed),
            ("dropped", delivered.dropped),
        ] {
            let label = Tried {
                kind: channel.name,
                result,
            };
            tried.push((label, ConstCounter::new(count)));
        }
    }
    to.register(
        "notifications",
        "Attempts to send notifications, and dropped notifications",
        Rows(tried),
    );
    let failing = channels.iter().map(|channel| {
        let kind = channel.name;
        (Kind { kind }, gauge(channel.delivered.failing.is_some()))
    });
    to.register(
        "notifications_failing",
        "1 while the last attempt to send a notification failed",
        Rows(failing.collect()),
    );
}

fn configuration(to: &mut Registry, snapshot: &Snapshot) {
    let configuration = &snapshot.configuration;
    to.register(
        "config_last_reload_successful",
        "1 if the last reload of the configuration succeeded",
        gauge(configuration.refused.is_none()),
    );
    seconds_at(
        to,
        "config_last_reload_success",
        "When the configuration in force was read",
        Some(configuration.since),
    );
}

fn kernel_events(to: &mut Registry, snapshot: &Snapshot) {
    let events = &snapshot.kernel_events;
    to.register(
        "kernel_events_on",
        "1 if kernel events are on, 0 if the port is polled every second",
        gauge(events.source == EventSource::Kernel),
    );
    to.register(
        "kernel_events",
        "Events received from the kernel program",
        ConstCounter::new(events.seen),
    );
    to.register(
        "kernel_events_lost",
        "Kernel events lost because the buffer was full",
        ConstCounter::new(events.lost),
    );
    to.register(
        "kernel_disagreements",
        "How often kernel events and sock_diag disagreed",
        ConstCounter::new(events.disagreements),
    );
}
