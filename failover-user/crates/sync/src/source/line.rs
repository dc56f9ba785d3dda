//! The line of `authorized_keys`: see sshd(8), "AUTHORIZED_KEYS FILE FORMAT".

use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::Program;

/// Why there is no line.
#[derive(Debug, Error)]
pub enum LineError {
    /// A path that a shell, sshd or rsync could read in another way.
    #[error(
        "{0} can't be copied: paths are absolute, without quotes, backslashes, wildcards, control characters, `.` and \
         `..`; move it, or leave it out"
    )]
    Path(PathBuf),
    /// Nothing would be copied.
    #[error("no paths are configured")]
    NoPaths,
    /// Not a public key.
    #[error("not a public key of ssh-keygen: one line, with its type first")]
    Key,
}

/// What sshd runs for the key, whatever the other side asks: a program that comes on standard input, if it is
/// the one with this SHA-256, with these paths.
///
/// It is read by the account's shell, which need not be a POSIX one, so a word in single quotes has all the rest. dd
/// reads no byte more than the program, which is in no file meanwhile: what was hashed is what runs.
///
/// # Errors
/// When there are no paths, or one that can't be quoted.
pub fn forced_command(program: Program, paths: &[PathBuf]) -> Result<String, LineError> {
    let words = paths
        .iter()
        .map(|path| match quotable(path) {
            Some(path) => Ok(format!(" '{path}'")),
            None => Err(LineError::Path(path.clone())),
        })
        .collect::<Result<String, _>>()?;
    if words.is_empty() {
        return Err(LineError::NoPaths);
    }
    let (length, hash) = (program.text().len(), program.hash());
    Ok(format!(
        "/bin/sh -c 'p=$(dd bs={length} count=1 iflag=fullblock 2>/dev/null); \
         if [ \"$(printf %s \"$p\" | sha256sum)\" = \"{hash}  -\" ]; \
         then exec /bin/sh -c \"$p\" failover-sync \"$@\"; fi; \
         echo \"failover-sync: not the program of this key\" >&2; exit 1' failover-sync{words}"
    ))
}

/// The whole line, for a public key as ssh-keygen writes it.
///
/// # Errors
/// When a path or the key can't be part of it.
pub fn authorized_keys_line(
    program: Program,
    paths: &[PathBuf],
    public_key: &str,
) -> Result<String, LineError> {
    let (kind, key) = key_words(public_key)?;
    let command = forced_command(program, paths)?.replace('"', "\\\"");
    Ok(format!(
        "restrict,command=\"{command}\" {kind} {key} failover-sync"
    ))
}

/// The type and the key of a public key as ssh-keygen writes it.
pub(crate) fn key_words(public_key: &str) -> Result<(&str, &str), LineError> {
    let mut words = public_key.split_whitespace();
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return Err(LineError::Key);
    };
    let is_plain = |text: &str, more: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if public_key.trim().lines().count() != 1 || !is_plain(kind, "-@.") || !is_plain(key, "+/=") {
        return Err(LineError::Key);
    }
    Ok((kind, key))
}

/// A path that is one and the same for a shell in single quotes, for sshd in double quotes, and for rsync.
fn quotable(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let is_normal = path.is_absolute()
        && path.components().skip(1).count() > 0
        && path
            .components()
            .skip(1)
            .all(|component| matches!(component, Component::Normal(_)))
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    let is_plain = !text
        .chars()
        .any(|c| c.is_control() || "'\"\\*?[]".contains(c));
    (is_normal && is_plain).then_some(text)
}
