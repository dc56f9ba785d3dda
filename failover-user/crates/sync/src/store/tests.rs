use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;
use tempfile::TempDir;

use super::{lock::LONGEST_WAIT, *};
use crate::lineage::Epoch;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn manifest(number: u64) -> Manifest {
    Manifest {
        number: Number(number),
        taken: Timestamp::UNIX_EPOCH,
        changed: None,
        epoch: Epoch {
            id: "a".to_owned(),
            ancestors: Vec::new(),
        },
        token: "token".to_owned(),
        gateway_version: None,
        databases: BTreeMap::new(),
        files: 0,
        bytes: 0,
    }
}

fn commit(store: &Store, number: u64) {
    let staging = store.stage(Number(number)).unwrap();
    fs::create_dir(staging.path().join(TREE)).unwrap();
    fs::write(staging.path().join(TREE).join("file"), number.to_string()).unwrap();
    staging.commit(manifest(0)).unwrap();
}

fn numbers(store: &Store) -> Vec<u64> {
    let generations = store.generations().unwrap();
    generations.iter().map(|one| one.number.0).collect()
}

#[test]
fn it_is_made_for_the_account_only_and_closed_where_it_was_open() {
    let folder = folder();
    let path = folder.path().join("state/failover/sync");
    drop(Store::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    commit(&store, 1);
    assert_eq!(
        fs::metadata(store.folder(Number(1))).unwrap().mode() & 0o777,
        0o700
    );
}

#[test]
fn one_process_uses_it_and_others_wait_no_longer_than_their_limit() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let begin = Instant::now();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(begin.elapsed() >= LONGEST_WAIT && begin.elapsed() < LONGEST_WAIT * 2);
    drop(store);
    Store::open(folder.path()).unwrap();
}

#[test]
fn a_generation_is_one_only_when_it_is_committed() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let staging = store.stage(Number(1)).unwrap();
    let path = staging.path().to_owned();
    fs::write(path.join("half"), "").unwrap();
    assert_eq!(numbers(&store), [0; 0]);
    drop(staging);
    // As the process leaves it that is killed.
    fs::create_dir(&path).unwrap();
    fs::write(path.join("half"), "").unwrap();
    let staging = store.stage(Number(1)).unwrap();
    assert!(!path.join("half").exists());
    let committed = staging.commit(manifest(0)).unwrap();
    assert_eq!((committed.number, numbers(&store)), (Number(1), vec![1]));
    assert!(!path.exists());
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let staging = store.stage(Number(1)).unwrap();
    let locked = staging.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::write(locked.join("file"), "").unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    drop(staging);
    assert!(store.named_as_generations().unwrap().is_empty());
}

#[test]
fn a_complete_one_is_never_written_again() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    commit(&store, 1);
    let error = store.stage(Number(1)).unwrap_err();
    assert!(matches!(error, StoreError::Exists(Number(1))), "{error}");
}

#[test]
fn one_that_is_spared_stays_however_many_come_after_it() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    commit(&store, 1);
    for number in 2..6 {
        let mut staging = store.stage(Number(number)).unwrap();
        staging.spare(Number(1));
        staging.commit(manifest(0)).unwrap();
    }
    assert_eq!(numbers(&store), [1, 4, 5]);
}

#[test]
fn two_stay_and_the_one_in_place() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    commit(&store, 1);
    let placement = Placement {
        in_place: Some(Number(1)),
        ..Placement::default()
    };
    store.set_placement(&placement).unwrap();
    assert_eq!(store.placement().unwrap(), placement);
    (2..6).for_each(|number| commit(&store, number));
    assert_eq!(numbers(&store), [1, 4, 5]);
    store.set_placement(&Placement::default()).unwrap();
    commit(&store, 10);
    assert_eq!(numbers(&store), [5, 10]);
    assert_eq!(store.named_as_generations().unwrap().len(), 2);
}

#[test]
fn a_number_is_never_used_twice() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.next_number().unwrap(), Number(1));
    commit(&store, 4);
    assert_eq!(store.next_number().unwrap(), Number(5));
    let placement = Placement {
        in_place: Some(Number(8)),
        ..Placement::default()
    };
    store.set_placement(&placement).unwrap();
    assert_eq!(store.next_number().unwrap(), Number(9));
}

#[test]
fn what_is_no_generation_is_skipped_and_named() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    (1..4).for_each(|number| commit(&store, number));
    let place = |name: &str| store.path().join(name);
    // Another one's manifest, none, one that is no text, a link, a pipe in place of one, and a name that is none.
    fs::rename(place("generation.2"), place("generation.7")).unwrap();
    fs::create_dir(place("generation.8")).unwrap();
    fs::create_dir(place("generation.9")).unwrap();
    fs::write(place("generation.9/manifest.json"), "[").unwrap();
    symlink(place("generation.3"), place("generation.10")).unwrap();
    fs::create_dir(place("generation.11")).unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place("generation.11/manifest.json"),
        pipe,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    fs::create_dir(place("generation.012")).unwrap();
    fs::create_dir(place("kept")).unwrap();

    let contents = store.contents().unwrap();
    let skipped: Vec<_> = contents
        .skipped
        .iter()
        .map(|(path, _)| path.clone())
        .collect();
    let named = [10, 11, 7, 8, 9].map(|number| place(&format!("generation.{number}")));
    assert_eq!(skipped, named, "{contents:?}");
    assert_eq!(numbers(&store), [3]);
}

#[test]
fn one_that_was_found_broken_is_used_no_more_and_goes_with_the_next() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    commit(&store, 1);
    commit(&store, 2);
    store.reject(Number(2)).unwrap();
    assert_eq!(numbers(&store), [1]);
    commit(&store, 3);
    assert_eq!(store.named_as_generations().unwrap().len(), 2);
}

#[test]
fn a_note_that_cannot_be_read_is_an_error_and_not_an_empty_one() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.placement().unwrap(), Placement::default());
    fs::write(store.path().join("place.json"), "{").unwrap();
    store.placement().unwrap_err();
}

#[test]
fn a_path_that_climbs_has_no_place() {
    let here = Path::new("/store");
    assert_eq!(
        below(here, Path::new("/home/a")),
        Some(PathBuf::from("/store/home/a"))
    );
    for path in ["home", "/home/../etc", "/..", "", "../x"] {
        assert_eq!(below(here, Path::new(path)), None, "{path}");
    }
}
