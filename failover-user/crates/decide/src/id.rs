//! What tells one question from another: the answer brings it back.

/// Tells one probe from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeId(pub(crate) u64);

/// Tells one check of the local gateway from another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GatewayProbeId(pub(crate) u64);

/// Tells one round of asking the witnesses from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RoundId(pub(crate) u64);

/// Tells one default router from another, across restarts of the machine. What the text means is its
/// giver's affair.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RouterId(String);

impl RouterId {
    /// The router that is called so.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// What it is called.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
