//! Asking the daemon, from another process. Blocking, with an end.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::{Path, PathBuf},
};

use nix::unistd::Group;
use serde::Deserialize;
use thiserror::Error;

use crate::control::{Answer, PATIENCE, Request};

/// Far more than any answer.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error(
        "no daemon listens on {path}: {source}; is `failover run` running, with this --control?"
    )]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody does, and it is others' to ask.
    #[error("this account may not ask the daemon behind {path}; {remedy}", remedy = remedy(.path))]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// Somebody does, and doesn't answer.
    #[error(
        "the daemon behind {path} doesn't answer: {source}; ask again, and if it goes on see its log"
    )]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon refuses.
    #[error("{0}")]
    Refused(String),
    /// The daemon wants the order to be confirmed.
    #[error("{0}")]
    Unconfirmed(String),
    /// The answer isn't one.
    #[error(
        "the daemon behind {path} answers something else: {source}; are both of the same version?"
    )]
    Unreadable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// Asks the daemon behind the socket.
///
/// # Errors
/// An [`AskError`], which says what to do.
pub fn ask<T: serde::de::DeserializeOwned>(path: &Path, request: &Request) -> Result<T, AskError> {
    let path_of = || path.to_owned();
    let stream = UnixStream::connect(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning {
            path: path_of(),
            source,
        },
        io::ErrorKind::PermissionDenied => AskError::NotPermitted { path: path_of() },
        _ => AskError::NoAnswer {
            path: path_of(),
            source,
        },
    })?;
    let answer = exchange(&stream, request).map_err(|source| AskError::NoAnswer {
        path: path_of(),
        source,
    })?;
    if let Ok(Trouble { error }) = serde_json::from_slice(&answer) {
        return Err(AskError::Refused(error));
    }
    serde_json::from_slice(&answer).map_err(|source| AskError::Unreadable {
        path: path_of(),
        source,
    })
}

/// What the daemon says of a request that it doesn't understand.
#[derive(Deserialize)]
struct Trouble {
    error: String,
}

/// Gives the daemon behind the socket an order.
///
/// # Errors
/// An [`AskError`], also when the order isn't followed.
pub fn order(path: &Path, request: &Request) -> Result<Answer, AskError> {
    let answer: Answer = ask(path, request)?;
    match answer.refusal {
        Some(refusal) if answer.unconfirmed => Err(AskError::Unconfirmed(refusal)),
        Some(refusal) => Err(AskError::Refused(refusal)),
        None => Ok(answer),
    }
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(request.patience()))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::other(
            "it hung up, as it is ending or too many others are asking",
        ));
    }
    Ok(answer)
}

/// What somebody can do who may not ask.
fn remedy(socket: &Path) -> String {
    let group = fs::metadata(socket)
        .ok()
        .and_then(|found| Group::from_gid(found.gid().into()).ok().flatten());
    // Root's own group is for nobody else.
    match group.filter(|group| group.gid.as_raw() != 0) {
        Some(group) => format!(
            "ask as root, or join the group {group}: sudo usermod --append --groups {group} \"$USER\", and \
             log in again",
            group = group.name
        ),
        None => "ask as root".to_owned(),
    }
}
