//! The real OpenClaw as its account's unit on two machines, each with a [model](crate::model): PC-A with an sshd that lets
//! PC-B's account fetch its state, and PC-B with the daemon, which does so.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use failover_sync::{
    openclaw as state,
    source::{Program, authorized_keys_line},
};

use crate::{
    PORT,
    account::{SSH_PORT, key_pair, program, sshd_configuration},
    lab::{
        Host, Lab, Machine, Process,
        machine::{ACCOUNT, HOME},
    },
    model::ModelServer,
    openclaw::LONGEST_START,
    openclaw_host::configuration,
    openclaw_unit::{
        self, UNIT, await_seen, await_state, await_status, configure_gateway, log, run_daemon,
    },
    skip, wait,
};

/// Where the daemon expects what its way to PC-A needs.
const STORE: &str = ".local/state/failover/sync";
/// Of a turn, beside the start of the program that asks for it.
const LONGEST_TURN: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct OpenClawPair {
    /// With its sshd.
    primary: Option<(Machine, Process)>,
    /// PC-B's sshd, where PC-A's gateway may ask for its newer state.
    way_back: Option<Process>,
    standby: Machine,
    sshd: PathBuf,
    models: [ModelServer; 2],
    lab: Lab,
}

impl OpenClawPair {
    /// PC-A's gateway serves, and PC-B's daemon has these options and has seen it. `None` where something is missing for
    /// that, which counts as skipped.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn new(options: &str) -> Option<Self> {
        let Some(sshd) = program("sshd") else {
            skip("there is no sshd (Debian's openssh-server, which `cargo xtask test` unpacks)");
            return None;
        };
        let lab = Lab::new();
        // Its folder and what is beside that: it may be unpacked there.
        let packages = sshd.parent().and_then(Path::parent).map(Path::to_owned);
        let packages = packages.filter(|folder| !folder.starts_with("/usr"));
        let shown: Vec<(&Path, &str)> = packages
            .iter()
            .filter_map(|folder| Some((folder.as_path(), folder.to_str()?)))
            .collect();
        let primary = openclaw_unit::machine_on(&lab, lab.host_a(), &shown)?;
        let standby = openclaw_unit::machine_on(&lab, lab.host_b(), &shown)?;
        let models = [lab.host_a(), lab.host_b()].map(ModelServer::on);
        for machine in [&primary, &standby] {
            configure_gateway(machine, &configuration());
        }
        primary.run_as_user(&["systemctl", "--user", "start", UNIT]);
        wait::until("PC-A's gateway listens", LONGEST_START, || {
            lab.host_a().listens(PORT).then_some(())
        });
        let server = permit(&lab, &primary, &standby, &sshd);
        let options = format!(
            "gateway = \"openclaw\"\ncheck = \"tcp\"\ninterval = \"20s\"\ntimeout = \"2s\"\n{options}\n\
             [sync]\nfrom = \"{ACCOUNT}@{}\"\nwithin = \"60s\"\nplace-within = \"60s\"\n",
            lab.host_a().address()
        );
        run_daemon(&lab, &standby, &options);
        await_seen(&standby);
        Some(Self {
            primary: Some((primary, server)),
            way_back: None,
            standby,
            sshd,
            models,
            lab,
        })
    }

    /// PC-A's gateway gets what PC-B has served with before it starts: made by what `failover sync init` says to do.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn make_way_back(&mut self) {
        let server = serve(&self.lab, self.lab.host_b(), &self.standby, &self.sshd);
        self.way_back = Some(server);
        let text = self.standby.run(&["failover", "sync", "init"]);
        let begin = text.find("# The state that PC-B has served with");
        let unit = begin.and_then(|begin| text.get(begin..));
        let unit = unit.unwrap_or_else(|| panic!("{text}"));
        let folder = format!("{HOME}/.config/systemd/user/{UNIT}.d");
        let primary = self.primary();
        primary.run_as_user(&["mkdir", "-p", &folder]);
        primary.write(&format!("{folder}/failover-sync.conf"), unit);
        primary.run_as_user(&["systemctl", "--user", "daemon-reload"]);
    }

    /// PC-A.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn primary(&self) -> &Machine {
        let (primary, _) = self.primary.as_ref().expect("PC-A is there");
        primary
    }

    /// PC-B.
    #[must_use]
    pub fn standby(&self) -> &Machine {
        &self.standby
    }

    /// Somebody says this to PC-A's agent, and has the answer.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn primary_answers(&self, message: &str) -> String {
        answers(self.primary(), message)
    }

    /// The same with PC-B's.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn standby_answers(&self, message: &str) -> String {
        answers(&self.standby, message)
    }

    /// What PC-B's model was asked so far, see [`ModelServer::asked`].
    #[must_use]
    pub fn standby_asked(&self) -> Vec<String> {
        let [_, local] = &self.models;
        local.asked()
    }

    /// The same of PC-A's.
    #[must_use]
    pub fn primary_asked(&self) -> Vec<String> {
        let [primary, _] = &self.models;
        primary.asked()
    }

    /// PC-B has what PC-A has now.
    ///
    /// # Panics
    /// With the log, when it hasn't.
    pub fn copies(&self) {
        let output = self
            .standby
            .command("failover")
            .args(["sync", "now"])
            .stdin(Stdio::null())
            .output()
            .expect("nsenter can be run");
        assert!(
            output.status.success(),
            "{output:?}\n{}",
            log(&self.standby)
        );
    }

    /// Waits until PC-B's standby is in this state.
    ///
    /// # Panics
    /// With the log, when it isn't in time.
    pub fn standby_becomes(&self, state: &str) {
        let what = format!("standby {state}");
        await_status(&self.standby, &what, LONGEST_START, |status| {
            status
                .pointer("/standby/state")
                .is_some_and(|found| found == state)
        });
    }

    /// PC-A is gone from one moment to the next, with all that runs there.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn primary_dies(&mut self) {
        drop(self.primary.take().expect("PC-A is there"));
    }

    /// PC-A's gateway is killed, and stays away.
    ///
    /// # Panics
    /// When systemd doesn't do it.
    pub fn primary_is_killed(&self) {
        let primary = self.primary();
        primary.run_as_user(&["systemctl", "--user", "kill", "--signal=KILL", UNIT]);
        primary.run_as_user(&["systemctl", "--user", "stop", UNIT]);
    }

    /// PC-A's gateway is started, and serves.
    ///
    /// # Panics
    /// With both logs, when it doesn't.
    pub fn primary_returns(&self) {
        let primary = self.primary();
        primary.run_as_user(&["systemctl", "--user", "start", UNIT]);
        let host = self.lab.host_a();
        let serves = wait::attempt(LONGEST_START, || host.listens(PORT).then_some(()));
        assert!(serves.is_some(), "{}\n{}", log(primary), log(&self.standby));
    }

    /// Waits until PC-B serves in its place.
    ///
    /// # Panics
    /// With the log, when it doesn't in time.
    pub fn is_taken_over(&self) {
        await_state(&self.standby, "active", LONGEST_START);
        assert!(self.lab.host_b().listens(PORT), "{}", log(&self.standby));
    }
}

