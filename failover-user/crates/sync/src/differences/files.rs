//! Files that only one side has, or that each has its own of.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    differences::{
        side::{Side, Sides},
        words::named,
    },
    failure::Failure,
    files,
    pattern::Patterns,
    store::{TREE, really_below},
};

/// Larger ones of the same size are taken for the same.
const LONGEST: u64 = 16 << 20;

pub(super) fn compare(
    side: &Side<'_>,
    generation: &Path,
    deadline: Instant,
) -> Result<Sides, Failure> {
    let exclude = Patterns::new(&side.spec.state.exclude);
    let databases = Patterns::new(&side.spec.state.databases);
    let mut sides = Sides::default();
    for root in &side.spec.state.paths {
        let copy = really_below(&generation.join(TREE), root)
            .map_err(|error| Failure::check(format!("{}: {error}", root.display())))?;
        let Some(local) = side.place(root)? else {
            continue;
        };
        let is_left_out = |within: &Path, is_folder: bool| {
            let bytes = within.as_os_str().as_bytes();
            exclude.matches(bytes, is_folder) || (!is_folder && databases.matches(bytes, false))
        };
        let ones = list(&copy, &is_left_out, deadline)?;
        let others = list(&local, &is_left_out, deadline)?;
        for (within, path) in &ones {
            let own = named("file", &root.join(within));
            match others.get(within) {
                None => sides.primary.push(own),
                Some(other) => {
                    if !is_same(path, other).map_err(Failure::file("reading", other))? {
                        sides.primary.push(format!("its own {own}"));
                        sides.local.push(format!("its own {own}"));
                    }
                }
            }
        }
        let only = others.keys().filter(|within| !ones.contains_key(*within));
        sides
            .local
            .extend(only.map(|within| named("file", &root.join(within))));
    }
    Ok(sides)
}

/// The regular files of a tree, by their paths in it.
fn list(
    root: &Path,
    is_left_out: &dyn Fn(&Path, bool) -> bool,
    deadline: Instant,
) -> Result<BTreeMap<PathBuf, PathBuf>, Failure> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(within) = folders.pop() {
        let folder = root.join(&within);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                continue;
            }
            Err(error) => return Err(Failure::file("listing", &folder)(error)),
        };
        for entry in entries {
            if Instant::now() >= deadline {
                return Err(Failure::local(
                    "comparing the files took longer than the limit; raise the limit",
                ));
            }
            let entry = entry.map_err(Failure::file("listing", &folder))?;
            let within = within.join(entry.file_name());
            let kind = entry
                .file_type()
                .map_err(Failure::file("reading", &folder))?;
            if is_left_out(&within, kind.is_dir()) {
                continue;
            }
            if kind.is_dir() {
                folders.push(within);
            } else if kind.is_file() {
                found.insert(within, entry.path());
            }
        }
    }
    Ok(found)
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (files::open_regular(one)?, files::open_regular(other)?);
    let length = one.metadata()?.len();
    if length != other.metadata()?.len() {
        return Ok(false);
    }
    if length > LONGEST {
        return Ok(true);
    }
    let read = |file: File| {
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).map(|_| bytes)
    };
    Ok(read(one)? == read(other)?)
}
