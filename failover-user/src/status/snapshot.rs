//! The daemon's answer when it is asked how it is. Only looks.

use std::{num::NonZeroU16, time::Duration};

use jiff::Timestamp;

use failover_decide::{Command, Decider, Gone, Outcome, State, Time};
use failover_linux::{clock, escape::Escaped};

use crate::primary::check::readiness::Startup;
use crate::{
    config::Configuration,
    gateway::{command::failures::Failures, port::LocalPort},
    history::ledger,
    log::lines as tell,
    primary::check::readiness::Readiness,
    state_dir::{
        persisted::{Paused, Persisted},
        writer::Health,
    },
    status,
    status::{EndingProcess, Gateway, KernelEvents, Probe, Protection, Status},
    witness::quorum::QuorumResult,
};

/// Two gateways that serve for so long are a problem, also while one of them is being stopped.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What the daemon alone remembers of the past, for people.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// The last probe that has ended, and when.
    pub(crate) probe: Option<(Time, Outcome)>,
    /// What the primary last said of itself, unless it failed since.
    pub(crate) readiness: Option<Readiness>,
    /// The certificate that the last probe didn't trust.
    pub(crate) certificate: Option<String>,
    /// Since when the local gateway says that it drains, unless it listens no longer.
    pub(crate) gateway_draining: Option<Time>,
    /// The last round of the witnesses.
    pub(crate) witnesses: Option<QuorumResult>,
    /// Kernel events lost so far.
    pub(crate) lost: u64,
    /// Whether what is to be kept is being kept.
    pub(crate) kept: Vec<Health>,
    /// Why there are no kernel events.
    pub(crate) polling: Option<String>,
    /// The local port leads to the primary.
    pub(crate) tunnel: Option<String>,
    /// How commands failed.
    pub(crate) failures: Failures,
}

/// The local port, as it was looked at last.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortView {
    pub(crate) is_listening: bool,
    pub(crate) is_foreign: bool,
    pub(crate) held_by: String,
    /// Who listens on another address of it, and isn't the gateway.
    pub(crate) beside: String,
    /// Processes of the gateway's that listen no longer, and since when.
    pub(crate) terminating: Vec<(u32, Time)>,
    pub(crate) has_events: bool,
    pub(crate) disagreements: u64,
    /// Since when it is being looked at, where a look goes on.
    pub(crate) looks_since: Option<Time>,
}

impl PortView {
    pub(crate) fn of(port: &LocalPort) -> Self {
        Self {
            is_listening: port.is_listening(),
            is_foreign: port.is_foreign(),
            held_by: port.held_by(),
            beside: port.beside(),
            terminating: port.lingering().collect(),
            has_events: port.has_events(),
            disagreements: port.disagreements(),
            looks_since: port.looks_since(),
        }
    }
}

pub(crate) fn status(
    configuration: &Configuration,
    decider: &Decider,
    port: &PortView,
    past: &Past,
    persisted: &Persisted,
    reason: &str,
) -> Status {
    let time = clock::told;
    let settings = &configuration.decide;
    let two_serve = two_serve(configuration, decider, clock::now());
    let problems = problems(configuration, decider, port, past, persisted);
    let strikes = decider.strikes().iter().map(|strike| Probe {
        at: time(strike.due),
        outcome: tell::failure(strike),
    });
    Status {
        version: status::VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        host: String::new(),
        pid: std::process::id(),
        heartbeat: time(clock::now()),
        protection: protection(&problems, decider),
        problems,
        warnings: Vec::new(),
        dual_active_since: two_serve.map(time),
        state: decider.state().name().to_owned(),
        since: time(decider.since()),
        reason: reason.to_owned(),
        primary: configuration.primary.to_string(),
        check: configuration.check.name().to_owned(),
        local_check: configuration.local_check.name().to_owned(),
        readiness: past.readiness.as_ref().map(readiness),
        strikes: strikes.collect(),
        strikes_needed: settings.strikes.get(),
        last_probe: past.probe.as_ref().map(|(at, outcome)| Probe {
            at: time(*at),
            outcome: match &past.certificate {
                Some(certificate) => format!("{}: {certificate}", tell::outcome(outcome)),
                None => tell::outcome(outcome),
            },
        }),
        next: decider.next_wake().map(time),
        gateway: Gateway {
            port: NonZeroU16::get(configuration.port),
            listening: port.is_listening,
            held_by: if port.is_listening {
                port.held_by.clone()
            } else {
                String::new()
            },
            foreign: port.is_foreign,
            draining_since: past
                .gateway_draining
                .filter(|_| port.is_listening)
                .map(time),
            ending: port
                .terminating
                .iter()
                .map(|(pid, since)| EndingProcess {
                    pid: *pid,
                    since: time(*since),
                })
                .collect(),
        },
        kernel_events: KernelEvents {
            source: match port.has_events {
                true => "kernel".to_owned(),
                false => "polling".to_owned(),
            },
            reason: past.polling.clone(),
            seen: 0,
            lost: past.lost,
            disagreements: port.disagreements,
        },
        witnesses: None,
        release_needs: decider.release_needs(),
        armed: decider.is_armed(),
        paused: persisted.pause.as_ref().map(|pause| status::Pause {
            since: format!("{:.3}", pause.since),
            until: paused_until(decider, pause).map(|until| format!("{until:.3}")),
            reason: pause.reason.clone(),
        }),
        forced: decider.is_forced(),
        held_until: decider.hold_until().map(time),
        gateway_strikes: decider.gateway_strikes(),
        dry_run: configuration.dry_run,
        totals: status::Totals::default(),
        configuration: None,
        notifiers: Vec::new(),
        recent: Vec::new(),
    }
}

