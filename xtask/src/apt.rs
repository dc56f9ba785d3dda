//! Packages of Debian and Ubuntu: installed where that takes nothing away from this machine, and
//! otherwise unpacked below `target/packages`.

mod simulation;
mod unpacked;

use std::process::Command;

use anyhow::{Result, anyhow, bail};

use crate::privileges::Privileges;
use crate::process::{self, say};
use crate::workspace::Workspace;
use simulation::{Outcome, Simulation};
pub(crate) use unpacked::Unpacked;

/// Gets `packages`; where that can't be, the error names the command to type.
///
/// A package is unpacked and not installed where apt would have to remove or downgrade another one
/// for it, as where this machine has a part of it from another suite. Its programs are found by
/// [`process::find_program`] either way.
pub(crate) fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    if process::find_program("apt-get").is_none() {
        bail!(
            "this system has no apt-get; install by its own means: {}",
            packages.join(" ")
        );
    }
    let explain = |error: anyhow::Error| {
        let packages = packages.join(" ");
        anyhow!(
            "cannot install {packages}: {error:#}; type: {}",
            by_hand(&[&packages])
        )
    };
    let privileges = Privileges::obtain().map_err(explain)?;
    let known = packages.iter().all(|package| is_known(package));
    if !known {
        update(privileges);
    }
    let simulation = Simulation::of_installing(packages).map_err(explain)?;
    if let Outcome::TakesAway(what) = &simulation.outcome {
        say(&format!(
            "apt would have to {what} for {}, so it is unpacked below target/packages instead",
            packages.join(" ")
        ));
        return Unpacked::make(workspace, packages, &simulation.new).map_err(explain);
    }
    say(&format!("installing {} with apt-get", packages.join(" ")));
    let attempt = || {
        // What the simulation saw may have changed; and nothing is removed without being asked.
        let mut options = vec!["install", "--yes", "--no-remove", "--no-install-recommends"];
        // A fresh machine may be busy with its first unattended upgrade.
        options.extend(["--option", "DPkg::Lock::Timeout=120"]);
        // No progress bars made of a hundred lines in a log.
        options.extend(["--option", "Dpkg::Use-Pty=0"]);
        options.extend(packages);
        process::run(&mut apt_get(privileges, &options))
    };
    let mut result = attempt();
    if result.is_err() && known {
        // The list of packages may be older than what the archive still holds.
        update(privileges);
        result = attempt();
    }
    result.map_err(explain)
}

/// Gets `packages` without installing them: for services, which would be started on this machine.
pub(crate) fn unpack(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    if process::find_program("apt-get").is_none() {
        bail!(
            "this system has no apt-get to get {} with",
            packages.join(" ")
        );
    }
    let privileges = Privileges::obtain()?;
    if !packages.iter().all(|package| is_known(package)) {
        update(privileges);
    }
    let simulation = Simulation::of_installing(packages)?;
    say(&format!(
        "unpacking {} below target/packages",
        packages.join(" ")
    ));
    Unpacked::make(workspace, packages, &simulation.new)
}

/// The command that does the same for somebody who types it.
pub(crate) fn by_hand(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    if process::find_program("sudo").is_some() {
        format!("sudo apt-get update; sudo apt-get install {packages}")
    } else {
        format!("apt-get update; apt-get install {packages} (as root)")
    }
}

/// Whether the package lists on this machine hold `package`.
fn is_known(package: &str) -> bool {
    process::succeeds(Command::new("apt-cache").args(["show", package]))
}

/// Refreshes the package lists. A third party's archive may fail here and ours still be there, so
/// the installation that follows decides.
fn update(privileges: Privileges) {
    if let Err(error) = process::run(&mut apt_get(privileges, &["update"])) {
        say(&format!("{error}; going on with what is there"));
    }
}

fn apt_get(privileges: Privileges, arguments: &[&str]) -> Command {
    let mut command = privileges.command("env");
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"])
        .args(arguments);
    command
}
