//! What an operating system does before the first check and after the last one.

use std::{
    convert::Infallible,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    mount::{MountFlags, mount},
    system::{RebootCommand, finit_module, reboot, uname},
    termios::tcdrain,
    time::{ClockId, clock_gettime, clock_settime},
};

use crate::moment::Moment;

/// Source, type and place of the file systems.
const FILE_SYSTEMS: [(&str, &str, &str); 5] = [
    ("proc", "proc", "/proc"),
    ("sysfs", "sysfs", "/sys"),
    ("devtmpfs", "devtmpfs", "/dev"),
    ("tmpfs", "tmpfs", "/tmp"),
    ("cgroup2", "cgroup2", "/sys/fs/cgroup"),
];
/// Modules to load, in the order of their names.
const MODULES: &str = "/modules";
/// The kernel's record of its own faults (Documentation/admin-guide/tainted-kernels.rst).
const TAINTED: &str = "/proc/sys/kernel/tainted";
/// The kernel's lockdown mode (kernel_lockdown(7)).
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// Set where the machine was booted so.
const LOCKED_DOWN: &str = "FAILOVER_LOCKED_DOWN";
/// See Documentation/admin-guide/pm/sleep-states.rst.
const POWER_STATE: &str = "/sys/power/state";
const WAKE_ALARM: &str = "/sys/class/rtc/rtc0/wakealarm";
/// A machine check, a bad page, an oops, a warning, a lockup.
const COMPLAINTS: u64 = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14;

/// Mounts what programs expect, and loads the modules that the lab needs.
pub(super) fn prepare() -> Result<()> {
    for (source, kind, place) in FILE_SYSTEMS {
        fs::create_dir_all(place).with_context(|| format!("making {place}"))?;
        mount(source, place, kind, MountFlags::empty(), None)
            .with_context(|| format!("mounting {kind} on {place}"))?;
    }
    println!("Linux {}", uname().release().to_string_lossy());
    let mut modules = fs::read_dir(MODULES)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<PathBuf>>>()
        })
        .with_context(|| format!("reading {MODULES}"))?;
    modules.sort();
    for module in modules {
        load(&module).with_context(|| format!("loading {}", module.display()))?;
    }
    Ok(())
}

/// Does the kernel hide its memory from root?
pub(super) fn is_locked_down() -> bool {
    std::env::var_os(LOCKED_DOWN).is_some()
}

/// Makes sure that it does.
pub(super) fn check_lockdown() -> Result<()> {
    mount(
        "securityfs",
        "/sys/kernel/security",
        "securityfs",
        MountFlags::empty(),
        None,
    )
    .context("mounting securityfs")?;
    let text = fs::read_to_string(LOCKDOWN).with_context(|| format!("reading {LOCKDOWN}"))?;
    ensure!(text.contains("[confidentiality]"), "{LOCKDOWN}: {text}");
    Ok(())
}

/// Version and patch level of the kernel; zero where they aren't known.
pub(super) fn release() -> (u32, u32) {
    let name = uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse().ok());
    let mut next = || numbers.next().unwrap_or_default();
    (next(), next())
}

fn load(module: &Path) -> Result<()> {
    let file = File::open(module)?;
    Ok(finit_module(&file, c"", 0)?)
}

/// Steps the wall clock, by seconds.
///
/// # Panics
/// When it doesn't go there.
pub(super) fn step_clock(seconds: i64) {
    let mut time = clock_gettime(ClockId::Realtime);
    time.tv_sec += seconds;
    clock_settime(ClockId::Realtime, time).expect("stepping the clock");
    let now = clock_gettime(ClockId::Realtime);
    assert!((time.tv_sec..time.tv_sec + 60).contains(&now.tv_sec));
}

/// Is there a suspend to memory, and a clock that ends it?
pub(super) fn can_suspend() -> bool {
    let states = fs::read_to_string(POWER_STATE).unwrap_or_default();
    states.split_whitespace().any(|state| state == "mem") && Path::new(WAKE_ALARM).exists()
}

/// Suspends the machine to memory, and returns when it is back.
///
/// # Panics
/// When it doesn't sleep, or not for this time.
pub(super) fn suspend(period: Duration) -> Moment {
    let began = Moment::now();
    // Of the real-time clock, in seconds from now (Documentation/admin-guide/rtc.rst).
    fs::write(WAKE_ALARM, format!("+{}", period.as_secs())).expect("setting the alarm");
    fs::write(POWER_STATE, "mem").expect("suspending");
    let back = Moment::now();
    let away = back.since(began);
    // It counts whole seconds, both for the alarm and for how long the machine was away.
    assert!(away + Duration::from_secs(2) >= period, "away for {away:?}");
    back
}

/// Fails when the kernel has warned of itself, or worse.
pub(super) fn check_kernel_is_well() -> Result<()> {
    let tainted = fs::read_to_string(TAINTED).with_context(|| format!("reading {TAINTED}"))?;
    let tainted: u64 = tainted.trim().parse().context("the taint is no number")?;
    ensure!(
        tainted & COMPLAINTS == 0,
        "the kernel is tainted ({tainted}); its messages on the console say why"
    );
    Ok(())
}

/// Switches off, once everything printed has left the machine.
pub(super) fn power_off() -> Result<Infallible> {
    let _ = tcdrain(io::stdout());
    reboot(RebootCommand::PowerOff).context("switching off")?;
    bail!("the machine is still on")
}
