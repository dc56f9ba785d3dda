//! Who else may write to a file or folder: by its owner, its mode, or an access control list. What others can
//! write, root must neither believe nor write through.

use std::{
    os::fd::{AsFd, AsRawFd as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Stat, fstat, getxattr},
    io::Errno,
    process::geteuid,
};
use thiserror::Error;

use crate::escape;

/// Where Linux keeps a POSIX access control list (acl(5)), in the form of `linux/posix_acl_xattr.h`.
const ACL: &str = "system.posix_acl_access";
/// Of that form (POSIX_ACL_XATTR_VERSION).
const ACL_VERSION: u32 = 2;
/// `struct posix_acl_xattr_entry`: a tag and a permission of two bytes each, and an account's number.
const ENTRY: usize = 8;
/// As many as a file system keeps; a longer list can't be read (XATTR_SIZE_MAX in `linux/limits.h`).
const LONGEST_ACL: usize = 64 * 1024;
/// A list with a handful of names.
const USUAL_ACL: usize = 512;
/// ACL_WRITE.
const WRITE: u16 = 2;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// In such a folder only a file's own owner can remove it or put another in its place (inode(7)).
const STICKY: u32 = 0o1000;

/// Other accounts than root and this one can write to it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{} {problem}; type: {remedy}", shown(.path))]
pub struct WritableByOthers {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it, as the rest of a sentence that begins with its path.
    pub problem: String,
    /// The command that sets it right.
    pub remedy: String,
}

/// Whether entries of a folder that others may write to are safe from them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sticky {
    /// They are where it has the sticky bit, as /tmp.
    Counts,
    /// It must be nobody else's to write to at all.
    IsNotEnough,
}

/// Looks at what was opened (also by O_PATH). `path`: its name, for the message.
///
/// # Errors
/// When it can't be looked at. The inner one: when others can write to it.
pub fn check(
    opened: impl AsFd,
    path: &Path,
    sticky: Sticky,
) -> Result<Result<(), WritableByOthers>, Errno> {
    let this = geteuid().as_raw();
    let owner = fstat(&opened)?.st_uid;
    if owner != 0 && owner != this {
        return Ok(Err(WritableByOthers {
            path: path.to_owned(),
            problem: format!("belongs to another account (user {owner}), which can write to it"),
            remedy: format!("chown {this} {}", quoted(path)),
        }));
    }
    check_mode(opened, path, sticky)
}

/// The same, for any owner.
///
/// # Errors
/// As [`check`].
pub fn check_mode(
    opened: impl AsFd,
    path: &Path,
    sticky: Sticky,
) -> Result<Result<(), WritableByOthers>, Errno> {
    let opened = opened.as_fd();
    let stat = fstat(opened)?;
    if is_folder(&stat) && stat.st_mode & STICKY != 0 && sticky == Sticky::Counts {
        return Ok(Ok(()));
    }
    let fault = |problem: &str| {
        Ok(Err(WritableByOthers {
            path: path.to_owned(),
            problem: problem.to_owned(),
            // It clears the mask of an access control list as well (acl(5)).
            remedy: format!("chmod go-w {}", quoted(path)),
        }))
    };
    let this = geteuid().as_raw();
    let is_open = match acl(opened.as_raw_fd())? {
        None => {
            let by_group = stat.st_mode & GROUP_WRITES != 0 && stat.st_gid != 0;
            stat.st_mode & OTHERS_WRITE != 0 || by_group
        }
        Some(list) => match writers(&list, stat.st_gid, this) {
            Some(Writers::Named) => {
                return fault(
                    "is writable by other accounts through its access control list (see getfacl)",
                );
            }
            Some(Writers::Mode) => true,
            None => false,
        },
    };
    match is_open {
        true => fault("is writable by other accounts"),
        false => Ok(Ok(())),
    }
}

fn is_folder(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()
}

