//! An incident as text, for the operator on call: first the result, then the reason, then a timeline. Times
//! are in UTC. All content of the files is escaped.

use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};

use failover_linux::escape::Escaped;

use crate::history::{
    Command, Counting, Ending, How, Incident, Line, Note, Now, Order, Phase, Probe, Round,
};

const MOMENT: &str = "%Y-%m-%d %H:%M:%S";

/// One block, with durations until now.
impl fmt::Display for Incident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(&Now::by_the_clocks()))
    }
}

impl Incident {
    fn text(&self, now: &Now) -> String {
        let told = self.told;
        self.so_far(now).block(told)
    }

    /// With the time at which the incident was last written.
    fn block(&self, told: Timestamp) -> String {
        let mut text = String::new();
        let lasted = self.lasted();
        let so_far = if self.ended.is_none() { " so far" } else { "" };
        let _ = writeln!(
            text,
            "{} UTC  {}, {}{so_far}  [{}]",
            self.began.strftime(MOMENT),
            self.headline(),
            span(lasted),
            Escaped(&self.id),
        );
        row(&mut text, "reason", &Escaped(&self.reason));
        row(&mut text, "primary", &Escaped(&self.primary));
        if self.dry_run {
            row(&mut text, "dry run", &"no command was run");
        }
        rows(&mut text, "evidence", &self.events);
        rows(&mut text, "probes", &self.probes);
        let kept = self.probes.iter().filter(|probe| probe.layer != "unknown");
        if let Some(more) = self.failed_probes.checked_sub(kept.count() as u64)
            && more > 0
        {
            row(&mut text, "", &format_args!("{more} more failed"));
        }
        rows(&mut text, "witnesses", &self.witnesses);
        rows(&mut text, "states", &self.phases);
        rows(&mut text, "commands", &self.commands);
        if self.left_out > 0 {
            let told = format_args!("{} more entries", self.left_out);
            row(&mut text, "omitted", &told);
        }
        for (name, counted, milliseconds) in [
            ("no gateway", Counting::NoGateway, self.no_gateway_ms),
            ("two gateways", Counting::DualActive, self.dual_active_ms),
        ] {
            let goes_on = self.ended.is_none() && self.counting == Some(counted);
            let so_far = if goes_on { " so far" } else { "" };
            let told = format_args!("{}{so_far}", span(milliseconds));
            row(&mut text, name, &told);
        }
        match &self.ended {
            Some(Ending { at, how, reason }) => {
                let why = Escaped(reason);
                row(
                    &mut text,
                    "ended",
                    &format_args!("{} {how}: {why}", time(*at)),
                );
            }
            None => row(&mut text, "ongoing", &format_args!("as of {}", time(told))),
        }
        text
    }

    /// The result in a few words, and whether the incident is ongoing.
    fn headline(&self) -> String {
        let goes_on = match &self.ended {
            None => ", ongoing",
            Some(_) => "",
        };
        format!("{}{goes_on}", self.word())
    }

    fn word(&self) -> &'static str {
        let has = |state: &str| self.phases.iter().any(|phase| phase.state == state);
        match &self.ended {
            _ if self.has_taken_over() => match self.ended.as_ref().map(|ending| ending.how) {
                Some(How::Released) => "TAKEOVER, released",
                Some(How::Recovered) => "TAKEOVER, recovered",
                Some(How::DaemonEnded) => "TAKEOVER, then the daemon stopped",
                Some(How::DaemonKilled) => "TAKEOVER, then the daemon was killed",
                None => "TAKEOVER",
            },
            _ if has("starting") => "NO TAKEOVER: the local gateway did not start",
            _ if has("fencing") => "NO TAKEOVER: the primary was not fenced",
            _ if has("isolated") => "NO TAKEOVER: no witness answered",
            _ if has("blocked") => "NO TAKEOVER: another program held the port",
            _ if has("unarmed") => "NO TAKEOVER: the primary was never seen healthy",
            _ if has("paused") => "NO TAKEOVER: paused",
            _ if has("released") => "NO TAKEOVER: released by an operator",
            _ => "probe failures, no takeover",
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(incident) => incident.fmt(formatter),
            Self::Order(order) => order.fmt(formatter),
            // Only used to find out how an incident ended.
            Self::Daemon(_) => Ok(()),
        }
    }
}

/// One line.
impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version: _,
            at,
            order,
            by,
            until,
            reason,
        } = self;
        let (at, by, order) = (at.strftime(MOMENT), Escaped(by), Escaped(order));
        write!(formatter, "{at} UTC  {by} ordered: {order}")?;
        if let Some(until) = until {
            write!(formatter, ", until {} UTC", until.strftime(MOMENT))?;
        }
        if let Some(reason) = reason {
            write!(formatter, ": {}", Escaped(reason))?;
        }
        writeln!(formatter)
    }
}

