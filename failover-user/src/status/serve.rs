//! A snapshot as the document that is served.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    history::ledger,
    notify::alarms::ChannelStatus,
    primary::check::readiness,
    status::{
        copies,
        document::{
            CommandCount, Configuration, Document, Drill, EndingProcess, Failing, Gateway,
            KernelEvents, Note, Notifier, Parked, Pause, Probe, Readiness, Refused, Router,
            Standby, Testimony, Totals, VERSION, Witnesses,
        },
        snapshot,
        snapshot::{Holder, Snapshot},
    },
    web::timeline,
    witness::router::RouterStatus,
    wording,
};
use failover_linux::{clock, escape};

/// As people and tools read it: RFC 3339, in UTC, always three digits after the second.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl From<&Snapshot> for Document {
    fn from(snapshot: &Snapshot) -> Self {
        let primary = &snapshot.primary;
        let problems = snapshot.problems.iter();
        let warnings = snapshot.warnings.iter();
        let explanation = snapshot.explanation.as_ref();
        let strikes = primary.strikes.iter().map(|strike| Probe {
            at: time(strike.at),
            outcome: wording::probe::failed(strike.failure, strike.took),
        });
        Self {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            host: snapshot.host.clone(),
            pid: snapshot.pid,
            heartbeat: time(snapshot.now),
            problems: problems.map(wording::problem::problem).collect(),
            warnings: warnings.map(wording::problem::warning).collect(),
            protection: snapshot.protection.into(),
            dual_active_since: snapshot.dual_active_since.map(time),
            state: snapshot.state.kind().into(),
            since: time(snapshot.since),
            reason: explanation
                .map(wording::reason::explanation)
                .unwrap_or_default(),
            primary: primary.address.clone(),
            check: primary.check.to_owned(),
            local_check: snapshot.gateway.check.to_owned(),
            readiness: primary.readiness.as_ref().map(readiness),
            strikes: strikes.collect(),
            strikes_needed: primary.strikes_needed,
            last_probe: primary.last_probe.as_ref().map(|probe| Probe {
                at: time(probe.at),
                outcome: wording::probe::last(&probe.outcome, probe.certificate.as_deref()),
            }),
            next: snapshot.next.map(time),
            gateway: gateway(&snapshot.gateway),
            standby: Some(standby(&snapshot.standby)),
            sync: (snapshot.sync.as_ref()).map(|copies| sync(copies, snapshot.now)),
            guard: snapshot.guard.clone(),
            kernel_events: kernel_events(&snapshot.kernel_events),
            witnesses: snapshot.witnesses.as_ref().map(witnesses),
            release_needs: snapshot.release_needs,
            armed: snapshot.armed,
            paused: snapshot.paused.as_ref().map(|pause| Pause {
                since: time(pause.since),
                until: pause.until.map(time),
                reason: pause.reason.clone(),
            }),
            forced: snapshot.forced,
            held_until: snapshot.held_until.map(time),
            gateway_strikes: snapshot.gateway.strikes,
            dry_run: snapshot.dry_run,
            totals: totals(&snapshot.totals),
            configuration: Some(configuration(&snapshot.configuration)),
            notifiers: snapshot.channels.iter().map(notifier).collect(),
            recent: snapshot.recent.iter().map(note).collect(),
        }
    }
}

fn readiness(readiness: &readiness::Readiness) -> Readiness {
    let time = clock::rfc3339;
    Readiness {
        startup: readiness.startup.map(Into::into),
        draining_since: readiness.draining_since.map(time),
        ready: readiness.ready,
        failing: readiness.failing.clone(),
        version: readiness.version.clone(),
        started: readiness.started.map(time),
    }
}

