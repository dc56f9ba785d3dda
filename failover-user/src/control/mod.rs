//! The control socket: how the daemon is asked. One request and one answer a connection, each one
//! line of JSON. A source of questions: it neither knows the answers nor decides.

mod client;
mod server;

use serde::{Deserialize, Serialize};

pub use client::{AskError, ask};
pub use server::{Question, Server, ServerError};

/// Longest request, in bytes.
const LONGEST_REQUEST: u64 = 1024;

/// What can be asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// How are you? The answer is a [`crate::status::Status`].
    Status,
}
