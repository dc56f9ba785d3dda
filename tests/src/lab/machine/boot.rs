//! From the machine's first process to its systemd.

use std::{
    convert::Infallible,
    ffi::CString,
    fs, io,
    os::unix::{
        fs::{PermissionsExt as _, chown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::{
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
        mount_change, mount_remount, unmount,
    },
    process::pivot_root,
    system::sethostname,
};

/// What becomes the machine's init.
pub(super) const SYSTEMD: &str = "/lib/systemd/systemd";
/// The account that lingers.
pub const ACCOUNT: &str = "alice";
/// Its number, and that of its group: hardly anybody's else.
pub const USER: u32 = 47011;
/// Where it is at home.
pub const HOME: &str = "/home/alice";
/// What is up when the machine is.
const TARGET: &str = "failover-lab.target";
/// What would disturb the machine that the test runs on, or wait for hardware, or only take time.
/// The last are all that is enabled there.
const MASKED: [&str; 26] = [
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-modules-load.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    // It would empty /tmp.
    "systemd-tmpfiles-setup.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "systemd-update-done.service",
    "getty.target",
    "paths.target",
    "sockets.target",
    "timers.target",
];

/// `failover-lab boot`
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// An empty directory to make the machine's root in
    #[arg(long)]
    directory: PathBuf,
    /// A directory that is the same in the machine
    #[arg(long)]
    share: PathBuf,
    /// The machine's name
    #[arg(long)]
    name: String,
    /// A path that can be read in the machine, and where
    #[arg(long, num_args = 2, value_names = ["HERE", "THERE"])]
    show: Vec<PathBuf>,
}

/// In namespaces of its own: makes them a machine's, and becomes its systemd.
///
/// # Errors
/// When that doesn't go through.
pub fn run(options: &Options) -> Result<Infallible> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("parting from the mounts outside")?;
    sethostname(options.name.as_bytes()).context("setting the host's name")?;
    let root = root(&options.directory)?;
    file_systems(&root)?;
    let (share, there) = (&options.share, inside(&root, &options.share));
    fs::create_dir_all(&there).with_context(|| format!("making {}", there.display()))?;
    mount_bind(share, &there).with_context(|| format!("sharing {}", share.display()))?;
    for pair in options.show.chunks_exact(2) {
        if let [here, there] = pair {
            show(here, &inside(&root, there))
                .with_context(|| format!("showing {}", here.display()))?;
        }
    }
    configure(&root, &options.name).context("writing the machine's configuration")?;
    enter(&root).context("changing the root")?;
    let error = Command::new(SYSTEMD)
        .args(["--system", &format!("--unit={TARGET}")])
        .env_clear()
        .env("container", "failover-lab")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .exec();
    Err(error).with_context(|| format!("running {SYSTEMD}"))
}

/// Our own root, with whatever is written kept in memory.
fn root(directory: &Path) -> Result<PathBuf> {
    mount(
        "tmpfs",
        directory,
        "tmpfs",
        MountFlags::empty(),
        c"mode=0755",
    )
    .context("mounting a tmpfs for what the machine writes")?;
    let [upper, work, root] = ["upper", "work", "root"].map(|name| directory.join(name));
    for folder in [&upper, &work, &root] {
        fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let (upper, work) = (upper.display(), work.display());
    let options = CString::new(format!("lowerdir=/,upperdir={upper},workdir={work}"))?;
    mount("overlay", &root, "overlay", MountFlags::empty(), &*options)
        .context("laying the machine's root over ours")?;
    Ok(root)
}

/// What containers have: see `man 5 systemd.exec` and systemd's CONTAINER_INTERFACE. Nothing that
/// is written to `/proc/sys` or `/sys` could reach the machine that the test runs on.
fn file_systems(root: &Path) -> Result<()> {
    const NO_DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
    const NO_PROGRAMS: MountFlags = NO_DEVICES.union(MountFlags::NOEXEC);
    let new = |kind: &str, place: &str, flags, options| {
        let place = root.join(place);
        fs::create_dir_all(&place)
            .and_then(|()| Ok(mount(kind, &place, kind, flags, options)?))
            .with_context(|| format!("mounting {kind} on {}", place.display()))
    };
    new("proc", "proc", NO_PROGRAMS, None)?;
    show(&root.join("proc/sys"), &root.join("proc/sys")).context("protecting /proc/sys")?;
    new("sysfs", "sys", NO_PROGRAMS, None)?;
    new("cgroup2", "sys/fs/cgroup", NO_PROGRAMS, None)?;
    // Not every kernel has it, and the daemon says so.
    let _ = new("tracefs", "sys/kernel/tracing", NO_PROGRAMS, None);
    // systemd mounts it on machines, and not in containers.
    let _ = new("bpf", "sys/fs/bpf", NO_PROGRAMS, Some(c"mode=0700"));
    let read_only = NO_PROGRAMS | MountFlags::RDONLY | MountFlags::BIND;
    mount_remount(root.join("sys"), read_only, "").context("protecting /sys")?;
    new("tmpfs", "run", NO_DEVICES, Some(c"mode=0755"))?;
    new("tmpfs", "tmp", NO_DEVICES, Some(c"mode=1777"))?;
    new("tmpfs", "dev", MountFlags::NOSUID, Some(c"mode=0755"))?;
    new("tmpfs", "dev/shm", NO_DEVICES, Some(c"mode=1777"))?;
    new(
        "devpts",
        "dev/pts",
        MountFlags::NOSUID,
        Some(c"newinstance,ptmxmode=0666,mode=620,gid=5"),
    )?;
    symlink("pts/ptmx", root.join("dev/ptmx")).context("making /dev/ptmx")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let (here, there) = (Path::new("/dev").join(name), root.join("dev").join(name));
        fs::write(&there, "")
            .and_then(|()| Ok(mount_bind(&here, &there)?))
            .with_context(|| format!("making /dev/{name}"))?;
    }
    Ok(())
}

