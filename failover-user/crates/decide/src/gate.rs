//! The gates that a step has to pass each time before it is taken. A new gate is a new entry in the list.

use std::fmt;

use crate::{
    known::situation::{PortState, Primary, Situation},
    output::state::Inhibitor,
    settings::Demand,
    step::Step,
    time::Time,
};

/// A condition that a step has to meet before it is taken.
pub(crate) trait Gate: fmt::Debug + Sync {
    /// Does the gate apply to this step? By default it applies to the steps of a takeover.
    fn concerns(&self, situation: &Situation, step: Step) -> bool {
        situation.steps.is_of_takeover(step)
    }

    /// Does this step pass it now?
    fn check(&self, situation: &Situation, step: Step) -> Passage;
}

/// The answer of a gate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Passage {
    /// The step may be taken.
    Open,
    /// Not as long as this inhibits it, which people see as the state.
    Inhibited(Inhibitor),
    /// Another step must be taken first.
    After(Step),
    /// Not yet.
    Waits(Wait),
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wait {
    /// Until when, unless something happens before; `None`: unknown.
    pub(crate) until: Option<Time>,
    /// What must be queried; `None`: the gate opens by itself.
    pub(crate) question: Option<Question>,
    /// What people see meanwhile.
    pub(crate) shown: Shown,
}

/// What must be queried before a gate can open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Question {
    /// The witnesses, unless a round is in flight.
    Witnesses,
    /// The primary, once more.
    Primary,
}

/// What people see while a step waits at a gate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// That the primary is suspect.
    Suspect,
    /// That PC-B has no network.
    Isolated,
    /// The step, as if it were in progress: the gate was open before.
    Step,
}

/// The gates, in the order in which they are checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gates(pub(crate) &'static [&'static dyn Gate]);

impl Gates {
    /// The gates of the product.
    pub(crate) const STANDARD: Self = Self(&[
        &Pause,
        &Hold,
        &Arming,
        &ForeignListener,
        &Restart,
        &EarlierSteps,
        &Witnesses,
    ]);

    /// The answer for a step: that of the first gate that isn't open.
    pub(crate) fn check(self, situation: &Situation, step: Step) -> Passage {
        let mut passages = self.passages(situation, step);
        let closed = passages.find(|passage| *passage != Passage::Open);
        closed.unwrap_or(Passage::Open)
    }

    /// What inhibits a step, whatever else it waits for.
    pub(crate) fn inhibitor(self, situation: &Situation, step: Step) -> Option<Inhibitor> {
        let mut passages = self.passages(situation, step);
        passages.find_map(|passage| match passage {
            Passage::Inhibited(inhibitor) => Some(inhibitor),
            Passage::Open | Passage::After(_) | Passage::Waits(_) => None,
        })
    }

    fn passages(self, situation: &Situation, step: Step) -> impl Iterator<Item = Passage> {
        let gates = self.0.iter();
        let concerned = gates.filter(move |gate| gate.concerns(situation, step));
        concerned.map(move |gate| gate.check(situation, step))
    }
}

/// An operator's pause. During it nothing is run, neither a start nor a stop.
#[derive(Debug)]
struct Pause;

impl Gate for Pause {
    fn concerns(&self, _: &Situation, step: Step) -> bool {
        // A parked gateway serves nobody, and may be in the way of the operator's work.
        step != Step::DISCARD
    }

    fn check(&self, situation: &Situation, _: Step) -> Passage {
        match situation.orders.pause() {
            Some(_) => Passage::Inhibited(Inhibitor::Paused),
            None => Passage::Open,
        }
    }
}

/// An ordered release with a hold.
#[derive(Debug)]
struct Hold;

impl Gate for Hold {
    fn check(&self, situation: &Situation, _: Step) -> Passage {
        match situation.orders.hold_until() {
            Some(_) => Passage::Inhibited(Inhibitor::Released),
            None => Passage::Open,
        }
    }
}

/// A primary that was never seen healthy may have another address.
#[derive(Debug)]
struct Arming;

impl Gate for Arming {
    fn check(&self, situation: &Situation, _: Step) -> Passage {
        if situation.armed || situation.orders.forces() {
            Passage::Open
        } else {
            Passage::Inhibited(Inhibitor::Unarmed)
        }
    }
}

/// A local port that another program holds.
#[derive(Debug)]
struct ForeignListener;

impl Gate for ForeignListener {
    fn check(&self, situation: &Situation, _: Step) -> Passage {
        if situation.port == Some(PortState::Foreign) {
            Passage::Inhibited(Inhibitor::ForeignListener)
        } else {
            Passage::Open
        }
    }
}

/// A primary whose own service manager is restarting it. A takeover that is ordered doesn't wait for it.
#[derive(Debug)]
struct Restart;

impl Gate for Restart {
    fn check(&self, situation: &Situation, _: Step) -> Passage {
        match situation.restarts_until() {
            Some(until) if !situation.orders.takes_over() => Passage::Waits(Wait {
                until: Some(until),
                question: None,
                shown: Shown::Suspect,
            }),
            Some(_) | None => Passage::Open,
        }
    }
}

/// The fence, and any other step that has to succeed before in this outage.
#[derive(Debug)]
struct EarlierSteps;

impl Gate for EarlierSteps {
    fn check(&self, situation: &Situation, step: Step) -> Passage {
        let mut before = situation.steps.before(step);
        let missing = before.find(|one| {
            let is_asked_for = (one.demand)(&situation.settings) != Demand::None;
            is_asked_for && !situation.is_done(one.step)
        });
        missing.map_or(Passage::Open, |missing| Passage::After(missing.step))
    }
}

/// Enough witnesses have answered within an interval, so PC-B's own network works. A missing path to the primary
/// must still be missing after their answer.
#[derive(Debug)]
struct Witnesses;

impl Gate for Witnesses {
    fn check(&self, situation: &Situation, _: Step) -> Passage {
        let isolation = &situation.isolation;
        let is_fresh = isolation.ruled_out(situation.now);
        let awaits_probe = awaits_probe(situation);
        if situation.orders.forces() || (is_fresh && !awaits_probe) {
            return Passage::Open;
        }
        Passage::Waits(Wait {
            until: if awaits_probe {
                isolation.counts_until()
            } else {
                isolation.waits_until()
            },
            question: Some(if is_fresh {
                Question::Primary
            } else {
                Question::Witnesses
            }),
            shown: if isolation.is_isolated() {
                Shown::Isolated
            } else if awaits_probe || !isolation.was_ruled_out() {
                Shown::Suspect
            } else {
                Shown::Step
            },
        })
    }
}

/// Strikes for a missing path count once a witness has answered and the path was still missing after
/// that: if it came back in between, the answer says nothing about the time before.
fn awaits_probe(situation: &Situation) -> bool {
    let answered = situation.isolation.connected_at();
    matches!(&situation.primary, Primary::Failing(strikes) if strikes.need_witness())
        && answered.is_some_and(|answered| {
            situation
                .pathless
                .is_none_or(|pathless| pathless < answered)
        })
}
