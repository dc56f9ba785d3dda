//! The document as text for people: one screen.

use std::fmt::{self, Write as _};

use jiff::{SpanRound, Timestamp, Unit};

use failover_decide::StandbyState;

use crate::{
    named::Value,
    status::{
        document::{
            Document, Drill, EndingProcess, Gateway, Readiness, Router, Standby, Witnesses,
        },
        protection::Protection,
    },
    wording,
};

impl Document {
    /// What people have to see beside the state's name, whichever that is.
    fn marks(&self) -> Vec<String> {
        let pause = self.paused.as_ref().map(|pause| {
            let until = pause.until.as_ref();
            until.map(|until| match until.parse::<Timestamp>() {
                Ok(until) => format!("{until:.0}"),
                Err(_) => until.clone(),
            })
        });
        wording::marks(self.dual_active_since.is_some(), pause, self.dry_run)
    }
}

impl Document {
    /// One short line: the state, what is more important than that, and the verdict.
    #[must_use]
    pub fn short(&self) -> String {
        let verdict = match self.protection() {
            Protection::Safe => "safe".to_owned(),
            Protection::Degraded => "degraded".to_owned(),
            Protection::Unsafe => match self.problems.len() {
                0 => "NOT SAFE".to_owned(),
                1 => "NOT SAFE, 1 problem".to_owned(),
                several => format!("NOT SAFE, {several} problems"),
            },
        };
        let two = self.dual_active_since.as_ref().map(|_| "TWO SERVE");
        let paused = self.paused.as_ref().map(|_| "PAUSED");
        let dry_run = self.dry_run.then_some("DRY RUN");
        let mut marks = vec![self.state.name()];
        marks.extend([two, paused, dry_run].into_iter().flatten());
        format!("{} ({verdict})", marks.join(", "))
    }
}

/// One screen.
impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut headline = vec![self.state.name().to_uppercase()];
        headline.extend(self.marks());
        let verdict = wording::verdict(self.protection(), self.gateway.listening);
        let _ = write!(text, "{} ({verdict})", headline.join(", "));
        if let Some(ready) = self.standby.as_ref().and_then(Standby::now) {
            let _ = write!(text, ", local gateway {ready}");
        }
        text.push('\n');
        for problem in &self.problems {
            row(&mut text, "problem", problem);
        }
        for warning in &self.warnings {
            row(&mut text, "warning", warning);
        }
        if !self.host.is_empty() {
            row(&mut text, "host", &self.host);
        }
        row(&mut text, "since", &with_age(&self.since));
        if !self.reason.is_empty() {
            row(&mut text, "because", &self.reason);
        }
        row(&mut text, "primary", &self.primary);
        if let Some(readiness) = &self.readiness {
            row(&mut text, "readiness", &readiness.to_string());
        }
        if let Some(probe) = &self.last_probe {
            let ended = format!("{}, {}", probe.outcome, with_age(&probe.at));
            row(&mut text, "last probe", &ended);
        }
        let count = format!("{} of {}", self.strikes.len(), self.strikes_needed);
        row(&mut text, "strikes", &count);
        for strike in &self.strikes {
            row(&mut text, "", &format!("{} {}", strike.at, strike.outcome));
        }
        let Gateway {
            port,
            listening,
            held_by,
            foreign,
            draining_since,
            ending,
        } = &self.gateway;
        let gateway = match (listening, foreign) {
            (true, false) => format!("port {port}: {held_by}"),
            (true, true) => format!("port {port}: NOT THE GATEWAY: {held_by}"),
            (false, _) => format!("port {port}: nobody listens"),
        };
        row(&mut text, "local gateway", &gateway);
        if let Some(since) = draining_since {
            row(
                &mut text,
                "",
                &format!("draining since {}", with_age(since)),
            );
        }
        for EndingProcess { pid, since } in ending {
            let process = format!("pid {pid} is terminating, since {}", with_age(since));
            row(&mut text, "", &process);
        }
        if let Some(standby) = &self.standby {
            row(&mut text, "standby", &standby.ready());
            if let Some(drill) = standby.drill() {
                row(&mut text, "drill", &drill);
            }
        }
        if let Some(sync) = &self.sync {
            row(&mut text, "copy", &sync.brief());
        }
        if let Some(guard) = &self.guard {
            let mut text_of = wording::guard::heard(guard);
            if let Some(heard) = &guard.heard {
                text_of.push_str(&format!(", last {}", with_age(heard)));
            }
            row(&mut text, "guard on PC-A", &text_of);
        }
        if let Some(witnesses) = &self.witnesses {
            row(&mut text, "witnesses", &witnesses.to_string());
            for answer in &witnesses.answers {
                row(&mut text, "", &answer.said);
            }
            if let Some(router) = &witnesses.router {
                row(&mut text, "router", &router.to_string());
            }
        }
        if self.release_needs > 1 {
            let needs = format!(
                "the primary is flapping: a release needs {} successes in a row",
                self.release_needs
            );
            row(&mut text, "release", &needs);
        }
        let events = &self.kernel_events;
        let events = wording::kernel_events(
            &events.source,
            events.reason.as_deref(),
            events.lost,
            events.disagreements,
        );
        row(&mut text, "kernel events", &events);
        if let Some(next) = &self.next {
            row(&mut text, "next", &with_age(next));
        }
        let daemon = format!("pid {}, version {}", self.pid, self.program);
        row(&mut text, "daemon", &daemon);
        row(&mut text, "heartbeat", &with_age(&self.heartbeat));
        formatter.write_str(&text)
    }
}

