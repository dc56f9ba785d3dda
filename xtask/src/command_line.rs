//! The command line of `cargo xtask`.
//!
//! xtask is compiled before its first output, so it has few and small dependencies.

use std::ffi::OsString;

use anyhow::{Result, anyhow, bail};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::cross::Target;
use crate::test::Scope;
use crate::vmtest::{DEFAULT_KERNELS, Wanted};

/// The text of `--help`; after a verb, only the part of that verb.
const HELP: &str = "\
Sets up, builds, demonstrates, tests and measures failover

Usage: cargo xtask VERB [OPTIONS]

Verbs:
  demo      Show a takeover and a release in the two-host lab (needs root or sudo)
  test      Run the tests of the workspace, the end-to-end ones under root
              --unit      Only run the tests that need no root
              --openclaw  Only run the tests with the real OpenClaw, installed with npm below
                          target/openclaw; `test` alone skips these
              NAME...     Only run the tests whose name contains one of these
  build     Build the eBPF program and target/small/failover, the binary for PC-B
              --target TARGET  Build for another architecture: aarch64-unknown-linux-gnu
  dist      Build the Debian package target/dist/failover_<version>_<architecture>.deb
              --target TARGET  As for build
  bench     Measure failover against keepalived in the two-host lab (needs root or sudo)
              kernel           Measure the eBPF program against bpftrace and tcpstates instead
              gateway          Measure takeovers by the real OpenClaw, kept ready in each way, instead
              sync             Measure what it costs to have its state on PC-B, instead
              guard            Measure host loss with a guard on PC-A, instead
              -- OPTIONS       Passed on to `failover-lab bench`; `-- --help` lists them
  vmtest    Test the program on other kernels, Debian's own, each in an emulated machine
              --kernel VERSION  A version like 5.10, or `newest`; can be given several times
                                [default: 5.10, 6.1 and newest]
              --target TARGET   Build for another architecture, and emulate it
  setup     Find or install the toolchain and the linker for the eBPF program, and iproute2; the
            other verbs do this by themselves
              --all       Also install what only the tests need: a browser and promtool
  generate  Update the files generated from failover's command line: man pages, completions, the
            default configuration, and its reference

Exit codes: 2: usage error, 1: other failure; demo and bench return the exit
code of the lab.
";

/// The verb.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// Print this.
    Help(String),
    Setup {
        all: bool,
    },
    Build {
        target: Option<Target>,
    },
    Dist {
        target: Option<Target>,
    },
    Generate,
    Demo,
    Test {
        scope: Scope,
        filters: Vec<String>,
    },
    /// With arguments for `failover-lab bench`.
    Bench {
        arguments: Vec<OsString>,
    },
    Vmtest {
        kernels: Vec<Wanted>,
        target: Option<Target>,
    },
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// A usage error.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Verb> {
    let mut parser = Parser::from_args(arguments);
    let verb = match parser.next()? {
        None => bail!("no verb is given"),
        Some(Arg::Short('h') | Arg::Long("help")) => "help".to_owned(),
        Some(Arg::Value(verb)) => verb.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    let mut rest = parser.clone();
    let is_asked_for_help =
        |argument: Option<Arg<'_>>| matches!(argument, Some(Arg::Short('h') | Arg::Long("help")));
    if let Some(help) = help(&verb).filter(|_| is_asked_for_help(rest.next().ok().flatten())) {
        return Ok(Verb::Help(help));
    }
    match verb.as_str() {
        "help" => Ok(Verb::Help(HELP.to_owned())),
        "demo" => bare(parser, Verb::Demo),
        "generate" => bare(parser, Verb::Generate),
        "setup" => setup(parser),
        "build" => target(parser).map(|target| Verb::Build { target }),
        "dist" => target(parser).map(|target| Verb::Dist { target }),
        "test" => test(parser),
        "bench" => bench(parser),
        "vmtest" => vmtest(parser),
        unknown => bail!("there is no verb `{unknown}`"),
    }
}

/// The part of [`HELP`] about a verb, if it is one.
fn help(verb: &str) -> Option<String> {
    let is_first = |line: &&str| {
        line.strip_prefix("  ")
            .is_some_and(|line| !line.starts_with(' '))
    };
    let mut lines = HELP
        .lines()
        .skip_while(|line| !is_first(line) || line.split_whitespace().next() != Some(verb));
    let first = lines.next()?;
    let others = lines.take_while(|line| !line.is_empty() && !is_first(line));
    let lines = std::iter::once(first).chain(others);
    Some(lines.flat_map(|line| [line, "\n"]).collect())
}

