//! A command line from the configuration: split as a shell does, and run without a shell.

use std::{
    env, fmt,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs},
    io::Errno,
};
use thiserror::Error;

use failover_linux::{escape, fs_credentials::FsCredentials};

use crate::gateway::command::{account::Account, shell, shell::Syntax};

/// This program, also when its file was replaced since (man 5 proc_pid_exe).
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";

/// Arguments that are no secret, of OpenClaw and of service managers.
const KNOWN_WORDS: [&str; 9] = [
    "gateway",
    "start",
    "stop",
    "restart",
    "status",
    "--force",
    "--user",
    "--no-block",
    "--wait",
];
/// Replaces what isn't shown.
const LEFT_OUT: &str = "…";

/// A program and its arguments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandLine {
    /// The program; an absolute path once resolved.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Why a command can't be run.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum CommandLineError {
    /// It is empty.
    #[error("the command is empty; write the program and its arguments")]
    Empty,
    /// Quotes don't match.
    #[error("it has a quote that isn't closed (its value isn't shown, it may be a secret)")]
    Quotes,
    /// It has a NUL character.
    #[error("the command has a NUL character, which no argument can have; leave it out")]
    Nul,
    /// It needs a shell, and none runs it. The command itself isn't shown: it may contain a secret.
    #[error("{}; `failover config check` shows what to write instead", complaint(.syntax))]
    Shell {
        /// The whole command line, as written.
        line: String,
        /// The syntax that only a shell handles.
        syntax: Syntax,
    },
    /// There is no such program.
    #[error("there is no program `{program}` in PATH ({path}); install it, or give its full path")]
    NotFound {
        /// As written.
        program: String,
        /// The folders that were searched.
        path: String,
    },
    /// A path that can't be run.
    #[error("`{program}` can't be run{by}: {obstacle}", by = by(.account.as_deref()))]
    NotExecutable {
        /// As written.
        program: String,
        /// The account that it would run as, if it isn't this process's own.
        account: Option<String>,
        /// The obstacle, and what to do.
        obstacle: Obstacle,
    },
}

/// Why a program can't be executed.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum Obstacle {
    /// It, or a folder of its path, doesn't exist.
    #[error("`{0}` doesn't exist; install it, or give the right path")]
    Missing(String),
    /// A folder of its path isn't accessible.
    #[error("the folder `{0}` is closed to it; open it with chmod o+x, or move the program")]
    Closed(String),
    /// It is no regular file.
    #[error("it is no file; give a program's path")]
    NoFile,
    /// It isn't executable.
    #[error("it isn't executable; chmod a+x it")]
    NotExecutable,
    /// It is a dangling link.
    #[error("it is a link to `{0}`, which doesn't exist; install it again")]
    Dangling(String),
    /// Its file system is mounted noexec.
    #[error("its file system is mounted noexec; mount it without, or move the program")]
    NoExec,
}

fn complaint(syntax: &Syntax) -> String {
    match syntax {
        Syntax::Text(text) => format!(
            "the command has `{text}`, which only a shell acts on, and commands run without one"
        ),
        Syntax::Word(word) => format!(
            "the command begins with `{word}`, which only a shell knows, and commands run without one"
        ),
        Syntax::Lines => {
            "it is several commands, a line each, and only a shell runs more than one".to_owned()
        }
    }
}

/// `offer`: what to write, in the syntax of its source.
fn remedy(syntax: &Syntax, offer: &str) -> String {
    match syntax {
        Syntax::Text(_) => {
            format!("write {offer}, or put it in single quotes if the character itself is meant")
        }
        Syntax::Word(_) | Syntax::Lines => format!("write {offer}"),
    }
}

impl CommandLineError {
    /// The equivalent command that uses a shell, if a missing shell is the problem.
    #[must_use]
    pub fn by_shell(&self) -> Option<String> {
        match self {
            Self::Shell { line, .. } => Some(shell::by_shell(line)),
            _ => None,
        }
    }

    /// The problem and the remedy, if a missing shell is the problem. `offer`: the equivalent command that
    /// uses a shell, as it must be written.
    pub(crate) fn without_shell(&self, offer: &str) -> Option<(String, String)> {
        match self {
            Self::Shell { syntax, .. } => Some((complaint(syntax), remedy(syntax, offer))),
            _ => None,
        }
    }
}

fn by(account: Option<&str>) -> String {
    account.map_or_else(String::new, |name| format!(" by {name}"))
}

