//! Copies a tree of a generation to where it will be used: modes and times are kept, links that lead out of the tree
//! are left out, and so is what is neither file, folder nor link.

use std::{
    fs::{self, File, FileTimes},
    io::{self, Read as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::{Component, Path, PathBuf},
    time::Instant,
};

use crate::{failure::Failure, files, pattern::Patterns};

/// Between two looks at the clock, in bytes.
const PIECE: u64 = 64 << 20;
/// What is kept of a file's mode: nothing runs with the rights of its owner because another host says so.
const MODE: u32 = 0o777;

/// A copy that is being made.
pub(crate) struct Copy<'a> {
    /// What is left out, by the path within the tree.
    pub(crate) exclude: &'a Patterns,
    /// Until when.
    pub(crate) deadline: Instant,
    /// Called before each file.
    pub(crate) step: &'a mut dyn FnMut() -> Result<(), Failure>,
    /// Folders that get their modes and times when nothing more is put into them.
    pub(crate) folders: Vec<(PathBuf, fs::Metadata)>,
}

impl Copy<'_> {
    /// Copies a file, link or folder, which is at this path within its tree.
    pub(crate) fn entry(
        &mut self,
        source: &Path,
        target: &Path,
        within: &Path,
    ) -> Result<(), Failure> {
        let mut left = vec![(source.to_owned(), target.to_owned(), within.to_owned())];
        while let Some((source, target, within)) = left.pop() {
            self.pause()?;
            let metadata =
                fs::symlink_metadata(&source).map_err(Failure::file("reading", &source))?;
            let is_folder = metadata.is_dir();
            if self
                .exclude
                .matches(within.as_os_str().as_bytes(), is_folder)
            {
                continue;
            }
            if is_folder {
                make_folder(&target).map_err(Failure::file("making", &target))?;
                let names = fs::read_dir(&source).map_err(Failure::file("listing", &source))?;
                for entry in names {
                    let entry = entry.map_err(Failure::file("listing", &source))?;
                    let name = entry.file_name();
                    left.push((entry.path(), target.join(&name), within.join(&name)));
                }
                self.folders.push((target, metadata));
            } else if metadata.is_symlink() {
                let to = fs::read_link(&source).map_err(Failure::file("reading", &source))?;
                if stays_within(&within, &to) {
                    symlink(&to, &target).map_err(Failure::file("making", &target))?;
                }
            } else if metadata.is_file() {
                self.file(&source, &target)?;
            }
        }
        Ok(())
    }

    /// Copies a file, and makes the folders that it is in.
    pub(crate) fn file(&mut self, source: &Path, target: &Path) -> Result<(), Failure> {
        self.pause()?;
        let from = files::open_regular(source).map_err(Failure::file("opening", source))?;
        if let Some(folder) = target.parent() {
            make_folder(folder).map_err(Failure::file("making", folder))?;
        }
        files::write(target, &[]).map_err(Failure::file("making", target))?;
        let to = File::options().write(true).open(target);
        let to = to.map_err(Failure::file("opening", target))?;
        loop {
            // Shares the blocks where the file system can.
            let copied = io::copy(&mut (&from).take(PIECE), &mut &to);
            match copied.map_err(Failure::file("writing", target))? {
                0 => break,
                _ => self.pause()?,
            }
        }
        let metadata = from.metadata().map_err(Failure::file("reading", source))?;
        dress(&to, &metadata).map_err(Failure::file("writing", target))
    }

    /// Gives the folders their modes and times.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        for (folder, metadata) in self.folders.iter().rev() {
            let open = files::open_folder(folder).map_err(Failure::file("opening", folder))?;
            dress(&open, metadata).map_err(Failure::file("writing", folder))?;
        }
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Failure> {
        if Instant::now() >= self.deadline {
            return Err(Failure::local(
                "copying the generation took longer than its limit; raise the limit, or copy less",
            ));
        }
        (self.step)()
    }
}

/// Mode and time of another file.
fn dress(file: &File, like: &fs::Metadata) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(like.mode() & MODE))?;
    file.set_times(FileTimes::new().set_modified(like.modified()?))
}

/// With those above it, for this account only.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Whether an entry, which is at this path within its tree, is copied at all.
pub(crate) fn is_copied(path: &Path, within: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    match metadata.is_symlink() {
        true => fs::read_link(path).is_ok_and(|to| stays_within(within, &to)),
        false => metadata.is_dir() || metadata.is_file(),
    }
}

/// Whether a link, which is at this path within its tree, leads to somewhere within it. It may climb at its beginning
/// only: behind a name that is a link itself, `..` is somewhere else.
fn stays_within(link: &Path, to: &Path) -> bool {
    let depth = link.components().count().saturating_sub(1);
    let is_climb = |component: &Component<'_>| matches!(component, Component::ParentDir);
    let climbs = to.components().take_while(is_climb).count();
    let mut rest = to.components().skip(climbs);
    climbs <= depth && rest.all(|one| matches!(one, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_lead_anywhere_within_its_tree() {
        for (link, to, expected) in [
            ("a", "b", true),
            ("a", "b/c", true),
            ("a", ".", true),
            ("x/a", "../b", true),
            ("x/y/a", "../../b/c", true),
            ("a", "..", false),
            ("x/a", "../../b", false),
            ("a", "/etc/passwd", false),
            // `b` may be a link to the tree itself.
            ("a", "b/..", false),
            ("x/a", "b/../..", false),
        ] {
            assert_eq!(
                stays_within(Path::new(link), Path::new(to)),
                expected,
                "{link} -> {to}"
            );
        }
    }
}
