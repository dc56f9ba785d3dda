//! What is wrong, a sentence each.

use failover_decide::Step;
use failover_linux::escape::Escaped;

use crate::{
    primary::port_forward::PortForwardProblem,
    state_dir::writer::{NotWritten, Trouble},
    status::{
        problem::{DualActiveEnd, Problem},
        warning::Warning,
    },
    wording::{command::last_attempt, pause},
};

/// What keeps PC-B from protecting PC-A, or from letting go.
pub(crate) fn problem(problem: &Problem) -> String {
    match problem {
        Problem::DualActive {
            since,
            primary,
            held_by,
            end,
        } => format!(
            "two gateways serve since {since:.0}: the primary, {primary}, answers, and so does the local gateway, {held_by}; {}",
            dual_active_end(*end)
        ),
        Problem::Paused { until, reason } => {
            let reason = reason.as_deref().map(Escaped);
            let reason = reason.map(|reason| format!(" ({reason})"));
            format!(
                "PAUSED {}: nothing is started or stopped{}",
                pause::end(*until),
                reason.unwrap_or_default()
            )
        }
        Problem::Released { until } => format!(
            "released by hand: nothing is taken over until {until:.0} or `failover resume`"
        ),
        Problem::Forced => "taken over by force: the local gateway is kept whatever the primary does, until `failover release`".to_owned(),
        Problem::PrimaryUnknown => {
            "nobody knows yet whether the primary answers: it is being asked".to_owned()
        }
        Problem::Isolated => {
            "no witness answers: PC-B is cut off, and nothing is started".to_owned()
        }
        Problem::GatewayHangs => {
            "the local gateway doesn't answer: it is started again".to_owned()
        }
        Problem::Fails {
            command,
            attempt,
            last,
        } => {
            let last = last.as_ref().map(last_attempt);
            format!(
                "{}: attempt {attempt}{}",
                fails(*command),
                last.unwrap_or_default()
            )
        }
        Problem::ForeignListener { held_by } => format!(
            "the port is held by something that isn't the gateway, so nothing can be started: {held_by}"
        ),
        Problem::PortForward(PortForwardProblem::SameProcess) => {
            "the local port leads to the primary itself: both are one process".to_owned()
        }
        Problem::PortForward(PortForwardProblem::Connected(held_by)) => {
            format!("the local port seems to lead to the primary: {held_by}")
        }
        Problem::Unprobed {
            reason,
            lacks_witness: false,
        } => format!("the primary can't be probed: {reason}"),
        Problem::Unprobed {
            reason,
            lacks_witness: true,
        } => format!(
            "the primary can't be probed: {reason}; no witness says that PC-B's own network is well, so nothing is taken over for that (see --witnesses)"
        ),
        Problem::TooFewWitnesses { answered, needed } => {
            format!("{answered} of {needed} witnesses answered: PC-B would not take over")
        }
        Problem::Unarmed { forced: true } => {
            "the primary was never seen healthy; the local gateway serves by order alone: is --primary right?".to_owned()
        }
        Problem::Unarmed { forced: false } => {
            "the primary was never seen healthy: nothing is taken over until it is; is --primary right?".to_owned()
        }
        Problem::NotWritten(NotWritten {
            target,
            directory,
            trouble,
        }) => {
            let trouble = match trouble {
                Trouble::Hangs => "the disk doesn't answer",
                Trouble::Error(error) => error,
            };
            format!("{} to {}: {trouble}", target.loss, directory.display())
        }
        Problem::DryRun => "dry run: nothing is started or stopped".to_owned(),
    }
}

/// What ends it that two gateways serve.
pub(crate) fn dual_active_end(end: DualActiveEnd) -> String {
    match end {
        DualActiveEnd::DryRun => "this is a dry run, so nothing is stopped".to_owned(),
        DualActiveEnd::Resume => {
            "it is paused, so nothing is stopped; `failover resume` ends that".to_owned()
        }
        DualActiveEnd::Release => "`failover release` stops the local one".to_owned(),
        DualActiveEnd::BeingStopped => "the local one is being stopped".to_owned(),
        DualActiveEnd::Successes { needed, seen } => format!(
            "the primary flaps, so the local one is stopped after {needed} answers in a row, of which there were {seen}; \
             `failover release` stops it now"
        ),
    }
}

fn fails(step: Step) -> String {
    match step {
        Step::START => "the local gateway doesn't start".to_owned(),
        Step::STOP => "the local gateway doesn't stop".to_owned(),
        Step::FENCE => "the fence fails".to_owned(),
        other => format!("the {other} command fails"),
    }
}

/// What people should see to.
pub(crate) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::PartAway { part, since, error } => {
            format!("{part} has not worked since {since:.0}: {error}; it is tried again")
        }
        Warning::ConfigurationRefused { at, error } => format!(
            "the configuration that was read at {at:.0} is refused, and an older one is in force until `systemctl reload failover` accepts it: {error}"
        ),
        Warning::SlowLook { since } => format!(
            "who listens on the local port has been looked up since {since:.0}; what is shown of it may be out of date"
        ),
        Warning::NotificationsFail {
            channel,
            since,
            error,
        } => format!(
            "notifications through {channel} have failed since {since:.0}: {error} -> {}",
            error.remedy
        ),
        Warning::ListenerBeside { held_by } => format!(
            "something that isn't the gateway listens on another address of the port; it doesn't keep the gateway from starting unless that binds all addresses: {held_by}"
        ),
    }
}
