//! The line of this host's `authorized_keys` that lets the other host's key ask for its state.

use std::{
    env, fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use crate::{
    failure::Failure,
    source::{LineError, key_words},
};

/// What the line ends with.
const COMMENT: &str = "failover-sync-back";

/// The line for a public key of ssh-keygen, which may run this command only.
///
/// # Errors
/// When the key or the command can't be part of it.
pub fn answer_line(command: &str, public_key: &str) -> Result<String, LineError> {
    let (kind, key) = key_words(public_key)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " /._-".contains(c);
    if !command.chars().all(is_plain) {
        return Err(LineError::Path(PathBuf::from(command)));
    }
    Ok(format!(
        "restrict,command=\"{command}\" {kind} {key} {COMMENT}"
    ))
}

/// Adds the line, in place of an earlier one.
pub(super) fn permit(line: &str) -> Result<(), Failure> {
    let file = file()?;
    if let Some(folder) = file.parent() {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(folder);
        made.map_err(Failure::file("making", folder))?;
    }
    let mut text = others()?.unwrap_or_default();
    text.push_str(line);
    text.push('\n');
    write(&text)
}

/// Removes the line.
pub(super) fn forbid() -> Result<(), Failure> {
    match others()? {
        Some(text) => write(&text),
        None => Ok(()),
    }
}

/// All other lines; `None`: there is no file.
fn others() -> Result<Option<String>, Failure> {
    let file = file()?;
    match fs::read_to_string(&file) {
        Ok(text) => {
            let others = text
                .lines()
                .filter(|line| !line.ends_with(&format!(" {COMMENT}")));
            Ok(Some(others.map(|line| format!("{line}\n")).collect()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("reading", &file)(error)),
    }
}

/// In place: a link, its mode and its owner stay what they are.
fn write(text: &str) -> Result<(), Failure> {
    let file = file()?;
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600);
    let written = opened
        .open(&file)
        .and_then(|mut to| to.write_all(text.as_bytes()));
    written.map_err(Failure::file("writing", &file))
}

fn file() -> Result<PathBuf, Failure> {
    let home = env::var_os("HOME").ok_or_else(|| Failure::local("HOME isn't set"))?;
    Ok(PathBuf::from(home).join(".ssh/authorized_keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_may_run_one_command_and_nothing_in_it_ends_the_quotes() {
        let line =
            answer_line("/usr/bin/failover sync answer", "ssh-ed25519 AAAA= pc-a\n").unwrap();
        assert_eq!(
            line,
            "restrict,command=\"/usr/bin/failover sync answer\" ssh-ed25519 AAAA= failover-sync-back"
        );
        for (command, key) in [
            ("/usr/bin/failover\" x", "ssh-ed25519 AAAA="),
            ("/usr/bin/failover", "ssh-ed25519 AAAA=\nssh-ed25519 BBBB="),
            ("/usr/bin/failover", "command=\"x\" AAAA="),
        ] {
            assert!(answer_line(command, key).is_err(), "{command} {key}");
        }
    }
}
