//! What each state is called for people, wherever that depends on the state.

use failover_decide::{Inhibitor, State, StateKind};

/// What a state means, as a sentence.
pub(crate) const fn meaning(state: StateKind) -> &'static str {
    match state {
        StateKind::Standby => "The primary is up; this machine monitors it.",
        StateKind::Suspect => "Probes are failing, too few for a takeover.",
        StateKind::Isolated => {
            "No witness answers: this machine is cut off, so there is no takeover."
        }
        StateKind::Fencing => "The primary has failed and is being fenced.",
        StateKind::Starting => "The primary has failed; the local gateway is starting.",
        StateKind::Active => "The local gateway serves.",
        StateKind::Restarting => "The local gateway does not answer and is being restarted.",
        StateKind::Stopping => "The primary is back; the local gateway is stopping.",
        StateKind::Paused => "The primary has failed, but takeovers are paused.",
        StateKind::Released => "Released by an operator: no takeover for now.",
        StateKind::Unarmed => "The primary was never seen healthy, so there is no takeover.",
        StateKind::Blocked => {
            "Another program holds the local port, so the local gateway cannot start."
        }
    }
}

/// What an incident came to that came to this state, and no further.
pub(crate) enum Outcome {
    Takeover,
    /// Why there was none, where it was due.
    NoTakeover(Option<&'static str>),
}

pub(crate) const fn outcome(state: StateKind) -> Outcome {
    let why = match state {
        StateKind::Active => return Outcome::Takeover,
        StateKind::Starting => "the local gateway did not start",
        StateKind::Fencing => "the primary was not fenced",
        StateKind::Isolated => "no witness answered",
        StateKind::Blocked => "another program held the port",
        StateKind::Unarmed => "the primary was never seen healthy",
        StateKind::Paused => "paused",
        StateKind::Released => "released by an operator",
        StateKind::Standby | StateKind::Suspect | StateKind::Restarting | StateKind::Stopping => {
            return Outcome::NoTakeover(None);
        }
    };
    Outcome::NoTakeover(Some(why))
}

/// How far a takeover has come in this state.
pub(crate) const fn progress(state: StateKind) -> u8 {
    match state {
        StateKind::Standby | StateKind::Suspect | StateKind::Restarting | StateKind::Stopping => 0,
        StateKind::Released => 1,
        StateKind::Paused => 2,
        StateKind::Unarmed => 3,
        StateKind::Blocked => 4,
        StateKind::Isolated => 5,
        StateKind::Fencing => 6,
        StateKind::Starting => 7,
        StateKind::Active => 8,
    }
}

/// Nothing listens any more; the cause depends on the state before.
pub(crate) const fn absent(from: State) -> &'static str {
    match from {
        State::Stopping { .. } => "the local gateway is stopped",
        State::Active => "the local gateway exited by itself",
        State::Inhibited(Inhibitor::ForeignListener) => "the local port is free again",
        State::Standby
        | State::Suspect { .. }
        | State::Isolated
        | State::Fencing { .. }
        | State::Starting { .. }
        | State::Inhibited(Inhibitor::Paused | Inhibitor::Released | Inhibitor::Unarmed)
        | State::Restarting { .. } => "nothing listens on the local port any more",
    }
}

/// What a takeover that is ordered waits for, if for anything.
pub(crate) const fn waits_for(state: State) -> Option<&'static str> {
    match state {
        State::Isolated => Some(
            "not started: no witness answers; it starts when one does and the primary still fails; --force does not wait",
        ),
        State::Standby | State::Suspect { .. } => {
            Some("not started: the primary, or the witnesses, are probed first")
        }
        State::Fencing { .. } => Some("not started: the fence must succeed first"),
        State::Starting { .. }
        | State::Active
        | State::Inhibited(
            Inhibitor::Paused
            | Inhibitor::Released
            | Inhibitor::Unarmed
            | Inhibitor::ForeignListener,
        )
        | State::Restarting { .. }
        | State::Stopping { .. } => None,
    }
}
