//! What has to be exchanged for a generation to be in place: the entries of each tree, one by one, so that those of
//! this machine stay where they are.
//!
//! An entry is exchanged whole unless a file system is mounted in it: then its own entries are.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{
    copy,
    failure::Failure,
    files,
    generation::Manifest,
    pattern::Patterns,
    place::{
        area::{AREA, Area, KEPT, STAGING},
        mounts::Mounts,
    },
    spec::StateSpec,
    store::{self, Carried, DATABASES, Store, SwapUnit, TREE},
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) units: Vec<SwapUnit>,
    pub(super) carried: Vec<Carried>,
    /// What each new entry is copied from.
    pub(super) sources: Vec<Source>,
    pub(super) areas: BTreeSet<Area>,
}

/// What a new entry is copied from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) staged: PathBuf,
    /// Its path within its root.
    pub(super) within: PathBuf,
    /// The entry in the generation's tree.
    pub(super) tree: Option<PathBuf>,
    /// Databases in it: where they are, and their paths within the entry.
    pub(super) databases: Vec<(PathBuf, PathBuf)>,
}

/// What makes a plan.
pub(super) struct Planner<'a> {
    pub(super) store: &'a Store,
    /// The generation's folder.
    pub(super) generation: PathBuf,
    pub(super) manifest: &'a Manifest,
    pub(super) mounts: Mounts,
    pub(super) exclude: Patterns,
    pub(super) databases: Patterns,
    /// The folders of the databases of the root that is being planned, by their paths within it.
    pub(super) database_folders: BTreeSet<PathBuf>,
    /// The name under which old entries are kept.
    pub(super) name: String,
    pub(super) plan: Plan,
}

/// A folder that is exchanged entry by entry.
struct Folder<'a> {
    root: &'a Path,
    /// The folder itself, without links.
    target: PathBuf,
    /// Its path within the root.
    within: PathBuf,
    /// Its copy in the generation's tree.
    tree: Option<PathBuf>,
    /// Databases in it, by their paths within it.
    databases: BTreeMap<PathBuf, PathBuf>,
}

