//! Running other programs, with errors that say what was run and how it ended.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// Where Debian keeps `ip` and `keepalived`; a login without root often has neither in `PATH`.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Launchers of programs that are unpacked below `target/` because they can't be installed.
static LAUNCHERS: OnceLock<PathBuf> = OnceLock::new();

/// Has programs looked for in this folder as well, after all others.
pub(crate) fn search_also(folder: PathBuf) {
    let _ = LAUNCHERS.set(folder);
}

/// Tells the user what happens and why, on standard error.
pub(crate) fn say(message: &str) {
    eprintln!("xtask: {message}");
}

/// Runs `command` with this terminal, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", command_line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}); see above", command_line(command));
    }
    Ok(())
}

/// Runs `command` unseen and returns its standard output, or why there is none.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", command_line(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}): {}",
            command_line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| {
        format!(
            "`{}` printed something other than text",
            command_line(command)
        )
    })
}

/// Whether `command` runs and succeeds; nothing of it is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The program of that name in `PATH`, a system directory, or unpacked.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    env::split_paths(&search_path())
        .map(|directory| directory.join(name))
        .find(|path| {
            path.metadata().is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
            })
        })
}

/// `PATH`, after it those system directories that it lacks, and last what is unpacked.
pub(crate) fn search_path() -> OsString {
    with_others(
        &env::var_os("PATH").unwrap_or_default(),
        LAUNCHERS.get().map(PathBuf::as_path),
    )
}

fn with_others(path: &OsStr, launchers: Option<&Path>) -> OsString {
    let mut directories: Vec<PathBuf> = env::split_paths(path).collect();
    for directory in SYSTEM_DIRECTORIES.iter().map(Path::new).chain(launchers) {
        if !directories.iter().any(|known| known == directory) {
            directories.push(directory.to_path_buf());
        }
    }
    // Joining fails only on a separator inside a directory, and splitting leaves none.
    env::join_paths(directories).unwrap_or_else(|_| path.to_os_string())
}

/// Program and arguments, to show to people.
fn command_line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_directories_and_what_is_unpacked_come_last_and_once() {
        let path = OsStr::new("/home/me/bin:/usr/sbin:/usr/bin");
        assert_eq!(
            with_others(path, Some(Path::new("/w/bin"))),
            "/home/me/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/sbin:/w/bin"
        );
    }

    #[test]
    fn failure_names_command_and_reason() {
        let error = capture(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"]))
            .expect_err("exit status 3 is a failure");
        let text = error.to_string();
        assert!(
            text.contains("sh -c") && text.contains("3") && text.ends_with("no luck"),
            "{text}"
        );
    }

    #[test]
    fn missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program")).expect_err("it does not exist");
        assert!(error.to_string().contains("cannot run `no-such-program`"));
    }
}
