//! Why the state is what it is.

use failover_decide::{
    Begun, Change, Evidence, GuardObservation, Order, Outcome, PortObservation, PrimaryGateway,
    Reason, StateKind,
};
use failover_linux::clock;

use crate::{
    observe::occurrence::{Sighting, Source},
    status::explanation::{Connections, Detail, Explanation},
    wording::{command, command::last_attempt, probe, state},
};

/// All of it: what happened, what else is known of it, the strikes, what connections showed.
pub(crate) fn explanation(explanation: &Explanation) -> String {
    let strikes = &explanation.change.strikes;
    let mut text = short(explanation);
    if !strikes.is_empty() {
        text = format!("{text}; {}", probe::strikes(strikes));
    }
    match connections(&explanation.connections) {
        Some(connections) => format!("{text}; connections to the primary: {connections}"),
        None => text,
    }
}

/// Without the strikes.
pub(crate) fn short(explanation: &Explanation) -> String {
    let detail = match &explanation.detail {
        Some(Detail::LastAttempt(failure)) => last_attempt(failure),
        Some(Detail::HeldBy(held_by)) => format!(": {held_by}"),
        None => String::new(),
    };
    format!("{}{detail}", change(&explanation.change))
}

fn connections(connections: &Connections) -> Option<String> {
    let events = connections.events.iter().map(|(at, what)| {
        let at = clock::wall(*at).strftime("%H:%M:%S%.3f");
        format!("{at} {what}")
    });
    let forgotten = connections.forgotten;
    let forgotten = (forgotten > 0).then(|| format!("{forgotten} earlier"));
    let all: Vec<String> = forgotten.into_iter().chain(events).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Why the state changed: what happened, in the light of what was so before.
pub(crate) fn change(change: &Change) -> String {
    match &change.reason {
        Reason::Time => time(change),
        Reason::Port(PortObservation::Absent) => state::absent(change.from).to_owned(),
        other => reason(other),
    }
}

/// Which timer expired.
fn time(change: &Change) -> String {
    let (from, to) = (change.from, change.to);
    let is_attempt = from.kind() == to.kind();
    match (
        from.kind(),
        to.kind(),
        from.attempt().filter(|_| is_attempt),
    ) {
        (StateKind::Suspect, StateKind::Standby | StateKind::Suspect, _) => {
            "the failed probes are too old to count".to_owned()
        }
        (StateKind::Paused, ..) => "the pause expired".to_owned(),
        (StateKind::Released, ..) => "the release expired".to_owned(),
        (_, StateKind::Isolated, _) => "the witnesses did not answer in time".to_owned(),
        (_, _, Some(attempt)) => format!("attempt {attempt} failed; retrying"),
        (_, _, None) => "timer expired".to_owned(),
    }
}

/// What happened.
pub(crate) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Time => "timer expired",
        Reason::Probe(outcome) => return format!("probe {}", probe::outcome(outcome)),
        Reason::Vetoed(outcome) => {
            return format!(
                "probe {}, but other clients' connections to the primary work",
                probe::outcome(outcome)
            );
        }
        Reason::Evidence(what) => evidence(*what),
        Reason::Guard(seen) => guard(*seen),
        Reason::Port(PortObservation::Listening) => "the local gateway listens",
        Reason::Port(PortObservation::Absent) => "nothing listens on the local port any more",
        Reason::Port(PortObservation::Terminating) => {
            "nothing listens on the local port, but processes of the gateway still run"
        }
        Reason::Port(PortObservation::Foreign) => "another program listens on the local port",
        Reason::GatewayProbed(outcome) => return gateway_probed(outcome),
        Reason::Ordered(what) => order(*what),
        Reason::CommandEnded { command, result } => {
            return command::ended(*command, result);
        }
        Reason::NeverListened => "the start command ended, but nothing listened in time",
        Reason::NeverAnswered => "the local gateway listens, but did not answer in time",
        Reason::Begun(what) => begun(*what),
        Reason::Absence => {
            "the machine or the daemon was suspended or stalled; strikes start again"
        }
        Reason::Reconfigured => "configuration reloaded",
        Reason::Witnesses { answered: 0 } => "no witness answers",
        Reason::Witnesses { answered: 1 } => "one witness answers",
        Reason::Witnesses { answered } => return format!("{answered} witnesses answer"),
        Reason::Counting(0) => "the default router abstains",
        Reason::Counting(1) => "one witness counts",
        Reason::Counting(counting) => return format!("{counting} witnesses count"),
    }
    .to_owned()
}

/// What became of what the start command began.
pub(crate) const fn begun(begun: Begun) -> &'static str {
    match begun {
        Begun::Alive => "the started gateway is coming up",
        Begun::Gone => "the started gateway has exited, and nothing listens",
        Begun::Unknown => "the started gateway cannot be observed",
    }
}

