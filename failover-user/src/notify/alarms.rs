//! Turns changes into notifications: observes each change, and sends events to every channel.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tracing::info;

use failover_decide::{Change, Decider, Order, State};
use failover_linux::clock;

use crate::{
    config::Configuration,
    history::incident::wall,
    notify::{
        Notice, VERSION,
        channel::{Channel, KINDS, Kind},
        delivery::{Delivered, Delivery},
        event::{Event, Ordered},
    },
    runtime::parts::{Part, Parts},
    state_dir::persisted::Paused,
    wording,
};

/// Longer reasons are cut.
const LONGEST_REASON: usize = 1000;
/// At the daemon's end, what is being sent may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Alarms {
    configuration: Configuration,
    host: String,
    outlets: Vec<Outlet>,
    parts: Parts,
    /// The local gateway has served since the last release.
    served: bool,
    /// The takeover or release that was ordered last and isn't over.
    order: Option<Ordered>,
    /// As it was last; what was so at the beginning is no event.
    standing: Option<Standing>,
}

/// A kind of channel, and the one that is open, if one is configured.
#[derive(Debug)]
struct Outlet {
    kind: &'static Kind,
    delivery: Delivery,
    channel: Option<Box<dyn Channel>>,
}

/// How a channel does.
#[derive(Clone, Debug)]
pub(crate) struct ChannelStatus {
    pub(crate) kind: &'static Kind,
    pub(crate) is_configured: bool,
    pub(crate) delivered: Delivered,
}

/// What lasts, and isn't the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Standing {
    paused: bool,
    flapping: bool,
}

impl Standing {
    fn of(decider: &Decider) -> Self {
        Self {
            paused: decider.pause().is_some(),
            flapping: decider.release_needs() > 1,
        }
    }
}

impl Alarms {
    pub(crate) fn new(configuration: &Configuration, parts: Parts) -> Self {
        let outlet = |kind: &'static Kind| Outlet {
            kind,
            delivery: Delivery::default(),
            channel: None,
        };
        let mut alarms = Self {
            configuration: configuration.clone(),
            host: host(),
            outlets: KINDS.into_iter().map(outlet).collect(),
            parts,
            served: false,
            order: None,
            standing: None,
        };
        for outlet in &mut alarms.outlets {
            outlet.open(configuration, &alarms.parts);
        }
        alarms
    }

    /// Another configuration is in force. A channel that stays the same isn't disturbed.
    pub(crate) fn reconfigure(&mut self, configuration: &Configuration) {
        for outlet in &mut self.outlets {
            if !(outlet.kind.is_same)(&self.configuration, configuration) {
                outlet.delivery = outlet.delivery.anew();
                outlet.open(configuration, &self.parts);
            }
        }
        self.configuration = configuration.clone();
    }

    /// The name of this machine.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// An order is about to be followed.
    pub(crate) fn ordered(&mut self, order: Order, by: &str) {
        self.order = match order {
            Order::TakeOver { .. } => Some(Ordered::Takeover(by.to_owned())),
            Order::Release { .. } => Some(Ordered::Release(by.to_owned())),
            Order::Pause { .. } | Order::Resume => return,
        };
    }

    /// The state changed.
    pub(crate) fn changed(&mut self, change: &Change, reason: &str) {
        let event = Event::of(change, self.served, self.order.as_ref());
        match change.to {
            State::Active => self.served = true,
            State::Standby => self.served = false,
            State::Suspect { .. }
            | State::Isolated
            | State::Fencing { .. }
            | State::Starting { .. }
            | State::Inhibited(_)
            | State::Restarting { .. }
            | State::Stopping { .. } => {}
        }
        if let Some(event) = event {
            self.notify(&event, change.to, reason);
        }
    }

    /// The conditions at the daemon's start are not notified.
    pub(crate) fn begin(&mut self, decider: &Decider) {
        self.standing = Some(Standing::of(decider));
    }

    /// What else may have changed.
    pub(crate) fn stands(&mut self, decider: &Decider, pause: Option<&Paused>) {
        self.order.take_if(|order| match order {
            Ordered::Takeover(_) => !decider.takes_over_by_order(),
            Ordered::Release(_) => !decider.releases_by_order(),
        });
        let Some(before) = self.standing else {
            return;
        };
        let now = Standing::of(decider);
        self.standing = Some(now);
        let paused = match (before.paused, now.paused) {
            (false, true) => Some(Event::Paused(pause.cloned())),
            (true, false) => Some(Event::Resumed),
            (false, false) | (true, true) => None,
        };
        let flapping = (now.flapping && !before.flapping).then(|| Event::Flapping {
            release_needs: decider.release_needs(),
        });
        for event in paused.into_iter().chain(flapping) {
            let reason = wording::notice::own_reason(&event).unwrap_or_default();
            self.notify(&event, decider.state(), &reason);
        }
    }

    /// How each channel does.
    pub(crate) fn channels(&self) -> Vec<ChannelStatus> {
        let outlets = self.outlets.iter();
        let status = |outlet: &Outlet| ChannelStatus {
            kind: outlet.kind,
            is_configured: outlet.channel.is_some(),
            delivered: outlet.delivery.so_far(),
        };
        outlets.map(status).collect()
    }

    /// Each gets true once all notices that a channel hasn't sent yet are on disk.
    pub(crate) fn stored(&self) -> Vec<oneshot::Receiver<bool>> {
        let open = self.outlets.iter().filter_map(Outlet::channel);
        open.filter_map(Channel::stored).collect()
    }

    /// Gives what is being sent a moment.
    pub(crate) async fn finish(&self) {
        let open = self.outlets.iter().filter_map(Outlet::channel);
        join_all(open.map(|channel| channel.finish(PATIENCE))).await;
    }

    fn notify(&self, event: &Event, state: State, reason: &str) {
        let open: Vec<&dyn Channel> = self.outlets.iter().filter_map(Outlet::channel).collect();
        if open.is_empty() {
            return;
        }
        let name = event.name();
        if self.configuration.dry_run {
            info!(event = name, "dry run: no notification");
            return;
        }
        let notice = self.notice(event, state, reason);
        for channel in open {
            channel.send(notice.clone());
        }
    }

    fn notice(&self, event: &Event, state: State, reason: &str) -> Notice {
        let time = wall(clock::now());
        let (host, primary) = (&self.host, self.configuration.primary.to_string());
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let happened = wording::notice::event(event);
        let ordered = event.by().map(wording::notice::ordered_by);
        let ordered = ordered.unwrap_or_default();
        Notice {
            version: VERSION,
            id: format!("{:x}-{:08x}", time.as_millisecond(), fastrand::u32(..)),
            event: event.name().to_owned(),
            time,
            text: format!("failover on {host}: {happened}{ordered} (primary {primary}): {reason}"),
            by: event.by().map(str::to_owned),
            host: host.clone(),
            primary,
            state: state.name().to_owned(),
            reason,
        }
    }
}

impl Outlet {
    /// The configured channel. The previous one stops first, and closes its file.
    fn open(&mut self, configuration: &Configuration, parts: &Parts) {
        self.channel = None;
        let part = new_part(parts, self.kind.part);
        self.channel = (self.kind.open)(configuration, self.delivery.clone(), part);
    }

    fn channel(&self) -> Option<&dyn Channel> {
        self.channel.as_deref()
    }
}

/// A new part that replaces the previous one of this name.
fn new_part(parts: &Parts, name: &'static str) -> Part {
    let part = parts.part(name);
    part.works();
    part
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
