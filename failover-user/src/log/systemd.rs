//! Telling systemd how it is going (`sd_notify(3)`): started, reloading, ending, one line of status,
//! and that the loop still turns. Only tells; without systemd it tells nobody.
//!
//! Nothing here waits: the crates for this send in a way that blocks while systemd doesn't read, and
//! no decision may wait for that.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::Arc,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tracing::debug;

use failover_decide::{Decider, State, StateKind, Time};
use failover_linux::{clock, escape};

use crate::observe::occurrence::{Context, DaemonCourse, Observer, Occurrence};

/// Where systemd listens; empty or missing where nobody does.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
const WATCHDOG_VARIABLE: &str = "WATCHDOG_USEC";
const WATCHDOG_PID_VARIABLE: &str = "WATCHDOG_PID";

/// Where systemd listens.
#[derive(Clone, Debug)]
struct Socket(Arc<(UnixDatagram, SocketAddr)>);

impl Socket {
    fn to(address: SocketAddr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self(Arc::new((socket, address))))
    }

    fn say(&self, what: &str) {
        let (socket, address) = &*self.0;
        if let Err(error) = socket.send_to_addr(what.as_bytes(), address) {
            debug!(%error, what, "cannot notify systemd");
        }
    }
}

/// Tells systemd how it is.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<Socket>,
    /// What the status line was made of.
    status: Option<(State, usize, bool)>,
    /// What people have to know besides the state.
    note: Option<String>,
}

/// Feeds systemd's watchdog: without this for too long, the service is killed and restarted.
#[derive(Debug)]
pub(crate) struct Watchdog {
    socket: Socket,
    patience: Duration,
    fed: Time,
    /// When it was found last that it is time to be fed.
    asked: Time,
}

/// The socket from the environment.
pub(crate) fn from_environment() -> (Supervisor, Option<Watchdog>) {
    let socket = env::var_os(SOCKET_VARIABLE).and_then(|name| Socket::to(address(&name)?).ok());
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number(WATCHDOG_PID_VARIABLE)
        .is_none_or(|process| process == u64::from(std::process::id()));
    let patience = number(WATCHDOG_VARIABLE).filter(|patience| is_ours && *patience > 0);
    let watchdog = socket
        .as_ref()
        .zip(patience)
        .map(|(socket, patience)| Watchdog::new(socket.clone(), Duration::from_micros(patience)));
    let supervisor = Supervisor {
        socket,
        status: None,
        note: None,
    };
    (supervisor, watchdog)
}

impl Watchdog {
    fn new(socket: Socket, patience: Duration) -> Self {
        let now = clock::now();
        Self {
            socket,
            patience,
            fed: now,
            asked: now,
        }
    }

    /// One that listens at this path.
    #[cfg(test)]
    pub(crate) fn at(path: &std::path::Path, patience: Duration) -> Self {
        let socket = Socket::to(address(path.as_os_str()).unwrap()).unwrap();
        Self::new(socket, patience)
    }

    /// Is it time to feed it?
    pub(crate) fn is_due(&mut self) -> bool {
        let now = clock::now();
        let is_due = now.since(self.fed) >= self.patience / 4;
        if is_due {
            self.asked = now;
        }
        is_due
    }

    /// The loop has turned, and gets on with everything.
    pub(crate) fn feed(&mut self) {
        self.fed = clock::now();
        self.socket.say("WATCHDOG=1");
    }

    /// How long until the loop has to turn, if it does nothing before.
    pub(crate) fn next_turn(&self) -> Duration {
        let next = self.fed + self.patience / 2;
        // One that must not be fed is looked after now and then.
        let next = next.max(self.asked + self.patience / 8);
        next.since(clock::now())
    }
}

impl Supervisor {
    /// It watches, with what it was given last.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// It reads its configuration again; [`Self::ready`] ends that.
    fn reloading(&self) {
        // systemd compares with its own clock, to tell this reload from one before.
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// What people should know besides the state, until it is something else.
    fn note(&mut self, note: Option<String>) {
        self.note = note;
        self.status = None;
    }

    /// Something was decided, or there was nothing to decide.
    fn turned(&mut self, decider: &Decider) {
        if self.socket.is_none() {
            return;
        }
        let now = (
            decider.state(),
            decider.strikes().len(),
            decider.pause().is_some(),
        );
        if self.status != Some(now) {
            self.status = Some(now);
            self.say(&format!("STATUS={}", self.status(decider)));
        }
    }

    fn daemon(&mut self, course: &DaemonCourse, decider: &Decider) {
        match course {
            DaemonCourse::Watches => {
                self.ready();
                self.turned(decider);
            }
            DaemonCourse::Reloads => self.reloading(),
            DaemonCourse::Reloaded => {
                self.note(None);
                self.ready();
            }
            DaemonCourse::ReloadRefused(error) => {
                self.note(Some(format!("the new configuration is refused: {error}")));
                self.ready();
            }
            DaemonCourse::Ends => {
                self.say("STOPPING=1\nSTATUS=stopping; the gateway keeps running");
            }
            DaemonCourse::Begins { .. }
            | DaemonCourse::Reconfigured(_)
            | DaemonCourse::Ended(_) => {}
        }
    }

    fn status(&self, decider: &Decider) -> String {
        let since = clock::wall(decider.since()).strftime("%Y-%m-%d %H:%M:%S UTC");
        let state = decider.state().kind();
        let name = state.name();
        let mut status = match decider.strikes().len() {
            0 => format!("{name} since {since}"),
            1 => format!("{name} since {since}, 1 strike"),
            strikes => format!("{name} since {since}, {strikes} strikes"),
        };
        if decider.pause().is_some() && state != StateKind::Paused {
            status.push_str(", PAUSED");
        }
        if let Some(note) = &self.note {
            status.push_str("; ");
            status.push_str(&escape::one_line(note));
        }
        status
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket {
            socket.say(what);
        }
    }
}

impl Observer for Supervisor {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Daemon(course) => self.daemon(course, context.decider),
            Occurrence::Turned => self.turned(context.decider),
            Occurrence::Seen(_)
            | Occurrence::Decided(_)
            | Occurrence::Command(..)
            | Occurrence::Sync(_)
            | Occurrence::Order(..) => {}
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
