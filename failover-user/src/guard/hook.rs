//! What PC-A's unit runs before its gateway starts: has PC-B release its own, through the guard. It never
//! fails where the operator prefers a gateway that starts, and takes less time than `openclaw gateway start` waits.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    control::{AskError, LET_GO_WITHIN, Request, ask},
    guard::asking::LetGo,
    wording,
};

/// What follows when PC-B can't be asked, or doesn't release its gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Otherwise {
    /// The gateway starts, and two may serve.
    #[default]
    Start,
    /// It doesn't, and none may.
    Refuse,
}

/// Asks, and says what came of it. May the gateway start? On SIGTERM nobody waits any longer: the unit was stopped, and
/// must not fail.
///
/// # Errors
/// When it can't wait.
pub async fn run(socket: PathBuf, within: Duration, otherwise: Otherwise) -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    let seconds = within.min(LET_GO_WITHIN).as_secs();
    let asked = tokio::task::spawn_blocking(move || let_go(&socket, seconds));
    let ended = tokio::select! {
        ended = asked => ended.context("asking the guard")?,
        _ = terminate.recv() => return Ok(true),
        _ = interrupt.recv() => return Ok(true),
    };
    let _ = writeln!(
        std::io::stdout(),
        "{}",
        wording::guard::let_go(&ended, otherwise)
    );
    Ok(is_free(&ended) || otherwise == Otherwise::Start)
}

fn let_go(socket: &Path, seconds: u64) -> Result<LetGo, AskError> {
    ask(socket, &Request::LetGo { seconds })
}

/// Is it certain that PC-B doesn't serve, or is there nobody to ask?
pub(crate) fn is_free(ended: &Result<LetGo, AskError>) -> bool {
    match ended {
        Ok(LetGo::Released | LetGo::NothingToRelease) | Err(AskError::NotRunning { .. }) => true,
        Ok(LetGo::Silent | LetGo::Unanswered | LetGo::NotInTime { .. } | LetGo::Refused { .. })
        | Err(_) => false,
    }
}
