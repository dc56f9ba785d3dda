//! What only one side has, in words that an operator knows: before one of two sides that both changed is chosen.
//!
//! The primary's side is the newest generation, the local one is the tree that the local gateway has served with.

mod files;
mod side;
#[cfg(test)]
mod tests;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

pub(crate) use self::side::Side;
use self::{
    side::Sides,
    words::{Words, all_columns, bounded, known_columns, named},
};
use crate::{
    database::{self, Rows},
    failure::Failure,
    outcome::Outcome,
    place,
    spec::Spec,
    store::{DATABASES, Store, below},
};

/// Says what only one side has.
pub(crate) fn differences(
    spec: &Spec,
    store: &Store,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let newest = store.generations()?.pop();
    let newest = newest.ok_or_else(|| {
        Failure::local("there is no generation to compare with; wait for a round, or order one: failover sync now")
    })?;
    let served = place::served(spec, store)?;
    let side = Side {
        spec,
        served: served.as_deref(),
    };
    let mut tables: BTreeMap<String, Rows> = BTreeMap::new();
    let mut whole = Sides::default();
    let here = side.databases(deadline)?.into_iter();
    let databases: BTreeSet<_> = here.chain(newest.databases.keys().cloned()).collect();
    for path in databases {
        let copy = below(&store.folder(newest.number).join(DATABASES), &path);
        let live = side.place(&path)?;
        match (copy.filter(|_| newest.databases.contains_key(&path)), live) {
            (Some(copy), Some(live)) => {
                let columns = match spec.state.is_openclaw {
                    true => known_columns,
                    false => all_columns,
                };
                let found = database::compare(&copy, &live, columns, deadline)
                    .map_err(|error| Failure::local(format!("{}: {error}", path.display())))?;
                for (table, rows) in found {
                    let sum = tables.entry(table).or_default();
                    sum.one = sum.one.saturating_add(rows.one);
                    sum.other = sum.other.saturating_add(rows.other);
                }
            }
            (Some(_), None) => whole.primary.push(named("database", &path)),
            (None, Some(_)) => whole.local.push(named("database", &path)),
            (None, None) => {}
        }
    }
    let files = files::compare(&side, &store.folder(newest.number), deadline)?;
    let primary = Words::new(spec, &tables, |rows| rows.one);
    let local = Words::new(spec, &tables, |rows| rows.other);
    let count = |lines: &Vec<String>| u64::try_from(lines.len()).unwrap_or(u64::MAX);
    Ok(Outcome::Differences {
        primary_turns: primary.turns.saturating_add(count(&whole.primary)),
        local_turns: local.turns.saturating_add(count(&whole.local)),
        primary: bounded(&[primary.lines, whole.primary, files.primary]),
        local: bounded(&[local.lines, whole.local, files.local]),
    })
}
