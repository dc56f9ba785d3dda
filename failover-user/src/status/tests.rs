//! The served document stays the same, byte for byte: representative ones are compared with `golden/`.
//! To accept a change, run with `GOLDEN=write`.

use std::{fs, path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use failover_decide::{
    Action, Begun, CommandResult, Decider, Demand, Event, Evidence, Failure, Gone, NoAnswer, Order,
    Outcome, PortObservation, RoundId, StandbyMode, StandbyState, Step, Time,
};
use failover_linux::clock;
use failover_sync::{
    generation::{Manifest, Number},
    outcome::{FailedStep, Outcome as Said, Refused},
};

use super::{
    Document,
    context::Context,
    explanation::Explanation,
    last_seen::{LastSeen, RefusedConfiguration},
    snapshot::Snapshot,
};
use crate::{
    config::{Configuration, StandbyChoice},
    gateway::{command::command_line::CommandLine, port::view::PortView},
    history::{HISTORY, ledger::Ledger},
    kernel_events::Polling,
    log::lines::EvidenceLog,
    notify::{
        DeliveryError,
        alarms::{ChannelStatus, KINDS},
        channel::Kind,
        delivery::Delivered,
    },
    primary::{
        check::{
            readiness::{Readiness, Startup},
            wrong_answer::{Certificate, WrongAnswer},
        },
        port_forward::PortForwardProblem,
    },
    runtime::parts::Parts,
    standby::{
        drill::{self, Drill, DrillResult},
        failing::FailedDrills,
        mode::{Effective, Why},
    },
    state_dir::{
        persisted::{PERSISTED, Paused, Persisted},
        writer::{Health, Writer},
    },
    sync::{
        known,
        lineage::{Lineage, Side},
        order::Task,
        rounds::{Report, Rounds},
        worker::Worker,
    },
    web::timeline::Timeline,
    witness::{
        quorum::{QuorumResult, QuorumView},
        router::{RouterStanding, RouterStatus},
        vote::{Answer, Vote},
    },
    wording,
};

/// When everything begins, as the documents tell it.
const EPOCH: &str = "2026-01-01T00:00:00Z";
/// When the document is made, in seconds from then.
const END: u64 = 600;
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// All that a document is made of.
struct Daemon {
    base: Time,
    configuration: Configuration,
    decider: Decider,
    /// How its probes end from now on.
    primary: Outcome,
    round: Option<RoundId>,
    refused: Option<RefusedConfiguration>,
    kept: [Health; 2],
    gateway_hangs: bool,
    port: PortView,
    last_seen: LastSeen,
    port_forward: Option<PortForwardProblem>,
    polling: Option<Polling>,
    events_lost: u64,
    evidence: EvidenceLog,
    persisted: Persisted,
    quorum: QuorumView,
    ledger: Ledger,
    channels: Vec<ChannelStatus>,
    parts: Parts,
    timeline: Timeline,
    rounds: Option<Rounds>,
}

/// All of them, each with what became of its notices.
fn channels(is_configured: bool) -> Vec<ChannelStatus> {
    let channel = |kind: &Kind| ChannelStatus {
        name: kind.name,
        part: kind.part,
        is_configured,
        delivered: Delivered::default(),
    };
    KINDS.into_iter().map(channel).collect()
}

/// Nothing can be written there.
fn nowhere() -> &'static Path {
    Path::new("/proc/nowhere")
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed {
        failure,
        took: Duration::from_millis(1500),
    }
}

fn answered() -> Outcome {
    Outcome::Connected {
        took: Duration::from_millis(2),
    }
}

