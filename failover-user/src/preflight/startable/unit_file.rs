//! Merges a unit like systemd: the first file with its name in the search path, and its drop-ins
//! (systemd.unit(5), "Unit File Load Path" and "Description").

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use failover_linux::fs_credentials::FsCredentials;

use crate::{
    gateway::command::{account::Account, unit::Scope},
    preflight::startable::read,
};

/// Far larger than a unit.
const LONGEST: u64 = 1024 * 1024;
/// Limit for drop-ins.
const MOST_DROP_INS: usize = 200;

/// The result of loading a unit.
#[derive(Debug)]
pub(in crate::preflight) enum Loaded {
    /// The unit does not exist.
    Missing,
    /// Masked, by this file.
    Masked(PathBuf),
    /// It exists, but is not readable.
    Unreadable(PathBuf, io::Error),
    /// The unit.
    Found(UnitFile),
}

/// A unit's settings, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::preflight) struct UnitFile {
    /// The main file.
    pub(in crate::preflight) path: PathBuf,
    settings: Vec<Setting>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Setting {
    section: String,
    key: String,
    value: String,
    /// The file with this setting.
    file: PathBuf,
}

/// Loads the unit with this full name.
pub(in crate::preflight) fn load(scope: Scope, name: &str, account: &Account) -> Loaded {
    let _credentials =
        (scope == Scope::User).then(|| FsCredentials::of(account.uid(), account.gid()));
    load_from(&search_path(scope, account), name)
}

fn load_from(folders: &[PathBuf], name: &str) -> Loaded {
    let file_names = [Some(name.to_owned()), template_of(name)];
    let found = file_names.iter().flatten().find_map(|name| {
        let places = folders.iter().map(|folder| folder.join(name));
        // Without following links: a mask links to /dev/null.
        places
            .into_iter()
            .find(|path| path.symlink_metadata().is_ok())
    });
    let Some(path) = found else {
        return Loaded::Missing;
    };
    if is_nothing(&path) {
        return Loaded::Masked(path);
    }
    let mut unit = UnitFile {
        path: path.clone(),
        ..UnitFile::default()
    };
    match read(&path, LONGEST) {
        Ok(text) => unit.add(&text, &path),
        Err(error) => return Loaded::Unreadable(path, error),
    }
    for path in drop_ins(folders, name, &path) {
        if let Ok(text) = read(&path, LONGEST) {
            unit.add(&text, &path);
        }
    }
    Loaded::Found(unit)
}

/// The search path, highest priority first.
fn search_path(scope: Scope, account: &Account) -> Vec<PathBuf> {
    match scope {
        Scope::System => [
            "/etc/systemd/system.control",
            "/run/systemd/system.control",
            "/run/systemd/transient",
            "/run/systemd/generator.early",
            "/etc/systemd/system",
            "/etc/systemd/system.attached",
            "/run/systemd/system",
            "/run/systemd/system.attached",
            "/run/systemd/generator",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
            "/run/systemd/generator.late",
        ]
        .map(PathBuf::from)
        .to_vec(),
        Scope::User => {
            let home = account.home();
            let runtime = PathBuf::from(format!("/run/user/{}/systemd", account.uid()));
            vec![
                home.join(".config/systemd/user.control"),
                runtime.join("user.control"),
                runtime.join("transient"),
                runtime.join("generator.early"),
                home.join(".config/systemd/user"),
                "/etc/xdg/systemd/user".into(),
                "/etc/systemd/user".into(),
                runtime.join("user"),
                "/run/systemd/user".into(),
                runtime.join("generator"),
                home.join(".local/share/systemd/user"),
                "/usr/local/share/systemd/user".into(),
                "/usr/share/systemd/user".into(),
                "/usr/local/lib/systemd/user".into(),
                "/usr/lib/systemd/user".into(),
                "/lib/systemd/user".into(),
                runtime.join("generator.late"),
            ]
        }
    }
}

/// `bot@.service` for `bot@one.service`.
fn template_of(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{suffix}"))
}

/// A link to /dev/null or an empty file masks a unit (systemd.unit(5)).
fn is_nothing(path: &Path) -> bool {
    let leads_to_null = fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null"));
    let is_empty = path
        .metadata()
        .is_ok_and(|found| found.is_file() && found.len() == 0);
    leads_to_null || is_empty
}

