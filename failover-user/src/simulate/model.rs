//! The modelled networks: rate and duration of each fault, and their sources.
//!
//! Each model is named after the study its main numbers come from. What a study does not contain is
//! marked as an assumption; the same faults meet every contender, so a comparison needs the
//! assumptions less than a single figure does.

use crate::simulate::{chance::Spread, channel::GilbertElliott};

/// A network with PC-A and PC-B on it.
#[derive(Debug)]
pub struct Model {
    /// The source's short name.
    pub name: &'static str,
    /// The source of the main numbers.
    pub source: &'static str,
    /// Packet loss within seconds.
    pub bursts: GilbertElliott,
    /// Shortest round trip, seconds.
    pub round_trip: f64,
    /// Mean queueing delay, seconds.
    pub jitter: f64,
    /// What goes wrong.
    pub faults: &'static [Fault],
    /// A direct cable from PC-A to PC-B, with the witnesses behind another one: while PC-A is off,
    /// PC-B has no carrier towards it.
    pub direct: bool,
}

/// A recurring fault, at random (a Poisson process).
#[derive(Debug)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// How often.
    pub per_year: f64,
    /// How long it lasts, seconds.
    pub lasts: Spread,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// PC-A's gateway process is gone; PC-A refuses connections.
    Process,
    /// PC-A shuts down and boots: connections are closed in order, then silence.
    Reboot,
    /// PC-A falls silent: power, crash, suspend.
    Host,
    /// PC-A's link is down.
    LinkA,
    /// PC-B's cable or association is gone, and its kernel knows.
    CableB,
    /// The network beyond PC-B's cable is gone.
    UpstreamB,
    /// The switch of both is off.
    Both,
    /// Packets from and to PC-B are lost with this probability; the primary serves everybody else.
    Fade(f64),
    /// PC-A's gateway dies and is restarted, over and over: mean seconds up, and down.
    CrashLoop(f64, f64),
    /// PC-B sleeps. It is without network for some seconds afterwards.
    Suspend,
    /// PC-B reboots.
    RebootB,
}

const fn fault(kind: Kind, per_year: f64, median: f64, sigma: f64) -> Fault {
    Fault {
        kind,
        per_year,
        lasts: Spread { median, sigma },
    }
}

/// All models; the simulated days are shared out among them evenly.
pub static MODELS: [Model; 4] = [NT_LAN, BISMARK, CENIC, WIRELESS];

/// A wired LAN of servers.
///
/// M. Kalyanakrishnam, Z. Kalbarczyk, R. Iyer: Failure Data Analysis of a LAN of Windows NT Based
/// Computers, SRDS 1999. Some 70 mail servers: available 99.35 % of the time, a mean downtime of two
/// hours, so 28.5 failures a year, mostly software's; after 60 % of the reboots trouble again within
/// an hour or two, here a slow crash loop.
///
/// Assumptions: the split into reboots (24) and silent crashes (4.5); log-normal downtimes with a
/// median of 40 min; a process that stays dead (12 a year), one that is restarted (24) or loops fast
/// (2); links, which the study did not look at.
const NT_LAN: Model = Model {
    name: "nt-lan",
    source: "Kalyanakrishnam, Kalbarczyk, Iyer 1999",
    bursts: GilbertElliott {
        good: 60.0,
        bad: 0.05,
        loss_good: 1e-6,
        loss_bad: 0.05,
    },
    round_trip: 0.0002,
    jitter: 0.0003,
    faults: &[
        fault(Kind::Reboot, 24.0, 2400.0, 1.48),
        fault(Kind::Host, 4.5, 2400.0, 1.48),
        fault(Kind::CrashLoop(600.0, 120.0), 17.0, 3600.0, 0.7),
        fault(Kind::Process, 12.0, 600.0, 1.5),
        fault(Kind::Process, 24.0, 8.0, 0.5),
        fault(Kind::CrashLoop(4.0, 5.0), 2.0, 1800.0, 1.0),
        fault(Kind::LinkA, 1.0, 300.0, 1.5),
        fault(Kind::CableB, 1.0, 300.0, 1.5),
        fault(Kind::UpstreamB, 0.5, 300.0, 1.5),
        fault(Kind::Both, 1.0, 600.0, 1.5),
        fault(Kind::RebootB, 12.0, 90.0, 0.5),
    ],
    direct: false,
};

