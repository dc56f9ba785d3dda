//! The Debian package on a machine with a real systemd: the unit starts, survives what happens to a
//! package, and leaves nothing behind; and how far the unit is sandboxed.
//!
//! The package is made as by `cargo xtask dist`, with the program under test in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use failover_tests::{
    PORT,
    lab::{
        Lab, Machine, failover_binary,
        machine::{ACCOUNT, HOME, USER},
    },
    skip,
    standby::{Gateway, StandbySite},
    wait,
};

/// Where `cargo xtask test` tells the package.
const PACKAGE_VARIABLE: &str = "FAILOVER_PACKAGE";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in the workspace")
}

fn dist(name: &str) -> PathBuf {
    root().join("failover-user/dist").join(name)
}

fn done(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}{text}");
    text
}

/// The package, unpacked, with what is under test put into it.
fn unpacked(lab: &Lab) -> Option<PathBuf> {
    let Some(built) = std::env::var_os(PACKAGE_VARIABLE) else {
        skip("no package; `cargo xtask test` makes it on Debian");
        return None;
    };
    let folder = lab.directory().join("package");
    done(Command::new("dpkg-deb").arg("-R").arg(built).arg(&folder));
    let copies = [
        (failover_binary(), "usr/bin/failover"),
        (
            dist("failover.service"),
            "usr/lib/systemd/system/failover.service",
        ),
        // The unit names it.
        (
            dist("man/failover.toml.5"),
            "usr/share/man/man5/failover.toml.5",
        ),
    ];
    for (from, to) in copies {
        let to = folder.join(to);
        let place = to.parent().expect("it is in a folder");
        fs::create_dir_all(place).expect("putting what is under test into the package");
        fs::copy(from, to).expect("putting what is under test into the package");
    }
    let _ = fs::remove_file(folder.join("DEBIAN/md5sums"));
    Some(folder)
}

