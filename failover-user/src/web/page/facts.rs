//! The details on the page: the last probe, the strikes, the witnesses and so on.

use std::fmt::Write as _;

use jiff::Timestamp;

use failover_linux::clock;

use crate::{
    named::Named as _,
    primary::check::readiness::{Readiness, Startup},
    standby::drill::DrillResult,
    status::snapshot::{Holder, KernelEvents, Snapshot, Standby, Sync, Witnesses},
    web::page::html::{Html, Moment},
    wording,
};

/// The facts, as a list.
pub(super) fn facts(snapshot: &Snapshot) -> String {
    let mut html = String::from("<dl>");
    let text = |text: &str| Html(text).to_string();
    let mut fact = |name: &str, value: String| {
        // Writing to a string doesn't fail.
        let _ = write!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    let primary = &snapshot.primary;
    if let Some(probe) = &primary.last_probe {
        let ended = wording::probe::last(&probe.outcome, probe.certificate.as_deref());
        fact(
            "Last probe",
            format!("{}, {}", Html(&ended), Moment(probe.at)),
        );
    }
    let strikes = &primary.strikes;
    let mut lines = vec![format!("{} of {}", strikes.len(), primary.strikes_needed)];
    lines.extend(strikes.iter().map(|strike| {
        let failed = wording::probe::failed(strike.failure, strike.took);
        format!("{} {}", Moment(strike.at), Html(&failed))
    }));
    fact("Strikes", lines.join("<br>"));
    if let Some(said) = &primary.readiness {
        fact("Readiness", readiness(said));
    }
    let gateway = match &snapshot.gateway.holder {
        Holder::Gateway(held_by) | Holder::Foreign(held_by) => text(held_by),
        Holder::Nobody => "nothing listens".to_owned(),
    };
    fact("Local gateway", gateway);
    fact("Standby", standby(&snapshot.standby));
    fact("Drill", drill(&snapshot.standby));
    if let Some(copies) = &snapshot.sync {
        fact("Copy of PC-A", sync(copies, snapshot.now));
    }
    if let Some(asked) = &snapshot.witnesses {
        fact("Witnesses", witnesses(asked));
        if let Some(router) = &asked.router {
            let addresses = match router.addresses.is_empty() {
                true => String::new(),
                false => format!("{}: ", router.addresses.join(", ")),
            };
            let why = wording::witness::router(router);
            fact("Default router", text(&format!("{addresses}{why}")));
        }
    }
    if snapshot.release_needs > 1 {
        let needs = format!("needs {} successes in a row", snapshot.release_needs);
        fact("Release", needs);
    }
    if snapshot.forced {
        let forced = "keeps running even if the primary answers";
        fact("Forced takeover", forced.to_owned());
    }
    if let Some(until) = snapshot.held_until {
        fact("Released until", Moment(until).to_string());
    }
    fact(
        "Kernel events",
        text(&kernel_events(&snapshot.kernel_events)),
    );
    let totals = &snapshot.totals;
    let counts = format!(
        "takeovers: {}, releases: {}",
        totals.takeovers, totals.releases
    );
    fact("Since start", counts);
    if let Some(next) = snapshot.next {
        fact("Next", Moment(next).to_string());
    }
    html.push_str("</dl>");
    html
}

/// The mode, and what stands by.
fn standby(standby: &Standby) -> String {
    let effective = &standby.effective;
    let why = wording::standby::why(&effective.why);
    let mode = wording::standby::mode(&standby.choice.into(), &effective.mode.into(), &why);
    let mut lines = vec![Html(&mode).to_string()];
    if let Some(state) = wording::standby::state(standby.state) {
        lines.push(format!("{state} since {}", Moment(standby.since)));
    }
    if let Some(parked) = &standby.parked {
        let mut facts = vec![format!("ready in {:.1} s", parked.took.as_secs_f64())];
        facts.extend(parked.memory.map(wording::standby::memory));
        facts.extend(parked.sent.map(|sent| format!("{sent} packets sent")));
        lines.push(facts.join(", "));
        if let Some(path) = &parked.outdated {
            let path = path.to_string_lossy();
            lines.push(format!("{} has changed since", Html(&path)));
        }
    }
    lines.join("<br>")
}

/// What the last drill showed, when the next is due, and how to have one now.
fn drill(standby: &Standby) -> String {
    let mut lines = Vec::new();
    match &standby.last_drill {
        _ if standby.drills => lines.push("running".to_owned()),
        Some(drill) => {
            let result = wording::standby::drill(drill.result);
            lines.push(format!("{result}, {}", Moment(drill.at)));
            let took = drill.took_ms.map(wording::standby::seconds);
            let took = took.map(|took| format!("{took} to its bind"));
            let sent = drill
                .packets_sent
                .map(|sent| format!("{sent} packets sent"));
            let memory = drill.memory_bytes.map(wording::standby::memory);
            let facts: Vec<String> = [took, sent, memory].into_iter().flatten().collect();
            if !facts.is_empty() {
                lines.push(facts.join(", "));
            }
            if let Some(line) = &drill.said
                && drill.result == DrillResult::Failed
            {
                lines.push(format!("last output: {}", Html(line)));
            }
        }
        None => lines.push("none yet".to_owned()),
    }
    if let Some(next) = standby.next_drill {
        lines.push(format!("next: {}", Moment(next)));
    }
    if standby.effective.can_park {
        lines.push("to run one: <code>sudo failover drill</code>".to_owned());
    }
    lines.join("<br>")
}

/// The newest copy, what is in place, and why there is no newer one.
fn sync(sync: &Sync, now: Timestamp) -> String {
    let known = &sync.known;
    let mut lines = vec![match (known.newest(), known.fresh) {
        (Some(newest), Some(fresh)) => format!(
            "{}, {}",
            Html(&wording::sync::generation(newest)),
            Moment(fresh)
        ),
        (newest, _) => {
            let none = || format!("no copy of {} yet", sync.from);
            Html(&newest.map_or_else(none, wording::sync::generation)).to_string()
        }
    }];
    if let Some(age) = known.age(now) {
        lines.push(format!("{} old", wording::age(age.as_secs())));
    }
    if let Some(number) = known.in_place {
        lines.push(format!("copy {number} is in place"));
    }
    if let Some(failing) = &known.failing {
        let why = wording::sync::failed(failing.step, &failing.error);
        lines.push(format!(
            "{} rounds failed since {}: {}",
            failing.count,
            Moment(failing.since),
            Html(&why)
        ));
    }
    if let Some(served) = sync.lineage.unshared() {
        let since = Moment(served.since);
        lines.push(format!("PC-A lacks what changed on PC-B since {since}"));
    }
    lines.join("<br>")
}

fn witnesses(witnesses: &Witnesses) -> String {
    let needed = witnesses.needed;
    let mut lines = vec![match &witnesses.last {
        _ if needed == 0 => "none counts".to_owned(),
        Some(last) => {
            let at = Moment(clock::wall(last.at));
            format!("{} answered, {needed} needed, {at}", last.answered)
        }
        None => {
            let names = witnesses.names.join(", ");
            format!("{needed} needed, not probed yet: {}", Html(&names))
        }
    }];
    let votes = witnesses.last.iter().flat_map(|last| &last.votes);
    lines.extend(votes.map(|vote| Html(&wording::witness::vote(vote)).to_string()));
    lines.join("<br>")
}

fn readiness(readiness: &Readiness) -> String {
    let startup = readiness.startup.map(Startup::name);
    let mut html = startup.unwrap_or("startup unknown").to_owned();
    if let Some(since) = readiness.draining_since {
        let _ = write!(html, " since {}", Moment(clock::wall(since)));
    }
    html.push_str(match readiness.ready {
        Some(true) => ", ready",
        Some(false) => ", not ready",
        None => "",
    });
    if !readiness.failing.is_empty() {
        let _ = write!(html, " (failing: {})", Html(&readiness.failing.join(", ")));
    }
    if let Some(version) = &readiness.version {
        let _ = write!(html, ", version {}", Html(version));
    }
    html
}

fn kernel_events(events: &KernelEvents) -> String {
    let reason = events.polling.as_ref().map(wording::polling);
    wording::kernel_events(
        &events.source.into(),
        reason.as_deref(),
        events.lost,
        events.disagreements,
    )
}
