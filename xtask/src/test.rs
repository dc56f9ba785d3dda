//! `cargo xtask test`: builds everything as the caller, then runs the suites, the end-to-end ones as
//! root.
//!
//! The suites are run from here and not by `cargo test`: so everything is compiled once and in
//! one go, nothing but a finished test ever runs as root, a suite that dies is noticed, and several
//! end-to-end suites run at once: their tests mostly wait.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::cargo::{self, Artifact};
use crate::privileges::Privileges;
use crate::process::{self, say};
use crate::results::{Collector, Tally};
use crate::steps::Work;
use crate::workspace::Workspace;
use crate::{build, dist, kernel, openclaw, setup};

/// End-to-end suites that measure what other tests would disturb.
const MEASURING: [&str; 3] = ["crowds", "stopper", "surroundings"];

/// Which tests to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// All but those with the real gateway.
    Everything,
    /// Only those with the real gateway.
    OpenClaw,
    /// Those that need no root.
    Unit,
}

/// Runs the tests, ends with the closing line, and succeeds only if all of them did.
pub(crate) fn run(workspace: &Workspace, scope: Scope, filters: &[String]) -> Result<ExitCode> {
    let privileges = match scope {
        Scope::Unit => None,
        Scope::Everything | Scope::OpenClaw => Some(Privileges::obtain().map_err(|error| {
            anyhow!(
                "the end-to-end tests need root: {error:#}; as root, type: cargo xtask test \
                 (for the others: cargo xtask test --unit)"
            )
        })?),
    };
    let openclaw = match scope {
        Scope::OpenClaw => Some(openclaw::ready(workspace)?),
        Scope::Everything | Scope::Unit => None,
    };
    plan(workspace, scope);
    if scope == Scope::Everything {
        setup::watching(workspace);
    }
    prepare_kernel_program(workspace, scope)?;
    let build::Programs { failover, lab } = build::programs(workspace)?;
    if scope != Scope::Unit {
        setup::systemd(workspace, &lab)?;
        setup::copying(workspace);
    }
    let package = match scope {
        Scope::Everything => package(workspace),
        Scope::OpenClaw | Scope::Unit => None,
    };
    let tests = ["test", "--workspace", "--no-run"];
    let mut suites = cargo::executables(workspace, Work::Tests, &tests)?;
    suites.retain(|suite| suite.is_test && runs_in(scope, suite, workspace));
    // Quick ones first.
    suites.sort_by_key(|suite| (is_end_to_end(suite, workspace), suite.source.clone()));

    let command = |suite: &Artifact| {
        let mut command = match privileges {
            Some(privileges) if is_end_to_end(suite, workspace) => {
                privileges.command(&suite.executable)
            }
            _ => Command::new(&suite.executable),
        };
        command
            .current_dir(&suite.package)
            .env("CARGO_MANIFEST_DIR", &suite.package)
            .env("FAILOVER_BIN", &failover)
            .args(colour())
            .args(filters);
        if let Some(package) = &package {
            command.env("FAILOVER_PACKAGE", package);
        }
        if let Some(openclaw) = &openclaw {
            command.env("FAILOVER_OPENCLAW", openclaw);
            // Its start keeps two cores busy, and some of the tests are about how long it takes.
            command.arg("--test-threads=1");
        }
        command
    };
    let (alone, together): (Vec<_>, Vec<_>) = suites
        .into_iter()
        .partition(|suite| scope == Scope::OpenClaw || runs_alone(suite, workspace));
    let mut summary = Summary::default();
    for suite in &alone {
        eprintln!("     Running {}", name(suite, workspace));
        summary.count(&finish(
            workspace,
            suite,
            command(suite),
            &mut io::stdout(),
        )?);
    }
    summary.run_together(workspace, &together, command)?;

    if scope == Scope::OpenClaw {
        return Ok(summary.close());
    }
    let mut documentation = cargo::host(workspace);
    documentation.args(["test", "--workspace", "--doc", "--no-fail-fast", "--"]);
    documentation.args(colour()).args(filters);
    let (results, status) = stream(&mut documentation, &mut io::stdout())?;
    // One result for each package.
    let sum = results.into_iter().reduce(|sum, result| sum + result);
    summary.add("documentation tests", sum, status);

    Ok(summary.close())
}

/// What takes long, in its order.
fn plan(workspace: &Workspace, scope: Scope) {
    let programs = build::planned_programs(workspace);
    if scope != Scope::Unit {
        workspace.steps.plan(setup::planned(workspace));
    }
    workspace.steps.plan(programs);
    if scope == Scope::Everything {
        workspace.steps.plan(dist::planned_packager(workspace));
    }
    // Nobody builds the tests without the programs.
    workspace.steps.plan(programs.map(|_| Work::Tests));
}