impl fmt::Display for How {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Released => "released",
            Self::Recovered => "recovered",
            Self::DaemonEnded => "the daemon stopped",
            Self::DaemonKilled => "the daemon was killed",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = match self.attempt {
            Some(attempt) => format!(" ({attempt})"),
            None => String::new(),
        };
        let state = format!("{}{attempt}", Escaped(&self.state));
        write!(
            formatter,
            "{} {state:<13} {:>9}  {}",
            time(self.began),
            span(self.took_ms),
            Escaped(&self.reason),
        )
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strike = match (self.strike, self.layer.as_str()) {
            (true, _) => "strike",
            (false, "unknown") => "unknown",
            (false, _) => "not a strike",
        };
        let (began, outcome) = (time(self.began), Escaped(&self.outcome));
        write!(formatter, "{began} {strike:<13} {outcome}")
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", time(self.at), Escaped(&self.what))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            answered,
            needed,
            answers,
        } = self;
        let (at, answers) = (time(*at), Escaped(answers));
        write!(
            formatter,
            "{at} {answered} answered, {needed} needed: {answers}"
        )
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (began, command) = (time(self.began), Escaped(&self.command).to_string());
        let took = self.took_ms.map(span).unwrap_or_default();
        write!(formatter, "{began} {command:<13} {took:>9}  ")?;
        match &self.result {
            Some(result) => write!(formatter, "{}", Escaped(result))?,
            None => formatter.write_str("running")?,
        }
        if !self.said.is_empty() {
            write!(formatter, "; output: {}", Escaped(&self.said))?;
        }
        Ok(())
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S%.3f").to_string()
}

/// A duration, rounded for people.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..=9 => format!("{seconds}.{}s", milliseconds % 1000 / 100),
        _ => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            format!("{:#}", SignedDuration::from_secs(seconds))
        }
    }
}

fn rows<T: fmt::Display>(text: &mut String, name: &str, values: &[T]) {
    for (place, value) in values.iter().enumerate() {
        let name = if place == 0 { name } else { "" };
        row(text, name, value);
    }
}

