//! What happened, for those who ask later: sees whatever goes into the decider and comes out of it, and
//! changes none of it. An incident is told of whenever the state changes, so that little is lost when
//! the daemon is killed.

use std::{mem, path::Path, time::Duration};

use jiff::{Timestamp, Unit};

use super::{
    ledger::{Ledger, Totals},
    tell,
    writer::{Health, Writer},
};
use crate::{
    clock,
    decide::{
        Action, Change, Command, CommandResult, Decider, Event, Failure, Gateway, Outcome, Reason,
        State, Time,
    },
    history::{self, Daemon, Ending, How, Incident, Line, Note, Phase, Probe, Round, VERSION},
};

/// Of each list of an incident so many entries are kept: the first half and the last.
const MOST_KEPT: usize = 32;
/// Longer texts are cut.
const LONGEST_TEXT: usize = 400;
/// At the daemon's end, the last lines may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Recorder {
    ledger: Ledger,
    writer: Writer,
    dry_run: bool,
    state: State,
    /// The incident that goes on; before it begins, what it may begin with.
    incident: Incident,
    open: Option<Open>,
    /// One that has ended, and whose last command hasn't.
    over: Option<Box<Incident>>,
    /// When the last command was begun.
    command: Time,
    /// The totals after what was seen last, outside incidents.
    before: Totals,
    /// When the probe in flight was begun.
    probing: Option<Time>,
    /// The strike that was seen last.
    strike: Option<Time>,
    /// What the command that is about to end has said last.
    said: String,
}

/// What is known of the incident that goes on, beside what is told.
#[derive(Clone, Copy, Debug)]
struct Open {
    totals: Totals,
    /// When the last phase began.
    phase: Time,
    served: bool,
    released: bool,
}

impl Recorder {
    pub(super) fn new(now: Time, state_dir: &Path, primary: String, dry_run: bool) -> Self {
        let ledger = Ledger::new(now);
        Self {
            before: ledger.totals(now),
            ledger,
            writer: Writer::to(state_dir),
            dry_run,
            state: State::Standby,
            incident: blank(primary, dry_run),
            open: None,
            over: None,
            command: now,
            probing: None,
            strike: None,
            said: String::new(),
        }
    }

    /// Whether the history is being kept.
    pub(super) fn health(&self) -> Health {
        self.writer.health()
    }

    /// What was counted since the daemon began.
    pub(super) fn totals(&self, now: Time) -> Totals {
        self.ledger.totals(now)
    }

    /// The daemon begins.
    pub(super) fn begin(&self) {
        self.tell_of_daemon(true);
    }

    /// The daemon ends. Waits a moment for what is being written.
    pub(super) fn end(&mut self, now: Time) {
        if self.open.is_some() {
            self.close(
                now,
                How::DaemonEnded,
                "the daemon ended in good order".to_owned(),
            );
        }
        self.tell_of_daemon(false);
        self.writer.finish(PATIENCE);
    }

    /// Another configuration is in force.
    pub(super) fn reconfigured(&mut self, primary: String, dry_run: bool) {
        self.incident.primary = primary;
        self.incident.dry_run = dry_run;
        self.dry_run = dry_run;
    }

    // --- what is seen ------------------------------------------------------------------------

    /// The decider is about to be told this.
    pub(super) fn sees(&mut self, now: Time, event: &Event) {
        match event {
            Event::Suspended => {
                self.ledger.absent(now);
                self.note(now, "the machine was suspended");
            }
            Event::Evidence(evidence) if !evidence.is_good() => self.ledger.broke(now),
            Event::ProbeEnded { outcome, .. } => self.probe_ended(now, outcome),
            Event::Gateway(gateway) => {
                self.ledger.listens(now, *gateway == Gateway::Listening);
            }
            Event::GatewayProbed { outcome, .. } => {
                if !matches!(outcome, Outcome::Connected { .. }) {
                    let what = Reason::GatewayProbed(outcome.clone()).to_string();
                    self.note(now, &what);
                }
            }
            Event::Operator(order) => self.note(now, &Reason::Ordered(*order).to_string()),
            Event::CommandEnded { command, result } => {
                self.ledger.ended(*command, result);
                self.command_ended(now, result);
            }
            Event::Evidence(_)
            | Event::Witnesses { .. }
            | Event::Counting(_)
            | Event::Woke
            | Event::Armed => {}
        }
    }

