//! Sends notifications through a command: one at a time, with a timeout for its whole process group.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin},
    task::JoinHandle,
    time::timeout,
};
use tracing::{info, warn};

use failover_linux::escape::Escaped;

use crate::{
    gateway::command::{alone, command_line::CommandLine, kill_group},
    notify::{
        DeliveryError, Notice,
        channel::{Channel, Kind},
        delivery::Delivery,
        queue::Queue,
    },
    runtime::{parts, parts::Part},
};

/// Limit for queued notices while a command runs.
const MOST_WAITING: usize = 32;
/// Timeout, after which the command is killed.
const LIMIT: Duration = Duration::from_secs(30);
/// Timeout for a killed command to exit.
const GRACE: Duration = Duration::from_secs(5);
/// How long its output is read after it has exited.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Limit for the output in an error message.
const MOST_SAID: usize = 1024;

/// The notify command.
pub(crate) const KIND: Kind = Kind {
    name: "command",
    part: "the notify command",
    is_same: |before, now| before.notifications.command == now.notifications.command,
    open: |configuration, delivery, part| {
        let line = configuration.notifications.command.clone()?;
        Some(Box::new(CommandNotifier::new(line, delivery, part)))
    },
};

/// Runs a command for each notice, as a background task. Dropping it kills the running command.
#[derive(Debug)]
pub(crate) struct CommandNotifier {
    queue: Arc<Queue>,
    task: JoinHandle<()>,
}

impl CommandNotifier {
    /// Needs a tokio runtime.
    pub(crate) fn new(line: CommandLine, delivery: Delivery, part: Part) -> Self {
        let queue = Arc::new(Queue::new(KIND.part, MOST_WAITING, delivery));
        let kept = Arc::clone(&queue);
        let task = parts::keep(part, move |part| {
            part.works();
            send_all(Arc::clone(&kept), line.clone(), LIMIT)
        });
        let task = tokio::spawn(task);
        Self { queue, task }
    }
}

impl Channel for CommandNotifier {
    fn send(&self, notice: Notice) {
        self.queue.push(notice);
    }

    fn finish(&self, patience: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.queue.emptied(patience))
    }
}

impl Drop for CommandNotifier {
    fn drop(&mut self) {
        self.task.abort();
        let dropped = self.queue.all().len();
        if dropped > 0 {
            self.queue.delivery().dropped(dropped);
            warn!(dropped, "notifications not sent by the notify command");
        }
    }
}

async fn send_all(queue: Arc<Queue>, line: CommandLine, limit: Duration) -> io::Error {
    loop {
        let notice = queue.first().await.notice;
        let event = &notice.event;
        match send(&line, &notice, limit).await {
            Ok(()) => {
                info!(event, line = line.shown(), "notify command succeeded");
                queue.delivery().sent();
            }
            Err(error) => {
                let DeliveryError { what, remedy } = &error;
                warn!(
                    event,
                    line = line.shown(),
                    error = what,
                    remedy,
                    "notify command failed"
                );
                queue.delivery().failed(error);
            }
        }
        queue.remove(&notice.id);
    }
}

/// A running command, killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // After the wait there is no process to kill.
        let _ = kill_group(&self.0);
    }
}

async fn send(line: &CommandLine, notice: &Notice, limit: Duration) -> Result<(), DeliveryError> {
    let could_not = |error: io::Error| DeliveryError {
        what: format!("could not be run: {error}"),
        remedy: "does it exist, and may the daemon run it? see `failover check`",
    };
    let too_long = |what: String| DeliveryError {
        what: format!("timed out after {limit:?}, {what}"),
        remedy: "run slow work in the background",
    };
    let document = serde_json::to_vec(notice).map_err(|error| could_not(error.into()))?;
    let mut process = alone(line, None).map_err(could_not)?;
    process
        .envs(notice.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut running = Running(process.spawn().map_err(could_not)?);
    let (stdin, stderr) = (running.0.stdin.take(), running.0.stderr.take());
    let mut said = Vec::new();
    let status = {
        let beside = async {
            tokio::join!(feed(stdin, &document), listen(stderr, &mut said));
        };
        tokio::pin!(beside);
        let end = timeout(limit, running.0.wait());
        tokio::pin!(end);
        tokio::select! {
            status = &mut end => {
                // Its last output may still be in the pipe, and its children may continue to write.
                let _ = timeout(LAST_WORDS, beside).await;
                status
            }
            // A command that has closed both may still be running.
            () = &mut beside => end.await,
        }
    };
    match status {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => {
            let said = String::from_utf8_lossy(&said);
            let said = match said.trim() {
                "" => "no output".to_owned(),
                said => format!("output: {}", Escaped(said)),
            };
            Err(DeliveryError {
                what: format!("{status}; {said}"),
                remedy: "run it by hand as the daemon's user, with {} on standard input",
            })
        }
        Ok(Err(error)) => Err(could_not(error)),
        Err(_) => {
            let killed = kill_group(&running.0);
            let gone = timeout(GRACE, running.0.wait()).await;
            match (killed, gone) {
                (Ok(()), Ok(_)) => Err(too_long("and was killed".to_owned())),
                (Err(error), _) => Err(too_long(format!("and cannot be killed: {error}"))),
                (Ok(()), Err(_)) => Err(too_long("was killed but did not exit".to_owned())),
            }
        }
    }
}

/// A command need not read its input.
async fn feed(stdin: Option<ChildStdin>, document: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(document).await;
        let _ = stdin.write_all(b"\n").await;
    }
}

