//! An incident as text, for the operator on call: first the result, then the reason, then a timeline. Times
//! are in UTC. All content of the files is escaped.

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};

use failover_linux::escape::Escaped;

use crate::{
    history::{
        Command, Counting, Drill, Ending, Incident, Layer, Line, Note, Now, Order, Phase, Probe,
        Round, ServedWith,
    },
    named::Value,
    standby::drill::DrillResult,
    wording,
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
        let written = self.written;
        self.so_far(now).block(written)
    }

    /// With the time at which the incident was last written.
    fn block(&self, written: Timestamp) -> String {
        let mut text = String::new();
        let lasted = self.lasted();
        let so_far = if self.ended.is_none() { " so far" } else { "" };
        let _ = writeln!(
            text,
            "{} UTC  {}, {}{so_far}  [{}]",
            self.began.strftime(MOMENT),
            Escaped(&self.headline()),
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
        let kept = self
            .probes
            .iter()
            .filter(|probe| probe.layer != Layer::Unknown);
        if let Some(more) = self.failed_probes.checked_sub(kept.count() as u64)
            && more > 0
        {
            row(&mut text, "", &format_args!("{more} more failed"));
        }
        rows(&mut text, "witnesses", &self.witnesses);
        rows(&mut text, "states", &self.phases);
        rows(&mut text, "commands", &self.commands);
        if let Some(with) = &self.served_with {
            row(&mut text, "served with", with);
        }
        if self.left_out > 0 {
            let more = format_args!("{} more entries", self.left_out);
            row(&mut text, "omitted", &more);
        }
        for (name, counted, milliseconds) in [
            ("no gateway", Counting::NoGateway, self.no_gateway_ms),
            ("two gateways", Counting::DualActive, self.dual_active_ms),
        ] {
            let goes_on = self.ended.is_none() && self.counting == Some(counted.into());
            let so_far = if goes_on { " so far" } else { "" };
            let value = format_args!("{}{so_far}", span(milliseconds));
            row(&mut text, name, &value);
        }
        match &self.ended {
            Some(Ending { at, how, reason }) => {
                let (how, why) = (Escaped(wording::incident::ending(how)), Escaped(reason));
                let ended = format_args!("{} {how}: {why}", time(*at));
                row(&mut text, "ended", &ended);
            }
            None => row(
                &mut text,
                "ongoing",
                &format_args!("as of {}", time(written)),
            ),
        }
        text
    }

    /// The result in a few words, and whether the incident is ongoing.
    fn headline(&self) -> String {
        let goes_on = match &self.ended {
            None => ", ongoing",
            Some(_) => "",
        };
        format!("{}{goes_on}", wording::incident::headline(self))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(incident) => incident.fmt(formatter),
            Self::Order(order) => order.fmt(formatter),
            Self::Drill(drill) => drill.fmt(formatter),
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

/// One line.
impl fmt::Display for Drill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.strftime(MOMENT);
        let result = wording::standby::result(&self.result);
        write!(formatter, "{at} UTC  drill {}", Escaped(result))?;
        if let Some(took) = self.took_ms {
            write!(formatter, ", {} to its bind", span(took))?;
        }
        if let Some(sent) = self.packets_sent {
            write!(formatter, ", {sent} packets sent")?;
        }
        if let Some(bytes) = self.memory_bytes {
            write!(formatter, ", {}", wording::standby::memory(bytes))?;
        }
        // Otherwise it has nothing to explain.
        if let Some(line) = &self.said
            && self.result == DrillResult::Failed
        {
            write!(formatter, "; last output: {}", Escaped(line))?;
        }
        writeln!(formatter)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = match self.attempt {
            Some(attempt) => format!(" ({attempt})"),
            None => String::new(),
        };
        let state = format!("{}{attempt}", Escaped(self.state.name()));
        write!(
            formatter,
            "{} {state:<13} {:>9}  {}",
            time(self.began),
            span(self.took_ms),
            Escaped(&self.reason),
        )?;
        match &self.standby {
            Some(Value::Known(standby)) => {
                write!(formatter, "; {}", wording::standby::start(*standby))
            }
            Some(Value::Unknown(standby)) => write!(formatter, "; {}", Escaped(standby)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strike = wording::incident::probe(self.strike, &self.layer);
        let (began, outcome) = (time(self.began), Escaped(&self.outcome));
        write!(formatter, "{began} {strike:<13} {outcome}")
    }
}

impl fmt::Display for ServedWith {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.generation, self.age_ms) {
            (Some(number), Some(age)) => {
                write!(
                    formatter,
                    "copy {number} of PC-A's state, {} old",
                    span(age)
                )
            }
            (Some(number), None) => write!(formatter, "copy {number} of PC-A's state"),
            (None, _) => formatter.write_str("PC-B's own state, no copy of PC-A's"),
        }
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
        let (began, command) = (time(self.began), Escaped(self.command.name()).to_string());
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
