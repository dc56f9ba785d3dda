//! PC-A's guard: two hosts are paired as their operators would do it, and the guard runs on PC-A.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::{
    PORT,
    lab::{Host, Lab, Process, failover_binary},
    wait,
};

/// The default of `guard-port`.
pub const GUARD_PORT: u16 = 18790;

/// Where the guard of a host has its keys and its mark.
#[must_use]
pub fn state_dir(lab: &Lab) -> PathBuf {
    let directory = lab.directory().join("pc-a/guard");
    std::fs::create_dir_all(&directory).expect("the lab's directory can be written to");
    directory
}

/// Pairs PC-A with PC-B, whose daemon has this state directory. Both operators say that the codes are the same, if
/// they are.
///
/// # Panics
/// When it fails, or the codes differ.
pub fn pair(lab: &Lab, state_dir_b: &Path) {
    pair_with(lab.host_b(), state_dir_b, |with| {
        pairing(lab.host_a(), &state_dir(lab), &["--with", with])
    });
}

/// Pairs the host of a daemon that has this state directory with the side that connects to it.
///
/// # Panics
/// When it fails, or the codes differ.
pub fn pair_with(host: &Host, state_dir: &Path, connect: impl FnOnce(&str) -> Child) {
    pair_sides(pairing(host, state_dir, &[]), host, connect);
}

/// Pairs the side that waits on this host with the side that connects to it.
///
/// # Panics
/// When it fails, or the codes differ.
pub fn pair_sides(waiting: Child, host: &Host, connect: impl FnOnce(&str) -> Child) {
    wait::until("it waits", wait::LONG, || {
        host.listens(GUARD_PORT).then_some(())
    });
    let connecting = connect(&format!("{}:{GUARD_PORT}", host.address()));
    let sides = [connecting, waiting].map(|side| answer(side, "y\n"));
    let codes = sides.map(|side| code(&ended(side)));
    assert_eq!(codes[0], codes[1]);
}

/// One side of a pairing.
#[must_use]
pub fn pairing(host: &Host, state_dir: &Path, more: &[&str]) -> Child {
    let mut command = host.command(failover_binary());
    command
        .args(["guard", "pair", "--state-dir"])
        .arg(state_dir)
        .args(more);
    begun(command)
}

/// Starts a command whose operator is the test.
///
/// # Panics
/// When it can't be run.
#[must_use]
pub fn begun(mut command: Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("the binary can be run")
}

/// Its operator gives this answer, whenever it is asked for.
///
/// # Panics
/// When it can't be given.
#[must_use]
pub fn answer(mut side: Child, answer: &str) -> Child {
    let mut input = side.stdin.take().expect("a pipe");
    input
        .write_all(answer.as_bytes())
        .expect("it reads the answer");
    drop(input);
    side
}

/// What a side has said.
///
/// # Panics
/// When that isn't known.
#[must_use]
pub fn ended(side: Child) -> Output {
    side.wait_with_output().expect("it ends")
}

/// The code that a side has shown.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn code(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let code = text.lines().find_map(|line| line.strip_prefix("code: "));
    code.unwrap_or_else(|| panic!("no code: {output:?}"))
        .to_owned()
}

/// Runs the guard on PC-A, for a gateway of root's that no service manager has.
///
/// # Panics
/// When it can't be run.
#[must_use]
pub fn run(lab: &Lab, state_dir: &Path) -> Process {
    let mut command: Command = lab.host_a().command(failover_binary());
    command
        .args(run_arguments(state_dir))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let guard = lab.host_a().spawn(&mut command);
    guard.expect("the binary can be run")
}

/// Its arguments.
#[must_use]
pub fn run_arguments(state_dir: &Path) -> [String; 7] {
    [
        "guard".to_owned(),
        "run".to_owned(),
        "--gateway=command".to_owned(),
        "--owner=account:root".to_owned(),
        format!("--port={PORT}"),
        format!("--state-dir={}", state_dir.display()),
        format!("--control={}", state_dir.join("control.sock").display()),
    ]
}