impl Planner<'_> {
    pub(super) fn plan(mut self, state: &StateSpec) -> Result<Plan, Failure> {
        for path in &state.paths {
            let is_within = |other: &&PathBuf| path != *other && path.starts_with(other);
            if !state.paths.iter().any(|other| is_within(&other)) {
                self.root(path)?;
            }
        }
        Ok(self.plan)
    }

    fn root(&mut self, path: &Path) -> Result<(), Failure> {
        let tree = store::really_below(&self.generation.join(TREE), path);
        let tree = tree.map_err(|error| refused(path, &error))?;
        let databases = self.databases_in(path)?;
        let metadata = match fs::symlink_metadata(&tree) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::file("reading", &tree)(error)),
        };
        match (metadata, databases.get(Path::new(""))) {
            // The other host doesn't have it: that is no reason to remove it here.
            (None, None) if databases.is_empty() => Ok(()),
            (_, Some(database)) => self.file(path, None, Some(database.clone())),
            (Some(metadata), None) if metadata.is_file() => self.file(path, Some(tree), None),
            (Some(metadata), None) if !metadata.is_dir() => Err(Failure::check(format!(
                "{} is neither a file nor a folder in the generation; give its real path on the other host",
                path.display()
            ))),
            (metadata, None) => {
                let root = made(path)?;
                let folders = databases.keys().filter_map(|path| path.parent());
                self.database_folders = folders.map(Path::to_owned).collect();
                self.folder(&Folder {
                    root: &root,
                    target: root.clone(),
                    within: PathBuf::new(),
                    tree: metadata.map(|_| tree),
                    databases,
                })
            }
        }
    }

    /// Databases of the generation in a root, by their paths within it.
    fn databases_in(&self, root: &Path) -> Result<BTreeMap<PathBuf, PathBuf>, Failure> {
        let mut databases = BTreeMap::new();
        for path in self.manifest.databases.keys() {
            if let Ok(within) = path.strip_prefix(root) {
                let copy = store::really_below(&self.generation.join(DATABASES), path);
                let copy = copy.map_err(|error| refused(path, &error))?;
                databases.insert(within.to_owned(), copy);
            }
        }
        Ok(databases)
    }

    /// A root that is a file.
    fn file(
        &mut self,
        path: &Path,
        tree: Option<PathBuf>,
        database: Option<PathBuf>,
    ) -> Result<(), Failure> {
        let folder = made(path.parent().unwrap_or(Path::new("/")))?;
        let Some(name) = path.file_name() else {
            return Ok(());
        };
        // The place of the file that a link leads to.
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(_) => folder.join(name),
        };
        let area = Area::of(&folder, &folder, &self.mounts, self.store.path());
        let is_database = database.is_some();
        let source = Source {
            staged: self.staged(&area),
            within: PathBuf::from(name),
            tree,
            databases: database
                .map(|copy| (copy, PathBuf::new()))
                .into_iter()
                .collect(),
        };
        self.unit(&area, target.clone(), Some(source))?;
        for suffix in ["-wal", "-shm", "-journal"].iter().filter(|_| is_database) {
            let mut beside = target.clone().into_os_string();
            beside.push(suffix);
            let beside = PathBuf::from(beside);
            if files::exists(&beside).map_err(Failure::file("reading", &beside))? {
                self.unit(&area, beside, None)?;
            }
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Folder<'_>) -> Result<(), Failure> {
        let area = Area::of(&folder.target, folder.root, &self.mounts, self.store.path());
        let mut names = names(&folder.target)?;
        if let Some(tree) = &folder.tree {
            names.extend(self::names(tree)?);
        }
        let firsts = folder
            .databases
            .keys()
            .filter_map(|path| path.iter().next());
        names.extend(firsts.map(OsString::from));
        for name in names {
            let target = folder.target.join(&name);
            let within = folder.within.join(&name);
            let tree = folder.tree.as_ref().map(|tree| tree.join(&name));
            let tree = tree.filter(|tree| copy::is_copied(tree, &within));
            let databases = folder.databases.iter().filter_map(|(path, copy)| {
                let path = path.strip_prefix(&name).ok()?;
                Some((path.to_owned(), copy.clone()))
            });
            let databases: BTreeMap<_, _> = databases.collect();
            if databases.is_empty() && self.stays(&within, is_folder(&target, tree.as_deref())) {
                continue;
            }
            let has_new = tree.is_some() || !databases.is_empty();
            if !has_new && leads_out(&target, &within) {
                continue;
            }
            if self.mounts.are_in(&target) {
                self.folder(&Folder {
                    root: folder.root,
                    target,
                    within,
                    tree: tree.filter(|tree| is_folder(tree, None)),
                    databases,
                })?;
                continue;
            }
            if has_new {
                self.carry(&area, &target, &within)?;
            }
            let source = has_new.then(|| Source {
                staged: self.staged(&area),
                within,
                tree,
                databases: databases
                    .into_iter()
                    .map(|(path, copy)| (copy, path))
                    .collect(),
            });
            self.unit(&area, target, source)?;
        }
        Ok(())
    }

    fn unit(
        &mut self,
        area: &Area,
        target: PathBuf,
        source: Option<Source>,
    ) -> Result<(), Failure> {
        let exists = files::exists(&target).map_err(Failure::file("reading", &target))?;
        self.plan.units.push(SwapUnit {
            old: exists.then(|| self.aside(area, &target)),
            target,
            staged: source.as_ref().map(|source| source.staged.clone()),
        });
        self.plan.sources.extend(source);
        self.plan.areas.insert(area.clone());
        Ok(())
    }

    /// What belongs to this machine in an entry that is exchanged moves into the new one.
    fn carry(&mut self, area: &Area, target: &Path, within: &Path) -> Result<(), Failure> {
        let mut folders = vec![(target.to_owned(), within.to_owned())];
        while let Some((folder, within)) = folders.pop() {
            if !is_folder(&folder, None) {
                continue;
            }
            for name in names(&folder)? {
                let (path, within) = (folder.join(&name), within.join(&name));
                let is_folder = is_folder(&path, None);
                if self.stays(&within, is_folder) || leads_out(&path, &within) {
                    let from = self.aside(area, &path);
                    self.plan.carried.push(Carried { from, to: path });
                } else if is_folder {
                    folders.push((path, within));
                }
            }
        }
        Ok(())
    }

    /// Whether an entry belongs to this machine. What lies beside a database never outlives it: a log of another one
    /// would destroy the new one.
    fn stays(&self, within: &Path, is_folder: bool) -> bool {
        let bytes = within.as_os_str().as_bytes();
        let name = within.file_name().unwrap_or_default();
        if name == AREA {
            return true;
        }
        let is_of_database = [&b""[..], b"-wal", b"-shm", b"-journal"]
            .iter()
            .filter_map(|suffix| bytes.strip_suffix(*suffix))
            .any(|path| self.databases.matches(path, false));
        let folder = within.parent().unwrap_or(Path::new(""));
        let is_beside_one = !is_folder
            && has(name.as_bytes(), b".sqlite")
            && self.database_folders.contains(folder);
        self.exclude.matches(bytes, is_folder) && !is_of_database && !is_beside_one
    }

    fn staged(&self, area: &Area) -> PathBuf {
        area.0
            .join(STAGING)
            .join(self.plan.sources.len().to_string())
    }

    fn aside(&self, area: &Area, target: &Path) -> PathBuf {
        let folder = area.0.join(KEPT).join(&self.name);
        store::below(&folder, target).unwrap_or(folder)
    }
}

/// Something of the generation isn't what a generation has.
fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::check(format!(
        "the generation's copy of {} can't be used: {error}",
        path.display()
    ))
}

/// The folder without links; made if there is none.
fn made(path: &Path) -> Result<PathBuf, Failure> {
    copy::make_folder(path).map_err(Failure::file("making", path))?;
    fs::canonicalize(path).map_err(Failure::file("opening", path))
}

fn names(folder: &Path) -> Result<BTreeSet<OsString>, Failure> {
    let entries = fs::read_dir(folder).map_err(Failure::file("listing", folder))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    names
        .collect::<Result<_, _>>()
        .map_err(Failure::file("listing", folder))
}

/// Whether it is a link out of the tree: such a link isn't copied, so it is this machine's.
fn leads_out(path: &Path, within: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    is_link && !copy::is_copied(path, within)
}

fn is_folder(path: &Path, or: Option<&Path>) -> bool {
    let is = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    is(path) || or.is_some_and(is)
}

fn has(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window == part)
}
