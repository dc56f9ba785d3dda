//! Turns changes into notifications: observes each change, and sends events to every channel.

use std::time::Duration;

use futures_util::future::join_all;
use tracing::info;

use failover_decide::{Decider, Order, State};
use failover_linux::clock;

use crate::{
    config::Configuration,
    history::incident::wall,
    notify::{
        Notice, VERSION,
        channel::{Channel, Kind},
        command,
        delivery::{Delivered, Delivery},
        event::{Event, Ordered},
        webhook,
    },
    observe::occurrence::{
        Context, DaemonCourse, Decided, Observer, Occurrence, OrderCourse, SyncCourse,
    },
    runtime::parts::{Part, Parts},
    state_dir::Receipt,
    status::explanation::Explanation,
    wording,
};

/// Every kind of channel, in the order in which they are served: another one is a file and a line here.
pub(crate) const KINDS: [&Kind; 2] = [&command::KIND, &webhook::KIND];

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
    /// The daemon watches: what was so before is no event.
    watches: bool,
    /// The primary was flapping at the last check.
    flaps: bool,
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
    /// Its name, for tools.
    pub(crate) name: &'static str,
    /// As people know it.
    pub(crate) part: &'static str,
    pub(crate) is_configured: bool,
    pub(crate) delivered: Delivered,
}

impl Observer for Alarms {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Daemon(DaemonCourse::Watches) => {
                self.watches = true;
                self.flaps = context.decider.release_needs() > 1;
            }
            Occurrence::Daemon(DaemonCourse::Reconfigured(_)) => {
                self.reconfigure(context.configuration);
            }
            Occurrence::Decided(decided) => self.decided(decided, context),
            Occurrence::Order(order, OrderCourse::Given { by, .. }) => self.ordered(*order, by),
            Occurrence::Sync(course) => self.copies(course, context.decider),
            Occurrence::Turned => self.turned(context.decider),
            Occurrence::Daemon(_)
            | Occurrence::Seen(_)
            | Occurrence::Command(..)
            | Occurrence::Order(..) => {}
        }
    }

    /// Each gets true once all notices that a channel hasn't sent yet are on disk.
    fn receipts(&mut self) -> Vec<Receipt> {
        let open = self.outlets.iter().filter_map(Outlet::channel);
        open.filter_map(Channel::stored).collect()
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
            watches: false,
            flaps: false,
        };
        for outlet in &mut alarms.outlets {
            outlet.open(configuration, &alarms.parts);
        }
        alarms
    }

    /// Another configuration is in force. A channel that stays the same isn't disturbed.
    fn reconfigure(&mut self, configuration: &Configuration) {
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
    fn ordered(&mut self, order: Order, by: &str) {
        self.order = match order {
            Order::TakeOver { .. } => Some(Ordered::Takeover(by.to_owned())),
            Order::Release { .. } => Some(Ordered::Release(by.to_owned())),
            Order::Pause { .. } | Order::Resume | Order::Drill => return,
        };
    }

    /// The state changed.
    fn changed(&mut self, explanation: &Explanation) {
        let change = &explanation.change;
        let event = Event::of(change, self.served, self.order.as_ref());
        self.served = change.to == State::Active || (self.served && change.to != State::Standby);
        if let Some(event) = event {
            let reason = wording::reason::explanation(explanation);
            self.notify(&event, change.to, &reason);
        }
    }

    fn decided(&mut self, decided: &Decided, context: &Context) {
        let event = match decided {
            Decided::State(explanation) => {
                self.changed(explanation);
                return;
            }
            Decided::Paused => Event::Paused(context.persisted.pause.clone()),
            Decided::PauseOver => Event::Resumed,
            // The failures before it; it is kept after it was reported.
            Decided::DrillEnded(drill) => {
                match Event::of_drill(context.persisted.failed_drills.as_ref(), drill) {
                    Some(event) => event,
                    None => return,
                }
            }
            Decided::Event(_)
            | Decided::Actions(_)
            | Decided::Withheld(_)
            | Decided::HoldOver
            | Decided::Standby(_)
            | Decided::StandbyMode(_)
            | Decided::Armed => return,
        };
        self.lasting(&event, context.decider);
    }

    /// Something happens with the copies of the primary's state.
    fn copies(&self, course: &SyncCourse, decider: &Decider) {
        let event = match course {
            SyncCourse::Stale { age, why } => Event::CopiesStale {
                age: *age,
                why: (*why).to_owned(),
            },
            SyncCourse::Fresh => Event::CopiesFresh,
            SyncCourse::Split => Event::BothChanged,
            SyncCourse::Ended(_) | SyncCourse::Serves { .. } | SyncCourse::Chosen { .. } => {
                return;
            }
        };
        self.lasting(&event, decider);
    }

    /// Something that lasts, and isn't the state, has changed.
    fn lasting(&self, event: &Event, decider: &Decider) {
        // What was so at the beginning is no event.
        if self.watches {
            let reason = wording::notice::own_reason(event).unwrap_or_default();
            self.notify(event, decider.state(), &reason);
        }
    }

    fn turned(&mut self, decider: &Decider) {
        let release_needs = decider.release_needs();
        let flapped = std::mem::replace(&mut self.flaps, release_needs > 1);
        if self.flaps && !flapped {
            self.lasting(&Event::Flapping { release_needs }, decider);
        }
        // An order that is done, or that another one ended, explains nothing any longer.
        self.order.take_if(|order| match order {
            Ordered::Takeover(_) => !decider.takes_over_by_order(),
            Ordered::Release(_) => !decider.releases_by_order(),
        });
    }

    /// How each channel does.
    pub(crate) fn channels(&self) -> Vec<ChannelStatus> {
        let outlets = self.outlets.iter();
        let status = |outlet: &Outlet| ChannelStatus {
            name: outlet.kind.name,
            part: outlet.kind.part,
            is_configured: outlet.channel.is_some(),
            delivered: outlet.delivery.so_far(),
        };
        outlets.map(status).collect()
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
