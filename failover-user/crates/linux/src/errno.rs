//! Names for error numbers, as manual pages spell them.

/// Names of the numbers that sockets, binds and connects yield. One line keeps number and name
/// together.
macro_rules! names {
    ($($name:ident),+ $(,)?) => {
        /// The name of a (positive) error number, if it is one that the network code yields.
        #[must_use]
        pub fn name(errno: i32) -> Option<&'static str> {
            match errno {
                $(libc::$name => Some(stringify!($name)),)+
                _ => None,
            }
        }
    };
}

names!(
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    EALREADY,
    EBADF,
    ECANCELED,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EFAULT,
    EHOSTDOWN,
    EHOSTUNREACH,
    EINTR,
    EINVAL,
    EIO,
    EISCONN,
    EMFILE,
    EMSGSIZE,
    ENETDOWN,
    ENETRESET,
    ENETUNREACH,
    ENFILE,
    ENOBUFS,
    ENODEV,
    ENOENT,
    ENOMEM,
    ENOPROTOOPT,
    ENOTCONN,
    ENOTSOCK,
    EOPNOTSUPP,
    EPERM,
    EPIPE,
    EPROTO,
    ETIMEDOUT,
);

/// The name, or `errno N` for a number that has none here.
#[must_use]
pub fn describe(errno: i32) -> String {
    name(errno).map_or_else(|| format!("errno {errno}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_told_by_name_and_unknown_ones_by_number() {
        assert_eq!(super::describe(libc::EADDRINUSE), "EADDRINUSE");
        assert_eq!(super::describe(4095), "errno 4095");
    }
}
