//! Identifiers that match an answer to its request.

/// Identifies a probe of the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeId(pub(crate) u64);

/// Identifies a check of the local gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GatewayProbeId(pub(crate) u64);

/// Identifies a round of witness queries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RoundId(pub(crate) u64);

/// Identifies a default router, also after a reboot. The caller defines what the text means.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RouterId(String);

impl RouterId {
    /// The router with this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
