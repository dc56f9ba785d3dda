//! PC-A asks, over ssh or by its guard, before its gateway starts: the local gateway is stopped, what it served with is
//! given to PC-A, and who asked gets an answer. Until PC-A serves, nothing is taken over. It must not know how anything
//! is copied.

use std::time::Duration;

use failover_decide::{Event, GuardObservation, Order, PrimaryGateway, Refusal};
use failover_guard::ask::{Answer, How, Reason, What};
use failover_linux::clock;
use failover_sync::{outcome::Outcome, spec};

use crate::{
    control::{HAND_BACK_WITHIN, Pending, Request},
    daemon::{
        Daemon,
        handing_back::{Asker, GuardAsk, HandBack},
        orders::{Followed, Refused},
    },
    sync::{
        lineage::{Lineage, Side},
        operator::SyncRefusal,
        order::Task,
        rounds::Report,
    },
    wording,
};

/// PC-A's gateway starts, and is probed.
const STARTS_WITHIN: Duration = Duration::from_secs(180);
/// Who is named as the one who has ordered the release.
const ASKER: &str = "PC-A, whose gateway is about to start";

impl Daemon {
    /// PC-A wants its state. It is answered once it has it, or there is nothing to wait for.
    pub(in crate::daemon) fn answer_hand_back(&mut self, pending: Pending) {
        let permitted = self.may_ask_for_state(pending.asker);
        let is_on = self.inputs.rounds.are_on();
        let off = || wording::sync::refused(SyncRefusal::Off);
        if let Err(why) = permitted.and_then(|()| is_on.then_some(()).ok_or_else(off)) {
            self.reply(pending, Err(Refused::because(why)));
            return;
        }
        self.begin_hand_back(Asker::Client(pending));
    }

    fn begin_hand_back(&mut self, asker: Asker) {
        match &mut self.hand_back {
            HandBack::Stopping { askers, .. } | HandBack::Copying { askers } => {
                askers.push(asker);
            }
            HandBack::Idle | HandBack::Held { .. } => {
                self.hand_back = HandBack::Stopping {
                    askers: vec![asker],
                    is_ordered: false,
                };
                // The port may have changed since the last poll.
                self.look_and_decide();
                self.continue_hand_back();
            }
        }
    }

    /// PC-A's guard asks, in every heartbeat: begins with what is new, and tells it how far that is.
    pub(in crate::daemon) fn follow_guard_ask(&mut self) {
        let asked = self.inputs.guard.asked();
        let known = self.guard_ask.as_ref().map(|ask| ask.id);
        match asked {
            None => self.guard_ask = None,
            Some(ask) if known == Some(ask.id) => {}
            Some(ask) => {
                let ended = match ask.what {
                    What::LetGo => None,
                    What::Unknown => Some((
                        How::Refused,
                        Some(reason("PC-B doesn't know what is asked")),
                    )),
                };
                let begins = ended.is_none();
                self.guard_ask = Some(GuardAsk { id: ask.id, ended });
                if begins {
                    self.begin_hand_back(Asker::Guard(ask.id));
                }
            }
        }
        let answer = self.guard_ask.as_ref().map(|ask| {
            let (how, why) = ask.ended.clone().unwrap_or((self.progress(), None));
            Answer {
                id: ask.id,
                how,
                why,
            }
        });
        self.inputs.guard.answer(answer);
    }

    fn progress(&self) -> How {
        match &self.hand_back {
            HandBack::Stopping { .. } if self.decider.is_listening() => How::Draining,
            HandBack::Stopping { .. } | HandBack::Idle | HandBack::Held { .. } => How::Stopping,
            HandBack::Copying { .. } => How::Copying,
        }
    }

    /// The gateway's account may, which has the state anyway, and who may give orders.
    pub(in crate::daemon) fn may_ask_for_state(&self, asker: u32) -> Result<(), String> {
        match asker == self.settings.configuration.gateway.uid() {
            true => Ok(()),
            false => self.operates(asker),
        }
    }

    /// Continues, if something has changed that it waited for.
    pub(in crate::daemon) fn continue_hand_back(&mut self) {
        match &self.hand_back {
            HandBack::Stopping { is_ordered, .. } => {
                if self.is_still() {
                    self.begin_to_copy();
                } else if !is_ordered {
                    self.stop_for_hand_back();
                }
            }
            // An operator has ordered a takeover.
            HandBack::Copying { .. } if !self.is_still() => {
                self.inputs.rounds.abandon(Task::HandBack);
                self.end_hand_back(&Err(wording::sync::NOT_STILL.to_owned()));
            }
            // Nothing is copied any longer, by another configuration.
            HandBack::Copying { .. } if !self.inputs.rounds.has(Task::HandBack) => {
                self.end_hand_back(&Err(wording::sync::refused(SyncRefusal::Off)));
            }
            HandBack::Idle | HandBack::Copying { .. } => {}
            HandBack::Held { until } => {
                let is_over = *until <= clock::now()
                    || self.decider.primary_answers() == Some(true)
                    || self.is_start_given_up();
                if self.decider.hold_until().is_none() || self.decider.pause().is_some() {
                    self.hand_back = HandBack::Idle;
                } else if is_over {
                    self.hand_back = HandBack::Idle;
                    self.decide([Event::Operator(Order::Resume)]);
                }
            }
        }
    }

