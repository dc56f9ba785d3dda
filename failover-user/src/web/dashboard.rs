//! Those who look from outside: what is kept for them, and what they are shown. None of it decides
//! anything.

use std::net::SocketAddr;

use failover_decide::{Change, Outcome, State, Time};
use failover_linux::{
    bpf::event::{Bind, TcpStateChange},
    clock,
};

use crate::{
    runtime::parts::Parts,
    status::Status,
    web::{Question, View, Web, metrics::Probes, timeline::Timeline},
};

/// What `status --watch` and the page show of it.
const MOST_NOTES: usize = 40;

/// See the module.
pub(crate) struct Watchers {
    timeline: Timeline,
    probes: Probes,
    /// Kernel events so far.
    seen: u64,
    listening: bool,
    web: Option<Web>,
    parts: Parts,
}

impl Watchers {
    /// Inside a tokio runtime.
    pub(crate) fn new(metrics: Option<SocketAddr>, state: State, parts: Parts) -> Self {
        let mut timeline = Timeline::default();
        timeline.state(clock::now(), state.name());
        let mut watchers = Self {
            timeline,
            probes: Probes::default(),
            seen: 0,
            listening: false,
            web: None,
            parts,
        };
        watchers.serve_at(metrics);
        watchers
    }

    /// They find it there from now on.
    pub(crate) fn serve_at(&mut self, metrics: Option<SocketAddr>) {
        // The old one goes first: its port may be the new one's.
        self.web = None;
        // Nobody misses one that isn't wanted any longer.
        let part = self.parts.part("the page and the metrics");
        part.works();
        self.web = metrics.map(|metrics| Web::at(metrics, part));
    }

    /// Since when one waits for an answer.
    pub(crate) fn waits_since(&self) -> Option<Time> {
        self.web.as_ref().and_then(Web::waits_since)
    }

    /// Waits until one asks. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Question {
        match &mut self.web {
            Some(web) => web.next().await,
            None => std::future::pending().await,
        }
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
        if let Some(web) = &self.web {
            web.changed();
        }
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
