//! What is wrong, a sentence each.

use failover_decide::Step;
use failover_linux::escape::Escaped;

use crate::{
    named::Named as _,
    primary::port_forward::PortForwardProblem,
    state_dir::writer::{NotWritten, Trouble},
    status::{
        problem::{DualActiveEnd, Problem},
        warning::Warning,
    },
    wording::{command::last_attempt, pause, standby, sync},
};

/// What prevents a takeover or a release.
pub(crate) fn problem(problem: &Problem) -> String {
    match problem {
        Problem::DualActive {
            since,
            primary,
            held_by,
            end,
        } => format!(
            "two gateways serve since {since:.0}: the primary ({primary}) and the local gateway ({held_by}); {}",
            dual_active_end(*end)
        ),
        Problem::Paused { until, reason } => {
            let reason = reason.as_deref().map(Escaped);
            let reason = reason.map(|reason| format!(" ({reason})"));
            format!(
                "PAUSED {}: no takeover, no release{}",
                pause::end(*until),
                reason.unwrap_or_default()
            )
        }
        Problem::Released { until } => format!(
            "released by an operator: no takeover until {until:.0} or `failover resume`"
        ),
        Problem::Forced => "forced takeover: the local gateway keeps running until `failover release`, even if the primary answers".to_owned(),
        Problem::PrimaryUnknown => {
            "the primary's state is not known yet: it is being probed".to_owned()
        }
        Problem::Isolated => {
            "no witness answers: PC-B is cut off, so there is no takeover".to_owned()
        }
        Problem::GatewayHangs => {
            "the local gateway does not answer and is being restarted".to_owned()
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
            "another program holds the local port, so the local gateway cannot start: {held_by}"
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
        } => format!("the primary cannot be probed: {reason}"),
        Problem::Unprobed {
            reason,
            lacks_witness: true,
        } => format!(
            "the primary cannot be probed: {reason}; this is no failure of the primary, because no witness confirms that PC-B's own network works (see --witnesses)"
        ),
        Problem::TooFewWitnesses { answered, needed } => {
            format!("{answered} of {needed} witnesses answered: PC-B would not take over")
        }
        Problem::DrillFailed(failed) => format!(
            "the last drill {}; a takeover may fail: after the fix run `failover drill`",
            standby::failed(failed)
        ),
        Problem::CopiesStale { age, step, error } => {
            sync::stale(*age, &sync::failed(*step, error))
        }
        Problem::BothChanged => sync::CHOOSE.to_owned(),
        Problem::Unarmed { forced: true } => {
            "the primary was never seen healthy; the local gateway runs only because an operator ordered it: is --primary right?".to_owned()
        }
        Problem::Unarmed { forced: false } => {
            "the primary was never seen healthy: no takeover until it is; is --primary right?".to_owned()
        }
        Problem::NotWritten(NotWritten {
            target,
            directory,
            trouble,
        }) => {
            let trouble = match trouble {
                Trouble::Hangs => "the disk does not respond",
                Trouble::Error(error) => error,
            };
            format!("{} to {}: {trouble}", target.loss, directory.display())
        }
        Problem::DryRun => "dry run: no command is run".to_owned(),
    }
}

/// What ends it that two gateways serve.
pub(crate) fn dual_active_end(end: DualActiveEnd) -> String {
    match end {
        DualActiveEnd::DryRun => "dry run, so nothing is stopped".to_owned(),
        DualActiveEnd::Resume => {
            "paused, so nothing is stopped; `failover resume` ends the pause".to_owned()
        }
        DualActiveEnd::Release => "`failover release` stops the local gateway".to_owned(),
        DualActiveEnd::BeingStopped => "the local gateway is being stopped".to_owned(),
        DualActiveEnd::Successes { needed, seen } => format!(
            "the primary is flapping, so the local gateway is stopped after {needed} successes in a row ({seen} so far); \
             `failover release` stops it now"
        ),
    }
}

fn fails(step: Step) -> String {
    match step {
        Step::START => "the local gateway does not start".to_owned(),
        Step::STOP => "the local gateway does not stop".to_owned(),
        Step::FENCE => "the fence fails".to_owned(),
        Step::PARK => "the local gateway cannot be parked".to_owned(),
        Step::DISCARD => "a parked gateway cannot be ended".to_owned(),
        other => format!("{other} fails"),
    }
}

/// What needs attention.
pub(crate) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::PartAway { part, since, error } => {
            format!("{part} has not worked since {since:.0}: {error}; retrying")
        }
        Warning::ConfigurationRefused { at, error } => format!(
            "the configuration read at {at:.0} was rejected, and the old one stays in force until `systemctl reload failover` succeeds: {error}"
        ),
        Warning::SlowLook { since } => format!(
            "the local port has been scanned since {since:.0}; what is shown of it may be out of date"
        ),
        Warning::NotificationsFail {
            channel,
            since,
            error,
        } => format!(
            "notifications through {channel} have failed since {since:.0}: {error} -> {}",
            error.remedy
        ),
        Warning::CopyRefused { number, reason } => format!(
            "copy {number} of PC-A's state does not fit the gateway of PC-B, and a takeover would begin with an older one: {reason} -> install the same version on both"
        ),
        Warning::Cold { choice, why } => format!(
            "the standby is cold although {} is configured: {} -> {}",
            choice.name(),
            standby::why(why),
            standby::remedy(why)
        ),
        Warning::GuardFault { error } => format!("PC-A's guard cannot be heard: {error}"),
        Warning::GuardSilent => "PC-A's guard is silent, but its gateway answers -> on PC-A: `systemctl status failover-guard`; does a firewall let UDP through to guard-port here?".to_owned(),
        Warning::ListenerBeside { held_by } => format!(
            "another program listens on another address of the local port; the gateway can still start, unless it binds all addresses: {held_by}"
        ),
    }
}
