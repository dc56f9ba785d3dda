//! Telling systemd how it is going (`sd_notify(3)`): started, reloading, ending, one line of status,
//! and that the loop still turns. Only tells; without systemd it tells nobody.
//!
//! Nothing here waits: the crates for this send in a way that blocks while systemd doesn't read, and
//! no decision may wait for that.

use std::{
    env,
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tracing::debug;

use failover_decide::{Decider, Inhibitor, State, Time};
use failover_linux::{clock, escape};

/// Where systemd listens; empty or missing where nobody does.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
const WATCHDOG_VARIABLE: &str = "WATCHDOG_USEC";
const WATCHDOG_PID_VARIABLE: &str = "WATCHDOG_PID";

#[derive(Debug)]
pub(crate) struct Supervisor {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
    /// What the status line was made of.
    told: Option<(State, usize, bool)>,
    /// What people have to know besides the state.
    note: Option<String>,
}

/// Whoever doesn't say anything for so long is killed and started again.
#[derive(Debug)]
struct Watchdog {
    patience: Duration,
    fed: Time,
    /// When it was found last that it is time to be fed.
    asked: Time,
}

impl Supervisor {
    /// Whoever the environment names.
    pub(crate) fn from_environment() -> Self {
        let to = env::var_os(SOCKET_VARIABLE).and_then(|name| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address(&name)?))
        });
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_ours = number(WATCHDOG_PID_VARIABLE)
            .is_none_or(|process| process == u64::from(std::process::id()));
        let patience = number(WATCHDOG_VARIABLE).filter(|patience| is_ours && *patience > 0);
        let watchdog = patience.map(|patience| Watchdog {
            patience: Duration::from_micros(patience),
            fed: clock::now(),
            asked: clock::now(),
        });
        Self {
            watchdog: watchdog.filter(|_| to.is_some()),
            to,
            told: None,
            note: None,
        }
    }

    /// One that listens at this path, and wants to be fed.
    #[cfg(test)]
    pub(crate) fn at(path: &std::path::Path, patience: Duration) -> Self {
        let socket = UnixDatagram::unbound().unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            to: address(path.as_os_str()).map(|address| (socket, address)),
            watchdog: Some(Watchdog {
                patience,
                fed: clock::now(),
                asked: clock::now(),
            }),
            told: None,
            note: None,
        }
    }

    /// It watches, with what it was given last.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// It reads its configuration again; [`Self::ready`] ends that.
    pub(crate) fn reloading(&self) {
        // systemd compares with its own clock, to tell this reload from one before.
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=ending; a gateway that runs goes on");
    }

    /// What people should know besides the state, until it is something else.
    pub(crate) fn note(&mut self, note: Option<String>) {
        self.note = note;
        self.told = None;
    }

    /// Is it time to feed the watchdog?
    pub(crate) fn wants_to_be_fed(&mut self) -> bool {
        let now = clock::now();
        let is_due = |watchdog: &&mut Watchdog| now.since(watchdog.fed) >= watchdog.patience / 4;
        let due = self.watchdog.as_mut().filter(is_due);
        due.map(|watchdog| watchdog.asked = now).is_some()
    }

    /// The loop has turned, and gets on with everything.
    pub(crate) fn feed(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.fed = clock::now();
            self.say("WATCHDOG=1");
        }
    }

    /// The loop has turned: something was decided, or there was nothing to decide.
    pub(crate) fn turned(&mut self, decider: &Decider) {
        if self.to.is_none() {
            return;
        }
        let now = (
            decider.state(),
            decider.strikes().len(),
            decider.pause().is_some(),
        );
        if self.told != Some(now) {
            self.told = Some(now);
            self.say(&format!("STATUS={}", self.status(decider)));
        }
    }

    /// When the loop has to turn at the latest, if it does nothing before.
    pub(crate) fn next_turn(&self) -> Option<Duration> {
        let watchdog = self.watchdog.as_ref()?;
        let next = watchdog.fed + watchdog.patience / 2;
        // One that must not be fed is looked after now and then.
        let next = next.max(watchdog.asked + watchdog.patience / 8);
        Some(next.since(clock::now()))
    }

    fn status(&self, decider: &Decider) -> String {
        let since = clock::wall(decider.since()).strftime("%Y-%m-%d %H:%M:%S UTC");
        let state = decider.state().name();
        let mut status = match decider.strikes().len() {
            0 => format!("{state} since {since}"),
            1 => format!("{state} since {since}, 1 strike"),
            strikes => format!("{state} since {since}, {strikes} strikes"),
        };
        if decider.pause().is_some() && state != Inhibitor::Paused.name() {
            status.push_str(", PAUSED");
        }
        if let Some(note) = &self.note {
            status.push_str("; ");
            status.push_str(&escape::one_line(note));
        }
        status
    }

    fn say(&self, what: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(what.as_bytes(), address)
        {
            debug!(%error, what, "systemd wasn't told");
        }
    }
}

/// A path, or with an `@` a name in the abstract namespace (unix(7)).
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok(),
        None if name.is_empty() => None,
        None => SocketAddr::from_pathname(name).ok(),
    }
}
