//! Packages of Debian and Ubuntu.

use std::process::Command;

use anyhow::{Result, anyhow, bail};

use crate::privileges::Privileges;
use crate::process::{self, say};

/// Installs `packages`; where that can't be, the error names the command to type.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
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
    say(&format!("installing {} with apt-get", packages.join(" ")));
    let known = packages.iter().all(|package| is_known(package));
    if !known {
        update(privileges);
    }
    let attempt = || {
        // Nothing may be removed: on Debian, rustc-web and Debian's own rustup exclude each other.
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
