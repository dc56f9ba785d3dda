//! How well PC-B protects PC-A.

use crate::named::Named;

/// How well PC-B protects PC-A.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// One gateway serves, and PC-B would take over if it died.
    Safe,
    /// The primary is down, and PC-B serves or is about to: it has no standby.
    Degraded,
    /// There is a problem: PC-B would not take over, or not release, or two gateways serve.
    Unsafe,
}

impl Named for Protection {
    const ALL: &'static [Self] = &[Self::Safe, Self::Degraded, Self::Unsafe];

    fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Degraded => "degraded",
            Self::Unsafe => "unsafe",
        }
    }
}
