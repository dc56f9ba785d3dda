//! The configuration as a file: written, checked and shown by `failover config`, and refused where
//! others could have written it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use failover_tests::{
    lab::{Lab, failover_binary},
    package_file::with_package_file,
};
use serde_json::Value;

/// The caller got it wrong.
const USAGE: i32 = 2;

/// A folder with the program that the defaults name.
struct Machine {
    lab: Lab,
    programs: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let lab = Lab::new();
        let programs = lab.directory().join("bin");
        fs::create_dir(&programs).expect("preparing a machine");
        for name in ["openclaw", "ssh"] {
            Lab::copy_program(Path::new("/bin/true"), &programs.join(name));
        }
        Self { lab, programs }
    }

    fn file(&self, content: &str) -> PathBuf {
        let path = self.lab.directory().join("failover.toml");
        fs::write(&path, content).expect("preparing a machine");
        path
    }

    fn failover(&self, arguments: &[&str], path: &Path) -> Output {
        let mut command = Command::new(failover_binary());
        command.args(arguments).arg(path);
        command
            .env("PATH", &self.programs)
            .output()
            .expect("preparing a machine")
    }
}

fn text_of(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    let text = text_of(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
}

fn shipped(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("preparing a machine");
    fs::read_to_string(root.join(path)).expect("preparing a machine")
}

#[test]
fn the_default_configuration_with_a_primary_can_be_run() {
    let machine = Machine::new();
    let default = shipped("failover-user/dist/failover.toml");
    let path = machine.file(&default.replace("#primary", "primary"));
    let output = machine.failover(&["config", "check"], &path);
    assert!(output.status.success(), "{}", text_of(&output));
}

#[test]
fn the_default_configuration_is_written_once_and_lacks_but_a_primary() {
    let machine = Machine::new();
    let path = machine.lab.directory().join("etc/failover/new.toml");
    let output = machine.failover(&["config", "init", "--output"], &path);
    assert!(output.status.success(), "{}", text_of(&output));
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(written, shipped("failover-user/dist/failover.toml"));
    for verb in [&["config", "check"][..], &["run", "--config"]] {
        let parts = ["no primary", "--primary"];
        assert_refused(&machine.failover(verb, &path), USAGE, &parts);
    }
    fs::write(&path, "# mine").unwrap();
    let again = machine.failover(&["config", "init", "--output"], &path);
    assert_refused(&again, 1, &["already exists", path.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine");
}

#[test]
fn checking_a_file_says_what_running_it_would() {
    let machine = Machine::new();
    let path = machine.file("primary = \"192.0.2.1\"\nintervall = \"30s\"\n");
    let [checked, run] =
        [&["config", "check"][..], &["run", "--config"]].map(|verb| machine.failover(verb, &path));
    assert_refused(&checked, USAGE, &[":2:", "did you mean `interval`?"]);
    assert_eq!(text_of(&checked), text_of(&run));
}

#[test]
fn what_is_in_force_is_shown_with_where_it_comes_from() {
    let machine = Machine::new();
    let path = machine.file("primary = \"192.0.2.1\"\n\nstrikes = 4\n");
    let arguments = [
        "config",
        "show",
        "--interval=2s",
        "--output=json",
        "--config",
    ];
    let output = machine.failover(&arguments, &path);
    let settings: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text_of(&output)));
    let of = |option: &str| settings.iter().find(|of| of["option"] == option).unwrap();
    let strikes = of("strikes");
    assert_eq!(
        (&strikes["value"], &strikes["from"]),
        (&4.into(), &"file".into())
    );
    assert_eq!(strikes["line"], 3);
    assert_eq!(strikes["file"], path.to_str().unwrap());
    let interval = of("interval");
    assert_eq!(
        (&interval["value"], &interval["from"]),
        (&"2s".into(), &"flag".into())
    );
    let timeout = of("timeout");
    assert_eq!(
        (&timeout["value"], &timeout["from"]),
        (&"2s".into(), &"default".into())
    );
}

#[test]
fn the_package_s_file_is_read_where_none_is_named_and_flags_win() {
    let machine = Machine::new();
    let run = |arguments: &[&str]| {
        let text = "primary = \"192.0.2.1\"\ngateway = \"command\"\nstart = \"true\"\n\
                    stop = \"true\"\ninterval = \"0s\"\n";
        let mut command = with_package_file(&machine.lab, text);
        command.args(arguments).output().unwrap()
    };
    let wrong = "/etc/failover/failover.toml:5: interval is 0s";
    for verb in [&["run"][..], &["config", "check"], &["config", "show"]] {
        assert_refused(&run(verb), USAGE, &[wrong]);
    }
    let checked = run(&["check", "--output=json"]);
    assert!(text_of(&checked).contains(wrong), "{}", text_of(&checked));
    let shown = run(&["config", "show", "--interval=2s"]);
    let lines = ["interval = \"2s\"", "# /etc/failover/failover.toml:1"];
    assert_refused(&shown, 0, &lines);
    // Also from a pipe, which can be read but once.
    let piped = Command::new("sh")
        .args([
            "-c",
            "echo 'primary = \"192.0.2.1\"' | \"$0\" config show --config /dev/stdin",
        ])
        .arg(failover_binary())
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", machine.programs.display()),
        )
        .output()
        .unwrap();
    assert_refused(&piped, 0, &["\"192.0.2.1:18789\"", "# /dev/stdin:1"]);
    // What is wrong with a flag is no line's fault.
    let flag = run(&["run", "--interval=1ms"]);
    assert_refused(&flag, USAGE, &["failover: interval is 1ms"]);
    let none = run(&["run", "--config=/dev/null"]);
    assert_refused(&none, USAGE, &["no primary"]);
}