fn gateway(gateway: &snapshot::Gateway) -> Gateway {
    let held_by = match &gateway.holder {
        Holder::Nobody => "",
        Holder::Gateway(held_by) | Holder::Foreign(held_by) => held_by,
    };
    let ending = gateway.terminating.iter();
    Gateway {
        port: gateway.port.get(),
        listening: gateway.holder != Holder::Nobody,
        held_by: held_by.to_owned(),
        foreign: gateway.holder.is_foreign(),
        draining_since: gateway.draining_since.map(time),
        ending: ending
            .map(|(pid, since)| EndingProcess {
                pid: *pid,
                since: time(*since),
            })
            .collect(),
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn standby(standby: &snapshot::Standby) -> Standby {
    let parked = standby.parked.as_ref();
    let drill = standby.last_drill.as_ref();
    Standby {
        configured: standby.choice.into(),
        mode: standby.effective.mode.into(),
        why: wording::standby::why(&standby.effective.why),
        can_drill: standby.effective.can_park,
        state: standby.state.into(),
        since: time(standby.since),
        parked: parked.map(|parked| Parked {
            pid: parked.process.pid,
            took_milliseconds: milliseconds(parked.took),
            memory_bytes: parked.memory,
            packets_sent: parked.sent,
            outdated: parked
                .outdated
                .as_ref()
                .map(|path| escape::one_line(&path.to_string_lossy()).to_string()),
        }),
        drill_runs: standby.drills,
        last_drill: drill.map(|drill| Drill {
            at: time(drill.at),
            result: drill.result.into(),
            took_milliseconds: drill.took_ms,
            packets_sent: drill.packets_sent,
            memory_bytes: drill.memory_bytes,
            last_line: drill
                .said
                .as_ref()
                .map(|line| escape::one_line(line).to_string()),
        }),
        drill_every_seconds: standby.drill_every.map(|every| every.as_secs()),
        next_drill: standby.next_drill.map(time),
    }
}

fn sync(sync: &snapshot::Sync, now: Timestamp) -> copies::Sync {
    let known = &sync.known;
    let served = sync.lineage.unshared().or(sync.lineage.undecided.as_ref());
    let differences = known.differences.as_ref();
    copies::Sync {
        from: sync.from.clone(),
        every_seconds: sync.every.as_secs(),
        max_age_seconds: sync.max_age.as_secs(),
        newest: known.newest().map(|newest| copies::Generation {
            number: newest.number.0,
            taken: time(newest.taken),
            bytes: newest.bytes,
            files: newest.files,
            gateway_version: newest.gateway_version.clone(),
        }),
        fresh: known.fresh.map(time),
        age_seconds: known.age(now).map(|age| age.as_secs()),
        in_place: known.in_place.map(|number| number.0),
        runs: sync.runs.map(Into::into),
        failing: known.failing.as_ref().map(|failing| copies::Failing {
            since: time(failing.since),
            count: failing.count,
            why: wording::sync::failed(failing.step, &failing.error),
        }),
        refused: (known.refused.iter())
            .map(|one| copies::Refused {
                number: one.number.0,
                why: one.reason.clone(),
            })
            .collect(),
        versions: known.fit.as_ref().and_then(wording::sync::fit),
        still_works: (!known.refused.is_empty()).then(|| {
            let fits = known.newest_that_fits();
            wording::sync::still_works(fits.map(|fits| fits.number), known.age_of(fits, now))
        }),
        served: served.map(|served| copies::Served {
            since: time(served.since),
            with: served.base.as_ref().map(|base| base.number.0),
        }),
        both_changed: sync.is_split,
        differences: differences.map(|differences| copies::Differences {
            pc_a: differences.primary.clone(),
            pc_b: differences.local.clone(),
        }),
        chosen: sync.lineage.choice.map(Into::into),
        kept: (known.kept.iter())
            .map(|path| escape::one_line(&path.to_string_lossy()))
            .collect(),
        last: known.last.as_ref().map(|last| copies::Ended {
            task: last.task.into(),
            at: time(last.at),
            succeeded: last.has_succeeded(),
            result: wording::sync::ended(last.task, &last.outcome),
        }),
    }
}

fn kernel_events(events: &snapshot::KernelEvents) -> KernelEvents {
    KernelEvents {
        source: events.source.into(),
        reason: events.polling.as_ref().map(wording::polling),
        seen: events.seen,
        lost: events.lost,
        disagreements: events.disagreements,
    }
}

fn witnesses(witnesses: &snapshot::Witnesses) -> Witnesses {
    let last = witnesses.last.as_ref();
    let each = last.iter().flat_map(|last| &last.votes);
    Witnesses {
        quorum: witnesses.needed,
        answered: last.map(|last| last.answered),
        at: last.map(|last| clock::rfc3339(last.at)),
        names: witnesses.names.clone(),
        answers: each
            .map(|vote| Testimony {
                witness: vote.witness.clone(),
                answered: vote.said.is_ok(),
                said: wording::witness::vote(vote),
            })
            .collect(),
        router: witnesses.router.as_ref().map(router),
    }
}

fn router(router: &RouterStatus) -> Router {
    Router {
        addresses: router.addresses.clone(),
        counts: router.counts,
        why: wording::witness::router(router),
    }
}

fn totals(totals: &ledger::Totals) -> Totals {
    let commands = totals.commands();
    Totals {
        takeovers: totals.takeovers,
        releases: totals.releases,
        no_gateway_milliseconds: milliseconds(totals.no_gateway),
        dual_active_milliseconds: milliseconds(totals.dual_active),
        commands: commands
            .map(|(command, result, count)| CommandCount {
                command: command.into(),
                result: result.into(),
                count,
            })
            .collect(),
    }
}

fn configuration(configuration: &snapshot::Configuration) -> Configuration {
    let refused = configuration.refused.as_ref();
    Configuration {
        since: time(configuration.since),
        refused: refused.map(|(at, error)| Refused {
            at: time(*at),
            why: error.clone(),
        }),
    }
}

fn notifier(channel: &ChannelStatus) -> Notifier {
    let delivered = &channel.delivered;
    let failing = delivered.failing.as_ref();
    Notifier {
        kind: channel.name.to_owned(),
        configured: channel.is_configured,
        sent: delivered.sent,
        failed: delivered.failed,
        dropped: delivered.dropped,
        failing: failing.map(|(since, error)| Failing {
            since: clock::rfc3339(*since),
            why: error.what.clone(),
            remedy: error.remedy.to_owned(),
        }),
    }
}

fn note(note: &timeline::Note) -> Note {
    Note {
        at: clock::rfc3339(note.last),
        since: clock::rfc3339(note.first),
        count: note.count,
        kind: note.kind.into(),
        text: note.text.clone(),
    }
}
