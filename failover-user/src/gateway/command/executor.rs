//! Runs the commands of the local gateway and the fence, one at a time; in a dry run none.
//!
//! It must not know why a command runs or what follows from its end: it gets a command, and reports how it
//! began and how it ended.

use std::{collections::BTreeSet, future::Future, path::PathBuf, time::Duration};

use rustix::process::geteuid;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use failover_decide::{CommandResult, Step};
use failover_linux::{clock, escape::Escaped};
use failover_sync::outcome::Outcome;

use crate::{
    gateway::{
        command::{
            RunningCommand,
            account::Account,
            command_line::CommandLine,
            force::Force,
            output::{CommandOutput, NewLines},
            start_watch::StartWatch,
            survivors::{Found, Search},
        },
        parking::{ParkedUnit, Phase, Record, spec},
        port::{invocation::InvocationMark, started},
        spec::Commands,
    },
    named::Named as _,
    sync::{order::Task, worker::RunningWorker},
    wording,
};

/// Environment variables of a command.
pub(crate) type Environment = Vec<(&'static str, String)>;

/// The command slot and the command in it.
pub(crate) struct Executor {
    commands: Commands,
    state_dir: PathBuf,
    /// The mark of a start command's descendants.
    mark: InvocationMark,
    running: Option<Running>,
    /// Output of the last command; the gateway that a start left behind may still write there.
    output: Option<CommandOutput>,
    poll: OutputPoll,
    /// Whether the stop command needs `--force`, where that depends on what is installed.
    force: Option<Force>,
    start: StartWatch,
}

/// What is in the slot.
enum Running {
    Real {
        process: Box<RunningCommand>,
        /// For a second run in another form.
        environment: Environment,
        /// It is the step's own command line.
        is_own: bool,
    },
    /// A dry run's start, which never ends by itself.
    Pretended,
    /// What has to be done first. The command follows, whatever comes of that.
    Preparing {
        worker: RunningWorker,
        task: Task,
        since: Instant,
        command: Step,
        environment: Environment,
    },
}

/// What has ended in the command slot.
#[derive(Debug)]
pub(crate) enum SlotEnd {
    /// The command.
    Command(Step, CommandResult),
    /// What had to be done before it.
    Preparation(Box<Outcome>),
}

/// A preparation that has ended, and what follows it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) task: Task,
    pub(crate) took: Duration,
    pub(crate) command: Step,
    pub(crate) environment: Environment,
}

/// What carries out a step.
struct Means {
    line: CommandLine,
    /// The account that it runs as, if it isn't the daemon's own.
    account: Option<Account>,
    /// It is the step's own command line.
    is_own: bool,
}

