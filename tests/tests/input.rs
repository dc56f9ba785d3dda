//! Mistakes in command lines, configuration files and permissions. Each message shows what and where it
//! is, and what to do, with the exit code that scripts go by; never with a panic.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use failover_tests::{
    daemon::Setup,
    lab::{Lab, end_listener, failover_binary},
    lines::Lines,
    wait,
};

/// The caller got it wrong.
const USAGE: i32 = 2;
/// It went wrong.
const FAILURE: i32 = 1;

/// A command that nothing is wrong with but what is being tested.
const RUN: [&str; 7] = [
    "run",
    "--primary",
    "192.0.2.1",
    "--start",
    "true",
    "--stop",
    "true",
];

/// Runs the command to its end, which must come soon and with one clear message that has these
/// parts.
fn assert_refused(command: &mut Command, code: i32, parts: &[&str]) {
    let mut child = command
        // Makes every backtrace that could be shown be shown.
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    let lines = Lines::of(child.stderr.take().expect("a pipe"));
    let status = wait::attempt(wait::LONG, || {
        lines.ended().then(|| child.wait().expect("a child ends"))
    });
    let _ = child.kill();
    let text = lines.text();
    let asked = format!("{command:?}\n{text}");
    assert_eq!(
        status.and_then(|status| status.code()),
        Some(code),
        "{asked}"
    );
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing: {asked}");
    }
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!text.contains(noise), "`{noise}` is shown: {asked}");
    }
}

fn failover(arguments: &[&str]) -> Command {
    let mut command = Command::new(failover_binary());
    command.args(arguments).stdout(Stdio::null());
    command
}

/// Through setpriv(1) with these options. The binary is opened before rights are dropped, for it may
/// be where only root gets to.
fn with_rights(options: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"exec 3<"$0" && exec setpriv "$@""#])
        .arg(failover_binary())
        .args(options)
        .arg("/proc/self/fd/3")
        .args(arguments)
        .stdout(Stdio::null());
    command
}

fn file(lab: &Lab, content: impl AsRef<[u8]>) -> PathBuf {
    let path = lab.directory().join("failover.toml");
    fs::write(&path, content).expect("writing a configuration file");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the lab's paths are text")
}

#[test]
fn a_wrong_command_line_is_refused_with_what_is_wrong_and_what_to_do() {
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["Usage:", "run", "trace"]),
        (&["trase"], &["trase", "similar", "'trace'"]),
        (
            &["run", "--intervall", "1s"],
            &["--intervall", "--interval"],
        ),
        (
            &["run", "--config=/dev/null"],
            &["no primary", "--primary HOST[:PORT]"],
        ),
        (&["run", "--primary"], &["value is required", "--primary"]),
        (
            &["run", "--primary", "pc-a:x"],
            &["--primary", "`pc-a:x`", "192.168.1.10"],
        ),
        (
            &["run", "--primary", "10.0.0.256"],
            &["10.0.0.256", "write"],
        ),
        (&["run", "--primary", "pc-a:0"], &["pc-a:0", "write"]),
        (
            &["run", "--primary", "127.0.0.1"],
            &["127.0.0.1:18789", "the local gateway itself", "set primary"],
        ),
        (
            &["run", "--primary", "localhost:80", "--port", "80"],
            &["localhost:80", "the local gateway itself"],
        ),
        (
            &["run", "--primary", "fd00::1]:80"],
            &["fd00::1]:80", "[fd00::1]:18789"],
        ),
        (&["run", "--interval", "30"], &["--interval", "`30`", "30s"]),
        (&["run", "--interval=-1s"], &["--interval", "`-1s`", "30s"]),
        (&["run", "--port", "0"], &["--port", "from 1 to 65535"]),
        (&["run", "--port", "65536"], &["--port", "from 1 to 65535"]),
        (&["run", "--strikes", "0"], &["--strikes", "from 1"]),
        (
            &["run", "--strikes", "many"],
            &["--strikes", "many", "from 1"],
        ),
        (
            &["run", "--kernel-events", "maybe"],
            &["maybe", "auto, required, off"],
        ),
        (&["run", "--log-format", "xml"], &["xml", "text, json"]),
        (
            &["run", "--primary", "224.0.0.1"],
            &["224.0.0.1", "multicast or broadcast"],
        ),
        (
            &["run", "--primary", "fe80::1%eth0"],
            &["fe80::1%eth0", "link-local"],
        ),
        (&["pause", "--for", "-5m"], &["`-5m`", "1h 30m or 7d"]),
        (&["release", "--hold", "-5m"], &["`-5m`", "1h 30m or 7d"]),
        (
            &["simulate", "--days", "100000000000"],
            &["--days", "write a smaller number"],
        ),
        (&["trace", "--count", "0"], &["--count", "from 1"]),
        (
            &["trace", "--duration", "soon"],
            &["--duration", "soon", "30s"],
        ),
        (&["trace", "--port", "no"], &["--port", "from 1 to 65535"]),
        (&["trace", "--output", "xml"], &["xml", "text, json"]),
        (
            &["trace", "--color", "red"],
            &["red", "auto, always, never"],
        ),
        (&["trace", "--primary", "x"], &["--primary", "unexpected"]),
    ];
    for (arguments, parts) in cases {
        assert_refused(&mut failover(arguments), USAGE, parts);
    }
}

