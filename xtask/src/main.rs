//! `cargo xtask`: everything that plain cargo cannot do for this workspace.
//!
//! This file knows the verbs; each has a module of its own. Exit codes: 2 for a wrong command
//! line, 1 for everything else that failed, and whatever the demonstration or benchmark says.

mod apt;
mod build;
mod cargo;
mod cross;
mod dist;
mod generate;
mod kernel;
mod lab;
mod linker;
mod openclaw;
mod privileges;
mod process;
mod results;
mod setup;
mod test;
mod tool;
mod toolchain;
mod vmtest;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use workspace::Workspace;

/// Sets up, builds, demonstrates, tests and measures failover.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true
)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do.
#[derive(Subcommand)]
enum Verb {
    /// Find or install the toolchain and the linker for the kernel program, and iproute2
    ///
    /// The other verbs do this by themselves. When nothing is missing it changes nothing.
    Setup {
        /// Also what a few tests need and are skipped without: promtool and a browser, Debian's
        /// prometheus and chromium-driver
        #[arg(long)]
        all: bool,
    },
    /// Build the kernel program and target/small/failover, the file for PC-B
    Build {
        /// Build for another processor, into target/TARGET/small/failover
        #[arg(long)]
        target: Option<cross::Target>,
    },
    /// Build the Debian package target/dist/failover_<version>_<architecture>.deb
    Dist {
        /// Build for another processor
        #[arg(long)]
        target: Option<cross::Target>,
    },
    /// Write anew what is made from the command line's definition: man pages, completions, the
    /// commented default configuration, and its reference
    Generate,
    /// Show a takeover and a release in the two-host lab (needs root or sudo)
    Demo,
    /// Run the tests of the workspace, the end-to-end ones under root
    ///
    /// All but those with the real OpenClaw, which `--openclaw` runs alone.
    Test {
        /// Only run the tests that need no root
        #[arg(long)]
        unit: bool,
        /// Only run the tests with the real OpenClaw, which npm installs below target/openclaw
        #[arg(long, conflicts_with = "unit")]
        openclaw: bool,
        /// Only run the tests whose name contains one of these
        filters: Vec<String>,
    },
    /// Measure failover against keepalived in the two-host lab, or with `kernel` its kernel program
    /// against bpftrace and tcpstates (needs root or sudo)
    Bench {
        /// Passed on to `failover-lab bench`; `-- --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Test the program on other kernels, Debian's own, each in an emulated machine
    Vmtest {
        /// A version like 5.10, or `newest`; can be given several times
        #[arg(long = "kernel", value_name = "VERSION", default_values = vmtest::DEFAULT_KERNELS)]
        kernels: Vec<vmtest::Wanted>,
        /// Build for another processor, and emulate one
        #[arg(long)]
        target: Option<cross::Target>,
    },
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    match run(command_line.verb) {
        Ok(code) => code,
        Err(error) => {
            process::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match verb {
        Verb::Setup { all } => {
            if all {
                setup::watching();
            }
            setup::report(&workspace, &setup::ready(&workspace)?);
        }
        Verb::Build { target } => build::run(&workspace, target)?,
        Verb::Dist { target } => dist::run(&workspace, target)?,
        Verb::Generate => generate::run(&workspace)?,
        Verb::Demo => lab::run(&workspace, lab::Show::Demo, &[])?,
        Verb::Bench { arguments } => lab::run(&workspace, lab::Show::Bench, &arguments)?,
        Verb::Vmtest { kernels, target } => return vmtest::run(&workspace, target, &kernels),
        Verb::Test {
            unit,
            openclaw,
            filters,
        } => {
            let scope = match (unit, openclaw) {
                (true, _) => test::Scope::Unit,
                (_, true) => test::Scope::OpenClaw,
                _ => test::Scope::Everything,
            };
            return test::run(&workspace, scope, &filters);
        }
    }
    Ok(ExitCode::SUCCESS)
}