/// Two homes, PC-A in one and PC-B in the other.
///
/// S. Grover et al.: Peeking Behind the NAT: An Empirical Study of Home Networks, IMC 2013
/// (BISmark). Homes in developed countries are cut off at a median of 0.06 times a day, 22 times a
/// year, partly because the router is off, partly by the access network.
///
/// Assumptions: half and half of these; a median of 30 min (log-normal); the PCs' own faults; the
/// round trip; bursts from filled buffers.
const BISMARK: Model = Model {
    name: "bismark",
    source: "Grover et al. 2013",
    bursts: GilbertElliott {
        good: 30.0,
        bad: 0.3,
        loss_good: 0.0005,
        loss_bad: 0.3,
    },
    round_trip: 0.02,
    jitter: 0.01,
    faults: &[
        fault(Kind::LinkA, 22.0, 1800.0, 1.2),
        fault(Kind::CableB, 11.0, 1800.0, 1.2),
        fault(Kind::UpstreamB, 11.0, 1800.0, 1.2),
        fault(Kind::Reboot, 24.0, 90.0, 0.5),
        fault(Kind::Host, 6.0, 1800.0, 1.5),
        fault(Kind::Process, 12.0, 600.0, 1.5),
        fault(Kind::Process, 24.0, 8.0, 0.5),
        fault(Kind::CrashLoop(4.0, 5.0), 2.0, 1800.0, 1.0),
        fault(Kind::RebootB, 12.0, 90.0, 0.5),
    ],
    direct: false,
};

/// A wide-area network between two sites.
///
/// D. Turner, K. Levchenko, A. Snoeren, S. Savage: California Fault Lines, SIGCOMM 2010 (CENIC): a
/// link is down for 1.2 to 2.7 days a year; 1.95 here, most failures short and most downtime in a few
/// long ones.
///
/// Assumptions: 60 failures a year, so 47 min on average, with a median of 60 s (log-normal); half of
/// them on each side, those on PC-B's mostly beyond its cable; the PCs' own faults, as above.
const CENIC: Model = Model {
    name: "cenic",
    source: "Turner et al. 2010",
    bursts: GilbertElliott {
        good: 60.0,
        bad: 0.2,
        loss_good: 0.0001,
        loss_bad: 0.3,
    },
    round_trip: 0.01,
    jitter: 0.003,
    faults: &[
        fault(Kind::LinkA, 30.0, 60.0, 2.77),
        fault(Kind::CableB, 5.0, 60.0, 2.77),
        fault(Kind::UpstreamB, 25.0, 60.0, 2.77),
        fault(Kind::Reboot, 12.0, 90.0, 0.5),
        fault(Kind::Host, 2.0, 2400.0, 1.5),
        fault(Kind::Process, 12.0, 600.0, 1.5),
        fault(Kind::Process, 24.0, 8.0, 0.5),
        fault(Kind::CrashLoop(4.0, 5.0), 2.0, 1800.0, 1.0),
        fault(Kind::RebootB, 6.0, 90.0, 0.5),
    ],
    direct: false,
};

/// A wireless link with bursts of loss, and a PC-B that is a laptop.
///
/// E. Gilbert: Capacity of a Burst-Noise Channel, Bell System Technical Journal 39, 1960; E. Elliott:
/// Estimates of Error Rates for Codes on Burst-Noise Channels, BSTJ 42, 1963: a channel that changes
/// between a good and a bad state. K. Cardoso and J. de Rezende (IEEE Communications Letters, 2009)
/// find that two states are too few for indoor 802.11; hence the fades on top.
///
/// Assumptions: all numbers; 2.5 % of the packets are lost in bursts of half a second, one fade of
/// about 20 s a day loses 90 %, the association is lost twice a week, the lid is closed twice a day.
const WIRELESS: Model = Model {
    name: "gilbert-elliott",
    source: "Gilbert 1960, Elliott 1963",
    bursts: GilbertElliott {
        good: 10.0,
        bad: 0.5,
        loss_good: 0.001,
        loss_bad: 0.5,
    },
    round_trip: 0.002,
    jitter: 0.005,
    faults: &[
        fault(Kind::Fade(0.9), 365.0, 20.0, 0.8),
        fault(Kind::CableB, 100.0, 30.0, 1.5),
        fault(Kind::UpstreamB, 2.0, 300.0, 1.5),
        fault(Kind::Both, 6.0, 180.0, 1.2),
        fault(Kind::Suspend, 730.0, 3600.0, 1.2),
        fault(Kind::Reboot, 24.0, 90.0, 0.5),
        fault(Kind::Host, 6.0, 1800.0, 1.5),
        fault(Kind::Process, 12.0, 600.0, 1.5),
        fault(Kind::Process, 24.0, 8.0, 0.5),
        fault(Kind::CrashLoop(4.0, 5.0), 2.0, 1800.0, 1.0),
        fault(Kind::RebootB, 24.0, 90.0, 0.5),
    ],
    direct: false,
};
