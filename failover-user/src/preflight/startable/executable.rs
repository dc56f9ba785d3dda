//! Would the kernel run this program (execve(2))? Checks its file, its interpreter and its loader.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use failover_linux::{escape, fs_credentials::FsCredentials};

use crate::{
    gateway::command::{account::Account, command_line::obstacle_to},
    preflight::startable::{binfmt, elf},
};

/// The number of bytes that the kernel examines (`BINPRM_BUF_SIZE`, include/uapi/linux/binfmts.h, 6.18).
const BEGINNING: usize = 256;
/// Nested script interpreters: with more the kernel returns ELOOP (exec_binprm, fs/exec.c, 6.18).
const DEEPEST: usize = 5;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The account and PATH with which a program runs.
#[derive(Clone, Debug)]
pub(in crate::preflight) struct Runner<'account> {
    /// `None`: this process's own account.
    pub(in crate::preflight) account: Option<&'account Account>,
    pub(in crate::preflight) path: SearchPath,
    /// Run a program of unknown format with `/bin/sh`, like execvp(3) and unlike execve(2).
    pub(in crate::preflight) falls_back: bool,
}

/// Where a program without a path is searched for.
#[derive(Clone, Debug)]
pub(in crate::preflight) enum SearchPath {
    /// The program gets this PATH.
    Known(OsString),
    /// It gets this one unless its service manager has another.
    Assumed(OsString),
}

impl SearchPath {
    fn folders(&self) -> &OsStr {
        match self {
            Self::Known(folders) | Self::Assumed(folders) => folders,
        }
    }

    fn is_assumed(&self) -> bool {
        match self {
            Self::Known(_) => false,
            Self::Assumed(_) => true,
        }
    }
}

/// Why a program cannot run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::preflight) struct Defect {
    pub(in crate::preflight) message: String,
    pub(in crate::preflight) remedy: String,
    /// It may still work.
    pub(in crate::preflight) is_doubtful: bool,
}

impl Defect {
    pub(super) fn certain(message: String, remedy: impl Into<String>) -> Self {
        Self {
            message,
            remedy: remedy.into(),
            is_doubtful: false,
        }
    }
}

