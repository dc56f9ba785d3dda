//! Those who look from outside: what is kept for them, and what they are shown. None of it decides
//! anything.

use tokio::sync::watch;

use failover_decide::{State, Step};
use failover_linux::{
    bpf::event::{Bind, TcpStateChange},
    clock,
};

use crate::{
    observe::occurrence::{
        CommandCourse, Context, Decided, Observer, Occurrence, Seen, Source, SyncCourse,
    },
    status::snapshot::Snapshot,
    web::{
        metrics::Probes,
        timeline::{Note, Timeline},
        view::{View, ViewRequest},
    },
    wording,
};

/// What `status --watch` and the page show of it.
const MOST_NOTES: usize = 40;

/// See the module.
pub(crate) struct Dashboard {
    timeline: Timeline,
    probes: Probes,
    /// Kernel events so far.
    seen: u64,
    listening: bool,
    /// Gets something whenever there is something new to see.
    changes: watch::Sender<()>,
}

impl Dashboard {
    pub(crate) fn new(state: State) -> Self {
        let mut timeline = Timeline::default();
        timeline.state(clock::now(), state.kind());
        Self {
            timeline,
            probes: Probes::default(),
            seen: 0,
            listening: false,
            changes: watch::Sender::new(()),
        }
    }

    /// Gets something whenever there is something new to see.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(crate) fn answer(&self, request: ViewRequest, snapshot: Snapshot) {
        request.answer(View {
            now: clock::now(),
            snapshot,
            timeline: self.timeline.clone(),
            probes: self.probes.clone(),
        });
    }

    /// What happened last, oldest first.
    pub(crate) fn recent(&self) -> Vec<Note> {
        self.timeline.recent(MOST_NOTES)
    }

    /// Kernel events so far.
    pub(crate) const fn events_seen(&self) -> u64 {
        self.seen
    }

    // --- what is kept ----------------------------------------------------------------------------

    /// There is something new to see.
    fn news(&self) {
        self.changes.send_replace(());
    }

    fn seen(&mut self, seen: &Seen, context: &Context) {
        match seen {
            Seen::KernelEvents { count, .. } => {
                self.seen = self.seen.saturating_add(*count as u64);
            }
            Seen::Evidence(sighting) => match sighting.source {
                Source::Kernel(_) | Source::Tripwire | Source::Acknowledged(_) => {
                    self.evidence(context, &wording::reason::sighting(sighting));
                }
                Source::Own(_) => {}
            },
            Seen::Listener(change) => self.evidence(context, &listener(change)),
            Seen::RefusedBind(bind) => self.evidence(context, &refused(bind)),
            Seen::Port(_) => {
                let listening = context.port.listeners().is_listening();
                if listening != self.listening {
                    self.listening = listening;
                    self.news();
                }
            }
            Seen::Probe(probe) => {
                self.probes.note(probe.outcome);
                self.timeline.probe(context.now, probe.outcome);
                self.news();
            }
            Seen::Witnesses { .. } => self.news(),
            Seen::Suspend(_)
            | Seen::Certificate(_)
            | Seen::Readiness(_)
            | Seen::GatewayProbe(_)
            | Seen::GatewayDrains(_)
            | Seen::Start(_) => {}
        }
    }

    /// A kernel event on a connection to the primary, or on the local port.
    fn evidence(&mut self, context: &Context, text: &str) {
        self.timeline.kernel(context.now, text);
        self.news();
    }

    /// Something happens with the copies of the primary's state. A round that goes well is no note: there are many.
    fn copies(&mut self, course: &SyncCourse, context: &Context) {
        let text = match course {
            SyncCourse::Ended(report) if report.is_routine() => None,
            SyncCourse::Ended(report) => Some(wording::sync::ended(report.task, &report.outcome)),
            SyncCourse::Serves { with, age, lacks } => {
                let serves = wording::sync::serves(*with, *age);
                Some(match lacks {
                    Some(lacks) => format!("{serves}; {}", wording::sync::lacks(lacks)),
                    None => serves,
                })
            }
            SyncCourse::Chosen { side, by } => Some(wording::sync::chosen(*side, *by)),
            SyncCourse::Stale { .. } | SyncCourse::Fresh | SyncCourse::Split => None,
        };
        if let Some(text) = text {
            self.timeline.command(context.now, &text);
        }
        self.news();
    }

    fn command(&mut self, command: Step, course: &CommandCourse, context: &Context) {
        let text = match course {
            CommandCourse::Started => wording::command::started(command),
            CommandCourse::Ended { result, .. } => wording::command::ended(command, result),
        };
        self.timeline.command(context.now, &text);
        self.news();
    }
}

impl Observer for Dashboard {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Seen(seen) => self.seen(seen, context),
            Occurrence::Decided(Decided::State(explanation)) => {
                let why = wording::reason::short(explanation);
                self.timeline.change(context.now, &explanation.change, &why);
                self.news();
            }
            Occurrence::Decided(Decided::DrillEnded(drill)) => {
                let ended = format!("the drill {}", wording::standby::drill(drill.result));
                self.timeline.command(context.now, &ended);
                self.news();
            }
            Occurrence::Sync(course) => self.copies(course, context),
            Occurrence::Command(command, course) => self.command(*command, course, context),
            Occurrence::Decided(Decided::Standby(_) | Decided::StandbyMode(_))
            | Occurrence::Order(..) => self.news(),
            Occurrence::Decided(_) | Occurrence::Daemon(_) | Occurrence::Turned => {}
        }
    }
}

/// Somebody began or ended to listen on the local port.
fn listener(change: &TcpStateChange) -> String {
    let does = match change.begins_to_listen() {
        true => "listens",
        false => "listens no longer",
    };
    format!("{} {does} on {}", change.origin.who(), change.local)
}

/// Somebody was refused the local port.
fn refused(bind: &Bind) -> String {
    let who = bind.origin.who();
    format!("{who} couldn't have {}: it is taken", bind.local)
}