    /// Has the local gateway stopped, and does nothing start it?
    fn is_still(&self) -> bool {
        let release = Order::Release { hold_until: None };
        let is_released = matches!(
            self.decider.objection(clock::now(), release),
            Some(Refusal::NothingToRelease | Refusal::Paused)
        );
        is_released && !self.decider.is_listening() && !self.executor.is_busy()
    }

    /// Does PC-A's guard say that its gateway doesn't start after all, or is it lost?
    fn is_start_given_up(&self) -> bool {
        match self.decider.guard() {
            GuardObservation::Heard(PrimaryGateway::Ended | PrimaryGateway::Stopped)
            | GuardObservation::Silent => true,
            GuardObservation::Heard(
                PrimaryGateway::Unknown
                | PrimaryGateway::Serves
                | PrimaryGateway::Ends
                | PrimaryGateway::Restarting,
            )
            | GuardObservation::None
            | GuardObservation::Missing => false,
        }
    }

    /// Nothing is taken over while PC-A's gateway starts.
    fn hold_for_start(&mut self) {
        let hold_until = Some(clock::now() + STARTS_WITHIN);
        self.decide([Event::Operator(Order::Release { hold_until })]);
    }

    fn stop_for_hand_back(&mut self) {
        // What is left of a starting or parking one ends by itself.
        let hold = HAND_BACK_WITHIN + STARTS_WITHIN;
        let order = Order::Release {
            hold_until: Some(clock::now() + hold),
        };
        if self.decider.objection(clock::now(), order) == Some(Refusal::NothingToRelease) {
            return;
        }
        let request = Request::Release {
            hold_seconds: Some(hold.as_secs()),
        };
        match self.follow(&request, order, ASKER, None) {
            Ok(_) => {
                if let HandBack::Stopping { is_ordered, .. } = &mut self.hand_back {
                    *is_ordered = true;
                }
            }
            Err(refused) => self.end_hand_back(&Err(refused.why)),
        }
    }

    fn begin_to_copy(&mut self) {
        if !self.inputs.rounds.are_on() {
            self.end_hand_back(&Ok(wording::sync::NOTHING_SERVED.to_owned()));
            return;
        }
        let lineage = self.state_dir.persisted().lineage();
        let chosen = lineage.choice;
        let Some(served) = lineage.unshared().filter(|_| chosen != Some(Side::PcA)) else {
            self.end_hand_back(&Ok(wording::sync::NOTHING_SERVED.to_owned()));
            return;
        };
        let order = spec::Order::HandBack {
            epoch: served.epoch.clone(),
            since: served.since,
            chosen: chosen == Some(Side::PcB),
        };
        if !self.inputs.rounds.ask_before_all(order) {
            self.end_hand_back(&Err(wording::sync::refused(SyncRefusal::Busy)));
            return;
        }
        self.state_dir.change_lineage(Lineage::offer);
        let askers = self.hand_back.take_askers();
        self.hand_back = HandBack::Copying { askers };
    }

    /// A worker has ended that gave the state to PC-A, or could not.
    pub(in crate::daemon) fn handed_back(&mut self, report: &Report) {
        if report.task != Task::HandBack {
            return;
        }
        let told = wording::sync::ended(report.task, &report.outcome);
        if let Outcome::HandedBack { at, .. } = report.outcome {
            let newest = self
                .inputs
                .rounds
                .known()
                .newest()
                .map(|newest| newest.number);
            self.state_dir
                .change_lineage(|lineage| lineage.handed_back(at, newest));
            self.end_hand_back(&Ok(told));
        } else {
            self.end_hand_back(&Err(told));
        }
    }

    /// Tells who asked. PC-A's gateway starts now, with whatever state it has.
    fn end_hand_back(&mut self, told: &Result<String, String>) {
        let was_stopped = match &self.hand_back {
            HandBack::Stopping { is_ordered, .. } => *is_ordered,
            HandBack::Copying { .. } => true,
            HandBack::Idle | HandBack::Held { .. } => false,
        };
        for asker in self.hand_back.take_askers() {
            match asker {
                Asker::Client(pending) => {
                    let followed = match told {
                        Ok(told) => Ok(Followed::told(told.clone())),
                        Err(why) => Err(Refused::because(why.clone())),
                    };
                    self.reply(pending, followed);
                }
                Asker::Guard(id) => {
                    let is_still = self.is_still();
                    if is_still && self.decider.hold_until().is_none() {
                        self.hold_for_start();
                    }
                    // What can't be copied is no reason to wait: the gateway doesn't serve.
                    let ended = match told {
                        _ if is_still && was_stopped => (How::Done, None),
                        _ if is_still => (How::NothingToDo, None),
                        Err(why) | Ok(why) => (How::Refused, Some(reason(why))),
                    };
                    if let Some(ask) = self.guard_ask.as_mut().filter(|ask| ask.id == id) {
                        ask.ended = Some(ended);
                    }
                }
            }
        }
        self.hand_back = HandBack::Held {
            until: clock::now() + STARTS_WITHIN,
        };
    }
}

fn reason(why: &str) -> Reason {
    Reason::from(why.to_owned())
}
