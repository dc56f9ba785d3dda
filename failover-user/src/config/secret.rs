//! What messages show of a value. The value of an option that is defined as `secret()` isn't shown at all: anyone
//! who has a webhook's URL can write there; a path, a query or a command's argument may be a password. Messages
//! (log, status, page, a service manager) have more readers than the file.

use failover_linux::escape;

/// The value as it is shown where somebody asks for all values.
pub(super) const NOT_SHOWN: &str = "not shown, it may be a secret; use --secrets to show it";

/// More of a value isn't quoted.
const LONGEST_QUOTE: usize = 40;

/// A refused value of an option that holds no secret, for a message: short, on one line. A URL may be one that was
/// meant for another option, so nothing of it is repeated.
pub(crate) fn quoted(text: &str) -> String {
    let has_user = text.contains('@') && text.contains(':');
    if text.contains("://") || text.contains('?') || has_user {
        return "…".to_owned();
    }
    let mut short: String = text.chars().take(LONGEST_QUOTE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    escape::one_line(&short)
}

#[cfg(test)]
mod tests;