/// The package that is tested. Where it can't be made, its tests say so and are skipped.
fn package(workspace: &Workspace) -> Option<PathBuf> {
    if process::find_program("dpkg-deb").is_none() {
        say("this system has no dpkg; going on without the package");
        return None;
    }
    match dist::package_for_tests(workspace) {
        Ok(package) => Some(package),
        Err(error) => {
            say(&format!("{error:#}; going on without the package"));
            None
        }
    }
}

/// The file in which a suite's tests that found that they can't run here say so. libtest counts them as passed.
struct Skips(PathBuf);

impl Skips {
    fn new(workspace: &Workspace, suite: &Artifact) -> Result<Self> {
        let name = format!("skipped-tests-{}", suite.name);
        let skips = Self(workspace.target().join(name));
        skips.take()?;
        Ok(skips)
    }

    /// What was written since this was called last: a line each.
    fn take(&self) -> Result<String> {
        let told = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            told => told,
        };
        told.and_then(|told| fs::remove_file(&self.0).map(|()| told))
            .with_context(|| format!("cannot read and remove {}", self.0.display()))
    }
}

/// Builds the kernel program. Unit tests do without where the tools for it are not installed.
fn prepare_kernel_program(workspace: &Workspace, scope: Scope) -> Result<()> {
    let tools = match scope {
        Scope::Everything | Scope::OpenClaw => setup::ready(workspace)?,
        Scope::Unit => {
            let Some(tools) = setup::present(workspace) else {
                say("testing without the kernel program; to get what it needs: cargo xtask setup");
                return Ok(());
            };
            tools
        }
    };
    kernel::build(workspace, &tools).map(drop)
}

fn is_end_to_end(suite: &Artifact, workspace: &Workspace) -> bool {
    suite.package == workspace.end_to_end_package()
}

/// Unit tests use all cores; the others wait, but for those that measure.
fn runs_alone(suite: &Artifact, workspace: &Workspace) -> bool {
    !is_end_to_end(suite, workspace) || suite.is_library || MEASURING.contains(&&*suite.name)
}

/// The real gateway's suites have its name.
fn is_with_openclaw(suite: &Artifact) -> bool {
    suite.name.starts_with("openclaw")
}

/// The end-to-end package's own library has unit tests too, which need no root.
fn runs_in(scope: Scope, suite: &Artifact, workspace: &Workspace) -> bool {
    match scope {
        Scope::Everything => !is_with_openclaw(suite),
        Scope::OpenClaw => is_with_openclaw(suite),
        Scope::Unit => !is_end_to_end(suite, workspace) || suite.is_library,
    }
}

/// libtest sees a pipe and would omit colour, so it gets an option for the terminal.
fn colour() -> &'static [&'static str] {
    let wanted = match env::var("CARGO_TERM_COLOR").as_deref() {
        Ok("always") => true,
        Ok("never") => false,
        _ => io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
    };
    if wanted { &["--color=always"] } else { &[] }
}

/// Runs a suite to its end.
fn finish(
    workspace: &Workspace,
    suite: &Artifact,
    mut command: Command,
    terminal: &mut impl Write,
) -> Result<Finished> {
    let skips = Skips::new(workspace, suite)?;
    command.env("FAILOVER_SKIPS", &skips.0);
    let (results, status) = stream(&mut command, terminal)?;
    Ok(Finished {
        name: name(suite, workspace),
        // The suite's own result comes last; a test may have printed what looks like one.
        result: results.last().copied(),
        status,
        skipped: skips.take()?,
    })
}

fn name(suite: &Artifact, workspace: &Workspace) -> String {
    workspace.relative(&suite.source).display().to_string()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Runs `command`, passes its output on to `terminal` as it comes, and returns the results that it
/// tells of.
fn stream(command: &mut Command, terminal: &mut impl Write) -> Result<(Vec<Tally>, ExitStatus)> {
    let program = Path::new(command.get_program()).display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut output = child
        .stdout
        .take()
        .context("a test has no standard output")?;
    let mut collector = Collector::default();
    let mut buffer = [0; 4096];
    loop {
        let length = match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read from {program}"));
            }
        };
        let piece = buffer.get(..length).unwrap_or_default();
        collector.feed(piece);
        terminal
            .write_all(piece)
            .and_then(|()| terminal.flush())
            .context("cannot write to standard output")?;
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for {program}"))?;
    Ok((collector.finish(), status))
}

/// What all suites came to.
#[derive(Default)]
struct Summary {
    tally: Tally,
    skipped: Vec<String>,
    complaints: Vec<String>,
}

