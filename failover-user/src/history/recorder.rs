//! Records incidents: observes all input and output of the decider, and
//! changes nothing. An incident is written whenever the state changes, so that little is lost when
//! the daemon is killed.

#[cfg(test)]
mod tests;

use std::{mem, path::Path, time::Duration};

use failover_decide::{
    Action, Change, CommandResult, Decider, Event, Outcome, PortObservation, StandbyState, State,
    Step, Time,
};
use failover_linux::clock;

use crate::{
    history::{
        Daemon, Drill, HISTORY, How, Line, Order, VERSION,
        incident::{Added, IncidentBuilder, bounded, wall},
        ledger::{Ledger, Totals},
    },
    observe::occurrence::{
        CommandCourse, Context, DaemonCourse, Decided, Observer, Occurrence, OrderCourse, Seen,
        Source, SyncCourse, typed,
    },
    standby::drill,
    state_dir::{
        Receipt,
        writer::{Health, Writer},
    },
    wording,
};

/// At the daemon's end, the last lines may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Recorder {
    ledger: Ledger,
    writer: Writer,
    state: State,
    /// How ready the local gateway was before what is decided now.
    standby: StandbyState,
    /// The ongoing incident; before it starts, what may become its first entries.
    incident: IncidentBuilder,
    open: Option<Open>,
    /// One that has ended, and whose last command hasn't.
    over: Option<IncidentBuilder>,
    /// When the last command was begun.
    command: Time,
    /// What the totals were after what was seen last, outside incidents.
    before: Spans,
    /// When the probe in flight was begun.
    probing: Option<Time>,
    /// The strike that was seen last.
    strike: Option<Time>,
    /// What the command that is about to end has said last.
    said: String,
    /// Whether the orders that were given are on disk.
    receipts: Vec<Receipt>,
}

/// What is known about the ongoing incident, besides its entries.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// What the totals were when it began.
    before: Spans,
    /// When it began.
    began: Time,
    /// When the last phase began.
    phase: Time,
    served: bool,
    released: bool,
    /// The local gateway was being started, or the primary was being fenced.
    acted: bool,
}

/// How long nobody served, and how long two did.
#[derive(Clone, Copy, Debug)]
struct Spans {
    no_gateway: Duration,
    dual_active: Duration,
}

impl Spans {
    fn of(ledger: &Ledger, now: Time) -> Self {
        let totals = ledger.totals(now);
        Self {
            no_gateway: totals.no_gateway,
            dual_active: totals.dual_active,
        }
    }
}

impl Observer for Recorder {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        let now = context.now;
        match occurrence {
            Occurrence::Daemon(course) => self.daemon(course, context),
            Occurrence::Seen(seen) => self.seen(seen, context),
            Occurrence::Decided(Decided::Event(event)) => self.sees(now, event),
            Occurrence::Decided(Decided::Actions(actions)) => {
                self.decided(now, context.decider, actions);
            }
            Occurrence::Decided(Decided::DrillEnded(drill)) => self.drilled(drill),
            Occurrence::Command(_, CommandCourse::Ended { output, .. }) => self.said(output),
            Occurrence::Order(order, OrderCourse::Given { by, pause }) => {
                let reason = pause.and_then(|(pause, _)| pause.reason.as_deref());
                self.ordered(*order, by, reason);
            }
            Occurrence::Sync(SyncCourse::Serves { with, age, .. }) => {
                self.incident.serves(*with, *age);
            }
            Occurrence::Turned => self.writer.go_on(),
            Occurrence::Decided(_)
            | Occurrence::Sync(_)
            | Occurrence::Command(_, CommandCourse::Started)
            | Occurrence::Order(
                _,
                OrderCourse::Waits { .. }
                | OrderCourse::Refused { .. }
                | OrderCourse::Unconfirmed { .. },
            ) => {}
        }
    }

    fn receipts(&mut self) -> Vec<Receipt> {
        mem::take(&mut self.receipts)
    }
}