    /// Something that explains what comes.
    pub(super) fn note(&mut self, now: Time, what: &str) {
        let what = bounded(what);
        // Often the same is seen again and again.
        let is_news = self
            .incident
            .events
            .last()
            .is_none_or(|last| last.what != what);
        if is_news {
            let note = Note {
                at: wall(now),
                what,
            };
            keep(&mut self.incident.events, note, &mut self.incident.left_out);
        }
    }

    /// Somebody has the port who isn't the gateway.
    pub(super) fn note_stranger(&mut self, now: Time, who: &str) {
        self.note(now, &format!("the local port is held by {who}"));
    }

    /// The witnesses were asked, for a decision.
    pub(super) fn witnesses(&mut self, now: Time, answered: u32, needed: u32, answers: &str) {
        let round = Round {
            at: wall(now),
            answered,
            needed,
            answers: bounded(answers),
        };
        keep(
            &mut self.incident.witnesses,
            round,
            &mut self.incident.left_out,
        );
    }

    /// What the command that is about to end has said last.
    pub(super) fn said(&mut self, lines: &str) {
        lines.clone_into(&mut self.said);
    }

    /// The command in flight ended, of this incident or of the one that is over already.
    fn command_ended(&mut self, now: Time, result: &CommandResult) {
        let said = mem::take(&mut self.said);
        let is_late = self.over.is_some();
        let incident = self.over.as_deref_mut().unwrap_or(&mut self.incident);
        let Some(command) = incident.commands.last_mut() else {
            return;
        };
        command.took_ms = Some(milliseconds(now.since(self.command)));
        command.result = Some(bounded(&result.to_string()));
        if !result.is_success() {
            command.said = bounded(&said);
        }
        if is_late && let Some(over) = self.over.take() {
            self.write(&Line::Incident(over));
        }
    }

    fn probe_ended(&mut self, now: Time, outcome: &Outcome) {
        let began = self.probing.take().unwrap_or(now);
        let layer = match outcome {
            Outcome::Connected { .. } => {
                self.ledger.answered(now);
                if self.open.is_none() {
                    // What was seen before belongs to nothing.
                    self.incident = blank(mem::take(&mut self.incident.primary), self.dry_run);
                }
                return;
            }
            Outcome::Failed { failure, .. } => {
                self.incident.failed_probes += 1;
                layer(*failure)
            }
            Outcome::Unknown { .. } => "unknown",
        };
        // What fails once somebody else serves is no news.
        let is_decided = matches!(
            self.state,
            State::Fencing { .. }
                | State::Starting { .. }
                | State::Active
                | State::Restarting { .. }
                | State::Stopping { .. }
        );
        if is_decided {
            return;
        }
        let probe = Probe {
            began: wall(began),
            outcome: bounded(&tell::outcome(outcome)),
            layer: layer.to_owned(),
            took_ms: milliseconds(now.since(began)),
            strike: false,
        };
        keep(
            &mut self.incident.probes,
            probe,
            &mut self.incident.left_out,
        );
    }

    // --- what is decided ---------------------------------------------------------------------

