//! A local tree, a store with generations, and what they look like.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    failure::Failure,
    generation::{Manifest, Number},
    lineage::Epoch,
    outcome::Outcome,
    place,
    spec::{Limits, Order, Spec, StateSpec},
    store::{DATABASES, Store, TREE, below},
};

pub(crate) const DATABASE: &str = "agents/main/agent/openclaw-agent.sqlite";

pub(crate) struct Lab {
    _folder: TempDir,
    /// The tree, without links.
    pub(crate) root: PathBuf,
    pub(crate) spec: Spec,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::at(|folder| folder.join("home/.openclaw"))
    }

    /// With the tree at another place of the folder.
    pub(crate) fn at(root: impl Fn(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(folder.path()).unwrap();
        let root = root(&path);
        let spec = Spec {
            order: Order::Look,
            state: StateSpec {
                paths: vec![root.clone()],
                exclude: ["/cache/", "tmp/", "*.sqlite", "*.sqlite-*", "/last-good"]
                    .map(str::to_owned)
                    .to_vec(),
                databases: vec!["/agents/*/agent/openclaw-agent.sqlite".to_owned()],
                is_openclaw: true,
            },
            store: path.join("store"),
            source: None,
            limits: Limits {
                within: Duration::from_secs(20),
                bytes: 1 << 30,
                file_bytes: 1 << 30,
                files: 10_000,
                free_bytes: 0,
            },
            unit_file: None,
        };
        Self {
            _folder: folder,
            root,
            spec,
        }
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.spec.store).unwrap()
    }

    /// Writes files of the local tree.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        write(&self.root, files);
    }

    /// Makes a generation with these files, and a database with this row.
    pub(crate) fn generation(&self, number: u64, files: &[(&str, &str)], row: &str) {
        self.generation_with(number, files, |databases| {
            database(&databases.join(DATABASE), row);
            vec![DATABASE]
        });
    }

    /// The same with databases of the caller's.
    pub(crate) fn generation_with(
        &self,
        number: u64,
        files: &[(&str, &str)],
        make: impl FnOnce(&Path) -> Vec<&'static str>,
    ) {
        let store = self.store();
        let staging = store.stage(Number(number)).unwrap();
        let root = &self.spec.state.paths[0];
        let tree = below(&staging.path().join(TREE), root).unwrap();
        fs::create_dir_all(&tree).unwrap();
        write(&tree, files);
        let databases = below(&staging.path().join(DATABASES), root).unwrap();
        fs::create_dir_all(&databases).unwrap();
        let made = make(&databases);
        let versions = made.iter().map(|name| {
            let connection = Connection::open(databases.join(name)).unwrap();
            let number = connection
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .unwrap();
            (root.join(name), number)
        });
        let manifest = Manifest {
            number: Number(number),
            taken: Timestamp::UNIX_EPOCH,
            changed: None,
            epoch: Epoch {
                id: "a".to_owned(),
                ancestors: Vec::new(),
            },
            token: number.to_string(),
            gateway_version: None,
            databases: versions.collect(),
            files: 1,
            bytes: 1,
        };
        staging.commit(manifest).unwrap();
    }

    pub(crate) fn place(&self, keep: bool) -> Outcome {
        self.order(Order::Place { number: None, keep })
    }

    pub(crate) fn order(&self, order: Order) -> Outcome {
        crate::worker::run(&Spec {
            order,
            ..self.spec.clone()
        })
    }

    /// Places the newest generation, and is killed before this step; `None`: it came to its end before.
    pub(crate) fn place_until(&self, step: usize) -> Option<Failure> {
        let mut left = step;
        let mut kill = || match left.checked_sub(1) {
            Some(fewer) => {
                left = fewer;
                Ok(())
            }
            None => Err(Failure::local("killed")),
        };
        let store = self.store();
        let deadline = Instant::now() + Duration::from_secs(20);
        place::place_in_steps(&self.spec, &store, None, false, deadline, &mut kill).err()
    }

    /// The files of the local tree with what is in them, and the row of the database.
    pub(crate) fn tree(&self) -> BTreeMap<String, String> {
        tree(&self.root)
    }

    pub(crate) fn in_place(&self) -> Option<u64> {
        self.store()
            .placement()
            .unwrap()
            .in_place
            .map(|number| number.0)
    }

    /// The kept trees, by why they are kept.
    pub(crate) fn kept(&self) -> Vec<(String, PathBuf)> {
        let Outcome::Store { kept, .. } = self.order(Order::Look) else {
            panic!("looking failed")
        };
        let why = |path: &PathBuf| path.extension().unwrap().to_str().unwrap().to_owned();
        kept.into_iter().map(|path| (why(&path), path)).collect()
    }
}

pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub(crate) fn database(path: &Path, row: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA user_version = 23; CREATE TABLE turns (text);",
        )
        .unwrap();
    connection
        .execute("INSERT INTO turns VALUES (?1)", [row])
        .unwrap();
}

/// The row of a database.
pub(crate) fn row(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    connection
        .query_row("SELECT text FROM turns", [], |row| row.get(0))
        .unwrap()
}

pub(crate) fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            match fs::symlink_metadata(&path).unwrap().is_dir() {
                true => folders.push(path),
                false => paths.push(path),
            }
        }
    }
    let is_database = |path: &PathBuf| path.extension().is_some_and(|end| end == "sqlite");
    let (databases, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_database);
    let name = |path: &Path| {
        path.strip_prefix(folder)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    // First, because a database that is closed takes an empty log with it.
    let rows: Vec<_> = databases
        .iter()
        .map(|path| (name(path), row(path)))
        .collect();
    let others = others
        .iter()
        .filter(|path| fs::symlink_metadata(path).is_ok());
    let texts = others.map(|path| match fs::read_link(path) {
        Ok(to) => (name(path), format!("-> {}", to.display())),
        Err(_) => (name(path), fs::read_to_string(path).unwrap()),
    });
    texts.chain(rows).collect()
}

pub(crate) fn files<const COUNT: usize>(files: [(&str, &str); COUNT]) -> BTreeMap<String, String> {
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    files.into_iter().map(owned).collect()
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