impl Recorder {
    pub(crate) fn new(now: Time, state_dir: &Path, primary: String, dry_run: bool) -> Self {
        let ledger = Ledger::new(now);
        Self {
            before: Spans::of(&ledger, now),
            ledger,
            writer: Writer::new(&HISTORY, state_dir),
            state: State::Standby,
            standby: StandbyState::Cold,
            incident: IncidentBuilder::new(primary, dry_run),
            open: None,
            over: None,
            command: now,
            probing: None,
            strike: None,
            said: String::new(),
            receipts: Vec::new(),
        }
    }

    fn daemon(&mut self, course: &DaemonCourse, context: &Context) {
        match course {
            DaemonCourse::Begins { .. } => self.begin(),
            DaemonCourse::Reconfigured(_) => {
                let configuration = context.configuration;
                let primary = configuration.primary.to_string();
                self.incident.reconfigure(primary, configuration.dry_run);
            }
            DaemonCourse::Ends => self.end(context.now),
            DaemonCourse::Watches
            | DaemonCourse::Reloads
            | DaemonCourse::Reloaded
            | DaemonCourse::ReloadRefused(_)
            | DaemonCourse::Ended(_) => {}
        }
    }

    /// Whether the history is being kept.
    pub(crate) fn health(&self) -> Health {
        self.writer.health()
    }

    /// What was counted since the daemon began.
    pub(crate) fn totals(&self, now: Time) -> Totals {
        self.ledger.totals(now)
    }

    /// The daemon begins.
    fn begin(&self) {
        self.tell_of_daemon(true);
    }

    /// The daemon ends. Waits a moment for what is being written.
    fn end(&mut self, now: Time) {
        if self.open.is_some() {
            self.close(now, How::DaemonEnded, "the daemon ended in good order");
        }
        self.tell_of_daemon(false);
        self.writer.finish(PATIENCE);
    }

    // --- what is seen ------------------------------------------------------------------------

    fn seen(&mut self, seen: &Seen, context: &Context) {
        let now = context.now;
        match seen {
            Seen::Evidence(sighting) => match sighting.source {
                Source::Kernel(_) | Source::Tripwire | Source::Acknowledged(_) => {
                    self.note(now, &wording::reason::sighting(sighting));
                }
                Source::Own(_) => {}
            },
            Seen::Port(PortObservation::Foreign) => {
                let holder = context.port.listeners().held_by();
                self.note(now, &format!("the local port is held by {holder}"));
            }
            // Of one that nobody is stopping.
            Seen::GatewayProbe(probe) => {
                let is_failure = matches!(probe.outcome, Outcome::Failed { .. });
                if is_failure && probe.counts && !context.decider.gateway_comes_up() {
                    self.note(now, &wording::reason::gateway_probed(probe.outcome));
                }
            }
            Seen::Witnesses {
                result,
                for_decision: true,
            } => {
                let (answered, needed) = (result.answered, result.needed);
                let votes = wording::witness::votes(&result.votes);
                self.incident.witnesses(now, answered, needed, &votes);
            }
            Seen::Suspend(_)
            | Seen::KernelEvents { .. }
            | Seen::Listener(_)
            | Seen::RefusedBind(_)
            | Seen::Port(
                PortObservation::Absent | PortObservation::Terminating | PortObservation::Listening,
            )
            | Seen::Probe(_)
            | Seen::Certificate(_)
            | Seen::Readiness(_)
            | Seen::GatewayDrains(_)
            | Seen::Witnesses {
                for_decision: false,
                ..
            }
            | Seen::Start(_) => {}
        }
    }

