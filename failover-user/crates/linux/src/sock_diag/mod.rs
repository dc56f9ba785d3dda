//! The kernel's own list of TCP sockets (sock_diag(7)). It is asked for the ports, the states and the hosts
//! that matter, so that others' sockets cost nobody anything.

pub mod acknowledged;
pub mod bound;
pub mod bound_only;
pub mod destroyed;
pub mod listeners;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::ControlFlow,
    time::Instant,
};

use crate::netlink::{NetlinkError, Protocol, Socket};

/// include/uapi/linux/sock_diag.h and inet_diag.h, 6.18.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_JMP: u8 = 1;
const INET_DIAG_BC_D_COND: u8 = 8;
/// `struct inet_diag_bc_op` and `struct inet_diag_hostcond` without the address.
const OPERATION: usize = 4;
const CONDITION: usize = 8;
/// `struct inet_diag_sockid`, and `struct inet_diag_msg` with one.
const SOCKET_ID: usize = 48;
const MESSAGE: usize = 72;
/// Any cookie.
const NO_COOKIE: u32 = u32::MAX;
/// `INET_DIAG_INFO`, as an extension and as an attribute.
const INFO: u16 = 2;
/// `INET_DIAG_SKV6ONLY`.
const ONLY_V6: u16 = 11;
/// `INET_DIAG_CGROUP_ID`.
const CONTROL_GROUP: u16 = 21;

/// `IPPROTO_TCP`.
const TCP: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const FAMILIES: [u8; 2] = [AF_INET, AF_INET6];

/// States, as bits (include/net/tcp_states.h, 6.18).
const ESTABLISHED: u32 = 1 << 1;
const LISTEN: u32 = 1 << 10;
/// No state of a socket: bound, and nothing else (since 6.8; before that it is nobody's).
const BOUND_INACTIVE: u32 = 1 << 13;
/// With FIN_WAIT1 and 2, CLOSE_WAIT, LAST_ACK and CLOSING.
const CONNECTED: u32 = ESTABLISHED | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// Which sockets are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    states: u32,
    /// 0: any.
    source_port: u16,
    destination_port: u16,
    /// Only those that lead to one of these; empty: to anybody.
    hosts: Vec<IpAddr>,
    has_info: bool,
}

impl Query {
    /// Those that listen on this port.
    pub fn listeners(port: u16) -> Self {
        Self {
            states: LISTEN,
            source_port: port,
            destination_port: 0,
            hosts: Vec::new(),
            has_info: false,
        }
    }

    /// Those that are bound to this port, and neither listen nor are connected.
    pub fn bound_only(port: u16) -> Self {
        Self {
            states: BOUND_INACTIVE,
            ..Self::listeners(port)
        }
    }

    /// Those that are connected to these hosts.
    pub fn connections(hosts: Vec<IpAddr>) -> Self {
        Self {
            states: ESTABLISHED,
            source_port: 0,
            destination_port: 0,
            hosts,
            has_info: false,
        }
    }

    /// Those that have come in on this port, also where one side has closed.
    pub fn inbound(port: u16) -> Self {
        Self {
            states: CONNECTED,
            source_port: port,
            destination_port: 0,
            hosts: Vec::new(),
            has_info: false,
        }
    }

    /// To this port there.
    pub fn on_port(self, destination_port: u16) -> Self {
        Self {
            destination_port,
            ..self
        }
    }

    /// With what the kernel knows of the connection (`struct tcp_info`).
    pub fn with_info(self) -> Self {
        Self {
            has_info: true,
            ..self
        }
    }

    /// `struct inet_diag_req_v2`, and the filter.
    fn bytes(&self, family: u8) -> Vec<u8> {
        let extensions = match self.has_info {
            true => 1 << (INFO - 1),
            false => 0,
        };
        let mut bytes = vec![family, TCP, extensions, 0];
        bytes.extend(self.states.to_ne_bytes());
        let begin = bytes.len();
        // Zero is any port; the kernel takes the addresses of a dump from the filter alone.
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.resize(begin + SOCKET_ID - 8, 0);
        bytes.extend(NO_COOKIE.to_ne_bytes());
        bytes.extend(NO_COOKIE.to_ne_bytes());
        let filter = filter(&self.hosts);
        if !filter.is_empty() {
            let length = u16::try_from(4 + filter.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_ne_bytes());
            bytes.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
            bytes.extend(filter);
        }
        bytes
    }
}