pub(super) fn printable(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

impl<'account> Runner<'account> {
    /// The runner of a configured command.
    pub(in crate::preflight) fn of_command(
        account: Option<&'account Account>,
        program: &Path,
    ) -> Self {
        let path = match account {
            Some(account) => account
                .environment(program)
                .remove(OsStr::new("PATH"))
                .unwrap_or_default(),
            None => env::var_os("PATH").unwrap_or_default(),
        };
        Self {
            account,
            path: SearchPath::Known(path),
            falls_back: true,
        }
    }

    /// Why this program cannot run, if so. Its path is absolute.
    pub(in crate::preflight) fn defect_of(&self, program: &Path) -> Option<Defect> {
        self.look_at(program, 0)
    }

    /// The first executable in PATH with this name.
    pub(super) fn found(&self, name: &str) -> Option<PathBuf> {
        let _credentials = self.credentials();
        env::split_paths(self.path.folders())
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|program| obstacle_to(program).is_none())
    }

    /// A program that is not in PATH: what is missing, and what to do about it.
    pub(super) fn missing(&self, what: &str, remedy: impl Into<String>) -> Defect {
        let folders = escape::one_line(&self.path.folders().to_string_lossy());
        Defect {
            is_doubtful: self.path.is_assumed(),
            ..Defect::certain(format!("{what} is not in PATH ({folders})"), remedy)
        }
    }

    /// Does the account see this path?
    pub(super) fn sees(&self, path: &Path) -> bool {
        let _credentials = self.credentials();
        path.exists()
    }

    pub(super) fn can_read(&self, path: &Path) -> bool {
        let _credentials = self.credentials();
        accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS).is_ok()
    }

    fn credentials(&self) -> Option<FsCredentials> {
        self.account
            .map(|account| FsCredentials::of(account.uid(), account.gid()))
    }

    fn by(&self) -> String {
        let account = self
            .account
            .map(|account| format!(" by {}", account.name()));
        account.unwrap_or_default()
    }

    fn look_at(&self, program: &Path, depth: usize) -> Option<Defect> {
        let shown = printable(program);
        let obstacle = {
            let _credentials = self.credentials();
            obstacle_to(program)
        };
        if let Some(obstacle) = obstacle {
            let reason = obstacle.to_string();
            let (what, remedy) = reason
                .split_once("; ")
                .unwrap_or((&reason, "make it executable for the account"));
            let message = format!("`{shown}` cannot be run{}: {what}", self.by());
            return Some(Defect::certain(message, remedy));
        }
        // A program may be executable but not readable.
        let file = self.open(program).ok()?;
        let mut beginning = [0; BEGINNING];
        let length = file.read_at(&mut beginning, 0).ok()?;
        let beginning = beginning.get(..length)?;
        if let Some(line) = beginning.strip_prefix(b"#!") {
            return self.look_at_script(program, line, depth);
        }
        if binfmt::is_known(program, beginning) {
            return None;
        }
        match elf::read(&file) {
            Some(elf) => self.look_at_elf(&shown, &elf),
            None => Some(self.unknown_format(&shown, beginning)),
        }
    }

    fn open(&self, program: &Path) -> io::Result<File> {
        File::open(program).or_else(|_| {
            let _credentials = self.credentials();
            File::open(program)
        })
    }

    fn unknown_format(&self, shown: &str, beginning: &[u8]) -> Defect {
        const REMEDY: &str = "add the interpreter in its first line, for example `#!/bin/sh`";
        let what = if beginning.is_empty() {
            "is empty"
        } else if beginning.starts_with(UTF8_MARK) {
            "begins with a byte order mark, which hides its `#!`"
        } else if beginning.starts_with(b"\x7fELF") {
            return Defect::certain(
                format!("`{shown}` is a damaged program (ELF)"),
                "reinstall it",
            );
        } else {
            "has no `#!` line, and is in no format that this machine can run"
        };
        match self.falls_back {
            // The C library runs it with /bin/sh (execvp(3)), and so does the daemon.
            true => Defect {
                message: format!("`{shown}` {what}: it may run with /bin/sh"),
                remedy: REMEDY.to_owned(),
                is_doubtful: true,
            },
            false => Defect::certain(format!("`{shown}` {what}"), REMEDY),
        }
    }

    fn look_at_elf(&self, shown: &str, elf: &elf::Elf) -> Option<Defect> {
        let own = File::open("/proc/self/exe")
            .ok()
            .and_then(|own| elf::read(&own));
        if let Some(own) = own
            && !elf::is_run_by(elf.machine, own.machine)
        {
            return Some(Defect::certain(
                format!(
                    "`{shown}` is for another architecture: {}, but this machine is {}",
                    elf::machine_name(elf.machine),
                    elf::machine_name(own.machine)
                ),
                "install it for this architecture",
            ));
        }
        let loader = elf.loader.as_deref()?;
        let obstacle = {
            let _credentials = self.credentials();
            obstacle_to(loader)
        }?;
        let reason = obstacle.to_string();
        let reason = reason.split("; ").next().unwrap_or_default();
        Some(Defect::certain(
            format!(
                "`{shown}` needs the loader `{}`, and {reason}",
                printable(loader)
            ),
            "install the build for this distribution: this one uses another C library",
        ))
    }

    /// `line`: the text after `#!`, or its beginning.
    fn look_at_script(&self, script: &Path, line: &[u8], depth: usize) -> Option<Defect> {
        let shown = printable(script);
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.ends_with(b"\r") {
            return Some(Defect::certain(
                format!(
                    "the first line of `{shown}` ends with a carriage return, as on Windows: its \
                     interpreter is not found"
                ),
                format!("`sed -i 's/\\r$//' {shown}`"),
            ));
        }
        if !self.can_read(script) {
            return Some(Defect::certain(
                format!(
                    "`{shown}` is not readable{}, but its interpreter must read it",
                    self.by()
                ),
                format!("`chmod a+r {shown}`"),
            ));
        }
        let line = line.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace);
        let (interpreter, argument) = line.split_at(end.unwrap_or(line.len()));
        let argument = String::from_utf8_lossy(argument.trim_ascii()).into_owned();
        if interpreter.is_empty() {
            return Some(Defect::certain(
                format!("the first line of `{shown}` names no interpreter"),
                "add one after its `#!`, for example `#!/bin/sh`",
            ));
        }
        if depth == DEEPEST {
            return Some(Defect::certain(
                format!("`{shown}` has too many levels of script interpreters"),
                "use a binary interpreter after its `#!`",
            ));
        }
        let interpreter = Path::new(OsStr::from_bytes(interpreter));
        if !interpreter.is_absolute() {
            // Depends on the working directory.
            return None;
        }
        if let Some(defect) = self.look_at(interpreter, depth + 1) {
            return Some(Defect {
                message: format!("the interpreter of `{shown}`: {}", defect.message),
                ..defect
            });
        }
        match interpreter.file_name() {
            Some(name) if name == "env" => self.look_at_env(&shown, &argument, depth),
            _ => None,
        }
    }

    /// The program that env(1) runs: the whole argument, unless an option splits it.
    fn look_at_env(&self, shown: &str, argument: &str, depth: usize) -> Option<Defect> {
        let is_split = ["-S", "-vS", "-iS", "--split-string"]
            .iter()
            .any(|option| argument.starts_with(option));
        let words = match is_split {
            true => shell_words::split(argument).ok()?,
            false => vec![argument.to_owned()],
        };
        let mut path = None;
        let name = words.iter().find(|word| {
            path = word
                .strip_prefix("PATH=")
                .map(|folders| SearchPath::Known(folders.into()))
                .or(path.take());
            !word.starts_with('-') && !word.contains('=')
        })?;
        let name = name.as_str();
        let runner = Self {
            path: path.unwrap_or_else(|| self.path.clone()),
            ..self.clone()
        };
        if name.contains('/') {
            return runner.look_at(Path::new(name), depth + 1);
        }
        if let Some(program) = runner.found(name) {
            return runner.look_at(&program, depth + 1);
        }
        let name = escape::one_line(name);
        Some(match name.contains(' ') {
            true => Defect::certain(
                format!("the first line of `{shown}` makes env look for a program named `{name}`"),
                "use `env -S`, or no arguments",
            ),
            false => runner.missing(
                &format!("the interpreter of `{shown}`, `{name}`,"),
                format!(
                    "install {name} there, or link it: `ln -s \"$(command -v {name})\" /usr/local/bin/`"
                ),
            ),
        })
    }
}

#[cfg(test)]
mod tests;
