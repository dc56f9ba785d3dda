use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown, symlink},
};

use super::*;

const MALLORY: u32 = 47_019;

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Why it isn't opened.
fn refused(path: &Path, sticky: Sticky) -> String {
    Folder::open(path, sticky).unwrap_err().to_string()
}

#[test]
fn what_is_missing_is_made_and_links_of_ones_own_are_followed() {
    let place = tempfile::tempdir().unwrap();
    let real = place.path().join("a/b");
    Folder::make(&real, Sticky::IsNotEnough).unwrap();
    assert!(real.is_dir());
    symlink("a", place.path().join("relative")).unwrap();
    symlink(&real, place.path().join("absolute")).unwrap();
    symlink("round", place.path().join("round")).unwrap();
    for path in ["relative/b", "absolute", "a/../a/./b"] {
        let folder = Folder::open(&place.path().join(path), Sticky::IsNotEnough).unwrap();
        let _file = folder.create_new(path.replace('/', "-"), 0o600).unwrap();
    }
    assert_eq!(fs::read_dir(&real).unwrap().count(), 3);
    let told = refused(&place.path().join("round"), Sticky::Counts);
    assert!(told.contains("symbolic link"), "{told}");
    let missing = Folder::open(&place.path().join("c"), Sticky::Counts).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    // As a dangling link of an administrator's: a disk that isn't there yet.
    symlink(place.path().join("later"), place.path().join("disk")).unwrap();
    assert!(Folder::make(&place.path().join("disk/state"), Sticky::Counts).is_err());
    assert!(!place.path().join("later").exists());
}

#[test]
fn a_folder_that_others_can_write_to_is_refused_with_what_to_type() {
    let place = tempfile::tempdir().unwrap();
    let (outer, inner) = (place.path().join("outer"), place.path().join("outer/inner"));
    fs::create_dir_all(&inner).unwrap();
    for path in [&outer, &inner] {
        set(path, 0o757);
        let told = refused(&inner, Sticky::Counts);
        let remedy = format!("chmod go-w {}", path.display());
        assert!(told.ends_with(&remedy), "{told}");
        set(path, 0o755);
    }
    // As /tmp: others can't touch what isn't theirs, but they can put something there first.
    set(&outer, 0o1777);
    Folder::open(&inner, Sticky::IsNotEnough).unwrap();
    Folder::open(&outer, Sticky::Counts).unwrap();
    assert!(refused(&outer, Sticky::IsNotEnough).contains("chmod go-w"));
}

#[test]
fn what_another_account_made_is_refused_on_the_way_and_at_the_end() {
    if !geteuid().is_root() {
        // Only root can give a file away.
        let place = tempfile::tempdir().unwrap();
        return assert!(chown(place.path(), Some(MALLORY), None).is_err());
    }
    let place = tempfile::tempdir().unwrap();
    let (theirs, ours) = (place.path().join("theirs"), place.path().join("ours"));
    fs::create_dir_all(theirs.join("below")).unwrap();
    fs::create_dir(&ours).unwrap();
    let link = place.path().join("link");
    symlink(&ours, &link).unwrap();
    chown(&theirs, Some(MALLORY), Some(MALLORY)).unwrap();
    std::os::unix::fs::lchown(&link, Some(MALLORY), Some(MALLORY)).unwrap();
    for path in [&theirs, &theirs.join("below"), &link] {
        let told = refused(path, Sticky::Counts);
        assert!(told.contains(&format!("(user {MALLORY})")), "{told}");
    }
    assert!(Folder::make(&theirs.join("new/state"), Sticky::Counts).is_err());
    assert!(!theirs.join("new").exists());
    // A file that was theirs before the folder was ours.
    let file = ours.join("file");
    fs::write(&file, "theirs").unwrap();
    chown(&file, Some(MALLORY), None).unwrap();
    assert!(read_own(&file, 100).is_err());
    assert!(
        Folder::open(&ours, Sticky::Counts)
            .unwrap()
            .append("file", 0o600)
            .is_err()
    );
}

#[test]
fn nothing_is_written_through_a_link_or_a_second_name() {
    let place = tempfile::tempdir().unwrap();
    let (victim, state) = (place.path().join("victim"), place.path().join("state"));
    fs::write(&victim, "precious").unwrap();
    let folder = Folder::make(&state, Sticky::IsNotEnough).unwrap();
    for name in ["linked", "linked.new"] {
        symlink(&victim, state.join(name)).unwrap();
    }
    fs::hard_link(&victim, state.join("second")).unwrap();
    for name in ["linked", "second"] {
        assert!(folder.append(name, 0o600).is_err(), "{name}");
        assert!(folder.read(name).is_err(), "{name}");
        assert!(folder.create_new(name, 0o600).is_err(), "{name}");
        replace(&state.join(name), b"new").unwrap();
        assert_eq!(read_own(&state.join(name), 100).unwrap(), "new");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
