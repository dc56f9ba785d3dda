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
use failover_linux::{bpf::load::KernelEvents, clock};

use crate::{daemon::Daemon, gateway::port::looker::HANGS};

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
    /// Whoever listens on the local port is asked whether it is the primary.
    Tunnel,
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
        Self::Tunnel,
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
            Self::Tunnel => "the probe of whoever listens on the local port",
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

    /// The loop got to it.
    pub(super) fn made(&mut self, source: Source) {
        *self.of(source) = None;
    }

    /// The clock went on for so long while the machine stood still.
    pub(super) fn suspended(&mut self, slept: Duration) {
        for due in self.due.iter_mut().flatten() {
            *due = *due + slept;
        }
    }

    /// A source that the loop doesn't get to, and for how long.
    pub(super) fn stalled(&self, now: Time) -> Option<(Source, Duration)> {
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
            tunnel,
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
            Source::Tunnel => tunnel,
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

impl Daemon {
    /// May the watchdog be fed?
    pub(super) fn gets_on(&mut self) -> bool {
        let now = clock::now();
        self.note_work(now);
        let stalled = self.progress.stalled(now);
        let source = stalled.map(|(source, _)| source);
        if source != self.progress.logged {
            self.progress.logged = source;
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

    /// What there is to do for those that don't say so themselves.
    fn note_work(&mut self, now: Time) {
        let timeout = self.configuration.decide.timeout;
        let stall = self.stall;
        let has_events = self.kernel.as_ref().is_some_and(KernelEvents::has_waiting);
        let is_asked = self.witnesses.round().is_some();
        let has_ended = self.executor.has_ended();
        let is_due = self.executor.output_is_due();
        let (control, page) = (self.control.waits_since(), self.watchers.waits_since());
        let is_unaccepted = self.control.has_unaccepted();
        let look = self.port.looks_since();
        let wake = self.decider.next_wake().filter(|wake| *wake <= now);
        let progress = &mut self.progress;
        progress.seen(Source::KernelEvents, has_events || stall.pretends(), now);
        progress.seen(Source::Witnesses, is_asked, now + timeout);
        progress.seen(Source::Command, has_ended, now);
        progress.seen(Source::Output, is_due, now);
        match control {
            Some(since) => progress.waits(Source::ControlSocket, Some(since)),
            None => progress.seen(Source::ControlSocket, is_unaccepted, now),
        }
        progress.waits(Source::Page, page);
        progress.waits(Source::Tunnel, self.tunnel.asks_until());
        progress.waits(Source::Look, look.map(|since| since + HANGS));
        progress.waits(Source::Time, wake);
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
    fn pretends(self) -> bool {
        self.is_of(Source::KernelEvents)
    }
}
