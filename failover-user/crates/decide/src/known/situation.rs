//! Everything that is known, in one value: the last observations, the orders, the command in flight. The
//! rules are functions of it. This file has only the simplest ones, which combine two or three parts.
//!
//! It must not know events or actions.

use std::time::Duration;

use crate::{
    input::{event::Begun, order::Orders},
    known::{
        backoff::Backoff,
        flap_damping::FlapDamping,
        gateway_health::Liveness,
        guard::Guard,
        isolation::{Isolation, Judges},
        parking::Parking,
        persistent::PersistentState,
        router::{DefaultRouter, RouterWitness},
        schedule::Schedule,
        strikes::{Strike, Strikes},
    },
    output::state::State,
    settings::Settings,
    step::{PerStep, Step, Steps},
    time::Time,
};

/// Everything that is known. See the module.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) settings: Settings,
    /// When the last events were handled.
    pub(crate) now: Time,
    pub(crate) primary: Primary,
    /// `None` until the port was checked: before that, nothing is run.
    pub(crate) port: Option<PortState>,
    pub(crate) attempt: Attempt,
    /// A start failed or was interrupted, and may have left something running: a stop is due although
    /// nothing listens (yet).
    pub(crate) stop_owed: bool,
    /// The last observation of what the start command started; `None`: none since the command was run, or
    /// since the port changed.
    pub(crate) begun: Option<Begun>,
    /// Starts in a row that timed out although one of their processes was alive.
    pub(crate) overdue: u32,
    /// When the last stop began, if the gateway still listened at its end.
    pub(crate) outlived_stop: Option<Time>,
    pub(crate) liveness: Liveness,
    pub(crate) orders: Orders,
    /// The primary was seen healthy once under this configuration, so its address is right.
    pub(crate) armed: bool,
    /// The step that the pause withholds, as last reported.
    pub(crate) withheld: Option<Step>,
    pub(crate) steps: Steps,
    pub(crate) backoffs: PerStep<Backoff>,
    /// The steps of a takeover that have succeeded since the primary's last answer, of those that end with
    /// [`End::Success`](crate::step::End::Success).
    pub(crate) done: PerStep<bool>,
    /// The steps of a release that have something to undo.
    pub(crate) owed: PerStep<bool>,
    pub(crate) parking: Parking,
    pub(crate) isolation: Isolation,
    pub(crate) router: RouterWitness,
    pub(crate) flap_damping: FlapDamping,
    /// The primary's last answer reported that it is draining.
    pub(crate) primary_drains: bool,
    pub(crate) guard: Guard,
    /// When another program's connection last showed the primary alive.
    pub(crate) seen_alive: Option<Time>,
    /// Strikes in a row that were vetoed for this.
    pub(crate) vetoes: u32,
    /// When the last probe began that found no path to the primary.
    pub(crate) pathless: Option<Time>,
    pub(crate) schedule: Schedule,
    /// The state as last reported.
    pub(crate) state: State,
    pub(crate) since: Time,
}

/// What the probes show about the primary.
#[derive(Clone, Debug)]
pub(crate) enum Primary {
    /// No probe has shown anything yet, or what they showed has expired.
    Unproven,
    /// The last conclusive probe was answered, at this time.
    Healthy {
        at: Time,
        /// Successes in a row that were at least a recovery interval apart, or a flap interval.
        successes: u32,
        /// When the last of these was due.
        counted: Time,
        /// When it began to answer.
        since: Time,
    },
    /// The last conclusive probe failed. The strikes may be empty: after isolation or an ordered release,
    /// earlier failures don't count.
    Failing(Strikes),
}

/// The local gateway as it was seen last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PortState {
    Absent,
    /// Nothing listens, but processes that did are still there.
    Terminating,
    Listening {
        since: Time,
    },
    /// Another program listens.
    Foreign,
}

