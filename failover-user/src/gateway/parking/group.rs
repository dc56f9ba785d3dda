//! Where a unit's control group is: known before the unit runs, since systemd removes the group of one that has
//! ended, and checked to be the unit's own. It must not know what happens in it.

use std::path::PathBuf;

use anyhow::Context as _;
use failover_linux::control_group;
use rustix::process::geteuid;

use crate::gateway::{
    command::account::Account,
    parking::{facts::Facts, unit::ParkedUnit},
    port::home::{Home, home},
};

/// PATH_MAX.
const LONGEST_PATH: usize = 4096;
/// What the kernel has or had for names of files in a control group: systemd puts an underscore before a unit's name
/// that begins so (cg_needs_escape in `basic/cgroup-util.c`, 257).
const RESERVED: [&str; 4] = ["notify_on_release", "release_agent", "tasks", "cgroup."];
const CONTROLLERS: [&str; 8] = [
    "cpu.", "cpuacct.", "cpuset.", "io.", "blkio.", "memory.", "devices.", "pids.",
];

/// The path of a unit's group below the hierarchy's root, whether or not the unit runs. `None`: what the manager says
/// isn't plausible, or the group wouldn't be that account's.
pub(super) fn expected(
    unit: &ParkedUnit,
    account: Option<&Account>,
    facts: &Facts,
) -> Option<String> {
    let name = escaped(&unit.name);
    let path = format!(
        "{}{}/{name}",
        facts.manager_group.trim_end_matches('/'),
        slice(&facts.slice)?
    );
    is_of(&path, unit, account).then_some(path)
}

/// Is this path that unit's group, and below its own account's manager? Only root chooses how a path begins.
pub(super) fn is_of(path: &str, unit: &ParkedUnit, account: Option<&Account>) -> bool {
    if !is_sane(path) {
        return false;
    }
    let wanted = match account {
        None => Home::SystemUnit(unit.name.clone()),
        Some(account) => Home::UserUnit {
            uid: account.uid(),
            name: unit.name.clone(),
        },
    };
    home(format!("0::{path}\n").as_bytes()) == Some(wanted)
}

/// Absolute, of bounded length, and without a way out.
pub(super) fn is_sane(path: &str) -> bool {
    path.starts_with('/')
        && path.len() < LONGEST_PATH
        && !path.contains(['\0', '\n'])
        && path
            .split('/')
            .skip(1)
            .all(|name| !matches!(name, "" | "." | ".."))
}

/// `a-b.slice` is in `a.slice` (systemd.slice(5)).
fn slice(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".slice")?;
    if stem == "-" {
        return Some(String::new());
    }
    let mut path = String::new();
    let mut whole = String::new();
    for part in stem.split('-') {
        if part.is_empty() || part.contains('/') {
            return None;
        }
        if !whole.is_empty() {
            whole.push('-');
        }
        whole.push_str(part);
        path.push('/');
        path.push_str(&escaped(&format!("{whole}.slice")));
    }
    Some(path)
}

fn escaped(name: &str) -> String {
    let is_reserved = name.starts_with(['_', '.'])
        || RESERVED
            .iter()
            .chain(&CONTROLLERS)
            .any(|word| match word.ends_with('.') {
                true => name.starts_with(word),
                false => name == *word,
            });
    match is_reserved {
        true => format!("_{name}"),
        false => name.to_owned(),
    }
}

/// Where the hierarchy of the second version is mounted.
pub(super) fn root() -> anyhow::Result<PathBuf> {
    control_group::mount_point().context(
        "there are no control groups of version 2; boot with systemd.unified_cgroup_hierarchy=1",
    )
}

/// The account whose rights are taken for a group's files: those of a user's manager are the account's, and root
/// without CAP_DAC_OVERRIDE may not write to them. And what an account may not write to isn't its own.
pub(super) fn rights(account: Option<&Account>) -> (u32, u32) {
    account.map_or_else(
        || (geteuid().as_raw(), rustix::process::getegid().as_raw()),
        |account| (account.uid(), account.gid()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, account: Option<&str>) -> ParkedUnit {
        ParkedUnit {
            name: name.to_owned(),
            account: account.map(str::to_owned),
        }
    }

    fn facts(manager: &str, slice: &str) -> Facts {
        Facts {
            manager_group: manager.to_owned(),
            slice: slice.to_owned(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_group_is_known_before_its_unit_runs() {
        let root = Account::named("root").ok();
        let user = "/user.slice/user-0.slice/user@0.service";
        for (unit, account, facts, expected_path) in [
            (
                unit("bot.service", None),
                None,
                facts("", "system.slice"),
                "/system.slice/bot.service",
            ),
            (
                unit("bot.service", None),
                None,
                facts("/", "a-b.slice"),
                "/a.slice/a-b.slice/bot.service",
            ),
            (
                unit("bot.service", None),
                None,
                facts("", "-.slice"),
                "/bot.service",
            ),
            (
                unit("memory.x.service", None),
                None,
                facts("", "system.slice"),
                "/system.slice/_memory.x.service",
            ),
            (
                unit("bot.service", Some("root")),
                root.as_ref(),
                facts(user, "app.slice"),
                "/user.slice/user-0.slice/user@0.service/app.slice/bot.service",
            ),
        ] {
            assert_eq!(
                expected(&unit, account, &facts).as_deref(),
                Some(expected_path)
            );
        }
    }

    /// An account's manager may say what it likes.
    #[test]
    fn a_group_of_somebody_elses_is_refused() {
        let root = Account::named("root").ok();
        let of_root = unit("bot.service", Some("root"));
        for (manager, slice) in [
            ("", "system.slice"),
            ("/user.slice/user-7.slice/user@7.service", "app.slice"),
            ("/user.slice/user-0.slice/user@0.service/..", "app.slice"),
            ("/user.slice/user-0.slice/user@0.service", "../../x.slice"),
            (
                "/user.slice/user-0.slice/user@0.service/x.service",
                "app.slice",
            ),
            ("user@0.service", "app.slice"),
        ] {
            let found = expected(&of_root, root.as_ref(), &facts(manager, slice));
            assert_eq!(found, None, "{manager} {slice}");
        }
        assert!(!is_of(
            "/system.slice/ssh.service",
            &unit("bot.service", None),
            None
        ));
    }
}