/// As the document has them.
pub(crate) fn totals(totals: &ledger::Totals) -> status::Totals {
    let milliseconds = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    status::Totals {
        takeovers: totals.takeovers,
        releases: totals.releases,
        no_gateway_milliseconds: milliseconds(totals.no_gateway),
        dual_active_milliseconds: milliseconds(totals.dual_active),
        commands: totals
            .commands()
            .map(|(command, result, count)| status::Ran {
                command: command.to_string(),
                result: result.to_owned(),
                count,
            })
            .collect(),
    }
}

fn readiness(readiness: &Readiness) -> status::Readiness {
    let time = clock::told;
    status::Readiness {
        startup: readiness.startup.map(|startup| {
            match startup {
                Startup::Starting => "starting",
                Startup::Started => "started",
                Startup::Draining => "draining",
            }
            .to_owned()
        }),
        draining_since: readiness.draining_since.map(time),
        ready: readiness.ready,
        failing: readiness.failing.clone(),
        version: readiness.version.clone(),
        started: readiness.started.map(time),
    }
}

/// Since when two gateways serve. A release that goes as it should takes a moment, and is none.
pub(crate) fn two_serve(
    configuration: &Configuration,
    decider: &Decider,
    now: Time,
) -> Option<Time> {
    let being_stopped = decider.lets_go() && decider.pause().is_none() && !configuration.dry_run;
    decider
        .two_serve()
        .filter(|since| !being_stopped || now.since(*since) >= A_MOMENT)
}

/// What ends it that two gateways serve.
pub(crate) fn ends(configuration: &Configuration, decider: &Decider) -> String {
    if configuration.dry_run {
        "this is a dry run, so nothing is stopped".to_owned()
    } else if decider.pause().is_some() {
        "it is paused, so nothing is stopped; `failover resume` ends that".to_owned()
    } else if decider.is_forced() {
        "`failover release` stops the local one".to_owned()
    } else if decider.lets_go() {
        "the local one is being stopped".to_owned()
    } else {
        format!(
            "the primary flaps, so the local one is stopped after {} answers in a row, of which there were {}; \
             `failover release` stops it now",
            decider.release_needs(),
            decider.successes()
        )
    }
}

fn protection(problems: &[String], decider: &Decider) -> Protection {
    let serves_or_will = matches!(
        decider.state(),
        State::Fencing { .. } | State::Starting { .. } | State::Restarting { .. }
    ) || decider.is_listening();
    match (problems.is_empty(), serves_or_will) {
        (false, _) => Protection::Unsafe,
        (true, true) => Protection::Degraded,
        (true, false) => Protection::Safe,
    }
}

/// When the pause ends: by the clock that ends it, which nobody sets.
fn paused_until(decider: &Decider, pause: &Paused) -> Option<Timestamp> {
    match decider.pause() {
        Some(in_force) => in_force.until.map(clock::wall),
        None => pause.until,
    }
}

