//! What happens, as one type: whatever the loop receives, decides and carries out. A change that anybody could
//! want to see is one [`Occurrence`], and reaches every observer in the same way. It must not know the observers.

use std::time::Duration;

use failover_decide::{
    Action, Cause, CommandResult, Decider, Event, Evidence, Order, Outcome, PortObservation,
    Probing, Refusal, StandbyState, Step, Time,
};
use failover_linux::bpf::event::{Bind, Origin, TcpStateChange};
use failover_sync::generation::Number;

use crate::{
    config::Configuration,
    gateway::{command::survivors::Found, port::LocalPort},
    history::ledger::Totals,
    primary::check::readiness::Readiness,
    standby::{drill::Drill, mode::Effective},
    state_dir::{
        Receipt,
        persisted::{Paused, Persisted},
    },
    status::explanation::Explanation,
    sync::{lineage::Side, rounds::Report},
    witness::quorum::QuorumResult,
};

/// Sees what happens, and changes none of it.
pub(crate) trait Observer {
    /// This happens now.
    fn observe(&mut self, occurrence: &Occurrence, context: &Context);

    /// Each gets whether something that was observed is on disk, where it is kept there.
    fn receipts(&mut self) -> Vec<Receipt> {
        Vec::new()
    }
}

/// How everything is while something happens.
pub(crate) struct Context<'now> {
    pub(crate) now: Time,
    pub(crate) configuration: &'now Configuration,
    pub(crate) decider: &'now Decider,
    pub(crate) port: &'now LocalPort,
    /// What survives, as it was given.
    pub(crate) persisted: &'now Persisted,
}

