//! The exchange of entries: all olds go, then all news come. It can be interrupted at any moment, and is finished or
//! taken back by the next call: which paths exist says how far it is.

use std::{collections::BTreeSet, io, path::Path};

use crate::{
    copy::make_folder,
    failure::Failure,
    files,
    store::{Direction, Placement, Store, Swap, SwapUnit},
};

/// Called before each step: what it returns ends everything, as a loss of power does. In the product it does nothing.
pub(super) type Step<'a> = &'a mut dyn FnMut() -> Result<(), Failure>;

/// Begins an exchange: from here on it is finished or taken back, whatever happens.
pub(super) fn begin(store: &Store, swap: Swap, step: Step<'_>) -> Result<(), Failure> {
    step()?;
    let placement = store.placement()?;
    store.set_placement(&Placement {
        swap: Some(swap),
        ..placement
    })?;
    finish(store, step)
}

/// Finishes an exchange that was interrupted, if there is one.
pub(super) fn finish(store: &Store, step: Step<'_>) -> Result<(), Failure> {
    let Some(swap) = store.placement()?.swap else {
        return Ok(());
    };
    match swap.direction {
        Direction::Forward => forward(store, swap, step),
        Direction::Back => back(store, &swap, step),
    }
}

/// What ends an exchange on its way.
enum End {
    /// It ends here, and is finished later.
    Interrupted(Failure),
    /// Something can't be renamed.
    Refused(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Interrupted(failure)
    }
}

fn forward(store: &Store, mut swap: Swap, step: Step<'_>) -> Result<(), Failure> {
    match exchange(store, &mut swap, step) {
        Ok(()) => {}
        Err(End::Interrupted(failure)) => return Err(failure),
        Err(End::Refused(failure)) => {
            swap.direction = Direction::Back;
            note(store, Some(&swap))?;
            back(store, &swap, step)?;
            return Err(failure);
        }
    }
    step()?;
    sync(&swap)?;
    step()?;
    store.set_placement(&Placement {
        in_place: Some(swap.number),
        feeding: None,
        swap: None,
    })?;
    step()?;
    // It is in place: what can't be removed now is removed by the next exchange.
    let old = swap.aside.iter().filter(|_| swap.discard);
    for folder in swap.staging.iter().chain(old) {
        let _ = files::remove(folder);
    }
    Ok(())
}

fn exchange(store: &Store, swap: &mut Swap, step: Step<'_>) -> Result<(), End> {
    for SwapUnit { target, old, .. } in &swap.units {
        let Some(old) = old else { continue };
        if !exists(old)? {
            step()?;
            make_parent(old)?;
            files::rename(target, old).map_err(|error| refused(target, &error))?;
        }
    }
    let (units, number) = (swap.units.clone(), swap.number);
    for SwapUnit { target, staged, .. } in &units {
        let Some(staged) = staged else { continue };
        if exists(staged)? {
            step()?;
            if exists(target)? {
                set_aside(store, swap, target)?;
            }
            files::rename(staged, target).map_err(|error| refused(target, &error))?;
        } else if !exists(target)? {
            return Err(End::Refused(Failure::local(format!(
                "{} of generation {number} is gone",
                target.display()
            ))));
        }
    }
    for carried in &swap.carried {
        let parent = carried.to.parent().unwrap_or(Path::new("/"));
        if exists(&carried.from)? && exists(parent)? && !exists(&carried.to)? {
            step()?;
            // A cache that stays behind is no reason to take everything back.
            let _ = files::rename(&carried.from, &carried.to);
        }
    }
    Ok(())
}

/// Something was made in place of an entry since the exchange was interrupted: it is kept with the old ones.
fn set_aside(store: &Store, swap: &mut Swap, target: &Path) -> Result<(), End> {
    swap.discard = false;
    note(store, Some(swap))?;
    let name = target.file_name().unwrap_or_default();
    let folder = swap.aside.iter().map(|folder| folder.join("made-since"));
    let mut last = Failure::local("there is no folder for what was made since");
    for folder in folder {
        make_folder(&folder).map_err(Failure::file("making", &folder))?;
        let free = (0..1_000_u32).map(|number| {
            let mut name = name.to_owned();
            name.push(format!(".{number}"));
            folder.join(name)
        });
        for place in free {
            match files::rename(target, &place) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    last = Failure::file("renaming", target)(error);
                    break;
                }
            }
        }
    }
    Err(End::Refused(last))
}

fn back(store: &Store, swap: &Swap, step: Step<'_>) -> Result<(), Failure> {
    for SwapUnit { target, staged, .. } in swap.units.iter().rev() {
        let Some(staged) = staged else { continue };
        if !exists(staged)? && exists(target)? {
            step()?;
            files::rename(target, staged).map_err(Failure::file("renaming", target))?;
        }
    }
    for SwapUnit { target, old, .. } in swap.units.iter().rev() {
        let Some(old) = old else { continue };
        if exists(old)? {
            step()?;
            files::rename(old, target).map_err(Failure::file("renaming", old))?;
        }
    }
    step()?;
    sync(swap)?;
    step()?;
    note(store, None)?;
    step()?;
    for folder in &swap.staging {
        let _ = files::remove(folder);
    }
    for folder in &swap.aside {
        let _ = files::remove_empty(folder);
    }
    Ok(())
}

fn note(store: &Store, swap: Option<&Swap>) -> Result<(), Failure> {
    let placement = store.placement()?;
    store.set_placement(&Placement {
        swap: swap.cloned(),
        ..placement
    })?;
    Ok(())
}

/// Brings the names to the disk: only then may the note of the exchange go.
fn sync(swap: &Swap) -> Result<(), Failure> {
    let paths = (swap.units.iter())
        .flat_map(|unit| [Some(&unit.target), unit.staged.as_ref(), unit.old.as_ref()])
        .flatten();
    let carried = swap.carried.iter().flat_map(|one| [&one.from, &one.to]);
    let folders: BTreeSet<&Path> = paths
        .chain(carried)
        .filter_map(|path| path.parent())
        .collect();
    for folder in folders {
        match files::sync_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced.map_err(Failure::file("writing", folder))?,
        }
    }
    Ok(())
}

fn make_parent(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    make_folder(parent).map_err(Failure::file("making", parent))
}

fn exists(path: &Path) -> Result<bool, Failure> {
    files::exists(path).map_err(Failure::file("reading", path))
}

fn refused(target: &Path, error: &io::Error) -> End {
    End::Refused(Failure::local(format!(
        "renaming {}: {error}; what was there is there again",
        target.display()
    )))
}