#[test]
fn a_file_that_is_not_there_is_refused_with_what_writes_one() {
    let machine = Machine::new();
    let path = machine.lab.directory().join("none.toml");
    let remedy = format!("failover config init --output {}", path.display());
    for verb in [&["config", "check"][..], &["run", "--config"]] {
        let refused = machine.failover(verb, &path);
        assert_refused(&refused, USAGE, &["No such file", &remedy]);
    }
}

#[test]
fn a_path_in_the_file_is_a_whole_one_and_one_of_a_flag_begins_here() {
    let machine = Machine::new();
    let path = machine.file("primary = \"192.0.2.1\"\nstate-dir = \"state\"\n");
    let checked = machine.failover(&["config", "check"], &path);
    assert_refused(&checked, USAGE, &[":2: state-dir is state", "full path"]);
    let arguments = ["config", "show", "--state-dir=state", "--config"];
    let shown = machine.failover(&arguments, &path);
    let here = std::env::current_dir().unwrap().join("state");
    assert_refused(&shown, 0, &[here.to_str().unwrap()]);
}

#[test]
fn a_flag_that_is_a_choice_of_two_is_set_with_and_without_a_value() {
    let machine = Machine::new();
    let path = machine.file("primary = \"192.0.2.1\"\n");
    for (flag, text) in [
        (&["--dry-run"][..], "dry-run = true "),
        (&["--dry-run", "true"], "dry-run = true "),
        (&["--dry-run=false"], "dry-run = false "),
        (&["--flap-damping", "false"], "flap-damping = false "),
        (&["--check-tls"], "check-tls = true "),
    ] {
        let arguments = [&["config", "show"], flag, &["--config"]].concat();
        assert_refused(&machine.failover(&arguments, &path), 0, &[text]);
    }
}

#[test]
fn a_file_that_others_can_write_is_refused_with_what_to_type() {
    let machine = Machine::new();
    let path = machine.file("primary = \"192.0.2.1\"\n");
    let name = path.to_str().unwrap();
    let refused = |remedy: &str| {
        for verb in [&["config", "check"][..], &["run", "--config"]] {
            let remedy = format!("type: {remedy}");
            assert_refused(&machine.failover(verb, &path), USAGE, &[name, &remedy]);
        }
    };
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    refused(&format!("chmod go-w {name}"));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    chown(&path, Some(65534), None).unwrap();
    refused(&format!("chown 0 {name}"));
    chown(&path, Some(0), None).unwrap();
    let checked = machine.failover(&["config", "check"], &path);
    assert!(checked.status.success(), "{}", text_of(&checked));
}

#[test]
fn a_file_in_a_folder_that_others_can_write_is_refused() {
    let machine = Machine::new();
    let folder = machine.lab.directory().join("shared");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let path = folder.join("failover.toml");
    fs::write(&path, "primary = \"192.0.2.1\"\n").unwrap();
    let remedy = format!("chmod go-w {}", folder.display());
    let run = machine.failover(&["run", "--config"], &path);
    assert_refused(&run, USAGE, &[&remedy]);
}
