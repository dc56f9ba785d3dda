//! What the page shows, and what it must not do.

use std::{sync::Arc, time::Duration};

use failover_decide::{Change, Outcome, Reason, StandbyMode, StandbyState, State, Time};
use failover_linux::process::ProcessKey;
use failover_sync::outcome::{FailedStep, Outcome as Said};

use super::*;
use crate::{
    config::StandbyChoice,
    gateway::parking::situation::Parked,
    kernel_events::Polling,
    standby::{
        drill::{self, Drill, DrillResult},
        mode::{Effective, Why},
    },
    status::{
        explanation::{Connections, Detail, Explanation},
        problem::Problem,
        snapshot::{Pause, Sync, Witnesses, sample},
        warning::Warning,
    },
    sync::{
        known::{self, Known},
        order::Task,
    },
    web::{
        metrics::Probes,
        timeline::{Kind, Note, Timeline},
        view::View,
    },
    witness::{
        quorum::QuorumResult,
        router::{RouterStanding, RouterStatus},
        vote::{Silence, Vote},
    },
};

const HOSTILE: &str = "<script>alert(1)</script>\" onload='x' &amp; \u{1b}[31m";

fn view() -> View {
    View {
        now: Time::from_boot(Duration::from_secs(100)),
        snapshot: sample(),
        timeline: Timeline::default(),
        probes: Probes::default(),
    }
}

#[test]
fn hostile_text_stays_text_wherever_it_comes_from() {
    let mut view = view();
    let snapshot = &mut view.snapshot;
    let text = || HOSTILE.to_owned();
    snapshot.host = text();
    snapshot.primary.address = text();
    snapshot.gateway.holder = Holder::Gateway(text());
    snapshot.kernel_events.polling = Some(Polling::Failed(text()));
    snapshot.explanation = Some(Explanation {
        change: Change {
            from: State::Standby,
            to: State::Active,
            reason: Reason::Probe(Outcome::unknown(text())),
            strikes: Vec::new(),
        },
        detail: Some(Detail::HeldBy(text())),
        connections: Connections {
            events: vec![(Time::default(), text())],
            forgotten: 0,
        },
    });
    snapshot.witnesses = Some(Witnesses {
        needed: 1,
        names: vec![text()],
        last: Some(QuorumResult {
            at: Time::default(),
            answered: 0,
            needed: 1,
            votes: vec![Vote {
                witness: text(),
                said: Err(Silence::NotAsked(text())),
                took: Duration::ZERO,
            }],
            router_is_silent: false,
        }),
        router: Some(RouterStatus {
            addresses: vec![text()],
            counts: false,
            standing: RouterStanding::Mute(Silence::NotAsked(text())),
            is_silent: false,
        }),
    });
    snapshot.standby.effective.why = Why::NotParkable(text());
    snapshot.standby.parked = Some(Parked {
        outdated: Some(text().into()),
        ..parked()
    });
    snapshot.standby.last_drill = Some(Drill {
        said: Some(text()),
        ..drill::sample(DrillResult::Failed)
    });
    snapshot
        .problems
        .push(Problem::ForeignListener { held_by: text() });
    snapshot
        .warnings
        .push(Warning::ListenerBeside { held_by: text() });
    snapshot.recent.push(Note {
        first: Time::default(),
        last: Time::default(),
        count: 2,
        kind: Kind::Kernel,
        text: text(),
    });
    let Page { html, .. } = render(&view);
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    assert!(!html.contains("onload='x'"), "{html}");
    assert!(!html.contains('\u{1b}'), "{html}");
    // A line break would end the event.
    assert!(!parts(&view).contains('\n'));
}

