//! The drop-in that is in force while a unit is parked: its service manager must not revive it, and whatever makes
//! it end the gateway must not wake it first.
//!
//! A user unit's is below the account's own runtime directory: one below /run/systemd/user would apply to every
//! account's unit of that name. Both are gone after a reboot.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use crate::gateway::command::unit::Scope;

/// Behind all others in the order of names, in which drop-ins apply (systemd.unit(5)): `override.conf` is that of
/// `systemctl edit`.
pub(super) const NAME: &str = "zz-failover-parked.conf";

/// The settings:
/// - a plain stop sends SIGTERM and then SIGCONT, upon which a parked gateway would listen until it ends; SIGKILL is
///   followed by no SIGCONT (service_enter_signal and unit_kill_context, systemd 252 and 257). The same for what
///   systemd stops by itself: a restart, an OOM kill in the unit, and times that run out.
/// - one that was killed isn't restarted, and hasn't failed: `OnFailure=` isn't meant for that.
const TEXT: &str = "\
# Written by failover while this gateway is parked, and removed when it serves or has ended.
[Unit]
JobTimeoutSec=infinity

[Service]
Restart=no
RestartForceExitStatus=
SuccessExitStatus=SIGKILL
KillMode=control-group
KillSignal=SIGKILL
RestartKillSignal=SIGKILL
SendSIGHUP=no
ExecStop=
TimeoutStartSec=infinity
RuntimeMaxSec=infinity
OOMPolicy=kill
";

/// Where the drop-ins of a unit are that a reboot removes.
fn folder(scope: Scope, unit: &str) -> PathBuf {
    let base = match scope {
        Scope::System => PathBuf::from("/run/systemd/system"),
        Scope::User => Path::new("/run/user")
            .join(geteuid().as_raw().to_string())
            .join("systemd/user"),
    };
    base.join(format!("{unit}.d"))
}

/// Writes it, with the rights of the account whose manager reads it.
pub(super) fn write(scope: Scope, unit: &str) -> io::Result<PathBuf> {
    write_in(&folder(scope, unit))
}

/// Removes it, and its folder if nothing else is there. Was it there?
pub(super) fn remove(scope: Scope, unit: &str) -> io::Result<bool> {
    remove_from(&folder(scope, unit))
}

fn write_in(folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let (path, new) = (folder.join(NAME), folder.join(format!("{NAME}.new")));
    remove_file(&new)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&new)?;
    file.write_all(TEXT.as_bytes())?;
    fs::rename(&new, &path)?;
    Ok(path)
}

fn remove_from(folder: &Path) -> io::Result<bool> {
    let there = remove_file(&folder.join(NAME))?;
    remove_file(&folder.join(format!("{NAME}.new")))?;
    // Fails where an operator has drop-ins of the same kind there.
    let _ = fs::remove_dir(folder);
    Ok(there)
}

fn remove_file(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_it_and_others_stay() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("systemd/user/bot.service.d");
        for _ in 0..2 {
            let path = write_in(&folder).unwrap();
            assert!(fs::read_to_string(path).unwrap().contains("Restart=no\n"));
        }
        assert!(remove_from(&folder).unwrap());
        assert!(!folder.exists());
        assert!(!remove_from(&folder).unwrap());
        write_in(&folder).unwrap();
        fs::write(folder.join("own.conf"), "").unwrap();
        assert!(remove_from(&folder).unwrap());
        assert!(folder.join("own.conf").exists());
    }

    #[test]
    fn it_applies_after_the_drop_ins_that_people_make() {
        for other in ["override.conf", "99-local.conf", "zombie.conf", "10-x.conf"] {
            assert!(NAME > other, "{other}");
        }
    }
}
