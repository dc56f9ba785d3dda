//! Checks generations again, as thoroughly as SQLite can: a disk may have lost what was whole when it came.

use std::time::Instant;

use crate::{
    database::{self, DatabaseError},
    failure::Failure,
    files,
    generation::Manifest,
    outcome::Outcome,
    store::{DATABASES, Store, below},
};

/// What was found of a generation.
enum Found {
    Whole,
    Broken(String),
    /// It could not be checked, which says nothing of it.
    Unknown(String),
}

/// Checks all generations. One that is broken is taken out of use.
pub(crate) fn verify(store: &Store, deadline: Instant) -> Result<Outcome, Failure> {
    let contents = store.contents()?;
    let mut generations = Vec::new();
    for manifest in &contents.generations {
        let found = match look(store, manifest, deadline) {
            Found::Whole => None,
            Found::Broken(error) => {
                store.reject(manifest.number)?;
                Some(error)
            }
            Found::Unknown(error) => Some(error),
        };
        generations.push((manifest.number, found));
    }
    Ok(Outcome::Verified { generations })
}

fn look(store: &Store, manifest: &Manifest, deadline: Instant) -> Found {
    let folder = store.folder(manifest.number);
    for (path, number) in &manifest.databases {
        let Some(copy) = below(&folder.join(DATABASES), path) else {
            return Found::Broken(format!("{} is no full path", path.display()));
        };
        match database::verify(&copy, deadline) {
            Ok(found) if found == *number => {}
            Ok(found) => {
                return Found::Broken(format!(
                    "{} has schema {found}, and had {number} when it was copied",
                    path.display()
                ));
            }
            Err(error) if is_of_the_file(&error) => {
                return Found::Broken(format!("{}: {error}", path.display()));
            }
            Err(error) => return Found::Unknown(format!("{}: {error}", path.display())),
        }
    }
    match files::measure(&folder) {
        // The manifest itself is a file.
        Ok(measured) if measured.files == manifest.files.saturating_add(1) => Found::Whole,
        Ok(measured) => Found::Broken(format!(
            "it has {} files besides its manifest, and had {} when it was copied",
            measured.files.saturating_sub(1),
            manifest.files
        )),
        Err(error) => Found::Unknown(format!("{}: {error}", folder.display())),
    }
}

/// Whether an error is about what the file has, and not about reading it now.
fn is_of_the_file(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::NotAFile
        | DatabaseError::Leftover(_)
        | DatabaseError::NotADatabase
        | DatabaseError::Broken(_)
        | DatabaseError::NotATable { .. } => true,
        DatabaseError::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        DatabaseError::TooLong | DatabaseError::Locked | DatabaseError::Sql(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Seek as _, SeekFrom, Write as _},
        path::PathBuf,
        time::Duration,
    };

    use rusqlite::Connection;

    use super::*;
    use crate::{
        generation::Number,
        spec::Order,
        tests::lab::{DATABASE, Lab, database},
    };

    fn lab() -> Lab {
        let lab = Lab::new();
        lab.generation(1, &[("a", "1")], "one");
        lab.generation_with(2, &[("a", "2")], |databases| {
            let path = databases.join(DATABASE);
            database(&path, "two");
            let connection = Connection::open(&path).unwrap();
            connection
                .execute_batch(
                    "CREATE TABLE b (c); CREATE INDEX d ON b (c); INSERT INTO b VALUES (1), (2);",
                )
                .unwrap();
            vec![DATABASE]
        });
        lab
    }

    fn copy(lab: &Lab, number: u64) -> PathBuf {
        let store = lab.store();
        let folder = store.folder(Number(number)).join(DATABASES);
        below(&folder, &lab.root.join(DATABASE)).unwrap()
    }

    fn found(lab: &Lab) -> Vec<(u64, Option<String>)> {
        match lab.order(Order::Verify) {
            Outcome::Verified { generations } => generations
                .into_iter()
                .map(|(number, error)| (number.0, error))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_ones_are_whole_and_stay_as_they_are() {
        let lab = lab();
        assert_eq!(found(&lab), [(1, None), (2, None)]);
        assert_eq!(found(&lab), [(1, None), (2, None)]);
    }

    #[test]
    fn one_that_the_disk_has_changed_is_named_and_used_no_more() {
        let lab = lab();
        let mut file = File::options().write(true).open(copy(&lab, 2)).unwrap();
        let length = file.metadata().unwrap().len();
        file.seek(SeekFrom::Start(length - 8)).unwrap();
        file.write_all(&[0x5a; 8]).unwrap();
        let generations = found(&lab);
        assert_eq!(generations[0], (1, None));
        let error = generations[1].1.as_ref().unwrap();
        assert!(error.contains(DATABASE), "{error}");
        assert_eq!(found(&lab), [(1, None)]);
        match lab.place(false) {
            Outcome::Placed { manifest, .. } => assert_eq!(manifest.number, Number(1)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_file_is_found() {
        let lab = lab();
        let store = lab.store();
        let folder = store.folder(Number(2)).join(crate::store::TREE);
        std::fs::remove_file(below(&folder, &lab.root.join("a")).unwrap()).unwrap();
        drop(store);
        assert!(found(&lab)[1].1.as_ref().unwrap().contains("files"));
        let lab = self::lab();
        std::fs::remove_file(copy(&lab, 1)).unwrap();
        assert!(found(&lab)[0].1.is_some());
    }

    #[test]
    fn no_time_to_check_it_is_not_held_against_it() {
        let mut lab = lab();
        lab.spec.limits.within = Duration::ZERO;
        assert!(found(&lab).iter().all(|(_, error)| error.is_some()));
        lab.spec.limits.within = Duration::from_secs(20);
        assert_eq!(found(&lab), [(1, None), (2, None)]);
    }
}