/// A verb without options.
fn bare(mut parser: Parser, verb: Verb) -> Result<Verb> {
    match parser.next()? {
        None => Ok(verb),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn setup(mut parser: Parser) -> Result<Verb> {
    let mut all = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("all") => all = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Verb::Setup { all })
}

/// The only option of a verb.
fn target(mut parser: Parser) -> Result<Option<Target>> {
    let mut target = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("target") => target = Some(target_named(&mut parser)?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(target)
}

fn test(mut parser: Parser) -> Result<Verb> {
    let (mut unit, mut openclaw, mut filters) = (false, false, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("unit") => unit = true,
            Arg::Long("openclaw") => openclaw = true,
            Arg::Value(filter) => filters.push(filter.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let scope = match (unit, openclaw) {
        (true, true) => bail!("--unit and --openclaw exclude each other"),
        (true, false) => Scope::Unit,
        (false, true) => Scope::OpenClaw,
        (false, false) => Scope::Everything,
    };
    Ok(Verb::Test { scope, filters })
}

/// All that follows is the lab's, which has options of its own.
fn bench(mut parser: Parser) -> Result<Verb> {
    let mut arguments: Vec<OsString> = parser.raw_args()?.collect();
    if arguments.first().is_some_and(|first| first == "--") {
        arguments.remove(0);
    }
    Ok(Verb::Bench { arguments })
}

fn vmtest(mut parser: Parser) -> Result<Verb> {
    let (mut kernels, mut target) = (Vec::new(), None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("kernel") => kernels.push(parser.value()?.parse()?),
            Arg::Long("target") => target = Some(target_named(&mut parser)?),
            other => return Err(other.unexpected().into()),
        }
    }
    if kernels.is_empty() {
        let defaults = DEFAULT_KERNELS.iter().map(|kernel| kernel.parse());
        kernels = defaults
            .collect::<Result<_, String>>()
            .map_err(|error| anyhow!(error))?;
    }
    Ok(Verb::Vmtest { kernels, target })
}

fn target_named(parser: &mut Parser) -> Result<Target> {
    Ok(parser.value()?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Verb, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn each_verb_is_understood() {
        let filters = vec!["one".to_owned(), "two".to_owned()];
        let wanted = |kernels: &[&str]| kernels.iter().map(|text| text.parse().unwrap()).collect();
        for (line, verb) in [
            ("--help", Verb::Help(HELP.to_owned())),
            ("help", Verb::Help(HELP.to_owned())),
            ("demo", Verb::Demo),
            ("generate", Verb::Generate),
            ("setup", Verb::Setup { all: false }),
            ("setup --all", Verb::Setup { all: true }),
            ("build", Verb::Build { target: None }),
            (
                "dist --target=aarch64-unknown-linux-gnu",
                Verb::Dist {
                    target: Some(Target::Arm64),
                },
            ),
            (
                "test one two",
                Verb::Test {
                    scope: Scope::Everything,
                    filters: filters.clone(),
                },
            ),
            (
                "test one --unit two",
                Verb::Test {
                    scope: Scope::Unit,
                    filters,
                },
            ),
            (
                "bench kernel --quick -x",
                Verb::Bench {
                    arguments: ["kernel", "--quick", "-x"].map(OsString::from).to_vec(),
                },
            ),
            (
                "bench -- --help",
                Verb::Bench {
                    arguments: vec!["--help".into()],
                },
            ),
            (
                "vmtest",
                Verb::Vmtest {
                    kernels: wanted(&DEFAULT_KERNELS),
                    target: None,
                },
            ),
            (
                "vmtest --kernel 6.1 --kernel newest --target aarch64-unknown-linux-gnu",
                Verb::Vmtest {
                    kernels: wanted(&["6.1", "newest"]),
                    target: Some(Target::Arm64),
                },
            ),
        ] {
            assert_eq!(parsed(line), Ok(verb), "{line}");
        }
    }

    #[test]
    fn each_verb_has_help_of_its_own() {
        for verb in [
            "demo", "test", "build", "dist", "bench", "vmtest", "setup", "generate",
        ] {
            let Ok(Verb::Help(help)) = parsed(&format!("{verb} --help")) else {
                panic!("{verb} has no help");
            };
            assert!(help.starts_with(&format!("  {verb} ")), "{help}");
            assert_eq!(help.contains("--all"), verb == "setup", "{help}");
            assert_eq!(help.contains("--kernel"), verb == "vmtest", "{help}");
        }
        assert!(parsed("tset --help").is_err());
    }

    #[test]
    fn what_means_nothing_is_refused_and_named() {
        for (line, named) in [
            ("", "no verb"),
            ("tset", "`tset`"),
            ("--all", "--all"),
            ("demo now", "now"),
            ("setup --al", "--al"),
            ("build --target", "--target"),
            ("build --target riscv64", "riscv64"),
            ("test --unit --openclaw", "exclude"),
            ("vmtest --kernel latest", "latest"),
        ] {
            let told = parsed(line).unwrap_err();
            assert!(told.contains(named), "{line}: {told}");
        }
    }
}