/// What a suite came to.
struct Finished {
    name: String,
    result: Option<Tally>,
    status: ExitStatus,
    /// A line for each test that was skipped.
    skipped: String,
}

impl Summary {
    /// Runs several of these suites at once. The output of each is shown in one piece, when it has ended.
    fn run_together(
        &mut self,
        workspace: &Workspace,
        suites: &[Artifact],
        command: impl Fn(&Artifact) -> Command + Sync,
    ) -> Result<()> {
        let waiting = Mutex::new(suites.iter());
        let next = || {
            waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()
        };
        let (ended, finished) = mpsc::channel();
        thread::scope(|scope| {
            // One a core, each with as many threads: with twice as many, waits that tests rely on become too long.
            for _ in 0..cores() {
                let (ended, next, command) = (ended.clone(), &next, &command);
                scope.spawn(move || {
                    while let Some(suite) = next() {
                        let mut output = Vec::new();
                        let suite = finish(workspace, suite, command(suite), &mut output);
                        // Nobody waits for it any more after an error.
                        if ended.send(suite.map(|suite| (suite, output))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(ended);
            for suite in finished {
                let (suite, output) = suite?;
                eprintln!("         Ran {}", suite.name);
                let mut terminal = io::stdout();
                terminal
                    .write_all(&output)
                    .and_then(|()| terminal.flush())
                    .context("cannot write to standard output")?;
                self.count(&suite);
            }
            Ok(())
        })
    }

    fn count(&mut self, suite: &Finished) {
        self.add(&suite.name, suite.result, suite.status);
        self.skip(&suite.name, &suite.skipped);
    }

    fn add(&mut self, name: &str, result: Option<Tally>, status: ExitStatus) {
        let tally = result.unwrap_or_default();
        self.tally += tally;
        if tally.failed > 0 {
            self.complaints
                .push(format!("{name}: {} failed", tally.failed));
        } else if result.is_none() {
            self.complaints
                .push(format!("{name}: ended without a result ({status})"));
        } else if !status.success() {
            self.complaints
                .push(format!("{name}: all passed, but it ended with {status}"));
        }
    }

    /// Counts those tests of the suite as skipped that said so.
    fn skip(&mut self, name: &str, told: &str) {
        for line in told.lines() {
            self.skipped.push(format!("{name}: skipped {line}"));
            self.tally.passed = self.tally.passed.saturating_sub(1);
            self.tally.skipped += 1;
        }
    }

    /// Prints the closing line, alone and last.
    fn close(self) -> ExitCode {
        for line in self.skipped.iter().chain(&self.complaints) {
            say(line);
        }
        println!("{}", self.tally);
        if self.complaints.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const GOOD: Tally = Tally {
        passed: 3,
        failed: 0,
        skipped: 1,
    };
    const BAD: Tally = Tally {
        passed: 1,
        failed: 2,
        skipped: 0,
    };

    #[test]
    fn dead_suite_is_a_failure() {
        let mut summary = Summary::default();
        summary.add("good", Some(GOOD), ExitStatus::from_raw(0));
        assert!(summary.complaints.is_empty());
        summary.add("killed", None, ExitStatus::from_raw(9));
        summary.add("left early", None, ExitStatus::from_raw(0));
        summary.add("fell at the end", Some(GOOD), ExitStatus::from_raw(6));
        assert_eq!(summary.complaints.len(), 3);
        assert_eq!(summary.tally, GOOD + GOOD);
    }

    #[test]
    fn counting_goes_on_after_a_failure() {
        let mut summary = Summary::default();
        summary.add("bad", Some(BAD), ExitStatus::from_raw(101 << 8));
        summary.add("good", Some(GOOD), ExitStatus::from_raw(0));
        assert_eq!(summary.tally, GOOD + BAD);
        assert_eq!(summary.complaints, ["bad: 2 failed"]);
    }

    #[test]
    fn a_test_that_says_that_it_is_skipped_has_not_passed() {
        let mut summary = Summary::default();
        summary.add("good", Some(GOOD), ExitStatus::from_raw(0));
        summary.skip("good", "some_test: no such kernel\n");
        assert_eq!(summary.tally.to_string(), "2 passed, 0 failed, 2 skipped");
        assert_eq!(summary.skipped, ["good: skipped some_test: no such kernel"]);
        assert!(summary.complaints.is_empty());
    }

    #[test]
    fn output_is_passed_on_and_counted() {
        let line = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        let mut terminal = Vec::new();
        let (results, status) = stream(Command::new("echo").arg(line), &mut terminal).unwrap();
        assert_eq!(results, [GOOD]);
        assert!(status.success());
        assert_eq!(terminal, format!("{line}\n").as_bytes());
    }
}
