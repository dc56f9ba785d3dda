//! Programs that watch the port, each run by its own means, and what the kernel says they cost.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use aya::sys::{Stats, enable_stats};

use super::{WATCHED, empty::Empty};
use crate::{
    bench::{load::Load, report::Contestant},
    lab::{self, Host, Lab},
    wait,
};

/// A running contestant. Dropping it ends it.
pub(super) enum Watcher {
    /// Its programs are its own.
    Process(lab::Process),
    /// This process has it.
    #[expect(dead_code, reason = "attached until it is dropped")]
    Empty(Empty),
}

/// What one kernel program has used up.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    nanoseconds: u64,
    runs: u64,
}

impl Watcher {
    /// Starts it on PC-B, and waits until it watches.
    pub(super) fn start(contestant: Contestant, lab: &Lab, failover: &Path) -> Result<Self> {
        if contestant == Contestant::Empty {
            let empty = Empty::attach().context("attaching an empty program")?;
            return Ok(Self::Empty(empty));
        }
        let command = command(contestant, lab, failover)?;
        Self::of(command, lab.host_b()).with_context(|| contestant.name())
    }

    /// The same of whatever the command runs on the host.
    pub(super) fn of(mut command: Command, host: &Host) -> Result<Self> {
        // Only what is attached runs, and only then are runs counted.
        let _counting =
            enable_stats(Stats::RunTime).context("having the kernel count run times")?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut watcher = Self::Process(host.spawn(&mut command)?);
        wait::attempt(wait::LONG, || {
            if let Self::Process(process) = &mut watcher
                && process.ended().is_some()
            {
                return Some(Err(anyhow!("it ended")));
            }
            match watcher.runs_at_a_connection(host) {
                Ok(true) => Some(Ok(())),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            }
        })
        .unwrap_or_else(|| Err(anyhow!("it doesn't watch")))
        .with_context(|| format!("{command:?}"))?;
        Ok(watcher)
    }

    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Process(process) => process.pid(),
            Self::Empty(_) => std::process::id(),
        }
    }

    /// Mean run time of the program that ran most while the work was done, in nanoseconds.
    pub(super) fn cost(&self, work: impl FnOnce() -> Result<()>) -> Result<f64> {
        let before = self.used()?;
        work()?;
        let most = self
            .used()?
            .into_iter()
            .map(|(program, after)| {
                let before = before.get(&program).copied().unwrap_or_default();
                let nanoseconds = after.nanoseconds.saturating_sub(before.nanoseconds);
                (after.runs.saturating_sub(before.runs), nanoseconds)
            })
            .max();
        let (runs, nanoseconds) = most.context("it has no kernel program")?;
        ensure!(runs > 0, "no kernel program of it ran");
        Ok(number(nanoseconds)? / number(runs)?)
    }

    fn runs_at_a_connection(&self, host: &Host) -> Result<bool> {
        let runs = || anyhow::Ok(self.used()?.values().map(|used| used.runs).max());
        let before = runs()?;
        host.enter("mark", || {
            let load = Load {
                port: WATCHED,
                connections: 1,
                rate: None,
                threads: 1,
            };
            load.run()
        })?;
        Ok(before.is_some() && runs()? > before)
    }

    /// By program number. The kernel tells it of each program that a process holds
    /// (kernel/bpf/syscall.c, 6.18, `bpf_prog_show_fdinfo`).
    fn used(&self) -> Result<BTreeMap<u64, Used>> {
        let directory = format!("/proc/{}/fdinfo", self.pid());
        let files = fs::read_dir(&directory).with_context(|| format!("reading {directory}"))?;
        // A file may be closed by now.
        let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
        let programs = texts.filter_map(|text| {
            let value = |key: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
                    .and_then(|value| value.trim().parse().ok())
            };
            let used = Used {
                nanoseconds: value("run_time_ns")?,
                runs: value("run_cnt")?,
            };
            Some((value("prog_id")?, used))
        });
        Ok(programs.collect())
    }
}

/// All tell what happens on the port. tcpstates has no filter for one port at either end: it tells
/// the server's half, so that half of a connection's events cost it next to nothing.
fn command(contestant: Contestant, lab: &Lab, failover: &Path) -> Result<Command> {
    let host = lab.host_b();
    let port = WATCHED.to_string();
    match contestant {
        Contestant::Bpftrace => {
            let mut command = host.command("bpftrace");
            command.arg("-e").arg(format!(
                "tracepoint:sock:inet_sock_set_state \
                 /args->sport == {port} || args->dport == {port}/ {{ \
                 printf(\"%llu %llx %d %d %d %s %s %d %s %d %d %d\\n\", \
                 nsecs, args->skaddr, pid, tid, uid, comm, \
                 ntop(args->family, args->saddr), args->sport, \
                 ntop(args->family, args->daddr), args->dport, \
                 args->oldstate, args->newstate); }}"
            ));
            Ok(command)
        }
        Contestant::Tcpstates => {
            let mut command = host.command("tcpstates");
            command.args(["-L", &port]);
            Ok(command)
        }
        Contestant::Failover => {
            // The daemon itself. Nobody is the primary, so it is never taken over.
            let primary = format!("{}:{port}", lab.host_a().address());
            let file = |name: &str| lab.directory().join(name);
            let mut command = host.command(failover);
            command
                .args(["run", "--config=/dev/null", "--dry-run"])
                .arg("--kernel-events=required")
                .args(["--gateway=command", "--start=true", "--stop=true"])
                .args(["--port", &port, "--primary", &primary])
                .arg("--state-dir")
                .arg(file("state"))
                .arg("--control")
                .arg(file("control.sock"));
            Ok(command)
        }
        Contestant::Loop | Contestant::Keepalived | Contestant::Nobody | Contestant::Empty => {
            anyhow::bail!("{} is no program to run", contestant.name())
        }
    }
}

fn number(value: u64) -> Result<f64> {
    // Four seconds of run time, or events: far more than there are.
    Ok(f64::from(
        u32::try_from(value).context("too much to count")?,
    ))
}
