//! Does the holder of the local port only forward to the primary, as `ssh -L` does? Its connections show it.
//!
//! A hint, not a proof: a gateway may well be connected to PC-A for a reason of its own, as an agent that
//! works there over SSH. So it is reported, and decides nothing. The other way round, a
//! forwarder that connects only while it has something to forward shows nothing meanwhile.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, Instant},
};

use failover_linux::{
    escape::Escaped, netlink::NetlinkError, open_sockets, sock_diag, sock_diag::Query,
};

use crate::gateway::port::holder::Holder;

/// Limit for the connections that are read; a forwarder has fewer.
const MOST_CONNECTIONS: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(2);

/// A process that listens here and is connected to the primary's host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tunnel {
    /// Its process ID.
    pub pid: u32,
    /// Its executable, where that is known.
    pub executable: Option<PathBuf>,
    /// The address on the primary's host that it is connected to.
    pub to: SocketAddr,
}

impl fmt::Display for Tunnel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            executable,
            to,
        } = self;
        let program = executable.as_ref().map(|path| path.to_string_lossy());
        let program = program.as_deref().unwrap_or("a process");
        write!(
            formatter,
            "{} (pid {pid}), connected to {to}",
            Escaped(program)
        )
    }
}

/// The holders of this port that are connected to one of the primary's addresses, on any port there.
/// Connections from the primary's host to the listener itself don't count.
///
/// # Errors
/// When sock_diag(7) isn't available or doesn't answer.
pub fn tunnels<'holder>(
    holders: impl IntoIterator<Item = &'holder Holder>,
    port: NonZeroU16,
    primary: &[SocketAddr],
) -> Result<Vec<Tunnel>, NetlinkError> {
    // A primary that is itself behind a port of this machine is no host to be connected to.
    let hosts: Vec<IpAddr> = primary
        .iter()
        .map(|address| address.ip().to_canonical())
        .filter(|address| !address.is_loopback() && !address.is_unspecified())
        .collect();
    connected(holders, port, &hosts)
}

fn connected<'holder>(
    holders: impl IntoIterator<Item = &'holder Holder>,
    port: NonZeroU16,
    hosts: &[IpAddr],
) -> Result<Vec<Tunnel>, NetlinkError> {
    let mut holders = holders.into_iter().peekable();
    if hosts.is_empty() || holders.peek().is_none() {
        return Ok(Vec::new());
    }
    let connections = connections_to(hosts, port)?;
    if connections.is_empty() {
        return Ok(Vec::new());
    }
    let found = holders.filter_map(|holder| {
        let sockets = open_sockets::of(&PathBuf::from(format!("/proc/{}", holder.pid))).0;
        let (_, to) = connections
            .iter()
            .find(|(inode, _)| sockets.contains(inode))?;
        Some(Tunnel {
            pid: holder.pid,
            executable: holder.executable.clone(),
            to: *to,
        })
    });
    Ok(found.collect())
}

/// Inodes and remote addresses of the connections to these hosts, without those that come in on this port.
fn connections_to(
    hosts: &[IpAddr],
    port: NonZeroU16,
) -> Result<Vec<(u32, SocketAddr)>, NetlinkError> {
    let query = Query::connections(hosts.to_vec());
    let deadline = Instant::now() + PATIENCE;
    let mut connections = Vec::new();
    sock_diag::each(&sock_diag::open()?, &query, deadline, |found| {
        let far = found.destination.ip().to_canonical();
        let is_outgoing = found.source.port() != port.get();
        if is_outgoing && hosts.contains(&far) {
            let far = SocketAddr::new(far, found.destination.port());
            connections.push((found.inode, far));
        }
        match connections.len() < MOST_CONNECTIONS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    Ok(connections)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        net::{Ipv4Addr, TcpListener, TcpStream},
    };

    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

    use super::*;
    use crate::gateway::port::holder_search::holders;
    use failover_linux::sock_diag::listeners::Listeners;

    /// An address that no other test uses.
    const HOST: Ipv4Addr = Ipv4Addr::new(127, 77, 66, 55);

    #[test]
    fn a_listener_with_an_outgoing_connection_is_a_tunnel_and_an_incoming_one_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let here = listener.local_addr().unwrap();
        let port = NonZeroU16::new(here.port()).unwrap();
        let found = || {
            let listeners = Listeners::on(port.get()).now().unwrap();
            let holders = holders(&listeners, &BTreeSet::from([std::process::id()]));
            assert_eq!(holders.len(), 1);
            connected(&holders, port, &[HOST.into()]).unwrap()
        };
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&client, &SocketAddr::from((HOST, 0))).unwrap();
        connect(&client, &here).unwrap();
        let (accepted, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), HOST);
        assert_eq!(found(), []);
        let far = TcpListener::bind((HOST, 0)).unwrap();
        let to = far.local_addr().unwrap();
        let outgoing = TcpStream::connect(to).unwrap();
        let [tunnel] = <[Tunnel; 1]>::try_from(found()).unwrap();
        assert_eq!((tunnel.pid, tunnel.to), (std::process::id(), to));
        drop((accepted, outgoing));
    }

    #[test]
    fn there_is_no_tunnel_to_a_primary_on_this_machine() {
        let loopback = ["127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap()];
        let holder = Holder {
            pid: std::process::id(),
            started: 0,
            uid: 0,
            accounts: Vec::new(),
            executable: None,
            command_line: String::new(),
            home: None,
            elsewhere: None,
            addresses: Vec::new(),
            sockets: Vec::new(),
            is_marked: false,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = NonZeroU16::new(1).unwrap();
        assert_eq!(tunnels([&holder], port, &loopback).unwrap(), []);
        assert_eq!(tunnels([&holder], port, &[]).unwrap(), []);
    }
}