/// The obstacle, as this thread sees it.
fn obstacle(program: &Path) -> Obstacle {
    let shown = |path: &Path| escape::one_line(&path.to_string_lossy());
    let mut folders: Vec<&Path> = program.ancestors().skip(1).collect();
    folders.reverse();
    for folder in folders {
        match accessat(CWD, folder, Access::EXEC_OK, AtFlags::EACCESS) {
            Err(Errno::NOENT) => return Obstacle::Missing(shown(folder)),
            Err(Errno::ACCESS) => return Obstacle::Closed(shown(folder)),
            _ => {}
        }
    }
    let is_noexec =
        || statvfs(program).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC));
    match program.metadata() {
        Ok(found) if found.is_file() && found.mode() & ANY_EXEC != 0 && is_noexec() => {
            Obstacle::NoExec
        }
        Ok(found) if found.is_file() => Obstacle::NotExecutable,
        Ok(_) => Obstacle::NoFile,
        Err(_) => match program.read_link() {
            Ok(target) => Obstacle::Dangling(shown(&target)),
            Err(_) => Obstacle::Missing(shown(program)),
        },
    }
}

/// The execute bits (inode(7)).
const ANY_EXEC: u32 = 0o111;

/// The obstacle to a program, if it can't be executed.
pub(crate) fn obstacle_to(program: &Path) -> Option<Obstacle> {
    (!is_executable(program)).then(|| obstacle(program))
}

impl CommandLine {
    /// Splits a line into words: quotes and backslashes as in a shell, nothing else.
    ///
    /// # Errors
    /// When it is empty, a quote is left open, or it has syntax that only a shell handles.
    pub fn parse(line: &str) -> Result<Self, CommandLineError> {
        let words = shell_words::split(line).map_err(|_| CommandLineError::Quotes)?;
        if line.contains('\0') {
            return Err(CommandLineError::Nul);
        }
        if let Some(syntax) = shell::syntax(line) {
            let line = line.to_owned();
            return Err(CommandLineError::Shell { line, syntax });
        }
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self {
                program: program.into(),
                arguments: words.collect(),
            }),
            _ => Err(CommandLineError::Empty),
        }
    }

    /// For logs and reports: the program and its known arguments. Any other argument may be a secret and is shown
    /// as "…".
    #[must_use]
    pub fn shown(&self) -> String {
        if self.is_this_program() {
            return self.to_string();
        }
        let mut words = vec![shown_program(&self.program)];
        for argument in &self.arguments {
            if KNOWN_WORDS.contains(&argument.as_str()) {
                words.push(argument.clone());
            } else if words.last().is_none_or(|last| last != LEFT_OUT) {
                words.push(LEFT_OUT.to_owned());
            }
        }
        words.join(" ")
    }

    /// All words that could name a unit, also inside a shell script.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        // systemd.unit(5)
        let ends = |letter: char| !letter.is_ascii_alphanumeric() && !":-_.\\@".contains(letter);
        let arguments = self.arguments.iter();
        arguments
            .flat_map(move |argument| argument.split(ends))
            .filter(|word| !word.is_empty())
    }

    /// Does it run this program?
    pub(crate) fn is_this_program(&self) -> bool {
        self.program == Path::new(THIS_PROGRAM)
    }

    /// The same with the program's absolute path, looked up now in the account's PATH or in this process's
    /// own: so a mistyped name is an error at start, not a failed takeover later.
    ///
    /// # Errors
    /// When there is no such program, or it can't be run.
    pub fn resolved(self, account: Option<&Account>) -> Result<Self, CommandLineError> {
        // As the account sees it: its home may be closed even to root with few capabilities.
        let _credentials = account.map(|account| FsCredentials::of(account.uid(), account.gid()));
        let shown = shown_program(&self.program);
        if self.program.components().count() > 1 || self.program.is_absolute() {
            let program = std::path::absolute(&self.program).unwrap_or(self.program);
            if !is_executable(&program) {
                return Err(CommandLineError::NotExecutable {
                    program: shown,
                    account: account.map(|account| account.name().to_owned()),
                    obstacle: obstacle(&program),
                });
            }
            let arguments = self.arguments;
            return Ok(Self { program, arguments });
        }
        let path = match account {
            Some(account) => account.path(),
            None => env::var_os("PATH").unwrap_or_default(),
        };
        let program = env::split_paths(&path)
            .map(|folder| folder.join(&self.program))
            .find(|program| is_executable(program))
            .ok_or_else(|| CommandLineError::NotFound {
                program: shown,
                path: path.to_string_lossy().into_owned(),
            })?;
        Ok(Self { program, ..self })
    }
}