impl Daemon {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// One that begins at second 0 under this configuration.
    fn with(configure: impl FnOnce(&mut Configuration)) -> Self {
        let options =
            "primary = '192.0.2.1'\ngateway = 'command'\nstart = 'true'\nstop = 'true'".parse();
        let mut configuration = Configuration::load(options.unwrap()).unwrap();
        configuration.decide.witness_quorum = 0;
        configure(&mut configuration);
        // A whole second of the wall clock, so that no text depends on when the test runs; and in the
        // future, so that the time of the run differs from every time here.
        let boot = Time::from_boot(Duration::ZERO);
        let nanoseconds = clock::wall(boot).subsec_nanosecond().unsigned_abs();
        let base =
            boot + TEN_YEARS + (Duration::from_secs(1) - Duration::from_nanos(nanoseconds.into()));
        Self {
            base,
            decider: Decider::new(configuration.decide.clone(), base),
            configuration,
            primary: Outcome::unknown("nobody has asked".to_owned()),
            round: None,
            refused: None,
            kept: [&PERSISTED, &HISTORY].map(|what| Writer::new(what, nowhere()).health()),
            gateway_hangs: false,
            port: PortView::default(),
            last_seen: LastSeen::default(),
            port_forward: None,
            polling: None,
            events_lost: 0,
            evidence: EvidenceLog::default(),
            persisted: Persisted::default(),
            quorum: QuorumView::default(),
            ledger: Ledger::new(base),
            channels: channels(false),
            parts: Parts::default(),
            timeline: Timeline::default(),
            rounds: None,
        }
    }

    /// One whose primary has answered, and whose port is free.
    fn watching() -> Self {
        Self::with(|_| {}).well()
    }

    fn well(mut self) -> Self {
        self.port.has_events = true;
        self.handle(0, Event::Port(PortObservation::Absent));
        self.probe(1, answered());
        self
    }

    fn at(&self, seconds: u64) -> Time {
        self.base + Duration::from_secs(seconds)
    }

    fn wall(&self, seconds: u64) -> Timestamp {
        clock::wall(self.at(seconds))
    }

    /// Something is seen then; until then whatever is due happens.
    fn handle(&mut self, seconds: u64, event: Event) {
        self.until(seconds);
        self.decide(self.at(seconds), event);
    }

    fn until(&mut self, seconds: u64) {
        for _ in 0..1000 {
            match self.decider.next_wake() {
                Some(wake) if wake <= self.at(seconds) => self.decide(wake, Event::Woke),
                _ => return,
            }
        }
        panic!("the decider turns");
    }

    fn decide(&mut self, now: Time, event: Event) {
        if let Event::CommandEnded { command, result } = &event {
            self.ledger.ended(*command, result);
        }
        for action in self.decider.handle(now, [event]) {
            match action {
                Action::Probe { probe, .. } => {
                    let outcome = self.primary.clone();
                    self.last_seen.probe = Some((now, outcome.clone()));
                    self.timeline.probe(now, &outcome);
                    self.decide(now, Event::ProbeEnded { probe, outcome });
                }
                Action::AskWitnesses { round } => self.round = Some(round),
                Action::ProbeGateway { probe } => {
                    let outcome = match self.gateway_hangs {
                        true => failed(Failure::NoAnswer(NoAnswer::TimedOut)),
                        false => answered(),
                    };
                    self.decide(now, Event::GatewayProbed { probe, outcome });
                }
                Action::Record(change) => {
                    self.ledger.changed(&change);
                    let connections = self.evidence.of_strikes(&change.strikes);
                    let held_by = || self.port.held_by.clone();
                    let failures = &self.last_seen.failures;
                    let explanation = Explanation::new(change, failures, held_by, connections);
                    let why = wording::reason::change(&explanation.change);
                    self.timeline.change(now, &explanation.change, &why);
                    self.last_seen.explanation = Some(explanation);
                }
                Action::Run(_)
                | Action::Kill(_)
                | Action::PingRouters
                | Action::Withhold(_)
                | Action::Standby(_)
                | Action::DrillEnded(_) => {}
            }
        }
    }

    /// The primary is probed then, with this outcome, and so is every later probe.
    fn probe(&mut self, seconds: u64, outcome: Outcome) {
        self.until(seconds);
        self.primary = outcome;
        self.handle(seconds, Event::ProbeWanted);
    }

    /// It fails as often as a takeover needs, by second 92.
    fn fails(&mut self, failure: Failure) {
        self.primary = failed(failure);
        self.until(92);
    }

    fn ended(&mut self, seconds: u64, command: Step, code: i32, said: Option<&str>) {
        let result = match code {
            0 => CommandResult::Succeeded,
            code => CommandResult::Failed { code },
        };
        self.last_seen
            .failures
            .ended(command, &result, said, Path::new("/var/lib/failover"));
        self.handle(seconds, Event::CommandEnded { command, result });
    }

