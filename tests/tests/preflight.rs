//! `failover check`: what keeps PC-B from protecting PC-A is shown before it is needed, each with its
//! remedy.

use std::{
    fs::{self, Permissions},
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use failover_tests::{
    PORT,
    daemon::Setup,
    lab::{Host, Lab, Machine, Process, failover_binary, machine},
    wait,
};
use serde_json::Value;

/// PC-B before its daemon runs.
struct Standby {
    lab: Lab,
    witness: Host,
    /// What the check is run by, if it isn't run directly.
    wrapper: Vec<String>,
    arguments: Vec<String>,
    home: PathBuf,
}

impl Standby {
    fn new() -> Self {
        let lab = Lab::new();
        let witness = lab.add_host("witness");
        let home = lab.directory().join("home");
        fs::create_dir(&home).expect("preparing PC-B");
        let own = |name: &str| lab.directory().join(name).display().to_string();
        let arguments = [
            format!("--primary={}", lab.host_a().address()),
            format!("--witnesses={}", witness.address()),
            format!("--state-dir={}", own("state")),
            format!("--control={}", own("control.sock")),
            "--timeout=2s".to_owned(),
            "--kernel-events=required".to_owned(),
        ];
        Self {
            lab,
            witness,
            wrapper: Vec::new(),
            arguments: arguments.to_vec(),
            home,
        }
    }

    /// Its gateway is any program.
    fn with_commands() -> Self {
        Self::new().and(&[
            "--gateway=command",
            "--start=true",
            "--stop=true",
            "--user=root",
        ])
    }

    /// With these options, in place of those of their names.
    fn and(mut self, arguments: &[&str]) -> Self {
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        for argument in arguments {
            self.arguments.retain(|old| name(old) != name(argument));
            self.arguments.push((*argument).to_owned());
        }
        self
    }

    fn run(&self, output: &str) -> Output {
        let failover = failover_binary();
        let mut command = match self.wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = self.lab.host_b().command(program);
                command.args(arguments).arg(failover);
                command
            }
            None => self.lab.host_b().command(failover),
        };
        command
            .args(["check", "--output", output])
            .args(&self.arguments)
            .env("HOME", &self.home)
            .stdin(Stdio::null())
            .output()
            .expect("running failover check")
    }

    fn check(&self) -> Findings {
        let output = self.run("json");
        let findings = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Findings {
            findings,
            code: output.status.code().expect("an exit code"),
        }
    }
}

struct Findings {
    findings: Vec<Value>,
    code: i32,
}

impl Findings {
    /// Asserts that there is such a finding, and all of these in its message and remedy.
    #[track_caller]
    fn assert(&self, name: &str, level: &str, parts: &[&str]) {
        let of = |finding: &&Value| finding["name"] == name && finding["level"] == level;
        let shown: Vec<String> = self
            .findings
            .iter()
            .filter(of)
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().unwrap_or_default();
                format!("{} -> {}", text("message"), text("remedy"))
            })
            .collect();
        let fits = |shown: &String| parts.iter().all(|part| shown.contains(part));
        assert!(
            shown.iter().any(fits),
            "{name} {level} {parts:?}: {:#?}",
            self.findings
        );
    }

    fn levels(&self, level: &str) -> Vec<&str> {
        let of = self.findings.iter().filter(|one| one["level"] == level);
        of.filter_map(|one| one["name"].as_str()).collect()
    }
}

/// A gateway on this host that listens on this address.
fn gateway_at(host: &Host, address: &str) -> Process {
    let mut command = host.lab_command("gateway");
    command.args(["--listen", &format!("{address}:{PORT}")]);
    let gateway = host.spawn(&mut command).expect("a gateway");
    host.await_listening(true);
    gateway
}

