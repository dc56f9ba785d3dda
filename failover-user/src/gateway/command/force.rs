//! Does the installed OpenClaw support `stop --force`? Later versions refuse to stop without it where
//! there is no terminal, earlier ones refuse it (2026.9.6 and 2026.6.11).
//!
//! Its help takes up to 14 s, so it is read at the start of the daemon and once a gateway serves. The answer is
//! kept while the executable is the same. A stop never waits for it: without an answer it tries `--force` first.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    sync::oneshot,
    time::timeout,
};
use tracing::{debug, info};

use failover_decide::CommandResult;

use crate::gateway::command::{account::Account, alone, command_line::CommandLine, kill_group};

const FORCE: &str = "--force";
/// Several times the longest time that was measured.
const PATIENCE: Duration = Duration::from_secs(60);

const LONGEST_HELP: u64 = 64 * 1024;

/// The stop command, with or without `--force`.
#[derive(Debug)]
pub struct Force {
    stop: CommandLine,
    known: Option<(Executable, bool)>,
    /// The pending answer.
    asked: Option<(Executable, oneshot::Receiver<bool>)>,
    /// How the last stop was made.
    tried: Option<bool>,
}

/// Identifies an installed version.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Executable {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    /// npm gives each file of every version the same modification time.
    changed: (i64, i64),
    size: u64,
}

impl Executable {
    /// Of the file itself, which npm links to.
    fn of(program: &Path) -> Option<Self> {
        let metadata = fs::metadata(program).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        })
    }
}

impl Force {
    /// For this command, which stops the gateway without `--force`.
    #[must_use]
    pub const fn of(stop: CommandLine) -> Self {
        Self {
            stop,
            known: None,
            asked: None,
            tried: None,
        }
    }

    /// Begins to read the command's help, in the background of a tokio runtime.
    pub fn ask(&mut self, account: Option<&Account>) {
        let Some(executable) = Executable::of(&self.stop.program) else {
            return;
        };
        let (answer, asked) = oneshot::channel();
        let process = alone(&with(&self.stop, "--help"), account);
        tokio::spawn(async move {
            match process.and_then(spawn) {
                Ok(child) => match help(child).await {
                    Some(help) => drop(answer.send(mentions_force(&help))),
                    None => debug!("the stop command has no help"),
                },
                Err(error) => debug!(%error, "the stop command can't be asked for help"),
            }
        });
        self.asked = Some((executable, asked));
    }

    /// The same, unless the answer for the current executable is known or pending.
    pub fn ask_again(&mut self, account: Option<&Account>) {
        let now = Executable::of(&self.stop.program);
        let known = self.known.iter().map(|(executable, _)| executable);
        let asked = self.asked.iter().map(|(executable, _)| executable);
        if known
            .chain(asked)
            .all(|executable| Some(executable) != now.as_ref())
        {
            self.ask(account);
        }
    }

    /// The stop command to run now.
    pub fn line(&mut self) -> CommandLine {
        if let Some((executable, answer)) = &mut self.asked
            && let Ok(knows) = answer.try_recv()
        {
            info!(force = knows, "the installed gateway's stop is known");
            self.known = Some((executable.clone(), knows));
            self.asked = None;
        }
        let now = Executable::of(&self.stop.program);
        let knows = self
            .known
            .as_ref()
            .filter(|(executable, _)| Some(executable) == now.as_ref())
            .map(|(_, knows)| *knows);
        let force = knows.unwrap_or(true);
        self.tried = Some(force);
        match force {
            true => with(&self.stop, FORCE),
            false => self.stop.clone(),
        }
    }

    /// The stop has ended. `Some`: the form to run at once instead.
    pub fn ended(&mut self, result: &CommandResult, output: &str) -> Option<CommandLine> {
        let tried = self.tried.take()?;
        let refused = matches!(result, CommandResult::Failed { .. }) && is_unknown_option(output);
        let executable = Executable::of(&self.stop.program)?;
        match (tried, result) {
            (true, _) if refused => {
                info!("the installed gateway's stop doesn't know --force; stopping without it");
                self.known = Some((executable, false));
                Some(self.stop.clone())
            }
            (true, CommandResult::Succeeded) => {
                self.known = Some((executable, true));
                None
            }
            // Perhaps it was refused for the lack of it: what was known was known of another version.
            (false, CommandResult::Failed { .. }) => {
                self.known = None;
                None
            }
            _ => None,
        }
    }
}

