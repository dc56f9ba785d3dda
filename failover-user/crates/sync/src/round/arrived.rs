//! Checks what has arrived: nothing of it leads out of its tree, and every database is whole.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
    time::Instant,
};

use crate::{
    database::{self, DatabaseError, Leases},
    failure::Failure,
    round::previous::Previous,
    source::SourceState,
    spec::Spec,
    store::{DATABASES, Staging, TREE, below},
};

/// Returns the databases with their schema numbers.
pub(super) fn check(
    spec: &Spec,
    state: &SourceState,
    staging: &Staging<'_>,
    previous: Option<&Previous<'_>>,
    deadline: Instant,
) -> Result<BTreeMap<PathBuf, i64>, Failure> {
    let tree = staging.path().join(TREE);
    remove_links_out(spec, &tree)?;
    let copies = staging.path().join(DATABASES);
    has_only(&copies, &state.databases)?;
    let leases = match spec.state.is_openclaw {
        true => Leases::Remove,
        false => Leases::Keep,
    };
    let mut databases = BTreeMap::new();
    for path in &state.databases {
        has_no_live_files(&tree, path)?;
        let copy = below(&copies, path).ok_or_else(|| outside(path))?;
        let version = match unchanged(path, &copy, previous) {
            Some(version) => version,
            None => checked(path, &copy, leases, deadline)?,
        };
        databases.insert(path.clone(), version);
    }
    Ok(databases)
}

fn checked(path: &Path, copy: &Path, leases: Leases, deadline: Instant) -> Result<i64, Failure> {
    let checked = database::check(copy, leases, deadline);
    let broken = |error: DatabaseError| {
        Failure::check(format!(
            "the copy of {} is not used: {error}",
            path.display()
        ))
    };
    Ok(checked.map_err(broken)?.user_version)
}

/// The same file as in the previous generation, where it has been checked.
fn unchanged(path: &Path, copy: &Path, previous: Option<&Previous<'_>>) -> Option<i64> {
    let previous = previous?;
    let version = previous.manifest.databases.get(path)?;
    let before = fs::symlink_metadata(below(&previous.folder.join(DATABASES), path)?).ok()?;
    let now = fs::symlink_metadata(copy).ok()?;
    let is_same = now.is_file() && (before.dev(), before.ino()) == (now.dev(), now.ino());
    is_same.then_some(*version)
}

/// The copies are those that were announced, and nothing else.
fn has_only(copies: &Path, databases: &[PathBuf]) -> Result<(), Failure> {
    let mut found = 0;
    walk(copies, &mut |place, metadata| {
        let path = Path::new("/").join(place.strip_prefix(copies).unwrap_or(place));
        match metadata.is_file() && databases.contains(&path) {
            true => found += 1,
            false => return Err(outside(&path)),
        }
        Ok(())
    })?;
    match databases.get(found) {
        None => Ok(()),
        Some(_) => Err(Failure::check(format!(
            "{found} of {} databases have arrived",
            databases.len()
        ))),
    }
}

/// A database in the tree would take the place of its copy.
fn has_no_live_files(tree: &Path, path: &Path) -> Result<(), Failure> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let place = below(tree, Path::new(&name)).ok_or_else(|| outside(path))?;
        if fs::symlink_metadata(place).is_ok() {
            return Err(outside(Path::new(&name)));
        }
    }
    Ok(())
}

fn outside(path: &Path) -> Failure {
    Failure::check(format!(
        "{:?} has arrived, which was not asked for",
        path.display().to_string()
    ))
}

/// rsync's own rule isn't enough: all configured paths are one tree to it.
fn remove_links_out(spec: &Spec, tree: &Path) -> Result<(), Failure> {
    walk(tree, &mut |place, metadata| {
        let path = Path::new("/").join(place.strip_prefix(tree).unwrap_or(place));
        let Some(root) = spec.state.paths.iter().find(|root| path.starts_with(root)) else {
            return Err(outside(&path));
        };
        if metadata.is_symlink() {
            let target = fs::read_link(place).map_err(Failure::file("reading", place))?;
            if !stays_below(root, &path, &target) {
                fs::remove_file(place).map_err(Failure::file("removing", place))?;
            }
        } else if !metadata.is_file() {
            return Err(outside(&path));
        }
        Ok(())
    })
}

/// Whether a link leads to a place below the configured path: by its words alone, because what they name may be
/// another link.
fn stays_below(root: &Path, link: &Path, target: &Path) -> bool {
    let mut place = link.parent().unwrap_or(root).to_owned();
    target.components().all(|component| {
        match component {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                place.pop();
            }
            Component::RootDir | Component::Prefix(_) => return false,
        }
        place.starts_with(root)
    })
}

/// Visits everything but folders, and follows no link.
fn walk(
    folder: &Path,
    visit: &mut impl FnMut(&Path, &fs::Metadata) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let read = |error: io::Error| Failure::file("reading", &folder)(error);
        for entry in fs::read_dir(&folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            let metadata = entry.metadata().map_err(read)?;
            match metadata.is_dir() {
                true => folders.push(entry.path()),
                false => visit(&entry.path(), &metadata)?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_lead_anywhere_below_its_path() {
        let root = Path::new("/home/a/.openclaw");
        let link = Path::new("/home/a/.openclaw/workspace/bin/tool");
        for (target, expected) in [
            ("../lib/tool.js", true),
            ("tool.js", true),
            ("../../media/./x", true),
            ("../../../x", false),
            ("../../../.openclaw/x", false),
            ("/home/a/.openclaw/x", false),
            ("/etc/passwd", false),
        ] {
            assert_eq!(
                stays_below(root, link, Path::new(target)),
                expected,
                "{target}"
            );
        }
    }
}
