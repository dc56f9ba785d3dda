//! Problems: what prevents a takeover or a release. Data, and the conditions; the texts are in `wording`.

use std::time::Duration;

use jiff::Timestamp;

use failover_decide::{Decider, Gone, Outcome, State, Step, Time};
use failover_linux::clock;
use failover_sync::outcome::FailedStep;

use crate::{
    config::{Configuration, StandbyChoice},
    gateway::command::failures::Failure,
    primary::port_forward::PortForwardProblem,
    standby::{failing::FailedDrills, mode::Why},
    state_dir::{
        persisted::Paused,
        writer::{Health, NotWritten},
    },
    status::{context::Context, protection::Protection},
};

/// Two gateways that serve longer than this are a problem even while one of them is being stopped.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Something that prevents a takeover or a release.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// Two gateways serve.
    DualActive {
        since: Timestamp,
        primary: String,
        /// The local gateway's processes, for people.
        held_by: String,
        end: DualActiveEnd,
    },
    /// An operator ordered a pause.
    Paused {
        until: Option<Timestamp>,
        reason: Option<String>,
    },
    /// An operator ordered a release that holds.
    Released { until: Timestamp },
    /// An operator forced a takeover.
    Forced,
    /// No probe of the primary has said anything yet.
    PrimaryUnknown,
    /// No witness answers.
    Isolated,
    /// The local gateway doesn't answer, and is restarted.
    GatewayHangs,
    /// A command is run again, as it fails.
    Fails {
        command: Step,
        attempt: u32,
        last: Option<Failure>,
    },
    /// Somebody else holds the local port.
    ForeignListener { held_by: String },
    /// The local port leads to the primary.
    PortForward(PortForwardProblem),
    /// The primary cannot be probed.
    Unprobed {
        reason: String,
        /// It would count if a witness answered.
        lacks_witness: bool,
    },
    /// The last drill that came to a result failed.
    DrillFailed(FailedDrills),
    /// The newest copy of the primary's state is older than it may be.
    CopiesStale {
        /// `None`: there is none.
        age: Option<Duration>,
        step: FailedStep,
        /// Why the last round failed.
        error: String,
    },
    /// Both sides have changes that the other lacks.
    BothChanged,
    /// PC-B would not take over.
    TooFewWitnesses { answered: u32, needed: u32 },
    /// The primary was never seen healthy.
    Unarmed {
        /// The local gateway serves all the same, as an operator ordered.
        forced: bool,
    },
    /// The history or the persisted state cannot be written.
    NotWritten(NotWritten),
    /// Nothing is run.
    DryRun,
}

/// What ends it that two gateways serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DualActiveEnd {
    /// Nothing, in a dry run.
    DryRun,
    /// The end of a pause.
    Resume,
    /// An operator's release.
    Release,
    /// The local gateway is being stopped.
    BeingStopped,
    /// Enough successes of a primary that flaps.
    Successes {
        /// Needed.
        needed: u32,
        /// So far.
        seen: u32,
    },
}

impl DualActiveEnd {
    pub(crate) fn of(configuration: &Configuration, decider: &Decider) -> Self {
        if configuration.dry_run {
            Self::DryRun
        } else if decider.pause().is_some() {
            Self::Resume
        } else if decider.is_forced() {
            Self::Release
        } else if decider.must_release() {
            Self::BeingStopped
        } else {
            Self::Successes {
                needed: decider.release_needs(),
                seen: decider.successes(),
            }
        }
    }
}

/// Since when two gateways serve. A release that goes as it should takes a moment, and is none.
pub(crate) fn dual_active_since(
    configuration: &Configuration,
    decider: &Decider,
    now: Time,
) -> Option<Time> {
    let being_stopped =
        decider.must_release() && decider.pause().is_none() && !configuration.dry_run;
    decider
        .two_serve()
        .filter(|since| !being_stopped || now.since(*since) >= A_MOMENT)
}

/// When the pause ends: by the clock that ends it, which nobody sets.
pub(super) fn paused_until(decider: &Decider, pause: &Paused) -> Option<Timestamp> {
    match decider.pause() {
        Some(in_force) => in_force.until.map(clock::wall),
        None => pause.until,
    }
}