    /// The decider is about to handle this event.
    fn sees(&mut self, now: Time, event: &Event) {
        match event {
            Event::Suspended => {
                self.ledger.absent(now);
                self.note(now, "the machine was suspended");
            }
            Event::Evidence(evidence, _) if !evidence.is_good() => self.ledger.broke(now),
            Event::ProbeEnded { outcome, .. } => self.probe_ended(now, outcome),
            Event::Port(gateway) => {
                self.ledger
                    .listens(now, *gateway == PortObservation::Listening);
            }
            Event::Operator(order) => self.note(now, wording::reason::order(*order)),
            Event::Guard(seen) => self.note(now, wording::reason::guard(*seen)),
            Event::CommandEnded { command, result } => {
                self.ledger.ended(*command, result);
                self.command_ended(now, result);
            }
            Event::Evidence(..)
            | Event::Witnesses { .. }
            | Event::DefaultRouters(_)
            | Event::RoutersPinged { .. }
            | Event::GatewayProbed { .. }
            | Event::GatewayDrains
            | Event::PrimaryDrains(_)
            | Event::ProbeWanted
            | Event::GatewayBegan(_)
            | Event::Begun(_)
            | Event::Woke
            | Event::Parking(_)
            | Event::Standby { .. }
            | Event::Armed => {}
        }
    }

    /// Something that explains what comes.
    fn note(&mut self, now: Time, what: &str) {
        self.incident.note(now, what);
    }

    /// What the command that is about to end has said last.
    fn said(&mut self, lines: &str) {
        lines.clone_into(&mut self.said);
    }

    /// The command in flight ended, of this incident or of the one that is over already.
    fn command_ended(&mut self, now: Time, result: &CommandResult) {
        let said = mem::take(&mut self.said);
        let took = now.since(self.command);
        match self.over.take() {
            Some(mut over) => {
                over.ended(took, result, &said);
                self.write(&Line::Incident(Box::new(over.into_written())));
            }
            None => self.incident.ended(took, result, &said),
        }
    }

    fn probe_ended(&mut self, now: Time, outcome: &Outcome) {
        let began = self.probing.take().unwrap_or(now);
        match outcome {
            Outcome::Connected { .. } => {
                self.ledger.answered(now);
                if self.open.is_none() {
                    // What was seen before belongs to nothing.
                    self.incident.forget();
                }
                return;
            }
            Outcome::Failed { .. } => self.incident.failed(),
            Outcome::Unknown { .. } => {}
        }
        // What fails once somebody else serves is no news.
        let is_decided = matches!(
            self.state,
            State::Fencing { .. }
                | State::Starting { .. }
                | State::Active
                | State::Restarting { .. }
                | State::Stopping { .. }
        );
        if !is_decided {
            self.incident.probe(began, now, outcome);
        }
    }

    // --- what is decided ---------------------------------------------------------------------

    /// The decider has decided this.
    fn decided(&mut self, now: Time, decider: &Decider, actions: &[Action]) {
        match decider.primary_answers() {
            Some(true) => {}
            Some(false) => {
                let first = decider.strikes().first();
                self.ledger
                    .failed(now, first.map_or(now, |first| first.due));
            }
            None => self.ledger.unknown(now),
        }
        self.mark_strike(decider);
        for action in actions {
            match action {
                Action::Record(change) => {
                    self.ledger.changed(change);
                    self.changed(now, change, decider.takes_over_by_order());
                }
                Action::Run(command) => self.run(now, *command),
                Action::Withhold(command) => {
                    self.note(
                        now,
                        &format!("paused: the {command} command would be run now"),
                    );
                }
                Action::Probe { .. } => self.probing = Some(now),
                Action::Kill(_)
                | Action::AskWitnesses { .. }
                | Action::PingRouters
                | Action::Standby(_)
                | Action::DrillEnded(_)
                | Action::ProbeGateway { .. } => {}
            }
        }
        self.standby = decider.standby_state();
        if self.open.is_none() {
            self.before = Spans::of(&self.ledger, now);
        }
    }

    /// The probe that ended last may have been one.
    fn mark_strike(&mut self, decider: &Decider) {
        let newest = decider.strikes().last().map(|strike| strike.due);
        if newest > self.strike {
            self.incident.strike();
        }
        self.strike = newest.max(self.strike);
    }

    fn run(&mut self, now: Time, command: Step) {
        self.command = now;
        self.over = None;
        self.incident.run(now, command);
    }

