//! Is it our own cable? Which interface leads to the primary, and has it a carrier.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};

use crate::netlink::{NetlinkError, Protocol, Socket};

/// The interface without carrier, if every way to the primary goes through one. Where the kernel
/// can't be asked, nothing is missing: a failed probe then counts.
pub fn missing(addresses: &[SocketAddr]) -> Option<String> {
    let mut down = None;
    for address in addresses {
        match interface_to(address.ip()).and_then(|index| index.map_or(Ok(None), link)) {
            Ok(Some((name, false))) => down = Some(name),
            Ok(_) => return None,
            Err(error) => {
                tracing::debug!(%error, %address, "the way to the primary can't be looked up");
                return None;
            }
        }
    }
    down
}

/// Is it an address of this machine's own? Where the kernel can't be asked, it isn't known to be.
#[must_use]
pub fn is_own(address: IpAddr) -> bool {
    let routes = routes_to(address).unwrap_or_default();
    routes
        .iter()
        .any(|route| route.header.kind == RouteType::Local)
}

/// Index of the interface that the route to the address goes out of.
fn interface_to(address: IpAddr) -> Result<Option<u32>, NetlinkError> {
    let attributes = routes_to(address)?
        .into_iter()
        .flat_map(|route| route.attributes);
    let mut indices = attributes.filter_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(index),
        _ => None,
    });
    Ok(indices.next())
}

/// The route that the kernel would take.
fn routes_to(address: IpAddr) -> Result<Vec<RouteMessage>, NetlinkError> {
    let mut message = RouteMessage::default();
    let (family, length, destination) = match address {
        IpAddr::V4(address) => (AddressFamily::Inet, 32, RouteAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(address)),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = length;
    message
        .attributes
        .push(RouteAttribute::Destination(destination));
    let answers = Socket::open(Protocol::Route)?
        .request(NLM_F_REQUEST, RouteNetlinkMessage::GetRoute(message))?;
    let routes = answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    });
    Ok(routes.collect())
}

/// Name of an interface, and whether it has a carrier.
fn link(index: u32) -> Result<Option<(String, bool)>, NetlinkError> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let answers = Socket::open(Protocol::Route)?
        .request(NLM_F_REQUEST, RouteNetlinkMessage::GetLink(message))?;
    Ok(answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewLink(link) => {
            let carrier = link.header.flags.contains(LinkFlags::LowerUp);
            let name = link
                .attributes
                .into_iter()
                .find_map(|attribute| match attribute {
                    LinkAttribute::IfName(name) => Some(name),
                    _ => None,
                });
            Some((
                name.unwrap_or_else(|| format!("interface {index}")),
                carrier,
            ))
        }
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_ones_own_and_an_address_for_documentation_is_not() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.1.2.3", true),
            ("::1", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_own(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_way_to_oneself_has_a_carrier() {
        let index = interface_to("127.0.0.1".parse().unwrap()).unwrap().unwrap();
        assert_eq!(link(index).unwrap(), Some(("lo".to_owned(), true)));
        assert_eq!(missing(&["127.0.0.1:1".parse().unwrap()]), None);
    }
}