/// The primary can't be probed. Where that counts as its failure, and PC-B serves, it is no problem.
fn unprobed(reason: &str, gone: Option<Gone>, decider: &Decider) -> Option<String> {
    let counts = decider.primary_answers() == Some(false) && !decider.strikes().is_empty();
    let told = format!("the primary can't be probed: {reason}");
    match gone {
        Some(Gone::Path) if counts && decider.state() == State::Active => None,
        Some(Gone::Path) if !counts => Some(format!(
            "{told}; no witness says that PC-B's own network is well, so nothing is taken over for that (see --witnesses)"
        )),
        Some(Gone::Path | Gone::Address) | None => Some(told),
    }
}

/// What keeps PC-B from protecting PC-A, or from letting go.
fn problems(
    configuration: &Configuration,
    decider: &Decider,
    port: &PortView,
    past: &Past,
    persisted: &Persisted,
) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(since) = two_serve(configuration, decider, clock::now()) {
        problems.push(format!(
            "two gateways serve since {:.0}: the primary, {}, answers, and so does the local gateway, {}; {}",
            clock::wall(since),
            configuration.primary,
            port.held_by,
            ends(configuration, decider)
        ));
    }
    if let Some(pause) = &persisted.pause {
        let until = match paused_until(decider, pause) {
            Some(until) => format!("until {until:.0}"),
            None => "until `failover resume`".to_owned(),
        };
        let reason = pause.reason.as_deref().map(Escaped);
        let reason = reason.map(|reason| format!(" ({reason})"));
        problems.push(format!(
            "PAUSED {until}: nothing is started or stopped{}",
            reason.unwrap_or_default()
        ));
    }
    if let Some(until) = decider.hold_until() {
        let until = clock::wall(until);
        problems.push(format!(
            "released by hand: nothing is taken over until {until:.0} or `failover resume`"
        ));
    }
    if decider.is_forced() {
        problems.push("taken over by force: the local gateway is kept whatever the primary does, until `failover release`".to_owned());
    }
    let state = decider.state();
    if state == State::Standby && decider.primary_answers().is_none() {
        problems.push("nobody knows yet whether the primary answers: it is being asked".to_owned());
    }
    match state {
        State::Isolated => {
            problems.push("no witness answers: PC-B is cut off, and nothing is started".to_owned());
        }
        State::Fencing { attempt } if attempt > 1 => {
            let why = past.failures.told(Command::Fence);
            problems.push(format!("the fence fails: attempt {attempt}{why}"));
        }
        State::Restarting { .. } => {
            problems.push("the local gateway doesn't answer: it is started again".to_owned());
        }
        State::Starting { attempt } if attempt > 1 => {
            let why = past.failures.told(Command::Start);
            problems.push(format!(
                "the local gateway doesn't start: attempt {attempt}{why}"
            ));
        }
        State::Stopping { attempt } if attempt > 1 => {
            let why = past.failures.told(Command::Stop);
            problems.push(format!(
                "the local gateway doesn't stop: attempt {attempt}{why}"
            ));
        }
        _ => {}
    }
    if port.is_foreign {
        problems.push(format!(
            "the port is held by something that isn't the gateway, so nothing can be started: {}",
            port.held_by
        ));
    }
    problems.extend(past.tunnel.clone());
    if let Some((_, Outcome::Unknown { reason, gone })) = &past.probe {
        problems.extend(unprobed(reason, *gone, decider));
    }
    if let Some(QuorumResult {
        answered, needed, ..
    }) = &past.witnesses
        && answered < needed
        && state != State::Isolated
    {
        problems.push(format!(
            "{answered} of {needed} witnesses answered: PC-B would not take over"
        ));
    }
    if !decider.is_armed() {
        let unarmed = match decider.is_forced() {
            true => {
                "the primary was never seen healthy; the local gateway serves by order alone: is --primary right?"
            }
            false => {
                "the primary was never seen healthy: nothing is taken over until it is; is --primary right?"
            }
        };
        problems.push(unarmed.to_owned());
    }
    problems.extend(past.kept.iter().filter_map(Health::problem));
    if configuration.dry_run {
        problems.push("dry run: nothing is started or stopped".to_owned());
    }
    problems
}
