//! Which of the primary's addresses are PC-B's own? An answer there isn't the primary's: for example a floating
//! address that has moved here, or a name with the address of a bridge that exists on every host.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
};

/// The addresses to probe. `good`: those at which the primary answered before. If all are PC-B's own, but at
/// another port than the local gateway's, they should forward to the primary, like the end of a tunnel.
///
/// # Errors
/// The reason if there is none.
pub(crate) fn others(
    addresses: &[SocketAddr],
    good: &[SocketAddr],
    local_port: Option<NonZeroU16>,
    is_own: impl Fn(IpAddr) -> bool,
) -> Result<Vec<SocketAddr>, String> {
    for known in [addresses, good] {
        let others: Vec<SocketAddr> = known
            .iter()
            .copied()
            .filter(|address| !is_own(address.ip()))
            .collect();
        if !others.is_empty() || addresses.is_empty() {
            return Ok(others);
        }
    }
    let is_gateways =
        |address: &SocketAddr| local_port.is_some_and(|port| port.get() == address.port());
    match addresses.iter().find(|address| is_gateways(address)) {
        Some(address) => Err(format!(
            "{address} is PC-B's own address now: what answers there is PC-B's gateway, not the primary; see `ip address`"
        )),
        None => Ok(addresses.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Option<NonZeroU16> = NonZeroU16::new(18789);

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn own(address: IpAddr) -> bool {
        address.is_loopback() || address == at("172.17.0.1:1").ip()
    }

    #[test]
    fn an_own_address_among_others_is_left_out() {
        let (there, bridge) = (at("10.0.0.1:18789"), at("172.17.0.1:18789"));
        assert_eq!(others(&[bridge, there], &[], PORT, own), Ok(vec![there]));
        let forward = at("172.17.0.1:443");
        assert_eq!(others(&[forward, there], &[], PORT, own), Ok(vec![there]));
    }

    #[test]
    fn where_all_are_own_the_last_good_one_is_asked_and_else_nobody() {
        let (there, bridge) = (at("10.0.0.1:18789"), at("172.17.0.1:18789"));
        assert_eq!(
            others(&[bridge], &[bridge, there], PORT, own),
            Ok(vec![there])
        );
        let why = others(&[bridge], &[bridge], PORT, own).unwrap_err();
        assert!(why.contains("172.17.0.1:18789"), "{why}");
        assert!(others(&[], &[], PORT, own).unwrap().is_empty());
    }

    #[test]
    fn another_port_of_this_machine_may_lead_to_the_primary() {
        let tunnel = at("127.0.0.1:28789");
        assert_eq!(others(&[tunnel], &[], PORT, own), Ok(vec![tunnel]));
        let unknown = at("127.0.0.1:18789");
        assert_eq!(others(&[unknown], &[], None, own), Ok(vec![unknown]));
    }
}
