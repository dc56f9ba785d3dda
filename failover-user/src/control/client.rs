//! The client's end of the control socket. Blocking, with a timeout.

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

/// Far larger than any answer.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Why a request failed.
#[derive(Debug, Error)]
pub enum AskError {
    /// No daemon listens on the socket.
    #[error(
        "no daemon listens on {path}: {source}; is `failover run` running with this --control?"
    )]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This account has no permission.
    #[error("permission denied on the daemon's socket {path}; {remedy}", remedy = remedy(.path))]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon does not answer.
    #[error(
        "the daemon on {path} does not answer: {source}; try again, and if it persists see the daemon's log"
    )]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon rejects the request.
    #[error("{0}")]
    Refused(String),
    /// The command needs confirmation.
    #[error("{0}")]
    Unconfirmed(String),
    /// The answer is invalid.
    #[error(
        "invalid answer from the daemon on {path}: {source}; do client and daemon have the same version?"
    )]
    Unreadable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl AskError {
    /// In a few words, where there is no place for more.
    #[must_use]
    pub const fn short(&self) -> &'static str {
        match self {
            Self::NotRunning { .. } => "not running",
            Self::NotPermitted { .. } => "no permission",
            Self::NoAnswer { .. } => "no answer",
            Self::Refused(_) | Self::Unconfirmed(_) => "refused",
            Self::Unreadable { .. } => "unknown version",
        }
    }
}

/// Sends a request to the daemon on this socket, and returns its answer.
///
/// # Errors
/// An [`AskError`], with a remedy.
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

/// The daemon's answer to a request that it does not understand.
#[derive(Deserialize)]
struct Trouble {
    error: String,
}

/// Sends an operator command to the daemon on this socket.
///
/// # Errors
/// An [`AskError`], also when the daemon rejects the command.
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
            "connection closed: the daemon is stopping, or has too many clients",
        ));
    }
    Ok(answer)
}

/// The remedy for a missing permission.
fn remedy(socket: &Path) -> String {
    let group = fs::metadata(socket)
        .ok()
        .and_then(|found| Group::from_gid(found.gid().into()).ok().flatten());
    // Nobody should join root's group.
    match group.filter(|group| group.gid.as_raw() != 0) {
        Some(group) => format!(
            "run this as root, or join the group {group}: sudo usermod --append --groups {group} \"$USER\", and \
             log in again",
            group = group.name
        ),
        None => "run this as root".to_owned(),
    }
}
