//! The document as text for people: one screen.

use std::fmt::{self, Write as _};

use jiff::{SpanRound, Timestamp, Unit};

use crate::{
    status::document::{Document, EndingProcess, Gateway, Readiness, Router, Witnesses},
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

/// One screen.
impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut headline = vec![self.state.name().to_uppercase()];
        headline.extend(self.marks());
        let verdict = wording::verdict(self.protection(), self.gateway.listening);
        let _ = writeln!(text, "{} ({verdict})", headline.join(", "));
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
        named::Value,
        status::{
            Protection,
            document::{Pause, Testimony, sample as status},
        },
    };
    use failover_decide::StateKind;

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
        let then = Timestamp::now() - jiff::SignedDuration::from_secs(3725);
        let text = with_age(&then.to_string());
        assert!(
            text.ends_with("(1h 2m 5s ago)") || text.ends_with("(1h 2m 6s ago)"),
            "{text}"
        );
        assert_eq!(with_age("never"), "never");
    }
}
