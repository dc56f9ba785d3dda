//! The state of the daemon at one moment: typed, for every renderer, and made in one step. Reads only.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use jiff::Timestamp;

use failover_decide::{Failure, Order, Outcome, StandbyState, State, Time};
use failover_linux::clock;

use crate::{
    config::StandbyChoice,
    gateway::parking::situation::{Parked, Situation},
    guard::view::GuardView,
    history::ledger::Totals,
    kernel_events::{EventSource, Polling},
    notify::alarms::ChannelStatus,
    primary::check::readiness::Readiness,
    standby::{
        drill,
        drill::Drill,
        failing::FailedDrills,
        mode::{Effective, effective},
    },
    status::{
        context::Context,
        explanation::Explanation,
        problem::{Problem, dual_active_since, paused_until, problems, protection},
        protection::Protection,
        warning::{Warning, warnings},
    },
    sync::{known::Known, lineage::Lineage, order::Task, rounds::Rounds},
    web::timeline::Note,
    witness::{quorum::QuorumResult, router::RouterStatus},
};

/// The daemon at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The name of the machine that it runs on.
    pub(crate) host: String,
    /// Process number of the daemon.
    pub(crate) pid: u32,
    /// When the snapshot was made.
    pub(crate) now: Timestamp,
    /// What prevents a takeover or a release.
    pub(crate) problems: Vec<Problem>,
    /// What needs attention, but prevents nothing.
    pub(crate) warnings: Vec<Warning>,
    /// How well PC-B protects PC-A, with the problems taken into account.
    pub(crate) protection: Protection,
    /// Since when the primary and the local gateway both serve; `None`: at most one does.
    pub(crate) dual_active_since: Option<Timestamp>,
    pub(crate) state: State,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Why; `None`: since the start of the daemon.
    pub(crate) explanation: Option<Explanation>,
    pub(crate) primary: Primary,
    pub(crate) gateway: Gateway,
    pub(crate) standby: Standby,
    /// `None`: nothing is copied.
    pub(crate) sync: Option<Sync>,
    /// What is known of PC-A's guard, if the hosts are paired.
    pub(crate) guard: Option<GuardView>,
    /// When the next timer expires.
    pub(crate) next: Option<Timestamp>,
    pub(crate) kernel_events: KernelEvents,
    /// `None`: none are asked.
    pub(crate) witnesses: Option<Witnesses>,
    /// Number of successes in a row for a release.
    pub(crate) release_needs: u32,
    /// Was the primary seen healthy once, or is that not asked for?
    pub(crate) armed: bool,
    pub(crate) paused: Option<Pause>,
    /// A forced takeover: the local gateway keeps running even if the primary answers.
    pub(crate) forced: bool,
    /// Until when an operator's release prevents a takeover.
    pub(crate) held_until: Option<Timestamp>,
    /// No command is run.
    pub(crate) dry_run: bool,
    /// Counters since the daemon started.
    pub(crate) totals: Totals,
    pub(crate) configuration: Configuration,
    /// Every kind of channel, and how it does.
    pub(crate) channels: Vec<ChannelStatus>,
    /// What happened last, oldest first.
    pub(crate) recent: Vec<Note>,
}

/// The primary.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    /// Where it is, as configured.
    pub(crate) address: String,
    /// The check's name.
    pub(crate) check: &'static str,
    /// Its last report about itself.
    pub(crate) readiness: Option<Readiness>,
    /// The failed probes in a row that count.
    pub(crate) strikes: Vec<FailedProbe>,
    /// How many make a takeover.
    pub(crate) strikes_needed: u32,
    pub(crate) last_probe: Option<LastProbe>,
}

/// A failed probe that counts.
#[derive(Clone, Debug)]
pub(crate) struct FailedProbe {
    /// When it was due.
    pub(crate) at: Timestamp,
    pub(crate) failure: Failure,
    /// Until that was known.
    pub(crate) took: Duration,
}