/// Has a directory appear somewhere, where nobody can change it.
fn show(here: &Path, there: &Path) -> Result<()> {
    fs::create_dir_all(there).with_context(|| format!("making {}", there.display()))?;
    mount_bind_recursive(here, there)?;
    let flags = MountFlags::RDONLY | MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount_remount(there, flags, "")?)
}

fn configure(root: &Path, name: &str) -> io::Result<()> {
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?.replace('-', "");
    fs::write(root.join("etc/machine-id"), id)?;
    fs::write(root.join("etc/hostname"), format!("{name}\n"))?;
    fs::write(
        root.join("etc/hosts"),
        "127.0.0.1 localhost\n::1 localhost\n",
    )?;
    // The disks outside are none of its business.
    for table in ["etc/fstab", "etc/crypttab"] {
        fs::write(root.join(table), "")?;
    }

    let home = root.join(HOME.trim_start_matches('/'));
    for (file, line) in [
        (
            "etc/passwd",
            format!("{ACCOUNT}:x:{USER}:{USER}::{HOME}:/bin/sh"),
        ),
        ("etc/group", format!("{ACCOUNT}:x:{USER}:")),
        ("etc/shadow", format!("{ACCOUNT}:*:20000:0:99999:7:::")),
    ] {
        replace_entry(&root.join(file), &line)?;
    }
    fs::create_dir_all(&home)?;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
    chown(&home, Some(USER), Some(USER))?;
    let linger = root.join("var/lib/systemd/linger");
    fs::create_dir_all(&linger)?;
    fs::write(linger.join(ACCOUNT), "")?;

    let masks = root.join("run/systemd/system.control");
    fs::create_dir_all(&masks)?;
    for unit in MASKED {
        symlink("/dev/null", masks.join(unit))?;
    }
    let units = root.join("run/systemd/system");
    fs::create_dir_all(&units)?;
    let wanted = format!(
        "dbus.service systemd-logind.service systemd-user-sessions.service user@{USER}.service"
    );
    let target = format!(
        "[Unit]\nDescription=A machine of the lab\nRequires=basic.target\nWants={wanted}\n\
         After=basic.target {wanted}\nAllowIsolate=yes\n"
    );
    fs::write(units.join(TARGET), target)
}

/// In a file like `/etc/passwd`; somebody of that name may be there already.
fn replace_entry(file: &Path, line: &str) -> io::Result<()> {
    let name = format!("{ACCOUNT}:");
    let old = fs::read_to_string(file)?;
    let others = old.lines().filter(|line| !line.starts_with(&name));
    let mut new: String = others.flat_map(|line| [line, "\n"]).collect();
    new.push_str(line);
    new.push('\n');
    fs::write(file, new)
}

fn enter(root: &Path) -> Result<()> {
    std::env::set_current_dir(root)?;
    // The old root comes to lie over the new one, and is then taken away.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(std::env::set_current_dir("/")?)
}

/// An absolute path below another root.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
