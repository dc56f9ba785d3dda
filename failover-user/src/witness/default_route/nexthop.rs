//! Nexthop objects (`ip nexthop`, ip-nexthop(8)): a route may name one by its number, and where
//! `net.ipv4.nexthop_compat_mode` is 0 the kernel says nothing else of its routers
//! (Documentation/networking/ip-sysctl.rst, 6.18).

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_packet_route::{
    AddressFamily,
    route::{
        RouteAddress, RouteAttribute, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteVia,
    },
};

use failover_linux::netlink::{NetlinkError, Protocol, Socket};

// include/uapi/linux/rtnetlink.h and include/uapi/linux/nexthop.h, 6.18.
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_GETNEXTHOP: u16 = 106;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
/// `struct nhmsg`: family, scope, protocol, a reserved byte, flags.
const HEADER: usize = 8;
/// `struct nexthop_grp`.
const MEMBER: usize = 8;
const ATTRIBUTE: usize = 4;
/// Of a group; more than anybody pings.
const MOST_MEMBERS: usize = 32;

/// An object, as far as it matters here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct NextHop {
    gateway: Option<IpAddr>,
    interface: u32,
    /// The objects of a group.
    members: Vec<u32>,
    /// Nothing goes through it.
    is_dead: bool,
}

/// The object of this number, as the kernel has it now.
pub(crate) fn find(id: u32) -> Result<Option<NextHop>, NetlinkError> {
    let answers = Socket::open(Protocol::Route)?.request(NLM_F_REQUEST, Message::Get(id))?;
    Ok(answers.into_iter().find_map(|answer| match answer {
        Message::NextHop(found) => Some(found),
        Message::Get(_) | Message::Other => None,
    }))
}

/// Writes into the route what its object says of routers, unless the kernel has done that itself.
pub(crate) fn resolve<E>(
    route: &mut RouteMessage,
    find: &mut impl FnMut(u32) -> Result<Option<NextHop>, E>,
) -> Result<(), E> {
    let mut object = None;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::NhId(id) => object = Some(*id),
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_) => {
                return Ok(());
            }
            _ => {}
        }
    }
    let Some(object) = object.map(&mut *find).transpose()?.flatten() else {
        return Ok(());
    };
    let mut hops = Vec::new();
    if object.members.is_empty() {
        hops.push(object);
    } else {
        // Groups have no groups in them.
        for member in object.members {
            hops.extend(find(member)?);
        }
    }
    let paths = hops
        .iter()
        .map(|hop| path(route.header.address_family, hop));
    let paths = RouteAttribute::MultiPath(paths.collect());
    route.attributes.push(paths);
    Ok(())
}

fn path(family: AddressFamily, hop: &NextHop) -> RouteNextHop {
    let mut path = RouteNextHop::default();
    path.interface_index = hop.interface;
    if hop.is_dead {
        path.flags = RouteNextHopFlags::Dead;
    }
    path.attributes = match hop.gateway {
        Some(IpAddr::V4(address)) => vec![RouteAttribute::Gateway(RouteAddress::Inet(address))],
        Some(IpAddr::V6(address)) if family == AddressFamily::Inet6 => {
            vec![RouteAttribute::Gateway(RouteAddress::Inet6(address))]
        }
        Some(IpAddr::V6(address)) => vec![RouteAttribute::Via(RouteVia::Inet6(address))],
        None => Vec::new(),
    };
    path
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Message {
    Get(u32),
    NextHop(NextHop),
    Other,
}

impl From<Message> for NetlinkPayload<Message> {
    fn from(message: Message) -> Self {
        Self::InnerMessage(message)
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        RTM_GETNEXTHOP
    }

    fn buffer_len(&self) -> usize {
        HEADER + ATTRIBUTE + size_of::<u32>()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let id = match self {
            Self::Get(id) => *id,
            Self::NextHop(_) | Self::Other => 0,
        };
        let attribute = [8_u16.to_ne_bytes(), NHA_ID.to_ne_bytes()].concat();
        let bytes = [&[0; HEADER], attribute.as_slice(), &id.to_ne_bytes()].concat();
        for (place, byte) in buffer.iter_mut().zip(bytes) {
            *place = byte;
        }
    }
}

impl NetlinkDeserializable for Message {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        if header.message_type != RTM_NEWNEXTHOP {
            return Ok(Self::Other);
        }
        let damaged = || DecodeError::from("a damaged nexthop");
        read(payload).map(Self::NextHop).ok_or_else(damaged)
    }
}

