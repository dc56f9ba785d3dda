//! What an operator asks for: answered at once or after a probe of the primary, and remembered where
//! that must be.

use std::time::Duration;

use rustix::process::geteuid;
use tokio::time::{Instant, timeout_at};

use failover_decide::{Event, Order, Refusal, Time};
use failover_linux::clock;

use crate::{
    control::{Answer, LONGEST_WAIT, Pending, Request, SyncOrder, VERSION},
    daemon::Daemon,
    observe::occurrence::{Decided, Occurrence, OrderCourse},
    state_dir::{
        Receipt,
        persisted::{Paused, ReleaseHold, operator},
    },
    status::Document,
    wording,
};

/// An answer waits this long for the order to be on disk. Decisions don't wait.
const KEPT_WITHIN: Duration = Duration::from_secs(2);
const FORGOTTEN: &str =
    "the state directory can't be written to, so a restart forgets this order until it can";
const NO_GUARD: &str = "this is PC-B's daemon; PC-A's guard has a control socket of its own, /run/failover-guard/control.sock";
const NOT_RECORDED: &str = "the order is kept, but the history or a notice of it can't be written to the state directory, and may be lost at a restart";

/// A probe that an order waits for begins within so long: never two of them within a second.
const PROBE_BEGINS_WITHIN: Duration = Duration::from_millis(1500);

/// The files that an order changes. The answer waits until all of them are on disk.
struct Keeping {
    /// What must be remembered: without it a restart forgets the order.
    state: Receipt,
    /// Whatever observers keep of it.
    records: Vec<Receipt>,
}

impl Keeping {
    /// Waits until all is on disk. What to add to the answer where it isn't.
    async fn done(self) -> Option<&'static str> {
        let deadline = Instant::now() + KEPT_WITHIN;
        let kept = async |file: Receipt| matches!(timeout_at(deadline, file).await, Ok(Ok(true)));
        if !kept(self.state).await {
            return Some(FORGOTTEN);
        }
        for record in self.records {
            if !kept(record).await {
                return Some(NOT_RECORDED);
            }
        }
        None
    }
}

/// An order that is followed.
#[derive(Default)]
pub(in crate::daemon) struct Followed {
    kept: Option<Keeping>,
    /// What is in force now, for people.
    now: Option<String>,
}

impl Followed {
    /// With this to tell, and nothing to keep.
    pub(in crate::daemon) const fn told(told: String) -> Self {
        Self {
            kept: None,
            now: Some(told),
        }
    }
}

/// One that isn't.
pub(in crate::daemon) struct Refused {
    pub(in crate::daemon) why: String,
    /// Only until it is confirmed.
    unconfirmed: bool,
}

impl Refused {
    pub(in crate::daemon) fn because(why: String) -> Self {
        Self {
            why,
            unconfirmed: false,
        }
    }
}

impl Daemon {
    /// Answers at once, or once the primary was probed where the answer depends on that.
    pub(super) fn answer(&mut self, pending: Pending) {
        if pending.request == Request::Status {
            let status = serde_json::to_string(&Document::from(&self.snapshot()));
            pending.answer(status.unwrap_or_default());
            return;
        }
        if let Request::Sync { order } = pending.request {
            self.answer_sync(pending, order);
            return;
        }
        if pending.request == Request::HandBack {
            self.answer_hand_back(pending);
            return;
        }
        if let Request::LetGo { .. } = pending.request {
            self.reply(pending, Err(Refused::because(NO_GUARD.to_owned())));
            return;
        }
        let permitted = self.permitted(&pending.request, pending.asker);
        if permitted.is_ok() {
            // The port may have changed since the last poll.
            self.look_and_decide();
        }
        match permitted {
            Ok(order) if self.must_probe_first(&pending.request, order) => {
                let by = operator(pending.asker);
                self.observe(&Occurrence::Order(order, OrderCourse::Waits { by: &by }));
                let patience = self.settings.configuration.decide.timeout + PROBE_BEGINS_WITHIN;
                let until = clock::now() + patience.min(LONGEST_WAIT);
                self.inputs.waiting.push(pending, order, until);
                self.decide([Event::ProbeWanted]);
            }
            Ok(order) => self.answer_now(pending, order),
            Err(refusal) => self.reply(pending, Err(Refused::because(refusal))),
        }
    }

