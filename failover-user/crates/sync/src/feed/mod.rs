//! Puts a generation into the databases and files of a gateway that is parked: it has its databases open, and sees the
//! new rows when it continues.
//!
//! Databases are changed through SQLite and never replaced. What the parked gateway couldn't see, or couldn't stand,
//! is never tried: then it has to be parked again, on a tree that is put in place as before any start.

mod end;
mod files;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use self::end::End;
use crate::{
    copy::make_folder,
    database::{self, DatabaseError, Leases},
    failure::Failure,
    generation::{Manifest, Number},
    local,
    outcome::Outcome,
    place::{self, Choice},
    spec::Spec,
    store::{DATABASES, Placement, Store, below, really_below},
    supported,
};

/// Below the store: what is being put into live databases.
const DRAFTS: &str = "feeding";

/// Puts the newest generation that fits into what is parked.
pub(crate) fn feed(spec: &Spec, store: &Store, deadline: Instant) -> Result<Outcome, Failure> {
    let fed = newest(spec, store, deadline);
    let drafts = store.path().join(DRAFTS);
    crate::files::remove(&drafts).map_err(Failure::file("removing", &drafts))?;
    match fed {
        Ok(outcome) => Ok(outcome),
        Err(End::ParkAnew(reason)) => Ok(Outcome::ParkAnew { reason }),
        Err(End::Failed(failure)) => Err(failure),
    }
}

fn newest(spec: &Spec, store: &Store, deadline: Instant) -> Result<Outcome, End> {
    let placement = store.placement().map_err(Failure::from)?;
    if placement.swap.is_some() {
        return Err(End::park(
            "what is parked was started while a generation was being put in place, which was interrupted",
        ));
    }
    let installed = supported::installed(spec, store)?;
    let Choice { chosen, refused } = place::choose(store, &installed, None)?;
    let is_whole = placement.feeding.is_none();
    let newer =
        chosen.filter(|(manifest, _)| !is_whole || Some(manifest.number) > placement.in_place);
    let Some((manifest, fit)) = newer else {
        return Ok(Outcome::NothingNewer {
            in_place: placement.in_place,
            refused,
        });
    };
    let Some(former) = placement.in_place else {
        return Err(End::park(
            "what is parked has the host's own state, which is kept when a generation is put in its place",
        ));
    };
    let databases = databases(spec, store, &manifest, deadline)?;
    note(store, former, Some(manifest.number))?;
    let folder = store.path().join(DRAFTS);
    for database in &databases {
        // Whoever was interrupted has left some databases new and others old.
        if !is_whole || database.has_changed_since(store, former) {
            database.feed(spec, &folder, deadline)?;
        }
    }
    files::feed(spec, store, &manifest, former, deadline)?;
    note(store, manifest.number, None)?;
    Ok(Outcome::Placed {
        manifest,
        refused,
        fit,
    })
}

fn note(store: &Store, in_place: Number, feeding: Option<Number>) -> Result<(), Failure> {
    store.set_placement(&Placement {
        in_place: Some(in_place),
        feeding,
        swap: None,
    })?;
    Ok(())
}

/// A database of a generation, and the live one.
struct Database {
    /// By the path that both hosts have for it.
    path: PathBuf,
    copy: PathBuf,
    live: PathBuf,
}

/// All databases, if the live ones are the same with the same schemas.
fn databases(
    spec: &Spec,
    store: &Store,
    manifest: &Manifest,
    deadline: Instant,
) -> Result<Vec<Database>, End> {
    let here = local::databases(&spec.state, deadline)?;
    if let Some(path) = here
        .iter()
        .find(|path| !manifest.databases.contains_key(*path))
    {
        return Err(End::park(format!(
            "{} is gone at the other host",
            path.display()
        )));
    }
    let folder = store.folder(manifest.number).join(DATABASES);
    let mut databases = Vec::new();
    for (path, number) in &manifest.databases {
        let live = local::real(path).map_err(|_| new(path))?;
        if !here.contains(path) {
            return Err(new(path));
        }
        let theirs = *number;
        let ours =
            database::user_version_of(&live, deadline).map_err(|error| failed(path, &error))?;
        if ours != theirs {
            return Err(End::park(format!(
                "{} has schema {theirs}, and the one that is open has {ours}",
                path.display()
            )));
        }
        let copy = really_below(&folder, path)
            .map_err(|error| Failure::check(format!("{}: {error}", path.display())))?;
        databases.push(Database {
            path: path.clone(),
            copy,
            live,
        });
    }
    Ok(databases)
}

fn new(path: &Path) -> End {
    End::park(format!("{} is new at the other host", path.display()))
}

impl Database {
    /// A generation shares the file of a database that hasn't changed.
    fn has_changed_since(&self, store: &Store, former: Number) -> bool {
        let former = below(&store.folder(former).join(DATABASES), &self.path);
        let identity = |path: &Path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        let copy = identity(&self.copy);
        copy.is_none() || copy != former.and_then(|former| identity(&former))
    }

    fn feed(&self, spec: &Spec, drafts: &Path, deadline: Instant) -> Result<(), End> {
        let draft = drafts.join("draft.sqlite");
        crate::files::remove(drafts).map_err(Failure::file("removing", drafts))?;
        make_folder(drafts).map_err(Failure::file("making", drafts))?;
        let leases = match spec.state.is_openclaw {
            true => Leases::Remove,
            false => Leases::Keep,
        };
        database::copy_into(&self.copy, &self.live, &draft, leases, deadline)
            .map_err(|error| failed(&self.path, &error))
    }
}

/// What a database that is open can't be given now, one that is put in place can.
fn failed(path: &Path, error: &DatabaseError) -> End {
    match error {
        DatabaseError::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
            Failure::local(format!("writing {}: {error}", path.display())).into()
        }
        error => End::park(format!("{}: {error}", path.display())),
    }
}
