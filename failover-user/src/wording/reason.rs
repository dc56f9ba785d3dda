//! Why the state is what it is.

use failover_decide::{
    Begun, Change, Evidence, Inhibitor, Order, Outcome, PortObservation, Reason, State,
};
use failover_linux::clock;

use crate::{
    observe::occurrence::{Sighting, Source},
    status::explanation::{Connections, Detail, Explanation},
    wording::{command, command::last_attempt, probe},
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
        Reason::Port(PortObservation::Absent) => absent(change.from).to_owned(),
        other => reason(other),
    }
}

/// What was waited for, where nothing happened but that its time came.
fn time(change: &Change) -> String {
    const DUE: &str = "its time has come";
    let waited = match (change.from, change.to) {
        (State::Suspect { .. }, State::Standby | State::Suspect { .. }) => {
            "failed probes are too long ago to count any longer"
        }
        (State::Inhibited(Inhibitor::Paused), _) => "the pause has had its time",
        (State::Inhibited(Inhibitor::Released), _) => "the time is over for which it was released",
        (_, State::Isolated) => "the witnesses didn't answer in time",
        (from, to) if from.kind() == to.kind() => match from.attempt() {
            Some(attempt) => {
                return format!("attempt {attempt} failed, and the pause after it is over");
            }
            None => DUE,
        },
        (
            State::Standby
            | State::Suspect { .. }
            | State::Isolated
            | State::Fencing { .. }
            | State::Starting { .. }
            | State::Active
            | State::Inhibited(Inhibitor::Unarmed | Inhibitor::ForeignListener)
            | State::Restarting { .. }
            | State::Stopping { .. },
            _,
        ) => DUE,
    };
    waited.to_owned()
}

/// Nobody listens any longer; why depends on what was so before.
const fn absent(from: State) -> &'static str {
    match from {
        State::Stopping { .. } => "the local gateway is stopped",
        State::Active => "the local gateway has gone by itself",
        State::Inhibited(Inhibitor::ForeignListener) => "the local port is free again",
        State::Standby
        | State::Suspect { .. }
        | State::Isolated
        | State::Fencing { .. }
        | State::Starting { .. }
        | State::Inhibited(Inhibitor::Paused | Inhibitor::Released | Inhibitor::Unarmed)
        | State::Restarting { .. } => "nobody listens on the local port any longer",
    }
}

/// What happened.
pub(crate) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Time => "time went by",
        Reason::Probe(outcome) => return format!("probe {}", probe::outcome(outcome)),
        Reason::Vetoed(outcome) => {
            return format!(
                "probe {}, but others' connections to the primary live",
                probe::outcome(outcome)
            );
        }
        Reason::Evidence(what) => evidence(*what),
        Reason::Port(PortObservation::Listening) => "the local gateway listens",
        Reason::Port(PortObservation::Absent) => "nobody listens on the local port any longer",
        Reason::Port(PortObservation::Terminating) => {
            "nobody listens on the local port; the gateway's processes are still there"
        }
        Reason::Port(PortObservation::Foreign) => {
            "something that isn't the gateway listens on the local port"
        }
        Reason::GatewayProbed(outcome) => return gateway_probed(outcome),
        Reason::Ordered(what) => order(*what),
        Reason::CommandEnded { command, result } => {
            return command::ended(*command, result);
        }
        Reason::NeverListened => "the start command ended, and nothing listened in time",
        Reason::NeverAnswered => {
            "the local gateway listens, and hasn't answered as it should in time"
        }
        Reason::Begun(what) => begun(*what),
        Reason::Absence => {
            "this machine or daemon was suspended, stopped or stalled; strikes start again"
        }
        Reason::Reconfigured => "another configuration is in force",
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
        Begun::Alive => "what the start command began is coming up",
        Begun::Gone => "what the start command began is gone, and nothing listens",
        Begun::Unknown => "what the start command began can't be seen",
    }
}

/// How the local gateway's check ended.
pub(crate) fn gateway_probed(outcome: &Outcome) -> String {
    format!("the local gateway's check {}", probe::outcome(outcome))
}

/// What an operator ordered.
pub(crate) const fn order(order: Order) -> &'static str {
    match order {
        Order::Pause { .. } => "an operator ordered a pause",
        Order::Resume => "an operator ended the pause",
        Order::TakeOver { force: false } => "an operator ordered a takeover",
        Order::TakeOver { force: true } => "an operator forced a takeover",
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

/// The same, with how that is known.
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

    use failover_decide::{Failure, Time};

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
    fn where_only_time_went_by_it_says_what_was_waited_for() {
        let starting = |attempt| State::Starting { attempt };
        let suspect = |strikes| State::Suspect { strikes };
        for (from, to, part) in [
            (suspect(1), State::Standby, "too long ago"),
            (suspect(2), suspect(1), "too long ago"),
            (State::Inhibited(Inhibitor::Paused), starting(1), "pause"),
            (
                State::Inhibited(Inhibitor::Released),
                starting(1),
                "released",
            ),
            (suspect(3), State::Isolated, "witnesses didn't answer"),
            (starting(3), starting(4), "attempt 3 failed"),
        ] {
            let why = why(from, to, Reason::Time);
            assert!(why.contains(part), "{from:?} -> {to:?}: {why}");
        }
    }

    #[test]
    fn a_gateway_that_was_stopped_is_told_from_one_that_went_by_itself() {
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
        let told = connections(&Connections {
            events,
            forgotten: 7,
        });
        let told = told.unwrap();
        assert!(told.starts_with("7 earlier, "), "{told}");
        assert!(told.ends_with(" connection reset"), "{told}");
        assert_eq!(connections(&Connections::default()), None);
    }
}
