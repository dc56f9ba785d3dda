//! Fetches with rsync: what hasn't changed becomes a link to the previous generation, of a database that has
//! changed only the differences are sent.

use std::{ffi::OsString, fs, os::unix::fs::DirBuilderExt as _, path::Path};

use crate::{
    failure::Failure,
    round::{measure, previous::Previous},
    rsync,
    session::Session,
    source::SourceState,
    spec::{Spec, StateSpec},
    store::{DATABASES, Staging, TREE},
    transport::HOST,
};

/// Below the home there: where the program puts copies of databases.
const COPIES: &str = ".cache/failover/sync/./databases";
/// The size of a page of SQLite's, in bytes: what has changed of a database is whole pages, so less is sent by blocks of
/// that size than by rsync's own, which lie across them.
const PAGE: &str = "--block-size=4096";
/// For a larger state, in bytes, the checksums of so small blocks would be more than is saved.
const LARGE: u64 = 64 << 20;
/// Times are compared to the nanosecond (rsync(1), since 3.1.3). By itself rsync takes a file of the same size for the same
/// if both are of one second, and most changes of a database leave its size: a round would link the older one.
const NANOSECONDS: &str = "--modify-window=-1";
/// What lies beside a database in use.
const SIDECARS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Fetches into the staged generation, and returns what came over the wire, in bytes.
pub(super) fn fetch(
    session: &Session<'_>,
    spec: &Spec,
    state: &SourceState,
    staging: &Staging<'_>,
    previous: Option<&Previous<'_>>,
) -> Result<u64, Failure> {
    let tree = staging.path().join(TREE);
    let copies = staging.path().join(DATABASES);
    for folder in [&tree, &copies] {
        let mut builder = fs::DirBuilder::new();
        builder
            .mode(0o700)
            .create(folder)
            .map_err(Failure::file("making", folder))?;
    }
    let way = session.way();
    let mut rsync = rsync::command(way)?;
    session.equip(&mut rsync)?;
    rsync.arg("--chmod=Du=rwx,u-s,go=");
    rsync.args([
        "--relative",
        "--no-implied-dirs",
        "--safe-links",
        NANOSECONDS,
    ]);
    if state.bytes < LARGE {
        rsync.arg(PAGE);
    }
    if let Some(Previous { folder, .. }) = previous {
        for folder in [folder.join(TREE), folder.clone()] {
            rsync.arg(with("--link-dest=", &folder));
        }
    }
    rsync.args(filters(&spec.state));
    rsync.arg(with(&format!("{HOST}:"), &state.home.join(COPIES)));
    for path in &spec.state.paths {
        rsync.arg(with(":/.", path));
    }
    rsync.arg(with("", &tree.join("")));
    let mut watch = measure::Watch::new(staging.path(), &spec.limits);
    let bytes = rsync::run(&mut rsync, way, || watch.look())?;
    // It comes with the tree, in the same connection.
    let arrived = tree.join(DATABASES);
    match fs::symlink_metadata(&arrived) {
        Ok(metadata) if metadata.is_dir() => {
            fs::rename(&arrived, &copies).map_err(Failure::file("renaming", &arrived))?;
        }
        // There is none where there are no databases.
        Ok(_) | Err(_) => {}
    }
    Ok(bytes)
}

/// Databases come as copies only. The first rule that matches decides.
fn filters(state: &StateSpec) -> Vec<String> {
    let mut rules = vec![format!("--include=/{DATABASES}/***")];
    let databases = state.databases.iter();
    let databases = databases.flat_map(|one| SIDECARS.map(|end| format!("{one}{end}")));
    for pattern in databases.chain(state.exclude.iter().cloned()) {
        match pattern.strip_prefix('/') {
            // What starts at the path starts at the root for rsync.
            Some(rest) => rules.extend(
                state
                    .paths
                    .iter()
                    .map(|path| format!("--exclude={}/{rest}", path.display())),
            ),
            None => rules.push(format!("--exclude={pattern}")),
        }
    }
    rules
}

fn with(before: &str, path: &Path) -> OsString {
    let mut word = OsString::from(before);
    word.push(path);
    word
}
