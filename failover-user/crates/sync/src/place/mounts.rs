//! Where file systems are mounted: nothing is renamed from one into another, and no mount point is moved.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

const LIST: &str = "/proc/self/mountinfo";

/// The mount points that this process sees.
#[derive(Clone, Debug)]
pub(super) struct Mounts(Vec<PathBuf>);

impl Mounts {
    pub(super) fn read() -> Result<Self, Failure> {
        let list = fs::read(LIST).map_err(Failure::file("reading", Path::new(LIST)))?;
        Ok(Self::parse(&list))
    }

    /// The fifth word of each line is the mount point, with space, tab, newline and backslash in octal (proc(5)).
    fn parse(list: &[u8]) -> Self {
        let lines = list.split(|byte| *byte == b'\n');
        let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
        Self(points.map(unescaped).collect())
    }

    /// The mount point that a path without links is below, or is.
    pub(super) fn of(&self, path: &Path) -> &Path {
        let above = self.0.iter().filter(|point| path.starts_with(point));
        above
            .max_by_key(|point| point.components().count())
            .map_or(Path::new("/"), PathBuf::as_path)
    }

    /// The mount points in a folder, and it itself if it is one.
    pub(super) fn below(&self, path: &Path) -> impl Iterator<Item = &Path> {
        let points = self.0.iter().map(PathBuf::as_path);
        points.filter(move |point| point.starts_with(path))
    }

    /// Whether a path is a mount point, or has one below it.
    pub(super) fn are_in(&self, path: &Path) -> bool {
        self.below(path).next().is_some()
    }
}

fn unescaped(mut word: &[u8]) -> PathBuf {
    let mut path = Vec::new();
    while let Some((first, rest)) = word.split_first() {
        word = rest;
        let digits = rest
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, octal) {
            (b'\\', Some(byte)) => {
                path.push(byte);
                word = rest.get(3..).unwrap_or_default();
            }
            (byte, _) => path.push(*byte),
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_on_the_deepest_mount_above_it() {
        let mounts = Mounts::parse(
            b"22 1 0:1 / / rw - ext4 a rw\n23 22 0:2 / /home/a\\040b rw - ext4 b rw\n24 22 0:3 / /home rw - x c rw\n",
        );
        for (path, point) in [
            ("/home/a b/c", "/home/a b"),
            ("/home/a bc", "/home"),
            ("/var", "/"),
        ] {
            assert_eq!(mounts.of(Path::new(path)), Path::new(point), "{path}");
        }
        assert!(mounts.are_in(Path::new("/home/a b")) && mounts.are_in(Path::new("/home")));
        assert!(!mounts.are_in(Path::new("/home/a b/c")));
    }
}
