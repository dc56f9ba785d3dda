//! An account besides root and the socket's group that may connect: an access control list on the socket, acl(5). What
//! it may order is for the daemon to decide.

use std::{io, path::Path};

use rustix::fs::{XattrFlags, setxattr};

/// Where the kernel keeps it: xattr(7).
const NAME: &str = "system.posix_acl_access";
/// As `linux/posix_acl_xattr.h` has it.
const VERSION: u32 = 2;
/// Kinds of entries: `linux/posix_acl.h`.
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
/// In an entry without a number of its own.
const NO_ID: u32 = u32::MAX;
/// Connecting takes the right to write: unix(7).
const READ_AND_WRITE: u16 = 6;

/// Lets this account connect to a socket that its owner and its group may connect to.
///
/// # Errors
/// When the file system has no access control lists.
pub(super) fn admit(socket: &Path, account: u32) -> io::Result<()> {
    let entries = [
        (OWNER, READ_AND_WRITE, NO_ID),
        (USER, READ_AND_WRITE, account),
        (GROUP, READ_AND_WRITE, NO_ID),
        (MASK, READ_AND_WRITE, NO_ID),
        (OTHERS, 0, NO_ID),
    ];
    let mut list = VERSION.to_le_bytes().to_vec();
    for (whom, rights, id) in entries {
        list.extend(whom.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    Ok(setxattr(socket, NAME, &list, XattrFlags::empty())?)
}