/// How a command began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Launched {
    /// Its process runs.
    Runs,
    /// It is a dry run, in which a start runs until it is killed.
    Pretended,
    /// It has ended already.
    Ended(CommandResult),
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: CommandResult,
    /// Its last lines of output.
    pub(crate) output: String,
    /// The last of them.
    pub(crate) last_line: Option<String>,
    /// How another form of it began, which was run instead.
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

    /// Applies other commands. The one in progress continues.
    pub(crate) fn reconfigure(&mut self, commands: Commands) {
        if self.commands.gateway != commands.gateway {
            self.force = force(&commands);
        }
        self.commands = commands;
    }

    /// Is a command in progress?
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Is this a dry run?
    pub(crate) fn is_dry(&self) -> bool {
        self.commands.dry_run
    }

    /// Runs a command, if it is configured, with these additions to the environment.
    pub(crate) fn run(&mut self, command: Step, environment: Environment) -> Launched {
        let Some(means) = self.means(command) else {
            let reason = "there is no such command".to_owned();
            return Launched::Ended(CommandResult::NotRun { reason });
        };
        if self.commands.dry_run {
            info!(%command, line = means.line.shown(), "dry run: the command isn't run");
            return self.pretend(command);
        }
        if command == Step::START {
            let search = self.search();
            self.start.begin(search);
        }
        self.spawn(command, &means, environment)
    }

    /// Has this done before a command, which is begun when [`Self::prepared`] says so.
    pub(crate) fn prepare(
        &mut self,
        task: Task,
        worker: RunningWorker,
        command: Step,
        environment: Environment,
    ) {
        info!(%command, task = task.name(), "before the command");
        self.running = Some(Running::Preparing {
            worker,
            task,
            since: Instant::now(),
            command,
            environment,
        });
    }

    /// The preparation has ended: what it was, and what must be run now.
    pub(crate) fn prepared(&mut self) -> Option<Prepared> {
        match self.running.take() {
            Some(Running::Preparing {
                worker: _,
                task,
                since,
                command,
                environment,
            }) => Some(Prepared {
                task,
                took: since.elapsed(),
                command,
                environment,
            }),
            other @ (Some(Running::Real { .. } | Running::Pretended) | None) => {
                self.running = other;
                None
            }
        }
    }

    /// Is a gateway parked, which a start continues?
    pub(crate) fn continues(&self) -> bool {
        let is_parked = || matches!(Record::read(&self.commands.parking), Ok(Some(_)));
        !self.commands.dry_run && is_parked()
    }

    /// What carries out a step now. A gateway that is parked is continued in place of a start, and discarded in place
    /// of a stop, which would wake it.
    fn means(&mut self, command: Step) -> Option<Means> {
        if let Some(line) = self.of_parked(command) {
            return Some(Means {
                line,
                account: None,
                is_own: false,
            });
        }
        let force = self.force.as_mut().filter(|_| command == Step::STOP);
        let line = match force {
            Some(force) => force.line(),
            None => self.commands.line(command)?.clone(),
        };
        Some(self.own(command, line))
    }

    fn own(&self, command: Step, line: CommandLine) -> Means {
        Means {
            line,
            account: self.commands.account(command).cloned(),
            is_own: true,
        }
    }

    fn of_parked(&self, command: Step) -> Option<CommandLine> {
        let place = &self.commands.parking;
        let is_start = command == Step::START;
        match command {
            Step::PARK => {
                let unit = ParkedUnit::of(&self.commands.gateway).ok()?;
                return Some(spec::park(place, &unit, self.commands.park_within));
            }
            Step::DISCARD => return Some(spec::discard(place)),
            _ => {}
        }
        if self.commands.dry_run || !(is_start || command == Step::STOP) {
            return None;
        }
        match Record::read(place) {
            Ok(Some(_)) if is_start => Some(spec::proceed(place)),
            // What held it is left, and nothing else of the parking.
            Ok(Some(record)) => (record.phase != Phase::Continued).then(|| spec::discard(place)),
            Ok(None) => None,
            Err(error) => {
                warn!(%command, %error, "whether the gateway is parked can't be read");
                None
            }
        }
    }

    fn pretend(&mut self, command: Step) -> Launched {
        match command {
            Step::START => {
                self.running = Some(Running::Pretended);
                Launched::Pretended
            }
            _ => Launched::Ended(CommandResult::Succeeded),
        }
    }

    /// The search for the processes of a start that is about to run.
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

    fn spawn(&mut self, command: Step, means: &Means, environment: Environment) -> Launched {
        let Means {
            line,
            account,
            is_own,
        } = means;
        let account = account.as_ref();
        let mut output = CommandOutput::create(&self.state_dir, command, account)
            .inspect_err(|error| warn!(%command, %error, "the command's output is lost"))
            .ok();
        let mut variables = environment.clone();
        if command == Step::START {
            variables.push((InvocationMark::VARIABLE, self.mark.value()));
        }
        match RunningCommand::spawn(command, line, account, &variables, output.as_ref()) {
            Ok(process) => {
                let user = account.map(Account::name);
                if let Some(output) = &mut output {
                    output.release();
                }
                info!(%command, line = line.shown(), user, pid = process.id(), "command started");
                if command == Step::START {
                    self.start.runs(process.id());
                }
                self.running = Some(Running::Real {
                    process: Box::new(process),
                    environment,
                    is_own: *is_own,
                });
                // Without a relay, there is nothing to read.
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

    /// Kills the command in progress with its process group. Returns its result if that is known at once.
    pub(crate) fn kill(&mut self, command: Step) -> Option<CommandResult> {
        match &mut self.running {
            Some(Running::Real { process, .. }) => {
                warn!(%command, elapsed = ?process.elapsed(), "killing the command and its process group");
                process.kill();
                None
            }
            // The worker is killed with it.
            Some(Running::Preparing { .. } | Running::Pretended) | None => {
                self.running = None;
                Some(CommandResult::Signalled {
                    signal: libc::SIGKILL,
                })
            }
        }
    }

    /// The command in progress has ended: the slot is free, unless another form of it has to run.
    pub(crate) fn finish(&mut self, command: Step, result: CommandResult) -> Ended {
        if command == Step::START {
            self.start.command_ended();
        }
        let (took, environment, is_own) = match self.running.take() {
            Some(Running::Real {
                process,
                environment,
                is_own,
            }) => (process.elapsed(), environment, is_own),
            Some(Running::Preparing { .. } | Running::Pretended) | None => {
                (Duration::ZERO, Environment::new(), true)
            }
        };
        self.log_output(true);
        let output = self.output.as_ref();
        let last_line = output.and_then(CommandOutput::last_line);
        let output = output.map(CommandOutput::last_lines).unwrap_or_default();
        let ended = wording::command::result(&result);
        match &result {
            CommandResult::Succeeded => info!(%command, result = ended, ?took, "command ended"),
            CommandResult::Failed { .. }
            | CommandResult::Signalled { .. }
            | CommandResult::NotRun { .. }
            | CommandResult::Abandoned => {
                warn!(%command, result = ended, ?took, output, "command ended");
            }
        }
        let force = self.force.as_mut();
        let force = force.filter(|_| command == Step::STOP && is_own);
        let instead = force.and_then(|force| force.ended(&result, &output));
        let instead = instead.map(|line| self.own(command, line));
        Ended {
            result,
            output,
            last_line,
            instead: instead.map(|means| self.spawn(command, &means, environment)),
        }
    }

    /// Finds out whether the stop needs `--force`, well before one is due.
    pub(crate) fn ask_for_force(&mut self) {
        if let Some(force) = &mut self.force
            && !self.commands.dry_run
        {
            force.ask(self.commands.gateway.user.as_ref());
        }
    }

    /// The same again, while the gateway serves: another version may have been installed since.
    pub(crate) fn ask_for_force_again(&mut self) {
        if let Some(force) = &mut self.force
            && !self.commands.dry_run
        {
            force.ask_again(self.commands.gateway.user.as_ref());
        }
    }

    // --- output ------------------------------------------------------------------------------

    /// Logs new output of the command in progress, or its last output when it ended.
    pub(crate) fn log_output(&mut self, ended: bool) {
        let (Some(output), Some(command)) = (&mut self.output, self.poll.of) else {
            return;
        };
        let NewLines { lines, left_out } = output.new_lines(ended);
        self.poll.found(!lines.is_empty() || left_out > 0);
        for line in lines {
            info!(%command, line = %Escaped(&line), "command output");
        }
        if left_out > 0 {
            let file = self.state_dir.join(format!("{command}.log"));
            info!(%command, left_out, file = %file.display(), "command output above the rate limit isn't logged");
        }
        if ended {
            self.poll = OutputPoll::default();
        }
    }

    // --- what a start began ------------------------------------------------------------------

    /// The watch over the processes of a start.
    pub(crate) fn start(&mut self) -> &mut StartWatch {
        &mut self.start
    }

    // --- waiting -----------------------------------------------------------------------------

    /// The events to wait for: the end of what is in the slot, of a command with its last output, the time to read its
    /// output, and a result of the watch over a start. All are cancel-safe: the end of a command is reported again.
    pub(crate) fn awaited(
        &mut self,
    ) -> (
        impl Future<Output = SlotEnd>,
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

    /// Has the command in progress ended, and its end isn't handled yet?
    pub(crate) fn has_ended(&self) -> bool {
        match &self.running {
            Some(Running::Real { process, .. }) => process.has_ended(),
            Some(Running::Preparing { worker, .. }) => worker.has_ended(),
            Some(Running::Pretended) | None => false,
        }
    }

    /// Is it time to read the output?
    pub(crate) fn output_is_due(&self) -> bool {
        self.poll.is_due()
    }
}

async fn ended(running: &mut Option<Running>, output: &mut Option<CommandOutput>) -> SlotEnd {
    match running {
        Some(Running::Real { process, .. }) => {
            let result = process.ended().await;
            if let Some(output) = output {
                output.arrived().await;
            }
            SlotEnd::Command(process.command(), result)
        }
        Some(Running::Preparing { worker, .. }) => {
            SlotEnd::Preparation(Box::new(worker.ended().await))
        }
        Some(Running::Pretended) | None => std::future::pending().await,
    }
}

/// Finds out about `--force`, where that depends on the installed version.
fn force(commands: &Commands) -> Option<Force> {
    let gateway = &commands.gateway;
    let needed = gateway.stop_may_need_force;
    needed.then(|| Force::of(gateway.stop.clone()))
}

/// When to read the output of the command in progress: often while it writes, and less and less often while it
/// doesn't, as with a start that is the gateway itself and runs for weeks.
#[derive(Debug, Default)]
struct OutputPoll {
    of: Option<Step>,
    pause: Duration,
    next: Option<Instant>,
}

impl OutputPoll {
    const SOONEST: Duration = Duration::from_millis(50);
    const LATEST: Duration = Duration::from_secs(2);

    fn beginning(of: Step) -> Self {
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
    use std::num::NonZeroU16;

    use super::*;
    use crate::gateway::{
        parking::{ParkedUnit, Process, place::Place},
        port::identity::Identity,
        spec::LocalGateway,
    };

    fn command(words: &str) -> CommandLine {
        CommandLine::parse(words).unwrap()
    }

    #[test]
    fn a_parked_gateway_is_continued_by_a_start_and_discarded_by_a_stop_and_never_stopped_plainly()
    {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path(), NonZeroU16::MIN);
        let unit = ParkedUnit {
            name: "bot.service".to_owned(),
            account: None,
        };
        let commands = Commands {
            gateway: LocalGateway {
                user: Some(Account::own().unwrap()),
                start: command("begin it"),
                stop: command("end it"),
                stop_may_need_force: false,
                identity: Identity::of_account(0),
                unit: None,
            },
            fence: Some(command("fence it")),
            dry_run: false,
            parking: place.clone(),
            park_within: Duration::from_secs(60),
        };
        let mark = InvocationMark::of(folder.path());
        let mut executor = Executor::new(commands, folder.path().to_owned(), mark);
        let mut lines = |record: Option<Phase>| {
            if let Some(phase) = record {
                let record = Record::new(place.port(), unit.clone(), "/bot.service".to_owned());
                record.in_phase(phase).write(&place).unwrap();
            }
            [Step::START, Step::STOP, Step::FENCE].map(|step| {
                let means = executor.means(step).unwrap();
                // Only root may continue and discard.
                let own = matches!((step, means.is_own), (Step::START | Step::STOP, true));
                assert_eq!(means.account.is_some(), own);
                means.line
            })
        };
        let [start, stop, fence] = ["begin it", "end it", "fence it"].map(command);
        assert_eq!(lines(None), [start, stop.clone(), fence.clone()]);
        let process = Process { pid: 1, started: 1 };
        for phase in [
            Phase::Parking,
            Phase::Parked { process },
            Phase::Continuing { process: None },
        ] {
            let expected = [spec::proceed(&place), spec::discard(&place), fence.clone()];
            assert_eq!(lines(Some(phase)), expected, "{phase:?}");
        }
        // It serves: a stop is an ordinary one.
        let expected = [spec::proceed(&place), stop, fence];
        assert_eq!(lines(Some(Phase::Continued)), expected);
    }

    #[test]
    fn output_is_read_ever_less_often_while_there_is_none() {
        let mut poll = OutputPoll::beginning(Step::START);
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