    fn serves(&mut self, seconds: u64) {
        self.port.is_listening = true;
        self.port.held_by = "node (pid 4321, uid 1000) on 0.0.0.0:18789".to_owned();
        self.handle(seconds, Event::Port(PortObservation::Listening));
    }

    fn snapshot(&self) -> Snapshot {
        Context {
            now: self.at(END),
            host: "pc-b",
            configuration: &self.configuration,
            configured: self.base,
            refused: self.refused.as_ref(),
            decider: &self.decider,
            port: self.port.clone(),
            last_seen: &self.last_seen,
            persisted: &self.persisted,
            kept: self.kept.clone(),
            quorum: self.quorum.clone(),
            port_forward: self.port_forward.clone(),
            guard: None,
            standby: None,
            rounds: self.rounds.as_ref(),
            polling: self.polling.clone(),
            events_seen: 17,
            events_lost: self.events_lost,
            totals: self.ledger.totals(self.at(200)),
            channels: self.channels.clone(),
            parts: &self.parts,
            recent: self.timeline.recent(40),
        }
        .snapshot()
    }

    fn served(&self) -> String {
        serde_json::to_string(&Document::from(&self.snapshot())).unwrap()
    }

    /// Compares with what was served before.
    fn is_served_as(&self, name: &str) {
        let served = self.steady(&self.served());
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/status/golden")
            .join(format!("{name}.json"));
        if std::env::var_os("GOLDEN").is_some() {
            fs::write(&file, served + "\n").unwrap();
            return;
        }
        let before = fs::read_to_string(&file).unwrap();
        assert_eq!(served, before.trim_end(), "{name}");
    }

    /// Independent of the time of the run: times count from [`EPOCH`], and the time of the run becomes
    /// `NOW`.
    fn steady(&self, served: &str) -> String {
        let program = format!("\"program\":\"{}\"", env!("CARGO_PKG_VERSION"));
        let pid = format!("\"pid\":{}", std::process::id());
        let mut text = served
            .replace(&program, "\"program\":\"1.2.3\"")
            .replace(&pid, "\"pid\":42");
        let mut steady = String::new();
        while let Some(place) = text.find(':') {
            // The hours begin two characters before, the date eleven before those.
            let rest = text.split_off(place.saturating_sub(2));
            let length =
                rest.find(|letter: char| !letter.is_ascii_digit() && !":.".contains(letter));
            let (clock, after) = rest.split_at(length.unwrap_or(rest.len()));
            let is_clock = clock.len() >= 8 && clock.matches(':').count() == 2;
            if !is_clock {
                let (before, after) = rest.split_at(3.min(rest.len()));
                steady.push_str(&text);
                steady.push_str(before);
                text = after.to_owned();
                continue;
            }
            match (text.ends_with('T'), after.strip_prefix('Z')) {
                (true, Some(after)) => {
                    let date = text.split_off(text.len() - 11);
                    let precision = clock.split_once('.').map_or(0, |(_, digits)| digits.len());
                    steady.push_str(&text);
                    steady.push_str(&self.shifted(&format!("{date}{clock}Z"), precision));
                    text = after.to_owned();
                }
                _ => {
                    // A time of this day, or of the one after.
                    let day = self.wall(0).strftime("%Y-%m-%d");
                    let shifted = self.shifted(&format!("{day}T{clock}Z"), 3);
                    steady.push_str(&text);
                    steady.push_str(&shifted[11..23]);
                    text = after.to_owned();
                }
            }
        }
        steady + &text
    }

    fn shifted(&self, time: &str, precision: usize) -> String {
        let time: Timestamp = time.parse().unwrap();
        let mut since = time.duration_since(self.wall(0));
        if since.is_negative() {
            since += SignedDuration::from_hours(24);
        }
        if since.as_secs().unsigned_abs() >= END {
            return "NOW".to_owned();
        }
        let epoch: Timestamp = EPOCH.parse().unwrap();
        format!("{:.precision$}", epoch + since)
    }
}