#[test]
fn wrong_values_are_refused_with_the_option_and_the_remedy() {
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["--interval", "0s"],
            &["interval is 0s", "between 100ms and 1h"],
        ),
        (&["--interval", "9999h"], &["interval is 9999h", "1h"]),
        (
            &["--interval", "9223372036854775807s"],
            &["interval is", "1h"],
        ),
        (
            &["--interval", "9223372036854775808s"],
            &["--interval", "30s"],
        ),
        (
            &["--recovery-interval", "0s"],
            &["recovery-interval is 0s", "100ms"],
        ),
        (
            &["--recovery-interval", "31s"],
            &["recovery-interval", "shorten", "lengthen interval"],
        ),
        (&["--timeout", "0s"], &["timeout is 0s", "10ms"]),
        (
            &["--timeout", "31s"],
            &["timeout (31s) is longer than interval (30s)", "shorten"],
        ),
        (
            &["--start-timeout", "0s"],
            &["start-timeout is 0s", "100ms"],
        ),
        (&["--stop-timeout", "2h"], &["stop-timeout is 2h", "1h"]),
        (
            &["--strikes", "101"],
            &["strikes is 101", "between 1 and 100"],
        ),
        (
            &["--witnesses", "a b"],
            &["--witnesses", "`a b`", "9.9.9.9:53"],
        ),
        (&["--witnesses", "127.0.0.1"], &["`127.0.0.1`", "router"]),
        (
            &["--witnesses=192.0.2.1:80"],
            &["192.0.2.1:80", "the primary itself"],
        ),
        // The default router.
        (
            &["--witness-quorum=2"],
            &["witness-quorum is 2", "only 1", "name more"],
        ),
        (
            &["--witnesses=", "--witness-quorum=1"],
            &["there are no witnesses", "name some"],
        ),
        (
            &["--start", "no-such-program"],
            &["start:", "`no-such-program`", "install it"],
        ),
        (
            &["--stop", "/no/such/program"],
            &["stop:", "`/no/such/program`", "exist"],
        ),
        (
            &["--stop", "/etc/passwd now"],
            &["stop:", "`/etc/passwd`", "executable"],
        ),
        (&["--start", ""], &["start:", "empty", "write the program"]),
        (&["--stop", "  "], &["stop:", "empty", "write the program"]),
        (
            &["--start", "''"],
            &["start:", "empty", "write the program"],
        ),
        (
            &["--start", "sh -c 'x"],
            &["start:", "a quote that isn't closed", "may be a secret"],
        ),
    ];
    for (arguments, parts) in cases {
        // What is given twice would be refused for that.
        let mut whole: Vec<&str> = vec!["run", "--primary", "192.0.2.1"];
        for default in [["--start", "true"], ["--stop", "true"]] {
            if arguments[0] != default[0] {
                whole.extend(default);
            }
        }
        whole.extend_from_slice(arguments);
        assert_refused(&mut failover(&whole), USAGE, parts);
    }
}

