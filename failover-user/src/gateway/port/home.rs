//! The unit or container of a process, read from its control group.
//!
//! Names of control groups can't be trusted by themselves. An account can create groups with any name
//! below its own service manager, and so can a service or container with a delegated subtree
//! (`Delegate=` in systemd.resource-control(5)). Only root chooses how a path begins: so only the first
//! name below the slices counts, and everything below `user@UID.service` belongs to that account,
//! whatever its name.

use std::{fmt, iter::Peekable, path::Path, sync::OnceLock};

use failover_linux::{escape::Escaped, procfs};

/// How service managers and container engines name the scopes of containers.
const SCOPES: [&str; 6] = [
    "docker-",
    "libpod-",
    "cri-containerd-",
    "crio-",
    "nerdctl-",
    // systemd-machined(8)
    "machine-",
];
/// Top-level groups of container engines without systemd.
const ENGINES: [&str; 4] = ["docker", "lxc", "kubepods", "libpod_parent"];

/// The unit or container that a process belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Home {
    /// A unit of the system's service manager.
    SystemUnit(String),
    /// A unit of a user's service manager.
    UserUnit {
        /// The user.
        uid: u32,
        /// Its name.
        name: String,
    },
    /// A container.
    Container {
        /// The account whose service manager has it; `None`: the system's.
        owner: Option<u32>,
        /// Its name or ID.
        name: String,
    },
}

/// Where `/proc/PID/cgroup` (cgroups(7)) says that a process belongs.
pub(crate) fn home(cgroups: &[u8]) -> Option<Home> {
    let text = String::from_utf8_lossy(cgroups);
    path(&text).and_then(of_path)
}

/// The path in systemd's own hierarchy of the first version, or in the hierarchy of the second one.
/// A path may contain colons, but not a line break (cgroup_mkdir, kernel/cgroup/cgroup.c, 6.18).
fn path(cgroups: &str) -> Option<&str> {
    let path_of = |id: Option<&str>, controllers: &str| {
        cgroups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (its_id, its_controllers) = (fields.next()?, fields.next()?);
            let is_it = id.is_none_or(|id| id == its_id) && controllers == its_controllers;
            fields.next().filter(|path| is_it && *path != "/")
        })
    };
    path_of(None, "name=systemd").or_else(|| path_of(Some("0"), ""))
}

fn of_path(path: &str) -> Option<Home> {
    // A reader in a control group namespace sees what is outside of it as `/../..`.
    let names = path.split('/').filter(|name| !matches!(*name, "" | ".."));
    let mut names = names.peekable();
    skip_slices(&mut names);
    let mut first = names.next()?;
    let owner = user_manager(first);
    if owner.is_some() {
        skip_slices(&mut names);
        first = names.next()?;
    }
    if let Some(name) = container(first, names.next()) {
        let name = name.to_owned();
        return Some(Home::Container { owner, name });
    }
    // Names that the kernel reserves are escaped (cg_escape, basic/cgroup-util.c, systemd 257).
    let name = first.strip_prefix('_').unwrap_or(first).to_owned();
    let is_unit = name.ends_with(".service") || name.ends_with(".scope");
    is_unit.then_some(match owner {
        Some(uid) => Home::UserUnit { uid, name },
        None => Home::SystemUnit(name),
    })
}

fn skip_slices<'path>(names: &mut Peekable<impl Iterator<Item = &'path str>>) {
    while names.next_if(|name| name.ends_with(".slice")).is_some() {}
}

/// The account of a user's service manager. Accepts only digits as systemd writes them.
fn user_manager(name: &str) -> Option<u32> {
    let uid = name.strip_prefix("user@")?.strip_suffix(".service")?;
    let is_number = !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| uid.parse().ok()).flatten()
}

/// The container of this group, if it has one; `below`: the next name in the path.
fn container<'path>(name: &'path str, below: Option<&'path str>) -> Option<&'path str> {
    if let Some(scope) = name.strip_suffix(".scope") {
        return SCOPES.iter().find_map(|prefix| scope.strip_prefix(prefix));
    }
    let nspawn = name.strip_prefix("systemd-nspawn@");
    let nspawn = nspawn.and_then(|rest| rest.strip_suffix(".service"));
    nspawn
        .or_else(|| name.strip_prefix("lxc.payload."))
        .or_else(|| below.filter(|_| ENGINES.contains(&name)))
}

