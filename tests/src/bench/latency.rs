//! How long after the kernel's time stamp an event is in the daemon's hands: the program and the
//! reader are the daemon's own, loaded here.

use std::{io, net::TcpListener, num::NonZeroU16, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use failover::{
    clock,
    decide::Time,
    kernel::{KernelEvents, Watch},
};
use tokio::time::timeout;

use crate::{PORT, lab::Lab};

/// After the last connection, events still come for so long at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    /// From the kernel's time stamp to user space, for each event.
    pub(super) delays: Vec<Duration>,
    pub(super) lost: u64,
}

/// Makes so many connections a second on the port, for a while.
pub(super) fn run(rate: u32, connections: u32) -> Result<Latency> {
    let lab = Lab::build()?;
    lab.host_b().enter("latency", || {
        let port = NonZeroU16::new(PORT).context("no port")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting a runtime")?;
        let _inside = runtime.enter();
        let mut kernel = KernelEvents::load(Watch {
            local_port: port,
            primary_port: port,
            all_namespaces: false,
            ignored_process: None,
            debug: false,
        })?;
        let listener = TcpListener::bind(("127.0.0.1", PORT)).context("listening")?;
        thread::scope(|scope| {
            // Threads inherit the namespace.
            let connecting = scope.spawn(|| connect(&listener, rate, connections));
            let mut seen = Latency {
                delays: Vec::new(),
                lost: 0,
            };
            runtime.block_on(async {
                while let Ok(batch) = timeout(PATIENCE, kernel.next()).await {
                    let (batch, now) = (batch.context("reading events")?, clock::now());
                    let times = batch.events.iter().map(|event| event.origin().time);
                    let delays = times.map(|time| now.since(Time::from_boot(time)));
                    seen.delays.extend(delays);
                    seen.lost += batch.lost;
                }
                anyhow::Ok(())
            })?;
            let connected = connecting.join();
            connected
                .map_err(|_| anyhow::anyhow!("the connecting thread panicked"))?
                .context("connecting")?;
            ensure!(!seen.delays.is_empty(), "the kernel told nothing");
            Ok(seen)
        })
    })
}

fn connect(listener: &TcpListener, rate: u32, connections: u32) -> io::Result<()> {
    let address = listener.local_addr()?;
    let pause = Duration::from_secs(1) / rate;
    for _ in 0..connections {
        let client = std::net::TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        drop((client, server));
        thread::sleep(pause);
    }
    Ok(())
}