/// The last probe that has ended.
#[derive(Clone, Debug)]
pub(crate) struct LastProbe {
    /// When it ended.
    pub(crate) at: Timestamp,
    pub(crate) outcome: Outcome,
    /// The certificate that was not trusted.
    pub(crate) certificate: Option<String>,
}

/// The local port and who holds it.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) port: NonZeroU16,
    /// The check's name.
    pub(crate) check: &'static str,
    pub(crate) holder: Holder,
    /// Since when the gateway has been seen draining.
    pub(crate) draining_since: Option<Timestamp>,
    /// Processes of the gateway's that listen no longer and are still there, and since when.
    pub(crate) terminating: Vec<(u32, Timestamp)>,
    /// Checks in a row that failed.
    pub(crate) strikes: u32,
}

/// How ready the local gateway is.
#[derive(Clone, Debug)]
pub(crate) struct Standby {
    /// As configured.
    pub(crate) choice: StandbyChoice,
    /// The mode in force, and why.
    pub(crate) effective: Effective,
    pub(crate) state: StandbyState,
    /// Since when.
    pub(crate) since: Timestamp,
    /// The gateway that is parked.
    pub(crate) parked: Option<Parked>,
    /// A drill is under way.
    pub(crate) drills: bool,
    /// How long the last parking took.
    pub(crate) parking_took: Option<Duration>,
    pub(crate) last_drill: Option<Drill>,
    /// Drills that failed, and none has passed after.
    pub(crate) failed_drills: Option<FailedDrills>,
    /// When the next automatic drill is due, if nothing comes between.
    pub(crate) next_drill: Option<Timestamp>,
    /// Between automatic drills; `None`: there are none.
    pub(crate) drill_every: Option<Duration>,
}

/// The copies of the primary's state.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    /// From where.
    pub(crate) from: String,
    pub(crate) every: Duration,
    pub(crate) max_age: Duration,
    pub(crate) known: Known,
    /// What is being done.
    pub(crate) runs: Option<Task>,
    pub(crate) lineage: Arc<Lineage>,
    /// Both sides have changes that the other lacks, and nobody has chosen.
    pub(crate) is_split: bool,
}

/// Who listens on the local port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Holder {
    /// Nobody.
    Nobody,
    /// The gateway; its processes, for people.
    Gateway(String),
    /// Somebody else, likewise.
    Foreign(String),
}

impl Holder {
    /// The gateway listens.
    pub(crate) const fn is_gateway(&self) -> bool {
        match self {
            Self::Gateway(_) => true,
            Self::Nobody | Self::Foreign(_) => false,
        }
    }

    /// Somebody else listens, and the gateway doesn't.
    pub(crate) const fn is_foreign(&self) -> bool {
        match self {
            Self::Foreign(_) => true,
            Self::Nobody | Self::Gateway(_) => false,
        }
    }
}

/// Where the daemon's knowledge of the local port comes from.
#[derive(Clone, Debug)]
pub(crate) struct KernelEvents {
    pub(crate) source: EventSource,
    /// Why there are none.
    pub(crate) polling: Option<Polling>,
    /// Events so far.
    pub(crate) seen: u64,
    /// Events lost so far.
    pub(crate) lost: u64,
    /// How often events and sock_diag disagreed.
    pub(crate) disagreements: u64,
}

/// The witnesses, as they were asked last.
#[derive(Clone, Debug)]
pub(crate) struct Witnesses {
    /// How many have to answer: no more than there are that count.
    pub(crate) needed: u32,
    /// All of them, as they are configured.
    pub(crate) names: Vec<String>,
    /// `None`: they weren't asked yet.
    pub(crate) last: Option<QuorumResult>,
    /// The default router, where it is one of them.
    pub(crate) router: Option<RouterStatus>,
}

