//! Trees that were in place and are kept: their names say when they went and why, and so how long they stay.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    failure::Failure,
    files,
    place::area::{self, Area},
    spec::StateSpec,
    store::Store,
};

/// Trees of which nothing is undecided.
const MOST: usize = 3;

/// Why a tree went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// It was there before the first generation: the host's own.
    First,
    /// The local gateway has served with it, and nobody has decided yet whether its changes count.
    Served,
    /// That is decided.
    Settled,
    /// It has nothing of its own, and is being removed.
    Replaced,
}

impl Why {
    const ALL: [Self; 4] = [Self::First, Self::Served, Self::Settled, Self::Replaced];

    const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Served => "served",
            Self::Settled => "settled",
            Self::Replaced => "replaced",
        }
    }
}

/// The name of a tree that goes now.
pub(super) fn name(why: Why) -> String {
    format!("{}.{}", stamp(Timestamp::now()), why.name())
}

/// Of the same length each, so that their order is that of the times.
fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H-%M-%S.%3fZ").to_string()
}

/// A kept tree, or the part of one that is on one file system.
#[derive(Clone, Debug)]
struct Kept {
    path: PathBuf,
    name: String,
    why: Why,
}

/// All kept trees, the oldest first.
pub(super) fn list(state: &StateSpec, store: &Store) -> Result<Vec<PathBuf>, Failure> {
    let mut paths: Vec<_> = trees(state, store)?
        .into_iter()
        .filter(|tree| tree.why != Why::Replaced)
        .map(|tree| tree.path)
        .collect();
    paths.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    Ok(paths)
}

/// The newest of which something is undecided. Of several file systems, the store's.
pub(super) fn served(state: &StateSpec, store: &Store) -> Result<Option<PathBuf>, Failure> {
    let trees = trees(state, store)?;
    let served = trees.into_iter().filter(|tree| tree.why == Why::Served);
    let newest = served.max_by(|one, other| {
        let key = |tree: &Kept| (tree.name.clone(), tree.path.starts_with(store.path()));
        key(one).cmp(&key(other))
    });
    Ok(newest.map(|tree| tree.path))
}

/// The first that went after this time, of which something is undecided: each of its parts, one for a file system.
pub(super) fn served_after(
    state: &StateSpec,
    store: &Store,
    since: Timestamp,
) -> Result<Vec<PathBuf>, Failure> {
    let since = stamp(since);
    let mut trees = trees(state, store)?;
    trees.retain(|tree| tree.why == Why::Served && tree.name > since);
    let first = trees.iter().map(|tree| tree.name.clone()).min();
    trees.retain(|tree| Some(&tree.name) == first.as_ref());
    Ok(trees.into_iter().map(|tree| tree.path).collect())
}

/// Removes those that have nothing of their own, and the oldest of the decided ones.
pub(super) fn prune(state: &StateSpec, store: &Store) -> Result<(), Failure> {
    let trees = trees(state, store)?;
    let decided = |tree: &&Kept| match tree.why {
        Why::First | Why::Settled => true,
        Why::Served | Why::Replaced => false,
    };
    let mut names: Vec<_> = trees
        .iter()
        .filter(decided)
        .map(|tree| &tree.name)
        .collect();
    names.sort();
    names.dedup();
    let too_old = names.len().saturating_sub(MOST);
    names.truncate(too_old);
    for tree in &trees {
        if tree.why == Why::Replaced || names.contains(&&tree.name) {
            files::remove(&tree.path).map_err(Failure::file("removing", &tree.path))?;
        }
    }
    Ok(())
}

/// The operator has decided: no tree stays for ever.
pub(super) fn settle(state: &StateSpec, store: &Store) -> Result<(), Failure> {
    for tree in trees(state, store)? {
        if tree.why == Why::Served {
            let stem = tree.name.trim_end_matches(Why::Served.name());
            let settled = tree
                .path
                .with_file_name(format!("{stem}{}", Why::Settled.name()));
            files::rename(&tree.path, &settled).map_err(Failure::file("renaming", &tree.path))?;
        }
    }
    prune(state, store)
}

fn trees(state: &StateSpec, store: &Store) -> Result<Vec<Kept>, Failure> {
    let mut trees = Vec::new();
    for Area(area) in area::all(state, store)? {
        let folder = area.join(area::KEPT);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::file("listing", &folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(Failure::file("listing", &folder))?.path();
            trees.extend(kept(&path));
        }
    }
    Ok(trees)
}

/// `None`: it has another name, and isn't ours.
fn kept(path: &Path) -> Option<Kept> {
    let name = path.file_name()?.to_str()?;
    let why = name.rsplit('.').next()?;
    let why = Why::ALL.into_iter().find(|one| one.name() == why)?;
    Some(Kept {
        path: path.to_owned(),
        name: name.to_owned(),
        why,
    })
}