#[test]
fn a_quiet_daemon() {
    let mut daemon = Daemon::watching();
    daemon.quorum = QuorumView {
        needed: Some(1),
        names: vec!["9.9.9.9:53".to_owned(), "router".to_owned()],
        last: Some(QuorumResult {
            at: daemon.at(2),
            answered: 1,
            needed: 1,
            votes: vec![Vote {
                witness: "router 192.168.1.1".to_owned(),
                said: Ok(Answer::Echo),
                took: Duration::from_micros(1200),
            }],
            router_is_silent: false,
        }),
        router: Some(RouterStatus {
            addresses: vec!["192.168.1.1".to_owned()],
            counts: true,
            standing: RouterStanding::Counts,
            is_silent: false,
        }),
    };
    daemon.is_served_as("standby");
}

#[test]
fn one_that_has_just_begun_and_knows_nothing() {
    let mut daemon = Daemon::new();
    daemon.polling = Some(Polling::Configured);
    daemon.is_served_as("begin");
}

#[test]
fn a_primary_that_drains_and_then_fails() {
    let mut daemon = Daemon::watching();
    daemon.last_seen.readiness = Some(Readiness {
        startup: Some(Startup::Draining),
        draining_since: Some(daemon.at(20)),
        ready: Some(false),
        failing: vec!["channels".to_owned()],
        version: Some("2026.9.6".to_owned()),
        started: Some(daemon.at(0)),
    });
    daemon.evidence = EvidenceLog::of(vec![(daemon.at(30), "connection reset by the primary")]);
    daemon.primary = failed(Failure::NoAnswer(NoAnswer::Closed));
    daemon.handle(30, Event::Evidence(Evidence::Reset, daemon.at(30)));
    daemon.until(31);
    daemon.is_served_as("suspect");
}

#[test]
fn a_probe_for_each_way_to_fail() {
    for (name, failure) in [
        ("refused", Failure::Refused),
        ("timed-out", Failure::TimedOut),
        (
            "unreachable",
            Failure::Unreachable {
                errno: libc::EHOSTUNREACH,
            },
        ),
        ("no-answer", Failure::NoAnswer(NoAnswer::TimedOut)),
        ("wrong-answer", WrongAnswer::Status(503).into()),
    ] {
        let mut daemon = Daemon::watching();
        daemon.probe(31, failed(failure));
        daemon.is_served_as(&format!("probe-{name}"));
    }
}

#[test]
fn a_certificate_that_nobody_trusts() {
    let mut daemon = Daemon::watching();
    let expired = WrongAnswer::Certificate(Certificate::Expired);
    daemon.probe(31, failed(expired.into()));
    daemon.last_seen.certificate = Some("presented: CN=pc-a, until 2025".to_owned());
    daemon.is_served_as("certificate");
}

fn with_witnesses(configuration: &mut Configuration) {
    configuration.decide.witness_quorum = 1;
    configuration.decide.named_witnesses = 1;
}

#[test]
fn a_machine_that_is_cut_off() {
    let mut daemon = Daemon::with(with_witnesses).well();
    daemon.fails(Failure::TimedOut);
    let round = daemon.round.unwrap();
    daemon.handle(92, Event::Witnesses { round, answered: 0 });
    daemon.quorum.last = Some(QuorumResult {
        at: daemon.at(92),
        answered: 0,
        needed: 1,
        votes: Vec::new(),
        router_is_silent: true,
    });
    daemon.is_served_as("isolated");
}

#[test]
fn too_few_witnesses_in_quiet_times() {
    let mut daemon = Daemon::with(with_witnesses).well();
    daemon.quorum.last = Some(QuorumResult {
        at: daemon.at(2),
        answered: 0,
        needed: 1,
        votes: Vec::new(),
        router_is_silent: false,
    });
    daemon.is_served_as("too-few-witnesses");
}

#[test]
fn a_start_that_fails_again() {
    let mut daemon = Daemon::watching();
    daemon.fails(Failure::Refused);
    daemon.ended(92, Step::START, 78, Some("no \u{1b}[2Jsuch file"));
    daemon.handle(93, Event::Begun(Begun::Gone));
    daemon.ended(110, Step::STOP, 0, None);
    daemon.until(120);
    daemon.is_served_as("starting-again");
}

