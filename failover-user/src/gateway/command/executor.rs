//! Runs the commands of the local gateway and the fence, one at a time; in a dry run none.
//!
//! It must not know why a command is run or what follows from its end: it is given a command, says how it
//! began, and later how it ended.

use std::{collections::BTreeSet, future::Future, path::PathBuf, time::Duration};

use rustix::process::geteuid;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use failover_decide::{Command, CommandResult};
use failover_linux::{clock, escape::Escaped};

use crate::gateway::{
    command::{
        RunningCommand,
        account::Account,
        command_line::CommandLine,
        force::Force,
        output::{CommandOutput, NewLines},
        start_watch::StartWatch,
        survivors::{Found, Search},
    },
    port::{invocation::InvocationMark, started},
    spec::Commands,
};

/// Environment variables of a command.
pub(crate) type Environment = Vec<(&'static str, String)>;

/// The command slot, and what is known of the command in it.
pub(crate) struct Executor {
    commands: Commands,
    state_dir: PathBuf,
    /// What a start command's descendants are known by.
    mark: InvocationMark,
    running: Option<Running>,
    /// Output of the last command: the gateway that a start left behind may still write there.
    output: Option<CommandOutput>,
    poll: OutputPoll,
    /// Whether the stop command needs `--force`, where that depends on what is installed.
    force: Option<Force>,
    start: StartWatch,
}

/// The command in flight.
enum Running {
    Real {
        process: Box<RunningCommand>,
        /// It may have to be run again in another form.
        environment: Environment,
    },
    /// A dry run's start, which never ends by itself.
    Pretended,
}

/// How a command began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Launched {
    /// Its process runs.
    Runs,
    /// It is a dry run, in which a start lasts until it is killed.
    Pretended,
    /// It has ended already.
    Ended(CommandResult),
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: CommandResult,
    /// What it wrote last.
    pub(crate) output: String,
    /// The last line of that.
    pub(crate) last_line: Option<String>,
    /// Another form of it was run at once in its place, and began like this.
    pub(crate) instead: Option<Launched>,
}

impl Executor {
    pub(crate) fn new(commands: Commands, state_dir: PathBuf, mark: InvocationMark) -> Self {
        Self {
            force: force(&commands),
            commands,
            state_dir,
            mark,
            running: None,
            output: None,
            poll: OutputPoll::default(),
            start: StartWatch::default(),
        }
    }

    /// Other commands from now on. The one in flight continues.
    pub(crate) fn reconfigure(&mut self, commands: Commands) {
        if self.commands.gateway != commands.gateway {
            self.force = force(&commands);
        }
        self.commands = commands;
    }

    /// Is a command in flight?
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Is nothing run?
    pub(crate) fn is_dry(&self) -> bool {
        self.commands.dry_run
    }

    /// Runs a command, if there is such a one, with these additions to the environment.
    pub(crate) fn run(&mut self, command: Command, environment: Environment) -> Launched {
        let force = self.force.as_mut().filter(|_| command == Command::Stop);
        let line = match force {
            Some(force) => Some(force.line()),
            None => self.commands.line(command).cloned(),
        };
        let Some(line) = line else {
            let reason = "there is no such command".to_owned();
            return Launched::Ended(CommandResult::NotRun { reason });
        };
        if self.commands.dry_run {
            info!(%command, line = line.shown(), "dry run: the command isn't run");
            return self.pretend(command);
        }
        if command == Command::Start {
            let search = self.search();
            self.start.begin(search);
        }
        self.spawn(command, &line, environment)
    }

    fn pretend(&mut self, command: Command) -> Launched {
        match command {
            Command::Start => {
                self.running = Some(Running::Pretended);
                Launched::Pretended
            }
            Command::Stop | Command::Fence => Launched::Ended(CommandResult::Succeeded),
        }
    }