#[test]
fn where_everything_is_fine_every_line_says_so() {
    let pc_b = Standby::with_commands().and(&["--check=openclaw", "--fence=true"]);
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let found = pc_b.check();
    assert_eq!(found.code, 0, "{:#?}", found.findings);
    assert_eq!(
        found.levels("ok").len(),
        found.findings.len(),
        "{:#?}",
        found.findings
    );
    for name in [
        "rights",
        "configuration",
        "start",
        "stop",
        "fence",
        "kernel-events",
        "primary",
        "ports",
        "port",
        "witnesses",
        "state-dir",
        "daemon",
    ] {
        found.assert(name, "ok", &[]);
    }
    found.assert("primary", "ok", &["check openclaw", "started, ready"]);
    // And nothing was left behind.
    assert!(!pc_b.lab.directory().join("state").exists());
    let text = String::from_utf8(pc_b.run("text").stdout).unwrap();
    assert!(text.ends_with("\nno problems found\n"), "{text}");
}

#[test]
fn a_primary_that_listens_on_loopback_only_is_reported_by_its_remedy() {
    let pc_b = Standby::with_commands().and(&["--check=openclaw"]);
    let _primary = gateway_at(pc_b.lab.host_a(), "127.0.0.1");
    let found = pc_b.check();
    found.assert(
        "primary",
        "error",
        &["refuses", "loopback", "`--bind lan`", "gateway.bind"],
    );
    assert_eq!((found.code, found.levels("error")), (1, vec!["primary"]));
    let text = String::from_utf8(pc_b.run("text").stdout).unwrap();
    assert!(text.contains("\nERROR    primary "), "{text}");
    assert!(text.ends_with("\n1 error\n"), "{text}");
    // OpenClaw's words mean nothing to another gateway.
    let found = pc_b.and(&["--check=tcp"]).check();
    found.assert("primary", "error", &["refuses", "127.0.0.1", "`ss -ltn`"]);
    let shown = found.findings.iter().map(ToString::to_string);
    assert!(!shown.collect::<String>().contains("--bind"));
}

#[test]
fn a_full_disk_is_reported_before_anything_is_to_be_kept_there() {
    let mut pc_b = Standby::with_commands();
    let state = pc_b.lab.directory().join("state");
    fs::create_dir(&state).unwrap();
    let mut under = |prepared: &str| {
        let shell = format!("{prepared} && exec \"$@\"");
        pc_b.wrapper = ["unshare", "--mount", "sh", "-c", &shell, "sh"]
            .map(str::to_owned)
            .to_vec();
        pc_b.check()
    };
    let state = state.display();
    let full = format!(
        "mount -t tmpfs -o size=8k,mode=755 none {state} && ! dd if=/dev/zero of={state}/filler 2>/dev/null"
    );
    let parts = ["No space left", "free some space", "each restart forgets"];
    under(&full).assert("state-dir", "error", &parts);
    let room = format!("mount -t tmpfs -o size=1m,mode=755 none {state}");
    under(&room).assert("state-dir", "ok", &["is writable", "has space"]);
}

#[test]
fn a_gateway_that_nobody_is_named_for_would_be_root_s() {
    let commands = ["--gateway=command", "--start=true", "--stop=true"];
    let found = Standby::new().and(&commands).check();
    found.assert("account", "warning", &["as root", "--user"]);
    let unit = ["--gateway=systemd", "--unit=bot", "--check=tcp"];
    let found = Standby::new().and(&unit).check();
    assert!(!found.levels("warning").contains(&"account"));
}

#[test]
fn a_program_that_its_account_cannot_reach_is_reported_with_the_folder_in_the_way() {
    let mut pc_b = Standby::with_commands().and(&["--user=nobody"]);
    let script = pc_b.lab.directory().join("home/up");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    pc_b.arguments.push(format!("--start={}", script.display()));
    pc_b.arguments.retain(|argument| argument != "--start=true");
    fs::set_permissions(pc_b.lab.directory(), Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&pc_b.home, Permissions::from_mode(0o700)).unwrap();
    let closed = format!("the folder `{}` is closed", pc_b.home.display());
    let parts = ["can't be run by nobody", &closed, "chmod o+x"];
    pc_b.check().assert("start", "error", &parts);
    fs::set_permissions(&pc_b.home, Permissions::from_mode(0o711)).unwrap();
    pc_b.check().assert("start", "ok", &["as nobody"]);
}

