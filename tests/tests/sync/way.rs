//! The way between the hosts: made by `failover sync init`, used by PC-A's unit before its gateway starts, and undone by
//! `failover sync remove`.

use std::{
    fs,
    process::{Output, Stdio},
};

use failover_sync::source::drop_in;
use failover_tests::{account, lab::Process, wait};

use crate::site::{AUTHORIZED_KEYS, Site};

const KEYS: &str = ".local/state/failover/sync";
const CONTROL: &str = "/mnt/sshd/control.sock";

/// Two hosts on which nothing was set up, and sshd on PC-B as well.
struct Hosts {
    site: Site,
    _sshd: Process,
}

impl Hosts {
    fn new() -> Option<Self> {
        let site = Site::new()?;
        let sshd = site.local.sshd()?;
        site.source
            .write(AUTHORIZED_KEYS, "ssh-ed25519 AAAA of somebody else\n");
        let address = site.source.host().address();
        let configuration = format!(
            "primary = '{address}:18789'\ncheck = 'tcp'\nwitnesses = []\nkernel-events = 'off'\n\
             gateway = 'command'\nstart = 'true'\nstop = 'true'\nsync-from = '{name}@{address}'\n\
             sync-paths = ['~/.openclaw']\nsync-exclude = ['cache/', '*.sqlite-*']\n\
             sync-databases = ['/state/*.sqlite']\ncontrol = '{CONTROL}'\nstate-dir = '/mnt/sshd/state'\n",
            name = account::NAME,
        );
        site.local.write("failover.toml", configuration);
        Some(Self { site, _sshd: sshd })
    }

    fn sync(&self, words: &[&str]) -> (Output, String) {
        let mut command = self.site.local.command(account::FAILOVER);
        command.arg("sync").args(words);
        command.args(["--config", "/mnt/home/failover.toml"]);
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("it can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output, text)
    }

    /// What `failover check` has found about copying.
    fn check(&self) -> String {
        let mut command = self.site.local.command(account::FAILOVER);
        command.args(["check", "--config", "/mnt/home/failover.toml"]);
        let output = command.stdin(Stdio::null()).output();
        let text = output.expect("it can be run").stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        let of_sync = text.split("\n").skip_while(|line| !line.contains(" sync "));
        of_sync.collect::<Vec<_>>().join(" ")
    }

    /// Made by what `init` says to do. The drop-in that it prints.
    fn set_up(&self) -> String {
        let (output, text) = self.sync(&["init"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text.contains("SHA256:"), "{text}");
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("restrict,command="));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        let keys = self.site.source.home().join(AUTHORIZED_KEYS);
        let others = fs::read_to_string(keys).unwrap();
        let keys = format!("{others}{line}\n");
        self.site.source.write(AUTHORIZED_KEYS, keys);
        let (output, text) = self.sync(&["init"]);
        assert!(output.status.success(), "{output:?}");
        text
    }

    fn daemon(&self) -> Process {
        let text = fs::read_to_string(self.site.local.home().join("failover.toml"));
        let text = format!("user = '{}'\n{}", account::NAME, text.unwrap());
        let folder = self.site.local.home().with_file_name("sshd");
        fs::write(folder.join("failover.toml"), text).unwrap();
        let file = format!("{}/failover.toml", account::SSHD);
        let mut command = self.site.local.enter();
        command.args([account::FAILOVER, "run", "--config", &file]);
        let log = self.site.local.home().join("log");
        command.stdout(Stdio::null());
        command.stderr(fs::File::create(&log).expect("the daemon's log"));
        let daemon = self.site.local.host().spawn(&mut command);
        let daemon = daemon.unwrap_or_else(|error| panic!("{error:#}"));
        let socket = folder.join("control.sock");
        let listens = wait::attempt(wait::LONG, || socket.exists().then_some(()));
        assert!(listens.is_some(), "{:?}", fs::read_to_string(log));
        daemon
    }

    /// What PC-A's unit runs before its gateway.
    fn hook(&self, unit: &str) -> String {
        let (_, line) = unit
            .split_once("ExecStartPre=-/bin/sh -c '")
            .expect("a hook");
        let script = line.trim_end().trim_end_matches('\'').replace("$$", "$");
        let mut shell = self.site.source.command("/bin/sh");
        let output = shell.args(["-c", &script]).stdin(Stdio::null()).output();
        let output = output.expect("it can be run");
        assert!(output.status.success(), "{output:?}");
        let [said, complained] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        said + &complained
    }
}

#[test]
fn pc_a_asks_before_its_gateway_starts_by_the_way_that_init_made() {
    let Some(hosts) = Hosts::new() else { return };
    let unit = hosts.set_up();
    let found = hosts.check();
    assert!(found.contains("answers: gateway version"), "{found}");
    // Without a daemon it starts with its own.
    let said = hosts.hook(&unit);
    assert!(said.contains("no daemon listens"), "{said}");
    let _daemon = hosts.daemon();
    let said = hosts.hook(&unit);
    assert!(said.contains("nothing that PC-A lacks"), "{said}");
    assert!(!hosts.site.source.home().join(KEYS).join("waiting").exists());
    // The key opens no shell and runs nothing else.
    let back = hosts.site.local.host().address().to_string();
    let other = drop_in(&format!("{}@{back}", account::NAME), None).unwrap();
    let other = other.replace(" answer;", " touch /mnt/home/opened;");
    let said = hosts.hook(&other);
    assert!(said.contains("nothing that PC-A lacks"), "{said}");
    assert!(!hosts.site.local.home().join("opened").exists());
}

#[test]
fn remove_undoes_both_sides_and_keeps_what_was_kept_aside() {
    let Some(hosts) = Hosts::new() else { return };
    hosts.set_up();
    let [source, local] = [&hosts.site.source, &hosts.site.local];
    assert!(source.home().join(KEYS).join("key").exists());
    let lines = fs::read_to_string(local.home().join(AUTHORIZED_KEYS)).unwrap();
    assert!(lines.contains("sync answer --control"), "{lines}");
    local.write(&format!("{KEYS}/kept/old"), "");
    let (output, text) = hosts.sync(&["remove"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("Kept: "), "{text}");
    let left = fs::read_to_string(source.home().join(AUTHORIZED_KEYS)).unwrap();
    assert_eq!(left, "ssh-ed25519 AAAA of somebody else\n");
    assert!(!source.home().join(KEYS).join("key").exists());
    assert_eq!(
        fs::read_to_string(local.home().join(AUTHORIZED_KEYS)).unwrap(),
        ""
    );
    assert!(!local.home().join(KEYS).join("key").exists());
    assert!(local.home().join(KEYS).join("kept/old").exists());
    // PC-A can't be reached any longer.
    let (output, _) = hosts.sync(&["remove", "--all"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!local.home().join(KEYS).exists());
}