/// A program of the kernel's filter machine (inet_diag_bc_run, net/ipv4/inet_diag.c, 6.18): it accepts a
/// socket that it reaches the very end with, and so refuses one that is sent beyond it. Each address but
/// the last is followed by a jump to the end, which a failure jumps over.
fn filter(hosts: &[IpAddr]) -> Vec<u8> {
    let mut program = Vec::new();
    // From the last one on, for the jumps need to know how much follows.
    for host in hosts.iter().rev() {
        let (family, prefix, address) = match host.to_canonical() {
            IpAddr::V4(address) => (AF_INET, 32, address.octets().to_vec()),
            IpAddr::V6(address) => (AF_INET6, 128, address.octets().to_vec()),
        };
        let step = OPERATION + CONDITION + address.len();
        let mut one = operation(INET_DIAG_BC_D_COND, step, step + OPERATION);
        one.extend([family, prefix, 0, 0]);
        // Any port.
        one.extend((-1_i32).to_ne_bytes());
        one.extend(address);
        if !program.is_empty() {
            let jump = operation(INET_DIAG_BC_JMP, OPERATION, OPERATION + program.len());
            one.extend(jump);
        }
        one.append(&mut program);
        program = one;
    }
    program
}

fn operation(code: u8, yes: usize, no: usize) -> Vec<u8> {
    let yes = u8::try_from(yes).unwrap_or(u8::MAX);
    let no = u16::try_from(no).unwrap_or(u16::MAX);
    let [low, high] = no.to_ne_bytes();
    vec![code, yes, low, high]
}

/// A socket, as the kernel describes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found<'message> {
    /// Addresses as the socket has them: an IPv4 one may be mapped.
    pub source: SocketAddr,
    /// The other side; unspecified for a listener.
    pub destination: SocketAddr,
    /// Who opened it.
    pub uid: u32,
    /// As in `/proc/PID/fd`; 0 where it has no file.
    pub inode: u32,
    attributes: &'message [u8],
}

impl<'message> Found<'message> {
    /// `struct inet_diag_msg` and what follows it. `None`: this is none.
    pub fn parse(message: &'message [u8]) -> Option<Self> {
        let (fixed, attributes) = message.split_at_checked(MESSAGE)?;
        let be16 = |at: usize| Some(u16::from_be_bytes(*fixed.get(at..)?.first_chunk()?));
        let ne32 = |at: usize| Some(u32::from_ne_bytes(*fixed.get(at..)?.first_chunk()?));
        let family = *fixed.first()?;
        let address = |at: usize| {
            let bytes: [u8; 16] = *fixed.get(at..)?.first_chunk()?;
            match family {
                AF_INET => {
                    let [a, b, c, d, ..] = bytes;
                    Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
                }
                AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes))),
                _ => None,
            }
        };
        Some(Self {
            source: SocketAddr::new(address(8)?, be16(4)?),
            destination: SocketAddr::new(address(24)?, be16(6)?),
            uid: ne32(64)?,
            inode: ne32(68)?,
            attributes,
        })
    }

    /// `struct tcp_info`, where it was asked for.
    pub fn info(&self) -> Option<&'message [u8]> {
        self.attribute(INFO)
    }

    /// Does it reject IPv4 connections? Reported for each listener of IPv6 (inet_diag_msg_attrs_fill,
    /// net/ipv4/inet_diag.c, 6.18).
    pub fn is_only_v6(&self) -> bool {
        let value = self.attribute(ONLY_V6).and_then(<[u8]>::first);
        value.is_some_and(|value| *value != 0)
    }

    /// Id of the control group that it was opened in (the inode of its directory), where the kernel knows that.
    pub fn control_group(&self) -> Option<u64> {
        let value = self.attribute(CONTROL_GROUP)?.first_chunk()?;
        Some(u64::from_ne_bytes(*value))
    }

    fn attribute(&self, wanted: u16) -> Option<&'message [u8]> {
        let mut rest = self.attributes;
        loop {
            let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
            let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
            let value = rest.get(4..length)?;
            if kind == wanted {
                return Some(value);
            }
            rest = rest.get(length.next_multiple_of(4)..)?;
        }
    }
}