#[test]
fn a_wrong_address_and_ones_own_are_reported() {
    let wrong = Standby::with_commands().and(&["--primary=10.0.0.99", "--timeout=300ms"]);
    let found = wrong.check();
    found.assert(
        "primary",
        "error",
        &["10.0.0.99:18789", "is the address right"],
    );
    assert_eq!(found.code, 1);
    let pc_b = Standby::with_commands();
    let own = format!("--primary={}", pc_b.lab.host_b().address());
    let pc_b = pc_b.and(&[&own]);
    let found = pc_b.check();
    found.assert(
        "primary-address",
        "error",
        &["is this machine", "--primary"],
    );
    let elsewhere = format!("{own}:1");
    let found = pc_b.and(&[&elsewhere]).check();
    found.assert("primary-address", "warning", &["is this machine"]);
    found.assert("ports", "warning", &["primary's port is 1,"]);
}

#[test]
fn a_layer_that_fails_is_named() {
    let pc_b = Standby::with_commands().and(&["--check=openclaw"]);
    for (plays, part) in [("hung", "does not answer"), ("unhealthy", "wrong answer")] {
        let primary = pc_b.lab.host_a().gateway_with(&["--plays", plays]).unwrap();
        let found = pc_b.check();
        found.assert("primary", "error", &[part, "check openclaw"]);
        primary.kill();
        pc_b.lab.host_a().await_listening(false);
    }
}

#[test]
fn a_foreign_listener_on_the_port_and_a_tunnel_are_named() {
    let pc_b = Standby::with_commands();
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let ssh = pc_b.lab.directory().join("ssh");
    Lab::copy_program(pc_b.lab.binary(), &ssh);
    let to = pc_b.lab.host_a().gateway_address().to_string();
    let listen = format!("127.0.0.1:{PORT}");
    let mut command = pc_b.lab.host_b().command(&ssh);
    command.args(["forward", "--listen", &listen, "--to", &to]);
    let tunnel = pc_b.lab.host_b().spawn(&mut command).unwrap();
    pc_b.lab.host_b().await_listening(true);
    let found = pc_b.check();
    let pid = format!("pid {}", tunnel.pid());
    found.assert("port", "error", &["not the gateway", &pid, "--owner"]);
    found.assert("tunnel", "error", &["lead to the primary", &pid, &to]);
    assert_eq!(found.code, 1);
    let named = pc_b.and(&["--owner=executable:ssh"]).check();
    named.assert("port", "warning", &["both gateways serve"]);
    named.assert("tunnel", "warning", &["lead to the primary"]);
    assert_eq!(named.code, 0);
}

