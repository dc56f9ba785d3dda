//! Which options may hold a secret, so that no message repeats their values: a webhook's URL gives whoever has
//! it the right to write there, a path or query may be a password, and so may a command's argument. Whatever
//! reads such a message (log, status, page, a service manager) is read by more people than the file is.

use failover_linux::escape;

/// The value as it is shown where somebody asks for all values.
pub(super) const NOT_SHOWN: &str = "not shown, it may be a secret; --secrets shows it";

/// More of a value isn't quoted.
const LONGEST_QUOTE: usize = 40;

/// Options whose values may be secret. An option that ends like one of these counts as well.
const SECRET: [&str; 9] = [
    "webhook",
    "fence",
    "start",
    "stop",
    "notify",
    "check-path",
    "check-pointer",
    "check-value",
    "check-contains",
];

/// Can this option's value be a secret?
pub(super) fn is_secret(option: &str) -> bool {
    SECRET.iter().any(|secret| {
        option
            .strip_suffix(secret)
            .is_some_and(|before| before.is_empty() || before.ends_with('-'))
    })
}

/// A refused value of an option that holds no secret, for a message: short, on one line. A URL may be one that was
/// meant for another option, so nothing of it is repeated.
pub(super) fn quoted(text: &str) -> String {
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