/// The command slot: there is one, so two commands can't be in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attempt {
    Idle,
    Running {
        command: Step,
        since: Time,
        killed: bool,
        came_up: bool,
        /// A listener came up, and was lost again.
        vanished: bool,
        /// What led to this command no longer counts. A fence that ends now proves nothing.
        outdated: bool,
    },
    /// A start command has ended, and nothing listens yet.
    Activating {
        since: Time,
        ended: Time,
        /// It reported a failure.
        failed: bool,
        /// Since when nothing that it started is left.
        gone: Option<Time>,
    },
}

impl Situation {
    /// Nothing has been observed yet; `persistent` is what was saved before.
    pub(crate) fn new(
        steps: Steps,
        persistent: PersistentState,
        settings: Settings,
        now: Time,
    ) -> Self {
        let router = if settings.router_is_witness {
            RouterWitness::after(persistent.routers)
        } else {
            RouterWitness::default()
        };
        Self {
            now,
            primary: Primary::Unproven,
            port: None,
            attempt: Attempt::Idle,
            stop_owed: false,
            begun: None,
            overdue: 0,
            outlived_stop: None,
            liveness: Liveness::new(&settings),
            orders: Orders::of(persistent.standing),
            armed: persistent.armed || !settings.needs_arming,
            withheld: None,
            steps,
            backoffs: PerStep::of(steps, |step| {
                let (first, longest) = (step.backoff)(&settings);
                Backoff::new(first, longest, now)
            }),
            done: PerStep::of(steps, |_| false),
            owed: PerStep::of(steps, |_| false),
            parking: Parking {
                since: now,
                ..Parking::default()
            },
            isolation: Isolation::new(&settings, counting(&settings, &router)),
            router,
            flap_damping: FlapDamping::new(&settings, persistent.flap_history, now),
            primary_drains: false,
            guard: Guard::default(),
            seen_alive: None,
            vetoes: 0,
            pathless: None,
            schedule: Schedule::new(now),
            state: State::Standby,
            since: now,
            settings,
        }
    }

    /// What the next decider needs and can't observe.
    pub(crate) fn persistent_state(&self) -> PersistentState {
        PersistentState {
            armed: self.armed && self.settings.needs_arming,
            standing: self.orders.standing(),
            flap_history: self.flap_damping.history(),
            routers: self.router.proven().to_vec(),
        }
    }

    /// How many witnesses count now: those that are named, and a router that has answered a ping.
    pub(crate) fn counting(&self) -> u32 {
        counting(&self.settings, &self.router)
    }

    /// The witnesses that must be queried before a takeover, if these are the default routers now.
    pub(crate) fn judges(&self, routers: &[DefaultRouter]) -> Judges {
        let counts = self.settings.router_is_witness && self.router.counts_among(routers);
        let counting = self
            .settings
            .named_witnesses
            .saturating_add(u32::from(counts));
        Judges {
            needed: self.settings.witness_quorum.min(counting),
            routers: counts.then(|| self.router.believed(routers)),
        }
    }

    /// The failed probes in a row that count, oldest first.
    pub(crate) fn strikes(&self) -> &[Strike] {
        match &self.primary {
            Primary::Failing(strikes) => strikes.as_slice(),
            Primary::Unproven | Primary::Healthy { .. } => &[],
        }
    }

    /// Was the last conclusive probe answered?
    pub(crate) fn healthy(&self) -> bool {
        matches!(self.primary, Primary::Healthy { .. })
    }

    /// Has the primary answered often enough to release the local gateway?
    pub(crate) fn trusted(&self) -> bool {
        matches!(self.primary, Primary::Healthy { successes, .. }
            if successes >= self.flap_damping.needed())
    }

    pub(crate) fn listening(&self) -> bool {
        matches!(self.port, Some(PortState::Listening { .. }))
    }

    /// Has the primary failed since it answered last?
    pub(crate) fn fails(&self) -> bool {
        matches!(self.primary, Primary::Failing(_))
    }