#[test]
fn two_gateways_and_a_pause_are_in_the_headline_and_the_colour_is_that_of_the_protection() {
    let mut view = view();
    view.snapshot.state = State::Active;
    view.snapshot.gateway.holder = Holder::Gateway("node".to_owned());
    view.snapshot.protection = Protection::Degraded;
    let html = render(&view).html;
    let verdict = "<p class=\"verdict degraded\">degraded: PC-B serves without a standby</p>";
    assert!(html.contains(verdict), "{html}");
    assert!(html.contains("<title>(degraded) active"), "{html}");
    assert!(!html.contains("verdict mark"), "{html}");
    view.snapshot.dual_active_since = Some(view.snapshot.now);
    view.snapshot.protection = Protection::Unsafe;
    view.snapshot.paused = Some(Pause {
        since: view.snapshot.now,
        until: None,
        reason: Some(HOSTILE.to_owned()),
    });
    let html = render(&view).html;
    for part in [
        "<p class=\"verdict unsafe\">NOT SAFE</p>",
        "<p class=\"verdict mark\">TWO GATEWAYS SERVE</p>",
        "<p class=\"verdict mark\">PAUSED until `failover resume`</p>",
        "<title>! active",
        "both serve",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

fn parked() -> Parked {
    Parked {
        since: Time::default(),
        took: Duration::from_millis(9200),
        process: ProcessKey { pid: 7, started: 1 },
        sent: Some(0),
        memory: Some(612_000_000),
        outdated: None,
    }
}

#[test]
fn a_parked_gateway_and_the_last_drill_have_their_rows_and_what_to_type() {
    let mut view = view();
    let now = view.snapshot.now;
    let standby = &mut view.snapshot.standby;
    standby.choice = StandbyChoice::Hot;
    standby.effective = Effective {
        mode: StandbyMode::Hot,
        can_park: true,
        why: Why::Configured,
    };
    standby.state = StandbyState::Parked;
    standby.since = now;
    standby.parked = Some(parked());
    standby.last_drill = Some(drill::sample(DrillResult::Passed));
    standby.next_drill = Some(now);
    let html = render(&view).html;
    for part in [
        "<dt>Standby</dt><dd>hot<br>parked since <time",
        "<br>ready in 9.2 s, 612 MB, 0 packets sent</dd>",
        "<dt>Drill</dt><dd>passed, <time",
        "<br>9.2 s to its bind, 0 packets sent, 612 MB<br>next: <time",
        "<br>to run one: <code>sudo failover drill</code></dd>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    view.snapshot.standby = sample().standby;
    let html = render(&view).html;
    assert!(
        html.contains("<dd>cold (auto: not checked yet)</dd>"),
        "{html}"
    );
    // Where none can be run, nobody is asked to.
    assert!(html.contains("<dt>Drill</dt><dd>none yet</dd>"), "{html}");
}

#[test]
fn the_copies_have_a_row_with_their_age_and_why_there_is_no_newer_one() {
    let mut view = view();
    let now = view.snapshot.now;
    let mut known = Known::default();
    for outcome in [
        Said::Copied {
            manifest: known::generation(7, "a"),
            bytes: 1,
        },
        Said::Failed {
            step: FailedStep::Reach,
            error: "<no route>".to_owned(),
        },
    ] {
        known.ended(Task::Round, &outcome, Duration::ZERO, now);
    }
    view.snapshot.sync = Some(Sync {
        from: "alice@pc-a".to_owned(),
        every: Duration::from_secs(30),
        max_age: Duration::from_secs(600),
        known,
        runs: None,
        lineage: Arc::default(),
        is_split: false,
    });
    let html = render(&view).html;
    for part in [
        "<dt>Copy of PC-A</dt><dd>copy 7 (21 MB, 12 files), <time",
        "<br>0 s old<br>1 rounds failed since <time",
        "PC-A is not reached: &lt;no route&gt;",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

#[test]
fn nothing_runs_or_is_styled_but_what_bears_the_pages_own_number() {
    let (one, other) = (render(&view()), render(&view()));
    assert_ne!(one.policy, other.policy);
    let nonce = one.policy.split("'nonce-").nth(1).unwrap();
    let nonce = nonce.split('\'').next().unwrap();
    assert_eq!(nonce.len(), 32);
    assert_eq!(one.html.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    for forbidden in [" style=", " onclick=", "http://", "https://", "//cdn"] {
        assert!(!one.html.contains(forbidden), "{forbidden}");
    }
}