/// A pause that an operator ordered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pause {
    pub(crate) since: Timestamp,
    /// `None`: until it is resumed.
    pub(crate) until: Option<Timestamp>,
    /// Why, as the operator said.
    pub(crate) reason: Option<String>,
}

/// The configuration in force.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// When it was read.
    pub(crate) since: Timestamp,
    /// A newer one that is refused: when it was read, and what is wrong with it.
    pub(crate) refused: Option<(Timestamp, String)>,
}

impl Context<'_> {
    /// The snapshot of now.
    pub(crate) fn snapshot(self) -> Snapshot {
        let wall = clock::wall;
        let decider = self.decider;
        let problems = problems(&self);
        let pause = self.persisted.pause.as_ref();
        Snapshot {
            host: self.host.to_owned(),
            pid: std::process::id(),
            now: wall(self.now),
            protection: protection(&problems, decider),
            problems,
            warnings: warnings(&self),
            dual_active_since: dual_active_since(self.configuration, decider, self.now).map(wall),
            state: decider.state(),
            since: wall(decider.since()),
            explanation: self.last_seen.explanation.clone(),
            primary: self.primary(),
            gateway: self.gateway(),
            standby: self.standby(),
            sync: self.sync(),
            guard: self.guard.clone(),
            next: decider.next_wake().map(wall),
            kernel_events: self.kernel_events(),
            release_needs: decider.release_needs(),
            armed: decider.is_armed(),
            paused: pause.map(|pause| Pause {
                since: pause.since,
                until: paused_until(decider, pause),
                reason: pause.reason.clone(),
            }),
            forced: decider.is_forced(),
            held_until: decider.hold_until().map(wall),
            dry_run: self.configuration.dry_run,
            configuration: self.configuration(),
            totals: self.totals,
            witnesses: self.quorum.needed.map(|needed| Witnesses {
                needed,
                names: self.quorum.names,
                last: self.quorum.last,
                router: self.quorum.router,
            }),
            channels: self.channels,
            recent: self.recent,
        }
    }

    fn primary(&self) -> Primary {
        let strikes = self.decider.strikes().iter();
        let certificate = &self.last_seen.certificate;
        let last_probe = |(at, outcome): &(Time, Outcome)| LastProbe {
            at: clock::wall(*at),
            outcome: outcome.clone(),
            certificate: certificate.clone(),
        };
        Primary {
            address: self.configuration.primary.to_string(),
            check: self.configuration.check.name(),
            readiness: self.last_seen.readiness.clone(),
            strikes: strikes
                .map(|strike| FailedProbe {
                    at: clock::wall(strike.due),
                    failure: strike.failure,
                    took: strike.took,
                })
                .collect(),
            strikes_needed: self.configuration.decide.strikes.get(),
            last_probe: self.last_seen.probe.as_ref().map(last_probe),
        }
    }

    fn gateway(&self) -> Gateway {
        let port = &self.port;
        let draining = self.last_seen.gateway_draining;
        let terminating = port.terminating.iter();
        Gateway {
            port: self.configuration.port,
            check: self.configuration.local_check.name(),
            holder: match (port.is_listening, port.is_foreign) {
                (true, false) => Holder::Gateway(port.held_by.clone()),
                (true, true) => Holder::Foreign(port.held_by.clone()),
                (false, _) => Holder::Nobody,
            },
            draining_since: draining.filter(|_| port.is_listening).map(clock::wall),
            terminating: terminating
                .map(|(pid, since)| (*pid, clock::wall(*since)))
                .collect(),
            strikes: self.decider.gateway_strikes(),
        }
    }

    fn standby(&self) -> Standby {
        let decider = self.decider;
        let configured = &self.configuration.standby;
        let seen = self.last_seen.standby.clone();
        let parked = self.standby.and_then(|sight| match &sight.situation {
            Situation::Parked(parked) => Some(parked.clone()),
            Situation::Absent
            | Situation::Parking { .. }
            | Situation::Continuing
            | Situation::Broken(_) => None,
        });
        Standby {
            choice: configured.choice,
            effective: seen.unwrap_or_else(|| effective(configured.choice, None)),
            state: decider.standby_state(),
            since: clock::wall(decider.standby_since()),
            parking_took: self
                .last_seen
                .parking_took
                .or(parked.as_ref().map(|parked| parked.took)),
            parked: parked.filter(|_| decider.standby_state() == StandbyState::Parked),
            drills: decider.drills(),
            last_drill: self.persisted.drill.as_deref().cloned(),
            failed_drills: self.persisted.failed_drills.clone(),
            next_drill: self.next_drill(),
            drill_every: configured.drill_every,
        }
    }

    fn sync(&self) -> Option<Sync> {
        let options = self.configuration.sync.as_ref()?;
        let known = self.rounds?.known();
        let lineage = &self.persisted.lineage;
        Some(Sync {
            from: options.destination.clone(),
            every: options.every,
            max_age: options.max_age,
            runs: self.rounds.and_then(Rounds::runs),
            is_split: lineage.is_split(known.newest()),
            known: known.clone(),
            lineage: Arc::clone(lineage),
        })
    }

    fn next_drill(&self) -> Option<Timestamp> {
        let known = &self.standby?.known;
        let is_refused = self.decider.objection(self.now, Order::Drill).is_some();
        let now = clock::wall(self.now);
        let due = drill::due_in(
            self.configuration.standby.drill_every,
            self.persisted.drill.as_deref(),
            known.drill_is_current,
            self.now.since(self.decider.since()),
            now,
        );
        let due = due.filter(|_| !is_refused)?;
        now.checked_add(due).ok()
    }

    fn kernel_events(&self) -> KernelEvents {
        KernelEvents {
            source: match self.port.has_events {
                true => EventSource::Kernel,
                false => EventSource::Polling,
            },
            polling: self.polling.clone(),
            seen: self.events_seen,
            lost: self.events_lost,
            disagreements: self.port.disagreements,
        }
    }

    fn configuration(&self) -> Configuration {
        let refused = self.refused;
        Configuration {
            since: clock::wall(self.configured),
            refused: refused.map(|refused| (clock::wall(refused.at), refused.error.clone())),
        }
    }
}