    /// For what a start that is about to be run begins.
    fn search(&self) -> Search {
        let gateway = &self.commands.gateway;
        Search {
            since: started::ticks(clock::now()),
            mark: self.mark.clone(),
            command: None,
            unit: gateway.unit.clone().filter(|unit| unit.is_started),
            account: gateway.user.clone(),
            uid: geteuid().as_raw(),
            lost: BTreeSet::new(),
        }
    }

    fn spawn(
        &mut self,
        command: Command,
        line: &CommandLine,
        environment: Environment,
    ) -> Launched {
        let account = self.commands.account(command);
        let mut output = CommandOutput::create(&self.state_dir, command, account)
            .inspect_err(|error| warn!(%command, %error, "the command's output is lost"))
            .ok();
        let mut variables = environment.clone();
        if command == Command::Start {
            variables.push((InvocationMark::VARIABLE, self.mark.value()));
        }
        match RunningCommand::spawn(command, line, account, &variables, output.as_ref()) {
            Ok(process) => {
                let user = account.map(Account::name);
                if let Some(output) = &mut output {
                    output.release();
                }
                info!(%command, line = line.shown(), user, pid = process.id(), "command started");
                if command == Command::Start {
                    self.start.runs(process.id());
                }
                self.running = Some(Running::Real {
                    process: Box::new(process),
                    environment,
                });
                // Without a place for it, there is nothing to read.
                self.poll = match output {
                    Some(_) => OutputPoll::beginning(command),
                    None => OutputPoll::default(),
                };
                self.output = output;
                Launched::Runs
            }
            Err(error) => {
                error!(%command, line = line.shown(), %error, "the command can't be run");
                Launched::Ended(CommandResult::NotRun {
                    reason: error.to_string(),
                })
            }
        }
    }

    /// Ends the command in flight with its process group. Its result, where that is known at once.
    pub(crate) fn kill(&mut self, command: Command) -> Option<CommandResult> {
        match &mut self.running {
            Some(Running::Real { process, .. }) => {
                warn!(%command, elapsed = ?process.elapsed(), "killing the command and its process group");
                process.kill();
                None
            }
            Some(Running::Pretended) | None => {
                self.running = None;
                Some(CommandResult::Signalled {
                    signal: libc::SIGKILL,
                })
            }
        }
    }

    /// The command in flight has ended like this: the slot is free, unless another form of it has to be run.
    pub(crate) fn finish(&mut self, command: Command, result: CommandResult) -> Ended {
        if command == Command::Start {
            self.start.command_ended();
        }
        let (took, environment) = match self.running.take() {
            Some(Running::Real {
                process,
                environment,
            }) => (process.elapsed(), environment),
            Some(Running::Pretended) | None => (Duration::ZERO, Environment::new()),
        };
        self.log_output(true);
        let output = self.output.as_ref();
        let last_line = output.and_then(CommandOutput::last_line);
        let output = output.map(CommandOutput::last_lines).unwrap_or_default();
        match &result {
            CommandResult::Succeeded => info!(%command, %result, ?took, "command ended"),
            _ => warn!(%command, %result, ?took, output, "command ended"),
        }
        let force = self.force.as_mut().filter(|_| command == Command::Stop);
        let instead = force.and_then(|force| force.ended(&result, &output));
        Ended {
            result,
            output,
            last_line,
            instead: instead.map(|line| self.spawn(command, &line, environment)),
        }
    }

    /// Finds out whether the stop needs `--force`, in good time before one is due.
    pub(crate) fn ask_for_force(&mut self) {
        if let Some(force) = &mut self.force
            && !self.commands.dry_run
        {
            force.ask(self.commands.gateway.user.as_ref());
        }
    }

    /// The gateway serves, so there is time again: another version may have been installed since.
    pub(crate) fn ask_for_force_anew(&mut self) {
        if let Some(force) = &mut self.force
            && !self.commands.dry_run
        {
            force.ask_anew(self.commands.gateway.user.as_ref());
        }
    }

