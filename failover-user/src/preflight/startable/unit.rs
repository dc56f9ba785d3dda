//! Why a unit would not start, or its commands would fail.

use std::{
    env,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use failover_linux::{escape, fs_credentials::FsCredentials};

use crate::{
    gateway::command::{
        account::{Account, AccountError},
        unit::Scope,
    },
    preflight::startable::{
        exec_line::{ExecLine, Specifiers, commands, words},
        executable::{Defect, Runner, SearchPath, printable},
        read, script,
        unit_file::UnitFile,
    },
};

/// Where systemd searches for a program without a path, and its default PATH
/// (systemd.exec(5), ExecSearchPath=).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Far larger than an environment file.
const LONGEST: u64 = 256 * 1024;
/// Commands that must succeed before the next kind runs (systemd.service(5)).
const BEFORE: [&str; 2] = ["ExecCondition", "ExecStartPre"];
const START: &str = "ExecStart";

/// A unit, its account, and its service manager.
struct Unit<'unit> {
    file: &'unit UnitFile,
    specifiers: Specifiers<'unit>,
    /// The account of its processes; `None`: root, or unknown.
    account: Option<Account>,
}

/// All defects of the unit.
pub(in crate::preflight) fn defects(
    file: &UnitFile,
    name: &str,
    scope: Scope,
    manager: &Account,
) -> Vec<Defect> {
    let (account, mut defects) = match account_of(file, scope, manager) {
        Ok(account) => (account, Vec::new()),
        Err(error) => {
            let (what, remedy) = (error.to_string(), "set User= to an existing account");
            (
                None,
                vec![Defect::certain(format!("its User=: {what}"), remedy)],
            )
        }
    };
    let unit = Unit {
        file,
        specifiers: Specifiers {
            unit: name,
            scope,
            account: manager,
        },
        account,
    };
    defects.extend(unit.conditions());
    defects.extend(unit.environment_files());
    let (folder, defect) = unit.folder();
    defects.extend(defect);
    defects.extend(unit.commands(&folder));
    defects
}

