//! Where both sides have their files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    failure::Failure,
    files, local,
    spec::{Spec, StateSpec},
    store::below,
};

/// Lines of both sides.
#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) primary: Vec<String>,
    pub(super) local: Vec<String>,
}

/// Where the local side has its files.
pub(crate) struct Side<'a> {
    pub(crate) spec: &'a Spec,
    /// The tree that the local gateway has served with, if another one is in place of it.
    pub(crate) served: Option<&'a Path>,
}

impl Side<'_> {
    /// Its databases, by the paths that both hosts have for them.
    pub(crate) fn databases(&self, deadline: Instant) -> Result<Vec<PathBuf>, Failure> {
        if self.served.is_none() {
            return local::databases(&self.spec.state, deadline);
        }
        let mut found = Vec::new();
        for path in &self.spec.state.paths {
            let Some(place) = self.place(path)? else {
                continue;
            };
            let state = StateSpec {
                paths: vec![place.clone()],
                ..self.spec.state.clone()
            };
            // Those of the root itself have no path within it.
            let within = |database: PathBuf| match database.strip_prefix(&place) {
                Ok(within) if within.as_os_str().is_empty() => Some(path.clone()),
                Ok(within) => Some(path.join(within)),
                Err(_) => None,
            };
            let databases = local::databases(&state, deadline)?;
            found.extend(databases.into_iter().filter_map(within));
        }
        Ok(found)
    }

    /// Where it has the file of this path; `None`: nowhere.
    pub(crate) fn place(&self, path: &Path) -> Result<Option<PathBuf>, Failure> {
        let place = match self.served {
            Some(served) => self.kept(served, path),
            None => local::real(path).ok(),
        };
        let Some(place) = place else {
            return Ok(None);
        };
        let exists = files::exists(&place).map_err(Failure::file("reading", &place))?;
        Ok(exists.then_some(place))
    }

    /// The place of a path in a kept tree, which has the paths without links.
    fn kept(&self, served: &Path, path: &Path) -> Option<PathBuf> {
        let roots = self.spec.state.paths.iter();
        let (root, within) = roots
            .filter_map(|root| Some((root, path.strip_prefix(root).ok()?)))
            .next()?;
        let root = fs::canonicalize(root).ok()?;
        let place = below(served, &root)?;
        if !files::exists(&place).ok()? {
            // The other host doesn't have this root, so it was left where it is.
            return local::real(path).ok();
        }
        Some(match within.as_os_str().is_empty() {
            true => place,
            false => place.join(within),
        })
    }
}