#[test]
fn a_wrong_file_is_refused_with_the_line_the_key_and_the_remedy() {
    let lab = Lab::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "\n\nintervall = \"30s\"",
            &[":3:", "`intervall`", "did you mean `interval`?"],
        ),
        ("zzz = 1", &[":1:", "`zzz`", "--help"]),
        ("config = \"x\"", &[":1:", "unknown key `config`"]),
        ("[zzz]\nstrikes = 3", &[":1:", "`zzz`", "--help"]),
        (
            "interval = 30",
            &[":1: interval is 30", "interval = \"30s\""],
        ),
        ("\ninterval = \"soon\"", &[":2: interval:", "`soon`", "30s"]),
        (
            "primary = \"a b\"",
            &[":1: primary:", "`a b`", "192.168.1.10"],
        ),
        ("strikes = 0", &[":1: strikes:", "`0`", "a number from 1"]),
        (
            "strikes = 3\nport = 99999",
            &[":2: port:", "`99999`", "from 1 to 65535"],
        ),
        (
            "dry-run = \"yes\"",
            &[":1: dry-run is", "yes", "true or false"],
        ),
        (
            "log-format = \"xml\"",
            &[":1: log-format:", "`xml`", "text, json"],
        ),
        (
            "witnesses = [\"::1\"]",
            &[":1: witnesses:", "`::1`", "another host"],
        ),
        (
            "strikes = 3\nstrikes = 4",
            &[":2:", "`strikes` is set twice"],
        ),
        ("strikes =", &[":1:"]),
        ("strikes = 3\nstart = \"x", &[":2:"]),
        ("interval = \"0s\"", &[":1: interval is 0s", "100ms"]),
        (
            "\ntimeout = \"1m\"",
            &[":2: timeout (1m)", "shorten timeout"],
        ),
        // All of it at once.
        (
            "port = 0\n\nstrikes = \"3\"",
            &[":1: port:", ":3: strikes is"],
        ),
        (
            "interval = \"0s\"\nnotify = \"no-such-program\"",
            &[":1: interval is", ":2: notify: there is no program"],
        ),
    ];
    for (content, parts) in cases {
        let path = file(&lab, content);
        let mut command = failover(&RUN);
        command.arg("--config").arg(&path);
        // Where a single key is to blame, the file is named.
        let place = parts[0].starts_with(':').then_some(text(&path));
        let parts: Vec<&str> = parts.iter().copied().chain(place).collect();
        assert_refused(&mut command, USAGE, &parts);
    }
    let path = file(&lab, "# nothing");
    assert_refused(
        &mut failover(&["run", "--config", text(&path)]),
        USAGE,
        &["no primary"],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_its_name() {
    let lab = Lab::new();
    let directory = text(lab.directory());
    let cases: [(&str, &str); 3] = [
        ("/no/such/file", "No such file"),
        (directory, "Is a directory"),
        ("/dev/zero", "longer than"),
    ];
    for (path, why) in cases {
        let mut command = failover(&RUN);
        assert_refused(command.args(["--config", path]), USAGE, &[path, why]);
    }
    let path = file(&lab, b"\xff\xfe");
    let mut command = failover(&RUN);
    assert_refused(
        command.arg("--config").arg(&path),
        USAGE,
        &[text(&path), "UTF-8"],
    );

    // The lab's directory is root's alone.
    let nobody = ["--reuid", "65534", "--clear-groups"];
    let mut command = with_rights(&nobody, &RUN);
    let parts = [text(&path), "Permission denied", "as root"];
    assert_refused(command.arg("--config").arg(&path), USAGE, &parts);
}

#[test]
fn what_goes_wrong_through_no_fault_of_the_command_line_is_exit_code_1() {
    let mut full = failover(&["trace", "--duration", "1s"]);
    full.stdout(File::create("/dev/full").unwrap());
    assert_refused(&mut full, FAILURE, &["standard output", "No space left"]);
}

#[test]
fn a_log_filter_that_would_be_silent_is_refused() {
    for wrong in ["]][", "dbug", "failover=debug,nonsense"] {
        let mut filter = failover(&["trace"]);
        filter.env("FAILOVER_LOG", wrong);
        let parts = [&format!("FAILOVER_LOG={wrong}"), "try `info`"];
        assert_refused(&mut filter, USAGE, &parts);
    }
}

#[test]
fn without_rights_what_is_missing_is_reported() {
    let lab = Lab::new();
    let state = lab.directory().join("state");
    let required = [
        &RUN[..],
        &["--kernel-events", "required", "--state-dir", text(&state)],
    ]
    .concat();
    let no_rights = ["--bounding-set", "-all", "--inh-caps", "-all"];
    let no_bpf = ["--bounding-set", "-bpf,-sys_admin", "--inh-caps", "-all"];
    let no_perfmon = [
        "--bounding-set",
        "-perfmon,-sys_admin",
        "--inh-caps",
        "-all",
    ];
    let nobody = ["--reuid", "65534", "--clear-groups"];
    for verb in [&["trace"][..], &required] {
        for rights in [&no_rights[..], &no_bpf, &no_perfmon] {
            let parts = ["not permitted", "root", "CAP_BPF", "CAP_PERFMON"];
            assert_refused(&mut with_rights(rights, verb), FAILURE, &parts);
        }
    }
    let parts = ["not permitted", "root", "CAP_BPF"];
    assert_refused(&mut with_rights(&nobody, &["trace"]), FAILURE, &parts);
}

#[test]
fn a_daemon_without_root_is_refused_with_what_to_type_unless_it_runs_nothing() {
    let lab = Lab::new();
    let nobody = ["--reuid", "65534", "--clear-groups"];
    // As the guide says it is tried out.
    let places = ["--state-dir=/nowhere", "--control=/nowhere/control.sock"];
    let words = [&RUN[..], &["--dry-run"], &places].concat();
    let line =
        "type: sudo /proc/self/fd/3 run --primary 192.0.2.1 --start true --stop true --dry-run";
    let parts = [line, "add --dry-run --kernel-events off"];
    assert_refused(&mut with_rights(&nobody, &words), FAILURE, &parts);
    // Beside a daemon that it may not even ask.
    let mut daemon = Setup::new(&lab).spawn();
    for folder in daemon.control().ancestors().skip(1).take(2) {
        fs::set_permissions(folder, Permissions::from_mode(0o711)).unwrap();
    }
    let control = format!("--control={}", daemon.control().display());
    let words = [&RUN[..], &["--dry-run", "--kernel-events=off", &control]].concat();
    let parts = ["is running already", text(daemon.control())];
    assert_refused(&mut with_rights(&nobody, &words), FAILURE, &parts);
    daemon.terminate();
}

#[test]
fn a_duration_beyond_all_time_is_no_panic() {
    let lab = Lab::new();
    let mut command = lab.host_b().command(failover_binary());
    command
        .args(["trace", "--count", "1"])
        .args(["--duration", "9223372036854775807s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = lab.host_b().spawn(&mut command).unwrap();
    let status = wait::until("the count is reached", wait::LONG, || {
        let listener = lab.host_b().listen(lab.host_b().gateway_address(), 1);
        end_listener(listener.unwrap());
        process.ended()
    });
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_file_is_used_and_flags_win_over_it() {
    let lab = Lab::new();
    let content = "primary = \"192.0.2.1\"\ninterval = \"1h\"\nport = 18790\n\
                   kernel-events = \"off\"\ndry-run = true\n";
    let path = file(&lab, content);
    let mut daemon = Setup::new(&lab)
        .argument("--config")
        .argument(text(&path))
        .spawn();
    let armed = daemon.said(|line| line.message() == "watching");
    let [armed] = armed.as_slice() else {
        panic!("{armed:?}");
    };
    assert_eq!(
        armed.field("primary"),
        lab.host_a().gateway_address().to_string()
    );
    assert_eq!(armed.field("kernel_events"), "off");
    assert_eq!(armed.json["port"], 18790, "{armed:?}");
    assert_eq!(armed.json["dry_run"], true, "{armed:?}");
    // In an hour's time it would not.
    daemon.becomes("starting");
    daemon.ends_having_run(&[]);
}
