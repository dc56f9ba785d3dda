//! Connections over loopback, as many and as fast as wanted: what kernel events are made of.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

/// Connections that are made, accepted and closed, in the caller's namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) port: u16,
    pub(super) connections: u32,
    /// Connections per second; else as many as possible.
    pub(super) rate: Option<u32>,
    /// Each makes its share, to a listener of its own.
    pub(super) threads: u8,
}

impl Load {
    /// Makes them, and returns the time that it took.
    pub(super) fn run(self) -> Result<Duration> {
        let share = self.connections / u32::from(self.threads);
        let pause = match self.rate {
            Some(rate) => Duration::from_secs(1) * u32::from(self.threads) / rate,
            None => Duration::ZERO,
        };
        // Each address has local ports of its own: one alone runs out of them within seconds.
        let listeners = (1..=self.threads)
            .map(|number| {
                let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), self.port));
                TcpListener::bind(address).with_context(|| format!("listening on {address}"))
            })
            .collect::<Result<Vec<_>>>()?;
        let began = Instant::now();
        thread::scope(|scope| {
            // Threads inherit the namespace.
            let threads: Vec<_> = listeners
                .iter()
                .map(|listener| scope.spawn(move || connect(listener, share, pause)))
                .collect();
            for thread in threads {
                let done = thread.join();
                done.map_err(|_| anyhow!("a connecting thread panicked"))?
                    .context("connecting")?;
            }
            Ok(began.elapsed())
        })
    }

    /// How many a second those were.
    pub(super) fn reached(self, took: Duration) -> f64 {
        f64::from(self.connections) / took.as_secs_f64()
    }
}

/// Makes this number of connections one after the other, at this interval.
pub(super) fn connect(listener: &TcpListener, connections: u32, pause: Duration) -> io::Result<()> {
    let address = listener.local_addr()?;
    // By the clock, so that one that was late is made up for.
    let mut due = Instant::now();
    for _ in 0..connections {
        let early = due.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            thread::sleep(early);
        }
        due += pause;
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        drop((client, server));
    }
    Ok(())
}