impl Standby {
    /// What it does now beside standing by; `None`: nothing.
    fn now(&self) -> Option<String> {
        let Value::Known(state) = &self.state else {
            return Some(self.state.to_string());
        };
        let what = wording::standby::state(*state)?;
        Some(match (state, distance(&self.since)) {
            (StandbyState::Parked, Some((Side::Ago, age))) => format!("{what} for {age}"),
            (
                StandbyState::Cold
                | StandbyState::Parking
                | StandbyState::Parked
                | StandbyState::Discarding,
                _,
            ) => what.to_owned(),
        })
    }

    /// The mode, and what stands by.
    fn ready(&self) -> String {
        let mut text = wording::standby::mode(&self.configured, &self.mode, &self.why);
        if let Some(now) = self.now() {
            text.push_str(&format!(", {now}"));
        }
        if let Some(parked) = &self.parked {
            if let Some(bytes) = parked.memory_bytes {
                text.push_str(&format!(", {}", wording::standby::memory(bytes)));
            }
            if let Some(path) = &parked.outdated {
                text.push_str(&format!(", {path} has changed since"));
            }
        }
        text
    }

    /// The last drill and the next.
    fn drill(&self) -> Option<String> {
        let last = match &self.last_drill {
            _ if self.drill_runs => Some("running".to_owned()),
            Some(drill) => Some(drill.brief()),
            None => None,
        };
        let next = self.next_drill.as_ref().map(|next| match distance(next) {
            Some((Side::FromNow, age)) => format!("next in {age}"),
            Some((Side::Ago, _)) | None => "next one due".to_owned(),
        });
        match (last, next) {
            (Some(last), Some(next)) => Some(format!("{last}; {next}")),
            (None, Some(next)) => Some(format!("none yet; {next}")),
            (last, None) => last,
        }
    }
}

impl Drill {
    fn brief(&self) -> String {
        let mut text = wording::standby::result(&self.result).to_owned();
        if let Some((_, age)) = distance(&self.at) {
            text.push_str(&format!(", {age} ago"));
        }
        if let Some(took) = self.took_milliseconds {
            let took = wording::standby::seconds(took);
            text.push_str(&format!(" ({took} to its bind)"));
        }
        text
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.startup {
            Some(startup) => write!(formatter, "{startup}")?,
            None => formatter.write_str("startup unknown")?,
        }
        if let Some(since) = &self.draining_since {
            write!(formatter, " since {}", with_age(since))?;
        }
        formatter.write_str(match self.ready {
            Some(true) => ", ready",
            Some(false) => ", not ready",
            None => "",
        })?;
        if !self.failing.is_empty() {
            write!(formatter, " (failing: {})", self.failing.join(", "))?;
        }
        match &self.version {
            Some(version) => write!(formatter, ", version {version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Witnesses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answered, &self.at) {
            _ if self.quorum == 0 => formatter.write_str("none counts"),
            (Some(answered), Some(at)) => write!(
                formatter,
                "{answered} answered, {} needed, probed {}",
                self.quorum,
                with_age(at)
            ),
            _ => write!(
                formatter,
                "{} needed, probed before a takeover: {}",
                self.quorum,
                self.names.join(", ")
            ),
        }
    }
}

impl fmt::Display for Router {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.addresses.is_empty() {
            write!(formatter, "{}: ", self.addresses.join(", "))?;
        }
        formatter.write_str(&self.why)
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<14} {value}");
}

/// On which side of now a time is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Ago,
    FromNow,
}

/// How far away a time is.
fn distance(time: &str) -> Option<(Side, String)> {
    let then = time.parse::<Timestamp>().ok()?;
    let seconds = Timestamp::now().duration_since(then).as_secs();
    let side = if seconds < 0 {
        Side::FromNow
    } else {
        Side::Ago
    };
    Some((side, wording::age(seconds.unsigned_abs())))
}

