//! `failover simulate`: the daemon's state machine in virtual time, against modelled networks.
//!
//! Simulates years in seconds, with any settings, compared with
//! the plain shell loop that failover replaces:
//!
//! ```text
//! failover simulate --baseline --config today.toml --config tomorrow.toml --svg chart.svg
//! ```
//!
//! # What is simulated
//!
//! The days are cut into runs of up to 25 days, and the runs are shared out evenly among the
//! [`MODELS`], which define the rate of each fault, and cite the study. Each run has
//! one set of faults (crashes, reboots, crash loops, cut cables, suspends) that every contender meets; what
//! is drawn on the way (single packets, how long a command takes) comes from equal generators. All of
//! it depends only on the seed, not on the number of threads or on the other contenders.
//!
//! - A probe is a TCP connect: SYNs after 0 s, 1 s, 3 s, 7 s, ... within the timeout, each lost or not
//!   by a Gilbert-Elliott channel. So random loss rarely fails a probe; bursts and outages do.
//! - A failed probe of the daemon is unknown where PC-B has no carrier, unless witnesses answer. The loop
//!   doesn't know carriers.
//! - The tripwire reports a dead process at once, and silence after 3 to 4 s.
//! - Witnesses are third hosts that answer unless PC-B has no network; their packets are lost like
//!   others. The default router is one of them once it has answered while the primary did.
//! - A fence takes 2 s, works while PC-B has a network, and switches PC-A off for 90 s, whether PC-A
//!   was healthy or not.
//! - The local gateway takes about 5 s to start and 1 s to stop, and one start in a hundred fails:
//!   assumptions, the same for all.
//! - While PC-B sleeps nothing happens and timers stand still; after a reboot everything starts again, except
//!   the daemon's persisted state: that the router has answered, and how the primary flaps.
//!
//! # What is counted
//!
//! - *needed*: outages of the primary, with PC-B there and connected, of 120 s at least. *Missed* are
//!   those in which the local gateway never listened.
//! - *false*: start or fence commands that were run while the primary served clients with a network.
//! - *time to takeover*: from the primary's loss, or from PC-B's being there if that is later, to the
//!   local gateway listening. *Time to release*: from the primary's being back within PC-B's reach to
//!   the local gateway's end.
//! - *two gateways*: the primary serves and the local gateway listens. *No gateway*: the primary
//!   doesn't serve, and the local gateway doesn't listen or PC-B has no network.
//!
//! # Invariants
//!
//! The [invariants](failover_decide::invariants) are checked at every event, as in the decider's own tests:
//! when a command may run and when it may not, how often the primary is asked, that a local gateway that
//! nobody needs is stopped, and that every state is left. A violation makes `failover simulate` fail.
//!
//! Each run is followed by a stress run, in which far more goes wrong, an operator gives orders, and nobody
//! has seen the primary yet. It is checked alike, and counts in no statistic.
//!
//! # What it finds
//!
//! At 30 s / 5 s / 3, for 20,000 days with seed 1, a year in PC-B's life looks like this:
//!
//! | | no witness | another host | defaults | and no flap damping | or confirmed every 10 s | the loop |
//! | --- | ---: | ---: | ---: | ---: | ---: | ---: |
//! | false takeovers | 11.5 | 1.0 | 1.0 | 1.2 | 3.4 | 17.6 |
//! | time to takeover, p50 | 69 s | 69 s | 69 s | 67 s | 28 s | 86 s |
//! | no gateway, and PC-B could help | 89 min | 89 min | 89 min | 132 min | 42 min | 142 min |
//! | two gateways | 6.4 h | 43 min | 43 min | 2.2 min | 49 min | 9.4 h |
//! | two gateways, both with a network | 45 min | 43 min | 43 min | 2.2 min | 49 min | 28 min |
//!
//! So it is a witness that prevents false takeovers, by default the router; the confirm-interval that
//! shortens outages; and flap damping that keeps the local gateway beside a primary that crashes in a
//! loop: it costs time with two gateways and saves time with none.
//!
//! # What is not modelled
//!
//! Others' connections to the primary, hence evidence from them; name resolution; ICMP and ARP errors,
//! which end a probe sooner than its timeout; a router that dies by itself, or together with the
//! primary, or leaves pings unanswered; keepalives lost in short bursts; a local gateway that dies by
//! itself.

mod baseline;
mod chance;
mod channel;
mod chart;
mod environment;
mod faults;
mod model;
mod options;
mod parking;
mod report;
mod simulation;
mod statistics;
mod story;
mod stress;
mod table;
mod tripwire;
mod world;

#[cfg(test)]
mod tests;

pub use baseline::Loop;
pub use chance::Spread;
pub use channel::GilbertElliott;
pub use chart::chart;
pub use model::{Fault, Kind, MODELS, Model};
pub use options::{Options, Output, run};
pub use report::{OfModel, Report, Summary, Times};
pub use simulation::{Contender, How, Simulation};
pub use table::table;
