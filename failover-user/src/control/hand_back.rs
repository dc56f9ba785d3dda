//! What PC-A's key runs on PC-B: asks the daemon for PC-A's state, and waits. Blocking.

use std::path::Path;

use crate::control::{AskError, Request, order};

/// Waits until PC-A has its state, or need not wait any longer. What came of it, for people.
///
/// # Errors
/// When the daemon doesn't answer, or nothing can be handed back.
pub fn hand_back(socket: &Path) -> Result<String, AskError> {
    let answer = order(socket, &Request::HandBack)?;
    Ok(answer.now.unwrap_or_default())
}
