//! What apt would do to install packages, as `apt-get --simulate` prints it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What an installation would come to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Packages are added or upgraded.
    Adds,
    /// Other packages would be removed or downgraded: how that is said to people.
    TakesAway(String),
}

/// An installation that was only simulated.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Simulation {
    pub(super) outcome: Outcome,
    /// The packages that this machine lacks.
    pub(super) new: Vec<String>,
}

impl Simulation {
    /// Asks apt. It needs no root for that.
    ///
    /// # Errors
    /// When apt knows no such package.
    pub(super) fn of_installing(packages: &[&str]) -> Result<Self> {
        let (printed, complaint) = simulate(packages, &[])?;
        if let Some(simulation) = parse(&printed) {
            return Ok(simulation);
        }
        // Packages that are held, or from another suite, can also leave apt without any solution. A
        // machine that has nothing shows what belongs to the packages.
        let (printed, alone) = simulate(packages, &["--option", "Dir::State::status=/dev/null"])?;
        let Some(simulation) = parse(&printed) else {
            bail!("{}", alone.trim());
        };
        let reason = complaint
            .lines()
            .find_map(|line| line.strip_prefix("E: "))
            .unwrap_or("no solution");
        Ok(Self {
            outcome: Outcome::TakesAway(format!("change what is installed ({reason})")),
            new: simulation
                .new
                .into_iter()
                .filter(|package| !is_installed(package))
                .collect(),
        })
    }
}

/// What apt prints, and what it complains of.
fn simulate(packages: &[&str], options: &[&str]) -> Result<(String, String)> {
    let output = Command::new("apt-get")
        .env("LC_ALL", "C")
        .args(["install", "--simulate", "--no-install-recommends"])
        // Otherwise it would stop before it says what it would downgrade.
        .args(["--yes", "--allow-downgrades"])
        .args(options)
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .context("cannot run apt-get")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Ok((String::new(), text(&output.stderr)));
    }
    Ok((text(&output.stdout), String::new()))
}

/// Lines are `Inst name [old version] (new version suite [architecture])` and `Remv name [version]`;
/// downgrades are also listed below a heading, by name. `None` unless apt came to an end.
fn parse(printed: &str) -> Option<Simulation> {
    let summary = |line: &&str| line.contains(" newly installed, ");
    printed.lines().find(summary)?;
    let removed = printed
        .lines()
        .filter_map(|line| line.strip_prefix("Remv "))
        .filter_map(|line| line.split_whitespace().next());
    let downgraded = printed
        .lines()
        .skip_while(|line| !line.contains("will be DOWNGRADED"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .flat_map(str::split_whitespace);
    let mut what = Vec::new();
    for (verb, names) in [
        ("remove", removed.collect::<Vec<_>>()),
        ("downgrade", downgraded.collect()),
    ] {
        if !names.is_empty() {
            what.push(format!("{verb} {}", names.join(" ")));
        }
    }
    let new = printed
        .lines()
        .filter_map(|line| line.strip_prefix("Inst "))
        .filter_map(|line| line.split_once(' '))
        // With a version in brackets it is here already, in another version.
        .filter(|(_, rest)| rest.starts_with('('))
        .map(|(name, _)| name.to_owned())
        .collect();
    Some(Simulation {
        outcome: match what.is_empty() {
            true => Outcome::Adds,
            false => Outcome::TakesAway(what.join(" and ")),
        },
        new,
    })
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    crate::process::capture(&mut query).is_ok_and(|status| status == "installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// apt 2.6, shortened: qemu's emulator where its tools are from another suite.
    const REMOVES: &str = "\
Reading package lists...
The following packages will be REMOVED:
  qemu-utils
The following NEW packages will be installed:
  libslirp0 qemu-system-x86
0 upgraded, 2 newly installed, 1 to remove and 137 not upgraded.
Remv qemu-utils [1:10.0.2+ds-2+deb13u1~bpo12+1]
Inst libslirp0 (4.7.0-1 Debian:12.15/oldstable [amd64])
Inst qemu-system-x86 (1:7.2+dfsg-7+deb12u18+b3 Debian:12.15/oldstable [amd64])
Conf libslirp0 (4.7.0-1 Debian:12.15/oldstable [amd64])
";
    const DOWNGRADES: &str = "\
The following NEW packages will be installed:
  libstd-rust-dev
The following packages will be DOWNGRADED:
  libllvm19 rustc
0 upgraded, 1 newly installed, 2 downgraded, 0 to remove and 3 not upgraded.
Inst libllvm19 [1:19.1.7-3] (1:19.1.4-1 Debian:13.0/stable [amd64])
Inst rustc [1.85.0] (1.63.0 Debian:13.0/stable [amd64]) []
Inst libstd-rust-dev (1.63.0 Debian:13.0/stable [amd64])
";

    #[test]
    fn what_apt_would_take_away_is_named_and_what_is_new_is_listed() {
        let simulation = parse(REMOVES).unwrap();
        let what = "remove qemu-utils".to_owned();
        assert_eq!(simulation.outcome, Outcome::TakesAway(what));
        assert_eq!(simulation.new, ["libslirp0", "qemu-system-x86"]);
        let simulation = parse(DOWNGRADES).unwrap();
        let what = "downgrade libllvm19 rustc".to_owned();
        assert_eq!(simulation.outcome, Outcome::TakesAway(what));
        assert_eq!(simulation.new, ["libstd-rust-dev"]);
    }

    #[test]
    fn upgrades_take_nothing_away() {
        let printed = "\
The following packages will be upgraded:
  libc6
1 upgraded, 1 newly installed, 0 to remove and 9 not upgraded.
Inst libc6 [2.36-1] (2.36-2 Debian:12.15/oldstable [amd64])
Inst prometheus (2.42.0 Debian:12.15/oldstable [amd64])
";
        let simulation = parse(printed).unwrap();
        assert_eq!(simulation.outcome, Outcome::Adds);
        assert_eq!(simulation.new, ["prometheus"]);
        let nothing = "0 upgraded, 0 newly installed, 0 to remove and 9 not upgraded.\n";
        assert_eq!(parse(nothing).unwrap().outcome, Outcome::Adds);
    }

    #[test]
    fn what_came_to_no_end_says_nothing() {
        assert_eq!(parse("Reading package lists...\n"), None);
        assert_eq!(parse(""), None);
    }
}