/// The account of a unit's processes; `None`: root, or unknown.
fn account_of(
    file: &UnitFile,
    scope: Scope,
    manager: &Account,
) -> Result<Option<Account>, AccountError> {
    if scope == Scope::User {
        return Ok(Some(manager.clone()));
    }
    let is_dynamic = file.one("Service", "DynamicUser").is_some_and(is_true);
    match file.one("Service", "User") {
        Some(name) if !is_dynamic && !name.contains('%') && !is_number(name) => {
            Account::known(name).map(Some)
        }
        _ => Ok(None),
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "yes" | "true" | "on" | "1")
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Unit<'_> {
    fn list(&self, key: &str) -> Vec<(&str, &Path)> {
        self.file.list("Service", key)
    }

    /// Conditions and assertions about files, without which the unit does not start.
    fn conditions(&self) -> Vec<Defect> {
        let mut defects = Vec::new();
        for (key, is_met) in [
            ("PathExists", Path::exists as fn(&Path) -> bool),
            ("PathIsDirectory", Path::is_dir),
            ("FileIsExecutable", Path::is_file),
        ] {
            for kind in ["Condition", "Assert"] {
                let key = format!("{kind}{key}");
                for (value, _) in self.file.list("Unit", &key) {
                    // Of those with a bar, one is enough.
                    if value.starts_with('|') {
                        continue;
                    }
                    let (path, wanted) = match value.strip_prefix('!') {
                        Some(path) => (path, false),
                        None => (value, true),
                    };
                    let Some(path) = self.specifiers.expand(path.trim()) else {
                        continue;
                    };
                    if is_met(Path::new(&path)) != wanted {
                        defects.push(Defect::certain(
                            format!(
                                "{key}={} is not met, so the unit does not start",
                                escape::one_line(value)
                            ),
                            "meet the condition, or remove it from the unit",
                        ));
                    }
                }
            }
        }
        defects
    }

    fn environment_files(&self) -> Vec<Defect> {
        let mut defects = Vec::new();
        for path in self.needed_environment_files() {
            let is_readable = {
                let _credentials = self.managers_credentials();
                accessat(CWD, &path, Access::READ_OK, AtFlags::EACCESS).is_ok()
            };
            if !is_readable {
                defects.push(Defect::certain(
                    format!("its EnvironmentFile {} is not readable", printable(&path)),
                    "create it, or remove it from the unit",
                ));
            }
        }
        defects
    }

    fn needed_environment_files(&self) -> Vec<PathBuf> {
        let values = self.list("EnvironmentFile");
        values
            .iter()
            .filter(|(value, _)| !value.starts_with('-') && !value.contains(['*', '?', '[']))
            .filter_map(|(value, _)| Some(self.specifiers.expand(value)?.into()))
            .collect()
    }

    /// The credentials with which the service manager reads files.
    fn managers_credentials(&self) -> Option<FsCredentials> {
        let account = self.specifiers.account;
        (self.specifiers.scope == Scope::User)
            .then(|| FsCredentials::of(account.uid(), account.gid()))
    }

    /// The working directory of its commands.
    fn folder(&self) -> (PathBuf, Option<Defect>) {
        let home = || {
            let account = self.account.as_ref();
            account
                .map_or(Path::new("/root"), |account| account.home())
                .to_owned()
        };
        let Some(value) = self.file.one("Service", "WorkingDirectory") else {
            let folder = match self.specifiers.scope {
                Scope::System => "/".into(),
                Scope::User => home(),
            };
            return (folder, None);
        };
        let (value, is_needed) = match value.strip_prefix('-') {
            Some(value) => (value, false),
            None => (value, true),
        };
        let folder = match (value, self.specifiers.expand(value)) {
            ("~", _) => home(),
            (_, Some(folder)) => folder.into(),
            (_, None) => return ("/".into(), None),
        };
        let is_there = {
            let _credentials = self
                .account
                .as_ref()
                .map(|account| FsCredentials::of(account.uid(), account.gid()));
            folder.is_dir() && accessat(CWD, &folder, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
        };
        let defect = (is_needed && !is_there).then(|| {
            Defect::certain(
                format!(
                    "its WorkingDirectory {} is not an accessible folder",
                    printable(&folder)
                ),
                "create it, or set another in the unit",
            )
        });
        (folder, defect)
    }

    /// The `PATH` of its commands. Where the unit sets none, the service manager may have another one.
    fn path(&self) -> SearchPath {
        let mut set = None;
        for (value, _) in self.list("Environment") {
            for word in words(value) {
                if let Some(path) = word.strip_prefix("PATH=") {
                    set = self.specifiers.expand(path);
                }
            }
        }
        for (value, _) in self.list("EnvironmentFile") {
            let path = self.specifiers.expand(value.trim_start_matches('-'));
            let text = path.and_then(|path| read(Path::new(&path), LONGEST).ok());
            for line in text.iter().flat_map(|text| text.lines()) {
                if let Some(path) = line.trim().strip_prefix("PATH=") {
                    set = Some(path.trim_matches(['"', '\'']).to_owned());
                }
            }
        }
        match set {
            Some(path) => SearchPath::Known(path.into()),
            None => SearchPath::Assumed(DEFAULT_PATH.into()),
        }
    }

    fn commands(&self, folder: &Path) -> Vec<Defect> {
        let is_oneshot = self.file.one("Service", "Type") == Some("oneshot");
        let of = |key: &str| -> Vec<ExecLine> {
            let values = self.list(key);
            values
                .iter()
                .flat_map(|(value, _)| commands(value))
                .collect()
        };
        let starts = of(START);
        let mut defects = Vec::new();
        if starts.is_empty() && !is_oneshot {
            defects.push(Defect::certain(
                "it has no ExecStart=, so systemd rejects it".to_owned(),
                "reinstall it",
            ));
        }
        if starts.len() > 1 && !is_oneshot {
            defects.push(Defect::certain(
                "it has more than one ExecStart=, so systemd rejects it".to_owned(),
                "add an empty `ExecStart=` in the drop-in before its own",
            ));
        }
        // With another root directory the paths here do not apply.
        let is_elsewhere = ["RootDirectory", "RootImage"]
            .iter()
            .any(|key| self.file.one("Service", key).is_some());
        if is_elsewhere {
            return defects;
        }
        let path = self.path();
        let before = BEFORE.map(|key| (key, of(key)));
        for (key, lines) in before.into_iter().chain([(START, starts)]) {
            for line in lines.iter().filter(|line| key == START || !line.may_fail) {
                let runner = Runner {
                    account: self.account.as_ref().filter(|_| !line.is_privileged),
                    path: path.clone(),
                    falls_back: false,
                };
                if let Some(defect) = self.command(line, folder, &runner) {
                    defects.push(Defect {
                        message: format!("its {key}: {}", defect.message),
                        ..defect
                    });
                }
            }
        }
        defects
    }

    fn command(&self, line: &ExecLine, folder: &Path, runner: &Runner<'_>) -> Option<Defect> {
        let program = self.specifiers.expand(&line.program)?;
        let shown = escape::one_line(&program);
        let path = if program.starts_with('/') {
            PathBuf::from(&program)
        } else if program.contains('/') {
            let message =
                format!("`{shown}` is neither a full path nor a name, so systemd rejects it");
            return Some(Defect::certain(message, "use the full path"));
        } else {
            let folders = self
                .file
                .one("Service", "ExecSearchPath")
                .unwrap_or(DEFAULT_PATH);
            let mut programs = env::split_paths(folders).map(|folder| folder.join(&program));
            match programs.find(|program| program.is_file()) {
                Some(program) => program,
                None => {
                    let message = format!("there is no program `{shown}` in {folders}");
                    return Some(Defect::certain(message, "install it, or use its full path"));
                }
            }
        };
        if let Some(defect) = runner.defect_of(&path) {
            return Some(defect);
        }
        // Unknown specifiers stay unexpanded, and such paths are skipped.
        let expanded = |word: &String| self.specifiers.expand(word).unwrap_or(word.clone());
        let arguments = line.arguments.iter().map(expanded);
        let words: Vec<String> = std::iter::once(program.clone()).chain(arguments).collect();
        script::defect_in(&words, folder, runner)
    }
}

#[cfg(test)]
mod tests;