    /// The primary was probed: the orders that waited for it are decided, whatever came of it.
    pub(super) fn answer_waiting(&mut self) {
        for (pending, order) in self.inputs.waiting.all() {
            self.answer_now(pending, order);
        }
    }

    /// No probe has ended in time.
    pub(super) fn answer_overdue(&mut self) {
        for (pending, order) in self.inputs.waiting.overdue(clock::now()) {
            self.answer_now(pending, order);
        }
    }

    fn answer_now(&mut self, pending: Pending, order: Order) {
        let by = operator(pending.asker);
        let followed = self.follow(&pending.request, order, &by, Some(pending.asker));
        self.reply(pending, followed);
    }

    pub(in crate::daemon) fn reply(&self, pending: Pending, followed: Result<Followed, Refused>) {
        let (refused, followed) = match followed {
            Ok(followed) => (None, followed),
            Err(refused) => (Some(refused), Followed::default()),
        };
        let waits = match pending.request {
            Request::Takeover { .. } if refused.is_none() => {
                wording::state::waits_for(self.decider.state())
            }
            _ => None,
        };
        let mut answer = Answer {
            version: VERSION,
            unconfirmed: refused.as_ref().is_some_and(|refused| refused.unconfirmed),
            refusal: refused.map(|refused| refused.why),
            note: waits.map(str::to_owned),
            now: followed.now,
            state: self.decider.state().name().to_owned(),
        };
        // In a task of its own: the disk may hang, and the daemon must not.
        tokio::spawn(async move {
            if let Some(kept) = followed.kept
                && let Some(trouble) = kept.done().await
            {
                let notes = answer.note.iter().map(String::as_str);
                let notes: Vec<&str> = notes.chain([trouble]).collect();
                answer.note = Some(notes.join("; "));
            }
            pending.answer(serde_json::to_string(&answer).unwrap_or_default());
        });
    }

    /// The order, if this account may give it and it makes sense.
    fn permitted(&self, request: &Request, asker: u32) -> Result<Order, String> {
        let now = clock::now();
        if let Request::Pause {
            seconds: Some(0), ..
        }
        | Request::Release {
            hold_seconds: Some(0),
        } = request
        {
            return Err(
                "a second is the least; without a time it lasts until `failover resume`".to_owned(),
            );
        }
        let order = match request {
            Request::Pause { seconds, .. } => Order::Pause {
                until: seconds.map(|seconds| now + Duration::from_secs(seconds)),
            },
            // These are answered before.
            Request::Status
            | Request::Sync { .. }
            | Request::HandBack
            | Request::LetGo { .. }
            | Request::Resume => Order::Resume,
            Request::Drill => Order::Drill,
            Request::Takeover { force, .. } => Order::TakeOver { force: *force },
            Request::Release { hold_seconds } => Order::Release {
                hold_until: hold_seconds.map(|seconds| now + Duration::from_secs(seconds)),
            },
        };
        self.operates(asker).map(|()| order)
    }

    /// May this account give orders?
    pub(in crate::daemon) fn operates(&self, asker: u32) -> Result<(), String> {
        match self.may_order(asker) {
            true => Ok(()),
            false => Err(format!(
                "user {asker} may read the status, but may not give orders; only root and the users of `operators` may"
            )),
        }
    }

    /// Orders about copies decide nothing about who serves.
    fn answer_sync(&mut self, pending: Pending, order: SyncOrder) {
        let by = operator(pending.asker);
        let followed = self
            .operates(pending.asker)
            .and_then(|()| self.follow_sync(order, &by).map_err(wording::sync::refused));
        let followed = followed.map(|()| Followed {
            kept: Some(Keeping {
                state: self.state_dir.write(),
                records: self.observers.receipts(),
            }),
            now: None,
        });
        self.reply(pending, followed.map_err(Refused::because));
    }

