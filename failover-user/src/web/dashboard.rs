//! Those who look from outside: what is kept for them, and what they are shown. None of it decides
//! anything.

use tokio::sync::watch;

use failover_decide::{Change, Outcome, State};
use failover_linux::{
    bpf::event::{Bind, TcpStateChange},
    clock,
};

use crate::{
    status::Status,
    web::{Question, View, metrics::Probes, timeline::Timeline},
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
        timeline.state(clock::now(), state.name());
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

    pub(crate) fn answer(&self, question: Question, status: Status) {
        question.answer(View {
            now: clock::now(),
            status,
            timeline: self.timeline.clone(),
            probes: self.probes.clone(),
        });
    }

    /// Adds to the document what is kept here.
    pub(crate) fn add_to(&self, status: &mut Status) {
        status.recent = self.timeline.recent(MOST_NOTES, clock::told);
        status.kernel_events.seen = self.seen;
    }

    // --- what is kept ----------------------------------------------------------------------------

    /// There is something new to see.
    pub(crate) fn news(&self) {
        self.changes.send_replace(());
    }

    pub(crate) fn probe(&mut self, outcome: &Outcome) {
        self.probes.note(outcome);
        self.timeline.probe(clock::now(), outcome);
        self.news();
    }

    pub(crate) fn change(&mut self, change: &Change, why: &str) {
        self.timeline.change(clock::now(), change, why);
        self.news();
    }

    pub(crate) fn command(&mut self, text: &str) {
        self.timeline.command(clock::now(), text);
        self.news();
    }

    pub(crate) fn kernel_events(&mut self, count: usize) {
        self.seen = self.seen.saturating_add(count as u64);
    }

    /// The kernel told of something on a connection to the primary.
    pub(crate) fn evidence(&mut self, text: &str) {
        self.timeline.kernel(clock::now(), text);
        self.news();
    }

    /// Somebody began or ended to listen on the local port.
    pub(crate) fn listener(&mut self, change: &TcpStateChange) {
        let does = match change.begins_to_listen() {
            true => "listens",
            false => "listens no longer",
        };
        let text = format!("{} {does} on {}", change.origin.who(), change.local);
        self.evidence(&text);
    }

    /// Somebody was refused the local port.
    pub(crate) fn refused(&mut self, bind: &Bind) {
        let text = format!(
            "{} couldn't have {}: it is taken",
            bind.origin.who(),
            bind.local
        );
        self.evidence(&text);
    }

    /// Whether anybody listens was looked at.
    pub(crate) fn looked(&mut self, listening: bool) {
        if listening != self.listening {
            self.listening = listening;
            self.news();
        }
    }
}
