//! Puts a generation in place of the local tree, before a gateway is started.
//!
//! The copying has a limit, the renames after it are a matter of milliseconds. Whatever interrupts it, the local tree
//! is whole afterwards, or is by the next call: the old one or the new one.

mod area;
mod kept;
mod mounts;
mod plan;
mod swap;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use jiff::Timestamp;
use rustix::fs::{StatVfs, statvfs, syncfs};

pub use self::area::AREA;
pub(crate) use self::area::Scratch;
use self::{
    area::{Area, KEPT, STAGING, clear},
    kept::Why,
    mounts::Mounts,
    plan::{Plan, Planner},
};
use crate::{
    copy::{Copy, make_folder},
    failure::Failure,
    files,
    generation::{Manifest, Number},
    outcome::{Fit, Outcome, Refused},
    pattern::Patterns,
    spec::Spec,
    store::{Direction, Store, Swap},
    supported::{self, Installed},
};

/// Puts the newest generation that fits in place, or this one; `keep`: see [`crate::spec::Order::Place`].
pub(crate) fn place(
    spec: &Spec,
    store: &Store,
    number: Option<Number>,
    keep: bool,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let placed = place_in_steps(spec, store, number, keep, deadline, &mut || Ok(()));
    if placed.is_err() && store.placement()?.swap.is_none() {
        clear(&spec.state, store)?;
    }
    placed
}

/// Trees that were in place and are kept.
pub(crate) fn kept(spec: &Spec, store: &Store) -> Result<Vec<PathBuf>, Failure> {
    kept::list(&spec.state, store)
}

/// The tree that the local gateway has served with, if it isn't in place any more and nobody has decided about it.
pub(crate) fn served(spec: &Spec, store: &Store) -> Result<Option<PathBuf>, Failure> {
    kept::served(&spec.state, store)
}

/// The tree with which the local gateway has served since this time, if another one was put in its place after that
/// and nobody has decided about it: each of its parts, one for a file system.
pub(crate) fn served_after(
    spec: &Spec,
    store: &Store,
    since: Timestamp,
) -> Result<Vec<PathBuf>, Failure> {
    kept::served_after(&spec.state, store, since)
}

/// The operator has decided which side counts.
pub(crate) fn settle(spec: &Spec, store: &Store) -> Result<Outcome, Failure> {
    kept::settle(&spec.state, store)?;
    Ok(Outcome::Settled)
}

/// The same, and `step` is called before each step: what it returns ends everything, as a loss of power does.
pub(crate) fn place_in_steps(
    spec: &Spec,
    store: &Store,
    number: Option<Number>,
    keep: bool,
    deadline: Instant,
    step: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    swap::finish(store, step)?;
    let placement = store.placement()?;
    let installed = supported::installed(spec, store)?;
    let Choice { chosen, refused } = choose(store, &installed, number)?;
    // Where feeding was interrupted, one database may be newer than the other.
    let in_place = placement.in_place.filter(|_| placement.feeding.is_none());
    let newer = chosen.filter(|(manifest, _)| number.is_some() || Some(manifest.number) > in_place);
    let Some((manifest, fit)) = newer else {
        return Ok(Outcome::NothingNewer {
            in_place: placement.in_place,
            refused,
        });
    };
    let why = match (placement.in_place, keep) {
        (_, true) => Why::Served,
        (None, false) => Why::First,
        (Some(_), false) => Why::Replaced,
    };
    clear(&spec.state, store)?;
    let name = kept::name(why);
    let plan = Planner {
        store,
        generation: store.folder(manifest.number),
        manifest: &manifest,
        mounts: Mounts::read()?,
        exclude: Patterns::new(&spec.state.exclude),
        databases: Patterns::new(&spec.state.databases),
        database_folders: BTreeSet::new(),
        name: name.clone(),
        plan: Plan::default(),
    }
    .plan(&spec.state)?;
    has_room(&plan, &manifest)?;
    stage(&plan, &Patterns::new(&spec.state.exclude), deadline, step)?;
    let folders = |kind: &str| {
        plan.areas
            .iter()
            .map(|Area(area)| area.join(kind))
            .collect()
    };
    let aside = |Area(area): &Area| area.join(KEPT).join(&name);
    let swap = Swap {
        number: manifest.number,
        direction: Direction::Forward,
        staging: folders(STAGING),
        aside: plan.areas.iter().map(aside).collect(),
        discard: why == Why::Replaced,
        units: plan.units,
        carried: plan.carried,
    };
    swap::begin(store, swap, step)?;
    // A tree too many is no reason to call it a failure.
    let _ = kept::prune(&spec.state, store);
    Ok(Outcome::Placed {
        manifest,
        refused,
        fit,
    })
}

