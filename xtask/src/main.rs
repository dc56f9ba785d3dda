//! `cargo xtask`: everything that plain cargo cannot do for this workspace.
//!
//! This file knows the verbs; each has a module of its own. Exit codes: 2 for a wrong command
//! line, 1 for everything else that failed, and whatever the demonstration or benchmark says.

mod apt;
mod build;
mod cargo;
mod command_line;
mod cross;
mod dist;
mod generate;
mod kernel;
mod lab;
mod linker;
mod litestream;
mod openclaw;
mod privileges;
mod process;
mod results;
mod setup;
mod steps;
mod test;
mod tool;
mod toolchain;
mod vmtest;
mod workspace;

use std::env;
use std::process::ExitCode;

use command_line::Verb;
use workspace::Workspace;

fn main() -> ExitCode {
    let verb = match command_line::parse(env::args_os().skip(1)) {
        Ok(verb) => verb,
        Err(error) => {
            process::say(&format!(
                "{error:#}; to see what there is: cargo xtask --help"
            ));
            return ExitCode::from(2);
        }
    };
    match run(verb) {
        Ok(code) => code,
        Err(error) => {
            process::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    process::search_also(workspace.packages().join("bin"));
    match verb {
        Verb::Help(help) => print!("{help}"),
        Verb::Setup { all } => {
            workspace.steps.plan(setup::planned(&workspace));
            if all {
                setup::watching(&workspace);
            }
            setup::report(&workspace, &setup::ready(&workspace)?);
        }
        Verb::Build { target } => build::run(&workspace, target)?,
        Verb::Dist { target } => dist::run(&workspace, target)?,
        Verb::Generate => generate::run(&workspace)?,
        Verb::Demo => lab::run(&workspace, lab::Show::Demo, &[])?,
        Verb::Bench { arguments } => lab::run(&workspace, lab::Show::Bench, &arguments)?,
        Verb::Vmtest { kernels, target } => return vmtest::run(&workspace, target, &kernels),
        Verb::Test { scope, filters } => return test::run(&workspace, scope, &filters),
    }
    Ok(ExitCode::SUCCESS)
}