/// A package of this version, where the machine can read it.
fn package(lab: &Lab, folder: &Path, version: &str) -> String {
    let control = folder.join("DEBIAN/control");
    let text = fs::read_to_string(&control).expect("reading the package's control file");
    let lines = text.lines().map(|line| match line.split_once(':') {
        Some(("Version", _)) => format!("Version: {version}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&control, lines.collect::<String>()).expect("writing the package's control file");
    let path = lab.directory().join(format!("failover_{version}.deb"));
    done(
        Command::new("dpkg-deb")
            .args(["-Zgzip", "-z1", "--root-owner-group", "--build"])
            .arg(folder)
            .arg(&path),
    );
    path.to_str().expect("the lab's paths are text").to_owned()
}

const GATEWAY: &str = "/usr/local/bin/gateway";

/// The gateway is a child of the start command, in the daemon's own unit, and of another account: the
/// hardest case.
fn configuration(lab: &Lab) -> String {
    let primary = lab.host_a().gateway_address();
    let start = format!("{GATEWAY} gateway --listen 0.0.0.0:{PORT} & echo $! >{HOME}/pid");
    format!(
        "primary = \"{primary}\"\narm = \"always\"\ninterval = \"400ms\"\ntimeout = \"250ms\"\n\
         recovery-interval = \"100ms\"\ngateway = \"command\"\nuser = \"{ACCOUNT}\"\n\
         start = \"sh -c '{start}'\"\nstop = \"sh -c 'kill $(cat {HOME}/pid)'\"\n"
    )
}

fn property(machine: &Machine, name: &str) -> String {
    let argument = format!("--property={name}");
    let text = machine.run(&["systemctl", "show", "--value", &argument, "failover"]);
    text.trim().to_owned()
}

/// Waits until its status begins like this.
fn becomes(machine: &Machine, state: &str) {
    let reached = wait::attempt(wait::LONG, || {
        let status = property(machine, "StatusText");
        status.starts_with(state).then_some(())
    });
    if reached.is_none() {
        let journal = ["journalctl", "--no-pager", "--lines=40", "--unit=failover"];
        panic!("it isn't {state}:\n{}", machine.run(&journal));
    }
}

fn gateway(machine: &Machine) -> String {
    machine.run(&["pgrep", "--full", "gateway --listen"])
}

/// Whatever has the package's name, but for the pages that man keeps once they were read.
fn traces(machine: &Machine) -> String {
    let find = "find /etc /lib/systemd /run /usr /var -xdev -name '*failover*' \
                ! -path '/var/cache/man/*' | sort; \
                getent group failover || true";
    machine.run(&["sh", "-c", find])
}

#[test]
fn the_package_is_installed_upgraded_removed_and_purged_and_the_gateway_does_not_notice() {
    const CONFIGURATION: &str = "/etc/failover/failover.toml";
    let lab = Lab::new();
    let Some(folder) = unpacked(&lab) else { return };
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    let [first, second] = ["1.0", "1.1"].map(|version| package(&lab, &folder, version));

    let before = traces(&machine);
    // Containers keep packages from starting anything; a machine doesn't.
    machine.run(&["rm", "-f", "/usr/sbin/policy-rc.d"]);

    // Installed: it waits for a configuration, and says how to make one.
    let text = machine.run(&["dpkg", "-i", &first]);
    assert!(text.contains("failover config init"), "{text}");
    assert_eq!(machine.unit_state("failover"), "inactive");
    let enabled = machine.run(&["systemctl", "is-enabled", "failover"]);
    assert_eq!(enabled.trim(), "enabled");
    let unit = "/usr/lib/systemd/system/failover.service";
    let complaints = machine.run(&["systemd-analyze", "verify", unit]);
    assert!(!complaints.contains("failover"), "{complaints}");
    machine.run(&["failover", "config", "init", "--output", CONFIGURATION]);

    // Where every account may run it.
    let gateway_program = lab.binary().to_str().expect("the lab's paths are text");
    machine.run(&["install", "--mode=755", gateway_program, GATEWAY]);

    // Configured and started: ready when `start` returns.
    machine.write(CONFIGURATION, &configuration(&lab));
    machine.run(&["systemctl", "start", "failover"]);
    assert_eq!(machine.unit_state("failover"), "active");
    becomes(&machine, "active since");
    let serving = gateway(&machine);
    machine.run(&["usermod", "--append", "--groups", "failover", ACCOUNT]);
    let status = machine.run_as_user(&["failover", "status"]);
    // Whose it is, is seen although it is another account's.
    assert!(status.contains(&format!("uid {USER}")), "{status}");
    assert!(status.starts_with("ACTIVE"), "{status}");
    assert!(status.contains("on (eBPF), 0 lost"), "{status}");

    // The journal finds the takeover by its state.
    let journal = [
        "journalctl",
        "--no-pager",
        "--output=cat",
        "--unit=failover",
    ];
    // That writes by itself, and what it got lately only on request.
    machine.run(&["journalctl", "--sync"]);
    let found = machine.run(&[&journal[..], &["FAILOVER_STATE=active"]].concat());
    assert!(found.starts_with("state changed"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");

    // A bad configuration fails the reload, and changes nothing.
    let daemon = property(&machine, "MainPID");
    machine.write(CONFIGURATION, "primary = 1\n");
    let mut reload = machine.command("systemctl");
    let refused = reload.args(["reload", "failover"]).output().unwrap();
    assert!(!refused.status.success());
    machine.write(CONFIGURATION, &configuration(&lab));
    machine.run(&["systemctl", "reload", "failover"]);
    assert_eq!(property(&machine, "MainPID"), daemon);

    // Upgraded while the local gateway serves: another daemon, the same gateway.
    machine.run(&["dpkg", "-i", &second]);
    assert_eq!(machine.unit_state("failover"), "active");
    assert_ne!(property(&machine, "MainPID"), daemon);
    becomes(&machine, "active since");
    assert_eq!(gateway(&machine), serving);

    // Killed when its loop hangs, and started again.
    let daemon = property(&machine, "MainPID");
    machine.run(&["kill", "-KILL", &daemon]);
    wait::until("another daemon", wait::LONG, || {
        let now = property(&machine, "MainPID");
        (now != daemon && now != "0").then_some(())
    });
    becomes(&machine, "active since");
    assert_eq!(gateway(&machine), serving);

    // It releases as it should, also inside its sandbox.
    let primary = lab.host_a().gateway().unwrap();
    becomes(&machine, "standby since");
    lab.host_b().await_listening(false);
    primary.kill();
    becomes(&machine, "active since");
    let serving = gateway(&machine);

    // Removed: the daemon goes, its configuration and the gateway stay. Purged: nothing is left.
    machine.run(&["dpkg", "--remove", "failover"]);
    assert_eq!(machine.unit_state("failover"), "inactive");
    assert!(machine.path(CONFIGURATION).exists());
    assert_eq!(gateway(&machine), serving);
    machine.run(&["dpkg", "--purge", "failover"]);
    assert_eq!(gateway(&machine), serving);
    assert_eq!(traces(&machine), before);
}

#[test]
fn a_parked_gateway_ends_with_an_upgrade_and_with_a_removal_without_having_served() {
    let Some(site) = StandbySite::without_daemon(Gateway::Scripted) else {
        return;
    };
    let Some(folder) = unpacked(site.lab()) else {
        return;
    };
    let [first, second] = ["1.0", "1.1"].map(|version| package(site.lab(), &folder, version));
    let machine = site.machine();
    machine.run(&["rm", "-f", "/usr/sbin/policy-rc.d"]);
    site.configure("standby = \"hot\"\n");
    machine.run(&["dpkg", "-i", &first]);
    let parked = site.parked();
    let watch = site.watch();

    // The next version may not know how to continue what this one has parked.
    machine.run(&["dpkg", "-i", &second]);
    let parked = site.parked_again(parked);
    machine.run(&["dpkg", "--remove", "failover"]);
    site.assert_nothing_is_left();

    // A daemon that was killed doesn't see to that.
    machine.run(&["dpkg", "-i", &first]);
    let _ = site.parked_again(parked);
    let once = "/run/systemd/system/failover.service.d/once.conf";
    machine.write(once, "[Service]\nRestart=no\n");
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "kill", "--signal=KILL", "failover"]);
    wait::until("the daemon has ended", wait::LONG, || {
        (machine.unit_state("failover") == "failed").then_some(())
    });
    assert!(site.group().exists());
    machine.run(&["dpkg", "--remove", "failover"]);
    site.assert_nothing_is_left();
    assert_eq!(watch.first(), None);
}

#[test]
fn the_unit_is_locked_in_as_far_as_systemd_analyze_asks() {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager"]);
    let Ok(output) = analyze.arg(dist("failover.service")).output() else {
        return skip("no systemd-analyze: apt-get install systemd");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let level = text
        .lines()
        .find_map(|line| line.split_once("exposure level for failover.service: "))
        .and_then(|(_, level)| level.split(' ').next()?.parse::<f64>().ok());
    assert!(level.is_some_and(|level| level < 3.0), "{text}");
}
