//! What people should see to, although it keeps PC-B from nothing as long as all else is well. Only
//! renders.

use std::time::Duration;

use failover_decide::Time;
use failover_linux::clock;

use crate::{notify::alarms::ChannelStatus, runtime::parts::Parts, status};

/// Looking at who listens takes milliseconds.
const LONG_LOOK: Duration = Duration::from_secs(2);

/// A sentence each.
pub(crate) fn warnings(
    channels: &[ChannelStatus],
    refused: Option<&(Time, String)>,
    parts: &Parts,
    looks_since: Option<Time>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, away) in parts.away() {
        let since = clock::wall(away.since);
        warnings.push(format!(
            "{name} has not worked since {since:.0}: {}; it is tried again",
            away.why
        ));
    }
    if let Some((at, why)) = refused {
        let at = clock::wall(*at);
        warnings.push(format!(
            "the configuration that was read at {at:.0} is refused, and an older one is in force until `systemctl reload failover` accepts it: {why}"
        ));
    }
    if let Some(since) = looks_since.filter(|since| clock::now().since(*since) >= LONG_LOOK) {
        warnings.push(format!(
            "who listens on the local port has been looked up since {:.0}; what is shown of it may be out of date",
            clock::wall(since)
        ));
    }
    for channel in channels {
        if let Some((since, error)) = &channel.delivered.failing {
            let fails = match channel.kind.name {
                "command" => "the notify command fails",
                _ => "the webhook can't be told",
            };
            let (since, remedy) = (clock::wall(*since), error.remedy);
            warnings.push(format!(
                "people aren't told of what happens: {fails}, since {since:.0}: {error} -> {remedy}"
            ));
        }
    }
    warnings
}

/// Who listens on another address of the port.
pub(crate) fn beside(beside: &str) -> Option<String> {
    (!beside.is_empty()).then(|| {
        format!(
            "something that isn't the gateway listens on another address of the port; it doesn't keep the gateway from starting unless that binds all addresses: {beside}"
        )
    })
}

/// As the document has it.
pub(crate) fn in_force(since: Time, refused: Option<&(Time, String)>) -> status::InForce {
    status::InForce {
        since: clock::told(since),
        refused: refused.map(|(at, why)| status::Refused {
            at: clock::told(*at),
            why: why.clone(),
        }),
    }
}

/// As the document has it.
pub(crate) fn notifier(channel: &ChannelStatus) -> status::Notifier {
    let delivered = &channel.delivered;
    status::Notifier {
        kind: channel.kind.name.to_owned(),
        configured: channel.is_configured,
        told: delivered.sent,
        failed: delivered.failed,
        dropped: delivered.dropped,
        failing: delivered
            .failing
            .as_ref()
            .map(|(since, error)| status::Failing {
                since: clock::told(*since),
                why: error.what.clone(),
                remedy: error.remedy.to_owned(),
            }),
    }
}
