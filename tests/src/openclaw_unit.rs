//! The real gateway as its owner's systemd user unit on PC-B, and the daemon as the unit that the package brings.

use std::{path::Path, process::Stdio, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    PORT,
    lab::{
        Host, Lab, Machine, failover_binary,
        machine::{ACCOUNT, HOME},
    },
    moment::Moment,
    openclaw, wait,
};

/// Where the real gateway is in the machine.
const OPENCLAW: &str = "/opt/openclaw";
/// Of OpenClaw itself.
pub const UNIT: &str = "openclaw-gateway.service";
const CONFIGURATION: &str = r#"{
    gateway: { mode: "local", bind: "lan", port: 18789, auth: { mode: "token", token: "test" } },
}"#;
/// The unit that the package brings: whatever it forbids, it forbids OpenClaw's commands as well.
const SHIPPED: &str = include_str!("../../failover-user/dist/failover.service");

/// A machine with the unit that OpenClaw installs, which doesn't run; `None` where none can be booted, which counts as
/// skipped.
///
/// # Panics
/// When OpenClaw can't be installed.
#[must_use]
pub fn machine(lab: &Lab) -> Option<Machine> {
    machine_on(lab, lab.host_b(), &[])
}

/// The same on this host, where these folders are shown, too.
///
/// # Panics
/// When OpenClaw can't be installed.
#[must_use]
pub fn machine_on(lab: &Lab, host: &Host, shown: &[(&Path, &str)]) -> Option<Machine> {
    let folder = openclaw::folder();
    let shown = [shown, &[(&folder, OPENCLAW)]].concat();
    let machine = Machine::boot_on(lab, host, &shown)?;
    machine.run_as_user(&["mkdir", "-m", "700", &format!("{HOME}/.openclaw")]);
    configure_gateway(&machine, CONFIGURATION);
    // Where everybody's PATH has it.
    machine.run(&[
        "ln",
        "-s",
        &format!("{OPENCLAW}/bin/openclaw"),
        "/usr/local/bin/openclaw",
    ]);
    machine.run_as_user(&[
        "openclaw",
        "gateway",
        "install",
        "--port",
        &PORT.to_string(),
    ]);
    // It starts it, too, and has it start at every boot.
    machine.run_as_user(&["systemctl", "--user", "disable", "--now", UNIT]);
    Some(machine)
}

/// Writes the gateway's configuration.
///
/// # Panics
/// When it can't be written.
pub fn configure_gateway(machine: &Machine, text: &str) {
    let file = format!("{HOME}/.openclaw/openclaw.json");
    machine.write(&file, text);
    machine.run(&["chown", ACCOUNT, &file]);
}

/// Runs the daemon as the package's unit has it, with these options after those that every daemon has.
///
/// # Panics
/// When it doesn't come up.
pub fn run_daemon(lab: &Lab, machine: &Machine, options: &str) {
    machine.run(&["groupadd", "--system", "failover"]);
    configure_daemon(lab, machine, options);
    let program = failover_binary();
    let program = program.to_str().expect("its path is text");
    machine.run(&["install", program, "/usr/bin/failover"]);
    machine.write("/etc/systemd/system/failover.service", SHIPPED);
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "start", "failover"]);
}

/// Writes the configuration that the next start of the daemon reads.
///
/// # Panics
/// When it can't be written.
pub fn configure_daemon(lab: &Lab, machine: &Machine, options: &str) {
    let primary = lab.host_a().gateway_address();
    let configuration = format!("primary = \"{primary}\"\nuser = \"{ACCOUNT}\"\n{options}\n");
    machine.write("/etc/failover/failover.toml", &configuration);
}

/// What the daemon says of itself, once it does.
///
/// # Panics
/// When nothing can be run there.
#[must_use]
pub fn status(machine: &Machine) -> Option<Value> {
    let output = machine
        .command(Path::new("/usr/bin/failover"))
        .args(["status", "--output", "json"])
        .stdin(Stdio::null())
        .output()
        .expect("nsenter can be run");
    serde_json::from_slice(&output.stdout).ok()
}

/// Waits until the status is like that, and returns it.
///
/// # Panics
/// With the log, when it isn't in time.
pub fn await_status(
    machine: &Machine,
    what: &str,
    patience: Duration,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let mut last = None;
    let reached = wait::attempt(patience, || {
        last = status(machine);
        last.as_ref().filter(|status| wanted(status)).cloned()
    });
    reached.unwrap_or_else(|| {
        let log = log(machine);
        panic!("not within {patience:?}: {what}\n{last:#?}\n{log}")
    })
}

/// Waits until the daemon's state is this.
///
/// # Panics
/// With the log, when it isn't in time.
pub fn await_state(machine: &Machine, wanted: &str, patience: Duration) {
    await_status(machine, &format!("state {wanted}"), patience, |status| {
        status["state"] == wanted
    });
}

/// Waits until the daemon has seen the primary healthy: of one that nobody ever saw, nobody takes over.
///
/// # Panics
/// With the log, when it hasn't in time.
pub fn await_seen(machine: &Machine) {
    await_status(machine, "the primary is seen", wait::LONG, |status| {
        status["last_probe"].is_object() && status["state"] == "standby"
    });
}

/// When the daemon entered this state last, by its journal.
///
/// # Panics
/// When the journal can't be read.
#[must_use]
pub fn entered(machine: &Machine, state: &str) -> Option<Moment> {
    let text = machine.run(&[
        "journalctl",
        "--unit=failover",
        &format!("FAILOVER_STATE={state}"),
        "--output=json",
        "--lines=1",
    ]);
    let entry: Value = serde_json::from_str(text.trim()).ok()?;
    let microseconds = entry.get("__REALTIME_TIMESTAMP")?.as_str()?.parse();
    let time = Timestamp::from_microsecond(microseconds.ok()?).ok()?;
    Moment::of_day(&time.to_string())
}

/// The machine's journal.
///
/// # Panics
/// When it can't be read.
#[must_use]
pub fn log(machine: &Machine) -> String {
    machine.run(&["journalctl", "--no-pager", "--output=short-precise"])
}