/// Drop-ins in the order in which they apply: by file name, whatever the folder; of two with the same name the
/// one in the first folder counts.
fn drop_ins(folders: &[PathBuf], name: &str, unit: &Path) -> Vec<PathBuf> {
    let mut by_name: BTreeMap<String, PathBuf> = BTreeMap::new();
    for of in drop_in_names(name, unit) {
        for folder in folders {
            let entries = fs::read_dir(folder.join(&of)).into_iter().flatten();
            for entry in entries.take(MOST_DROP_INS).flatten() {
                if let Ok(name) = entry.file_name().into_string()
                    && name.ends_with(".conf")
                {
                    by_name.entry(name).or_insert_with(|| entry.path());
                }
            }
        }
    }
    by_name
        .into_values()
        .filter(|path| !is_nothing(path))
        .collect()
}

/// The names whose drop-ins apply: the unit, its template, its alias target, each prefix that ends with a
/// hyphen, and its kind.
fn drop_in_names(name: &str, unit: &Path) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    names.extend(template_of(name));
    let target = unit.canonicalize().ok();
    let target = target.as_deref().and_then(Path::file_name);
    names.extend(target.and_then(|target| target.to_str()).map(str::to_owned));
    if let Some((stem, suffix)) = name.rsplit_once('.') {
        let hyphens: Vec<usize> = stem.match_indices('-').map(|(at, _)| at).collect();
        let beginnings = hyphens.iter().rev().filter_map(|at| stem.get(..=*at));
        names.extend(beginnings.map(|beginning| format!("{beginning}.{suffix}")));
        names.push(suffix.to_owned());
    }
    let mut folders: Vec<String> = Vec::new();
    for name in names {
        let folder = format!("{name}.d");
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

impl UnitFile {
    /// Parses systemd.syntax(7).
    fn add(&mut self, text: &str, file: &Path) {
        let mut section = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim().to_owned();
            if is_comment(&line) {
                continue;
            }
            while let Some(begun) = line.strip_suffix('\\') {
                let Some(next) = lines.next() else { break };
                // A comment between continuation lines is skipped.
                line = match is_comment(next.trim_start()) {
                    true => format!("{begun}\\"),
                    false => format!("{begun} {}", next.trim()),
                };
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                self.settings.push(Setting {
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    file: file.to_owned(),
                });
            }
        }
    }

    fn all<'unit>(&'unit self, section: &str, key: &str) -> impl Iterator<Item = &'unit Setting> {
        let fits = move |setting: &&Setting| setting.section == section && setting.key == key;
        self.settings
            .iter()
            .filter(fits)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The values of a list setting, each with its file. An empty value resets the list.
    pub(in crate::preflight) fn list(&self, section: &str, key: &str) -> Vec<(&str, &Path)> {
        let mut list = Vec::new();
        for setting in self.all(section, key) {
            match setting.value.is_empty() {
                true => list.clear(),
                false => list.push((setting.value.as_str(), setting.file.as_path())),
            }
        }
        list
    }

    /// The value of a single setting: the last one.
    pub(in crate::preflight) fn one(&self, section: &str, key: &str) -> Option<&str> {
        let last = self.all(section, key).last()?;
        (!last.value.is_empty()).then_some(last.value.as_str())
    }
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with(['#', ';'])
}

