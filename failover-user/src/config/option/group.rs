//! The groups that options are shown in.

/// A heading in the help, the manual and the reference.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Group {
    /// The ten that everybody needs.
    Essential,
    /// How PC-A's gateway is checked.
    Primary,
    /// How PC-B's gateway is started, stopped, recognized and checked.
    LocalGateway,
    /// When to take over and when to release.
    Judgement,
    /// What PC-A's guard changes.
    Guard,
    /// What is copied from PC-A.
    Sync,
    /// Who is notified of events.
    Notifications,
    /// How the daemon itself runs.
    Daemon,
}

impl Group {
    /// The heading.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Essential => "Essential options",
            Self::Primary => "Primary",
            Self::LocalGateway => "Local gateway",
            Self::Judgement => "Judgement",
            Self::Sync => "Sessions and configuration",
            Self::Guard => "Guard on PC-A",
            Self::Notifications => "Notifications",
            Self::Daemon => "Daemon",
        }
    }
}
