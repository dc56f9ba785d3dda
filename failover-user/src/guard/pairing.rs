//! `failover guard pair`: two hosts agree on their keys over TCP, and the operator compares a code of six digits on both.
//!
//! PC-B waits, PC-A connects. Keys are kept only once both operators, or the one on both, have said that the codes are
//! the same. See [`failover_guard::pairing`] for why nobody in between can take part.

use std::{
    fs::DirBuilder,
    io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _},
    num::NonZeroU16,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use failover_guard::pairing::{Commitment, Contribution, Exchange, Side};

use failover_linux::files::{self, Sticky};

use crate::{
    config::{GUARD_PORT, Host, host_and_port, quoted},
    guard::keys::Keys,
};

/// Each message is a line of JSON of some 300 bytes.
const LONGEST_LINE: u64 = 4096;
/// How long the other side's operator has for comparing.
const COMPARING: Duration = Duration::from_secs(300);
/// How long a message takes otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// Those who connect and say nothing sensible: a port scan must not end the pairing.
const MOST_STRANGERS: u32 = 100;
/// Of the operator's answer, in bytes.
const LONGEST_ANSWER: u64 = 64;

/// The last message: the operator says that the codes are the same, or not.
#[derive(Debug, Deserialize, Serialize)]
struct Compared {
    same: bool,
}

/// Waits for PC-A at this port, and keeps the keys.
///
/// # Errors
/// When the port can't be had, or the codes differ.
pub fn wait(port: NonZeroU16, state_dir: &Path) -> anyhow::Result<()> {
    prepare(state_dir)?;
    let number = port.get();
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, number))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)))
        .with_context(|| {
            format!("TCP port {number} can't be had; set another --guard-port on both hosts")
        })?;
    println!("waiting for PC-A; type there: failover guard pair --with THIS-HOST:{number}");
    for _ in 0..MOST_STRANGERS {
        let (stream, from) = listener.accept().context("waiting for PC-A")?;
        match agree(&stream, Side::Second, state_dir, None) {
            Err(error) if error.is::<Stranger>() => {
                println!("{from}: {error}; still waiting");
            }
            ended => return ended,
        }
    }
    bail!("only other programs connect to port {number}")
}

/// Connects to PC-B, and keeps the keys.
///
/// # Errors
/// When it can't be reached, or the codes differ.
pub fn connect(peer: &str, state_dir: &Path) -> anyhow::Result<()> {
    prepare(state_dir)?;
    let peer = with_port(peer).with_context(|| {
        format!(
            "`{}` is not HOST[:PORT]; write pc-b, or pc-b:{GUARD_PORT}",
            quoted(peer)
        )
    })?;
    let addresses = peer
        .to_socket_addrs()
        .with_context(|| format!("looking up {peer}"))?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return agree(&stream, Side::First, state_dir, Some(peer)),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::other("it has no address"));
    Err(error).with_context(|| {
        format!("connecting to {peer}; does `failover guard pair` wait there, and does a firewall let it through?")
    })
}

/// Before anybody compares anything: can the keys be kept? The daemon's unit makes the directory, and hasn't run on PC-A.
fn prepare(state_dir: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(state_dir);
    made.and_then(|()| files::try_writing(state_dir, 1, Sticky::IsNotEnough))
        .with_context(|| {
            format!(
                "the keys can't be kept in {}; run this as root, or set another --state-dir",
                state_dir.display()
            )
        })
}

/// With the default port, where none is given.
fn with_port(peer: &str) -> Option<String> {
    let (host, port) = host_and_port(peer)?;
    let port = port.unwrap_or(GUARD_PORT);
    Some(match host {
        Host::Address(address) => SocketAddr::new(address, port.get()).to_string(),
        Host::Name(name) => format!("{name}:{port}"),
    })
}

/// It isn't the other side's `failover guard pair`.
#[derive(Debug, thiserror::Error)]
#[error("it doesn't speak this protocol: {0}")]
struct Stranger(String);

fn agree(
    stream: &TcpStream,
    side: Side,
    state_dir: &Path,
    peer: Option<String>,
) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let exchange = Exchange::begin()?;
    let (committed, other) = match side {
        Side::First => {
            let committed = exchange.commitment();
            say(stream, &committed)?;
            let other: Contribution = hear(&mut reader)?;
            say(stream, exchange.contribution())?;
            (committed, other)
        }
        Side::Second => {
            let committed: Commitment = hear(&mut reader)?;
            say(stream, exchange.contribution())?;
            (committed, hear(&mut reader)?)
        }
    };
    let agreement = exchange.agree(side, &committed, &other)?;
    println!("code: {}", agreement.code);
    let same = is_same()?;
    say(stream, &Compared { same })?;
    ensure!(
        same,
        "the codes differ, so somebody may be in between: no keys were kept"
    );
    stream.set_read_timeout(Some(COMPARING))?;
    println!("waiting for the answer on the other host");
    let Compared { same } = hear(&mut reader).context("the other host didn't answer")?;
    ensure!(
        same,
        "on the other host the codes were reported to differ: no keys were kept"
    );
    Keys::add(state_dir, agreement.pair, peer)?;
    println!("paired; the keys are in {}", state_dir.display());
    Ok(())
}

/// The operator compares.
fn is_same() -> anyhow::Result<bool> {
    let mut out = io::stdout();
    write!(out, "Does the other host show the same code? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    let input = io::stdin();
    BufReader::new(input.lock().take(LONGEST_ANSWER)).read_line(&mut answer)?;
    if !input.is_terminal() {
        println!();
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn say(mut stream: &TcpStream, message: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line).context("the other host has gone")
}

fn hear<T: DeserializeOwned>(reader: &mut BufReader<TcpStream>) -> anyhow::Result<T> {
    let mut line = String::new();
    let read = reader.take(LONGEST_LINE).read_line(&mut line);
    let heard = match read {
        Ok(0) => Err("it has closed the connection".to_owned()),
        Ok(_) => serde_json::from_str(&line).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    heard.map_err(|error| Stranger(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_the_default_port_unless_it_has_one() {
        for (peer, found) in [
            ("pc-b", Some("pc-b:18790")),
            ("pc-b:1234", Some("pc-b:1234")),
            ("10.0.0.2", Some("10.0.0.2:18790")),
            ("fd00::2", Some("[fd00::2]:18790")),
            ("[fd00::2]:1234", Some("[fd00::2]:1234")),
            ("pc b", None),
            ("", None),
        ] {
            assert_eq!(with_port(peer).as_deref(), found, "{peer}");
        }
    }

    #[test]
    fn a_directory_that_is_missing_is_made_and_one_that_cannot_be_is_named_first() {
        let directory = tempfile::tempdir().unwrap();
        prepare(&directory.path().join("lib/failover")).unwrap();
        let error = format!(
            "{:#}",
            prepare(Path::new("/proc/self/failover")).unwrap_err()
        );
        assert!(error.contains("--state-dir"), "{error}");
    }
}