#[test]
fn a_takeover_that_serves() {
    let mut daemon = Daemon::watching();
    daemon.fails(Failure::Refused);
    daemon.serves(95);
    daemon.ended(96, Step::START, 0, None);
    daemon.last_seen.gateway_draining = Some(daemon.at(99));
    daemon.is_served_as("active");
}

#[test]
fn a_gateway_that_hangs() {
    let mut daemon = Daemon::with(|configuration| configuration.decide.watch_gateway = true).well();
    daemon.fails(Failure::Refused);
    daemon.serves(95);
    daemon.ended(96, Step::START, 0, None);
    daemon.probe(97, failed(Failure::Refused));
    daemon.until(130);
    daemon.gateway_hangs = true;
    daemon.until(300);
    daemon.is_served_as("restarting");
}

#[test]
fn two_that_serve_by_order() {
    let mut daemon = Daemon::watching();
    daemon.handle(10, Event::Operator(Order::TakeOver { force: true }));
    daemon.serves(15);
    daemon.probe(16, answered());
    daemon.is_served_as("dual-active");
}

#[test]
fn a_release_that_fails() {
    let mut daemon = Daemon::watching();
    daemon.fails(Failure::Refused);
    daemon.serves(95);
    daemon.ended(96, Step::START, 0, None);
    daemon.probe(100, answered());
    daemon.port.terminating = vec![(4321, daemon.at(99))];
    daemon.ended(101, Step::STOP, 1, None);
    daemon.until(110);
    daemon.is_served_as("stopping-again");
}

#[test]
fn a_fence_that_fails() {
    let mut daemon =
        Daemon::with(|configuration| configuration.decide.fence = Demand::Required).well();
    daemon.fails(Failure::TimedOut);
    daemon.ended(95, Step::FENCE, 1, Some("no such outlet"));
    daemon.until(110);
    daemon.is_served_as("fencing-again");
}

#[test]
fn a_pause_and_a_dry_run() {
    let mut daemon = Daemon::with(|configuration| configuration.dry_run = true).well();
    let until = Some(daemon.at(400));
    daemon.handle(10, Event::Operator(Order::Pause { until }));
    daemon.persisted.pause = Some(Paused {
        since: daemon.wall(10),
        by: "root".to_owned(),
        until: Some(daemon.wall(400)),
        reason: Some("new disk\n".to_owned()),
    });
    daemon.fails(Failure::Refused);
    daemon.is_served_as("paused");
}

#[test]
fn a_release_by_hand_that_holds() {
    let mut daemon = Daemon::watching();
    daemon.fails(Failure::Refused);
    daemon.serves(95);
    daemon.ended(96, Step::START, 0, None);
    let hold = Some(daemon.at(400));
    daemon.handle(100, Event::Operator(Order::Release { hold_until: hold }));
    daemon.port = PortView {
        has_events: true,
        ..PortView::default()
    };
    daemon.handle(101, Event::Port(PortObservation::Absent));
    daemon.ended(102, Step::STOP, 0, None);
    daemon.until(260);
    daemon.is_served_as("released");
}

#[test]
fn a_port_that_something_else_has() {
    let mut daemon = Daemon::watching();
    daemon.port.is_listening = true;
    daemon.port.is_foreign = true;
    daemon.port.held_by = "nc (pid 77, uid 1001) on 0.0.0.0:18789".to_owned();
    daemon.port.beside = "nc (pid 78, uid 1001) on 127.0.0.9:18789".to_owned();
    daemon.port_forward = Some(PortForwardProblem::SameProcess);
    daemon.handle(20, Event::Port(PortObservation::Foreign));
    daemon.fails(Failure::Refused);
    daemon.is_served_as("blocked");
}

#[test]
fn a_primary_that_was_never_well() {
    let mut daemon = Daemon::with(|configuration| configuration.decide.needs_arming = true);
    daemon.handle(0, Event::Port(PortObservation::Absent));
    daemon.fails(Failure::Refused);
    daemon.is_served_as("unarmed");
}