/// Something happens.
#[derive(Debug)]
pub(crate) enum Occurrence<'a> {
    /// With the daemon itself.
    Daemon(DaemonCourse<'a>),
    /// Something was seen.
    Seen(Seen<'a>),
    /// Something was decided.
    Decided(Decided<'a>),
    /// A command takes its course.
    Command(Step, CommandCourse<'a>),
    /// An operator gives an order.
    Order(Order, OrderCourse<'a>),
    /// Something happens with the copies of the primary's state.
    Sync(SyncCourse<'a>),
    /// All that follows from what woke the loop is done, for now.
    Turned,
}

/// The daemon's own course.
#[derive(Debug)]
pub(crate) enum DaemonCourse<'a> {
    /// It begins: the port was polled, and nothing was decided yet.
    Begins { kernel_events: bool },
    /// It watches. The conditions by now are no news.
    Watches,
    /// It reads its configuration again.
    Reloads,
    /// Another configuration is in force from now on.
    Reconfigured(Probing),
    /// All that follows from another configuration is done.
    Reloaded,
    /// The new configuration is refused, for this reason.
    ReloadRefused(&'a str),
    /// It ends.
    Ends,
    /// It has ended, after this.
    Ended(&'a Totals),
}

/// What was seen.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// The machine was suspended for this time.
    Suspend(Duration),
    /// The number of kernel events in a batch, and the number lost before it.
    KernelEvents { count: usize, lost: u64 },
    /// Something happened on a connection to the primary.
    Evidence(Sighting<'a>),
    /// Somebody began or ended to listen on the local port.
    Listener(&'a TcpStateChange),
    /// Somebody was refused the local port.
    RefusedBind(&'a Bind),
    /// The local port was polled.
    Port(PortObservation),
    /// A probe of the primary has ended.
    Probe(ProbeSeen<'a>),
    /// The primary shows another certificate than before that isn't trusted.
    Certificate(&'a str),
    /// The primary says something else of itself than before.
    Readiness(&'a Readiness),
    /// A check of the local gateway has ended.
    GatewayProbe(GatewayProbeSeen<'a>),
    /// The local gateway says for the first time that it drains, since then.
    GatewayDrains(Time),
    /// The witnesses were asked, for a decision or for none.
    Witnesses {
        result: &'a QuorumResult,
        for_decision: bool,
    },
    /// Something else is known of what a start began.
    Start(&'a Found),
}

/// Something that happened on a connection to the primary, and how that is known.
#[derive(Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) evidence: Evidence,
    pub(crate) source: Source<'a>,
}

/// How evidence is known.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// A kernel event, on any connection.
    Kernel(&'a Origin),
    /// The same, on a connection of this program's own: true, and no other's, and no reason.
    Own(&'a Origin),
    /// The tripwire.
    Tripwire,
    /// The primary acknowledged something of somebody's so long ago.
    Acknowledged(Duration),
}

/// A probe of the primary that has ended.
#[derive(Debug)]
pub(crate) struct ProbeSeen<'a> {
    pub(crate) outcome: &'a Outcome,
    /// Why it was made.
    pub(crate) cause: Option<Cause>,
    /// The certificate that wasn't trusted.
    pub(crate) certificate: Option<&'a str>,
    /// What the primary says of itself.
    pub(crate) readiness: Option<&'a Readiness>,
}

/// A check of the local gateway that has ended.
#[derive(Debug)]
pub(crate) struct GatewayProbeSeen<'a> {
    pub(crate) outcome: &'a Outcome,
    /// Somebody waited for it, and its failure counts.
    pub(crate) counts: bool,
    /// The local gateway drains, since then.
    pub(crate) draining: Option<Time>,
}

/// What was decided.
#[derive(Debug)]
pub(crate) enum Decided<'a> {
    /// The decider is about to handle this event.
    Event(&'a Event),
    /// It has decided this.
    Actions(&'a [Action]),
    /// The state changed, for this reason.
    State(&'a Explanation),
    /// This command would be run now, but for a pause.
    Withheld(Step),
    /// A pause is in force that an operator ordered.
    Paused,
    /// The pause is over.
    PauseOver,
    /// A release by hand holds no longer.
    HoldOver,
    /// The primary was seen healthy for the first time.
    Armed,
    /// The local gateway is so ready now.
    Standby(StandbyState),
    /// A drill has ended.
    DrillEnded(&'a Drill),
    /// The local gateway is kept so ready from now on.
    StandbyMode(&'a Effective),
}

/// The course of a command.
#[derive(Debug)]
pub(crate) enum CommandCourse<'a> {
    /// It runs.
    Started,
    /// It has ended.
    Ended {
        result: &'a CommandResult,
        /// What it wrote last.
        output: &'a str,
        /// The last line of that.
        last_line: Option<&'a str>,
    },
}

/// The course of an order, and the operator who gave it.
#[derive(Debug)]
pub(crate) enum OrderCourse<'a> {
    /// It waits until the primary was probed.
    Waits { by: &'a str },
    /// It isn't followed.
    Refused { by: &'a str, refusal: Refusal },
    /// It has to be confirmed.
    Unconfirmed { by: &'a str },
    /// It is about to be followed.
    Given {
        by: &'a str,
        /// What it pauses, and what that changes, in a sentence.
        pause: Option<(&'a Paused, &'a str)>,
    },
}

/// What happens with the copies of the primary's state.
#[derive(Debug)]
pub(crate) enum SyncCourse<'a> {
    /// A task has ended.
    Ended(&'a Report),
    /// The local gateway begins to serve, with this generation, which is so old; `None`: with what it had of its own.
    Serves {
        with: Option<Number>,
        age: Option<Duration>,
        /// `None`: there is no newer one.
        lacks: Option<&'a Lacks>,
    },
    /// The newest copy is older than it may be, as rounds fail.
    Stale {
        /// `None`: there is none.
        age: Option<Duration>,
        why: &'a str,
    },
    /// It isn't any longer.
    Fresh,
    /// Both sides have changes that the other lacks.
    Split,
    /// Both sides had changed, and this one's state stays. `None`: the other had nothing of its own.
    Chosen { side: Side, by: Option<&'a str> },
}

/// The local gateway serves without a copy that there is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lacks {
    pub(crate) newest: Number,
    /// Why, for people.
    pub(crate) why: String,
}

/// What was typed, and until when it holds.
pub(crate) const fn typed(order: Order) -> (&'static str, Option<Time>) {
    match order {
        Order::Pause { until } => ("pause", until),
        Order::Resume => ("resume", None),
        Order::TakeOver { force: false } => ("takeover", None),
        Order::TakeOver { force: true } => ("takeover --force", None),
        Order::Drill => ("drill", None),
        Order::Release { hold_until } => ("release", hold_until),
    }
}
