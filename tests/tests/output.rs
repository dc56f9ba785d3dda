//! The output of a gateway: its file stays small, and no fault of the daemon or the relay blocks the gateway.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use failover_tests::{
    commands::{Command, Commands},
    daemon::{Daemon, Setup},
    lab::Lab,
    wait,
};
use rustix::process::{Pid, Signal, kill_process};

/// The relay cuts the file at 1 MiB.
const LARGEST: u64 = 1 << 20;

/// Its start leaves a flood behind, which writes as fast as it can and has a byte in a file for each megabyte.
fn flooded(lab: &Lab) -> (Daemon, PathBuf) {
    let setup = Setup::new(lab);
    let commands = Commands::new(&lab.directory().join("pc-b"), lab.binary()).expect("commands");
    let [start, stop] = [Command::Start, Command::Stop].map(|command| commands.line(command));
    let count = lab.directory().join("count");
    let program = lab.directory().join("start");
    let script = format!(
        "#!/bin/sh\nwhile head -c 1000000 /dev/zero | tr '\\0' x && echo; do printf x >>'{}'; done &\nexec {start}",
        count.display()
    );
    Lab::write_program(&program, &script);
    let mut daemon = setup
        .command_lines(&program.to_string_lossy(), &stop)
        .spawn();
    daemon.becomes("active");
    (daemon, count)
}

fn megabytes(count: &Path) -> u64 {
    fs::metadata(count).map_or(0, |found| found.len())
}

/// It continues to write, and its file stays small.
fn goes_on(daemon: &Daemon, count: &Path) {
    let before = megabytes(count);
    wait::until("the gateway writes on", wait::LONG, || {
        let file = daemon.state_dir().join("start.log");
        let kept = fs::metadata(file).expect("the output's file");
        assert!(kept.len() <= LARGEST, "{} bytes", kept.len());
        assert!(
            kept.blocks() * 512 <= 2 * LARGEST,
            "{} blocks",
            kept.blocks()
        );
        (megabytes(count) >= before + 20).then_some(())
    });
}

/// The relays of this daemon's start, by the file that they hold.
fn relays(daemon: &Daemon) -> Vec<Pid> {
    let file = fs::metadata(daemon.state_dir().join("start.log")).expect("the output's file");
    let mut relays = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let held = fs::metadata(entry.path().join("fd/2"));
        if line.ends_with(b"output-relay\0")
            && held.is_ok_and(|held| (held.dev(), held.ino()) == (file.dev(), file.ino()))
            && let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
        {
            relays.extend(Pid::from_raw(pid));
        }
    }
    relays
}

fn kill(relays: &[Pid]) {
    for relay in relays {
        // The second may have ended with the first.
        let _ = kill_process(*relay, Signal::KILL);
    }
}

#[test]
fn output_stays_small_whoever_is_restarted_and_its_gateway_goes_on() {
    let lab = Lab::new();
    let (daemon, count) = flooded(&lab);
    goes_on(&daemon, &count);
    let daemon = daemon.killed_and_restarted();
    goes_on(&daemon, &count);
    // Each alone, and the daemon's is gone already.
    let second = || {
        wait::until("two relays", wait::LONG, || {
            let relays = relays(&daemon);
            (relays.len() >= 2).then_some(relays)
        })
    };
    for number in [0, 1] {
        kill(&second()[number..=number]);
        goes_on(&daemon, &count);
    }
    // All of them: the daemon begins another one.
    kill(&second());
    goes_on(&daemon, &count);
    assert!(lab.host_b().listens(failover_tests::PORT));
}

#[test]
fn relays_that_were_killed_with_their_daemon_are_replaced_by_the_next() {
    let lab = Lab::new();
    let (mut daemon, count) = flooded(&lab);
    let gateway = daemon.pid();
    wait::until("two relays", wait::LONG, || {
        (relays(&daemon).len() >= 2).then_some(())
    });
    daemon.signal(Signal::KILL);
    wait::until("the daemon is gone", wait::LONG, || {
        (!Path::new(&format!("/proc/{gateway}/exe")).exists()).then_some(())
    });
    wait::until("no relay is left", wait::LONG, || {
        let relays = relays(&daemon);
        kill(&relays);
        relays.is_empty().then_some(())
    });
    daemon = daemon.killed_and_restarted();
    goes_on(&daemon, &count);
    assert!(lab.host_b().listens(failover_tests::PORT));
}

#[test]
fn relays_end_with_the_last_writer() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .command_lines("sh -c 'echo said; exit 3'", "true")
        .spawn();
    let ended = daemon.says("its end", |line| line.message() == "command ended");
    assert_eq!(ended.field("output"), "said");
    wait::until("no relay is left", wait::LONG, || {
        relays(&daemon).is_empty().then_some(())
    });
    daemon.terminate();
}