    // --- output ------------------------------------------------------------------------------

    /// Logs what the command in flight has written, or what it had still to say when it ended.
    pub(crate) fn log_output(&mut self, ended: bool) {
        let (Some(output), Some(command)) = (&mut self.output, self.poll.of) else {
            return;
        };
        let NewLines { lines, left_out } = output.new_lines(ended);
        self.poll.found(!lines.is_empty() || left_out > 0);
        for line in lines {
            info!(%command, line = %Escaped(&line), "command says");
        }
        if left_out > 0 {
            let file = self.state_dir.join(format!("{command}.log"));
            info!(%command, left_out, file = %file.display(), "command says more than is told");
        }
        if ended {
            self.poll = OutputPoll::default();
        }
    }

    // --- what a start began ------------------------------------------------------------------

    /// What a start began, and whether anything of it lives.
    pub(crate) fn start(&mut self) -> &mut StartWatch {
        &mut self.start
    }

    // --- waiting -----------------------------------------------------------------------------

    /// What there is to wait for: the end of the command in flight and its last words, the time to read its
    /// output, and a look at what a start began. All are cancel-safe: a command that has ended says so again.
    pub(crate) fn awaited(
        &mut self,
    ) -> (
        impl Future<Output = (Command, CommandResult)>,
        impl Future<Output = ()>,
        impl Future<Output = Found>,
    ) {
        let Self {
            running,
            output,
            poll,
            start,
            ..
        } = self;
        (ended(running, output), poll.due(), start.next())
    }

    /// Has the command in flight ended, and nobody took notice of it yet?
    pub(crate) fn has_ended(&self) -> bool {
        match &self.running {
            Some(Running::Real { process, .. }) => process.has_ended(),
            Some(Running::Pretended) | None => false,
        }
    }

    /// Is it time to read the output?
    pub(crate) fn output_is_due(&self) -> bool {
        self.poll.is_due()
    }
}

async fn ended(
    running: &mut Option<Running>,
    output: &mut Option<CommandOutput>,
) -> (Command, CommandResult) {
    match running {
        Some(Running::Real { process, .. }) => {
            let result = process.ended().await;
            if let Some(output) = output {
                output.arrived().await;
            }
            (process.command(), result)
        }
        Some(Running::Pretended) | None => std::future::pending().await,
    }
}

/// What the stop command needs, where that depends on what is installed.
fn force(commands: &Commands) -> Option<Force> {
    let gateway = &commands.gateway;
    let needed = gateway.stop_may_need_force;
    needed.then(|| Force::of(gateway.stop.clone()))
}

/// When to read the output of the command in flight again: often while it writes, and ever less often while
/// it doesn't, as a start that is the gateway itself and runs for weeks.
#[derive(Debug, Default)]
struct OutputPoll {
    of: Option<Command>,
    pause: Duration,
    next: Option<Instant>,
}

impl OutputPoll {
    const SOONEST: Duration = Duration::from_millis(50);
    const LATEST: Duration = Duration::from_secs(2);

    fn beginning(of: Command) -> Self {
        let mut poll = Self {
            of: Some(of),
            ..Self::default()
        };
        poll.found(true);
        poll
    }

    fn found(&mut self, anything: bool) {
        self.pause = match anything {
            true => Self::SOONEST,
            false => (2 * self.pause).min(Self::LATEST),
        };
        self.next = Some(Instant::now() + self.pause);
    }

    /// Is it time?
    fn is_due(&self) -> bool {
        self.next.is_some_and(|next| Instant::now() >= next)
    }

    /// Waits until it is time. Cancel-safe.
    async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_read_ever_less_often_while_there_is_none() {
        let mut poll = OutputPoll::beginning(Command::Start);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            poll.found(false);
            pauses.push(poll.pause.as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000]);
        poll.found(true);
        assert_eq!(poll.pause, OutputPoll::SOONEST);
    }
}