/// A program, without the value of an assignment by mistake, as in `TOKEN=secret openclaw`.
fn shown_program(program: &Path) -> String {
    let program = escape::one_line(&program.to_string_lossy());
    match program.split_once('=') {
        Some((name, _)) => format!("{name}={LEFT_OUT}"),
        None => program,
    }
}

fn is_executable(program: &Path) -> bool {
    // By what this thread may do now, not by who began the process.
    program.is_file() && accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = match self.is_this_program() {
            true => env!("CARGO_PKG_NAME").into(),
            false => self.program.to_string_lossy(),
        };
        let words = std::iter::once(&*program).chain(self.arguments.iter().map(String::as_str));
        // For people and the log, where a line is one line.
        formatter.write_str(&escape::one_line(&shell_words::join(words)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzz;

    #[test]
    fn words_are_split_like_a_shell_does_and_nothing_else_is_done() {
        let command = CommandLine::parse(r#"sh -c 'echo "$HOME"; x' a\ b "c d""#).unwrap();
        assert_eq!(command.program, Path::new("sh"));
        assert_eq!(
            command.arguments,
            ["-c", r#"echo "$HOME"; x"#, "a b", "c d"]
        );
    }

    #[test]
    fn the_units_that_a_command_may_name_are_found_in_a_script_too() {
        let line = "sh -c 'systemctl start bot.service; systemctl --user start a@1'";
        let command = CommandLine::parse(line).unwrap();
        let words: Vec<&str> = command.words().collect();
        for unit in ["bot.service", "a@1"] {
            assert!(words.contains(&unit), "{words:?}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_when_it_is_written() {
        assert_eq!(CommandLine::parse("  "), Err(CommandLineError::Empty));
        assert!(matches!(
            CommandLine::parse("a 'b"),
            Err(CommandLineError::Quotes)
        ));
        let missing = CommandLine::parse("no-such-program-anywhere x").unwrap();
        assert!(matches!(
            missing.resolved(None),
            Err(CommandLineError::NotFound { .. })
        ));
        for (program, problem) in [
            ("/etc/passwd", "it isn't executable"),
            ("/etc", "it is no file"),
            ("/no/such/program", "`/no` doesn't exist"),
            ("/usr/bin/no-such", "`/usr/bin/no-such` doesn't exist"),
        ] {
            let refused = CommandLine::parse(program).unwrap().resolved(None);
            let refused = refused.unwrap_err().to_string();
            let expected = format!("`{program}` can't be run: {problem}");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }

    #[test]
    fn a_script_of_several_lines_is_shown_in_one() {
        let command = CommandLine::parse("sh -c 'a\nb\x1b[2J'").unwrap();
        assert_eq!(command.to_string(), "sh -c 'a\\nb\\u{1b}[2J'");
    }

    #[test]
    fn what_may_be_a_secret_is_left_out_where_others_read_it() {
        for (line, shown) in [
            (
                "openclaw gateway stop --force",
                "openclaw gateway stop --force",
            ),
            ("curl -u admin:hunter2 http://plug/off", "curl …"),
            (
                "systemctl --user start bot@hunter2",
                "systemctl --user start …",
            ),
            (
                "env TOKEN=hunter2 openclaw gateway start",
                "env … gateway start",
            ),
            ("'TOKEN=hunter2' gateway start", "TOKEN=… gateway start"),
            ("/bin/true", "/bin/true"),
        ] {
            assert_eq!(CommandLine::parse(line).unwrap().shown(), shown);
        }
        let refused = CommandLine::parse("'TOKEN=hunter2' openclaw").unwrap();
        let refused = refused.resolved(None).unwrap_err().to_string();
        assert!(refused.contains("`TOKEN=…`"), "{refused}");
    }

    #[test]
    fn a_program_is_found_in_path() {
        let found = CommandLine::parse("sh -c x")
            .unwrap()
            .resolved(None)
            .unwrap();
        assert!(found.program.is_absolute(), "{found}");
    }

    /// Found by fuzzing.
    #[test]
    fn this_program_is_told_by_its_name() {
        fuzz::command_line(THIS_PROGRAM.as_bytes());
        let itself = CommandLine::parse(THIS_PROGRAM).unwrap();
        assert_eq!(itself.to_string(), "failover");
    }

    proptest! {
        #[test]
        fn no_line_breaks_it(line in ".{0,80}") {
            fuzz::command_line(line.as_bytes());
        }

        #[test]
        fn no_quoting_breaks_it(line in "[a '\"\\\\\n\t#$;~ä\0]{0,40}") {
            fuzz::command_line(line.as_bytes());
        }
    }
}
