//! Who may have written a configuration file. It names commands that the daemon runs, so whoever can
//! write it has the daemon's rights.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use thiserror::Error;

use crate::escape;

/// Others than root and this account can write it.
#[derive(Debug, Error)]
#[error("{} {problem}, and could have any command run; type: {remedy}", told(.path))]
pub struct NotTrusted {
    path: PathBuf,
    problem: String,
    remedy: String,
}

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// In such a directory only a file's own owner can put another in its place (inode(7)).
const STICKY: u32 = 0o1000;

/// Looks at the file that was opened, and at the directories that lead to it. A pipe or device is
/// whoever's who passed it.
///
/// # Errors
/// When the directories can't be found. The inner one: when the file isn't to be trusted.
pub(super) fn check(file: &File, path: &Path) -> io::Result<Result<(), NotTrusted>> {
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Ok(Ok(()));
    }
    let real = path.canonicalize()?;
    if let Some(fault) = fault(&opened, path) {
        return Ok(Err(fault));
    }
    for directory in real.ancestors().skip(1) {
        if let Some(fault) = fault(&directory.metadata()?, directory) {
            return Ok(Err(fault));
        }
    }
    Ok(Ok(()))
}

fn fault(found: &Metadata, path: &Path) -> Option<NotTrusted> {
    let this = geteuid().as_raw();
    let (mode, owner) = (found.mode(), found.uid());
    let is_shared_folder = found.is_dir() && mode & STICKY != 0;
    let by_others = mode & OTHERS_WRITE != 0 || (mode & GROUP_WRITES != 0 && found.gid() != 0);
    let quoted = escape::one_line(&shell_words::quote(&path.to_string_lossy()));
    let (problem, remedy) = if owner != 0 && owner != this {
        let problem = format!("belongs to another account (user {owner}), which can write to it");
        (problem, format!("chown {this} {quoted}"))
    } else if by_others && !is_shared_folder {
        let problem = "is writable by other accounts".to_owned();
        (problem, format!("chmod go-w {quoted}"))
    } else {
        return None;
    };
    Some(NotTrusted {
        path: path.to_owned(),
        problem,
        remedy,
    })
}

fn told(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use tempfile::TempDir;

    use super::*;

    fn folder(mode: u32) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        fs::write(&path, "").unwrap();
        set(&path, 0o600);
        set(folder.path(), mode);
        (folder, path)
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn verdict(path: &Path) -> Result<(), String> {
        let verdict = check(&File::open(path).unwrap(), path).unwrap();
        verdict.map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_file_that_only_its_owner_can_write_is_trusted() {
        let (_folder, path) = folder(0o755);
        for mode in [0o400, 0o600, 0o644, 0o755] {
            set(&path, mode);
            assert_eq!(verdict(&path), Ok(()), "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_is_refused_with_what_to_type() {
        let (_folder, path) = folder(0o755);
        set(&path, 0o646);
        let told = verdict(&path).unwrap_err();
        assert!(told.contains("is writable by other accounts"), "{told}");
        let remedy = format!("type: chmod go-w {}", path.display());
        assert!(told.ends_with(&remedy), "{told}");
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_unless_they_cannot_replace_the_file() {
        let (folder, path) = folder(0o757);
        let told = verdict(&path).unwrap_err();
        let remedy = format!("chmod go-w {}", folder.path().display());
        assert!(told.ends_with(&remedy), "{told}");
        set(folder.path(), 0o1757);
        assert_eq!(verdict(&path), Ok(()));
    }

    #[test]
    fn a_link_is_followed_to_the_folder_that_counts() {
        let (_folder, path) = folder(0o757);
        let (other, _) = folder(0o755);
        let link = other.path().join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(verdict(&link).is_err());
    }
}