fn spawn(mut process: Command) -> io::Result<Child> {
    process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// Its output; nothing where it fails or takes too long.
async fn help(mut child: Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let mut text = Vec::new();
    let read = async {
        stdout.take(LONGEST_HELP).read_to_end(&mut text).await?;
        child.wait().await
    };
    let ended = timeout(PATIENCE, read).await;
    if !matches!(ended, Ok(Ok(_))) {
        let _ = kill_group(&child);
    }
    ended.ok()?.ok().filter(ExitStatus::success)?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn with(line: &CommandLine, argument: &str) -> CommandLine {
    let mut line = line.clone();
    line.arguments.push(argument.to_owned());
    line
}

/// As a whole word: `--force-color` is something else.
fn mentions_force(help: &str) -> bool {
    help.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
        .any(|word| word == FORCE)
}

/// The messages of OpenClaw, and of its command line library.
fn is_unknown_option(output: &str) -> bool {
    let output = output.to_lowercase();
    [
        "does not recognize option",
        "unknown option",
        "unrecognized option",
    ]
    .iter()
    .any(|words| output.contains(words))
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Instant};

    use super::*;

    fn program(folder: &Path, script: &str) -> CommandLine {
        let [program, draft, copy] = ["openclaw", "draft", "copy"].map(|name| folder.join(name));
        fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Another process writes what is run: this one's descriptor may live on in the child of a test
        // that forks just now, and until that has begun its own program nobody could run it (ETXTBSY).
        let mut install = Command::new("install");
        let installed = install.arg("--mode=755").arg(draft).arg(&copy).status();
        assert!(installed.unwrap().success());
        fs::rename(copy, &program).unwrap();
        CommandLine {
            program,
            arguments: vec!["gateway".to_owned(), "stop".to_owned()],
        }
    }

    fn is_forced(force: &mut Force) -> bool {
        force
            .line()
            .arguments
            .last()
            .is_some_and(|last| last == FORCE)
    }

    async fn answered(force: &mut Force) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while force.known.is_none() {
            assert!(Instant::now() < deadline, "no answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
            force.line();
        }
        is_forced(force)
    }

    #[tokio::test]
    async fn the_help_is_asked_and_the_answer_holds_for_this_executable() {
        for (help, expected) in [
            ("Options:\n  --force  stop it all the same", true),
            ("Options: --force-color", false),
            ("Options: --json", false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let line = program(folder.path(), &format!("echo \"$*: {help}\""));
            let mut force = Force::of(line);
            assert!(is_forced(&mut force), "before anything is known");
            force.ask(None);
            assert_eq!(answered(&mut force).await, expected, "{help}");
            program(folder.path(), "exit 1 # another version");
            assert!(is_forced(&mut force), "of another version nothing is known");
        }
    }

    #[tokio::test]
    async fn an_executable_that_was_replaced_is_asked_anew_and_the_same_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let asked = folder.path().join("asked");
        let counts = format!("echo x >> {}; echo", asked.display());
        let times = || fs::read_to_string(&asked).unwrap().lines().count();
        let line = program(folder.path(), &format!("{counts} --json"));
        let mut force = Force::of(line);
        force.ask(None);
        assert!(!answered(&mut force).await);
        force.ask_again(None);
        assert!(force.asked.is_none());
        assert_eq!(times(), 1);
        program(folder.path(), &format!("{counts} --force"));
        force.ask_again(None);
        force.ask_again(None);
        let (executable, _) = force.asked.as_ref().unwrap();
        assert_ne!(
            Some(executable),
            force.known.as_ref().map(|(known, _)| known)
        );
        force.known = None;
        assert!(answered(&mut force).await);
        assert_eq!(times(), 2);
        // Not for want of knowledge: back to what doesn't know it.
        program(folder.path(), &format!("{counts} --json"));
        force.ask_again(None);
        force.known = None;
        assert!(!answered(&mut force).await);
        assert_eq!(times(), 3);
    }

    #[test]
    fn another_version_of_the_same_size_and_time_is_another_executable() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), "echo one").program;
        let modified = fs::metadata(&program).unwrap().modified().unwrap();
        let before = Executable::of(&program);
        // The kernel's coarse clock advances in steps.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(
            &program,
            fs::read_to_string(&program).unwrap().replace("one", "two"),
        )
        .unwrap();
        let file = fs::File::options().write(true).open(&program).unwrap();
        file.set_modified(modified).unwrap();
        assert_eq!(
            fs::metadata(&program).unwrap().modified().unwrap(),
            modified
        );
        assert_ne!(Executable::of(&program), before);
    }

    #[tokio::test]
    async fn a_help_that_fails_or_hangs_says_nothing_and_is_not_waited_for() {
        for script in ["echo --force; exit 1", "sleep 1000"] {
            let folder = tempfile::tempdir().unwrap();
            let mut force = Force::of(program(folder.path(), script));
            force.ask(None);
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(is_forced(&mut force));
            assert_eq!(force.known, None);
        }
    }

    #[test]
    fn a_refused_force_is_followed_by_a_plain_stop_and_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let line = program(folder.path(), "");
        let mut force = Force::of(line.clone());
        let failed = CommandResult::Failed { code: 1 };
        assert!(is_forced(&mut force));
        let refusal = "OpenClaw does not recognize option \"--force\".";
        assert_eq!(force.ended(&failed, refusal), Some(line));
        assert!(!is_forced(&mut force));
        assert_eq!(force.ended(&CommandResult::Succeeded, ""), None);
        assert!(!is_forced(&mut force));
    }

    #[test]
    fn a_plain_stop_that_fails_is_forced_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut force = Force::of(program(folder.path(), ""));
        let failed = CommandResult::Failed { code: 1 };
        force.line();
        assert!(
            force
                .ended(&failed, "error: unknown option '--force'")
                .is_some()
        );
        assert!(!is_forced(&mut force));
        assert_eq!(force.ended(&failed, "refused without a terminal"), None);
        assert!(is_forced(&mut force));
    }

    #[test]
    fn a_stop_that_fails_for_another_reason_is_not_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut force = Force::of(program(folder.path(), ""));
        force.line();
        let failed = CommandResult::Failed { code: 1 };
        assert_eq!(force.ended(&failed, "no such unit"), None);
        force.line();
        let killed = CommandResult::Signalled { signal: 9 };
        assert_eq!(force.ended(&killed, "unknown option"), None);
        assert!(is_forced(&mut force));
    }
}
