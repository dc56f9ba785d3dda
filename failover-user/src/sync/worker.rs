//! The worker: a process of the gateway's account that carries out one order. It gets the order on standard input, and
//! says on standard output what came of it. It is hostile as far as it concerns this side: what it says is bounded and
//! checked, and it is killed with its whole process group at the limit, and when nobody waits for it any longer.

use std::{io, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Child,
    sync::oneshot,
    time::sleep,
};

use failover_linux::{escape::Escaped, priority};
use failover_sync::{
    outcome::{FailedStep, Outcome},
    spec::{Order, Spec},
};

use crate::{
    gateway::command::{
        account::Account,
        alone,
        command_line::{CommandLine, THIS_PROGRAM},
        kill_group,
    },
    sync::checked::checked,
};

/// What the worker is called.
pub(crate) const VERB: &str = "sync-worker";

/// Far more than any outcome takes.
const LONGEST_OUTCOME: u64 = 256 * 1024;
/// Of what it says to people.
const LONGEST_WORDS: u64 = 16 * 1024;
/// The worker keeps the limit itself, and says so; this much later it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// A process that was killed and waits for a disk may take for ever.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// How workers are begun.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    line: CommandLine,
    /// `None`: the daemon's own.
    account: Option<Account>,
}

/// A worker that runs. If dropped, it is killed with its process group.
#[derive(Debug)]
pub(crate) struct RunningWorker {
    outcome: oneshot::Receiver<Outcome>,
    /// Dropped with it, which is noticed.
    _wanted: oneshot::Sender<()>,
}

impl Worker {
    /// This program's own, as the gateway's account.
    pub(crate) fn of(account: Option<&Account>) -> Self {
        let line = CommandLine {
            program: PathBuf::from(THIS_PROGRAM),
            arguments: vec![VERB.to_owned()],
        };
        Self::new(line, account.cloned())
    }

    /// Another program that keeps to the contract.
    pub(crate) const fn new(line: CommandLine, account: Option<Account>) -> Self {
        Self { line, account }
    }

    /// Begins to carry out an order. What can't be begun has failed. Inside a tokio runtime.
    pub(crate) fn begin(&self, spec: &Spec) -> RunningWorker {
        let (sender, outcome) = oneshot::channel();
        let (wanted, unwanted) = oneshot::channel();
        let limit = spec.limits.within.saturating_add(GRACE);
        match self.spawn(spec) {
            Ok((child, text)) => {
                tokio::spawn(attend(child, text, limit, sender, unwanted));
            }
            Err(error) => {
                let error = format!("the worker can't be run: {error}; see `failover check`");
                let _ = sender.send(local_failure(error));
            }
        }
        RunningWorker {
            outcome,
            _wanted: wanted,
        }
    }

    fn spawn(&self, spec: &Spec) -> io::Result<(Child, Vec<u8>)> {
        let text = serde_json::to_vec(spec)?;
        let mut process = alone(&self.line, self.account.as_ref())?;
        process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if is_background(&spec.order) {
            // What serves comes first.
            priority::lower(process.as_std_mut());
        }
        Ok((process.spawn()?, text))
    }
}

impl RunningWorker {
    /// Waits for what comes of it. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> Outcome {
        match (&mut self.outcome).await {
            Ok(outcome) => outcome,
            Err(_) => local_failure("nobody waited for the worker".to_owned()),
        }
    }

    /// Has it ended, whether or not that was awaited?
    pub(crate) fn has_ended(&self) -> bool {
        !self.outcome.is_empty() || self.outcome.is_terminated()
    }
}

/// Does nobody wait for it?
const fn is_background(order: &Order) -> bool {
    match order {
        Order::Round
        | Order::Look
        | Order::Learn
        | Order::Settle
        | Order::Verify
        | Order::Differences => true,
        Order::Place { .. } | Order::Feed | Order::HandBack { .. } => false,
    }
}

fn local_failure(error: String) -> Outcome {
    Outcome::Failed {
        step: FailedStep::Local,
        error,
    }
}

/// Until it has said what came of it, its time is over or nobody wants to know any longer. Then its whole group is killed:
/// what it left would have nobody who waits for it.
async fn attend(
    mut child: Child,
    spec: Vec<u8>,
    limit: Duration,
    outcome: oneshot::Sender<Outcome>,
    unwanted: oneshot::Receiver<()>,
) {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ordered = async {
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(&spec).await;
        }
    };
    let said = async {
        let (_, said, words) = tokio::join!(
            ordered,
            read(stdout, LONGEST_OUTCOME),
            read(stderr, LONGEST_WORDS)
        );
        (said, words)
    };
    let ended = tokio::select! {
        (said, words) = said => Some(outcome_of(&said, &words)),
        () = sleep(limit) => Some(Outcome::Failed {
            step: FailedStep::Local,
            error: format!(
                "not done within {limit:.0?}, and killed; is the network or the disk slow? see sync-within and sync-place-within"
            ),
        }),
        // Never sent.
        _ = unwanted => None,
    };
    // Before it is reaped: until then its ID is no other's.
    if let Err(error) = kill_group(&child) {
        tracing::debug!(%error, "the worker's process group can't be killed");
    }
    if let Some(ended) = ended {
        let _ = outcome.send(ended);
    }
    if tokio::time::timeout(GONE_WITHIN, child.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            pid = child.id(),
            "a worker doesn't end although it was killed"
        );
    }
}

/// All of it, up to a limit; the rest is read and dropped, so that nobody hangs who writes more.
async fn read(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(limit).read_to_end(&mut text).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    text
}

/// The last line of its output.
fn outcome_of(said: &[u8], words: &[u8]) -> Outcome {
    let line = said
        .split(|byte| *byte == b'\n')
        .rfind(|line| !line.is_empty());
    let words = String::from_utf8_lossy(words);
    let last = words.lines().rfind(|line| !line.trim().is_empty());
    for line in words.lines() {
        tracing::debug!(line = %Escaped(line), "the worker says");
    }
    let failed = |why: &str| {
        let last = last.map(|last| format!("; its last words: {}", Escaped(last)));
        local_failure(format!(
            "the worker {why}{}; is its program another version's?",
            last.unwrap_or_default()
        ))
    };
    let Some(line) = line else {
        return failed("ended without an outcome");
    };
    match serde_json::from_slice(line) {
        Ok(outcome) => checked(outcome).unwrap_or_else(|why| failed(&why)),
        Err(error) => failed(&format!("said what is no outcome ({error})")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
