//! PC-B's end of the link: has the keys, waits at the port, and says what is heard in the decider's words.

use std::{num::NonZeroU16, path::Path, time::Duration};

use tracing::{error, info};

use failover_decide::{GuardObservation, PrimaryGateway};
use failover_guard::{
    ask::{Answer, Ask},
    beat::{Announcement, GatewayState},
};

use crate::guard::{
    keys::Keys,
    link::{Heard, Hearing, Link},
};

/// PC-B's own heartbeats: they answer, and decide nothing on PC-A.
const INTERVAL: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Default)]
pub(crate) struct Receiver {
    link: Option<Link>,
    /// What the link was made of.
    made_of: Option<(NonZeroU16, Keys)>,
    /// Why there is none, although the hosts are paired.
    fault: Option<String>,
}

impl Receiver {
    /// Listens if the hosts are paired. Inside a tokio runtime.
    pub(crate) fn begin(&mut self, port: NonZeroU16, state_dir: &Path) {
        let keys = match Keys::read(state_dir) {
            Ok(keys) => keys,
            Err(error) => return self.fail(&error),
        };
        let made_of = keys.map(|keys| (port, keys));
        if made_of == self.made_of && self.fault.is_none() {
            return;
        }
        // The old one goes first: its port may be the new one's.
        self.link = None;
        self.fault = None;
        self.made_of = made_of;
        let Some((port, keys)) = &self.made_of else {
            return;
        };
        let ring = match keys.ring(state_dir) {
            Ok(ring) => ring,
            Err(error) => return self.fail(&error),
        };
        match Link::at(*port, ring, INTERVAL) {
            Ok(link) => {
                info!(port = port.get(), "listening for PC-A's guard");
                self.link = Some(link);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, fault: &dyn std::error::Error) {
        error!(error = %fault, "PC-A's guard can't be heard; the strikes count as without it");
        self.link = None;
        self.fault = Some(fault.to_string());
    }

    /// What is reported to PC-A of the local gateway.
    pub(crate) fn say(&mut self, gateway: GatewayState) {
        if let Some(link) = &mut self.link {
            link.say(gateway, None);
        }
    }

    /// What PC-A's guard asks for.
    pub(crate) fn asked(&self) -> Option<Ask> {
        self.link.as_ref().and_then(Link::asked)
    }

    /// How far that is.
    pub(crate) fn answer(&mut self, answer: Option<Answer>) {
        if let Some(link) = &mut self.link {
            link.answer(answer);
        }
    }

    /// Time has passed that nobody could use.
    pub(crate) fn interrupted(&mut self) {
        if let Some(link) = &mut self.link {
            link.interrupted();
        }
    }

    /// Waits for news. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        match &mut self.link {
            Some(link) => {
                link.next().await;
            }
            None => std::future::pending().await,
        }
    }

    /// What is known now.
    pub(crate) fn observation(&self) -> GuardObservation {
        self.link
            .as_ref()
            .map_or(GuardObservation::None, observation)
    }

    /// How long a probe may take that answers a silence.
    pub(crate) fn probe_timeout(&self) -> Option<Duration> {
        self.link.as_ref().map(Link::probe_timeout)
    }

    /// The link, for the status.
    pub(crate) const fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Why nothing can be heard, although the hosts are paired.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

fn observation(link: &Link) -> GuardObservation {
    // A guard that announced its end is silent from then on.
    let has_left = |heard: &Heard| heard.beat.announcement == Some(Announcement::Upgrades);
    match (link.hearing(), link.heard()) {
        (Hearing::Never, _) | (_, None) => GuardObservation::None,
        (Hearing::Missing | Hearing::Silence, Some(heard)) if has_left(heard) => {
            GuardObservation::None
        }
        (Hearing::Beats, Some(heard)) => GuardObservation::Heard(gateway(heard)),
        (Hearing::Missing, Some(_)) => GuardObservation::Missing,
        (Hearing::Silence, Some(_)) => GuardObservation::Silent,
    }
}

/// PC-A's gateway in the decider's words.
fn gateway(heard: &Heard) -> PrimaryGateway {
    let ends = match heard.beat.announcement {
        Some(Announcement::ShutsDown | Announcement::Reboots | Announcement::StopsGateway) => true,
        Some(Announcement::Upgrades | Announcement::Fenced | Announcement::Unknown) | None => false,
    };
    match heard.beat.gateway {
        GatewayState::Listening | GatewayState::Answering | GatewayState::Draining if ends => {
            PrimaryGateway::Ends
        }
        GatewayState::Listening | GatewayState::Answering => PrimaryGateway::Serves,
        GatewayState::Draining => PrimaryGateway::Ends,
        GatewayState::Stopped => PrimaryGateway::Stopped,
        // It can't come back by itself before the machine does.
        GatewayState::Restarting | GatewayState::Ended | GatewayState::Failed if ends => {
            PrimaryGateway::Stopped
        }
        GatewayState::Ended | GatewayState::Failed => PrimaryGateway::Ended,
        GatewayState::Restarting => PrimaryGateway::Restarting,
        GatewayState::Starting | GatewayState::Parked | GatewayState::Unknown => {
            PrimaryGateway::Unknown
        }
    }
}
