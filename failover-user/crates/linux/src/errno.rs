//! Names for error numbers, as manual pages spell them.

use nix::errno::Errno;

/// The name of a (positive) error number, or `errno N` for a number that has none.
#[must_use]
pub fn describe(errno: i32) -> String {
    match Errno::from_raw(errno) {
        Errno::UnknownErrno => format!("errno {errno}"),
        known => format!("{known:?}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_described_by_name_and_unknown_ones_by_number() {
        assert_eq!(super::describe(libc::EADDRINUSE), "EADDRINUSE");
        assert_eq!(super::describe(4095), "errno 4095");
    }
}
