//! Boots a kernel in QEMU, and reads the verdict on its console.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::image::Kernel;
use super::machine::Machine;
use super::programs::DIRECTORY;
use crate::process;

/// A run takes 10 s. A machine that is busy with other things may take much longer.
const TIME_LIMIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);
/// Begins the line with the verdict, see tests/src/guest.
const MARK: &str = "failover-vmtest: ";
/// Number of console lines that are shown without a verdict.
const LAST_LINES: usize = 15;

/// What became of a run.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The guest reports this number of passed checks.
    Passed(u64),
    /// The guest reports failures, or nothing trustworthy.
    Failed(String),
}

/// What the kernel keeps from root.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lockdown {
    /// Nothing.
    None,
    /// Its memory (kernel_lockdown(7)), as some distributions do with Secure Boot.
    Confidentiality,
}

/// Boots the kernel with this initramfs, and waits for the guest's end.
pub(super) fn run(
    machine: Machine,
    kernel: &Kernel,
    initramfs: &[u8],
    lockdown: Lockdown,
) -> Result<Verdict> {
    let archive = kernel.directory.join("initramfs.cpio");
    fs::write(&archive, initramfs)
        .with_context(|| format!("cannot write {}", archive.display()))?;
    let console = kernel.directory.join("console.log");
    let output =
        File::create(&console).with_context(|| format!("cannot write {}", console.display()))?;

    let (emulator, _) = machine.emulator();
    let mut emulation = command(machine, kernel, &archive, lockdown)
        .stdout(output)
        .spawn()
        .with_context(|| format!("cannot run {emulator}"))?;
    let ended = wait(&mut emulation)?;
    let text = fs::read(&console).with_context(|| format!("cannot read {}", console.display()))?;
    let text = String::from_utf8_lossy(&text);
    let end = ended.map_or_else(
        || format!("it was not done within {} s", TIME_LIMIT.as_secs()),
        |status| format!("the machine ended ({status})"),
    );
    Ok(match verdict(&text) {
        Some(Verdict::Failed(why)) => Verdict::Failed(format!(
            "{why}\nthe whole console is in {}",
            console.display()
        )),
        Some(passed) if ended.is_some_and(|status| status.success()) => passed,
        _ => Verdict::Failed(format!(
            "no verdict that can be trusted: {end}; the console, {}, ends so:\n{}",
            console.display(),
            last_lines(&text)
        )),
    })
}

/// The machine is emulated, not virtualized: this runs the same where KVM is missing, as in most
/// places where tests run.
fn command(machine: Machine, kernel: &Kernel, initramfs: &Path, lockdown: Lockdown) -> Command {
    let (emulator, _) = machine.emulator();
    let program = process::find_program(emulator).unwrap_or_else(|| emulator.into());
    let mut command = Command::new(program);
    command
        .args(machine.options())
        .args(["-accel", "tcg", "-smp", "2", "-m", "512"])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-serial", "stdio", "-no-reboot"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", &kernel_command_line(machine, lockdown)])
        .stdin(Stdio::null());
    command
}

/// What stands after `--` are the arguments of the first process; what the kernel doesn't know and
/// has a `=` becomes its environment. After a panic the machine restarts, which ends QEMU.
fn kernel_command_line(machine: Machine, lockdown: Lockdown) -> String {
    let console = machine.console();
    // The guest is told as well: a kernel that doesn't know the word must not pass for one that heeds it.
    let locked = match lockdown {
        Lockdown::None => "",
        Lockdown::Confidentiality => "lockdown=confidentiality FAILOVER_LOCKED_DOWN=1 ",
    };
    format!(
        "console={console} quiet panic=-1 rdinit={DIRECTORY}/failover-lab PATH={DIRECTORY} \
         FAILOVER_BIN={DIRECTORY}/failover {locked}RUST_BACKTRACE=0 -- guest"
    )
}

/// Waits for its end; `None`: it had to be killed.
fn wait(emulation: &mut Child) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(status) = emulation.try_wait().context("cannot wait for QEMU")? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            emulation.kill().context("cannot end QEMU")?;
            emulation.wait().context("cannot wait for QEMU")?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Finds the verdict. `None`: there is none, or more than one.
fn verdict(console: &str) -> Option<Verdict> {
    let mut told = console
        .lines()
        .filter_map(|line| line.trim_end().strip_prefix(MARK));
    let (first, second) = (told.next()?, told.next());
    if second.is_some() {
        return None;
    }
    let passed = first
        .strip_prefix("passed ")
        .and_then(|rest| rest.strip_suffix(" checks"))
        .and_then(|number| number.parse().ok())
        .filter(|number| *number > 0);
    Some(passed.map_or_else(|| Verdict::Failed(first.to_owned()), Verdict::Passed))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_line_of_its_own() {
        let console = "Linux 6.1\r\n\r\nfailover-vmtest: passed 13 checks\r\n[ 6.3] reboot\r\n";
        assert_eq!(verdict(console), Some(Verdict::Passed(13)));
        assert_eq!(verdict("x failover-vmtest: passed 13 checks\n"), None);
        assert_eq!(verdict("passed in 0.1 s: a check\n"), None);
        assert_eq!(verdict(""), None);
    }

    #[test]
    fn a_failure_is_told_as_the_guest_tells_it() {
        let why = "FAILED 1 of 13 checks; a reset: no event";
        assert_eq!(
            verdict(&format!("{MARK}{why}\r\n")),
            Some(Verdict::Failed(why.to_owned()))
        );
    }

    #[test]
    fn what_looks_like_a_success_and_is_none() {
        for text in [
            "passed 0 checks",
            "passed 13 checks [ 6.3] BUG",
            "passed checks",
            "passed",
        ] {
            let told = verdict(&format!("{MARK}{text}\n"));
            assert_eq!(told, Some(Verdict::Failed(text.to_owned())));
        }
        let twice = format!("{MARK}FAILED 1 of 2 checks\n{MARK}passed 2 checks\n");
        assert_eq!(verdict(&twice), None);
    }

    #[test]
    fn the_end_of_a_console() {
        let text: String = (0..40).map(|line| format!("{line}\r\n")).collect();
        let end = last_lines(&text);
        assert!(end.starts_with("25\n") && end.ends_with("\n39"), "{end}");
    }
}