fn row(text: &mut String, name: &str, value: &dyn fmt::Display) {
    let _ = writeln!(text, "  {name:<14} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Uptime, VERSION};

    fn at(text: &str) -> Timestamp {
        format!("2026-11-24T{text}Z").parse().unwrap()
    }

    /// Without a boot clock.
    fn wall(wall: Timestamp) -> Now {
        Now { wall, uptime: None }
    }

    fn uptime(seconds: u64) -> Option<Uptime> {
        Some(Uptime {
            boot: "this".to_owned(),
            after_ms: seconds * 1000,
        })
    }

    fn phase(state: &str, attempt: Option<u32>, began: &str, took_ms: u64) -> Phase {
        Phase {
            state: state.to_owned(),
            attempt,
            began: at(began),
            took_ms,
            reason: "a reason".to_owned(),
        }
    }

    fn takeover() -> Incident {
        Incident {
            version: VERSION,
            id: "a1".to_owned(),
            told: at("03:15:00"),
            primary: "pc-a:18789".to_owned(),
            dry_run: false,
            began: at("03:00:00.5"),
            lasted_ms: None,
            told_at: None,
            reason: "probe refused".to_owned(),
            ended: Some(Ending {
                at: at("03:12:01.5"),
                how: How::Released,
                reason: "the last socket is gone".to_owned(),
            }),
            no_gateway_ms: 63_400,
            dual_active_ms: 1_250,
            counting: None,
            phases: vec![
                phase("suspect", None, "03:00:00.5", 60_000),
                phase("starting", Some(1), "03:01:00.5", 3_000),
                phase("active", None, "03:01:03.5", 660_000),
            ],
            probes: vec![Probe {
                began: at("03:00:00.4"),
                outcome: "refused after 1ms".to_owned(),
                layer: "connect".to_owned(),
                took_ms: 1,
                strike: true,
            }],
            failed_probes: 300,
            events: vec![Note {
                at: at("03:00:00.3"),
                what: "connection closed by the primary".to_owned(),
            }],
            witnesses: Vec::new(),
            commands: vec![Command {
                command: "start".to_owned(),
                began: at("03:01:00.5"),
                took_ms: Some(250),
                result: Some("failed with exit code 1".to_owned()),
                said: "no such file".to_owned(),
            }],
            left_out: 0,
        }
    }

    #[test]
    fn a_takeover_is_one_block_that_begins_with_what_it_was() {
        let expected = "\
2026-11-24 03:00:00 UTC  TAKEOVER, released, 12m 1s  [a1]
  reason         probe refused
  primary        pc-a:18789
  evidence       03:00:00.300 connection closed by the primary
  probes         03:00:00.400 strike        refused after 1ms
                 299 more failed
  states         03:00:00.500 suspect              1m  a reason
                 03:01:00.500 starting (1)       3.0s  a reason
                 03:01:03.500 active              11m  a reason
  commands       03:01:00.500 start             250ms  failed with exit code 1; output: no such file
  no gateway     1m 3s
  two gateways   1.2s
  ended          03:12:01.500 released: the last socket is gone
";
        assert_eq!(takeover().to_string(), expected);
    }

    #[test]
    fn an_order_is_one_line_with_who_what_until_when_and_why() {
        let order = Order {
            version: VERSION,
            at: at("03:00:00"),
            order: "pause".to_owned(),
            by: "user 1000".to_owned(),
            until: Some(at("05:00:00")),
            reason: Some("moving \x1b[2Jhouse\nforged".to_owned()),
        };
        assert_eq!(
            order.to_string(),
            "2026-11-24 03:00:00 UTC  user 1000 ordered: pause, until 2026-11-24 05:00:00 UTC: \
             moving \\u{1b}[2Jhouse\\nforged\n"
        );
    }

    #[test]
    fn one_that_goes_on_says_so_and_one_without_a_takeover_says_why() {
        let mut incident = takeover();
        incident.ended = None;
        let text = incident.text(&wall(incident.told));
        let lasted = "TAKEOVER, ongoing, 14m 59s so far";
        assert!(text.contains(lasted), "{text}");
        assert!(text.contains("as of 03:15:00"), "{text}");
        incident.phases.truncate(1);
        assert!(
            incident
                .to_string()
                .contains("probe failures, no takeover, ongoing")
        );
        for (state, word) in [
            ("isolated", "no witness"),
            ("blocked", "another program held the port"),
            ("unarmed", "never seen healthy"),
            ("paused", "paused"),
        ] {
            incident.phases.truncate(1);
            incident.phases.push(phase(state, None, "03:02:00", 1));
            let text = incident.to_string();
            let first = text.lines().next().unwrap();
            assert!(first.contains("NO TAKEOVER: "), "{text}");
            assert!(first.contains(word), "{text}");
            assert!(first.contains(", ongoing, "), "{text}");
        }
    }

    #[test]
    fn what_goes_on_has_lasted_until_it_is_read() {
        let mut incident = takeover();
        incident.ended = None;
        incident.phases.truncate(1);
        incident
            .phases
            .push(phase("isolated", None, "03:14:00", 60_000));
        incident.counting = Some(Counting::NoGateway);
        let text = incident.text(&wall(at("11:15:00")));
        for line in [
            "  states         03:00:00.500 suspect              1m  a reason",
            "                 03:14:00.000 isolated          8h 1m  a reason",
            "  no gateway     8h 1m 3s so far",
            "  two gateways   1.2s",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert!(text.contains("ongoing, 8h 14m 59s so far"), "{text}");
        // Neither what is over nor a clock that was set back changes anything.
        assert_eq!(takeover().so_far(&wall(at("11:15:00"))), takeover());
        assert_eq!(incident.so_far(&wall(at("00:00:00"))), incident);
    }

    #[test]
    fn a_wall_clock_that_is_set_distorts_no_duration() {
        // Eleven minutes by the boot clock, while somebody set the other one an hour back.
        let mut incident = takeover();
        incident.ended.as_mut().unwrap().at = at("02:11:00.5");
        incident.told = at("02:11:00.5");
        incident.lasted_ms = Some(660_000);
        let text = incident.to_string();
        assert!(text.contains("TAKEOVER, released, 11m  ["), "{text}");
        // One that ongoing, set a year forward since it was told.
        incident.ended = None;
        incident.told_at = uptime(5000);
        incident.counting = Some(Counting::DualActive);
        let now = Now {
            wall: "2027-11-24T03:00:00Z".parse().unwrap(),
            uptime: uptime(5060),
        };
        let text = incident.text(&now);
        for part in [
            "TAKEOVER, ongoing, 12m so far  [",
            "active              12m  a reason",
            "two gateways   1m 1s so far",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // After a restart of the machine there is nothing but the wall clock.
        incident.told_at.as_mut().unwrap().boot = "another".to_owned();
        incident.told = at("03:00:00");
        let now = Now {
            wall: at("03:02:00"),
            ..now
        };
        let text = incident.text(&now);
        assert!(text.contains("ongoing, 13m so far  ["), "{text}");
    }

    #[test]
    fn nothing_in_the_files_reaches_a_terminal_as_it_is() {
        let hostile = "\x1b[2J\u{202e}\nforged";
        let mut incident = takeover();
        incident.id = hostile.to_owned();
        incident.reason = hostile.to_owned();
        incident.primary = hostile.to_owned();
        incident.events[0].what = hostile.to_owned();
        incident.probes[0].outcome = hostile.to_owned();
        incident.phases[0].state = hostile.to_owned();
        incident.phases[1].reason = hostile.to_owned();
        incident.commands[0].command = hostile.to_owned();
        incident.commands[0].said = hostile.to_owned();
        let text = incident.to_string();
        assert!(!text.contains(['\x1b', '\u{202e}']), "{text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("forged")),
            "{text}"
        );
        assert_eq!(text.lines().count(), 13, "{text}");
    }
}