#[test]
fn a_unit_that_starts_at_boot_is_reported_with_the_command_that_disables_it() {
    let commands = ["--gateway=openclaw", "--start=true", "--stop=true"];
    let pc_b = Standby::new().and(&commands);
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let units = pc_b.home.join(".config/systemd/user");
    let wants = units.join("default.target.wants");
    fs::create_dir_all(&wants).unwrap();
    let unit = "openclaw-gateway.service";
    fs::write(units.join(unit), "").unwrap();
    pc_b.check()
        .assert("unit", "ok", &["does not start at boot"]);
    symlink(units.join(unit), wants.join(unit)).unwrap();
    let found = pc_b.check();
    let command = format!("systemctl --user disable {unit}`");
    found.assert("unit", "error", &["at boot", &command, "XDG_RUNTIME_DIR"]);
    assert_eq!((found.code, found.levels("error")), (1, vec!["unit"]));

    // Who has installed it may say so, too: systemctl takes nothing back there.
    let installed = pc_b
        .home
        .join(".local/share/systemd/user/default.target.wants");
    fs::create_dir_all(&installed).unwrap();
    fs::rename(wants.join(unit), installed.join(unit)).unwrap();
    let remove = format!("`rm {}`", installed.join(unit).display());
    pc_b.check().assert("unit", "error", &["at boot", &remove]);
    fs::rename(installed.join(unit), wants.join(unit)).unwrap();

    // The daemon logs the same at its start, and continues.
    let mut daemon = Setup::new(&pc_b.lab)
        .gateway("openclaw")
        .environment("HOME", &pc_b.home)
        .argument("--check=tcp")
        .spawn();
    let shown = daemon.says("that the unit is enabled", |line| {
        line.field("check") == "unit"
    });
    assert_eq!(shown.field("level"), "ERROR", "{}", shown.text);
    assert!(shown.field("remedy").contains(&command), "{}", shown.text);
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_start_that_cannot_work_is_reported_before_it_is_needed() {
    let pc_b = Standby::new().and(&["--user=root"]);
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let units = pc_b.home.join(".config/systemd/user");
    let unit = units.join("openclaw-gateway.service");
    let binaries = pc_b.home.join(".local/bin");
    let openclaw = binaries.join("openclaw");
    let script = pc_b.home.join("index.js");
    fs::create_dir_all(&units).unwrap();
    fs::create_dir_all(&binaries).unwrap();
    fs::write(&script, "").unwrap();
    // Root's home is where its account says; the check is run without one.
    let pc_b = Standby {
        arguments: pc_b
            .arguments
            .iter()
            .filter(|argument| !argument.starts_with("--user"))
            .cloned()
            .chain([format!("--start={} gateway start", openclaw.display())])
            .chain(["--stop=true".to_owned()])
            .collect(),
        ..pc_b
    };
    let program = |text: &str| {
        fs::write(&openclaw, text).unwrap();
        fs::set_permissions(&openclaw, Permissions::from_mode(0o755)).unwrap();
    };
    let in_order = "#!/bin/sh\nexit 0\n";
    program(in_order);
    pc_b.check().assert("start", "ok", &["openclaw"]);
    for (text, part) in [
        ("#!/usr/bin/env node-that-is-elsewhere\n", "not in PATH"),
        ("#!/no/such/shell\n", "`/no` doesn't exist"),
        ("#!/bin/sh\r\nexit 0\r\n", "carriage return"),
    ] {
        program(text);
        let found = pc_b.check();
        found.assert("start", "error", &[part]);
        assert_eq!(found.code, 1);
    }
    program("exit 0\n");
    pc_b.check().assert("start", "warning", &["no `#!` line"]);
    program(in_order);

    // And what OpenClaw's own command starts: the unit. The account's PATH finds `openclaw`.
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let pc_b = Standby {
        wrapper: vec!["env".to_owned(), format!("PATH={path}")],
        arguments: pc_b
            .arguments
            .iter()
            .filter(|argument| !argument.starts_with("--start") && !argument.starts_with("--stop"))
            .cloned()
            .collect(),
        ..pc_b
    };
    let write = |start: &str| {
        let _ = fs::remove_file(&unit);
        fs::write(&unit, format!("[Service]\nExecStart={start}\n")).unwrap();
    };
    let shown = script.display();
    write("/bin/sh %h/index.js gateway");
    let found = pc_b.check();
    assert!(
        !found.levels("error").contains(&"unit"),
        "{:#?}",
        found.findings
    );
    for (start, part) in [
        (
            "/no/such/node /x".to_owned(),
            "ExecStart: `/no/such/node` cannot be run",
        ),
        (
            format!("/bin/sh {shown}.gone"),
            "which sh runs, does not exist",
        ),
    ] {
        write(&start);
        pc_b.check().assert("unit", "error", &[part]);
    }
    // A drop-in takes it back.
    let drop_ins = units.join("openclaw-gateway.service.d");
    fs::create_dir(&drop_ins).unwrap();
    let drop_in = format!("[Service]\nExecStart=\nExecStart=/bin/sh {shown}\n");
    fs::write(drop_ins.join("override.conf"), drop_in).unwrap();
    let found = pc_b.check();
    assert!(
        !found.levels("error").contains(&"unit"),
        "{:#?}",
        found.findings
    );
    fs::remove_file(&unit).unwrap();
    symlink("/dev/null", &unit).unwrap();
    let parts = [
        "is masked",
        "systemctl --user unmask openclaw-gateway.service",
    ];
    pc_b.check().assert("unit", "error", &parts);

    // Another one that starts by itself, under its former name and by another's.
    write(&format!("/bin/sh {shown}"));
    let wants = units.join("default.target.wants");
    fs::create_dir(&wants).unwrap();
    for (name, start) in [
        ("clawdbot-gateway.service", format!("/bin/sh {shown}")),
        ("bot.service", "/usr/bin/openclaw gateway run".to_owned()),
    ] {
        fs::write(units.join(name), format!("[Service]\nExecStart={start}\n")).unwrap();
        symlink(units.join(name), wants.join(name)).unwrap();
        let disable = format!("systemctl --user disable {name}");
        pc_b.check()
            .assert("unit", "error", &["a second gateway", &disable]);
    }
}

/// A command of a remedy.
fn command_in(finding: &Value) -> String {
    let remedy = finding["remedy"].as_str().expect("a remedy");
    let command = remedy.split('`').nth(1).expect("a command");
    command.to_owned()
}

#[test]
fn what_systemd_enables_is_found_and_the_remedies_work() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    let _primary = lab.host_a().gateway().unwrap();
    let folder = format!("{}/.config/systemd/user", machine::HOME);
    machine.run_as_user(&["mkdir", "-p", &folder]);
    machine.write(
        &format!("{folder}/openclaw-gateway.service"),
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=default.target\n",
    );
    machine.run_as_user(&["systemctl", "--user", "daemon-reload"]);
    machine.run_as_user(&["systemctl", "--user", "enable", "openclaw-gateway"]);
    machine.run(&["loginctl", "disable-linger", machine::ACCOUNT]);
    let check = || {
        let output = machine
            .command(failover_binary())
            .args([
                "check",
                "--output=json",
                "--gateway=systemd-user",
                "--check=tcp",
            ])
            .arg(format!("--primary={}", lab.host_a().address()))
            .arg(format!("--user={}", machine::ACCOUNT))
            .output()
            .expect("running failover check");
        serde_json::from_slice::<Vec<Value>>(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let of = |findings: &[Value], name: &str| {
        let found = findings.iter().find(|one| one["name"] == name);
        found
            .unwrap_or_else(|| panic!("no {name}: {findings:#?}"))
            .clone()
    };
    let findings = check();
    let (unit, lingering) = (of(&findings, "unit"), of(&findings, "lingering"));
    assert_eq!(
        (&unit["level"], &lingering["level"]),
        (&"error".into(), &"error".into())
    );
    machine.run(&["sh", "-c", &command_in(&lingering)]);
    wait::until("the account's service manager", wait::LONG, || {
        (machine.user_unit_state("default.target") == "active").then_some(())
    });
    // As sudo would, which isn't everywhere.
    let disable = command_in(&unit);
    let beginning = format!("sudo -u {} ", machine::ACCOUNT);
    let disable = disable
        .strip_prefix(&beginning)
        .expect("a command of the account's");
    machine.run_as_user(&["sh", "-c", &format!("unset XDG_RUNTIME_DIR; {disable}")]);
    let findings = check();
    for name in ["unit", "lingering"] {
        assert_eq!(of(&findings, name)["level"], "ok", "{findings:#?}");
    }

    // Somebody has made it a system unit, and has it started for now.
    machine.write(
        "/etc/systemd/system/openclaw-gateway.service",
        "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    );
    machine.run(&["systemctl", "enable", "--runtime", "openclaw-gateway"]);
    let findings = check();
    let unit = of(&findings, "unit");
    assert_eq!(unit["level"], "error", "{findings:#?}");
    let message = unit["message"].as_str().expect("a message");
    assert!(message.contains("a system unit"), "{message}");
    machine.run(&["sh", "-c", &command_in(&unit)]);
    let findings = check();
    assert_eq!(of(&findings, "unit")["level"], "ok", "{findings:#?}");
}

#[test]
fn an_account_without_a_service_manager_of_its_own_is_reported() {
    let unit = ["--gateway=systemd-user", "--check=tcp"];
    let mut pc_b = Standby::new().and(&unit);
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let mut under = |prepared: &str| {
        let shell = format!(
            "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && \
             mkdir -p /run/systemd/system /var/lib/systemd/linger && {prepared} && exec \"$@\""
        );
        pc_b.wrapper = ["unshare", "--mount", "sh", "-c", &shell, "sh"]
            .map(str::to_owned)
            .to_vec();
        pc_b.check()
    };
    let found = under("true");
    found.assert(
        "lingering",
        "error",
        &["lingering is disabled", "`loginctl enable-linger root`"],
    );
    found.assert(
        "unit",
        "warning",
        &["unit openclaw-gateway.service is not installed"],
    );
    let found = under("touch /var/lib/systemd/linger/root");
    found.assert("lingering", "ok", &["root"]);
}

#[test]
fn no_fault_of_the_configuration_hides_another() {
    let mut pc_b = Standby::new();
    let path = pc_b.lab.directory().join("failover.toml");
    let text = format!(
        "primary = \"{}\"\ngateway = \"command\"\nstart = \"/nowhere/up\"\nstop = \"no-such-program\"\n\
         interval = \"1ms\"\nwitness-quorum = 2\n",
        pc_b.lab.host_a().address()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    pc_b.arguments = vec![format!("--config={}", path.display())];
    let found = pc_b.check();
    let chmod = format!("chmod go-w {}", path.display());
    found.assert(
        "configuration",
        "error",
        &["writable by other accounts", &chmod],
    );
    found.assert("configuration", "error", &["interval is 1ms"]);
    found.assert("configuration", "error", &["witness-quorum"]);
    found.assert("start", "error", &["/nowhere/up"]);
    found.assert("stop", "error", &["no program `no-such-program`"]);
    found.assert("primary", "ok", &[]);
    assert_eq!(found.code, 1);
    pc_b.arguments.push("--user=no-such-account".to_owned());
    pc_b.check()
        .assert("account", "error", &["no-such-account", "getent passwd"]);
    // In a dry run nothing is run.
    pc_b.arguments.pop();
    pc_b.arguments.push("--dry-run".to_owned());
    pc_b.check().assert("start", "warning", &["/nowhere/up"]);
}

#[test]
fn too_few_witnesses_are_an_error_and_too_many_that_are_silent_a_warning() {
    let pc_b = Standby::with_commands();
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let both = format!("--witnesses={},10.0.0.99", pc_b.witness.address());
    let pc_b = pc_b.and(&[&both]);
    let found = pc_b.check();
    found.assert(
        "witnesses",
        "warning",
        &["1 of 2 answer", "10.0.0.99: no answer"],
    );
    assert_eq!(found.code, 0);
    let found = pc_b.and(&["--witness-quorum=2"]).check();
    found.assert(
        "witnesses",
        "error",
        &["1 of 2 answer", "would not take over"],
    );
    assert_eq!(found.code, 1);
}

#[test]
fn the_default_router_is_enough_where_it_answers_pings() {
    let mut pc_b = Standby::with_commands();
    pc_b.arguments
        .retain(|argument| !argument.starts_with("--witnesses"));
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    let blind = "like a dead PC-A";
    pc_b.check()
        .assert("witnesses", "warning", &["no default route", blind]);
    let router = pc_b.witness.address().to_string();
    let default = ["route", "add", "default", "via", &router];
    pc_b.lab.host_b().run("ip", &default);
    pc_b.check()
        .assert("witnesses", "ok", &["the default router answers", &router]);
    let silent = ["-w", "net.ipv4.icmp_echo_ignore_all=1"];
    pc_b.witness.run("sysctl", &silent);
    let found = pc_b.check();
    found.assert(
        "witnesses",
        "warning",
        &["abstains", "does not answer pings", &router, blind],
    );
    assert_eq!(found.code, 0);
    let primary = pc_b.lab.host_a().address().to_string();
    let default = ["route", "replace", "default", "via", &primary];
    pc_b.lab.host_b().run("ip", &default);
    pc_b.check()
        .assert("witnesses", "warning", &["the primary itself"]);
    let found = pc_b.and(&["--witnesses="]).check();
    found.assert("witnesses", "warning", &["there are none", blind]);
}

#[test]
fn without_rights_the_kernel_program_is_missed_as_much_as_was_asked_for() {
    let mut pc_b = Standby::with_commands();
    let _primary = pc_b.lab.host_a().gateway().unwrap();
    pc_b.wrapper = ["setpriv", "--bounding-set", "-all"]
        .map(str::to_owned)
        .to_vec();
    pc_b.check().assert(
        "kernel-events",
        "error",
        &["not permitted", "does not start"],
    );
    let pc_b = pc_b.and(&["--kernel-events=auto"]);
    pc_b.check()
        .assert("kernel-events", "warning", &["CAP_BPF"]);
    let pc_b = pc_b.and(&["--kernel-events=off"]);
    pc_b.check()
        .assert("kernel-events", "ok", &["as configured"]);
}

#[test]
fn a_running_daemon_is_shown_and_left_alone() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let check = |control: &Path| {
        let mut command: Command = lab.host_b().command(failover_binary());
        command
            .args([
                "check",
                "--output=json",
                "--gateway=command",
                "--start=true",
                "--stop=true",
            ])
            .arg(format!("--primary={}", lab.host_a().address()))
            .arg(format!("--control={}", control.display()))
            .output()
            .expect("running failover check")
    };
    let shown = |output: &Output| {
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let daemon = findings.iter().find(|one| one["name"] == "daemon").unwrap();
        daemon["message"].as_str().unwrap().to_owned()
    };
    let expected = format!("process {} is running: standby", daemon.pid());
    wait::until("the daemon is shown", wait::LONG, || {
        shown(&check(daemon.control()))
            .starts_with(&expected)
            .then_some(())
    });
    assert!(shown(&check(&lab.directory().join("other.sock"))).starts_with("not running"));
    daemon.ends_having_run(&[]);
}

#[test]
fn where_the_daemon_counts_a_silent_router_so_does_the_check() {
    let lab = Lab::new();
    let router = lab.add_host("router");
    let address = router.address().to_string();
    let default = ["route", "add", "default", "via", &address];
    lab.host_b().run("ip", &default);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .argument("--witnesses=router")
        .armed_by_a_success()
        .spawn();
    daemon.says("that the router counts", |line| {
        line.message().contains("required for a takeover")
    });
    router.run("sysctl", &["-w", "net.ipv4.icmp_echo_ignore_all=1"]);
    primary.kill();
    daemon.becomes("isolated");
    let output = lab
        .host_b()
        .command(failover_binary())
        .args(["check", "--output=json", "--config=/dev/null"])
        .args(["--gateway=command", "--start=true", "--stop=true"])
        .args(["--timeout=300ms", "--kernel-events=off"])
        .arg(format!("--primary={}", lab.host_a().address()))
        .arg(format!("--control={}", daemon.control().display()))
        .output()
        .unwrap();
    let findings = Findings {
        findings: serde_json::from_slice(&output.stdout).unwrap(),
        code: output.status.code().unwrap(),
    };
    let silent = [
        "is silent",
        "has answered the running daemon before",
        "`ip route`",
    ];
    findings.assert("witnesses", "error", &silent);
    findings.assert("daemon", "warning", &["isolated", "NOT SAFE: "]);
    daemon.ends_having_run(&[]);
}

#[test]
fn notification_channels_are_checked_and_not_notified() {
    let shown = |arguments: &[&str]| {
        let standby = Standby::with_commands().and(arguments);
        let _primary = gateway_at(standby.lab.host_a(), "0.0.0.0");
        standby.check()
    };
    let nobody = [
        "--notify=/no/such/mailer",
        "--webhook=http://127.0.0.1:8081/",
    ];
    let findings = shown(&nobody);
    findings.assert("notify", "error", &["/no/such/mailer"]);
    findings.assert(
        "webhook",
        "warning",
        &["port 8081", "refused", "does the server run"],
    );
    let findings = shown(&["--webhook=http://no-such-name.invalid/"]);
    findings.assert("webhook", "warning", &["cannot resolve", "name resolution"]);

    let standby =
        Standby::with_commands().and(&["--notify=true", "--webhook=http://127.0.0.1:8081/"]);
    let _primary = gateway_at(standby.lab.host_a(), "0.0.0.0");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081));
    let hook = standby.lab.host_b().listen(address, 4).unwrap();
    let findings = standby.check();
    findings.assert("notify", "ok", &["true`"]);
    findings.assert("webhook", "ok", &["not encrypted"]);
    let mut said = Vec::new();
    let (mut connection, _) = hook.accept().unwrap();
    connection.read_to_end(&mut said).unwrap();
    assert!(said.is_empty(), "{said:?}");
}