/// How the local gateway's check ended.
pub(crate) fn gateway_probed(outcome: &Outcome) -> String {
    format!("check of the local gateway: {}", probe::outcome(outcome))
}

/// What the guard on the primary's host says.
pub(crate) const fn guard(seen: GuardObservation) -> &'static str {
    match seen {
        GuardObservation::None => "there is no guard on PC-A",
        GuardObservation::Heard(gateway) => match gateway {
            PrimaryGateway::Unknown => "PC-A's guard is heard",
            PrimaryGateway::Serves => "PC-A's guard reports that its gateway serves",
            PrimaryGateway::Ends => "PC-A's guard announces that its gateway will stop",
            PrimaryGateway::Restarting => {
                "PC-A's guard reports that its gateway is being restarted"
            }
            PrimaryGateway::Ended => "PC-A's guard reports that its gateway has exited",
            PrimaryGateway::Stopped => "PC-A's guard reports that its gateway was stopped",
        },
        GuardObservation::Missing => "heartbeats of PC-A's guard are missing",
        GuardObservation::Silent => "PC-A's guard is silent",
    }
}

/// What an operator ordered.
pub(crate) const fn order(order: Order) -> &'static str {
    match order {
        Order::Pause { .. } => "an operator ordered a pause",
        Order::Resume => "an operator ended the pause",
        Order::TakeOver { force: false } => "an operator ordered a takeover",
        Order::TakeOver { force: true } => "an operator forced a takeover",
        Order::Drill => "a drill was ordered",
        Order::Release { .. } => "an operator ordered a release",
    }
}

/// What happened on a connection to the primary.
pub(crate) const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Refused => "connection refused",
        Evidence::Reset => "connection reset",
        Evidence::TimedOut => "connection timed out",
        Evidence::Closed => "connection closed by the primary",
        Evidence::Established => "connection established",
        Evidence::Acknowledged => "data acknowledged",
    }
}

/// The same, with its source.
pub(crate) fn sighting(sighting: &Sighting) -> String {
    let evidence = evidence(sighting.evidence);
    match &sighting.source {
        Source::Kernel(origin) | Source::Own(origin) => format!("{evidence} ({})", origin.who()),
        Source::Tripwire => format!("tripwire: {evidence}"),
        Source::Acknowledged(_) => evidence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use failover_decide::{Failure, Inhibitor, State, Time};

    use super::*;

    fn why(from: State, to: State, reason: Reason) -> String {
        change(&Change {
            from,
            to,
            reason,
            strikes: Vec::new(),
        })
    }

    #[test]
    fn a_timer_that_expired_is_named() {
        let starting = |attempt| State::Starting { attempt };
        let suspect = |strikes| State::Suspect { strikes };
        for (from, to, part) in [
            (suspect(1), State::Standby, "too old"),
            (suspect(2), suspect(1), "too old"),
            (State::Inhibited(Inhibitor::Paused), starting(1), "pause"),
            (
                State::Inhibited(Inhibitor::Released),
                starting(1),
                "release expired",
            ),
            (suspect(3), State::Isolated, "witnesses did not answer"),
            (starting(3), starting(4), "attempt 3 failed"),
        ] {
            let why = why(from, to, Reason::Time);
            assert!(why.contains(part), "{from:?} -> {to:?}: {why}");
        }
    }

    #[test]
    fn a_gateway_that_was_stopped_differs_from_one_that_exited_by_itself() {
        let gone = |from, to| why(from, to, Reason::Port(PortObservation::Absent));
        let stopping = State::Stopping { attempt: 1 };
        assert_eq!(
            gone(stopping, State::Standby),
            "the local gateway is stopped"
        );
        let starting = State::Starting { attempt: 2 };
        assert!(gone(State::Active, starting).contains("by itself"));
        let blocked = State::Inhibited(Inhibitor::ForeignListener);
        assert!(gone(blocked, starting).contains("free again"));
    }

    #[test]
    fn an_errno_is_shown_by_its_name() {
        let outcome = Outcome::Failed {
            failure: Failure::Unreachable {
                errno: libc::EHOSTUNREACH,
            },
            took: Duration::from_millis(1),
        };
        let suspect = State::Suspect { strikes: 1 };
        let why = why(State::Standby, suspect, Reason::Probe(outcome));
        assert!(
            why.contains("EHOSTUNREACH") && !why.contains("113"),
            "{why}"
        );
    }

    #[test]
    fn what_is_forgotten_of_connections_is_counted() {
        let events = vec![(Time::default(), "connection reset".to_owned())];
        let text = connections(&Connections {
            events,
            forgotten: 7,
        });
        let text = text.unwrap();
        assert!(text.starts_with("7 earlier, "), "{text}");
        assert!(text.ends_with(" connection reset"), "{text}");
        assert_eq!(connections(&Connections::default()), None);
    }
}
