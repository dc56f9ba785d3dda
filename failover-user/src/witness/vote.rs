//! What a witness says. Only data: how it is shown is `wording`'s.

use std::time::Duration;

use failover_decide::Failure;

use crate::witness::default_route::Routers;

/// What one witness says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vote {
    /// As people know it.
    pub witness: String,
    /// How it answered, or why not.
    pub said: Result<Answer, Silence>,
    /// Until that was known.
    pub took: Duration,
}

/// How a witness answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// With an ICMP echo.
    Echo,
    /// With a connection.
    Connected,
    /// With a refusal, which somebody has to send just as well.
    Refused,
}

/// Why a witness doesn't answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Silence {
    /// It let the time go by.
    TimedOut,
    /// The network says that it can't be reached, with this errno.
    Unreachable(i32),
    /// A connection failed in another way.
    Failed(Failure),
    /// No echo can be sent, for this errno.
    NotSent(i32),
    /// Its name has no address.
    NoAddress,
    /// It can't be asked.
    NotAsked(String),
    /// There is no default route any more.
    NoRoute,
    /// The default route leads to these now, by which the primary hasn't answered.
    OtherRoute(Routers),
}