impl fmt::Display for Home {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemUnit(name) => write!(formatter, "unit {}", Escaped(name)),
            Self::UserUnit { uid, name } => {
                write!(formatter, "unit {} of user {uid}", Escaped(name))
            }
            Self::Container { owner, name } => {
                write!(formatter, "container {}", Escaped(name))?;
                match owner {
                    Some(uid) => write!(formatter, " of user {uid}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Deeper than any real hierarchy of control groups.
const LONGEST_CGROUP: u64 = 16 * 1024;

/// The unit or container of a process.
pub(crate) fn home_of(pid: u32) -> Option<Home> {
    static OWN: OnceLock<Option<Home>> = OnceLock::new();
    let of = |process: &str| {
        home(&procfs::read(
            Path::new(&format!("/proc/{process}/cgroup")),
            LONGEST_CGROUP,
        ))
    };
    beside(
        of(&pid.to_string()),
        OWN.get_or_init(|| of("self")).as_ref(),
    )
}

/// A process in the same container as this one counts as outside of any: commands start and stop it there.
fn beside(home: Option<Home>, own: Option<&Home>) -> Option<Home> {
    let is_own = |home: &Home| matches!(home, Home::Container { .. }) && Some(home) == own;
    home.filter(|home| !is_own(home))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(name: &str) -> Option<Home> {
        Some(Home::SystemUnit(name.to_owned()))
    }

    fn user(uid: u32, name: &str) -> Option<Home> {
        let name = name.to_owned();
        Some(Home::UserUnit { uid, name })
    }

    fn container(owner: Option<u32>, name: &str) -> Option<Home> {
        let name = name.to_owned();
        Some(Home::Container { owner, name })
    }

    #[track_caller]
    fn assert_all(cases: &[(&str, Option<Home>)]) {
        for (text, expected) in cases {
            assert_eq!(home(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn units_are_read_from_the_control_group() {
        assert_all(&[
            ("0::/\n", None),
            ("", None),
            ("nonsense\n", None),
            ("0::/init.scope\n", unit("init.scope")),
            (
                "0::/system.slice/gateway.service\n",
                unit("gateway.service"),
            ),
            (
                "0::/user.slice/user-1000.slice/session-3.scope\n",
                unit("session-3.scope"),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/openclaw-gateway.service\n",
                user(1000, "openclaw-gateway.service"),
            ),
            (
                "0::/user.slice/user-0.slice/user@0.service/init.scope\n",
                user(0, "init.scope"),
            ),
            // Escaped, since `cpu.` begins the names of the kernel's own files.
            ("0::/system.slice/_cpu.service\n", unit("cpu.service")),
            (
                "0::/system.slice/a\\x2db:c.service\n",
                unit("a\\x2db:c.service"),
            ),
            // The first version beside the second one, and alone.
            (
                "2:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n",
                unit("a.service"),
            ),
            (
                "1:name=systemd:/user.slice/user-7.slice/user@7.service/a.service\n",
                user(7, "a.service"),
            ),
            // Read inside of a control group namespace.
            (
                "0::/../../user.slice/user-7.slice/user@7.service/a.service\n",
                user(7, "a.service"),
            ),
            ("0::/../cron.service\n", unit("cron.service")),
        ]);
    }

    #[test]
    fn containers_are_read_from_the_control_group() {
        assert_all(&[
            (
                "0::/system.slice/docker-0123456789ab.scope\n",
                container(None, "0123456789ab"),
            ),
            // What runs inside has units of its own, which mean nothing out here.
            (
                "0::/system.slice/docker-0123456789ab.scope/system.slice/x.service\n",
                container(None, "0123456789ab"),
            ),
            (
                "12:cpu:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n",
                container(None, "abc"),
            ),
            ("0::/docker/abc\n", container(None, "abc")),
            ("0::/lxc.payload.web/init.scope\n", container(None, "web")),
            ("0::/lxc/web/init.scope\n", container(None, "web")),
            (
                "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-ab.scope\n",
                container(None, "ab"),
            ),
            (
                "0::/machine.slice/libpod-ab.scope/container\n",
                container(None, "ab"),
            ),
            (
                "0::/machine.slice/machine-qemu\\x2d1.scope/libvirt\n",
                container(None, "qemu\\x2d1"),
            ),
            (
                "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/a.service\n",
                container(None, "web"),
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ab.scope/container\n",
                container(Some(1000), "ab"),
            ),
        ]);
    }

    #[test]
    fn names_that_an_account_or_a_service_chose_count_for_nothing() {
        let own = "0::/user.slice/user-7.slice/user@7.service";
        assert_all(&[
            (
                &format!("{own}/user@1000.service/openclaw-gateway.service\n"),
                user(7, "user@1000.service"),
            ),
            (
                &format!("{own}/user.slice/user-0.slice/user@0.service/a.service\n"),
                user(7, "user@0.service"),
            ),
            (
                &format!("{own}/../../system.slice/a.service\n"),
                user(7, "a.service"),
            ),
            (&format!("{own}/docker/abc\n"), container(Some(7), "abc")),
            (
                &format!("{own}/docker-abc.scope/system.slice/a.service\n"),
                container(Some(7), "abc"),
            ),
            (&format!("{own}/a/b.service\n"), None),
            // Its own part of a service that may make groups below.
            (
                "0::/system.slice/ci.service/openclaw-gateway.service\n",
                unit("ci.service"),
            ),
            (
                "0::/system.slice/ci.service/user@1000.service/a.service\n",
                unit("ci.service"),
            ),
            (
                "0::/system.slice/ci.service/docker-abc.scope\n",
                unit("ci.service"),
            ),
            // A path with what looks like another line's beginning.
            (
                "5:cpu:/x:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n",
                unit("b.service"),
            ),
            ("5::/system.slice/a.service\n", None),
            (
                "0::/user.slice/user@+7.service/a.service\n",
                unit("user@+7.service"),
            ),
        ]);
    }

    /// A name in a path that an account could choose: anything but a slash and a line break.
    fn name() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "user@0.service",
            "user@1000.service",
            "user.slice",
            "user-1000.slice",
            "system.slice",
            "machine.slice",
            "openclaw-gateway.service",
            "docker",
            "docker-0123.scope",
            "libpod-0123.scope",
            "lxc.payload.x",
            "systemd-nspawn@x.service",
            "session-1.scope",
            "_cpu.service",
            "..",
            "x:name=systemd:",
            "0::",
        ]);
        prop_oneof![known.prop_map(str::to_owned), "[^/\n\0]{1,20}"]
    }

    proptest! {
        #[test]
        fn whatever_an_account_creates_below_its_own_service_manager_is_its_own(
            uid in 1..=u32::MAX,
            names in prop::collection::vec(name(), 0..6),
            hybrid in any::<bool>(),
            namespace in 0..4_usize,
        ) {
            let outside = "/..".repeat(namespace);
            let path = format!(
                "{outside}/user.slice/user-{uid}.slice/user@{uid}.service/{}",
                names.join("/")
            );
            let text = match hybrid {
                true => format!("9:cpu:{path}\n1:name=systemd:{path}\n0::{path}\n"),
                false => format!("0::{path}\n"),
            };
            match home(text.as_bytes()) {
                None => {}
                Some(Home::UserUnit { uid: owner, .. })
                | Some(Home::Container { owner: Some(owner), .. }) => prop_assert_eq!(owner, uid),
                Some(other) => prop_assert!(false, "{other:?}: {text}"),
            }
        }

        #[test]
        fn whatever_a_service_creates_below_itself_is_its_own(
            names in prop::collection::vec(name(), 0..6),
        ) {
            let text = format!("0::/system.slice/ci.service/{}\n", names.join("/"));
            prop_assert_eq!(home(text.as_bytes()), unit("ci.service"));
        }

        #[test]
        fn no_text_breaks_it(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = home(&text);
        }
    }

    #[test]
    fn what_is_in_the_daemons_own_container_is_as_outside_of_any() {
        let container = |name: &str| {
            let name = name.to_owned();
            Some(Home::Container { owner: None, name })
        };
        let unit = || Some(Home::SystemUnit("x.service".to_owned()));
        let own = container("a");
        for (home, expected) in [
            (container("a"), None),
            (container("b"), container("b")),
            (unit(), unit()),
            (None, None),
        ] {
            assert_eq!(beside(home, own.as_ref()), expected);
        }
        assert_eq!(beside(container("a"), None), container("a"));
        assert_eq!(beside(unit(), unit().as_ref()), unit());
    }
}
