//! The router of this machine's default routes, as the kernel has it now. One a family of addresses,
//! or several where routes are equal.

pub(crate) mod nexthop;

use std::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV6},
};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHopFlags,
        RouteType, RouteVia,
    },
};
use rustix::net::{self, SocketFlags, SocketType, netdevice::index_to_name, socket_with};

use failover_linux::netlink::{NetlinkError, Protocol, Socket};

/// More equal routers than anybody has; each is pinged.
const MOST_ROUTERS: usize = 4;

/// Who the default routers are. An address with its scope, as only that leads to a link-local one; the
/// port means nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Routers(pub Vec<SocketAddr>);

impl Routers {
    /// Those of the best IPv4 and IPv6 default routes; none where there is no such route, or where it
    /// goes out of an interface without one (a tunnel).
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn find() -> Result<Self, NetlinkError> {
        let mut routers = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let answers = Socket::open(Protocol::Route)?.request(
                NLM_F_REQUEST | NLM_F_DUMP,
                RouteNetlinkMessage::GetRoute(message),
            )?;
            let mut routes = Vec::new();
            for answer in answers {
                if let RouteNetlinkMessage::NewRoute(mut route) = answer
                    && is_default(&route)
                {
                    nexthop::resolve(&mut route, &mut nexthop::find)?;
                    routes.push(route);
                }
            }
            routers.extend(best(routes));
        }
        Ok(Self(routers))
    }

    /// What tells each from others, after a restart of the machine as well: its address and, for a
    /// link-local one, the name of the interface, whose number may be another one's then.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(name).collect()
    }

    /// The one of them that is a host with these addresses.
    #[must_use]
    pub fn at(&self, addresses: &[SocketAddr]) -> Option<IpAddr> {
        let host = |router: &&SocketAddr| {
            let router = router.ip().to_canonical();
            addresses
                .iter()
                .any(|address| address.ip().to_canonical() == router)
        };
        self.0.iter().find(host).map(SocketAddr::ip)
    }
}

fn name(router: &SocketAddr) -> String {
    let SocketAddr::V6(scoped) = router else {
        return router.ip().to_string();
    };
    match (scoped.ip(), scoped.scope_id()) {
        (address, 0) => address.to_string(),
        (address, index) => match interface(index) {
            Ok(interface) => format!("{address}%{interface}"),
            // It is gone, and nothing has that for a name.
            Err(_) => format!("{address}%/{index}"),
        },
    }
}

fn interface(index: u32) -> rustix::io::Result<String> {
    let flags = SocketFlags::CLOEXEC;
    // Any socket will do (netdevice(7)).
    let socket = socket_with(net::AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    index_to_name(socket, index)
}

/// As ping(8) takes them.
impl fmt::Display for Routers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, router) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(formatter, "{separator}{}", router.ip())?;
            if let SocketAddr::V6(router) = router
                && router.scope_id() != 0
            {
                write!(formatter, "%{}", router.scope_id())?;
            }
        }
        Ok(())
    }
}

/// The routers of the default route with the lowest metric.
fn best(routes: impl IntoIterator<Item = RouteMessage>) -> Vec<SocketAddr> {
    let mut best = (u32::MAX, Vec::new());
    for route in routes.into_iter().filter(is_default) {
        let mut metric = 0;
        let mut routers = hops(&route.attributes);
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Priority(priority) => metric = *priority,
                RouteAttribute::MultiPath(paths) => {
                    for path in paths {
                        if !path.flags.contains(RouteNextHopFlags::Dead) {
                            routers.extend(through(&path.attributes, path.interface_index));
                        }
                    }
                }
                _ => {}
            }
        }
        if metric < best.0 {
            best = (metric, routers);
        } else if metric == best.0 {
            best.1.extend(routers);
        }
    }
    let mut routers = best.1;
    routers.sort_unstable();
    routers.dedup();
    routers.truncate(MOST_ROUTERS);
    routers
}

/// Others' tables are for packets that somebody has marked: a VPN's, say.
fn is_default(route: &RouteMessage) -> bool {
    let header = &route.header;
    let table = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Table(table) => Some(*table),
            _ => None,
        });
    header.destination_prefix_length == 0
        && header.source_prefix_length == 0
        && header.kind == RouteType::Unicast
        && table.unwrap_or(header.table.into()) == u32::from(RouteHeader::RT_TABLE_MAIN)
        && !header.flags.contains(RouteFlags::Dead)
}

fn hops(attributes: &[RouteAttribute]) -> Vec<SocketAddr> {
    let interface = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    through(attributes, interface.unwrap_or(0)).collect()
}