#[test]
fn a_primary_that_cannot_be_probed() {
    let unknown = |gone| Outcome::Unknown {
        reason: "eth0 has no carrier: is the cable in?".to_owned(),
        gone,
    };
    for (name, gone) in [
        ("unknown", None),
        ("no-path", Some(Gone::Path)),
        ("own-address", Some(Gone::Address)),
    ] {
        let mut daemon = Daemon::watching();
        daemon.probe(31, unknown(gone));
        daemon.is_served_as(name);
    }
}

#[test]
fn everything_that_is_not_as_it_should_be_beside() {
    let mut daemon = Daemon::watching();
    daemon.kept = [&PERSISTED, &HISTORY].map(|what| {
        let writer = Writer::new(what, nowhere());
        let _ = writer.write(b"x".to_vec()).blocking_recv();
        writer.health()
    });
    let (since, looks) = (daemon.at(40), daemon.at(50));
    let failing = |what: &str, remedy| {
        Some((
            since,
            DeliveryError {
                what: what.to_owned(),
                remedy,
            },
        ))
    };
    daemon.channels = channels(true);
    daemon.channels[0].delivered = Delivered {
        sent: 1,
        failed: 2,
        dropped: 3,
        failing: failing("exit status: 1; it said nothing", "run it by hand"),
    };
    daemon.channels[1].delivered = Delivered {
        sent: 4,
        failed: 5,
        dropped: 6,
        failing: failing("HTTP status 500", "see the server's own log"),
    };
    daemon.refused = Some(RefusedConfiguration {
        at: daemon.at(60),
        error: "line 3: nonsense".to_owned(),
    });
    daemon.polling = Some(Polling::Failed("the kernel program was refused".to_owned()));
    daemon.events_lost = 9;
    daemon.port.has_events = false;
    daemon.port.looks_since = Some(looks);
    daemon.port.disagreements = 2;
    let part = daemon.parts.part("the control socket");
    part.is_away(&"address in use");
    daemon.is_served_as("troubles");
}

fn failed_drills() -> Option<FailedDrills> {
    let drill = Drill {
        said: Some("no \u{1b}[2Jsuch file".to_owned()),
        ..drill::sample(DrillResult::Failed)
    };
    FailedDrills::after(None, &drill)
}

fn standby(why: Why) -> Option<Effective> {
    Some(Effective {
        mode: StandbyMode::Cold,
        can_park: false,
        why,
    })
}

#[test]
fn a_drill_that_failed_and_a_standby_that_is_colder_than_configured() {
    let mut daemon =
        Daemon::with(|configuration| configuration.standby.choice = StandbyChoice::Hot).well();
    daemon.persisted.failed_drills = failed_drills();
    daemon.last_seen.standby = standby(Why::MemoryPressure);
    daemon.is_served_as("standby-troubles");
}

#[test]
fn a_failed_drill_is_a_problem_until_one_passes_where_one_can() {
    let mut daemon = Daemon::watching();
    let is_safe = |daemon: &Daemon| daemon.snapshot().problems.is_empty();
    assert!(is_safe(&daemon));
    daemon.persisted.failed_drills = failed_drills();
    assert!(!is_safe(&daemon));
    daemon.last_seen.standby = standby(Why::NotParkable("no bpffs".to_owned()));
    assert!(is_safe(&daemon));
    daemon.last_seen.standby = None;
    // Whoever wants neither drills nor parking has no use for it.
    daemon.configuration.standby.choice = StandbyChoice::Cold;
    assert!(!is_safe(&daemon));
    daemon.configuration.standby.drill_every = None;
    assert!(is_safe(&daemon));
}

#[test]
fn a_gateway_that_serves_shows_more_than_a_drill_that_failed() {
    let mut daemon = Daemon::watching();
    daemon.persisted.failed_drills = failed_drills();
    daemon.fails(Failure::Refused);
    daemon.serves(95);
    assert!(daemon.snapshot().problems.is_empty());
}