fn read(payload: &[u8]) -> Option<NextHop> {
    let (header, mut rest) = payload.split_at_checked(HEADER)?;
    let flags = u32::from_ne_bytes(header.get(4..8)?.try_into().ok()?);
    let mut hop = NextHop {
        is_dead: flags & u32::from(RouteNextHopFlags::Dead.bits()) != 0,
        ..NextHop::default()
    };
    while rest.len() >= ATTRIBUTE {
        let length = u16::from_ne_bytes(rest.get(0..2)?.try_into().ok()?);
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(ATTRIBUTE..length.into())?;
        match kind {
            NHA_GROUP => {
                let ids = value.chunks_exact(MEMBER).filter_map(|member| {
                    Some(u32::from_ne_bytes(member.get(..4)?.try_into().ok()?))
                });
                hop.members = ids.take(MOST_MEMBERS).collect();
            }
            NHA_BLACKHOLE => hop.is_dead = true,
            NHA_OIF => hop.interface = u32::from_ne_bytes(value.try_into().ok()?),
            NHA_GATEWAY => hop.gateway = Some(address(value)?),
            _ => {}
        }
        rest = rest
            .get(usize::from(length).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Some(hop)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn object(gateway: &str, interface: u32) -> NextHop {
        NextHop {
            gateway: gateway.parse().ok(),
            interface,
            ..NextHop::default()
        }
    }

    #[test]
    fn an_object_is_read_as_the_kernel_writes_it() {
        let mut payload = vec![2, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(attribute(NHA_ID, &7_u32.to_ne_bytes()));
        payload.extend(attribute(NHA_OIF, &3_u32.to_ne_bytes()));
        payload.extend(attribute(NHA_GATEWAY, &[10, 0, 0, 1]));
        assert_eq!(read(&payload), Some(object("10.0.0.1", 3)));
        let member = |id: u32| [id.to_ne_bytes().as_slice(), &[0; 4]].concat();
        let mut payload = vec![0, 0, 0, 0, 1, 0, 0, 0];
        payload.extend(attribute(NHA_GROUP, &[member(7), member(8)].concat()));
        let group = read(&payload).unwrap();
        assert_eq!((group.members, group.is_dead), (vec![7, 8], true));
        payload.extend(attribute(NHA_GATEWAY, &[1]));
        assert_eq!(read(&payload), None);
    }

    #[test]
    fn a_route_gets_the_routers_of_its_object_unless_it_has_its_own() {
        let objects = |id: u32| {
            Ok::<_, Infallible>(match id {
                1 => Some(object("10.0.0.1", 2)),
                2 => Some(object("10.0.0.2", 3)),
                3 => Some(NextHop {
                    members: vec![1, 2, 9],
                    ..NextHop::default()
                }),
                _ => None,
            })
        };
        let hops = |attributes: Vec<RouteAttribute>| {
            let mut route = RouteMessage::default();
            route.attributes = attributes;
            let before = route.attributes.len();
            resolve(&mut route, &mut { objects }).unwrap();
            match route.attributes.get(before) {
                Some(RouteAttribute::MultiPath(paths)) => {
                    paths.iter().map(|path| path.interface_index).collect()
                }
                _ => Vec::new(),
            }
        };
        assert_eq!(hops(vec![RouteAttribute::NhId(1)]), [2]);
        assert_eq!(hops(vec![RouteAttribute::NhId(3)]), [2, 3]);
        let own = RouteAttribute::Gateway(RouteAddress::Inet([10, 0, 0, 9].into()));
        for none in [
            vec![],
            vec![RouteAttribute::NhId(9)],
            vec![RouteAttribute::NhId(1), own],
        ] {
            assert_eq!(hops(none), [0; 0]);
        }
    }

    #[test]
    fn the_kernel_is_asked_and_says_that_there_is_none() {
        match find(u32::MAX) {
            Ok(None) | Err(NetlinkError::Refused(_)) => {}
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn no_answer_breaks_it(payload in vec(any::<u8>(), 0..64)) {
            let _ = read(&payload);
        }
    }
}