/// Runs an sshd on PC-A that lets PC-B's account do the one thing.
fn permit(lab: &Lab, primary: &Machine, standby: &Machine, sshd: &Path) -> Process {
    let names = [
        format!("host-key-{}", lab.host_a().name()),
        "key".to_owned(),
    ];
    let [host_key, key] = names.map(|name| lab.directory().join(name));
    key_pair(&host_key);
    key_pair(&key);
    let read = |path: &Path| fs::read_to_string(path).expect("a key");
    let store = format!("{HOME}/{STORE}");
    standby.run_as_user(&["mkdir", "-p", "-m", "700", &store]);
    standby.write(&format!("{store}/key"), &read(&key));
    standby.write(
        &format!("{store}/key.pub"),
        &read(&key.with_extension("pub")),
    );
    let public = read(&host_key.with_extension("pub"));
    let known = format!("{} {public}", lab.host_a().address());
    standby.write(&format!("{store}/known_hosts"), &known);
    standby.run(&["chown", "-R", &format!("{ACCOUNT}:"), &store]);
    standby.run(&["chmod", "600", &format!("{store}/key")]);

    let paths = state::state(Path::new(HOME)).paths;
    let public = read(&key.with_extension("pub"));
    let line = authorized_keys_line(Program::newest(), &paths, &public).expect("a line");
    let authorized_keys = format!("{HOME}/.ssh/authorized_keys");
    primary.run_as_user(&["mkdir", "-m", "700", &format!("{HOME}/.ssh")]);
    primary.write(&authorized_keys, &(line + "\n"));
    primary.run(&["chown", ACCOUNT, &authorized_keys]);
    serve(lab, lab.host_a(), primary, sshd)
}

/// Runs an sshd on one of them.
fn serve(lab: &Lab, host: &Host, machine: &Machine, sshd: &Path) -> Process {
    let host_key = lab.directory().join(format!("host-key-{}", host.name()));
    if !host_key.exists() {
        key_pair(&host_key);
    }
    // Where Debian's package isn't installed.
    let account =
        "id sshd >/dev/null 2>&1 || useradd --system --home-dir /run/sshd sshd; mkdir -p /run/sshd";
    machine.run(&["sh", "-c", account]);
    let host_key = host_key.to_str().expect("the lab's paths are text");
    machine.write("/etc/lab-sshd.conf", &sshd_configuration(host_key));
    let mut command = machine.command(sshd);
    command.args(["-D", "-e", "-f", "/etc/lab-sshd.conf"]);
    let log = lab.directory().join(format!("sshd-{}.log", host.name()));
    let log = fs::File::create(log).expect("sshd's log");
    let server = host
        .spawn(command.stdout(Stdio::null()).stderr(log))
        .unwrap_or_else(|error| panic!("{error:#}"));
    wait::until("sshd listens", wait::LONG, || {
        host.listens(SSH_PORT).then_some(())
    });
    server
}

fn answers(machine: &Machine, message: &str) -> String {
    let seconds = LONGEST_TURN.as_secs().to_string();
    machine.run_as_user(&[
        "openclaw",
        "agent",
        "--agent",
        "main",
        "--timeout",
        &seconds,
        "--message",
        message,
    ])
}
