//! Running the commands, one at a time, or in a dry run none.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use failover_decide::{Command, CommandResult, Event};
use failover_linux::{bpf::load::KernelEvents, clock, escape::Escaped};

use crate::{
    daemon::Daemon,
    gateway::{
        command::{
            RunningCommand,
            account::Account,
            command_line::CommandLine,
            force::Force,
            output::{CommandOutput, NewLines},
        },
        port::invocation::Launch,
        spec::LocalGateway,
    },
};

pub(super) enum Running {
    Real(Box<RunningCommand>),
    /// A dry run's start, which never ends by itself.
    Pretended,
}

impl Daemon {
    pub(super) fn run(&mut self, command: Command) -> Option<Event> {
        let force = self.force.as_mut().filter(|_| command == Command::Stop);
        let line = match force {
            Some(force) => Some(force.line()),
            None => self.configuration.command(command).cloned(),
        };
        let Some(line) = line else {
            let reason = "there is no such command".to_owned();
            let result = CommandResult::NotRun { reason };
            return Some(Event::CommandEnded { command, result });
        };
        if self.configuration.dry_run {
            info!(%command, line = line.shown(), "dry run: the command isn't run");
            if command != Command::Start {
                return Some(Event::CommandEnded {
                    command,
                    result: CommandResult::Succeeded,
                });
            }
            self.command = Some(Running::Pretended);
            return None;
        }
        if command == Command::Start {
            self.port.start_begins(self.decider.start_limit());
            self.watch_start();
        }
        self.spawn(command, &line)
    }

    fn spawn(&mut self, command: Command, line: &CommandLine) -> Option<Event> {
        let account = self.configuration.account(command);
        let mut output = CommandOutput::create(&self.configuration.state_dir, command, account)
            .inspect_err(|error| warn!(%command, %error, "the command's output is lost"))
            .ok();
        let environment = self.environment(command);
        match RunningCommand::spawn(command, line, account, &environment, output.as_ref()) {
            Ok(running) => {
                let user = account.map(Account::name);
                if let Some(output) = &mut output {
                    output.release();
                }
                info!(%command, line = line.shown(), user, pid = running.id(), "command started");
                if command == Command::Start {
                    self.start_runs(running.id());
                }
                self.watchers
                    .command(&format!("the {command} command was started"));
                self.command = Some(Running::Real(Box::new(running)));
                // Without a place for it, there is nothing to listen to.
                self.listening = match output {
                    Some(_) => Listening::beginning(command),
                    None => Listening::default(),
                };
                self.output = output;
                None
            }
            Err(error) => {
                error!(%command, line = line.shown(), %error, "the command can't be run");
                let result = CommandResult::NotRun {
                    reason: error.to_string(),
                };
                Some(Event::CommandEnded { command, result })
            }
        }
    }

    /// What a command is told.
    fn environment(&self, command: Command) -> Vec<(&'static str, String)> {
        let strikes = self.decider.strikes();
        let first = strikes.first().map(|strike| clock::told(strike.due));
        let first = first.unwrap_or_default();
        let mut environment = vec![
            ("FAILOVER_REASON", self.reason.clone()),
            ("FAILOVER_PRIMARY", self.configuration.primary.to_string()),
            ("FAILOVER_STRIKES", strikes.len().to_string()),
            ("FAILOVER_FIRST_STRIKE", first),
        ];
        if command == Command::Start {
            environment.push((Launch::VARIABLE, self.port.launch().value()));
        }
        environment
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
        if command == Command::Start {
            self.start_command_ended();
        }
        let elapsed = match &running {
            Some(Running::Real(running)) => running.elapsed(),
            Some(Running::Pretended) | None => Duration::ZERO,
        };
        self.tell_output(true);
        let output = self
            .output
            .as_ref()
            .map(CommandOutput::last_lines)
            .unwrap_or_default();
        match &result {
            CommandResult::Succeeded => {
                info!(%command, %result, took = ?elapsed, "command ended");
            }
            _ => warn!(%command, %result, took = ?elapsed, output, "command ended"),
        }
        self.recorder.said(&output);
        let last_line = self.output.as_ref().and_then(CommandOutput::last_line);
        self.last_line = last_line;
        self.watchers
            .command(&format!("the {command} command {result}"));
        let force = self.force.as_mut().filter(|_| command == Command::Stop);
        let instead = force.and_then(|force| force.ended(&result, &output));
        let event = match instead {
            Some(line) => self.spawn(command, &line),
            None => Some(Event::CommandEnded { command, result }),
        };
        self.look();
        if let Some(event) = event {
            self.handle(event);
        }
    }

    /// In good time before a stop is due.
    pub(super) fn ask_for_force(&mut self) {
        if let Some(force) = &mut self.force
            && !self.configuration.dry_run
        {
            force.ask(self.configuration.gateway.user.as_ref());
        }
    }

    /// The gateway serves, so there is time again: another version may have been installed since.
    pub(super) fn ask_for_force_anew(&mut self) {
        if let Some(force) = &mut self.force
            && !self.configuration.dry_run
        {
            force.ask_anew(self.configuration.gateway.user.as_ref());
        }
    }

    /// Tells what the command in flight has said, or what it had still to say when it ended.
    pub(super) fn tell_output(&mut self, ended: bool) {
        let (Some(output), Some(command)) = (&mut self.output, self.listening.to) else {
            return;
        };
        let NewLines { lines, left_out } = output.new_lines(ended);
        self.listening.heard(!lines.is_empty() || left_out > 0);
        for line in lines {
            info!(%command, line = %Escaped(&line), "command says");
        }
        if left_out > 0 {
            let file = self.configuration.state_dir.join(format!("{command}.log"));
            info!(%command, left_out, file = %file.display(), "command says more than is told");
        }
        if ended {
            self.listening = Listening::default();
        }
    }
}

/// What the stop command needs, where that depends on what is installed.
pub(super) fn force(gateway: &LocalGateway) -> Option<Force> {
    let needed = gateway.stop_may_need_force;
    needed.then(|| Force::of(gateway.stop.clone()))
}

/// When to listen again to the command in flight: often while it speaks, and ever less often while
/// it doesn't, as a start that is the gateway itself and runs for weeks.
#[derive(Debug, Default)]
pub(super) struct Listening {
    to: Option<Command>,
    pause: Duration,
    next: Option<Instant>,
}

impl Listening {
    const SOONEST: Duration = Duration::from_millis(50);
    const LATEST: Duration = Duration::from_secs(2);

    fn beginning(to: Command) -> Self {
        let mut listening = Self {
            to: Some(to),
            ..Self::default()
        };
        listening.heard(true);
        listening
    }

    fn heard(&mut self, anything: bool) {
        self.pause = match anything {
            true => Self::SOONEST,
            false => (2 * self.pause).min(Self::LATEST),
        };
        self.next = Some(Instant::now() + self.pause);
    }

    /// Is it time?
    pub(super) fn is_due(&self) -> bool {
        self.next.is_some_and(|next| Instant::now() >= next)
    }

    /// Waits until it is time. Cancel-safe.
    pub(super) async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }
}

/// Waits for the end of the command in flight, and for its last words. Cancel-safe: one that has ended says so
/// again.
pub(super) async fn command_ended(
    command: &mut Option<Running>,
    output: &mut Option<CommandOutput>,
) -> (Command, CommandResult) {
    match command {
        Some(Running::Real(running)) => {
            let result = running.ended().await;
            if let Some(output) = output {
                output.arrived().await;
            }
            (running.command(), result)
        }
        Some(Running::Pretended) | None => std::future::pending().await,
    }
}