#[test]
fn how_long_the_last_parking_took_is_kept_after_its_end() {
    let mut daemon = Daemon::watching();
    let took = |daemon: &Daemon| daemon.snapshot().standby.parking_took;
    assert_eq!(took(&daemon), None);
    for (seconds, state) in [
        (10, StandbyState::Parking),
        (19, StandbyState::Parked),
        (30, StandbyState::Discarding),
        (31, StandbyState::Cold),
        // Cut short.
        (40, StandbyState::Parking),
        (41, StandbyState::Cold),
    ] {
        let now = daemon.at(seconds);
        daemon.last_seen.standby_changed(state, now);
    }
    assert_eq!(took(&daemon), Some(Duration::from_secs(9)));
}

/// A reader loses nothing of what it shows to tools.
#[test]
fn what_is_served_survives_its_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/status/golden");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let served = fs::read_to_string(entry.unwrap().path()).unwrap();
        let read: Document = serde_json::from_str(&served).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), served.trim_end());
        count += 1;
    }
    assert!(count > 20, "{count}");
}

/// One that copies, and what its workers have said, a minute after it began.
fn copying(max_age: &str, said: impl Fn(&Daemon) -> Vec<(Task, Said)>) -> Daemon {
    let mut daemon = Daemon::with(|configuration| {
        let options = format!(
            "primary = '192.0.2.1'\ndry-run = true\nsync = {{ from = 'alice@pc-a', max-age = '{max_age}' }}"
        );
        configuration.sync = Configuration::load(options.parse().unwrap()).unwrap().sync;
    })
    .well();
    let nobody = CommandLine {
        program: "/nobody".into(),
        arguments: Vec::new(),
    };
    let mut rounds = Rounds::new(daemon.configuration.sync.clone(), Worker::new(nobody, None));
    for (task, outcome) in said(&daemon) {
        let report = Report {
            task,
            outcome,
            took: Duration::from_secs(1),
        };
        rounds.ended(&report, clock::wall(daemon.at(60)));
    }
    daemon.rounds = Some(rounds);
    daemon
}

fn copied(daemon: &Daemon, number: u64, token: &str) -> (Task, Said) {
    let manifest = Manifest {
        taken: clock::wall(daemon.at(30)),
        changed: None,
        ..known::generation(number, token)
    };
    let bytes = 117_000;
    (Task::Round, Said::Copied { manifest, bytes })
}

fn unreachable() -> (Task, Said) {
    let error = "no route to host".to_owned();
    let step = FailedStep::Reach;
    (Task::Round, Said::Failed { step, error })
}

#[test]
fn an_old_copy_is_a_problem_while_rounds_fail_and_none_while_pc_b_serves() {
    let problems = |daemon: &Daemon| daemon.snapshot().problems.len();
    let fails = |daemon: &Daemon| vec![copied(daemon, 7, "a"), unreachable()];
    assert_eq!(
        problems(&copying("5m", |daemon| vec![copied(daemon, 7, "a")])),
        0
    );
    // Nine minutes old.
    assert_eq!(problems(&copying("10m", fails)), 0);
    let mut old = copying("5m", fails);
    old.is_served_as("copies-stale");
    old.fails(Failure::Refused);
    old.serves(95);
    assert_eq!(problems(&old), 0);
}

#[test]
fn both_sides_have_changed_and_a_copy_does_not_fit() {
    let mut daemon = copying("10m", |daemon| {
        let placed = Said::NothingNewer {
            in_place: Some(Number(6)),
            refused: vec![Refused {
                number: Number(7),
                reason: "its schema is newer".to_owned(),
            }],
        };
        let differences = Said::Differences {
            primary: vec!["2 messages".to_owned()],
            local: vec!["1 conversation".to_owned()],
            primary_turns: 2,
            local_turns: 1,
        };
        vec![
            copied(daemon, 6, "a"),
            copied(daemon, 7, "b"),
            (Task::Place, placed),
            (Task::Differences, differences),
        ]
    });
    let first = known::generation(6, "a");
    let mut lineage = Lineage::default();
    lineage.serve(Some(&first), Some(&first), clock::wall(daemon.at(10)));
    daemon.persisted.lineage = Arc::new(lineage);
    daemon.is_served_as("both-changed");
    let mut lineage = Lineage::clone(&daemon.persisted.lineage);
    lineage.choose(Side::PcA);
    daemon.persisted.lineage = Arc::new(lineage);
    assert!(daemon.snapshot().problems.is_empty());
}