/// A time with how long ago it was, or how far ahead it is.
fn with_age(time: &str) -> String {
    let Ok(then) = time.parse::<Timestamp>() else {
        return time.to_owned();
    };
    let rounded = SpanRound::new().smallest(Unit::Second).largest(Unit::Hour);
    let now = Timestamp::now();
    let (from, to, word) = if then <= now {
        (then, now, "ago")
    } else {
        (now, then, "from now")
    };
    match from.until(to).and_then(|span| span.round(rounded)) {
        Ok(span) => format!("{time} ({span:#} {word})"),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::StandbyChoice,
        standby::drill::DrillResult,
        status::{
            Protection,
            document::{Parked, Pause, Testimony, sample as status},
        },
    };
    use failover_decide::{StandbyMode, StateKind};
    use jiff::SignedDuration;

    /// So long before now.
    fn ago(seconds: i64) -> String {
        (Timestamp::now() - SignedDuration::from_secs(seconds)).to_string()
    }

    fn standby(state: StandbyState) -> Standby {
        Standby {
            can_drill: true,
            configured: StandbyChoice::Auto.into(),
            mode: StandbyMode::Warm.into(),
            why: "a drill of this gateway has passed".to_owned(),
            state: state.into(),
            since: ago(150),
            parked: None,
            drill_runs: false,
            last_drill: None,
            drill_every_seconds: Some(86400),
            next_drill: None,
        }
    }

    #[test]
    fn a_parked_gateway_is_in_the_headline_and_its_row_has_its_memory() {
        let mut status = status();
        status.standby = Some(Standby {
            parked: Some(Parked {
                pid: 7,
                took_milliseconds: 9200,
                memory_bytes: Some(612_000_000),
                packets_sent: Some(0),
                outdated: None,
            }),
            ..standby(StandbyState::Parked)
        });
        let screen = status.to_string();
        let headline = "STANDBY (safe), local gateway parked for 2 min\n";
        assert!(screen.starts_with(headline), "{screen}");
        let row = "\n  standby        warm (auto), parked for 2 min, 612 MB\n";
        assert!(screen.contains(row), "{screen}");
        status.standby = Some(standby(StandbyState::Cold));
        let screen = status.to_string();
        assert!(screen.starts_with("STANDBY (safe)\n"), "{screen}");
        assert!(
            screen.contains("\n  standby        warm (auto)\n"),
            "{screen}"
        );
    }

    #[test]
    fn a_mode_that_is_not_the_configured_one_has_its_reason() {
        let mut status = status();
        status.standby = Some(Standby {
            configured: StandbyChoice::Hot.into(),
            mode: StandbyMode::Cold.into(),
            why: "it cannot be parked here: no bpffs".to_owned(),
            ..standby(StandbyState::Cold)
        });
        let screen = status.to_string();
        let row = "  standby        cold instead of hot: it cannot be parked here: no bpffs\n";
        assert!(screen.contains(row), "{screen}");
    }

    #[test]
    fn the_last_drill_and_the_next_are_one_line() {
        let mut standby = standby(StandbyState::Cold);
        assert_eq!(standby.drill(), None);
        standby.next_drill = Some(ago(-605));
        assert_eq!(standby.drill().as_deref(), Some("none yet; next in 10 min"));
        standby.last_drill = Some(Drill {
            at: ago(3 * 3600 + 1),
            result: DrillResult::Passed.into(),
            took_milliseconds: Some(9240),
            packets_sent: Some(0),
            memory_bytes: None,
            last_line: None,
        });
        assert_eq!(
            standby.drill().as_deref(),
            Some("passed, 3 h ago (9.2 s to its bind); next in 10 min")
        );
        standby.drill_runs = true;
        assert_eq!(standby.drill().as_deref(), Some("running; next in 10 min"));
    }

    #[test]
    fn the_document_survives_its_way_through_json() {
        let json = serde_json::to_string(&status()).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), status());
    }

    #[test]
    fn a_warning_is_shown_and_is_no_problem() {
        let mut status = status();
        status.warnings.push("notifications fail".to_owned());
        assert_eq!(status.protection(), Protection::Safe);
        let text = status.to_string();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("STANDBY (safe)"));
        assert_eq!(lines.next(), Some("  warning        notifications fail"));
        assert_eq!(lines.next(), Some("  host           pc-b"));
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let mut json = serde_json::to_value(status()).unwrap();
        json["later"] = "field".into();
        assert_eq!(serde_json::from_value::<Document>(json).unwrap(), status());
    }

    #[test]
    fn each_witness_is_named_with_its_answer_or_before_it_is_probed() {
        let mut status = status();
        let mut witnesses = Witnesses {
            quorum: 1,
            answered: None,
            at: None,
            names: vec!["192.168.1.1".to_owned(), "9.9.9.9:53".to_owned()],
            answers: Vec::new(),
            router: None,
        };
        status.witnesses = Some(witnesses.clone());
        let text = status.to_string();
        assert!(text.contains("takeover: 192.168.1.1, 9.9.9.9:53"), "{text}");
        witnesses.answered = Some(0);
        witnesses.at = Some("2026-01-01T00:00:00.000Z".to_owned());
        witnesses.answers = vec![Testimony {
            witness: "192.168.1.1".to_owned(),
            answered: false,
            said: "192.168.1.1: no answer (no answer in time) after 5s".to_owned(),
        }];
        status.witnesses = Some(witnesses);
        let text = status.to_string();
        let (_, after) = text.split_once("0 answered, 1 needed").unwrap();
        let next = after.lines().nth(1).unwrap().trim_start();
        assert!(next.starts_with("192.168.1.1: no answer"), "{text}");
    }

    #[test]
    fn the_screen_begins_with_the_state_and_whether_it_is_safe() {
        assert!(status().to_string().starts_with("STANDBY (safe)\n"));
        let mut isolated = status();
        isolated.state = StateKind::Isolated.into();
        isolated.problems = vec!["no witness answers".to_owned()];
        let screen = isolated.to_string();
        assert!(screen.starts_with("ISOLATED (NOT SAFE)\n"), "{screen}");
        assert!(screen.contains("no witness answers"), "{screen}");
    }

    #[test]
    fn a_pause_and_two_gateways_are_in_the_headline_whatever_the_state() {
        for state in [
            StateKind::Standby,
            StateKind::Active,
            StateKind::Paused,
            StateKind::Suspect,
        ] {
            let mut status = status();
            status.state = state.into();
            status.problems = vec!["PAUSED".to_owned()];
            status.paused = Some(Pause {
                since: "2026-01-01T00:00:00Z".to_owned(),
                until: Some("2026-01-01T02:00:00Z".to_owned()),
                reason: None,
            });
            let screen = status.to_string();
            let headline = format!(
                "{}, PAUSED until 2026-01-01T02:00:00Z (NOT SAFE)\n",
                state.name().to_uppercase()
            );
            assert!(screen.starts_with(&headline), "{screen}");
            status.dual_active_since = Some("2026-01-01T00:00:00Z".to_owned());
            let screen = status.to_string();
            assert!(screen.contains(", TWO GATEWAYS SERVE, PAUSED"), "{screen}");
        }
    }

    #[test]
    fn degraded_is_said_in_the_headline_and_a_problem_is_worse() {
        let mut status = status();
        status.state = StateKind::Active.into();
        status.gateway.listening = true;
        status.protection = Protection::Degraded.into();
        let screen = status.to_string();
        let headline = "ACTIVE (degraded: PC-B serves without a standby)\n";
        assert!(screen.starts_with(headline), "{screen}");
        status.problems.push("something".to_owned());
        assert_eq!(status.protection(), Protection::Unsafe);
        assert!(status.to_string().starts_with("ACTIVE (NOT SAFE)\n"));
    }

    #[test]
    fn what_another_version_calls_its_states_is_shown_as_given_and_not_relied_on() {
        let mut json = serde_json::to_value(status()).unwrap();
        json["state"] = "replicating".into();
        json["protection"] = "half".into();
        json["kernel_events"]["source"] = "fanotify".into();
        let known: Document = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(known.protection(), Protection::Unsafe);
        let screen = known.to_string();
        assert!(screen.starts_with("REPLICATING (NOT SAFE)\n"), "{screen}");
        assert!(screen.contains("fanotify, 0 lost"), "{screen}");
        assert_eq!(serde_json::to_value(&known).unwrap(), json);
        assert_eq!(known.state, Value::Unknown("replicating".to_owned()));
    }

    #[test]
    fn a_document_that_does_not_say_how_safe_it_is_has_its_problems() {
        let mut json = serde_json::to_value(status()).unwrap();
        json.as_object_mut().unwrap().remove("protection");
        let known: Document = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(known.protection(), Protection::Safe);
        json["problems"] = serde_json::json!(["something"]);
        let known: Document = serde_json::from_value(json).unwrap();
        assert_eq!(known.protection(), Protection::Unsafe);
    }

    #[test]
    fn times_have_their_age() {
        let then = Timestamp::now() - SignedDuration::from_secs(3725);
        let text = with_age(&then.to_string());
        assert!(
            text.ends_with("(1h 2m 5s ago)") || text.ends_with("(1h 2m 6s ago)"),
            "{text}"
        );
        assert_eq!(with_age("never"), "never");
    }
}
