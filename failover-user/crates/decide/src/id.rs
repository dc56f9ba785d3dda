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
