//! Where the primary is: `HOST[:PORT]`, with IPv6 addresses in brackets when a port follows.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    str::FromStr,
};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::config::{
    host::{Host, has_zone, host_and_port},
    option::{essential, option_set},
    secret::quoted,
};

/// OpenClaw's port, on PC-A and PC-B.
pub const DEFAULT_PORT: NonZeroU16 = NonZeroU16::new(18789).unwrap();

option_set! {
    /// Where the primary is.
    pub(crate) struct PrimaryOptions => PrimaryValues {
        /// Address of the primary: the gateway on PC-A
        #[arg(value_name = "HOST[:PORT]")]
        primary: Option<PrimaryAddress> = essential()
            .words(format!("port {DEFAULT_PORT}"))
            .example(PrimaryAddress::EXAMPLE);
    }
}

/// A host and a port.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct PrimaryAddress {
    /// An address, or a name that is resolved when it is needed.
    pub host: Host,
    /// TCP port.
    pub port: NonZeroU16,
}

/// Not an address of a primary.
#[derive(Debug, Error)]
pub enum PrimaryAddressError {
    /// Neither an address nor a name.
    #[error("`{}` is not HOST[:PORT]; write 192.168.1.10, pc-a.lan:18789 or [fd00::1]:18789", quoted(.0))]
    Malformed(String),
    /// It means something else on each interface.
    #[error(
        "`{}` is a link-local address, which isn't supported; write another address of PC-A, as 192.168.1.10 or \
         [fd00::1]:18789, or a name",
        quoted(.0)
    )]
    OfInterface(String),
    /// Many have it.
    #[error("`{}` is a multicast or broadcast address; write PC-A's own, as 192.168.1.10", quoted(.0))]
    OfMany(String),
}

impl PrimaryAddress {
    const EXAMPLE: Self = Self {
        host: Host::Address(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10))),
        port: DEFAULT_PORT,
    };

    /// Is it the address of this very machine's port, as far as one can see?
    pub(super) fn is_local(&self, port: NonZeroU16) -> bool {
        self.port == port
            && match &self.host {
                Host::Address(address) => {
                    let address = address.to_canonical();
                    address.is_loopback() || address.is_unspecified()
                }
                Host::Name(name) => name == "localhost",
            }
    }
}

impl FromStr for PrimaryAddress {
    type Err = PrimaryAddressError;

    fn from_str(text: &str) -> Result<Self, PrimaryAddressError> {
        let because = |error: fn(String) -> PrimaryAddressError| error(text.to_owned());
        if has_zone(text) {
            return Err(because(PrimaryAddressError::OfInterface));
        }
        let (host, port) =
            host_and_port(text).ok_or_else(|| because(PrimaryAddressError::Malformed))?;
        if let Host::Address(address) = &host {
            match address.to_canonical() {
                IpAddr::V6(address) if address.is_unicast_link_local() => {
                    return Err(because(PrimaryAddressError::OfInterface));
                }
                IpAddr::V4(address) if address.is_broadcast() => {
                    return Err(because(PrimaryAddressError::OfMany));
                }
                address if address.is_multicast() => {
                    return Err(because(PrimaryAddressError::OfMany));
                }
                _ => {}
            }
        }
        Ok(Self {
            host,
            port: port.unwrap_or(DEFAULT_PORT),
        })
    }
}

impl TryFrom<String> for PrimaryAddress {
    type Error = PrimaryAddressError;

    fn try_from(text: String) -> Result<Self, PrimaryAddressError> {
        text.parse()
    }
}

impl Serialize for PrimaryAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
        for (text, shown) in [
            ("10.0.0.1", "10.0.0.1:18789"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("fd00::1", "[fd00::1]:18789"),
            ("[fd00::1]", "[fd00::1]:18789"),
            ("[fd00::1]:80", "[fd00::1]:80"),
            ("pc-a.lan", "pc-a.lan:18789"),
            ("pc-a.lan:80", "pc-a.lan:80"),
        ] {
            assert_eq!(text.parse::<PrimaryAddress>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_leads_to_no_single_host_is_refused_with_the_reason() {
        let shown = |text: &str| text.parse::<PrimaryAddress>().unwrap_err().to_string();
        for text in ["224.0.0.1", "255.255.255.255:80", "[ff02::1]:80"] {
            assert!(shown(text).contains("multicast or broadcast"), "{text}");
        }
        for text in [
            "fe80::1",
            "fe80::1%eth0",
            "[fe80::1%3]:80",
            "[fe80::1%eth0]",
        ] {
            assert!(shown(text).contains("link-local"), "{text}");
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
            "[fe80::1%3]:80",
            "-a",
            "a..b",
        ] {
            assert!(text.parse::<PrimaryAddress>().is_err(), "{text}");
        }
    }
}
