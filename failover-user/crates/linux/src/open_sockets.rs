//! The sockets that a process has open, by their inodes (`/proc/PID/fd`, man 5 proc_pid_fd): bounded in number
//! and time, and read with the rights of the process's own account where root may not look.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::fs_credentials::FsCredentials;

/// `fs.nr_open` on most systems (man 5 proc): more open files than any process here has.
pub const MOST_DESCRIPTORS: usize = 1 << 20;
/// The limit for callers that nothing waits for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The clock is read after this number of descriptors, each of which takes about a microsecond.
const LOOKS_A_BREAK: usize = 256;

/// Sockets among a process's first descriptors.
#[derive(Debug, Default)]
pub struct OpenSockets {
    /// Their inodes.
    pub sockets: BTreeSet<u32>,
    /// It has more descriptors than were looked at.
    pub has_more: bool,
    /// Not all could be looked at, for a reason of this process's own.
    pub is_cut: bool,
    credentials: Option<FsCredentials>,
}

/// The sockets among the first `most` descriptors of a process, looked for until the deadline.
#[must_use]
pub fn among(process: &Path, most: usize, deadline: Instant) -> OpenSockets {
    match sockets_of(process, most, deadline) {
        Err(error) if is_denied(&error) => {}
        result => return opened(result, None),
    }
    let Ok(owner) = fs::metadata(process) else {
        return OpenSockets::default();
    };
    let credentials = FsCredentials::of(owner.uid(), owner.gid());
    opened(sockets_of(process, most, deadline), Some(credentials))
}

fn opened(
    result: io::Result<(BTreeSet<u32>, bool)>,
    credentials: Option<FsCredentials>,
) -> OpenSockets {
    match result {
        Ok((sockets, has_more)) => OpenSockets {
            sockets,
            has_more,
            is_cut: false,
            credentials,
        },
        Err(error) => OpenSockets {
            is_cut: is_our_own(&error),
            credentials,
            ..OpenSockets::default()
        },
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// A lack of file descriptors or memory is not the fault of the process that was scanned.
fn is_our_own(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)
    )
}

/// Inodes of the sockets that a process has open, and the credentials that it takes to see them, where those are
/// the process's own account's: not even root may trace everybody (ptrace(2)).
#[must_use]
pub fn of(process: &Path) -> (BTreeSet<u32>, Option<FsCredentials>) {
    let open = among(process, MOST_DESCRIPTORS, Instant::now() + PATIENCE);
    (open.sockets, open.credentials)
}

/// Inodes of the sockets among the first descriptors of a process, and whether it has more; none when it
/// is gone.
///
/// # Errors
/// When they aren't shown to this account, or there is no room to look.
fn sockets_of(process: &Path, most: usize, deadline: Instant) -> io::Result<(BTreeSet<u32>, bool)> {
    let mut descriptors = match fs::read_dir(process.join("fd")) {
        Err(error) if is_denied(&error) || is_our_own(&error) => return Err(error),
        descriptors => descriptors.into_iter().flatten(),
    };
    let mut sockets = BTreeSet::new();
    for (count, entry) in descriptors.by_ref().take(most).flatten().enumerate() {
        if count % LOOKS_A_BREAK == 0 && Instant::now() >= deadline {
            return Ok((sockets, true));
        }
        let target = match fs::read_link(entry.path()) {
            Err(error) if is_denied(&error) => return Err(error),
            // Closed meanwhile.
            Err(_) => continue,
            Ok(target) => target,
        };
        let inode = target.to_str().and_then(|target| {
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse::<u32>().ok()
        });
        sockets.extend(inode);
    }
    Ok((sockets, descriptors.next().is_some()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_behind_thousands_of_descriptors_is_found_at_last() {
        let most = 3;
        let (_, has_more) =
            sockets_of(Path::new("/proc/self"), most, Instant::now() + PATIENCE).unwrap();
        assert!(has_more);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let high = rustix::io::fcntl_dupfd_cloexec(&socket, 900).unwrap();
        drop(socket);
        let inode = u32::try_from(rustix::fs::fstat(&high).unwrap().st_ino).unwrap();
        let (sockets, _) = sockets_of(
            Path::new("/proc/self"),
            MOST_DESCRIPTORS,
            Instant::now() + PATIENCE,
        )
        .unwrap();
        assert!(sockets.contains(&inode));
    }

    #[test]
    fn a_process_that_is_gone_has_nothing_open() {
        let gone = Path::new("/proc/4294967295");
        let gone = sockets_of(gone, MOST_DESCRIPTORS, Instant::now() + PATIENCE);
        assert_eq!(gone.unwrap(), (BTreeSet::new(), false));
    }
}