    fn changed(&mut self, now: Time, change: &Change, by_order: bool) {
        self.state = change.to;
        let reason = wording::reason::change(change);
        let open = match self.open {
            Some(open) => open,
            None if change.to == State::Standby => return,
            None => self.open(now, &reason),
        };
        self.incident.lasted(now.since(open.phase));
        let released = matches!(change.from, State::Stopping { .. })
            && !matches!(change.to, State::Stopping { .. } | State::Active);
        let open = self.open.insert(Open {
            served: open.served || change.to == State::Active,
            released: open.released || (released && open.served),
            ..open
        });
        if change.to == State::Standby {
            let how = match open.released {
                true => How::Released,
                false => How::Recovered,
            };
            self.close(now, how, &reason);
            return;
        }
        let acts = |state| matches!(state, State::Fencing { .. } | State::Starting { .. });
        if acts(change.to) && !open.acted && !by_order {
            // What it began with is only the first of what it was decided by.
            open.acted = true;
            self.incident
                .because(&wording::probe::strikes(&change.strikes));
        }
        let added = self.incident.enter(now, change, self.standby);
        if added != Added::Nothing {
            open.phase = now;
        }
        // Attempts ever less often: there may be as many as a night has minutes.
        let is_worth_it = match added {
            Added::Nothing => false,
            Added::Attempt => change.to.attempt().is_some_and(u32::is_power_of_two),
            Added::State => true,
        };
        if is_worth_it {
            self.tell(now);
        }
    }

    /// An incident begins.
    fn open(&mut self, now: Time, reason: &str) -> Open {
        self.incident.begin(now, reason);
        let open = Open {
            before: self.before,
            began: now,
            phase: now,
            served: false,
            released: false,
            acted: false,
        };
        self.open = Some(open);
        open
    }

    fn close(&mut self, now: Time, how: How, reason: &str) {
        self.incident.end(now, how, reason);
        self.tell(now);
        let over = self.incident.take();
        self.over = over.runs().then_some(over);
        self.open = None;
    }

    /// All that is known of the incident until now.
    fn tell(&mut self, now: Time) {
        let Some(open) = self.open else {
            return;
        };
        let totals = Spans::of(&self.ledger, now);
        self.incident.lasted(now.since(open.phase));
        let incident = self.incident.write(
            now,
            now.since(open.began),
            totals.no_gateway.saturating_sub(open.before.no_gateway),
            totals.dual_active.saturating_sub(open.before.dual_active),
            self.ledger.counting(),
        );
        self.write(&Line::Incident(Box::new(incident)));
    }

    /// An order is followed.
    fn ordered(&mut self, order: failover_decide::Order, by: &str, reason: Option<&str>) {
        let (words, until) = typed(order);
        let receipt = self.written(&Line::Order(Order {
            version: VERSION,
            at: wall(clock::now()),
            order: words.to_owned(),
            by: by.to_owned(),
            until: until.map(wall),
            reason: reason.map(bounded),
        }));
        self.receipts.push(receipt);
    }

    /// A drill has ended. It is no part of an incident.
    fn drilled(&mut self, drill: &drill::Drill) {
        self.ledger.drilled(drill.result);
        self.write(&Line::Drill(Drill {
            version: VERSION,
            at: drill.at,
            result: drill.result.into(),
            took_ms: drill.took_ms,
            packets_sent: drill.packets_sent,
            memory_bytes: drill.memory_bytes,
            said: drill.said.as_deref().map(bounded),
        }));
    }

    fn tell_of_daemon(&self, began: bool) {
        self.write(&Line::Daemon(Daemon {
            version: VERSION,
            at: wall(clock::now()),
            pid: std::process::id(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            began,
        }));
    }

    fn write(&self, line: &Line) {
        drop(self.written(line));
    }

    fn written(&self, line: &Line) -> Receipt {
        // Texts, numbers and times: JSON can hold all of them.
        self.writer
            .write(serde_json::to_vec(line).unwrap_or_default())
    }
}
