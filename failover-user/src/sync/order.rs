//! What a worker is ordered, in full: from the options, and from what must be done.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use failover_sync::spec::{Limits, Order, SourceSpec, Spec};

use crate::{config::Sync, control::HAND_BACK_WITHIN, named::Named};

/// Below the account's home, where generations and the key are.
const STORE: &str = ".local/state/failover/sync";
const KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";
/// Checking a copy of some GB again. Nothing waits for it.
const PATIENTLY: Duration = Duration::from_secs(1800);

/// What a worker is at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Copies what has changed.
    Round,
    /// Looks what the store has.
    Look,
    /// Puts a copy in place.
    Place,
    /// Puts a copy into what is parked.
    Feed,
    /// Notes what the local gateway writes.
    Learn,
    /// Gives up what was kept until somebody chose.
    Settle,
    /// Checks all copies again.
    Verify,
    /// Finds what only one side has.
    Differences,
    /// Gives the local state to the other host.
    HandBack,
}

impl Named for Task {
    const ALL: &'static [Self] = &[
        Self::Round,
        Self::Look,
        Self::Place,
        Self::Feed,
        Self::Learn,
        Self::Settle,
        Self::Verify,
        Self::Differences,
        Self::HandBack,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Round => "round",
            Self::Look => "look",
            Self::Place => "place",
            Self::Feed => "feed",
            Self::Learn => "learn",
            Self::Settle => "settle",
            Self::Verify => "verify",
            Self::Differences => "differences",
            Self::HandBack => "hand-back",
        }
    }
}

impl Task {
    /// Of this order.
    pub(crate) const fn of(order: &Order) -> Self {
        match order {
            Order::Round => Self::Round,
            Order::Look => Self::Look,
            Order::Place { .. } => Self::Place,
            Order::Feed => Self::Feed,
            Order::Learn => Self::Learn,
            Order::Settle => Self::Settle,
            Order::Verify => Self::Verify,
            Order::Differences => Self::Differences,
            Order::HandBack { .. } => Self::HandBack,
        }
    }
}

/// The whole of it.
pub(crate) fn spec(options: &Sync, order: Order) -> Spec {
    let within = match &order {
        Order::Round => options.limits.within,
        Order::Place { .. } | Order::Feed | Order::Look | Order::Learn | Order::Settle => {
            options.place_within
        }
        Order::Verify | Order::Differences => PATIENTLY,
        Order::HandBack { .. } => HAND_BACK_WITHIN,
    };
    let asks_the_source = match &order {
        Order::Round | Order::HandBack { .. } => true,
        Order::Learn
        | Order::Settle
        | Order::Look
        | Order::Place { .. }
        | Order::Feed
        | Order::Verify
        | Order::Differences => false,
    };
    let store = store(options);
    Spec {
        order,
        state: options.state.clone(),
        source: asks_the_source.then(|| source(options)),
        unit_file: options.unit_file.clone(),
        store,
        limits: Limits {
            within,
            ..options.limits
        },
    }
}

/// The way to the source.
pub(crate) fn source(options: &Sync) -> SourceSpec {
    SourceSpec {
        destination: options.destination.clone(),
        port: options.port,
        key: key(options),
        known_hosts: store(options).join(KNOWN_HOSTS),
    }
}

/// The key for the source.
pub(crate) fn key(options: &Sync) -> PathBuf {
    store(options).join(KEY)
}

/// Where generations and the key are.
pub(crate) fn store(options: &Sync) -> PathBuf {
    options.home.join(STORE)
}