/// Gives each socket of both families to `take` until that breaks off. Says whether these were all.
///
/// # Errors
/// When the kernel can't be asked or doesn't answer, or not all of it before the deadline. Then open
/// another socket for the next question.
pub fn each(
    socket: &Socket,
    query: &Query,
    deadline: Instant,
    mut take: impl FnMut(Found<'_>) -> ControlFlow<()>,
) -> Result<bool, NetlinkError> {
    let mut is_all = true;
    for family in FAMILIES {
        let asked = query.bytes(family);
        let dumped = socket.dump(SOCK_DIAG_BY_FAMILY, &asked, deadline, |message| {
            let flow = Found::parse(message).map_or(ControlFlow::Continue(()), &mut take);
            is_all &= flow.is_continue();
            flow
        });
        match dumped {
            // A kernel without IPv6 knows no such sockets.
            Err(NetlinkError::Refused(error)) if family == AF_INET6 && is_unknown(&error) => {}
            dumped => dumped?,
        }
        if !is_all {
            break;
        }
    }
    Ok(is_all)
}

fn is_unknown(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Opens a socket to ask with.
///
/// # Errors
/// When there is none to be had.
pub fn open() -> Result<Socket, NetlinkError> {
    Socket::open(Protocol::SockDiag)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    use netlink_packet_core::NetlinkDeserializable as _;
    use netlink_packet_sock_diag::{SockDiagMessage, inet::InetResponse};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn found(query: &Query) -> Vec<(SocketAddr, SocketAddr)> {
        let mut all = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(5);
        let is_all = each(&open().unwrap(), query, deadline, |socket| {
            all.push((socket.source, socket.destination));
            ControlFlow::Continue(())
        });
        assert!(is_all.unwrap());
        all
    }

    #[test]
    fn the_kernel_itself_leaves_out_who_is_connected_to_another_host() {
        let hosts: Vec<IpAddr> = (1..=4)
            .map(|last| IpAddr::V4(Ipv4Addr::new(127, 88, 77, last)))
            .chain([IpAddr::V6(Ipv6Addr::LOCALHOST)])
            .collect();
        let listeners: Vec<TcpListener> = hosts
            .iter()
            .map(|host| TcpListener::bind((*host, 0)).unwrap())
            .collect();
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(|one| one.local_addr().unwrap())
            .collect();
        let _connections: Vec<TcpStream> = addresses
            .iter()
            .map(|address| TcpStream::connect(address).unwrap())
            .collect();
        for wanted in [
            &hosts[..1],
            &hosts[1..3],
            &hosts[2..5],
            &hosts[4..],
            &hosts[..],
        ] {
            let all = found(&Query::connections(wanted.to_vec()));
            for address in &addresses {
                let is_found = all.iter().any(|(_, to)| to == address);
                assert_eq!(
                    is_found,
                    wanted.contains(&address.ip()),
                    "{wanted:?}: {all:?}"
                );
            }
            assert!(
                all.iter().all(|(_, to)| wanted.contains(&to.ip())),
                "{all:?}"
            );
        }
        let port = addresses[1].port();
        let all = found(&Query::connections(hosts).on_port(port));
        assert!(all.iter().all(|(_, to)| to.port() == port) && !all.is_empty());
    }

    #[test]
    fn an_ipv4_host_is_found_behind_an_ipv6_socket() {
        let host = Ipv4Addr::new(127, 88, 78, 1);
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = TcpStream::connect((host.to_ipv6_mapped(), port)).unwrap();
        let all = found(&Query::connections(vec![host.into()]));
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn who_has_seen_enough_is_told_no_more() {
        let listeners = [
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        ];
        let mut count = 0;
        let deadline = Instant::now() + Duration::from_secs(5);
        let is_all = each(&open().unwrap(), &Query::listeners(0), deadline, |_| {
            count += 1;
            ControlFlow::Break(())
        });
        assert_eq!((is_all.unwrap(), count), (false, 1));
        drop(listeners);
    }

    proptest! {
        #[test]
        fn nonsense_is_read_as_the_library_reads_it_or_not_at_all(
            message in vec(any::<u8>(), 0..160),
            family in prop_oneof![Just(AF_INET), Just(AF_INET6), any::<u8>()],
        ) {
            let mut message = message;
            if let Some(first) = message.first_mut() {
                *first = family;
            }
            let found = Found::parse(&message);
            let info = found.and_then(|found| found.info());
            prop_assert!(info.is_none_or(|info| info.len() < message.len()));
            if let Some(found) = found {
                // The attributes are the library's own matter.
                let fixed = &message[..MESSAGE];
                let mut header = netlink_packet_core::NetlinkHeader::default();
                header.message_type = SOCK_DIAG_BY_FAMILY;
                if let Ok(SockDiagMessage::InetResponse(response)) =
                    SockDiagMessage::deserialize(&header, fixed)
                {
                    let InetResponse { header, .. } = *response;
                    let id = header.socket_id;
                    prop_assert_eq!(found.source, SocketAddr::new(id.source_address, id.source_port));
                    prop_assert_eq!(
                        found.destination,
                        SocketAddr::new(id.destination_address, id.destination_port)
                    );
                    prop_assert_eq!((found.uid, found.inode), (header.uid, header.inode));
                }
            } else {
                prop_assert!(message.len() < MESSAGE || !FAMILIES.contains(&message[0]));
            }
        }
    }
}