/// What can be used, and what can't.
pub(crate) struct Choice {
    /// The newest that fits, or the one that was asked for.
    pub(crate) chosen: Option<(Manifest, Fit)>,
    /// Newer ones.
    pub(crate) refused: Vec<Refused>,
}

/// Chooses a generation.
pub(crate) fn choose(
    store: &Store,
    installed: &Installed,
    number: Option<Number>,
) -> Result<Choice, Failure> {
    let mut generations = store.generations()?;
    if let Some(number) = number {
        generations.retain(|manifest| manifest.number == number);
        if generations.is_empty() {
            return Err(Failure::local(format!(
                "there is no complete generation {number}; failover sync status lists those that there are"
            )));
        }
    }
    let mut refused = Vec::new();
    for manifest in generations.into_iter().rev() {
        match installed.fit(&manifest) {
            Ok(fit) => {
                let chosen = Some((manifest, fit));
                return Ok(Choice { chosen, refused });
            }
            Err(reason) => refused.push(reason),
        }
    }
    Ok(Choice {
        chosen: None,
        refused,
    })
}

/// Copies the new entries to where they wait, and to the disk.
fn stage(
    plan: &Plan,
    exclude: &Patterns,
    deadline: Instant,
    step: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    for Area(area) in &plan.areas {
        let staging = area.join(STAGING);
        make_folder(&staging).map_err(Failure::file("making", &staging))?;
    }
    let mut copy = Copy {
        exclude,
        deadline,
        step,
        folders: Vec::new(),
    };
    for source in &plan.sources {
        if let Some(tree) = &source.tree {
            copy.entry(tree, &source.staged, &source.within)?;
        }
        for (database, within) in &source.databases {
            let target = match within.as_os_str().is_empty() {
                true => source.staged.clone(),
                false => source.staged.join(within),
            };
            copy.file(database, &target)?;
        }
    }
    copy.finish()?;
    for Area(area) in &plan.areas {
        // One call for all files: one a file takes seconds on a slow disk.
        let folder = files::open_folder(area).map_err(Failure::file("opening", area))?;
        syncfs(folder).map_err(|errno| Failure::file("writing", area)(errno.into()))?;
    }
    Ok(())
}

/// Says before the copying that it would fail at its end.
fn has_room(plan: &Plan, manifest: &Manifest) -> Result<(), Failure> {
    for Area(area) in &plan.areas {
        let there = area.ancestors().find(|path| path.is_dir()).unwrap_or(area);
        let StatVfs {
            f_bavail, f_frsize, ..
        } = statvfs(there).map_err(|errno| Failure::file("reading", there)(errno.into()))?;
        let free = f_bavail.saturating_mul(f_frsize);
        // Where there are several file systems, how much goes to each is seen when it is full.
        if plan.areas.len() == 1 && free < manifest.bytes {
            return Err(Failure::local(format!(
                "generation {} needs {} bytes at {}, and {free} are free; make room",
                manifest.number,
                manifest.bytes,
                there.display()
            )));
        }
    }
    Ok(())
}