/// Reads until the output ends; the rest beyond the limit is discarded.
async fn listen(stderr: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else {
        return;
    };
    let mut buffer = [0; 512];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        let room = MOST_SAID - said.len();
        said.extend(buffer.iter().take(length.min(room)));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use super::*;
    use crate::notify::notice;

    fn sh(script: &str) -> CommandLine {
        CommandLine {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        }
    }

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_document_is_on_standard_input_and_its_parts_in_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("received");
        let line = sh(&format!(
            "echo \"$FAILOVER_EVENT $FAILOVER_STATE $FAILOVER_PRIMARY\" > {0}; cat >> {0}",
            file.display()
        ));
        let notice = notice("a");
        send(&line, &notice, LONG).await.unwrap();
        let told = fs::read_to_string(file).unwrap();
        let (first, document) = told.split_once('\n').unwrap();
        assert_eq!(first, "takeover active pc-a:18789");
        assert_eq!(serde_json::from_str::<Notice>(document).unwrap(), notice);
    }

    #[tokio::test]
    async fn one_that_fails_is_told_with_what_it_said() {
        let line = sh("echo 'no \x1b[2Jmail' >&2; yes >&2 & exec 2>&-; exit 3");
        let error = send(&line, &notice("a"), LONG).await.unwrap_err();
        assert!(
            error
                .what
                .contains("exit status: 3; output: no \\u{1b}[2Jmail"),
            "{error}"
        );
        let error = send(&sh("exit 1"), &notice("a"), LONG).await.unwrap_err();
        assert_eq!(error.what, "exit status: 1; no output");
        assert!(error.remedy.contains("by hand"), "{error:?}");
        let line = CommandLine {
            program: "/nowhere/at/all".into(),
            arguments: Vec::new(),
        };
        let error = send(&line, &notice("a"), LONG).await.unwrap_err();
        assert!(error.what.contains("could not be run"), "{error}");
    }

    #[tokio::test]
    async fn one_that_never_ends_is_killed_with_its_children_and_the_next_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("received");
        let script = format!(
            "read line; case $line in *'\"a\"'*) sleep 1000 & echo $! > {0}; wait;; *) echo b >> {0};; esac",
            file.display()
        );
        let queue = Arc::new(Queue::new("a test", 2, Delivery::default()));
        let limit = Duration::from_millis(500);
        let task = tokio::spawn(send_all(Arc::clone(&queue), sh(&script), limit));
        queue.push(notice("a"));
        queue.push(notice("b"));
        let begun = Instant::now();
        queue.emptied(LONG).await;
        assert!(begun.elapsed() >= limit && begun.elapsed() < LONG);
        let delivered = queue.delivery().so_far();
        assert_eq!((delivered.sent, delivered.failed), (1, 1));
        assert_eq!(delivered.failing, None);
        let told = fs::read_to_string(file).unwrap();
        let (child, next) = told.split_once('\n').unwrap();
        assert_eq!(next, "b\n");
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
        task.abort();
    }

    #[tokio::test]
    async fn one_that_does_not_read_or_floods_is_no_trouble() {
        let mut notice = notice("a");
        notice.reason = "x".repeat(1 << 20);
        notice.text.clear();
        // Too long for an environment: an error of its own.
        let error = send(&sh("exit 0"), &notice, LONG).await.unwrap_err();
        assert!(error.what.contains("could not be run"), "{error}");
        notice.reason = "x".repeat(100_000);
        send(&sh("exit 0"), &notice, LONG).await.unwrap();
        send(&sh("head -c 10000000 /dev/zero >&2"), &notice, LONG)
            .await
            .unwrap();
    }
}