    /// What is confirmed depends on nothing.
    fn must_probe_first(&self, request: &Request, order: Order) -> bool {
        let confirmed = matches!(request, Request::Takeover { yes: true, .. });
        !confirmed && self.decider.must_probe_first(clock::now(), order)
    }

    /// Carries an order out, or says why not. `asker`: the account that has given it, where that matters.
    pub(in crate::daemon) fn follow(
        &mut self,
        request: &Request,
        order: Order,
        by: &str,
        asker: Option<u32>,
    ) -> Result<Followed, Refused> {
        let now = clock::now();
        if let Some(refusal) = self.decider.objection(now, order) {
            self.observe(&Occurrence::Order(
                order,
                OrderCourse::Refused { by, refusal },
            ));
            return Err(Refused::because(wording::order::refused(
                refusal,
                || self.inputs.port.listeners().held_by(),
                self.observers.last_seen.probe.as_ref(),
                self.observers
                    .last_seen
                    .standby
                    .as_ref()
                    .map(|effective| &effective.why),
            )));
        }
        if let Request::Takeover {
            force: true,
            yes: false,
        } = request
            && self.is_beside_another(now)
        {
            self.observe(&Occurrence::Order(order, OrderCourse::Unconfirmed { by }));
            return Err(Refused {
                why: format!(
                    "the primary, {}, serves: two gateways would serve, as the same bots, until `failover release`. \
                     If that is meant: `failover takeover --force --yes`",
                    self.settings.configuration.primary
                ),
                unconfirmed: true,
            });
        }
        let was_paused = self.decider.pause().is_some();
        let pause = self.keep_order(request, asker);
        let given = pause
            .as_ref()
            .map(|(pause, change)| (pause, change.as_str()));
        self.observe(&Occurrence::Order(
            order,
            OrderCourse::Given { by, pause: given },
        ));
        self.decide([Event::Operator(order)]);
        if !was_paused && self.decider.pause().is_some() {
            self.observe(&Occurrence::Decided(Decided::Paused));
        }
        // Only now: a resumption, say, changes what is remembered while it is carried out.
        let kept = Keeping {
            state: self.state_dir.write(),
            records: self.observers.receipts(),
        };
        Ok(Followed {
            kept: Some(kept),
            now: pause.map(|(_, change)| change),
        })
    }

    /// What has to be remembered of an order, as it was given. A pause, and what it changes.
    fn keep_order(&mut self, request: &Request, asker: Option<u32>) -> Option<(Paused, String)> {
        match request {
            Request::Pause { seconds, reason } => {
                let pause = Paused::now(*seconds, asker.unwrap_or_default(), reason.as_deref());
                let before = self.state_dir.persisted().pause.as_ref();
                let change = wording::pause::change(before, &pause);
                self.state_dir.pause(pause.clone());
                return Some((pause, change));
            }
            Request::Takeover { force, .. } => self.state_dir.take_over(*force),
            Request::Release { hold_seconds } => {
                self.state_dir
                    .release(hold_seconds.and_then(ReleaseHold::now));
            }
            // It is forgotten once the decider has.
            Request::Status
            | Request::Resume
            | Request::Drill
            | Request::HandBack
            | Request::LetGo { .. }
            | Request::Sync { .. } => {}
        }
        None
    }

    /// Would a gateway that is started now serve beside the primary's?
    fn is_beside_another(&self, now: Time) -> bool {
        let unforced = Order::TakeOver { force: false };
        matches!(
            self.decider.objection(now, unforced),
            Some(Refusal::PrimaryAnswers | Refusal::OthersAnswered)
        )
    }

    /// Root, the daemon's own account, and who is named.
    fn may_order(&self, asker: u32) -> bool {
        asker == 0
            || asker == geteuid().as_raw()
            || self.settings.configuration.operators.contains(&asker)
    }
}
