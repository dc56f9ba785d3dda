//! `failover-lab`: the programs of the two-host lab, the demonstration and the benchmark.
//!
//! This file has the verbs; each has its own module.

use std::{io::Write as _, process::ExitCode, thread};

use anyhow::Result;
use clap::{Parser, Subcommand};
use failover_tests::{
    bench, binder,
    commands::{self, Command},
    demo, forward, gateway, guest, hoard,
    lab::{Lab, Machine, machine, reaper},
    signals,
};

/// Two hosts on a switch, and what runs on them
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show a takeover and a release as they happen
    Demo(demo::Options),
    /// Measure failover, keepalived and the plain shell loop
    Bench(bench::Options),
    /// Run a small gateway
    Gateway(gateway::Options),
    /// Run a tunnel, as ssh -L does
    Forward(forward::Options),
    /// Listen and have files open without end, as another account
    Hoard(hoard::Options),
    /// Bind and listen, once for each byte on standard input
    #[command(hide = true)]
    Binder(binder::Options),
    /// Arm a stopper, then wait to be killed
    #[command(hide = true)]
    Arm(binder::ArmOptions),
    /// Start the gateway as the plan says, and note it
    Start(commands::Options),
    /// Stop the gateway as the plan says, and note it
    Stop(commands::Options),
    /// Say that the primary is gone as the plan says, and note it
    Fence(commands::Options),
    /// Check the kernel of a guest machine, as its first process
    #[command(hide = true)]
    Guest,
    /// Become the systemd of a machine, in namespaces made for it
    #[command(hide = true)]
    Boot(machine::Options),
    /// Name the Debian packages that are missing to boot one
    #[command(hide = true)]
    Missing,
    /// Hold a lab until killed, for the test that nothing is left of it
    #[command(hide = true)]
    Hold {
        /// Boot PC-B
        #[arg(long)]
        boot: bool,
    },
    /// End what runs in the namespaces named on standard input, once that is closed
    #[command(hide = true)]
    Reaper,
}

fn main() -> ExitCode {
    match run(CommandLine::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "failover-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Demo(options) => return demo::run(&options),
        Verb::Bench(options) => return bench::run(&options),
        Verb::Gateway(options) => gateway::run(&options)?,
        Verb::Forward(options) => forward::run(options)?,
        Verb::Hoard(options) => hoard::run(options)?,
        Verb::Binder(options) => binder::run(&options)?,
        Verb::Arm(options) => binder::arm(&options)?,
        Verb::Start(options) => return commands::run(Command::Start, &options),
        Verb::Stop(options) => return commands::run(Command::Stop, &options),
        Verb::Fence(options) => return commands::run(Command::Fence, &options),
        Verb::Guest => match guest::run()? {},
        Verb::Boot(options) => match machine::run(&options)? {},
        Verb::Missing => writeln!(std::io::stdout(), "{}", Machine::missing().join(" "))?,
        Verb::Hold { boot } => hold(boot)?,
        Verb::Reaper => reaper::run()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what could be left behind, then waits to be killed.
fn hold(boot: bool) -> Result<()> {
    signals::heed_interrupts();
    let lab = Lab::build()?;
    let gateway = lab.host_a().gateway()?;
    let machine = boot.then(|| Machine::boot(&lab, &[])).flatten();
    let mut output = std::io::stdout();
    if let Some(machine) = &machine {
        writeln!(output, "group {}", machine.group().display())?;
        writeln!(output, "init {}", machine.init())?;
    }
    writeln!(output, "directory {}", lab.directory().display())?;
    for namespace in lab.namespaces() {
        writeln!(output, "namespace {}", namespace.inode())?;
    }
    writeln!(output, "gateway {}", gateway.pid())?;
    loop {
        thread::park();
    }
}
