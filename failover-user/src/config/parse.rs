//! How a flag's text is read, where the parser that clap has for the type would speak of types.

use std::{
    net::SocketAddr,
    num::{IntErrorKind, NonZeroU16, ParseIntError},
    path::PathBuf,
    str::FromStr,
};

/// Reads a port.
///
/// # Errors
/// When it isn't one.
pub fn port(text: &str) -> Result<NonZeroU16, &'static str> {
    text.parse().map_err(|_| "write a number from 1 to 65535")
}

/// Reads an address to listen on. A name could mean another one tomorrow.
///
/// # Errors
/// When it isn't one.
pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "write an address and a port, like 127.0.0.1:9179 or [::1]:9179")
}

/// Reads a count of any width.
///
/// # Errors
/// When it isn't one.
pub fn count<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, &'static str> {
    text.parse()
        .map_err(|error| smaller_or(&error, "write a number from 1"))
}

/// Reads a count that may be 0.
///
/// # Errors
/// When it isn't one.
pub(super) fn count_or_none(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .map_err(|error| smaller_or(&error, "write a number, or 0 for never"))
}

fn smaller_or(error: &ParseIntError, otherwise: &'static str) -> &'static str {
    match error.kind() {
        IntErrorKind::PosOverflow => "write a smaller number",
        _ => otherwise,
    }
}

/// Reads a path; a relative one starts at the working directory.
///
/// # Errors
/// When it is empty, or the working directory is unknown.
pub fn path(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|error| error.to_string())
}
