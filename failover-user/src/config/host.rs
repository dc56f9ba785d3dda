//! A host, as people write one: an address or a name, perhaps with a port.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU16,
};

/// Longest host name (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// A host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    /// By address.
    Address(IpAddr),
    /// By name.
    Name(String),
}

/// Reads `HOST[:PORT]`. An IPv6 address may have brackets, and needs them where a port follows.
pub(crate) fn host_and_port(text: &str) -> Option<(Host, Option<NonZeroU16>)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        // Only an address is kept; without its zone this one would lead elsewhere.
        if matches!(address, SocketAddr::V6(address) if address.scope_id() != 0) {
            return None;
        }
        let port = NonZeroU16::new(address.port())?;
        return Some((Host::Address(address.ip()), Some(port)));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = bare.map_or_else(
        || text.parse::<IpAddr>(),
        |inner| inner.parse::<Ipv6Addr>().map(IpAddr::from),
    ) {
        return Some((Host::Address(address), None));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (text, None),
    };
    is_host_name(name).then(|| (Host::Name(name.to_owned()), port))
}

/// Is it an IPv6 address with an interface's name or number (RFC 4007, section 11)?
pub(super) fn has_zone(text: &str) -> bool {
    let address = text.split('%').next().unwrap_or_default();
    let address = address.trim_start_matches('[');
    text.contains('%') && address.parse::<Ipv6Addr>().is_ok()
}

/// Letters, digits, hyphens and underscores between dots; and not something like `10.0.0.256`,
/// which is a mistyped address, not a name.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let looks_numeric = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.parse::<u32>().is_ok());
    name.len() <= LONGEST_NAME && !looks_numeric && name.split('.').all(label)
}
