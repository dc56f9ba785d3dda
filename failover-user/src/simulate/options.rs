//! The options of `failover simulate`.

use std::{
    fs,
    io::Write as _,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use failover_decide::{Settings, StandbyMode};
use failover_linux::escape::Escaped;

use crate::{
    config::{
        Configuration, ConfigurationError, Fault, Faults, FenceOptions, FlapDampingOptions,
        HumanDuration, Options as RunOptions, PrimaryAddress, TakeoverOptions, WitnessOptions,
        count,
    },
    simulate::{
        baseline::Loop,
        chart::chart,
        simulation::{Contender, How, Simulation},
        table::table,
    },
};

/// A placeholder address that is never probed (RFC 5737).
const NOWHERE: &str = "192.0.2.1";

/// The options.
#[derive(Args, Debug)]
pub struct Options {
    /// Configuration file; repeat it to compare settings
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,

    /// Also simulate the plain shell loop
    #[arg(long)]
    pub baseline: bool,

    /// Number of days to simulate
    #[arg(long, value_name = "COUNT", default_value = "10000", value_parser = count::<NonZeroU32>)]
    pub days: NonZeroU32,

    /// Seed of all random numbers
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,

    /// Also draw histograms and a timeline
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// How ready the local gateway is kept; several are compared
    #[arg(long, value_name = "MODES", value_delimiter = ',', default_value = "cold", value_parser = mode)]
    pub standby: Vec<StandbyMode>,

    // As for `run`; they override the files.
    /// When the primary counts as failed.
    #[command(flatten)]
    pub(crate) takeover: TakeoverOptions,
    /// The witnesses. Simulated: all answer unless PC-B has no network.
    #[command(flatten)]
    pub(crate) witness: WitnessOptions,
    /// How the primary is fenced. Simulated: the command is not run.
    #[command(flatten)]
    pub(crate) fence: FenceOptions,
    /// How a flapping primary is treated.
    #[command(flatten)]
    pub(crate) flap_damping: FlapDampingOptions,
}

/// The output format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// A table.
    Text,
    /// One JSON object.
    Json,
}

