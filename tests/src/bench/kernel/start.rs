//! From the daemon's start until it is armed, and the memory that it and `trace` hold.

use std::{path::Path, process::Stdio, thread, time::Duration};

use anyhow::{Context as _, Result, anyhow};

use super::{WATCHED, watcher::Watcher};
use crate::{
    PORT,
    bench::{
        cgroup::resident,
        episode::done,
        load::Load,
        megabytes,
        report::{Contestant, Goal, Row},
    },
    commands::{Command, Commands},
    lab::Lab,
    lines::Lines,
    moment::Moment,
    wait,
};

/// Starts in each round.
const STARTS: u32 = 4;
/// By then starting is long over.
const SETTLED: Duration = Duration::from_secs(3);

pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 3]> {
    let (mut starts, mut daemon, mut trace) = (Vec::new(), Vec::new(), Vec::new());
    for start in 0..rounds * STARTS {
        let settle = start % STARTS == 0;
        let (took, memory) = run(failover, settle)?;
        starts.push(took.as_secs_f64() * 1e3);
        daemon.extend(memory);
        if settle {
            trace.push(trace_memory(failover)?);
        }
    }
    let row = |timing, measure, unit, limit, samples| {
        let samples = [(Contestant::Failover, samples)];
        Row::new(timing, measure, unit, Goal::Most(limit), samples)
    };
    Ok([
        row("run", "from its start to armed", "ms", 300.0, starts),
        row("run", "resident memory after an outage", "MB", 10.0, daemon),
        row("trace", "resident memory", "MB", 10.0, trace),
    ])
}

/// Runs the daemon until it is armed, or through an outage, and tells its memory then: all that it does
/// has been done once.
fn run(failover: &Path, settle: bool) -> Result<(Duration, Option<f64>)> {
    let lab = Lab::build()?;
    let primary = lab.host_a().gateway()?;
    let file = |name: &str| lab.directory().join(name);
    let commands = Commands::new(&lab.directory().join("pc-b"), lab.binary())?;
    let mut command = lab.host_b().command(failover);
    command
        .args([
            "run",
            "--config=/dev/null",
            "--log-format",
            "json",
            "--interval",
            "1s",
        ])
        .args(["--timeout", "1s", "--gateway", "command"])
        .args(["--start", &commands.line(Command::Start)])
        .args(["--stop", &commands.line(Command::Stop)])
        .args(["--kernel-events", "required", "--primary"])
        .arg(format!("{}:{PORT}", lab.host_a().address()))
        .arg("--state-dir")
        .arg(file("state"))
        .arg("--control")
        .arg(file("control.sock"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let began = Moment::now();
    let mut daemon = lab.host_b().spawn(&mut command)?;
    let lines = Lines::of(daemon.child().stderr.take().context("no pipe")?);
    // The line says itself when it was written.
    let armed = wait::attempt(wait::LONG, || {
        let said = lines.from(0);
        said.into_iter().find(|line| line.message() == "watching")
    })
    .ok_or_else(|| anyhow!("the daemon isn't armed; it says:\n{}", lines.text()))?;
    let memory = settle.then(|| {
        let lost = primary.kill();
        done(&commands, Command::Start, lost, wait::LONG)?;
        let back = Moment::now();
        let _primary = lab.host_a().gateway()?;
        done(&commands, Command::Stop, back, wait::LONG)?;
        thread::sleep(SETTLED);
        resident(daemon.pid())
            .map(megabytes)
            .context("the daemon ended")
    });
    Ok((armed.at.since(began), memory.transpose()?))
}

fn trace_memory(failover: &Path) -> Result<f64> {
    let lab = Lab::build()?;
    let mut command = lab.host_b().command(failover);
    command.args(["trace", "--port", &WATCHED.to_string()]);
    let trace = Watcher::of(command, lab.host_b())?;
    lab.host_b().enter("events", || {
        let load = Load {
            port: WATCHED,
            connections: 1000,
            rate: None,
            threads: 1,
        };
        load.run()
    })?;
    thread::sleep(SETTLED);
    resident(trace.pid()).map(megabytes).context("trace ended")
}
