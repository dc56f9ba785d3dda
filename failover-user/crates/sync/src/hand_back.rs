//! Gives the state with which the local gateway has served to the other host, before the gateway there starts again.
//! It is refused where that host has changes of its own: nobody can merge them.
//!
//! The other host changes nothing before all has arrived there, and keeps the tree that it had.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;

use crate::{
    copy::{Copy as TreeCopy, make_folder},
    database::{self, Leases},
    differences::{self, Side},
    failure::Failure,
    files,
    generation::Manifest,
    lineage::Epoch,
    outcome::{FailedStep, Outcome},
    pattern::Patterns,
    place::{self, AREA},
    round::{self, Copy, unexpected},
    rsync,
    source::Answer,
    spec::{Spec, StateSpec},
    store::{Store, below},
    transport::{HOST, Line, Way},
};

/// The folder of the store in which the state is put together.
const STAGED: &str = "handing-back";
/// What lies beside a database in use.
const SIDECARS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// What the local gateway has served as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served<'a> {
    /// Its line of changes, which the other host gets.
    pub(crate) epoch: &'a Epoch,
    /// Since when, by the clock of this host.
    pub(crate) since: Timestamp,
}

/// Hands back. `chosen`: whatever the other host has changed.
pub(crate) fn hand_back(
    spec: &Spec,
    store: &Store,
    served: Served<'_>,
    chosen: bool,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let way = round::way(spec, deadline)?;
    let (there, waiting) = match way.ask("mark", Vec::new())? {
        Answer::Mark { epoch, waiting } => (epoch, waiting),
        Answer::Same(_)
        | Answer::Copied(_)
        | Answer::Failed { .. }
        | Answer::Installed { .. }
        | Answer::Removed => return Err(unexpected(&way)),
    };
    if there.is_some_and(|there| there.contains(&served.epoch.id)) {
        // An earlier attempt went through, and its answer was lost.
        let at = Timestamp::now();
        return Ok(Outcome::HandedBack { at, kept: None });
    }
    if !waiting {
        return Err(Failure {
            step: FailedStep::Source,
            error: format!(
                "the gateway of {} isn't waiting for its state: its unit lacks the hook, or has started",
                way.source.destination
            ),
        });
    }
    let aside = place::served_after(spec, store, served.since)?;
    if !chosen && (!aside.is_empty() || has_changed(&way, spec, store, served)?) {
        return both_changed(spec, store, deadline);
    }
    let side = Side {
        spec,
        served: in_one_part(&aside)?,
    };
    let staged = Staged::make(store)?;
    put_together(&side, &staged.0, deadline)?;
    push(&way, &staged.0)?;
    match way.ask("install", order(&spec.state, served.epoch)?)? {
        Answer::Installed { kept } => Ok(Outcome::HandedBack {
            at: Timestamp::now(),
            kept: Some(kept),
        }),
        Answer::Same(_)
        | Answer::Copied(_)
        | Answer::Failed { .. }
        | Answer::Mark { .. }
        | Answer::Removed => Err(unexpected(&way)),
    }
}

/// The tree that was put aside, if it was.
fn in_one_part(aside: &[PathBuf]) -> Result<Option<&Path>, Failure> {
    match aside {
        [] => Ok(None),
        [whole] => Ok(Some(whole)),
        parts => {
            let parts: Vec<_> = parts
                .iter()
                .map(|part| part.display().to_string())
                .collect();
            Err(Failure::local(format!(
                "what the local gateway has served with is kept on several file systems, in {}; stop it, move all of it \
                 back into place, and then let the other host's gateway start again",
                parts.join(" and ")
            )))
        }
    }
}

/// Has the other host's state changed since the local gateway began to serve? What it changed before that, and what
/// never came here, is in the tree that is kept there.
fn has_changed(way: &Way, spec: &Spec, store: &Store, served: Served<'_>) -> Result<bool, Failure> {
    let base = base(store)?;
    let token = base.as_ref().map(|base| base.token.as_str());
    let state = match round::ask_copy(way, &spec.state, spec.limits.files, token)? {
        Copy::Same(_) => return Ok(false),
        Copy::Changed(state) => state,
    };
    let descends = base.is_some() && served.epoch.contains(&state.epoch.id);
    Ok(!descends || state.changed_before(Timestamp::now()) > served.since)
}

