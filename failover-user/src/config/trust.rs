//! Who may have written a configuration file. It names commands that the daemon runs, so anyone who can write it
//! has the daemon's rights.

use std::{fs::File, io, path::Path};

use thiserror::Error;

use failover_linux::{
    escape,
    files::{
        folder::Folder,
        ownership::{Sticky, WritableByOthers, check as check_owner_and_mode},
    },
};

/// Others than root and this account can write it.
#[derive(Debug, Error)]
#[error("{} {}, and could have any command run; type: {}", shown(&.0.path), .0.problem, .0.remedy)]
pub struct NotTrusted(WritableByOthers);

/// Looks at the file that was opened, and at the directories that lead to it. A pipe or a
/// device belongs to the user who passed it.
///
/// # Errors
/// When the directories can't be found. The inner one: when the file must not be trusted.
pub(super) fn check(file: &File, path: &Path) -> io::Result<Result<(), NotTrusted>> {
    if !file.metadata()?.is_file() {
        return Ok(Ok(()));
    }
    if let Err(fault) = check_owner_and_mode(file, path, Sticky::Counts)? {
        return Ok(Err(NotTrusted(fault)));
    }
    // The folder of the name, and of the file itself where the name is a link.
    for path in [path, &path.canonicalize()?] {
        if let Err(error) = Folder::of(path, Sticky::Counts) {
            return match error.downcast::<WritableByOthers>() {
                Ok(fault) => Ok(Err(NotTrusted(fault))),
                Err(error) => Err(error),
            };
        }
    }
    Ok(Ok(()))
}

/// Why a program that root runs may be others' work; `None` as well where it can't be looked at.
pub(crate) fn not_trusted(program: &Path) -> Option<NotTrusted> {
    let file = File::open(program).ok()?;
    check(&file, program).ok()?.err()
}

fn shown(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
        path::PathBuf,
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
        let shown = verdict(&path).unwrap_err();
        assert!(shown.contains("is writable by other accounts"), "{shown}");
        let remedy = format!("type: chmod go-w {}", path.display());
        assert!(shown.ends_with(&remedy), "{shown}");
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_unless_they_cannot_replace_the_file() {
        let (folder, path) = folder(0o757);
        let shown = verdict(&path).unwrap_err();
        let remedy = format!("chmod go-w {}", folder.path().display());
        assert!(shown.ends_with(&remedy), "{shown}");
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
