//! Warnings: what needs attention, but prevents nothing. Data, and the conditions; the texts are in
//! `wording`.

use std::time::Duration;

use jiff::Timestamp;

use failover_guard::beat::Announcement;
use failover_linux::clock;

use crate::{
    config::StandbyChoice, guard::link::Hearing, notify::DeliveryError, standby::mode::Why,
    status::context::Context,
};

/// A scan takes milliseconds.
const LONG_LOOK: Duration = Duration::from_secs(2);

/// Something that needs attention.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Warning {
    /// A part of the daemon does not work.
    PartAway {
        part: &'static str,
        since: Timestamp,
        error: String,
    },
    /// A configuration was read and is refused.
    ConfigurationRefused { at: Timestamp, error: String },
    /// The scan of the local port takes long.
    SlowLook { since: Timestamp },
    /// Notifications fail.
    NotificationsFail {
        /// The channel, for people.
        channel: &'static str,
        since: Timestamp,
        error: DeliveryError,
    },
    /// A copy of the primary's state doesn't fit the local gateway.
    CopyRefused { number: u64, reason: String },
    /// The local gateway is configured to be parked, and can't be.
    Cold { choice: StandbyChoice, why: Why },
    /// PC-A's guard can't be heard, although the hosts are paired.
    GuardFault { error: String },
    /// PC-A's guard is silent, and its gateway answers.
    GuardSilent,
    /// Another program listens on another address of the local port.
    ListenerBeside { held_by: String },
}

/// All that there are.
pub(super) fn warnings(context: &Context<'_>) -> Vec<Warning> {
    let parts = context.parts.away().into_iter();
    let parts = parts.map(|(part, away)| Warning::PartAway {
        part,
        since: clock::wall(away.since),
        error: away.why,
    });
    let refused = context.refused.into_iter();
    let refused = refused.map(|refused| Warning::ConfigurationRefused {
        at: clock::wall(refused.at),
        error: refused.error.clone(),
    });
    let port = &context.port;
    let looks = port.looks_since.into_iter();
    let slow = looks.filter(|since| context.now.since(*since) >= LONG_LOOK);
    let slow = slow.map(|since| Warning::SlowLook {
        since: clock::wall(since),
    });
    let failing = context.channels.iter().filter_map(|channel| {
        let (since, error) = channel.delivered.failing.as_ref()?;
        Some(Warning::NotificationsFail {
            channel: channel.part,
            since: clock::wall(*since),
            error: error.clone(),
        })
    });
    let cold = cold(context);
    let beside = (!port.beside.is_empty()).then(|| Warning::ListenerBeside {
        held_by: port.beside.clone(),
    });
    let copies = context.rounds.into_iter();
    let copies = copies.flat_map(|rounds| &rounds.known().refused);
    let copies = copies.map(|one| Warning::CopyRefused {
        number: one.number.0,
        reason: one.reason.clone(),
    });
    parts
        .chain(copies)
        .chain(refused)
        .chain(slow)
        .chain(failing)
        .chain(cold)
        .chain(guard(context))
        .chain(beside)
        .collect()
}

/// A guard that is silent beside a gateway that answers has stopped, or a firewall is in the way.
fn guard(context: &Context<'_>) -> Option<Warning> {
    let guard = context.guard.as_ref()?;
    if let Some(error) = &guard.fault {
        return Some(Warning::GuardFault {
            error: error.clone(),
        });
    }
    let answers = context.decider.primary_answers() == Some(true);
    // One that said that it ends is no surprise.
    let has_left = guard.announcement == Some(Announcement::Upgrades);
    let is_silent = guard.hearing == Hearing::Silence && !has_left;
    (answers && is_silent).then_some(Warning::GuardSilent)
}

/// Who has configured warm or hot relies on it.
fn cold(context: &Context<'_>) -> Option<Warning> {
    let choice = context.configuration.standby.choice;
    let why = &context.last_seen.standby.as_ref()?.why;
    let is_relied_on = match choice {
        StandbyChoice::Auto | StandbyChoice::Cold => false,
        StandbyChoice::Warm | StandbyChoice::Hot => true,
    };
    let is_impossible = matches!(why, Why::NotParkable(_) | Why::MemoryPressure);
    (is_relied_on && is_impossible).then(|| Warning::Cold {
        choice,
        why: why.clone(),
    })
}
