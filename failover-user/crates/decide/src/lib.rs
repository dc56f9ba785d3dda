//! The deciding core: what was seen and when goes in, what to do comes out.
//!
//! No clock, no I/O, no async: the daemon, the tests and a simulator drive the very same code, with
//! [`Decider::handle`] and [`Decider::next_wake`]. It must not know of sockets, processes, eBPF or
//! log formats.
//!
//! Every rule is a function of what was observed last. Nothing is remembered that could be looked
//! at again, so a daemon that was killed and restarted decides like one that never stopped. What can't
//! be is handed out as data and in again: [`Decider::flaps`], [`RouterWatch::proven`].

#![forbid(unsafe_code)]

mod absorb;
mod action;
mod backoff;
mod command;
mod derive;
mod event;
mod isolation;
mod local;
mod operator;
mod reconfigure;
mod router;
mod schedule;
mod settings;
mod stability;
mod starting;
mod state;
mod strikes;
mod time;

#[cfg(test)]
mod tests;

pub use action::{Action, Command};
pub use event::{
    Begun, Certificate, CommandResult, Event, Evidence, Failure, Gateway, GatewayProbeId, Gone,
    NoAnswer, Outcome, ProbeId, RoundId, WrongAnswer,
};
pub use operator::{Order, Pause, Refusal, Standing};
pub use reconfigure::Probing;
pub use router::RouterWatch;
pub use schedule::Cause;
pub use settings::{Fence, Flapping, Settings};
pub use stability::{Back, Flaps};
pub use state::{Change, Hold, Reason, State};
pub use strikes::Strike;
pub use time::Time;

use std::time::Duration;

use backoff::Backoff;
use isolation::Isolation;
use local::LocalWatch;
use operator::Orders;
use schedule::Schedule;
use stability::Stability;
use strikes::Strikes;

/// A timer this late was not late: whoever waited for it was away. Far more than a loaded machine
/// needs, and shorter than any outage.
const ABSENCE: Duration = Duration::from_secs(2);

/// The state machine. See the module.
#[derive(Clone, Debug)]
pub struct Decider {
    settings: Settings,
    primary: Primary,
    /// `None` until somebody has looked: before that, nothing is run.
    gateway: Option<Seen>,
    attempt: Attempt,
    /// A start failed or was cut short, so nobody knows what it left behind: a stop is due although
    /// nothing listens (yet).
    stop_owed: bool,
    /// What the last look at what a start command began has found; `None`: nobody has looked since it
    /// was run, or since something changed.
    begun: Option<Begun>,
    /// Starts in a row that had all their time and came to nothing, though something of them lived.
    overdue: u32,
    /// When a stop was begun that the gateway still listens after.
    outlived_stop: Option<Time>,
    local: LocalWatch,
    orders: Orders,
    /// The primary was seen healthy, once and under this configuration: its address is no mistake.
    armed: bool,
    /// What a pause kept from being run, as it was told last.
    withheld: Option<Command>,
    starts: Backoff,
    stops: Backoff,
    fences: Backoff,
    /// The primary was made sure of since it answered last.
    fenced: bool,
    isolation: Isolation,
    stability: Stability,
    /// The primary said with its last answer that it drains.
    primary_drains: bool,
    /// When somebody's connection last showed the primary alive.
    seen_alive: Option<Time>,
    /// Strikes in a row that this has prevented.
    vetoes: u32,
    /// When the last probe began that found no path to the primary; see [`Self::awaits_probe`].
    pathless: Option<Time>,
    schedule: Schedule,
    state: State,
    since: Time,
}

/// What the probes say of the primary.
#[derive(Clone, Debug)]
enum Primary {
    /// No probe has said anything yet, or what they said is too old.
    Unproven,
    /// The last probe that said anything was answered, at this time.
    Healthy {
        at: Time,
        /// So many in a row, a recovery interval apart, or a flap interval.
        successes: u32,
        /// When the last of these was due.
        counted: Time,
        /// Since when it answers.
        since: Time,
    },
    /// The last one that said anything failed; where none of them counts, in isolation or before a
    /// release by hand.
    Failing(Strikes),
}

/// The local gateway as it was seen last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Absent,
    /// Nobody listens, and those who did are still there.
    Ending,
    Listening {
        since: Time,
    },
    /// Somebody listens who isn't the gateway.
    Foreign,
}

/// The command slot: there is one, so two commands can't be in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Attempt {
    Idle,
    Running {
        command: Command,
        since: Time,
        killed: bool,
        came_up: bool,
        /// A listener came up, and was lost again.
        vanished: bool,
        /// What was seen until it was begun counts for nothing by now: a fence hasn't made sure of
        /// anything.
        outdated: bool,
    },
    /// A start command that has ended, and nothing listens yet.
    Settling {
        since: Time,
        ended: Time,
        /// It said that it failed.
        failed: bool,
        /// Since when nothing of what it began is left.
        gone: Option<Time>,
    },
}