/// The routers named there, beyond this interface.
fn through(attributes: &[RouteAttribute], interface: u32) -> impl Iterator<Item = SocketAddr> {
    let addresses = attributes.iter().filter_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address))
        | RouteAttribute::Via(RouteVia::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Gateway(RouteAddress::Inet6(address))
        | RouteAttribute::Via(RouteVia::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    addresses
        .filter(|address| {
            !(address.is_unspecified() || address.is_loopback() || address.is_multicast())
        })
        .map(move |address| match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                SocketAddrV6::new(address, 0, 0, interface).into()
            }
            address => SocketAddr::new(address, 0),
        })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_route::route::RouteNextHop;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A default route of the main table.
    fn route(metric: u32, router: Option<&str>, interface: u32) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.kind = RouteType::Unicast;
        route.attributes = vec![
            RouteAttribute::Oif(interface),
            RouteAttribute::Priority(metric),
        ];
        route.attributes.extend(router.map(gateway));
        route
    }

    fn gateway(router: &str) -> RouteAttribute {
        RouteAttribute::Gateway(match router.parse().unwrap() {
            IpAddr::V4(address) => RouteAddress::Inet(address),
            IpAddr::V6(address) => RouteAddress::Inet6(address),
        })
    }

    fn told<const N: usize>(routes: [RouteMessage; N]) -> String {
        Routers(best(routes)).to_string()
    }

    #[test]
    fn the_route_with_the_lowest_metric_is_the_default() {
        let cable = || route(100, Some("192.168.1.1"), 2);
        let radio = || route(600, Some("192.168.2.1"), 3);
        assert_eq!(told([cable(), radio()]), "192.168.1.1");
        assert_eq!(told([radio(), cable()]), "192.168.1.1");
        assert_eq!(told([radio(), cable(), route(50, None, 4)]), "");
        assert_eq!(told([]), "");
    }

    #[test]
    fn equal_routes_and_paths_are_all_told_up_to_a_few() {
        let routes = ["fe80::1", "fe80::2", "fe80::1"].map(|router| route(1024, Some(router), 2));
        assert_eq!(told(routes), "fe80::1%2, fe80::2%2");
        let mut paths = route(0, None, 0);
        let hops = (1..=9).map(|number| {
            let mut hop = RouteNextHop::default();
            hop.interface_index = 7;
            hop.attributes = vec![gateway(&format!("10.0.0.{number}"))];
            hop
        });
        paths
            .attributes
            .push(RouteAttribute::MultiPath(hops.collect()));
        assert_eq!(told([paths]), "10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4");
    }

    #[test]
    fn only_a_link_local_router_has_a_scope() {
        assert_eq!(told([route(0, Some("fe80::1"), 2)]), "fe80::1%2");
        assert_eq!(told([route(0, Some("fd00::1"), 2)]), "fd00::1");
    }

    #[test]
    fn a_scope_is_named_as_it_will_be_called_after_a_restart_of_the_machine() {
        // Every network namespace has it, with this number (LOOPBACK_IFINDEX).
        let routers = |address, index| Routers(best([route(0, Some(address), index)])).names();
        assert_eq!(routers("fe80::1", 1), ["fe80::1%lo"]);
        assert_eq!(routers("fe80::1", u32::MAX >> 1), ["fe80::1%/2147483647"]);
        assert_eq!(routers("fd00::1", 1), ["fd00::1"]);
        assert_eq!(routers("10.0.0.1", 1), ["10.0.0.1"]);
    }

    #[test]
    fn what_is_no_default_route_of_the_main_table_leads_to_no_router() {
        type Change = fn(&mut RouteMessage);
        let changes: [Change; 6] = [
            |route| route.header.destination_prefix_length = 1,
            |route| route.header.source_prefix_length = 64,
            |route| route.header.table = 52,
            |route| route.attributes.push(RouteAttribute::Table(51820)),
            |route| route.header.kind = RouteType::Unreachable,
            |route| route.header.flags = RouteFlags::Dead,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut route = route(0, Some("10.0.0.1"), 2);
            change(&mut route);
            assert_eq!(told([route]), "", "{number}");
        }
        for nobody in ["0.0.0.0", "127.0.0.1", "ff02::1"] {
            assert_eq!(told([route(0, Some(nobody), 2)]), "");
        }
    }

    #[test]
    fn the_primary_is_known_whatever_its_port() {
        let routers = Routers(best([route(0, Some("10.0.0.1"), 2)]));
        let at = |address: &str| routers.at(&[address.parse().unwrap()]);
        assert_eq!(at("10.0.0.1:18789"), "10.0.0.1".parse().ok());
        assert_eq!(at("[::ffff:10.0.0.1]:80"), "10.0.0.1".parse().ok());
        assert_eq!(at("10.0.0.2:18789"), None);
    }

    #[test]
    fn this_machine_can_be_asked() {
        let routers = Routers::find().unwrap();
        assert!(routers.0.len() <= 2 * MOST_ROUTERS, "{routers}");
    }

    fn packet(route: RouteMessage) -> Vec<u8> {
        let payload = NetlinkPayload::from(RouteNetlinkMessage::NewRoute(route));
        let mut packet = NetlinkMessage::new(NetlinkHeader::default(), payload);
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn a_damaged_answer_breaks_nothing(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            length in any::<prop::sample::Index>(),
        ) {
            let mut hop = RouteNextHop::default();
            hop.attributes = vec![gateway("fe80::2")];
            let mut route = route(1024, Some("fe80::1"), 2);
            route.header.address_family = AddressFamily::Inet6;
            route.attributes.push(RouteAttribute::MultiPath(vec![hop]));
            let mut bytes = packet(route);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(length.index(bytes.len()) + 1);
            if let Ok(NetlinkMessage {
                payload: NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)),
                ..
            }) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes)
            {
                assert!(best([route]).len() <= MOST_ROUTERS);
            }
        }
    }
}