/// A unit with this text and no drop-ins.
#[cfg(test)]
pub(super) fn for_tests(text: &str) -> UnitFile {
    let mut unit = UnitFile::default();
    unit.add(text, Path::new("/unit"));
    unit
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn list(&self) -> [PathBuf; 2] {
            ["etc", "usr"].map(|name| self.0.path().join(name))
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn mask(&self, path: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink("/dev/null", path).unwrap();
        }

        #[track_caller]
        fn starts(&self, name: &str, expected: &[&str]) {
            match load_from(&self.list(), name) {
                Loaded::Found(unit) => {
                    let list = unit.list("Service", "ExecStart");
                    let starts: Vec<&str> = list.into_iter().map(|(value, _)| value).collect();
                    assert_eq!(starts, expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_first_of_the_search_path_counts_and_nothing_is_a_mask() {
        let folders = Folders::new();
        assert!(matches!(
            load_from(&folders.list(), "a.service"),
            Loaded::Missing
        ));
        folders.write("usr/a.service", "[Service]\nExecStart=/usr\n");
        folders.starts("a.service", &["/usr"]);
        folders.write("etc/a.service", "[Service]\nExecStart=/etc\n");
        folders.starts("a.service", &["/etc"]);
        folders.write("etc/a.service", "");
        assert!(matches!(
            load_from(&folders.list(), "a.service"),
            Loaded::Masked(_)
        ));
        fs::remove_file(folders.list()[0].join("a.service")).unwrap();
        folders.mask("etc/a.service");
        assert!(matches!(
            load_from(&folders.list(), "a.service"),
            Loaded::Masked(_)
        ));
        symlink("/no/where", folders.list()[0].join("b.service")).unwrap();
        assert!(matches!(
            load_from(&folders.list(), "b.service"),
            Loaded::Unreadable(..)
        ));
    }

    #[test]
    fn drop_ins_are_applied_by_name_and_an_empty_value_takes_back() {
        let folders = Folders::new();
        folders.write("usr/a-b.service", "[Service]\nExecStart=/one\n");
        folders.write("usr/a-b.service.d/20.conf", "[Service]\nExecStart=/two\n");
        folders.starts("a-b.service", &["/one", "/two"]);
        folders.write(
            "etc/a-b.service.d/30.conf",
            "[Service]\nExecStart=\nExecStart=/three\n",
        );
        folders.starts("a-b.service", &["/three"]);
        // Applied later, though it is of more units.
        folders.write(
            "usr/a-.service.d/40.conf",
            "[Service]\nExecStart=\nExecStart=/four\n",
        );
        folders.starts("a-b.service", &["/four"]);
        folders.write(
            "usr/service.d/50.conf",
            "[Service]\nExecStart=\nExecStart=/five\n",
        );
        folders.starts("a-b.service", &["/five"]);
        folders.mask("etc/service.d/50.conf");
        folders.mask("etc/a-.service.d/40.conf");
        folders.starts("a-b.service", &["/three"]);
        // No drop-in by its name.
        folders.write("etc/a-b.service.d/99.conf~", "[Service]\nExecStart=\n");
        folders.starts("a-b.service", &["/three"]);
    }

    #[test]
    fn an_instance_has_its_template_and_an_alias_its_targets_drop_ins() {
        let folders = Folders::new();
        folders.write("usr/a@.service", "[Service]\nExecStart=/a %i\n");
        folders.write("etc/a@.service.d/1.conf", "[Service]\nExecStart=/b\n");
        folders.starts("a@x.service", &["/a %i", "/b"]);
        folders.write("usr/real.service", "[Service]\nExecStart=/real\n");
        folders.write("etc/real.service.d/1.conf", "[Service]\nExecStart=/more\n");
        symlink(
            folders.list()[1].join("real.service"),
            folders.list()[0].join("alias.service"),
        )
        .unwrap();
        folders.starts("alias.service", &["/real", "/more"]);
    }

    #[test]
    fn lines_go_on_comments_do_not_count_and_sections_are_told_apart() {
        let mut unit = UnitFile::default();
        unit.add(
            "[Unit]\nExecStart=/unit\n[Service]\n# ExecStart=/no\n; ExecStart=/no\nExecStart = /a \\\n# no\n  b \\\n c\n\
             WorkingDirectory=/x\nWorkingDirectory=/y\nnonsense\nUser=\n",
            Path::new("/f"),
        );
        let start = unit.list("Service", "ExecStart");
        let words: Vec<&str> = start[0].0.split_whitespace().collect();
        assert_eq!((start.len(), words), (1, vec!["/a", "b", "c"]));
        assert_eq!(unit.one("Service", "WorkingDirectory"), Some("/y"));
        assert_eq!(unit.one("Service", "User"), None);
        assert_eq!(unit.one("Unit", "ExecStart"), Some("/unit"));
    }

    proptest! {
        #[test]
        fn no_file_breaks_it(text in "([\\[\\]=#;\\\\ a]|\n){0,60}") {
            let mut unit = UnitFile::default();
            unit.add(&text, Path::new("/f"));
            let _ = unit.list("a", "a");
        }
    }
}
