//! What happened in a world, and when: one readable line each.

use std::{fmt, time::Duration};

use super::{
    super::{
        Cause, CommandResult, DrillEnd, Evidence, Order, Outcome, PortObservation, StandbyState,
        State, Step,
    },
    words,
};

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Probe(Cause),
    ProbeEnded(Outcome),
    AskWitnesses,
    Witnesses(u32),
    PingRouters,
    Pinged(usize),
    Suspended,
    Run(Step),
    Kill(Step),
    Ended(Step, CommandResult),
    Gateway(PortObservation),
    Evidence(Evidence),
    State(State),
    GatewayProbe,
    GatewayProbed(Outcome),
    Withheld(Step),
    Ordered(Order),
    Standby(StandbyState),
    DrillEnded(DrillEnd),
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe(cause) => write!(formatter, "probe {cause}"),
            Self::ProbeEnded(outcome) => write!(formatter, "probe {}", words::outcome(outcome)),
            Self::AskWitnesses => formatter.write_str("ask"),
            Self::Witnesses(answered) => write!(formatter, "{answered} answer"),
            Self::PingRouters => formatter.write_str("ping"),
            Self::Pinged(answered) => write!(formatter, "{answered} pinged"),
            Self::Suspended => formatter.write_str("suspended"),
            Self::Run(command) => write!(formatter, "run {command}"),
            Self::Kill(command) => write!(formatter, "kill {command}"),
            Self::Ended(command, result) => {
                write!(formatter, "{command} {}", words::result(result))
            }
            Self::Gateway(PortObservation::Listening) => formatter.write_str("listens"),
            Self::Gateway(PortObservation::Absent) => formatter.write_str("gone"),
            Self::Gateway(PortObservation::Terminating) => formatter.write_str("ending"),
            Self::Gateway(PortObservation::Foreign) => formatter.write_str("foreign"),
            Self::GatewayProbe => formatter.write_str("check"),
            Self::GatewayProbed(outcome) => write!(formatter, "check {}", words::outcome(outcome)),
            Self::Withheld(command) => write!(formatter, "withhold {command}"),
            Self::Ordered(order) => write!(formatter, "{order:?}"),
            Self::Standby(state) => formatter.write_str(state.name()),
            Self::DrillEnded(end) => write!(formatter, "drill {end:?}"),
            Self::Evidence(evidence) => formatter.write_str(words::evidence(*evidence)),
            Self::State(State::Suspect { strikes }) => write!(formatter, "suspect {strikes}"),
            Self::State(
                state @ (State::Fencing { attempt }
                | State::Starting { attempt }
                | State::Restarting { attempt }
                | State::Stopping { attempt }),
            ) => write!(formatter, "{} {attempt}", state.name()),
            Self::State(
                state @ (State::Standby | State::Isolated | State::Inhibited(_) | State::Active),
            ) => formatter.write_str(state.name()),
        }
    }
}

/// Everything that happened, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Vec<(Duration, Entry)>);

impl Journal {
    pub(super) fn write(&mut self, at: Duration, entry: Entry) {
        self.0.push((at, entry));
    }

    /// What was run, killed and ended.
    pub(super) fn commands(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::Run(_) | Entry::Kill(_) | Entry::Ended(..)))
    }

    /// What was run.
    pub(super) fn runs(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::Run(_)))
    }

    /// What was run, and what the local port saw of it.
    pub(super) fn runs_and_gateway(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::Run(_) | Entry::Gateway(_)))
    }

    /// What was run, or would have been but for a pause.
    pub(super) fn runs_and_withheld(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::Run(_) | Entry::Withheld(_)))
    }

    /// How ready the local gateway was, how drills ended, and what was run.
    pub(super) fn standby_state(&self) -> Vec<String> {
        self.lines(|entry| {
            matches!(
                entry,
                Entry::Run(_) | Entry::Standby(_) | Entry::DrillEnded(_)
            )
        })
    }

    /// The states it went through.
    pub(super) fn states(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::State(_)))
    }

    /// The probes, by their beginning.
    pub(super) fn probes(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::Probe(_)))
    }

    /// The checks of the local gateway, by their beginning.
    pub(super) fn checks(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::GatewayProbe))
    }

    /// When probes began.
    pub(super) fn probe_times(&self) -> Vec<Duration> {
        self.times(|entry| matches!(entry, Entry::Probe(_)))
    }

    /// When commands were run.
    pub(super) fn run_times(&self) -> Vec<Duration> {
        self.times(|entry| matches!(entry, Entry::Run(_)))
    }

    /// When this command was run.
    pub(super) fn run_times_of(&self, name: &str) -> Vec<Duration> {
        self.times(|entry| matches!(entry, Entry::Run(command) if command.to_string() == name))
    }

    /// When the default routers were pinged while the primary was healthy.
    pub(super) fn pings(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::PingRouters))
    }

    /// When the witnesses were queried.
    pub(super) fn asked(&self) -> Vec<String> {
        self.lines(|entry| matches!(entry, Entry::AskWitnesses))
    }

    fn times(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Duration> {
        self.0
            .iter()
            .filter(|(_, entry)| wanted(entry))
            .map(|(at, _)| *at)
            .collect()
    }

    fn lines(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, entry)| wanted(entry))
            .map(|(at, entry)| format!("{} {entry}", at.as_secs_f64()))
            .collect()
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(|_| true)
            .iter()
            .try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
