//! Does PC-B's own packet filter block probes? A filter that rejects them answers in place of the primary: with a
//! refusal, or "host unreachable". One that drops them causes timeouts.
//!
//! A TCP connect doesn't report the fate of its packet (tcp_connect, net/ipv4/tcp_output.c, 6.18), but sending
//! over a raw socket does: the call fails with EPERM if a filter of this machine blocked the packet, and in no
//! other case (nf_hook_slow, net/netfilter/core.c, 6.18; the same for a control group's filter). So after a failed
//! probe its first packet is sent again in that way.

use std::net::{IpAddr, SocketAddr};

use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, SendFlags, SocketFlags, SocketType, bind, connect, getsockname, ipproto,
        sendto, socket_with,
    },
};

/// A TCP header without options (RFC 9293, section 3.1).
const HEADER: usize = 20;
const CHECKSUM: usize = 16;
const SYN: u8 = 2;

/// Is a SYN to this address blocked on this machine? False where that can't be determined.
pub(crate) fn stops(address: SocketAddr) -> bool {
    matches!(send_syn(address), Err(Errno::PERM))
}

fn send_syn(address: SocketAddr) -> rustix::io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (family, mut to) = match address {
        SocketAddr::V4(_) => (AddressFamily::INET, address),
        SocketAddr::V6(_) => (AddressFamily::INET6, address),
    };
    // Needs CAP_NET_RAW: without it EPERM would mean something else.
    let Ok(raw) = socket_with(family, SocketType::RAW, flags, Some(ipproto::TCP)) else {
        return Ok(());
    };
    let (source, _held) = source(address, family)?;
    // For a raw socket a port would be a protocol's number.
    to.set_port(0);
    sendto(&raw, &syn(source, address), SendFlags::empty(), &to)?;
    Ok(())
}

/// The source address and port of a connect. The port stays reserved meanwhile.
fn source(address: SocketAddr, family: AddressFamily) -> rustix::io::Result<(SocketAddr, OwnedFd)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let udp = socket_with(family, SocketType::DGRAM, flags, None)?;
    connect(&udp, &address)?;
    let mut source = SocketAddr::try_from(getsockname(&udp)?)?;
    let tcp = socket_with(family, SocketType::STREAM, flags, None)?;
    source.set_port(0);
    bind(&tcp, &source)?;
    Ok((SocketAddr::try_from(getsockname(&tcp)?)?, tcp))
}

fn syn(from: SocketAddr, to: SocketAddr) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..2].copy_from_slice(&from.port().to_be_bytes());
    header[2..4].copy_from_slice(&to.port().to_be_bytes());
    // Length in words of four bytes; then the flags, and a window.
    header[12] = 5 << 4;
    header[13] = SYN;
    header[14..16].copy_from_slice(&1024_u16.to_be_bytes());
    let sum = checksum(&header, from.ip(), to.ip());
    header[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
    header
}

/// The checksum with the pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1).
fn checksum(header: &[u8], from: IpAddr, to: IpAddr) -> u16 {
    let mut covered = Vec::with_capacity(64);
    for address in [from, to] {
        match address {
            IpAddr::V4(address) => covered.extend(address.octets()),
            IpAddr::V6(address) => covered.extend(address.octets()),
        }
    }
    covered.extend([0, 6]);
    covered.extend(
        u16::try_from(header.len())
            .unwrap_or_default()
            .to_be_bytes(),
    );
    covered.extend(header);
    let mut sum = covered
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        })
        .sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The reason, with the remedy.
pub(crate) fn describe(address: SocketAddr) -> String {
    let family = match address.ip() {
        IpAddr::V4(_) => "iptables -S OUTPUT",
        IpAddr::V6(_) => "ip6tables -S OUTPUT",
    };
    format!(
        "PC-B's own packet filter stops what is sent to {address}; see `nft list ruleset` or `{family}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // Checked sums add up to zero, whatever the addresses.
        for (from, to) in [
            ("192.0.2.1:40000", "198.51.100.7:18789"),
            ("[2001:db8::1]:40000", "[2001:db8::2]:18789"),
        ] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            let header = syn(from, to);
            assert_eq!(checksum(&header, from.ip(), to.ip()), 0);
            assert_ne!(header[CHECKSUM..CHECKSUM + 2], [0, 0]);
        }
    }

    #[test]
    fn nothing_stops_what_is_sent_to_oneself() {
        assert!(!stops(([127, 0, 0, 1], 9).into()));
        assert!(!stops("[::1]:9".parse().unwrap()));
    }
}
