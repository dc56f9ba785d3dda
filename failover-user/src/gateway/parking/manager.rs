//! What a parked unit's service manager is asked for, on both sides: [`call`] runs this program again as the
//! account, which alone has access to its manager and writes its files, and [`run`] is what runs there.
//!
//! The process ends with the one that calls it, so that nothing starts a unit after a `park` was killed.

use std::{
    io::{self, Read as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::ValueEnum;
use failover_linux::{escape, spawn};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tokio::time::timeout;

use crate::gateway::{
    command::{account::Account, command_line::THIS_PROGRAM, manager::Manager, unit::Scope},
    parking::{
        boots, drop_in,
        facts::{Facts, LONGEST_FACTS},
        unit::ParkedUnit,
    },
};

/// The hidden subcommand.
const SUBCOMMAND: &str = "parking-unit";
/// Of its error messages.
const LONGEST_MESSAGE: u64 = 4096;
/// A manager that reloads hundreds of units on a slow board takes seconds.
const ANSWER: Duration = Duration::from_secs(30);
/// For a stop of a unit whose processes are dead already.
const STOP: Duration = Duration::from_secs(20);
/// More than a gateway has while it is parked.
const MOST_PROCESSES: usize = 64;
/// Between two looks whether the process has ended, after its output has.
const REAPED: Duration = Duration::from_millis(1);

/// What is asked for. Each ends with the unit's facts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ManagerVerb {
    /// Nothing else.
    Look,
    /// The drop-in is put into force.
    Hold,
    /// The unit is started; its job isn't waited for.
    Start,
    /// The unit, whose processes were killed, is stopped, and its job waited for; then as `free`.
    End,
    /// The drop-in is removed, and what the unit's end left behind.
    Free,
}

impl ManagerVerb {
    const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Hold => "hold",
            Self::Start => "start",
            Self::End => "end",
            Self::Free => "free",
        }
    }
}

/// Asks the manager of a unit.
///
/// # Errors
/// When it can't be asked, refuses, or doesn't answer in time.
pub(super) fn call(
    unit: &ParkedUnit,
    account: Option<&Account>,
    verb: ManagerVerb,
) -> anyhow::Result<Facts> {
    ask(unit, account, verb, &[])
        .with_context(|| format!("{} {}", verb.name(), escape::one_line(&unit.name)))
}

/// Has the manager end a unit with these processes, which have been killed.
///
/// # Errors
/// As [`call`].
pub(super) fn end(
    unit: &ParkedUnit,
    account: Option<&Account>,
    processes: &[u32],
) -> anyhow::Result<Facts> {
    let verb = ManagerVerb::End;
    ask(unit, account, verb, processes)
        .with_context(|| format!("{} {}", verb.name(), escape::one_line(&unit.name)))
}

fn ask(
    unit: &ParkedUnit,
    account: Option<&Account>,
    verb: ManagerVerb,
    processes: &[u32],
) -> anyhow::Result<Facts> {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .args([SUBCOMMAND, verb.name()])
        .args((unit.scope() == Scope::User).then_some("--user"))
        .arg(&unit.name)
        .args(processes.iter().take(MOST_PROCESSES).map(u32::to_string))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let change = match account {
        Some(account) => {
            command.env_clear();
            command.envs(account.environment(THIS_PROGRAM.as_ref()));
            Some(account.change()?)
        }
        None => None,
    };
    spawn::dependent(&mut command, change);
    let deadline = Instant::now() + ANSWER;
    let mut child = command.spawn().context("running this program again")?;
    let answer = (|| {
        let mut text = Vec::new();
        let output = child.stdout.take().context("it has no output")?;
        read_until(output, &mut text, deadline)?;
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => bail!("no answer within {ANSWER:?}"),
                None => thread::sleep(REAPED),
            }
        };
        let mut message = String::new();
        if let Some(errors) = child.stderr.take() {
            let _ = errors.take(LONGEST_MESSAGE).read_to_string(&mut message);
        }
        let message = escape::one_line(message.trim().trim_start_matches("failover: "));
        ensure!(status.success(), "{message}");
        if !message.is_empty() {
            eprintln!("failover: {message}");
        }
        Facts::parse(&text)
    })();
    if answer.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    answer
}

fn read_until(
    mut output: impl io::Read + std::os::fd::AsFd,
    text: &mut Vec<u8>,
    deadline: Instant,
) -> anyhow::Result<()> {
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no answer within {ANSWER:?}");
        let patience = Timespec::try_from(left).map_err(|_| anyhow!("no such time"))?;
        match poll(
            &mut [PollFd::new(&output.as_fd(), PollFlags::IN)],
            Some(&patience),
        ) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let read = output.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        text.extend(chunk.iter().take(read));
        ensure!(text.len() < LONGEST_FACTS, "the answer is too long");
    }
}

/// The other side: does it, and prints the facts. Inside a tokio runtime, as the account of the manager.
///
/// # Errors
/// When the manager can't be reached or refuses, or the drop-in can't be written.
pub async fn run(
    verb: ManagerVerb,
    scope: Scope,
    name: &str,
    processes: &[u32],
) -> anyhow::Result<()> {
    let manager = Manager::connect(scope).await?;
    match verb {
        ManagerVerb::Look => {}
        ManagerVerb::Hold => {
            let path = drop_in::write(scope, name).context("writing the drop-in")?;
            manager
                .reload()
                .await
                .with_context(|| format!("reloading for {}", path.display()))?;
        }
        ManagerVerb::Start => {
            // A unit that failed too often would not be started; what is wanted now is wanted.
            let _ = manager.ask("ResetFailedUnit", name).await;
            manager.begin_start(name).await?;
        }
        ManagerVerb::End => {
            let stopped = timeout(STOP, manager.job("StopUnit", name)).await;
            free(&manager, scope, name).await?;
            boots::close(scope, processes);
            // One whose file is gone, and which has ended, is unknown.
            if let Ok(Err(error)) = stopped {
                eprintln!("{error:#}");
            }
        }
        ManagerVerb::Free => free(&manager, scope, name).await?,
    }
    let facts = Facts::ask(&manager, name).await?;
    println!("{}", serde_json::to_string(&facts)?);
    Ok(())
}

async fn free(manager: &Manager, scope: Scope, name: &str) -> anyhow::Result<()> {
    let there = drop_in::remove(scope, name).context("removing the drop-in")?;
    if there {
        manager.reload().await?;
    }
    let _ = manager.ask("ResetFailedUnit", name).await;
    Ok(())
}