/// The generation that the local gateway began with.
fn base(store: &Store) -> Result<Option<Manifest>, Failure> {
    let in_place = store.placement()?.in_place;
    let generations = store.generations()?.into_iter();
    let mut generations = generations.filter(|manifest| Some(manifest.number) == in_place);
    Ok(generations.next())
}

fn both_changed(spec: &Spec, store: &Store, deadline: Instant) -> Result<Outcome, Failure> {
    // The refusal counts, also where what differs can't be found out.
    let differences = differences::differences(spec, store, deadline);
    Ok(match differences {
        Ok(Outcome::Differences { primary, local, .. }) => Outcome::BothChanged { primary, local },
        Ok(_) | Err(_) => Outcome::BothChanged {
            primary: Vec::new(),
            local: Vec::new(),
        },
    })
}

/// A folder that is gone when it isn't needed any more.
struct Staged(PathBuf);

impl Staged {
    fn make(store: &Store) -> Result<Self, Failure> {
        let path = store.path().join(STAGED);
        files::remove(&path).map_err(Failure::file("removing", &path))?;
        make_folder(&path).map_err(Failure::file("making", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = files::remove(&self.0);
    }
}

/// The local state as the other host will have it: files as they are, databases through SQLite and without leases.
fn put_together(side: &Side<'_>, staged: &Path, deadline: Instant) -> Result<(), Failure> {
    let state = &side.spec.state;
    let databases = state.databases.iter();
    let databases = databases.flat_map(|one| SIDECARS.map(|end| format!("{one}{end}")));
    let left_out: Vec<String> = databases
        .chain(state.exclude.iter().cloned())
        .chain([format!("/{AREA}/")])
        .collect();
    let exclude = Patterns::new(&left_out);
    let mut step = || Ok(());
    let mut copy = TreeCopy {
        exclude: &exclude,
        deadline,
        step: &mut step,
        folders: Vec::new(),
    };
    for root in &state.paths {
        let target = place_in(staged, root)?;
        // It may be a link, and it need not be there.
        let Some(real) = side.place(root)? else {
            continue;
        };
        let name = Path::new(root.file_name().unwrap_or_default());
        match real.is_dir() {
            true => copy.entry(&real, &target, Path::new(""))?,
            false if exclude.matches(name.as_os_str().as_encoded_bytes(), false) => {}
            false => copy.file(&real, &target)?,
        }
    }
    copy.finish()?;
    let leases = match state.is_openclaw {
        true => Leases::Remove,
        false => Leases::Keep,
    };
    for path in side.databases(deadline)? {
        let target = place_in(staged, &path)?;
        let folder = target.parent().unwrap_or(staged);
        make_folder(folder).map_err(Failure::file("making", folder))?;
        let Some(live) = side.place(&path)? else {
            continue;
        };
        let copied = database::copy_out(&live, &target, leases, deadline);
        copied.map_err(|error| Failure::local(format!("copying {}: {error}", path.display())))?;
    }
    Ok(())
}

fn place_in(staged: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let place = below(staged, path);
    place.ok_or_else(|| Failure::local(format!("{} can't be copied", path.display())))
}

fn push(way: &Way, staged: &Path) -> Result<(), Failure> {
    let mut rsync = rsync::command(way)?;
    way.equip(&mut rsync, Line::Own(way.source.clone()))?;
    rsync.arg("--delete").arg(staged.join(""));
    rsync.arg(format!("{HOST}:incoming/"));
    rsync::run(&mut rsync, way, || Ok(())).map(drop)
}

/// What the other host needs to put it in place: the new mark, and the names of what stays.
fn order(state: &StateSpec, epoch: &Epoch) -> Result<Vec<u8>, Failure> {
    let mut order = serde_json::to_string(epoch).map_err(Failure::local)?;
    order.push('\n');
    let names = state
        .exclude
        .iter()
        .map(|pattern| pattern.trim_matches('/'));
    for name in names.filter(|name| !name.is_empty() && !name.contains('/')) {
        order.push_str(name);
        order.push('\n');
    }
    order.push_str(AREA);
    order.push('\n');
    Ok(order.into_bytes())
}
