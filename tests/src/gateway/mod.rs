//! A small gateway in place of the real one: it behaves as OpenClaw (2026.9.6) was observed to, healthy and faulty.
//!
//! [`answer`] has its answers, [`connection`] handles a connection, and this file its life: when it listens, hangs,
//! drains and ends. SIGUSR1 makes it hang, and the next one continue.

mod answer;
mod connection;

use std::{
    fs,
    future::pending,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::net::{
    bind, listen,
    sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport},
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use crate::{duration, lab::host::stream_socket};
pub use answer::Role;

/// As Node's.
const BACKLOG: i32 = 511;
/// Later ones are closed at once.
const MOST_CONNECTIONS: usize = 1000;

/// `failover-lab gateway`
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where to listen; `[::]` takes IPv4 too unless an IPv4 address is given beside it
    #[arg(long, required = true, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Share the address with other programs that set this, too
    #[arg(long)]
    reuse_port: bool,
    /// Write the process ID here once it listens
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// What it answers
    #[arg(long, value_enum, default_value_t = Role::Healthy)]
    plays: Role,
    /// Listen only after this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    start_delay: Option<Duration>,
    /// Answer only this time after it listens
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    answer_delay: Option<Duration>,
    /// Close a connection that has been idle for this time after an answer; Node does after 5 s
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    keep_alive: Option<Duration>,
    /// On SIGTERM go on listening and answering for this time, as one does that an agent keeps busy
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    drain: Option<Duration>,
    /// On SIGTERM, and after draining, listen no longer but live on for this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    linger: Option<Duration>,
    /// Listen for this time, then be gone for as long, and so on, as one does that its supervisor
    /// restarts repeatedly
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    crash_loop: Option<Duration>,
}

/// Serves until SIGTERM, or as its options require.
///
/// # Errors
/// When it can't listen.
pub fn run(options: &Options) -> Result<()> {
    if let Some(delay) = options.start_delay {
        thread::sleep(delay);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("making a runtime")?;
    // What still runs at its end is connections, and they end with the process.
    runtime.block_on(live(options))
}

async fn live(options: &Options) -> Result<()> {
    // Before it can be seen to listen: by default both signals end a process.
    let hang = signal(SignalKind::user_defined1()).context("waiting for SIGUSR1")?;
    let terminate = (options.drain.is_some() || options.linger.is_some())
        .then(|| signal(SignalKind::terminate()))
        .transpose()
        .context("waiting for SIGTERM")?;

    let gateway = Arc::new(Gateway {
        role: options.plays,
        keep_alive: options.keep_alive,
        hangs: watch::Sender::new(options.answer_delay.is_some()),
        drains: watch::Sender::new(false),
        began: Instant::now(),
        boot_id: format!("{:032x}", fastrand::u128(..)),
    });
    let mut sockets = JoinSet::new();
    open(options, &gateway, &mut sockets)?;
    if let Some(path) = &options.pid_file {
        write_pid(path).with_context(|| format!("writing {}", path.display()))?;
    }
    tokio::select! {
        never = toggle_at(hang, &gateway.hangs) => match never {},
        never = answer_after(options.answer_delay, &gateway.hangs) => match never {},
        result = crash_again_and_again(options, &gateway, &mut sockets) => return result,
        () = terminated(terminate) => {}
    }
    gateway.drains.send_replace(true);
    sleep(options.drain.unwrap_or_default()).await;
    sockets.shutdown().await;
    sleep(options.linger.unwrap_or_default()).await;
    Ok(())
}

/// Shared with its connections.
#[derive(Debug)]
struct Gateway {
    role: Role,
    keep_alive: Option<Duration>,
    /// While it does, it accepts and answers nothing.
    hangs: watch::Sender<bool>,
    drains: watch::Sender<bool>,
    began: Instant,
    /// Another one each time that it is started.
    boot_id: String,
}

/// Listens everywhere. Each task in `sockets` is a listener; it ends its connections when it ends.
fn open(options: &Options, gateway: &Arc<Gateway>, sockets: &mut JoinSet<()>) -> Result<()> {
    let only_v6 = options.listen.iter().any(SocketAddr::is_ipv4);
    for address in &options.listen {
        let listener = listener(*address, only_v6, options.reuse_port)
            .with_context(|| format!("listening on {address}"))?;
        sockets.spawn(accept(listener, Arc::clone(gateway)));
    }
    Ok(())
}

fn listener(address: SocketAddr, only_v6: bool, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = stream_socket(address)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, reuse_port)?;
    if only_v6 && address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: TcpListener, gateway: Arc<Gateway>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            while connections.try_join_next().is_some() {}
            if connections.len() < MOST_CONNECTIONS {
                connections.spawn(connection::serve(stream, Arc::clone(&gateway)));
            }
        }
    }
}

/// Whole or not at all.
fn write_pid(path: &Path) -> io::Result<()> {
    let pid = std::process::id();
    let draft = path.with_extension(format!("{pid}.draft"));
    fs::write(&draft, pid.to_string())?;
    fs::rename(draft, path)
}

enum Never {}

async fn toggle_at(mut signal: Signal, hangs: &watch::Sender<bool>) -> Never {
    loop {
        signal.recv().await;
        hangs.send_modify(|hangs| *hangs = !*hangs);
    }
}

async fn answer_after(delay: Option<Duration>, hangs: &watch::Sender<bool>) -> Never {
    if let Some(delay) = delay {
        sleep(delay).await;
        hangs.send_replace(false);
    }
    pending().await
}

/// Never returns unless it can't listen again.
async fn crash_again_and_again(
    options: &Options,
    gateway: &Arc<Gateway>,
    sockets: &mut JoinSet<()>,
) -> Result<()> {
    loop {
        asleep(options.crash_loop).await;
        sockets.shutdown().await;
        asleep(options.crash_loop).await;
        open(options, gateway, sockets)?;
    }
}

/// For ever when there is no such time.
async fn asleep(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}

/// Never when the signal does what it does by default.
async fn terminated(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => pending().await,
    }
}
