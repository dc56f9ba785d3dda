//! What Prometheus reads: the daemon's document and the probes' durations, as OpenMetrics or in the older
//! text format. Only renders.

use std::{
    collections::HashMap,
    fmt::{self, Debug},
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, text::encode},
    metrics::{
        MetricType, TypedMetric, counter::ConstCounter, gauge::ConstGauge, histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use failover_decide::{Outcome, State};

use crate::status::{Protection, Status};

/// From a cable's length to the longest timeout that makes sense, in seconds.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How long the probes took, by how they ended.
#[derive(Clone, Debug)]
pub struct Probes(Vec<Row>);

#[derive(Clone, Debug)]
struct Row {
    ended: Ended,
    count: u64,
    /// `None` for those that said nothing: what they took says nothing, either.
    durations: Option<Histogram>,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

impl Default for Probes {
    /// With every outcome: what only appears when it happens first is a rise that nobody sees.
    fn default() -> Self {
        let rows = Outcome::KINDS.into_iter().map(|outcome| Row {
            ended: Ended { outcome },
            count: 0,
            durations: (outcome != Outcome::UNKNOWN).then(|| Histogram::new(BUCKETS)),
        });
        Self(rows.collect())
    }
}

impl Probes {
    /// A probe of the primary has ended.
    pub fn note(&mut self, outcome: &Outcome) {
        let kind = outcome.kind();
        let Some(row) = self.0.iter_mut().find(|row| row.ended.outcome == kind) else {
            return;
        };
        row.count = row.count.saturating_add(1);
        if let Outcome::Connected { took } | Outcome::Failed { took, .. } = outcome
            && let Some(durations) = &row.durations
        {
            durations.observe(took.as_secs_f64());
        }
    }

    fn counts(&self) -> Rows<Ended, ConstCounter> {
        let rows = self.0.iter();
        Rows(
            rows.map(|row| (row.ended.clone(), ConstCounter::new(row.count)))
                .collect(),
        )
    }

    fn durations(&self) -> Rows<Ended, Histogram> {
        let rows = self.0.iter();
        let rows = rows.filter_map(|row| Some((row.ended.clone(), row.durations.clone()?)));
        Rows(rows.collect())
    }
}

/// Which text to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// OpenMetrics 1.0, for those who ask for it.
    OpenMetrics,
    /// The Prometheus text format 0.0.4, which everybody reads.
    Text,
}

impl Format {
    /// What a reader gets that says in `Accept` what it takes.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything, in one text.
#[must_use]
pub fn render(status: &Status, probes: &Probes, format: Format) -> String {
    let mut text = String::new();
    // Writing to a string doesn't fail.
    let _ = encode(&mut text, &registry(status, probes));
    match format {
        Format::OpenMetrics => text,
        Format::Text => older(&text),
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Build {
    version: String,
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
struct Ran {
    command: String,
    result: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Tried {
    kind: String,
    result: &'static str,
}

fn registry(status: &Status, probes: &Probes) -> Registry {
    let mut registry = Registry::with_prefix("failover");
    let to = &mut registry;
    let build = Build {
        version: status.program.clone(),
    };
    to.register("build", "Version of the program", Info::new(build));
    let states = State::NAMES.into_iter();
    let states = states.map(|state| (Is { state }, gauge(status.state == state)));
    to.register(
        "state",
        "1 for the state that it is in, 0 for the others",
        Rows(states.collect()),
    );
    seconds_at(
        to,
        "state_since",
        "When it came into this state",
        Some(&status.since),
    );
    seconds_at(
        to,
        "heartbeat",
        "When the deciding loop last answered",
        Some(&status.heartbeat),
    );
    let last = status.last_probe.as_ref().map(|probe| &*probe.at);
    seconds_at(
        to,
        "last_probe",
        "When the last probe of the primary ended",
        last,
    );
    to.register(
        "protected",
        "1 if nothing keeps this machine from taking over and letting go",
        gauge(status.protection() != Protection::Unsafe),
    );
    let levels = Protection::NAMES.into_iter();
    let levels =
        levels.map(|(level, name)| (Level { level: name }, gauge(status.protection() == level)));
    to.register(
        "protection",
        "1 for how well this machine protects the primary, 0 for the others",
        Rows(levels.collect()),
    );
    to.register(
        "dual_active",
        "1 while the primary and the local gateway both serve",
        gauge(status.dual_active_since.is_some()),
    );
    seconds_at(
        to,
        "dual_active_since",
        "Since when the primary and the local gateway both serve",
        status.dual_active_since.as_deref(),
    );
    to.register(
        "problems",
        "How many things keep this machine from protecting the primary",
        count(status.problems.len()),
    );
    to.register(
        "armed",
        "1 once the primary was seen healthy, or where that isn't asked for",
        gauge(status.armed),
    );
    to.register(
        "paused",
        "1 while an operator's pause keeps it from running anything",
        gauge(status.paused.is_some()),
    );
    to.register(
        "forced",
        "1 while the local gateway serves whatever the primary does, as an operator ordered",
        gauge(status.forced),
    );
    to.register(
        "held",
        "1 while an operator's release keeps it from taking over",
        gauge(status.held_until.is_some()),
    );
    seconds_at(
        to,
        "held_until",
        "Until when an operator's release keeps it from taking over",
        status.held_until.as_deref(),
    );
    to.register(
        "warnings",
        "How many things people should see to, although they keep this machine from nothing",
        count(status.warnings.len()),
    );
    to.register(
        "dry_run",
        "1 if it never runs anything",
        gauge(status.dry_run),
    );
    to.register(
        "strikes",
        "Failed probes in a row that count",
        count(status.strikes.len()),
    );
    to.register(
        "strikes_needed",
        "How many of them make a takeover",
        ConstGauge::new(status.strikes_needed),
    );
    to.register(
        "probes",
        "Probes of the primary that have ended",
        probes.counts(),
    );
    to.register_with_unit(
        "probe_duration",
        "How long probes of the primary took that said something",
        Unit::Seconds,
        probes.durations(),
    );
    gateway(to, status);
    totals(to, status);
    notifiers(to, status);
    configuration(to, status);
    kernel_events(to, status);
    if let Some(witnesses) = &status.witnesses {
        to.register(
            "witnesses_quorum",
            "How many witnesses have to answer before a takeover",
            ConstGauge::new(witnesses.quorum),
        );
        if let Some(answered) = witnesses.answered {
            to.register(
                "witnesses_answered",
                "How many answered when they were asked last",
                ConstGauge::new(answered),
            );
        }
    }
    registry
}

fn gateway(to: &mut Registry, status: &Status) {
    to.register(
        "local_gateway_listening",
        "1 if the local gateway listens on its port",
        gauge(status.gateway.listening && !status.gateway.foreign),
    );
    to.register(
        "local_port_foreign",
        "1 if something that isn't the gateway listens on its port",
        gauge(status.gateway.foreign),
    );
}

fn totals(to: &mut Registry, status: &Status) {
    let totals = &status.totals;
    to.register(
        "takeovers",
        "How often the local gateway came up because it was started here",
        ConstCounter::new(totals.takeovers),
    );
    to.register(
        "releases",
        "How often it served and was stopped",
        ConstCounter::new(totals.releases),
    );
    let commands = totals.commands.iter().map(|ran| {
        let label = Ran {
            command: ran.command.clone(),
            result: ran.result.clone(),
        };
        (label, ConstCounter::new(ran.count))
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
            totals.no_gateway_milliseconds,
        ),
        (
            "dual_active",
            "How long the primary and the local gateway both served",
            totals.dual_active_milliseconds,
        ),
    ];
    for (name, help, milliseconds) in spans {
        #[expect(clippy::cast_precision_loss, reason = "exact for 285000 years")]
        let seconds = milliseconds as f64 / 1000.0;
        to.register_with_unit(name, help, Unit::Seconds, ConstCounter::new(seconds));
    }
}

fn notifiers(to: &mut Registry, status: &Status) {
    let mut tried = Vec::new();
    for one in &status.notifiers {
        for (result, count) in [
            ("told", one.told),
            ("failed", one.failed),
            ("dropped", one.dropped),
        ] {
            let label = Tried {
                kind: one.kind.clone(),
                result,
            };
            tried.push((label, ConstCounter::new(count)));
        }
    }
    to.register(
        "notifications",
        "How often it was tried to tell people, and what was given up",
        Rows(tried),
    );
    let failing = status.notifiers.iter().map(|one| {
        let kind = one.kind.clone();
        (Kind { kind }, gauge(one.failing.is_some()))
    });
    to.register(
        "notifications_failing",
        "1 while the last attempt to tell people failed",
        Rows(failing.collect()),
    );
}

fn configuration(to: &mut Registry, status: &Status) {
    let Some(configuration) = &status.configuration else {
        return;
    };
    to.register(
        "config_last_reload_successful",
        "1 if the configuration that was read last is in force",
        gauge(configuration.refused.is_none()),
    );
    seconds_at(
        to,
        "config_last_reload_success",
        "When the configuration in force was read",
        Some(&configuration.since),
    );
}

fn kernel_events(to: &mut Registry, status: &Status) {
    let events = &status.kernel_events;
    to.register(
        "kernel_events_on",
        "1 if the kernel program tells of changes, 0 if the port is looked at every second",
        gauge(events.source == "kernel"),
    );
    to.register(
        "kernel_events",
        "Events that the kernel program has told",
        ConstCounter::new(events.seen),
    );
    to.register(
        "kernel_events_lost",
        "Events that found no room",
        ConstCounter::new(events.lost),
    );
    to.register(
        "kernel_disagreements",
        "How often events and the kernel's own list of listeners disagreed",
        ConstCounter::new(events.disagreements),
    );
}

fn gauge(is_so: bool) -> ConstGauge<u64> {
    ConstGauge::new(u64::from(is_so))
}

fn count(count: usize) -> ConstGauge<usize> {
    ConstGauge::new(count)
}

/// A moment in seconds since 1970, if there is one.
fn seconds_at(to: &mut Registry, name: &str, help: &str, time: Option<&str>) {
    let Some(time) = time.and_then(|time| time.parse::<Timestamp>().ok()) else {
        return;
    };
    let seconds = ConstGauge::new(time.as_duration().as_secs_f64());
    to.register_with_unit(format!("{name}_timestamp"), help, Unit::Seconds, seconds);
}

/// The same metric several times, told apart by labels.
#[derive(Debug)]
struct Rows<Labels, Metric>(Vec<(Labels, Metric)>);

impl<Labels, Metric> EncodeMetric for Rows<Labels, Metric>
where
    Labels: EncodeLabelSet,
    Metric: EncodeMetric + TypedMetric,
{
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        for (labels, metric) in &self.0 {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        Metric::TYPE
    }
}

/// The older format names what OpenMetrics has as suffixes of the samples, and knows no units and no end.
fn older(text: &str) -> String {
    const TYPE: &str = "# TYPE ";
    let lines = || text.lines();
    let types = lines().filter_map(|line| line.strip_prefix(TYPE)?.split_once(' '));
    let suffixes: HashMap<&str, &str> = types
        .filter_map(|(name, kind)| match kind {
            "counter" => Some((name, "_total")),
            "info" => Some((name, "_info")),
            _ => None,
        })
        .collect();
    let mut older = String::with_capacity(text.len());
    for line in lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(word @ ("HELP" | "TYPE")), Some(name), Some(rest)) => {
                let suffix = suffixes.get(name).copied().unwrap_or_default();
                let rest = match (word, rest) {
                    ("TYPE", "info") => "gauge",
                    (_, rest) => rest,
                };
                older.push_str(&format!("# {word} {name}{suffix} {rest}\n"));
            }
            (Some("#"), ..) => {}
            _ => {
                older.push_str(line);
                older.push('\n');
            }
        }
    }
    older
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::status::{Failing, InForce, Notifier, Refused, sample};
    use failover_decide::Failure;

    fn rendered(format: Format) -> String {
        let mut probes = Probes::default();
        probes.note(&Outcome::Connected {
            took: Duration::from_millis(3),
        });
        probes.note(&Outcome::Failed {
            failure: Failure::Refused,
            took: Duration::from_micros(100),
        });
        probes.note(&Outcome::unknown("no cable".to_owned()));
        render(&sample(), &probes, format)
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|one| one == line), "{line}\n\n{text}");
    }

    #[test]
    fn it_says_the_state_the_probes_and_the_times() {
        let text = rendered(Format::Text);
        for line in [
            "failover_build_info{version=\"1.2.3\"} 1",
            "failover_state{state=\"standby\"} 1",
            "failover_state{state=\"active\"} 0",
            "failover_heartbeat_timestamp_seconds 1767225600.0",
            "failover_probes_total{outcome=\"connected\"} 1",
            "failover_probes_total{outcome=\"unknown\"} 1",
            "failover_probes_total{outcome=\"timed_out\"} 0",
            "failover_probe_duration_seconds_bucket{le=\"0.0025\",outcome=\"connected\"} 0",
            "failover_probe_duration_seconds_bucket{le=\"0.005\",outcome=\"connected\"} 1",
            "failover_protected 1",
            "failover_takeovers_total 0",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn degraded_is_protected_and_two_who_serve_are_not() {
        let mut status = sample();
        status.protection = Protection::Degraded;
        let text = render(&status, &Probes::default(), Format::Text);
        for line in [
            "failover_protected 1",
            "failover_protection{level=\"safe\"} 0",
            "failover_protection{level=\"degraded\"} 1",
            "failover_protection{level=\"unsafe\"} 0",
            "failover_dual_active 0",
        ] {
            has(&text, line);
        }
        status.problems.push("two gateways serve".to_owned());
        status.dual_active_since = Some("2026-01-01T00:00:00Z".to_owned());
        let text = render(&status, &Probes::default(), Format::Text);
        for line in [
            "failover_protected 0",
            "failover_protection{level=\"degraded\"} 0",
            "failover_protection{level=\"unsafe\"} 1",
            "failover_dual_active 1",
            "failover_dual_active_since_timestamp_seconds 1767225600.0",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn who_cannot_be_told_is_counted_by_kind_and_by_what_became_of_it() {
        let mut status = sample();
        let notifier = |kind: &str, failing| Notifier {
            kind: kind.to_owned(),
            configured: true,
            told: 3,
            failed: 2,
            dropped: 1,
            failing,
        };
        let failing = Failing {
            since: "2026-01-01T00:00:00.000Z".to_owned(),
            why: "refused".to_owned(),
            remedy: "look".to_owned(),
        };
        status.notifiers = vec![
            notifier("command", None),
            notifier("webhook", Some(failing)),
        ];
        let text = render(&status, &Probes::default(), Format::Text);
        for line in [
            "failover_notifications_total{kind=\"command\",result=\"told\"} 3",
            "failover_notifications_total{kind=\"webhook\",result=\"failed\"} 2",
            "failover_notifications_total{kind=\"webhook\",result=\"dropped\"} 1",
            "failover_notifications_failing{kind=\"command\"} 0",
            "failover_notifications_failing{kind=\"webhook\"} 1",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn what_an_operator_ordered_is_told() {
        let mut status = sample();
        let text = render(&status, &Probes::default(), Format::Text);
        has(&text, "failover_forced 0");
        has(&text, "failover_held 0");
        assert!(!text.contains("failover_held_until"), "{text}");
        status.forced = true;
        status.held_until = Some("2026-01-01T00:00:00.000Z".to_owned());
        let text = render(&status, &Probes::default(), Format::Text);
        has(&text, "failover_forced 1");
        has(&text, "failover_held 1");
        has(&text, "failover_held_until_timestamp_seconds 1767225600.0");
    }

    #[test]
    fn a_refused_configuration_is_told_as_prometheus_tells_its_own() {
        let mut status = sample();
        let refused = Refused {
            at: "2026-01-02T00:00:00.000Z".to_owned(),
            why: "nonsense".to_owned(),
        };
        for (refused, line) in [
            (None, "failover_config_last_reload_successful 1"),
            (Some(refused), "failover_config_last_reload_successful 0"),
        ] {
            status.configuration = Some(InForce {
                since: "2026-01-01T00:00:00.000Z".to_owned(),
                refused,
            });
            let text = render(&status, &Probes::default(), Format::Text);
            has(&text, line);
            has(
                &text,
                "failover_config_last_reload_success_timestamp_seconds 1767225600.0",
            );
        }
    }

    #[test]
    fn either_format_is_what_its_readers_know() {
        let new = rendered(Format::OpenMetrics);
        has(&new, "# TYPE failover_takeovers counter");
        assert!(new.ends_with("# EOF\n"), "{new}");
        let old = rendered(Format::Text);
        has(&old, "# TYPE failover_takeovers_total counter");
        has(&old, "# TYPE failover_build_info gauge");
        assert!(!old.contains("# EOF") && !old.contains("# UNIT"), "{old}");
        let samples = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(samples(&new), samples(&old));
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("text/html,*/*"), Format::Text);
    }
}
