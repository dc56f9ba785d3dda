//! What of the state there is on this host: its databases, where a gateway may have them open.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{failure::Failure, pattern::Patterns, spec::StateSpec};

/// Entries of folders that are looked through for databases.
const MOST_ENTRIES: usize = 1_000_000;

/// The databases of the state, by the paths that both hosts have for them.
///
/// # Errors
/// When a folder can't be read, or it takes longer than until the deadline.
pub fn databases(state: &StateSpec, deadline: Instant) -> Result<Vec<PathBuf>, Failure> {
    let (wanted, exclude) = (
        Patterns::new(&state.databases),
        Patterns::new(&state.exclude),
    );
    let mut found = Vec::new();
    let mut entries = 0_usize;
    for root in &state.paths {
        let mut folders = vec![(root.clone(), PathBuf::new())];
        while let Some((folder, within)) = folders.pop() {
            let listed = match fs::read_dir(&folder) {
                Ok(listed) => listed,
                // A root that is a file, or not there; a folder that was just removed.
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(Failure::file("listing", &folder)(error)),
            };
            for entry in listed {
                let entry = entry.map_err(Failure::file("listing", &folder))?;
                entries = entries.saturating_add(1);
                if entries > MOST_ENTRIES || Instant::now() >= deadline {
                    return Err(Failure::local(format!(
                        "looking for databases in {} took too long; give databases as patterns that begin with `/`",
                        root.display()
                    )));
                }
                let within = within.join(entry.file_name());
                let bytes = within.as_os_str().as_bytes();
                let kind = entry.file_type();
                let kind = kind.map_err(Failure::file("reading", &entry.path()))?;
                if kind.is_dir() && wanted.may_match_below(bytes) && !exclude.matches(bytes, true) {
                    folders.push((entry.path(), within));
                } else if kind.is_file() && wanted.matches(bytes, false) {
                    found.push(entry.path());
                }
            }
        }
        let name = root.file_name().unwrap_or_default();
        if fs::symlink_metadata(root).is_ok_and(|metadata| metadata.is_file())
            && wanted.matches(name.as_bytes(), false)
        {
            found.push(root.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Where a path is on this host: the folder that it is in without links, which SQLite doesn't follow.
pub(crate) fn real(path: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}
