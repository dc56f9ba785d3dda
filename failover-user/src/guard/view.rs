//! What is known of PC-A's guard, for people and tools.

use failover_guard::beat::{Announcement, GatewayState};
use serde::{Deserialize, Serialize};

use failover_linux::clock;

use crate::{
    guard::{
        link::{Hearing, Link},
        standby::Receiver,
    },
    named::{Named, Value},
};

/// What is known of PC-A's guard. There is one only if the hosts are paired.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GuardView {
    /// Is it heard?
    pub hearing: Value<Hearing>,
    /// Why it can't be heard, whatever it sends.
    pub fault: Option<String>,
    /// Its host's name.
    pub host: Option<String>,
    /// Its gateway, as it sees it.
    pub gateway: Option<GatewayState>,
    /// What it has announced.
    pub announcement: Option<Announcement>,
    /// When it was last heard.
    pub heard: Option<String>,
    /// How long a silence has to be to mean something, in milliseconds.
    pub limit_milliseconds: u64,
    /// The longest gap between two heartbeats in the last minutes, in milliseconds.
    pub longest_gap_milliseconds: u64,
    /// Of a heartbeat and its answer, in microseconds.
    pub round_trip_microseconds: Option<u64>,
    /// Heartbeats that were heard.
    pub beats: u64,
    /// Datagrams that were refused: of another key, recorded, or no heartbeats.
    pub refused: u64,
}

impl Named for Hearing {
    const ALL: &'static [Self] = &[Self::Never, Self::Beats, Self::Missing, Self::Silence];

    fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Beats => "beats",
            Self::Missing => "missing",
            Self::Silence => "silence",
        }
    }
}

impl GuardView {
    /// `None` where the hosts aren't paired.
    pub(crate) fn of(receiver: &Receiver) -> Option<Self> {
        match (receiver.link(), receiver.fault()) {
            (Some(link), fault) => Some(Self::of_link(link, fault)),
            (None, Some(fault)) => Some(Self::faulty(fault)),
            (None, None) => None,
        }
    }

    fn of_link(link: &Link, fault: Option<&str>) -> Self {
        let heard = link.heard();
        let counters = link.counters();
        Self {
            hearing: link.hearing().into(),
            fault: fault.map(str::to_owned),
            host: heard.map(|heard| heard.beat.host.as_str().to_owned()),
            gateway: heard.map(|heard| heard.beat.gateway),
            announcement: heard.and_then(|heard| heard.beat.announcement),
            heard: heard.map(|heard| clock::rfc3339(heard.at)),
            limit_milliseconds: milliseconds(link.limit()),
            longest_gap_milliseconds: milliseconds(link.longest_gap()),
            round_trip_microseconds: link
                .round_trip()
                .map(|trip| u64::try_from(trip.as_micros()).unwrap_or(u64::MAX)),
            beats: counters.heard.saturating_add(counters.overtaken),
            refused: counters.refused.values().sum(),
        }
    }

    fn faulty(fault: &str) -> Self {
        Self {
            hearing: Hearing::Never.into(),
            fault: Some(fault.to_owned()),
            host: None,
            gateway: None,
            announcement: None,
            heard: None,
            limit_milliseconds: 0,
            longest_gap_milliseconds: 0,
            round_trip_microseconds: None,
            beats: 0,
            refused: 0,
        }
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
