//! What keeps a unit from being started, or what it starts from working.

use std::{
    env,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use failover_linux::{escape, fs_credentials::Eyes};

use crate::{
    gateway::command::{
        account::{Account, AccountError},
        unit::Scope,
    },
    preflight::startable::{
        exec_line::{ExecLine, Specifiers, commands, words},
        executable::{Defect, Runner, told},
        read, script,
        unit_file::UnitFile,
    },
};

/// Where systemd looks for a program without a path, and what PATH is where nobody says it
/// (systemd.exec(5), ExecSearchPath=).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Far more than an environment file is.
const LONGEST: u64 = 256 * 1024;
/// Commands that have to succeed before the last kind is begun (systemd.service(5)).
const BEFORE: [&str; 2] = ["ExecCondition", "ExecStartPre"];
const START: &str = "ExecStart";

/// A unit, whose it is, and whose service manager has it.
struct Unit<'unit> {
    file: &'unit UnitFile,
    specifiers: Specifiers<'unit>,
    /// Whose processes it has; `None`: root's, or nobody knows.
    account: Option<Account>,
}

/// All that is wrong with it.
pub(in crate::preflight) fn defects(
    file: &UnitFile,
    name: &str,
    scope: Scope,
    manager: &Account,
) -> Vec<Defect> {
    let (account, mut defects) = match account_of(file, scope, manager) {
        Ok(account) => (account, Vec::new()),
        Err(error) => {
            let (what, remedy) = (
                error.to_string(),
                "write an account that there is into User=",
            );
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

/// Whose processes a unit has; `None`: those of the account that checks, or root's.
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

    /// Files that have to be there, or the start is left out, or fails.
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
                    // One of several is enough of those with a bar.
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
                                "{key}={} isn't met, so it isn't started",
                                escape::one_line(value)
                            ),
                            "see that it is, or take it out of the unit",
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
                let _eyes = self.managers_eyes();
                accessat(CWD, &path, Access::READ_OK, AtFlags::EACCESS).is_ok()
            };
            if !is_readable {
                defects.push(Defect::certain(
                    format!("its EnvironmentFile {} can't be read", told(&path)),
                    "make it, or take it out of the unit",
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

    /// Those that a service manager reads files with.
    fn managers_eyes(&self) -> Option<Eyes> {
        let account = self.specifiers.account;
        (self.specifiers.scope == Scope::User).then(|| Eyes::of(account.uid(), account.gid()))
    }

    /// Where its commands are run.
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
            let _eyes = self
                .account
                .as_ref()
                .map(|account| Eyes::of(account.uid(), account.gid()));
            folder.is_dir() && accessat(CWD, &folder, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
        };
        let defect = (is_needed && !is_there).then(|| {
            Defect::certain(
                format!(
                    "its WorkingDirectory {} is no folder that it can be in",
                    told(&folder)
                ),
                "make it, or write another into the unit",
            )
        });
        (folder, defect)
    }

    /// What `PATH` is for its commands, and whether the unit says it.
    fn path(&self) -> (String, bool) {
        let mut said = None;
        for (value, _) in self.list("Environment") {
            for word in words(value) {
                if let Some(path) = word.strip_prefix("PATH=") {
                    said = self.specifiers.expand(path);
                }
            }
        }
        for (value, _) in self.list("EnvironmentFile") {
            let path = self.specifiers.expand(value.trim_start_matches('-'));
            let text = path.and_then(|path| read(Path::new(&path), LONGEST).ok());
            for line in text.iter().flat_map(|text| text.lines()) {
                if let Some(path) = line.trim().strip_prefix("PATH=") {
                    said = Some(path.trim_matches(['"', '\'']).to_owned());
                }
            }
        }
        match said {
            Some(path) => (path, true),
            None => (DEFAULT_PATH.to_owned(), false),
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
                "it has no ExecStart=, so systemd refuses it".to_owned(),
                "install it again",
            ));
        }
        if starts.len() > 1 && !is_oneshot {
            defects.push(Defect::certain(
                "it has more than one ExecStart=, so systemd refuses it".to_owned(),
                "write an empty `ExecStart=` into the drop-in before its own",
            ));
        }
        // Behind another root directory nothing is where it is named.
        let is_elsewhere = ["RootDirectory", "RootImage"]
            .iter()
            .any(|key| self.file.one("Service", key).is_some());
        if is_elsewhere {
            return defects;
        }
        let (path, is_said) = self.path();
        let before = BEFORE.map(|key| (key, of(key)));
        for (key, lines) in before.into_iter().chain([(START, starts)]) {
            for line in lines.iter().filter(|line| key == START || !line.may_fail) {
                let runner = Runner {
                    account: self.account.as_ref().filter(|_| !line.is_privileged),
                    path: path.clone().into(),
                    falls_back: false,
                };
                if let Some(defect) = self.command(line, folder, &runner) {
                    defects.push(Defect {
                        message: format!("its {key}: {}", defect.message),
                        // The manager may have been given another PATH.
                        is_doubtful: defect.is_doubtful
                            || (!is_said && defect.message.contains("folder of PATH")),
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
                format!("`{shown}` is neither a full path nor a name, so systemd refuses it");
            return Some(Defect::certain(message, "write the full path"));
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
                    return Some(Defect::certain(
                        message,
                        "install it, or write its full path",
                    ));
                }
            }
        };
        if let Some(defect) = runner.defect_of(&path) {
            return Some(defect);
        }
        // What isn't known stays as it is written, and is passed over.
        let expanded = |word: &String| self.specifiers.expand(word).unwrap_or(word.clone());
        let arguments = line.arguments.iter().map(expanded);
        let words: Vec<String> = std::iter::once(program.clone()).chain(arguments).collect();
        script::defect_in(&words, folder, runner)
    }
}

#[cfg(test)]
mod tests;