/// All that there are, the worst first.
pub(super) fn problems(context: &Context<'_>) -> Vec<Problem> {
    let Context {
        configuration,
        decider,
        port,
        persisted,
        ..
    } = context;
    let dual_active = dual_active_since(configuration, decider, context.now);
    let pause = persisted.pause.as_ref();
    let in_quiet_times = decider.state() == State::Standby && decider.primary_answers().is_none();
    let problems = [
        dual_active.map(|since| Problem::DualActive {
            since: clock::wall(since),
            primary: configuration.primary.to_string(),
            held_by: port.held_by.clone(),
            end: DualActiveEnd::of(configuration, decider),
        }),
        pause.map(|pause| Problem::Paused {
            until: paused_until(decider, pause),
            reason: pause.reason.clone(),
        }),
        decider.hold_until().map(|until| Problem::Released {
            until: clock::wall(until),
        }),
        decider.is_forced().then_some(Problem::Forced),
        in_quiet_times.then_some(Problem::PrimaryUnknown),
        of_state(context),
        port.is_foreign.then(|| Problem::ForeignListener {
            held_by: port.held_by.clone(),
        }),
        context.port_forward.clone().map(Problem::PortForward),
        unprobed(context),
        too_few_witnesses(context),
        failed_drill(context),
        stale_copies(context),
        both_changed(context),
        (!decider.is_armed()).then(|| Problem::Unarmed {
            forced: decider.is_forced(),
        }),
    ];
    let kept = context.kept.iter().filter_map(Health::problem);
    problems
        .into_iter()
        .flatten()
        .chain(kept.map(Problem::NotWritten))
        .chain(configuration.dry_run.then_some(Problem::DryRun))
        .collect()
}

/// How well PC-B protects PC-A with these problems.
pub(super) fn protection(problems: &[Problem], decider: &Decider) -> Protection {
    let begins = match decider.state() {
        State::Fencing { .. } | State::Starting { .. } | State::Restarting { .. } => true,
        State::Standby
        | State::Suspect { .. }
        | State::Isolated
        | State::Active
        | State::Inhibited(_)
        | State::Stopping { .. } => false,
    };
    match (problems.is_empty(), begins || decider.is_listening()) {
        (false, _) => Protection::Unsafe,
        (true, true) => Protection::Degraded,
        (true, false) => Protection::Safe,
    }
}

/// The local gateway did not get to its bind, or did more than that. One that serves shows that it can; where no
/// drill can be repeated, the last one proves nothing about what is there now; and who has turned drills and parking
/// off doesn't ask for one.
fn failed_drill(context: &Context<'_>) -> Option<Problem> {
    let failed = context.persisted.failed_drills.as_ref()?;
    let configured = &context.configuration.standby;
    if configured.choice == StandbyChoice::Cold && configured.drill_every.is_none() {
        return None;
    }
    let is_possible = context.last_seen.standby.as_ref().is_none_or(|standby| {
        standby.can_park || matches!(standby.why, Why::MemoryPressure | Why::NotKnownYet)
    });
    (is_possible && !context.decider.is_listening()).then(|| Problem::DrillFailed(failed.clone()))
}

/// While PC-B serves, or PC-A is down, no round can be made.
fn stale_copies(context: &Context<'_>) -> Option<Problem> {
    let decider = context.decider;
    let (age, failing) = context.rounds?.stale(clock::wall(context.now))?;
    let could_be_fresh = decider.primary_answers() == Some(true) && !decider.is_listening();
    could_be_fresh.then(|| Problem::CopiesStale {
        age,
        step: failing.step,
        error: failing.error.clone(),
    })
}

fn both_changed(context: &Context<'_>) -> Option<Problem> {
    let newest = context.rounds?.known().newest();
    let is_split = context.persisted.lineage().is_split(newest);
    is_split.then_some(Problem::BothChanged)
}

/// What the state itself means.
fn of_state(context: &Context<'_>) -> Option<Problem> {
    let fails = |command, attempt: u32| {
        (attempt > 1).then(|| Problem::Fails {
            command,
            attempt,
            last: context.last_seen.failures.of(command).cloned(),
        })
    };
    match context.decider.state() {
        State::Isolated => Some(Problem::Isolated),
        State::Restarting { .. } => Some(Problem::GatewayHangs),
        State::Fencing { attempt } => fails(Step::FENCE, attempt),
        State::Starting { attempt } => fails(Step::START, attempt),
        State::Stopping { attempt } => fails(Step::STOP, attempt),
        // What keeps a takeover from being made is a problem whatever the state.
        State::Inhibited(_) | State::Standby | State::Suspect { .. } | State::Active => None,
    }
}

/// The primary cannot be probed. Where that counts as its failure, and PC-B serves, it is no problem.
fn unprobed(context: &Context<'_>) -> Option<Problem> {
    let Some((_, Outcome::Unknown { reason, gone })) = &context.last_seen.probe else {
        return None;
    };
    let decider = context.decider;
    let counts = decider.primary_answers() == Some(false) && !decider.strikes().is_empty();
    match gone {
        Some(Gone::Path) if counts && decider.state() == State::Active => None,
        Some(Gone::Path | Gone::Address) | None => Some(Problem::Unprobed {
            reason: reason.clone(),
            lacks_witness: *gone == Some(Gone::Path) && !counts,
        }),
    }
}

fn too_few_witnesses(context: &Context<'_>) -> Option<Problem> {
    let last = context.quorum.last.as_ref()?;
    let (answered, needed) = (last.answered, last.needed);
    (answered < needed && context.decider.state() != State::Isolated)
        .then_some(Problem::TooFewWitnesses { answered, needed })
}
