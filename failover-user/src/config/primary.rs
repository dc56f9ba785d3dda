//! Where the primary is: `HOST[:PORT]`, with IPv6 addresses in brackets when a port follows.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU16,
    str::FromStr,
};

use serde::Deserialize;
use thiserror::Error;

use super::DEFAULT_PORT;

/// Longest host name (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// A host and a port.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct PrimaryAddress {
    /// An address, or a name that is resolved when it is needed.
    pub host: Host,
    /// TCP port.
    pub port: NonZeroU16,
}

/// A host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    /// By address.
    Address(IpAddr),
    /// By name.
    Name(String),
}

/// Not an address of a primary.
#[derive(Debug, Error)]
#[error("`{0}` is not HOST[:PORT]; write 192.168.1.10, pc-a.lan:18789 or [fd00::1]:18789")]
pub struct PrimaryAddressError(String);

impl FromStr for PrimaryAddress {
    type Err = PrimaryAddressError;

    fn from_str(text: &str) -> Result<Self, PrimaryAddressError> {
        let error = || PrimaryAddressError(text.to_owned());
        let with_port = |address: SocketAddr| {
            let port = NonZeroU16::new(address.port()).ok_or_else(error)?;
            Ok(Self {
                host: Host::Address(address.ip()),
                port,
            })
        };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return with_port(address);
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.map_or_else(
            || text.parse::<IpAddr>(),
            |inner| inner.parse::<Ipv6Addr>().map(IpAddr::from),
        ) {
            return Ok(Self {
                host: Host::Address(address),
                port: DEFAULT_PORT,
            });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| error())?),
            None => (text, DEFAULT_PORT),
        };
        if !is_host_name(name) {
            return Err(error());
        }
        Ok(Self {
            host: Host::Name(name.to_owned()),
            port,
        })
    }
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

impl TryFrom<String> for PrimaryAddress {
    type Error = PrimaryAddressError;

    fn try_from(text: String) -> Result<Self, PrimaryAddressError> {
        text.parse()
    }
}

impl fmt::Display for PrimaryAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port.get()).fmt(formatter),
            Host::Name(name) => write!(formatter, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_with_and_without_a_port() {
        for (text, told) in [
            ("10.0.0.1", "10.0.0.1:18789"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("fd00::1", "[fd00::1]:18789"),
            ("[fd00::1]", "[fd00::1]:18789"),
            ("[fd00::1]:80", "[fd00::1]:80"),
            ("pc-a.lan", "pc-a.lan:18789"),
            ("pc-a.lan:80", "pc-a.lan:80"),
        ] {
            assert_eq!(text.parse::<PrimaryAddress>().unwrap().to_string(), told);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "",
            ":80",
            "a b",
            "10.0.0.1:0",
            "pc-a:x",
            "10.0.0.256",
            "[fd00::1",
            "-a",
            "a..b",
        ] {
            assert!(text.parse::<PrimaryAddress>().is_err(), "{text}");
        }
    }
}
