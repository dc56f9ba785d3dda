//! Whole incidents, as somebody reads them later.

use std::num::NonZeroU32;

use super::*;
use failover_decide as decide;
use failover_decide::{Demand, Evidence, Failure, ProbeId, Settings};

use crate::{history, history::Incident, named::Value};

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
            named_witnesses: 0,
            router_is_witness: false,
            fence: Demand::None,
            fence_timeout: seconds(60),
            veto_limit: 3,
            watch_gateway: false,
            needs_arming: false,
            flapping: None,
            guard: decide::GuardRules::default(),
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
        world.handle(Event::Port(PortObservation::Absent));
        world
    }

    fn handle(&mut self, event: Event) {
        self.recorder.sees(self.now, &event);
        let actions = self.decider.handle(self.now, [event]);
        self.recorder.decided(self.now, &self.decider, &actions);
        for action in actions {
            match action {
                Action::Probe { probe, .. } => self.probe = Some(probe),
                Action::Run(Step::STOP) => {
                    self.pass(200);
                    self.handle(Event::CommandEnded {
                        command: Step::STOP,
                        result: CommandResult::Succeeded,
                    });
                    self.handle(Event::Port(PortObservation::Absent));
                }
                _ => {}
            }
        }
    }

    /// Time passes, and the primary keeps failing.
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

    fn ended(&mut self, command: Step, result: CommandResult) {
        self.handle(Event::CommandEnded { command, result });
    }

    fn written(&self) -> Vec<Incident> {
        self.recorder.writer.finish(PATIENCE);
        history::read(self.directory.path()).unwrap().incidents
    }
}

fn phases(incident: &Incident) -> Vec<(&str, u64)> {
    let phases = incident.phases.iter();
    phases.map(|one| (one.state.name(), one.took_ms)).collect()
}

#[test]
fn a_takeover_and_its_release_are_one_incident_with_evidence_and_durations() {
    let mut world = World::new();
    world.probe(ANSWERED);
    world.pass(1000);
    world.recorder.note(world.now, "tripwire: connection reset");
    let reset = world.now;
    world.handle(Event::Evidence(Evidence::Reset, reset));
    for _ in 0..3 {
        world.probe(FAILED);
    }
    world.pass(2000);
    world.ended(Step::START, CommandResult::Succeeded);
    world.pass(500);
    world.handle(Event::Port(PortObservation::Listening));
    let nobody = u64::try_from(world.now.since(reset).as_millis()).unwrap();
    world.probe(FAILED);
    world.probe(FAILED);
    world.probe(ANSWERED);
    let written = world.written();
    let [incident] = &written[..] else {
        panic!("{written:#?}");
    };
    let phases = phases(incident);
    let names: Vec<&str> = phases.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["suspect", "starting", "active", "stopping"]);
    let (suspect, starting, stopping) = (phases[0].1, phases[1].1, phases[3].1);
    assert!((60_000..61_000).contains(&suspect), "{phases:?}");
    assert_eq!((starting, stopping), (2500, 200), "{phases:?}");
    assert_eq!(incident.dual_active_ms, 200);
    let because = &incident.reason;
    assert_eq!(because.matches("refused after").count(), 3, "{because}");
    // From the reset on, which brought the first probe forward.

    assert_eq!(incident.no_gateway_ms, nobody);
    assert_eq!(incident.events[0].what, "tripwire: connection reset");
    let strikes: Vec<bool> = incident.probes.iter().map(|probe| probe.strike).collect();
    assert_eq!(strikes, [true, true, true]);
    assert_eq!(incident.probes[0].layer, history::Layer::Connect);
    assert_eq!(incident.probes[0].outcome, "refused after 100.0ms");
    assert_eq!(incident.failed_probes, 5);
    let commands = incident.commands.iter();
    let commands: Vec<_> = commands
        .map(|one| (one.command.name(), one.took_ms, one.result.as_deref()))
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
    let written = world.written();
    assert_eq!(written.len(), 1);
    assert!(written[0].events.is_empty(), "{:?}", written[0].events);
    assert_eq!(written[0].ended.as_ref().unwrap().how, How::Recovered);
    assert_eq!(written[0].no_gateway_ms, 30_100);
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
    world.ended(Step::START, CommandResult::Failed { code: 1 });
    world.until(|world| world.decider.state() == State::Starting { attempt: 2 });
    let written = world.written();
    assert_eq!(written.len(), 1);
    // It is ongoing, and written as it is.
    assert!(written[0].ended.is_none());
    assert_eq!(written[0].phases.last().unwrap().attempt, Some(2));
    assert_eq!(
        written[0].counting,
        Some(history::Counting::NoGateway.into())
    );
    world.recorder.end(world.now);
    let written = world.written();
    // By now nobody is asked any longer; how long it was so is known.
    assert!(
        written[0].no_gateway_ms > 60_000,
        "{}",
        written[0].no_gateway_ms
    );
    let attempts: Vec<_> = written[0].phases.iter().map(|one| one.attempt).collect();
    assert_eq!(attempts, [None, Some(1), Some(2)]);
    assert_eq!(written[0].commands[0].said, "no such file");
    assert_eq!(
        written[0].commands[0].result.as_deref(),
        Some("failed with exit code 1")
    );
    assert_eq!(written[0].commands[1].command, Step::STOP);
    assert_eq!(written[0].ended.as_ref().unwrap().how, How::DaemonEnded);
}

