//! Does the loop get on with everything that it has to do? The watchdog is fed only while it does: a loop that
//! turns, and never gets to one of its sources, is as bad as one that hangs.
//!
//! A source is something that the loop waits for. It stalls when there has been something to do for it for
//! longer than that may take. What others may delay for as long as they like is none: a configuration on a
//! disk that hangs, a state directory that another daemon holds.

#[cfg(test)]
mod tests;

use std::{future::Future, time::Duration};

use tracing::error;

use failover_decide::Time;

use crate::gateway::port::looker::HANGS;

/// A loop that is well gets to everything within milliseconds, on a slow and busy machine within a second.
const GRACE: Duration = Duration::from_secs(10);

/// What the loop waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// Records in the kernel program's ring buffer.
    KernelEvents,
    /// A probe of the primary.
    Probe,
    /// A probe of the local gateway.
    GatewayProbe,
    /// The listener on the local port is asked whether it is the primary.
    PortForward,
    /// The witnesses are asked.
    Witnesses,
    /// A command has ended.
    Command,
    /// What a command wrote is due to be read.
    Output,
    /// A client of the control socket waits.
    ControlSocket,
    /// A client of the page or the metrics waits.
    Page,
    /// A look at the port is due, or has an answer.
    Look,
    /// The decider asked to be woken.
    Time,
}

impl Source {
    pub(super) const ALL: [Self; 11] = [
        Self::KernelEvents,
        Self::Probe,
        Self::GatewayProbe,
        Self::PortForward,
        Self::Witnesses,
        Self::Command,
        Self::Output,
        Self::ControlSocket,
        Self::Page,
        Self::Look,
        Self::Time,
    ];

    /// For people.
    const fn name(self) -> &'static str {
        match self {
            Self::KernelEvents => "the kernel's events",
            Self::Probe => "the probe of the primary",
            Self::GatewayProbe => "the probe of the local gateway",
            Self::PortForward => "the probe of the listener on the local port",
            Self::Witnesses => "the witnesses",
            Self::Command => "the end of a command",
            Self::Output => "the output of a command",
            Self::ControlSocket => "the control socket",
            Self::Page => "the page and the metrics",
            Self::Look => "who listens on the local port",
            Self::Time => "the timers of decisions",
        }
    }
}

/// When the loop had to get to each source, where there is something to do for it.
#[derive(Debug)]
pub(super) struct Progress {
    due: [Option<Time>; Source::ALL.len()],
    grace: Duration,
    logged: Option<Source>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::with(GRACE)
    }
}

/// What there is to do for those sources that don't say so themselves.
pub(super) struct Work {
    /// The kernel's events wait.
    pub(super) kernel_events: bool,
    pub(super) is_asking_witnesses: bool,
    pub(super) command_has_ended: bool,
    pub(super) output_is_due: bool,
    /// Since when a client waits for an answer.
    pub(super) control_waits_since: Option<Time>,
    /// A client waits to come in.
    pub(super) control_is_unaccepted: bool,
    pub(super) page_waits_since: Option<Time>,
    /// By when the listener on the local port should have answered.
    pub(super) port_forward_until: Option<Time>,
    /// Since when the port is being looked at.
    pub(super) looks_since: Option<Time>,
    /// The time at which the decider wanted to be woken, if it has passed.
    pub(super) wake: Option<Time>,
}

impl Progress {
    pub(super) fn with(grace: Duration) -> Self {
        Self {
            due: Default::default(),
            grace,
            logged: None,
        }
    }

    /// There is something to do for the source, by then at the latest; `None`: there is nothing.
    pub(super) fn waits(&mut self, source: Source, due: Option<Time>) {
        *self.of(source) = due;
    }

    /// The same where only now is known that there is something to do: since it was first seen.
    fn seen(&mut self, source: Source, has_work: bool, due: Time) {
        let known = self.of(source);
        *known = has_work.then(|| known.unwrap_or(due));
    }

    /// Notes the work that there is now. `timeout`: of a probe.
    pub(super) fn note(&mut self, work: &Work, now: Time, timeout: Duration) {
        self.seen(Source::KernelEvents, work.kernel_events, now);
        self.seen(Source::Witnesses, work.is_asking_witnesses, now + timeout);
        self.seen(Source::Command, work.command_has_ended, now);
        self.seen(Source::Output, work.output_is_due, now);
        match work.control_waits_since {
            Some(since) => self.waits(Source::ControlSocket, Some(since)),
            None => self.seen(Source::ControlSocket, work.control_is_unaccepted, now),
        }
        self.waits(Source::Page, work.page_waits_since);
        self.waits(Source::PortForward, work.port_forward_until);
        self.waits(Source::Look, work.looks_since.map(|since| since + HANGS));
        self.waits(Source::Time, work.wake);
    }

    /// Does the loop get to everything? That it doesn't is logged once.
    pub(super) fn gets_on(&mut self, now: Time) -> bool {
        let stalled = self.stalled(now);
        let source = stalled.map(|(source, _)| source);
        if source != self.logged {
            self.logged = source;
            if let Some((source, late)) = stalled {
                error!(
                    source = source.name(),
                    ?late,
                    "the daemon doesn't get on; the watchdog isn't fed until it does"
                );
            }
        }
        stalled.is_none()
    }

    /// The loop got to it.
    pub(super) fn made(&mut self, source: Source) {
        *self.of(source) = None;
    }

    /// The machine was suspended for this time, while the clock ran.
    pub(super) fn suspended(&mut self, slept: Duration) {
        for due in self.due.iter_mut().flatten() {
            *due = *due + slept;
        }
    }

    /// A source that the loop doesn't get to, and for how long.
    fn stalled(&self, now: Time) -> Option<(Source, Duration)> {
        Source::ALL
            .into_iter()
            .zip(self.due)
            .filter_map(|(source, due)| {
                let late = now.since(due?);
                (late > self.grace).then_some((source, late))
            })
            .max_by_key(|(_, late)| *late)
    }

    fn of(&mut self, source: Source) -> &mut Option<Time> {
        let [
            kernel_events,
            probe,
            gateway_probe,
            port_forward,
            witnesses,
            command,
            output,
            control_socket,
            page,
            look,
            time,
        ] = &mut self.due;
        match source {
            Source::KernelEvents => kernel_events,
            Source::Probe => probe,
            Source::GatewayProbe => gateway_probe,
            Source::PortForward => port_forward,
            Source::Witnesses => witnesses,
            Source::Command => command,
            Source::Output => output,
            Source::ControlSocket => control_socket,
            Source::Page => page,
            Source::Look => look,
            Source::Time => time,
        }
    }
}

/// Keeps the loop from one source, to see that it is noticed. Only tests do that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stall {
    #[cfg(test)]
    of: Option<Source>,
}

impl Stall {
    /// Waits for what the source has.
    pub(super) async fn pass<T>(self, source: Source, coming: impl Future<Output = T>) -> T {
        if self.is_of(source) {
            std::future::pending::<()>().await;
        }
        coming.await
    }

    #[cfg(test)]
    fn is_of(self, source: Source) -> bool {
        self.of == Some(source)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "in tests it has one")]
    const fn is_of(self, _source: Source) -> bool {
        false
    }

    /// A unit test can't count on a kernel program.
    pub(super) fn pretends(self) -> bool {
        self.is_of(Source::KernelEvents)
    }
}
