//! Which process the stopper stops: a port, a control group by the names of its path, and a main process. Never an
//! account alone: the gateway's own tools bind the port, too.

use std::{
    fs, io,
    num::NonZeroU16,
    os::{linux::fs::MetadataExt as _, unix::ffi::OsStrExt as _},
    path::{Component, Path, PathBuf},
};

use failover_ebpf::stop::{
    self as contract, GROUP_NAME_LENGTH, GroupName, MOST_GROUPS, PIECE_LENGTH,
};
use thiserror::Error;

const PID_NAMESPACE: &str = "/proc/self/ns/pid";

/// Which process to stop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Of the bind.
    pub port: NonZeroU16,
    /// Inode of the socket's network namespace; `None`: any.
    pub netns: Option<u32>,
    /// Of the process: this very group, not one below it.
    pub control_group: GroupPath,
    /// Which of its processes.
    pub main: MainProcess,
}

/// Which process of the control group is the unit's main process, in the numbers of the caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MainProcess {
    /// A child of this one, the service manager: known before the unit is started.
    ChildOf(u32),
    /// This very process.
    Process(u32),
}

/// The path of a control group, by names: its inode changes with each start, because systemd removes the group
/// of a unit that ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupPath {
    /// Inode of the group that the path begins in.
    root: u64,
    /// From the outermost on, each at most 255 bytes without zeros.
    names: Vec<Vec<u8>>,
}

/// Why that can't be a target.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The group that the path begins in can't be looked at.
    #[error("{path} can't be read: {source}; is a control group hierarchy of version 2 mounted?")]
    Root {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path isn't one of names.
    #[error(
        "the control group {0} is no path of 1 to {MOST_GROUPS} names below the mount point; name the unit's own group"
    )]
    Path(PathBuf),
    /// The caller's process-number namespace is unknown.
    #[error("reading {PID_NAMESPACE}: {0}; is /proc mounted?")]
    PidNamespace(#[source] io::Error),
}

impl GroupPath {
    /// The group at `path` below `root`, the mount point of the control groups of version 2. The group itself
    /// needn't exist yet; a leading slash in `path`, as in /proc/PID/cgroup, is left out.
    ///
    /// # Errors
    /// When `root` can't be looked at, or `path` isn't one of 1 to 16 names.
    pub fn below(root: &Path, path: &Path) -> Result<Self, TargetError> {
        let no_path = || TargetError::Path(path.to_owned());
        let metadata = fs::metadata(root).map_err(|source| TargetError::Root {
            path: root.to_owned(),
            source,
        })?;
        let names: Option<Vec<Vec<u8>>> = path
            .strip_prefix("/")
            .unwrap_or(path)
            .components()
            .map(|component| match component {
                Component::Normal(name) => Some(name.as_bytes().to_vec()),
                Component::Prefix(_)
                | Component::RootDir
                | Component::CurDir
                | Component::ParentDir => None,
            })
            .collect();
        let names = names.ok_or_else(no_path)?;
        let is_short = |name: &Vec<u8>| name.len() <= GROUP_NAME_LENGTH && !name.contains(&0);
        if !(1..=MOST_GROUPS).contains(&names.len()) || !names.iter().all(is_short) {
            return Err(no_path());
        }
        Ok(Self {
            root: metadata.st_ino(),
            names,
        })
    }
}

impl Target {
    /// As the kernel program reads it.
    pub(super) fn record(&self) -> Result<contract::Target, TargetError> {
        let namespace = fs::metadata(PID_NAMESPACE).map_err(TargetError::PidNamespace)?;
        let mut groups = [GroupName::default(); MOST_GROUPS];
        let names = self.control_group.names.iter().rev();
        for (group, name) in groups.iter_mut().zip(names) {
            *group = in_pieces(name);
        }
        let (which, process) = match self.main {
            MainProcess::ChildOf(process) => (contract::CHILD, process),
            MainProcess::Process(process) => (contract::PROCESS, process),
        };
        Ok(contract::Target {
            groups,
            root: self.control_group.root,
            // At most sixteen.
            depth: u32::try_from(self.control_group.names.len()).unwrap_or(u32::MAX),
            netns: self.netns.unwrap_or(0),
            // Namespace inodes are 32 bits wide (include/linux/ns_common.h, 6.18).
            pid_namespace: u32::try_from(namespace.st_ino()).unwrap_or(0),
            which,
            process,
            reserved: 0,
        })
    }
}

/// As the kernel program compares it.
fn in_pieces(name: &[u8]) -> GroupName {
    let mut pieces = GroupName::default();
    for (piece, characters) in pieces.iter_mut().zip(name.chunks(PIECE_LENGTH)) {
        for (word, bytes) in piece.iter_mut().zip(characters.chunks(8)) {
            let mut whole = [0; 8];
            for (to, from) in whole.iter_mut().zip(bytes) {
                *to = *from;
            }
            *word = u64::from_ne_bytes(whole);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Target {
        Target {
            port: NonZeroU16::new(18789).unwrap(),
            netns: None,
            control_group: GroupPath::below(Path::new("/"), Path::new(path)).unwrap(),
            main: MainProcess::ChildOf(7),
        }
    }

    #[test]
    fn names_go_from_the_innermost_on_and_end_with_zeros() {
        let record = target("/user.slice/x").record().unwrap();
        assert_eq!(record.depth, 2);
        let word = |text: &[u8; 8]| u64::from_ne_bytes(*text);
        assert_eq!(record.groups[0][0][0], word(b"x\0\0\0\0\0\0\0"));
        assert_eq!(record.groups[1][0][0], word(b"user.sli"));
        assert_eq!(record.groups[1][0][1], word(b"ce\0\0\0\0\0\0"));
        assert_eq!(record.groups[2], GroupName::default());
        assert_eq!((record.which, record.process), (contract::CHILD, 7));
    }

    #[test]
    fn a_long_name_is_in_pieces_of_sixty_three_characters() {
        let name = format!("{}y", "x".repeat(126));
        let [first, second, third, ..] = in_pieces(name.as_bytes());
        assert_eq!(first, second);
        assert_eq!(first[7].to_ne_bytes(), *b"xxxxxxx\0");
        assert_eq!(third[0].to_ne_bytes(), *b"y\0\0\0\0\0\0\0");
        // One that ends with a piece has an empty one behind it.
        assert_eq!(in_pieces(&name.as_bytes()[..126])[2], [0; 8]);
        assert_ne!(in_pieces(&[b'x'; 255])[4], [0; 8]);
    }

    #[test]
    fn what_is_no_path_of_names_is_refused() {
        let long = "x".repeat(256);
        let deep = "a/".repeat(17);
        for path in ["", "/", "a/../b", "..", long.as_str(), deep.as_str()] {
            let refused = GroupPath::below(Path::new("/"), Path::new(path));
            assert!(matches!(refused, Err(TargetError::Path(_))), "{path}");
        }
        for path in ["a", "/a/b", &"x".repeat(255), &"a/".repeat(16)] {
            assert!(GroupPath::below(Path::new("/"), Path::new(path)).is_ok());
        }
        assert!(GroupPath::below(Path::new("/no/such"), Path::new("a")).is_err());
    }
}