#[test]
fn what_an_operator_orders_and_what_a_pause_withholds_is_written() {
    let mut world = World::new();
    world.probe(ANSWERED);
    world.probe(FAILED);
    world.handle(Event::Operator(decide::Order::Pause { until: None }));
    world.probe(FAILED);
    world.probe(FAILED);
    let written = world.written();
    let names: Vec<&str> = phases(&written[0]).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["suspect", "paused"]);
    world.recorder.end(world.now);
    let written = world.written();
    let events: Vec<&str> = written[0].events.iter().map(|note| &*note.what).collect();
    assert_eq!(
        events,
        [
            "an operator ordered a pause",
            "paused: the start command would be run now"
        ]
    );
}

#[test]
fn a_takeover_says_whether_it_began_with_a_parked_gateway() {
    let mut world = World::new();
    world.handle(Event::Standby {
        mode: decide::StandbyMode::Warm,
        can_park: true,
    });
    world.probe(ANSWERED);
    world.probe(FAILED);
    world.ended(Step::PARK, CommandResult::Succeeded);
    world.probe(FAILED);
    world.probe(FAILED);
    world.ended(Step::START, CommandResult::Failed { code: 1 });
    world.until(|world| world.decider.state() == State::Starting { attempt: 2 });
    let written = world.written();
    let phases = written[0].phases.iter();
    let ready: Vec<_> = phases
        .map(|phase| phase.standby.as_ref().map(Value::name))
        .collect();
    assert_eq!(ready, [None, Some("parked"), Some("cold")]);
}

#[test]
fn a_drill_is_kept_and_is_no_incident() {
    let mut world = World::new();
    world.probe(ANSWERED);
    let drill = drill::sample(drill::DrillResult::Passed);
    world.recorder.drilled(&drill);
    assert!(world.written().is_empty());
    let drills = history::read(world.directory.path()).unwrap().drills;
    assert_eq!(drills.len(), 1);
    assert_eq!(drills[0].took_ms, drill.took_ms);
    let counted = world.recorder.totals(world.now);
    assert!(counted.drills().any(|one| one == (drill.result, 1)));
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
        world.ended(Step::START, CommandResult::Failed { code: 1 });
    }
    world.recorder.end(world.now);
    let written = world.written();
    assert_eq!(written.len(), 1);
    let size = serde_json::to_string(&written[0]).unwrap().len();
    assert!(size < 100_000, "{size}");
    assert!(written[0].left_out > 1000, "{}", written[0].left_out);
    assert_eq!(
        written[0].phases[0].state,
        failover_decide::StateKind::Suspect
    );
}