impl Decider {
    /// A decider that has seen nothing. Its first probe is due at once.
    #[must_use]
    pub fn new(settings: Settings, now: Time) -> Self {
        Self::after(Flaps::default(), Standing::default(), settings, now)
    }

    /// The same after another one, which saw the primary flap like this and was given these orders.
    #[must_use]
    pub fn after(flaps: Flaps, standing: Standing, settings: Settings, now: Time) -> Self {
        let backoff = Backoff::new(settings.recovery_interval, settings.interval, now);
        Self {
            primary: Primary::Unproven,
            gateway: None,
            attempt: Attempt::Idle,
            stop_owed: false,
            begun: None,
            overdue: 0,
            outlived_stop: None,
            local: LocalWatch::new(&settings),
            orders: Orders::of(standing),
            armed: !settings.needs_arming,
            withheld: None,
            starts: backoff.clone(),
            stops: backoff.clone(),
            fences: backoff,
            fenced: false,
            isolation: Isolation::new(&settings),
            stability: Stability::new(&settings, flaps, now),
            primary_drains: false,
            seen_alive: None,
            vetoes: 0,
            pathless: None,
            schedule: Schedule::new(now),
            state: State::Standby,
            since: now,
            settings,
        }
    }

    /// Takes in one event and returns what is to be done, in order.
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        let absent = event == Event::Suspended || self.was_absent(now);
        if absent {
            self.begin_anew(now);
        }
        self.orders.expire(now);
        self.stability.forget_old(now);
        let mut reason = self.absorb(now, event);
        if absent {
            reason = Reason::Absence;
        }
        self.settle(now, reason, &mut actions);
        actions
    }

    /// Whatever follows from what is seen now.
    fn settle(&mut self, now: Time, reason: Reason, actions: &mut Vec<Action>) {
        let mut commands = Vec::new();
        let never_answered = self.local.has_had_its_time(now);
        if never_answered {
            self.overdue = self.overdue.saturating_add(1);
        }
        let reason = match (reason, self.give_up_start(now)) {
            (Reason::Time, Some(gave_up)) => gave_up,
            (Reason::Time, None) if never_answered => Reason::NeverAnswered,
            (reason, _) => reason,
        };
        self.forget_strikes(now);
        self.command(now, &mut commands);
        // People read why before they read what.
        self.note_change(now, reason, actions);
        actions.append(&mut commands);
        // After the change of state, which sets the pace.
        if let Some(action) = self.schedule.probe(now, self.pace()) {
            actions.push(action);
        }
        if let Some(probe) = self.local.probe(now) {
            actions.push(Action::ProbeGateway { probe });
        }
    }

    /// When to call [`Self::handle`] with [`Event::Woke`], if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let command = match self.attempt {
            Attempt::Running { .. } | Attempt::Settling { .. } => self.deadline(),
            Attempt::Idle => self.wanted().map(|command| {
                let paused = self.pauses(command).not_before();
                let gate = match command {
                    Command::Start | Command::Fence if !self.orders.forces() => {
                        match self.awaits_probe() {
                            true => self.isolation.counts_until(),
                            false => self.isolation.waits_until(),
                        }
                    }
                    Command::Start | Command::Fence | Command::Stop => None,
                };
                gate.map_or(paused, |gate| gate.max(paused))
            }),
        };
        let probe = self.schedule.next(self.pace());
        [probe, command, self.local.next(), self.orders.next()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The state, as people name it.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when it has been in this state.
    #[must_use]
    pub fn since(&self) -> Time {
        self.since
    }

    /// The failed probes in a row that count, oldest first.
    #[must_use]
    pub fn strikes(&self) -> &[Strike] {
        match &self.primary {
            Primary::Failing(strikes) => strikes.as_slice(),
            Primary::Unproven | Primary::Healthy { .. } => &[],
        }
    }

    /// What the last probe that said anything says of the primary; `None`: none has, or it is too old.
    #[must_use]
    pub fn primary_answers(&self) -> Option<bool> {
        match self.primary {
            Primary::Unproven => None,
            Primary::Healthy { .. } => Some(true),
            Primary::Failing(_) => Some(false),
        }
    }

    /// Does the local gateway listen?
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listening()
    }

    /// Since when both gateways serve: the primary answers, and has since the local one listens.
    #[must_use]
    pub fn two_serve(&self) -> Option<Time> {
        match (&self.primary, self.gateway) {
            (
                Primary::Healthy {
                    at, since: back, ..
                },
                Some(Seen::Listening { since }),
            ) if *at >= since => Some(since.max(*back)),
            _ => None,
        }
    }

    /// How many of the successes that a release takes there have been.
    #[must_use]
    pub fn successes(&self) -> u32 {
        match self.primary {
            Primary::Healthy { successes, .. } => successes,
            Primary::Unproven | Primary::Failing(_) => 0,
        }
    }

    /// How many successes in a row a release takes now.
    #[must_use]
    pub fn release_needs(&self) -> u32 {
        self.stability.needed()
    }

    /// Did the primary say with its last answer that it drains?
    #[must_use]
    pub fn primary_drains(&self) -> bool {
        self.primary_drains
    }

    /// How the primary flaps, for [`Self::after`].
    #[must_use]
    pub fn flaps(&self) -> Flaps {
        self.stability.flaps()
    }

    /// Was the primary seen healthy once, or is that not asked for?
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.armed
    }

    /// The orders that stand, for the next decider.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.orders.standing()
    }

    /// The pause in force.
    #[must_use]
    pub fn pause(&self) -> Option<Pause> {
        self.orders.pause()
    }

    /// Until when no takeover is made after a release by hand.
    #[must_use]
    pub fn hold(&self) -> Option<Time> {
        self.orders.hold()
    }

    /// Does the local gateway serve whatever the primary does, as ordered?
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.orders.forces()
    }

    /// Was a takeover ordered, whether or not it is forced, and isn't over?
    #[must_use]
    pub fn takes_over_by_order(&self) -> bool {
        self.orders.takes_over()
    }

    /// Was a release ordered, and isn't over?
    #[must_use]
    pub fn releases_by_order(&self) -> bool {
        self.orders.releases()
    }

    /// Does the failure of this check of the local gateway count? Not of one that nobody waits for, and
    /// not while the gateway is being stopped: then it is expected.
    #[must_use]
    pub fn counts_gateway_probe(&self, probe: GatewayProbeId) -> bool {
        let stopping =
            matches!(self.attempt, Attempt::Running { command, .. } if command == Command::Stop);
        self.local.awaits(probe) && !stopping && !self.lets_go()
    }

    /// Checks of the local gateway in a row that failed.
    #[must_use]
    pub fn gateway_strikes(&self) -> u32 {
        self.local.strikes()
    }

    /// The local gateway is asked in another way from now on: what failed until now counts for nothing.
    pub fn forget_gateway_checks(&mut self) {
        self.local.forget();
    }

    /// Is a start under way whose gateway doesn't listen yet? Then [`Event::Begun`] is of use.
    #[must_use]
    pub fn awaits_start(&self) -> bool {
        self.attempt.is_start() && !self.listening()
    }

    /// How long a start may take now: twice as long after one that had all its time, and then four times.
    /// The same start with the same limit would come to nothing again and again.
    #[must_use]
    pub fn start_limit(&self) -> Duration {
        starting::limit(&self.settings, self.overdue)
    }

    /// Hasn't the local gateway, which listens, answered yet, and does it have time left?
    #[must_use]
    pub fn gateway_comes_up(&self) -> bool {
        self.local.comes_up()
    }

    /// Why this order would not be followed now, if so. To be asked before it is given.
    #[must_use]
    pub fn objection(&self, now: Time, order: Order) -> Option<Refusal> {
        let mut orders = self.orders;
        orders.expire(now);
        let failing = matches!(self.primary, Primary::Failing(_));
        match order {
            Order::TakeOver { .. } | Order::Release { .. } if orders.pause().is_some() => {
                Some(Refusal::Paused)
            }
            Order::TakeOver { .. } if self.gateway == Some(Seen::Foreign) => {
                Some(Refusal::PortTaken)
            }
            Order::TakeOver { .. } if self.listening() && failing => Some(Refusal::AlreadyActive),
            Order::TakeOver { force: false } if self.healthy() => Some(self.why_not(now)),
            Order::TakeOver { force: false } if !failing => Some(Refusal::NotAsked),
            Order::TakeOver { force: false } if !self.armed => Some(Refusal::Unarmed),
            Order::Release { .. } => {
                let idle = self.attempt == Attempt::Idle && !orders.takes_over();
                (idle && !self.listening()).then_some(Refusal::NothingToRelease)
            }
            Order::TakeOver { .. } | Order::Pause { .. } | Order::Resume => None,
        }
    }

    /// Does this order depend on how the primary is now, which isn't known, or only from a while ago?
    /// Then it has to be probed first: [`Event::ProbeWanted`].
    #[must_use]
    pub fn must_probe_first(&self, now: Time, order: Order) -> bool {
        let depends = matches!(order, Order::TakeOver { .. })
            && !matches!(
                self.objection(now, order),
                Some(Refusal::Paused | Refusal::PortTaken | Refusal::AlreadyActive)
            );
        let known = matches!(self.primary, Primary::Failing(_)) || self.answered_lately(now);
        depends && !known
    }

    /// Has the primary answered so lately that nothing is gained by asking it again?
    fn answered_lately(&self, now: Time) -> bool {
        matches!(self.primary, Primary::Healthy { at, .. }
            if now.since(at) < self.settings.recovery_interval)
    }

    /// Why a takeover isn't made although no probe of a primary that answered has counted as failed since.
    fn why_not(&self, now: Time) -> Refusal {
        let lately = |seen: Time| now.since(seen) < self.settings.interval;
        if self.answered_lately(now) {
            Refusal::PrimaryAnswers
        } else if self.seen_alive.is_some_and(lately) {
            Refusal::OthersAnswered
        } else {
            Refusal::CannotTell
        }
    }
}
