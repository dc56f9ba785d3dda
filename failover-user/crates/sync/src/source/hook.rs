//! The way back: what the other host's unit does before its gateway starts. It asks this host for the newer state,
//! and waits until that is in place; without an answer the gateway starts with its own.

/// Of the whole start, in seconds: a gateway that drains takes up to 315 s to stop (measured), and then starts itself.
const START_LIMIT: u32 = 420;

/// Why there is no drop-in.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no account and host for ssh")]
pub struct HookError(String);

/// A drop-in for the gateway's unit on the other host: `destination` is the gateway's account and this host, as ssh(1)
/// takes it, where the key of the other host runs one command only.
///
/// The marker permits an installation, and only as long as the gateway waits. An installation that has begun and whose
/// connection is lost is waited for, because it takes milliseconds, and then finished here.
///
/// # Errors
/// When the destination could be read as something else.
pub fn drop_in(destination: &str, port: Option<u16>) -> Result<String, HookError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@:".contains(c);
    let is_destination = !destination.starts_with('-') && destination.contains('@');
    if !is_destination || !destination.chars().all(is_plain) {
        return Err(HookError(destination.to_owned()));
    }
    let hook = hook(destination, port);
    // systemd.service(5), "COMMAND LINES": a dollar sign and a percent sign are written twice.
    let hook = hook.replace('%', "%%").replace('$', "$$");
    Ok(format!(
        "# The state that PC-B has served with comes back before this gateway starts; made by failover.\n\
         [Service]\n\
         TimeoutStartSec={START_LIMIT}\n\
         ExecStartPre=-/bin/sh -c '{hook}'\n"
    ))
}

/// For a shell, without single quotes.
fn hook(destination: &str, port: Option<u16>) -> String {
    let port = port.map_or(String::new(), |port| format!("-p {port} "));
    format!(
        "umask 077; s=$HOME/.local/state/failover/sync; [ -f \"$s/key\" ] || exit 0; : >\"$s/waiting\"; \
         ssh -F none -T -x -a -o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=5 \
         -o ServerAliveCountMax=3 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=\"$s/known_hosts\" \
         -o IdentitiesOnly=yes -o IdentityAgent=none -i \"$s/key\" {port}-- {destination} answer; \
         rm -f \"$s/waiting\"; n=0; \
         while [ -f \"$s/plan\" ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done; \
         [ ! -f \"$s/plan\" ] || sh \"$s/plan\""
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

    use super::*;

    /// As systemd would run it, with an ssh that notes what it sees.
    fn run(home: &Path, ssh: &str) {
        let unit = drop_in("alice@pc-b", Some(2222)).unwrap();
        let line = unit.lines().last().unwrap();
        let line = line.strip_prefix("ExecStartPre=-/bin/sh -c '").unwrap();
        let script = line.strip_suffix('\'').unwrap().replace("$$", "$");
        assert!(!script.contains('\''), "{script}");
        let program = home.join("ssh");
        fs::write(&program, format!("#!/bin/sh\n{ssh}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).env("HOME", home);
        command.env("PATH", format!("{}:/usr/bin:/bin", home.display()));
        assert!(command.status().unwrap().success());
    }

    #[test]
    fn the_gateway_waits_as_long_as_ssh_runs_and_no_longer() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join(".local/state/failover/sync");
        fs::create_dir_all(&state).unwrap();
        // Without a key there is no way back, and nothing to wait for.
        run(home.path(), "touch $HOME/asked");
        assert!(!home.path().join("asked").exists());
        fs::write(state.join("key"), "").unwrap();
        run(
            home.path(),
            "ls $HOME/.local/state/failover/sync >$HOME/seen; echo \"$@\" >>$HOME/seen",
        );
        let seen = fs::read_to_string(home.path().join("seen")).unwrap();
        assert!(seen.starts_with("key\nwaiting\n"), "{seen}");
        assert!(seen.ends_with(" -p 2222 -- alice@pc-b answer\n"), "{seen}");
        assert!(!state.join("waiting").exists());
    }

    #[test]
    fn an_installation_that_was_interrupted_is_finished_before_the_gateway_starts() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join(".local/state/failover/sync");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("key"), "").unwrap();
        let plan = state.join("plan");
        fs::write(
            &plan,
            format!("touch $HOME/finished; rm '{}'", plan.display()),
        )
        .unwrap();
        run(home.path(), "exit 255");
        assert!(home.path().join("finished").exists() && !plan.exists());
    }

    #[test]
    fn a_destination_is_an_account_and_a_host() {
        for destination in [
            "",
            "pc-b",
            "-oProxyCommand=x@y",
            "a@b c",
            "a@b;c",
            "a@b'",
            "a@$(b)",
        ] {
            assert!(drop_in(destination, None).is_err(), "{destination}");
        }
    }
}
