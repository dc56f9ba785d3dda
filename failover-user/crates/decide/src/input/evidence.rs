//! What connections of other programs show about the primary.

/// What happened on a connection to the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Evidence {
    /// A connection attempt ended without a connection.
    Refused,
    /// A connection was reset by the primary.
    Reset,
    /// A connection timed out.
    TimedOut,
    /// The primary closed a connection.
    Closed,
    /// A connection to the primary was established.
    Established,
    /// The primary acknowledged data that another program sent, while a probe was in flight.
    Acknowledged,
}

impl Evidence {
    /// Does it show that the primary is alive?
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Established | Self::Acknowledged)
    }
}