    /// The decider has decided this.
    pub(super) fn decided(&mut self, now: Time, decider: &Decider, actions: &[Action]) {
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
                    self.changed(now, change);
                }
                Action::Run(command) => self.run(now, *command),
                Action::Withhold(command) => {
                    self.note(
                        now,
                        &format!("paused: the {command} command would be run now"),
                    );
                }
                Action::Probe { .. } => self.probing = Some(now),
                Action::Kill(_) | Action::AskWitnesses { .. } | Action::ProbeGateway { .. } => {}
            }
        }
        if self.open.is_none() {
            self.before = self.ledger.totals(now);
        }
    }

    /// The probe that ended last may have been one.
    fn mark_strike(&mut self, decider: &Decider) {
        let newest = decider.strikes().last().map(|strike| strike.due);
        if newest > self.strike
            && let Some(probe) = self.incident.probes.last_mut()
        {
            probe.strike = true;
        }
        self.strike = newest.max(self.strike);
    }

    fn run(&mut self, now: Time, command: Command) {
        self.command = now;
        self.over = None;
        let command = history::Command {
            command: command.to_string(),
            began: wall(now),
            took_ms: None,
            result: None,
            said: String::new(),
        };
        keep(
            &mut self.incident.commands,
            command,
            &mut self.incident.left_out,
        );
    }

    fn changed(&mut self, now: Time, change: &Change) {
        self.state = change.to;
        let reason = bounded(&change.reason.to_string());
        let open = match self.open {
            Some(open) => open,
            None if change.to == State::Standby => return,
            None => self.open(now, &reason),
        };
        self.end_phase(now, open);
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
            self.close(now, how, reason);
            return;
        }
        let phase = Phase {
            state: change.to.name().to_owned(),
            attempt: attempt(change.to),
            began: wall(now),
            took_ms: 0,
            reason,
        };
        let (is_new_state, is_new_phase) = match self.incident.phases.last() {
            Some(last) => (
                last.state != phase.state,
                last.state != phase.state || last.attempt != phase.attempt,
            ),
            None => (true, true),
        };
        if is_new_phase {
            open.phase = now;
            keep(
                &mut self.incident.phases,
                phase,
                &mut self.incident.left_out,
            );
        }
        if is_new_state {
            self.tell(now);
        }
    }

    /// An incident begins.
    fn open(&mut self, now: Time, reason: &str) -> Open {
        let began = wall(now);
        let day = began.strftime("%Y%m%dT%H%M%S");
        self.incident.id = format!("{day}-{:04x}", fastrand::u16(..));
        self.incident.began = began;
        reason.clone_into(&mut self.incident.reason);
        let open = Open {
            totals: self.before,
            phase: now,
            served: false,
            released: false,
        };
        self.open = Some(open);
        open
    }

    fn end_phase(&mut self, now: Time, open: Open) {
        if let Some(last) = self.incident.phases.last_mut() {
            last.took_ms = milliseconds(now.since(open.phase));
        }
    }

    fn close(&mut self, now: Time, how: How, reason: String) {
        self.incident.ended = Some(Ending {
            at: wall(now),
            how,
            reason,
        });
        self.tell(now);
        let new = blank(self.incident.primary.clone(), self.dry_run);
        let old = mem::replace(&mut self.incident, new);
        let command = old.commands.last();
        let runs = command.is_some_and(|command| command.result.is_none());
        self.over = runs.then(|| Box::new(old));
        self.open = None;
    }

    /// All that is known of the incident until now.
    fn tell(&mut self, now: Time) {
        let Some(open) = self.open else {
            return;
        };
        let totals = self.ledger.totals(now);
        let spent = |after: Duration, before: Duration| milliseconds(after.saturating_sub(before));
        self.incident.told = wall(now);
        self.incident.no_gateway_ms = spent(totals.no_gateway, open.totals.no_gateway);
        self.incident.dual_active_ms = spent(totals.dual_active, open.totals.dual_active);
        self.end_phase(now, open);
        self.write(&Line::Incident(Box::new(self.incident.clone())));
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
        if let Ok(line) = serde_json::to_vec(line) {
            self.writer.write(line);
        }
    }
}

fn blank(primary: String, dry_run: bool) -> Incident {
    Incident {
        version: VERSION,
        id: String::new(),
        told: Timestamp::UNIX_EPOCH,
        primary,
        dry_run,
        began: Timestamp::UNIX_EPOCH,
        reason: String::new(),
        ended: None,
        no_gateway_ms: 0,
        dual_active_ms: 0,
        phases: Vec::new(),
        probes: Vec::new(),
        failed_probes: 0,
        events: Vec::new(),
        witnesses: Vec::new(),
        commands: Vec::new(),
        left_out: 0,
    }
}

const fn layer(failure: Failure) -> &'static str {
    match failure.is_above_tcp() {
        true => "answer",
        false => "connect",
    }
}

const fn attempt(state: State) -> Option<u32> {
    match state {
        State::Fencing { attempt }
        | State::Starting { attempt }
        | State::Restarting { attempt }
        | State::Stopping { attempt } => Some(attempt),
        _ => None,
    }
}

/// How the beginning came about and how it ended is worth more than what was in between.
fn keep<T>(list: &mut Vec<T>, entry: T, left_out: &mut u64) {
    if list.len() == MOST_KEPT {
        list.remove(MOST_KEPT / 2);
        *left_out += 1;
    }
    list.push(entry);
}

