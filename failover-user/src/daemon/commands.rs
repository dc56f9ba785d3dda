//! Running the commands, one at a time, or in a dry run none.

use std::time::Duration;

use tracing::{error, info, warn};

use super::Daemon;
use crate::{
    clock,
    decide::{Command, CommandResult, Event},
    gateway::{CommandOutput, RunningCommand},
    kernel::KernelEvents,
};

pub(super) enum Running {
    Real(Box<RunningCommand>),
    /// A dry run's start, which never ends by itself.
    Pretended,
}

impl Daemon {
    pub(super) fn run(&mut self, command: Command) -> Option<Event> {
        let Some(line) = self.configuration.command(command) else {
            let reason = "there is no such command".to_owned();
            let result = CommandResult::NotRun { reason };
            return Some(Event::CommandEnded { command, result });
        };
        if self.configuration.dry_run {
            info!(%command, %line, "dry run: the command isn't run");
            if command != Command::Start {
                return Some(Event::CommandEnded {
                    command,
                    result: CommandResult::Succeeded,
                });
            }
            self.command = Some(Running::Pretended);
            return None;
        }
        let output = CommandOutput::create(&self.configuration.state_dir, command)
            .inspect_err(|error| warn!(%command, %error, "the command's output is lost"))
            .ok();
        let strikes = self.decider.strikes();
        let first = strikes.first().map(|strike| clock::wall(strike.due));
        let environment = [
            ("FAILOVER_REASON", self.reason.clone()),
            ("FAILOVER_PRIMARY", self.configuration.primary.to_string()),
            ("FAILOVER_STRIKES", strikes.len().to_string()),
            (
                "FAILOVER_FIRST_STRIKE",
                first.map(|time| time.to_string()).unwrap_or_default(),
            ),
        ];
        match RunningCommand::spawn(command, line, &environment, output.as_ref()) {
            Ok(running) => {
                info!(%command, %line, pid = running.id(), "command started");
                self.command = Some(Running::Real(Box::new(running)));
                self.output = output;
                None
            }
            Err(error) => {
                error!(%command, %line, %error, "the command can't be run");
                let result = CommandResult::NotRun {
                    reason: error.to_string(),
                };
                Some(Event::CommandEnded { command, result })
            }
        }
    }

    pub(super) fn kill(&mut self, command: Command) -> Option<Event> {
        match &mut self.command {
            Some(Running::Real(running)) => {
                warn!(%command, elapsed = ?running.elapsed(), "killing the command and its process group");
                running.kill();
                None
            }
            Some(Running::Pretended) | None => {
                self.command = None;
                let result = CommandResult::Signalled {
                    signal: libc::SIGKILL,
                };
                Some(Event::CommandEnded { command, result })
            }
        }
    }

    pub(super) fn command_ended(&mut self, command: Command, result: CommandResult) {
        // What the kernel saw of it comes first: a refused bind is the command's, not the next one's.
        if let Some(batch) = self.kernel.as_mut().map(KernelEvents::drain) {
            self.kernel_events(&batch);
        }
        let running = self.command.take();
        let elapsed = match &running {
            Some(Running::Real(running)) => running.elapsed(),
            Some(Running::Pretended) | None => Duration::ZERO,
        };
        let output = self
            .output
            .as_ref()
            .map(CommandOutput::last_lines)
            .unwrap_or_default();
        match result {
            CommandResult::Succeeded => {
                info!(%command, %result, took = ?elapsed, "command ended");
            }
            _ => warn!(%command, %result, took = ?elapsed, output, "command ended"),
        }
        self.look();
        self.handle(Event::CommandEnded { command, result });
    }
}

/// Waits for the end of the command in flight. Cancel-safe.
pub(super) async fn command_ended(command: &mut Option<Running>) -> (Command, CommandResult) {
    match command {
        Some(Running::Real(running)) => (running.command(), running.ended().await),
        Some(Running::Pretended) | None => std::future::pending().await,
    }
}