/// Its access control list, if it has one. By its name in /proc: fgetxattr(2) refuses what was opened by O_PATH.
fn acl(descriptor: i32) -> Result<Option<Vec<u8>>, Errno> {
    let path = format!("/proc/self/fd/{descriptor}");
    for longest in [USUAL_ACL, LONGEST_ACL] {
        let mut list = vec![0; longest];
        match getxattr(&path, ACL, &mut list[..]) {
            Ok(length) => {
                list.truncate(length);
                return Ok(Some(list));
            }
            // It has none, or its file system knows none.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(Errno::RANGE) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::RANGE)
}

/// Who can write by an access control list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writers {
    /// The access that the mode of a file without a list would give, too.
    Mode,
    /// An account or group that the list names; or nobody can tell, for it can't be read.
    Named,
}

/// Who of others can write. The mask limits all but the owner and everybody else (acl(5), "access check").
fn writers(list: &[u8], group: u32, this: u32) -> Option<Writers> {
    const USER: u16 = 0x02;
    const OWNING_GROUP: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const OTHERS: u16 = 0x20;
    let Some((version, entries)) = list.split_first_chunk() else {
        return Some(Writers::Named);
    };
    let (entries, rest) = entries.as_chunks::<ENTRY>();
    if u32::from_le_bytes(*version) != ACL_VERSION || !rest.is_empty() {
        return Some(Writers::Named);
    }
    let entry = |[t0, t1, p0, p1, i0, i1, i2, i3]: [u8; ENTRY]| {
        (
            u16::from_le_bytes([t0, t1]),
            u16::from_le_bytes([p0, p1]),
            u32::from_le_bytes([i0, i1, i2, i3]),
        )
    };
    let entries: Vec<(u16, u16, u32)> = entries.iter().copied().map(entry).collect();
    let mask = entries.iter().find(|(tag, ..)| *tag == MASK);
    let mask = mask.map_or(WRITE, |(_, permission, _)| *permission);
    let mut found = None;
    for (tag, permission, id) in entries {
        let (writes, limited) = (permission & WRITE != 0, permission & mask & WRITE != 0);
        match tag {
            USER if limited && id != 0 && id != this => return Some(Writers::Named),
            GROUP if limited && id != 0 => return Some(Writers::Named),
            OWNING_GROUP if limited && group != 0 => found = Some(Writers::Mode),
            OTHERS if writes => found = Some(Writers::Mode),
            _ => {}
        }
    }
    found
}

/// For a shell, on one line.
fn quoted(path: &Path) -> String {
    escape::one_line(&shell_words::quote(&path.to_string_lossy()))
}

fn shown(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use proptest::prelude::*;
    use rustix::fs::{XattrFlags, setxattr};

    use super::*;

    const THIS: u32 = 1000;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = ACL_VERSION.to_le_bytes().to_vec();
        for (tag, permission, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(permission.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    #[test]
    fn a_list_counts_as_far_as_its_mask_lets_it() {
        let of = |entries: &[(u16, u16, u32)]| writers(&list(entries), 50, THIS);
        let owner = (0x01, 7, u32::MAX);
        let user = |id| (0x02, 6, id);
        let group = |permission| (0x04, permission, u32::MAX);
        let mask = |permission| (0x10, permission, u32::MAX);
        let others = |permission| (0x20, permission, u32::MAX);
        for (entries, expected) in [
            (vec![owner, group(4), others(4)], None),
            (vec![owner, group(6), others(4)], Some(Writers::Mode)),
            (vec![owner, group(4), others(6)], Some(Writers::Mode)),
            (
                vec![owner, user(47), group(4), mask(6), others(0)],
                Some(Writers::Named),
            ),
            // The mask takes it away again; it doesn't limit everybody else.
            (vec![owner, user(47), group(6), mask(4), others(0)], None),
            (
                vec![owner, user(47), group(4), mask(4), others(6)],
                Some(Writers::Mode),
            ),
            // Root and this account may anyway.
            (
                vec![owner, user(0), user(THIS), group(4), mask(6), others(0)],
                None,
            ),
            (
                vec![owner, group(4), (0x08, 2, 60), mask(2), others(0)],
                Some(Writers::Named),
            ),
            (
                vec![owner, group(4), (0x08, 2, 0), mask(2), others(0)],
                None,
            ),
        ] {
            assert_eq!(of(&entries), expected, "{entries:?}");
        }
        assert_eq!(
            writers(&list(&[(0x04, 6, u32::MAX)]), 0, THIS),
            None,
            "root's own group"
        );
    }

    #[test]
    fn what_is_no_list_is_taken_for_one_that_lets_others_write() {
        let whole = list(&[(0x01, 6, u32::MAX)]);
        for broken in [&[][..], &whole[..3], &whole[..7], &[3, 0, 0, 0]] {
            assert_eq!(writers(broken, 0, THIS), Some(Writers::Named));
        }
    }

    proptest! {
        #[test]
        fn no_list_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = writers(&bytes, 0, THIS);
        }
    }

    #[test]
    fn a_file_is_judged_by_its_list_where_it_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let verdict = || {
            let file = File::open(&path).unwrap();
            check(file, &path, Sticky::Counts).unwrap()
        };
        assert_eq!(verdict(), Ok(()));
        let open = list(&[
            (0x01, 6, u32::MAX),
            (0x02, 6, 47_019),
            (0x04, 4, u32::MAX),
            (0x10, 6, u32::MAX),
            (0x20, 4, u32::MAX),
        ]);
        match setxattr(&path, ACL, &open, XattrFlags::empty()) {
            // A file system without such lists has nothing to be judged.
            Err(Errno::OPNOTSUPP) => return assert_eq!(verdict(), Ok(())),
            set => set.unwrap(),
        }
        let fault = verdict().unwrap_err();
        assert!(fault.problem.contains("access control list"), "{fault}");
        assert!(fault.remedy.starts_with("chmod go-w "), "{fault}");
        // What the remedy does: the mask takes the right away.
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(verdict(), Ok(()));
    }
}