fn bounded(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// To the millisecond, which is all that anybody reads.
fn wall(time: Time) -> Timestamp {
    let wall = clock::wall(time);
    wall.round(Unit::Millisecond).unwrap_or(wall)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::decide::{Evidence, Fence, Order, ProbeId, Settings};

    const FAILED: Outcome = Outcome::Failed {
        failure: Failure::Refused,
        took: Duration::from_millis(100),
    };
    const ANSWERED: Outcome = Outcome::Connected {
        took: Duration::from_millis(100),
    };

    /// A daemon as far as the recorder is concerned.
    struct World {
        recorder: Recorder,
        decider: Decider,
        now: Time,
        probe: Option<ProbeId>,
        directory: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let seconds = Duration::from_secs;
            let settings = Settings {
                interval: seconds(30),
                recovery_interval: seconds(1),
                timeout: seconds(5),
                strikes: NonZeroU32::new(3).unwrap(),
                start_timeout: seconds(90),
                stop_timeout: seconds(90),
                confirm_interval: seconds(30),
                witness_quorum: 0,
                fence: Fence::None,
                fence_timeout: seconds(60),
                veto_limit: 3,
                watch_gateway: false,
                needs_arming: false,
                flapping: None,
            };
            let directory = tempfile::tempdir().unwrap();
            // Now, so that the wall clock's times are today's.
            let now = clock::now();
            let mut world = Self {
                recorder: Recorder::new(now, directory.path(), "pc-a:1".to_owned(), false),
                decider: Decider::new(settings, now),
                now,
                probe: None,
                directory,
            };
            world.recorder.begin();
            world.handle(Event::Gateway(Gateway::Absent));
            world
        }

        fn handle(&mut self, event: Event) {
            self.recorder.sees(self.now, &event);
            let actions = self.decider.handle(self.now, event);
            self.recorder.decided(self.now, &self.decider, &actions);
            for action in actions {
                match action {
                    Action::Probe { probe, .. } => self.probe = Some(probe),
                    Action::Run(Command::Stop) => {
                        self.pass(200);
                        self.handle(Event::CommandEnded {
                            command: Command::Stop,
                            result: CommandResult::Succeeded,
                        });
                        self.handle(Event::Gateway(Gateway::Absent));
                    }
                    _ => {}
                }
            }
        }

        /// Time goes by, and the primary goes on failing.
        fn until(&mut self, done: impl Fn(&Self) -> bool) {
            for _ in 0..10_000 {
                if done(self) {
                    return;
                }
                if self.probe.is_some() {
                    self.probe(FAILED);
                } else {
                    self.now = self.now.max(self.decider.next_wake().unwrap());
                    self.handle(Event::Woke);
                }
            }
            panic!("{:?}", self.decider);
        }

        fn pass(&mut self, milliseconds: u64) {
            self.now = self.now + Duration::from_millis(milliseconds);
        }

        /// The next probe begins when it is due, and ends like this.
        fn probe(&mut self, outcome: Outcome) {
            if self.probe.is_none() {
                self.now = self.now.max(self.decider.next_wake().unwrap());
                self.handle(Event::Woke);
            }
            self.pass(100);
            let probe = self.probe.take().expect("a probe that is due");
            self.handle(Event::ProbeEnded { probe, outcome });
        }

        fn ended(&mut self, command: Command, result: CommandResult) {
            self.handle(Event::CommandEnded { command, result });
        }

        fn told(&self) -> Vec<Incident> {
            self.recorder.writer.finish(PATIENCE);
            history::read(self.directory.path()).unwrap().incidents
        }
    }

    fn phases(incident: &Incident) -> Vec<(&str, u64)> {
        let phases = incident.phases.iter();
        phases.map(|one| (&*one.state, one.took_ms)).collect()
    }

    #[test]
    fn a_takeover_and_its_release_are_one_incident_with_evidence_and_durations() {
        let mut world = World::new();
        world.probe(ANSWERED);
        world.pass(1000);
        world.recorder.note(world.now, "tripwire: connection reset");
        let reset = world.now;
        world.handle(Event::Evidence(Evidence::Reset));
        for _ in 0..3 {
            world.probe(FAILED);
        }
        world.pass(2000);
        world.ended(Command::Start, CommandResult::Succeeded);
        world.pass(500);
        world.handle(Event::Gateway(Gateway::Listening));
        let nobody = milliseconds(world.now.since(reset));
        world.probe(FAILED);
        world.probe(FAILED);
        world.probe(ANSWERED);
        let told = world.told();
        let [incident] = &told[..] else {
            panic!("{told:#?}");
        };
        let phases = phases(incident);
        let names: Vec<&str> = phases.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["suspect", "starting", "active", "stopping"]);
        let (suspect, starting, stopping) = (phases[0].1, phases[1].1, phases[3].1);
        assert!((60_000..61_000).contains(&suspect), "{phases:?}");
        assert_eq!((starting, stopping), (2500, 200), "{phases:?}");
        assert_eq!(incident.dual_active_ms, 200);
        // From the reset on, which brought the first probe forward.

        assert_eq!(incident.no_gateway_ms, nobody);
        assert_eq!(incident.events[0].what, "tripwire: connection reset");
        let strikes: Vec<bool> = incident.probes.iter().map(|probe| probe.strike).collect();
        assert_eq!(strikes, [true, true, true]);
        assert_eq!(incident.probes[0].layer, "connect");
        assert_eq!(incident.probes[0].outcome, "refused after 100.0ms");
        assert_eq!(incident.failed_probes, 5);
        let commands = incident.commands.iter();
        let commands: Vec<_> = commands
            .map(|one| (&*one.command, one.took_ms, one.result.as_deref()))
            .collect();
        assert_eq!(
            commands,
            [
                ("start", Some(2000), Some("succeeded")),
                ("stop", Some(200), Some("succeeded"))
            ]
        );
        let ending = incident.ended.as_ref().unwrap();
        assert_eq!(ending.how, How::Released);
        assert_eq!(incident.last(), ending.at);
    }

    #[test]
    fn what_was_seen_before_a_good_probe_belongs_to_no_incident() {
        let mut world = World::new();
        world.recorder.note(world.now, "connection refused");
        world.probe(ANSWERED);
        world.probe(FAILED);
        world.probe(ANSWERED);
        let told = world.told();
        assert_eq!(told.len(), 1);
        assert!(told[0].events.is_empty(), "{:?}", told[0].events);
        assert_eq!(told[0].ended.as_ref().unwrap().how, How::Recovered);
        assert_eq!(told[0].no_gateway_ms, 30_100);
    }

    #[test]
    fn each_start_that_fails_is_a_phase_and_a_command_with_what_it_said() {
        let mut world = World::new();
        world.probe(ANSWERED);
        for _ in 0..3 {
            world.probe(FAILED);
        }
        world.recorder.said("no such file");
        world.pass(1000);
        world.ended(Command::Start, CommandResult::Failed { code: 1 });
        world.until(|world| world.decider.state() == State::Starting { attempt: 2 });
        let told = world.told();
        assert_eq!(told.len(), 1);
        // It isn't over; as it was told last when the state changed.
        assert!(told[0].ended.is_none());
        world.recorder.end(world.now);
        let told = world.told();
        let attempts: Vec<_> = told[0].phases.iter().map(|one| one.attempt).collect();
        assert_eq!(attempts, [None, Some(1), Some(2)]);
        assert_eq!(told[0].commands[0].said, "no such file");
        assert_eq!(
            told[0].commands[0].result.as_deref(),
            Some("failed with exit code 1")
        );
        assert_eq!(told[0].commands[1].command, "stop");
        assert_eq!(told[0].ended.as_ref().unwrap().how, How::DaemonEnded);
    }

    #[test]
    fn what_an_operator_orders_and_what_a_pause_withholds_is_told() {
        let mut world = World::new();
        world.probe(ANSWERED);
        world.probe(FAILED);
        world.handle(Event::Operator(Order::Pause { until: None }));
        world.probe(FAILED);
        world.probe(FAILED);
        let told = world.told();
        let names: Vec<&str> = phases(&told[0]).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["suspect", "paused"]);
        world.recorder.end(world.now);
        let told = world.told();
        let events: Vec<&str> = told[0].events.iter().map(|note| &*note.what).collect();
        assert_eq!(
            events,
            [
                "an operator ordered a pause",
                "paused: the start command would be run now"
            ]
        );
    }

    #[test]
    fn an_incident_of_years_stays_small() {
        let mut world = World::new();
        for _ in 0..3 {
            world.probe(FAILED);
        }
        for attempt in 1..400 {
            world
                .recorder
                .note(world.now, &format!("{attempt} {}", "x".repeat(10_000)));
            world.until(|world| world.decider.state() == State::Starting { attempt });
            world.ended(Command::Start, CommandResult::Failed { code: 1 });
        }
        world.recorder.end(world.now);
        let told = world.told();
        assert_eq!(told.len(), 1);
        let size = serde_json::to_string(&told[0]).unwrap().len();
        assert!(size < 100_000, "{size}");
        assert!(told[0].left_out > 1000, "{}", told[0].left_out);
        assert_eq!(told[0].phases[0].state, "suspect");
    }
}