/// A quiet daemon's.
#[cfg(test)]
pub(crate) fn sample() -> Snapshot {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap_or_default();
    Snapshot {
        host: "pc-b".to_owned(),
        pid: 42,
        now,
        problems: Vec::new(),
        warnings: Vec::new(),
        protection: Protection::Safe,
        dual_active_since: None,
        state: State::Standby,
        since: now,
        explanation: None,
        primary: Primary {
            address: "pc-a:18789".to_owned(),
            check: "tcp",
            readiness: None,
            strikes: Vec::new(),
            strikes_needed: 3,
            last_probe: None,
        },
        gateway: Gateway {
            port: crate::config::DEFAULT_PORT,
            check: "tcp",
            holder: Holder::Nobody,
            draining_since: None,
            terminating: Vec::new(),
            strikes: 0,
        },
        guard: None,
        standby: Standby {
            choice: StandbyChoice::Auto,
            effective: effective(StandbyChoice::Auto, None),
            state: StandbyState::Cold,
            since: now,
            parked: None,
            drills: false,
            parking_took: None,
            last_drill: None,
            failed_drills: None,
            next_drill: None,
            drill_every: None,
        },
        sync: None,
        next: None,
        kernel_events: KernelEvents {
            source: EventSource::Kernel,
            polling: None,
            seen: 0,
            lost: 0,
            disagreements: 0,
        },
        witnesses: None,
        release_needs: 1,
        armed: true,
        paused: None,
        forced: false,
        held_until: None,
        dry_run: false,
        totals: Totals::default(),
        configuration: Configuration {
            since: now,
            refused: None,
        },
        channels: Vec::new(),
        recent: Vec::new(),
    }
}
