//! Whether the machine is being shut down: logind says so before anything is stopped (org.freedesktop.login1(5),
//! `PrepareForShutdown`), and waits for those who hold a delay lock, for five seconds by default.

use std::os::fd::OwnedFd;

use futures_util::StreamExt as _;
use tracing::debug;
use zbus::{Connection, Proxy, proxy::SignalStream, zvariant::OwnedFd as BusFd};

use failover_guard::beat::Announcement;

const DESTINATION: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const INTERFACE: &str = "org.freedesktop.login1.Manager";

/// See the module.
pub(super) struct Shutdown {
    watched: Option<Watched>,
    begins: bool,
}

struct Watched {
    signals: SignalStream<'static>,
    /// While it is held, the machine waits: PC-B hears of it first.
    _lock: OwnedFd,
    _connection: Connection,
}

impl Shutdown {
    /// Where there is no logind, a shutdown isn't announced.
    pub(super) async fn watch() -> Self {
        let watched = watched().await;
        if let Err(error) = &watched {
            debug!(%error, "shutdowns of this machine aren't announced");
        }
        Self {
            watched: watched.ok(),
            begins: false,
        }
    }

    /// What is announced now.
    pub(super) fn announcement(&self) -> Option<Announcement> {
        self.begins.then_some(Announcement::ShutsDown)
    }

    /// Waits until a shutdown begins, or is called off. Cancel-safe.
    pub(super) async fn next(&mut self) -> bool {
        loop {
            let Some(watched) = &mut self.watched else {
                std::future::pending::<()>().await;
                continue;
            };
            match watched.signals.next().await {
                Some(signal) => {
                    if let Ok(begins) = signal.body().deserialize::<bool>() {
                        self.begins = begins;
                        return begins;
                    }
                }
                None => self.watched = None,
            }
        }
    }
}

async fn watched() -> zbus::Result<Watched> {
    let connection = Connection::system().await?;
    let manager = Proxy::new(&connection, DESTINATION, PATH, INTERFACE).await?;
    let signals = manager.receive_signal("PrepareForShutdown").await?;
    let why = (
        "shutdown",
        "failover guard",
        "PC-B is notified first",
        "delay",
    );
    let lock: BusFd = manager.call("Inhibit", &why).await?;
    Ok(Watched {
        signals,
        _lock: lock.into(),
        _connection: connection,
    })
}
