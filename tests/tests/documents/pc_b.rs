//! PC-B with a real systemd, in the situation that a command is for.

use std::{
    fs,
    process::{Output, Stdio},
};

use failover_tests::{
    lab::{Lab, Machine, Process, failover_binary, machine::HOME},
    wait,
};

use crate::{
    CONFIGURATION, PRIMARY,
    reading::{parts, root},
};

/// In place of OpenClaw's program, which takes minutes: the unit is started and stopped as it does.
const OPENCLAW: &str = r#"#!/bin/sh
case "$*" in
*--help*) echo '  --force  Stop without asking' ;;
'gateway start') exec systemctl --user start openclaw-gateway ;;
'gateway stop'*) exec systemctl --user stop openclaw-gateway ;;
*) exit 1 ;;
esac
"#;

/// PC-B as the guide has it set up, with a primary that is well.
pub(crate) struct PcB<'lab> {
    lab: &'lab Lab,
    pub(crate) machine: Machine,
    /// Who answers pings.
    witness: String,
    primary: Option<Process>,
}

impl<'lab> PcB<'lab> {
    pub(crate) fn new(lab: &'lab Lab) -> Option<Self> {
        let machine = Machine::boot(lab, &[])?;
        let binary = failover_binary();
        let binary = binary.to_str().expect("the lab's paths are text");
        let unit = fs::read_to_string(root().join("failover-user/dist/failover.service"));
        machine.write(
            "/etc/systemd/system/failover.service",
            &unit.expect("the unit"),
        );
        machine.run(&["install", "--mode=755", binary, "/usr/bin/failover"]);
        machine.run(&["groupadd", "--system", "failover"]);
        // As any other program: copied there by a process that has ended when it is run.
        machine.write("/root/openclaw", OPENCLAW);
        machine.run(&[
            "install",
            "--mode=755",
            "/root/openclaw",
            "/usr/local/bin/openclaw",
        ]);
        let gateway = format!(
            "[Service]\nExecStart={} gateway --listen 0.0.0.0:18789\n[Install]\nWantedBy=default.target\n",
            lab.binary().display()
        );
        let folder = format!("{HOME}/.config/systemd/user");
        machine.run_as_user(&["mkdir", "-p", &folder]);
        machine.write(&format!("{folder}/openclaw-gateway.service"), &gateway);
        machine.run_as_user(&["systemctl", "--user", "daemon-reload"]);
        let pc_b = Self {
            lab,
            machine,
            witness: lab.add_host("router").address().to_string(),
            primary: Some(lab.host_a().gateway().expect("PC-A's gateway starts")),
        };
        pc_b.configure();
        Some(pc_b)
    }

    /// As the README has it, with the lab's addresses. Its times are the defaults: nothing comes before its order.
    pub(crate) fn configure(&self) {
        let (blocks, _) = parts(&root().join("README.md"));
        let block = blocks.iter().find(|block| block.language == "toml");
        let mut text = block.expect("the README has a configuration").text.clone();
        let address = self.lab.host_a().address().to_string();
        for name in [PRIMARY, "192.168.1.1\"", "9.9.9.9:53"] {
            assert!(text.contains(name), "{text}");
        }
        text = text.replace(PRIMARY, &address);
        let witness = format!("\"{}\"", self.witness);
        text = text.replace("\"192.168.1.1\", \"9.9.9.9:53\"", &witness);
        // A reader who tries every command takes over more often than any primary flaps.
        text.push_str("\nflap-damping = false\n");
        self.machine.write(CONFIGURATION, &text);
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = self.machine.command(program);
        command.args(arguments).stdin(Stdio::null());
        command.output().expect("nsenter can be run")
    }

    fn status(&self) -> serde_json::Value {
        let output = self.run(&["failover", "status", "--output", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub(crate) fn is(&self, name: &str, wanted: impl Into<serde_json::Value>) -> bool {
        self.status().get(name) == Some(&wanted.into())
    }

    fn is_paused(&self) -> bool {
        let status = self.status();
        status.get("paused").is_some_and(|paused| !paused.is_null())
    }

    pub(crate) fn becomes(&self, state: &str) {
        let reached = wait::attempt(wait::LONG, || self.is("state", state).then_some(()));
        if reached.is_none() {
            let journal = ["journalctl", "--no-pager", "--lines=60"];
            let log = self.machine.run(&journal);
            panic!("it isn't {state}: {}\n{log}", self.status());
        }
    }

    pub(crate) fn order(&mut self, words: &[&str]) {
        match words {
            ["failover", "takeover", "--force", ..] => {
                // Beside a primary that answers it has to be confirmed.
                self.machine
                    .run(&["failover", "takeover", "--force", "--yes"]);
                self.becomes("active");
                self.machine.run(&["failover", "release"]);
            }
            ["failover", "takeover"] => {
                if let Some(primary) = self.primary.take() {
                    primary.kill();
                }
                // Reported by the kernel, at once.
                self.becomes("suspect");
                self.machine.run(words);
                self.becomes("active");
                let primary = self.lab.host_a().gateway();
                self.primary = Some(primary.expect("PC-A's gateway starts"));
            }
            ["failover", "release", ..] => {
                self.machine
                    .run(&["failover", "takeover", "--force", "--yes"]);
                self.becomes("active");
                self.machine.run(words);
                self.becomes("standby");
                self.machine.run(&["failover", "resume"]);
            }
            ["failover", "pause", ..] => {
                self.machine.run(words);
                assert!(self.is_paused(), "{}", self.status());
                self.machine.run(&["failover", "resume"]);
            }
            ["failover", "resume"] => {
                self.machine.run(&["failover", "pause"]);
                self.machine.run(words);
                assert!(!self.is_paused(), "{}", self.status());
            }
            ["failover", "drill", "--full"] => {
                // It has to be confirmed; the same with --yes is run.
                let refused = self.run(words);
                assert_eq!(refused.status.code(), Some(1), "{refused:?}");
            }
            ["failover", "drill", ..] => {
                // The daemon has just started, and tries out what this machine can do.
                let is_known = || self.status().pointer("/standby/can_drill") == Some(&true.into());
                let known = wait::attempt(wait::LONG, || is_known().then_some(()));
                assert!(known.is_some(), "{}", self.status());
                self.machine.run(words);
            }
            other => panic!("no situation for {other:?}"),
        }
        self.becomes("standby");
    }
}