/// Simulates and prints.
///
/// # Errors
/// When a configuration is invalid, the output cannot be written, or an invariant
/// was violated.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let contenders = options.contenders()?;
    let simulation = Simulation::of(&contenders, options.days.get(), options.seed, None);
    let report = simulation.report();
    let text = match options.output {
        Output::Text => table(&report),
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("writing the results")?;
    if let Some(path) = &options.svg {
        fs::write(path, chart(&simulation))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let violated: u64 = report.all.iter().map(|of| of.violated).sum();
    anyhow::ensure!(
        violated == 0,
        "{violated} invariant violations; this is a bug in failover"
    );
    Ok(())
}

impl Options {
    /// The contenders: each configuration, and the loop with each set of numbers.
    fn contenders(&self) -> Result<Vec<Contender>, Faults> {
        let mut contenders = Vec::new();
        let files: Vec<Option<&PathBuf>> = if self.config.is_empty() {
            vec![None]
        } else {
            self.config.iter().map(Some).collect()
        };
        let mut loops = Vec::new();
        for file in files {
            let settings = self.settings(file)?;
            let plain = Loop::from(&settings);
            if self.baseline && !loops.contains(&plain) {
                loops.push(plain);
            }
            let name = file.map_or_else(|| "failover".to_owned(), |path| self.name(path));
            let modes = self.standby.iter().map(|mode| Contender {
                name: match mode {
                    StandbyMode::Cold => name.clone(),
                    StandbyMode::Warm | StandbyMode::Hot => format!("{name} {}", mode.name()),
                },
                how: How::Daemon(settings.clone(), *mode),
            });
            contenders.extend(modes);
        }
        contenders.extend(loops.into_iter().map(|plain| {
            let interval = HumanDuration::from(plain.interval);
            let timeout = HumanDuration::from(plain.timeout);
            Contender {
                name: format!("loop {interval}/{timeout}/{}", plain.strikes),
                how: How::Loop(plain),
            }
        }));
        Ok(contenders)
    }

    /// The shortest form of the file's name that differs from the others.
    fn name(&self, file: &Path) -> String {
        let alike = |other: &&PathBuf| other.file_stem() == file.file_stem();
        let name = match file.file_stem() {
            Some(stem) if self.config.iter().filter(alike).count() == 1 => stem.to_string_lossy(),
            _ => file.to_string_lossy(),
        };
        Escaped(&name).to_string()
    }

    fn settings(&self, file: Option<&PathBuf>) -> Result<Settings, Faults> {
        let mut flags = RunOptions {
            config: file.cloned(),
            takeover: self.takeover.clone(),
            witness: self.witness.clone(),
            fence: self.fence.clone(),
            flap_damping: self.flap_damping.clone(),
            ..RunOptions::default()
        };
        // The commands need not exist on this machine.
        flags.operation.dry_run = Some(true);
        let loaded = match Configuration::load_anybodys(flags.clone()) {
            // Nor the primary.
            Err(Faults(faults)) if lack_a_primary(&faults) => {
                flags.primary.primary = NOWHERE.parse::<PrimaryAddress>().ok();
                Configuration::load_anybodys(flags)
            }
            loaded => loaded,
        };
        let loaded = loaded?;
        // A hanging local gateway is not modelled.
        Ok(Settings {
            watch_gateway: false,
            ..loaded.decide
        })
    }
}

/// A mode by its name.
fn mode(name: &str) -> Result<StandbyMode, String> {
    let named = StandbyMode::ALL
        .into_iter()
        .find(|mode| mode.name() == name);
    named.ok_or_else(|| "write cold, warm or hot".to_owned())
}

fn lack_a_primary(faults: &[Fault]) -> bool {
    let is_that = |fault: &Fault| matches!(fault.error, ConfigurationError::NoPrimary);
    faults.iter().any(is_that)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn contenders(arguments: &[&str]) -> Vec<Contender> {
        let arguments = ["simulate"].iter().chain(arguments);
        Cli::parse_from(arguments).options.contenders().unwrap()
    }

    #[test]
    fn files_are_compared_and_their_commands_need_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let today = write("today.toml", "start = \"/nowhere/gateway up\"\n");
        let soon = write("soon.toml", "confirm-interval = \"10s\"\n");
        let other = write("other.toml", "interval = \"10s\"\nprimary = \"10.0.0.1\"\n");
        let files = ["--config", &today, "--config", &soon, "--config", &other];
        let names = |contenders: Vec<Contender>| -> Vec<String> {
            contenders.into_iter().map(|of| of.name).collect()
        };
        assert_eq!(names(contenders(&files)), ["today", "soon", "other"]);
        let all = names(contenders(&[&files[..], &["--baseline"]].concat()));
        assert_eq!(all[3..], ["loop 30s/5s/3", "loop 10s/5s/3"]);
        let twice = names(contenders(&["--config", &today, "--config", &today]));
        assert_eq!(twice, [today.clone(), today]);
    }

    #[test]
    fn without_a_file_it_is_about_the_defaults() {
        let asked = |arguments: &[&str]| {
            let contenders = contenders(arguments);
            let [
                Contender {
                    name,
                    how: How::Daemon(settings, StandbyMode::Cold),
                },
            ] = &contenders[..]
            else {
                panic!("{contenders:?}");
            };
            assert_eq!(name, "failover");
            (
                settings.strikes.get(),
                settings.witness_quorum,
                settings.router_is_witness,
                settings.named_witnesses,
            )
        };
        assert_eq!(asked(&[]), (3, 1, true, 0));
        assert_eq!(
            asked(&["--strikes", "4", "--witnesses", "10.0.0.3,10.0.0.4"]),
            (4, 1, false, 2)
        );
        assert_eq!(asked(&["--witnesses=router,10.0.0.3"]), (3, 1, true, 1));
        assert_eq!(asked(&["--witnesses="]), (3, 0, false, 0));
    }
}
