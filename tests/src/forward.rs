//! A tunnel in place of `ssh -L`: it listens here, and forwards connections to another host. Like ssh it keeps one
//! connection to that host open.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

/// `failover-lab forward`
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where to forward to
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
}

/// Forwards until it is killed.
///
/// # Errors
/// When it can't connect, or can't listen.
pub fn run(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("making a runtime")?;
    runtime.block_on(forward(options))
}

async fn forward(Options { listen, to }: Options) -> Result<()> {
    let _held = TcpStream::connect(to)
        .await
        .with_context(|| format!("connecting to {to}"))?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen}"))?;
    loop {
        let (mut near, _) = listener.accept().await.context("accepting")?;
        tokio::spawn(async move {
            if let Ok(mut far) = TcpStream::connect(to).await {
                // Until either side has had enough.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}