    /// Has the primary failed often enough for a takeover, is its loss proven otherwise, or has an operator ordered one?
    pub(crate) fn is_failed(&self) -> bool {
        let needs_one = self.orders.takes_over();
        self.orders.forces()
            || matches!(&self.primary, Primary::Failing(strikes)
                if strikes.reached()
                    || (needs_one && strikes.count() > 0)
                    || self.loss_is_proven(self.now))
    }

    /// Does the local gateway listen without answering, and must it be restarted?
    pub(crate) fn hangs(&self) -> bool {
        self.listening() && self.liveness.hangs() && self.is_failed() && !self.must_release()
    }

    /// Must the local gateway be released: is the primary trusted, or has an operator ordered it?
    pub(crate) fn must_release(&self) -> bool {
        self.orders.releases() || (self.trusted() && !self.orders.forces())
    }

    /// The number of the attempt at this step, from 1.
    pub(crate) fn attempt_of(&self, step: Step) -> u32 {
        self.backoffs.get(step).map_or(1, Backoff::attempt)
    }

    /// How long the next attempt at this step would wait if this one failed.
    pub(crate) fn pause_of(&self, step: Step) -> Duration {
        self.backoffs
            .get(step)
            .map_or(Duration::ZERO, Backoff::pause)
    }

    /// Changes the backoff of this step.
    pub(crate) fn back_off(&mut self, step: Step, change: impl FnOnce(&mut Backoff)) {
        if let Some(backoff) = self.backoffs.get_mut(step) {
            change(backoff);
        }
    }

    /// Resets the backoff of these steps: the next attempt is the first.
    pub(crate) fn reset_attempts(&mut self, now: Time, which: impl Fn(Step) -> bool) {
        for (step, backoff) in self.backoffs.iter_mut() {
            if which(step) {
                backoff.reset(now);
            }
        }
    }

    /// The same for all steps of a takeover.
    pub(crate) fn reset_takeover(&mut self, now: Time) {
        let steps = self.steps;
        self.reset_attempts(now, |step| steps.is_of_takeover(step));
    }

    /// Has this step succeeded in this outage?
    pub(crate) fn is_done(&self, step: Step) -> bool {
        self.done.get(step).is_some_and(|done| *done)
    }

    /// The first step of a release after the stop that has something to undo.
    pub(crate) fn owed(&self) -> Option<Step> {
        let mut release = self.steps.release.iter().map(|one| one.step);
        release.find(|step| self.owed.get(*step).is_some_and(|owed| *owed))
    }

    /// Is a start in progress whose gateway doesn't listen yet?
    pub(crate) fn awaits_start(&self) -> bool {
        self.attempt.is_start() && !self.listening()
    }

    /// How long a start may take now.
    pub(crate) fn start_limit(&self) -> Duration {
        self.settings.start_limit(self.overdue)
    }
}

fn counting(settings: &Settings, router: &RouterWitness) -> u32 {
    let router = settings.router_is_witness && router.counts();
    settings.named_witnesses.saturating_add(u32::from(router))
}

impl PortState {
    pub(crate) fn listens(self) -> bool {
        matches!(self, Self::Listening { .. })
    }
}

impl Attempt {
    /// The step whose command is running.
    pub(crate) fn step(&self) -> Option<Step> {
        match self {
            Self::Running { command, .. } => Some(*command),
            Self::Activating { .. } | Self::Idle => None,
        }
    }

    /// Is a command in flight that starts or ends the local gateway, parked or not?
    pub(crate) fn changes_gateway(&self) -> bool {
        self.is_start()
            || [Step::STOP, Step::PARK, Step::DISCARD]
                .into_iter()
                .any(|step| self.step() == Some(step))
    }

    /// Is a command in flight that only changes how ready it is?
    pub(crate) fn is_of_standby(&self) -> bool {
        self.step().is_some_and(Step::is_of_standby)
    }

    pub(crate) fn is_start(&self) -> bool {
        matches!(
            self,
            Self::Activating { .. }
                | Self::Running {
                    command: Step::START,
                    ..
                }
        )
    }
}
