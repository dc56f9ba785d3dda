//! The witnesses that PC-B still has a network: `HOST` is pinged, `HOST:PORT` is connected to, and `router`
//! stands for the default router at that moment.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU16, NonZeroU32},
    str::FromStr,
};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::config::{
    host::{Host, has_zone, host_and_port},
    option::{Always, essential, judgement, option_set},
    parse::count,
    primary::PrimaryAddress,
    secret::quoted,
};

/// Each is asked at the same time, so there must not be hundreds.
const MOST_WITNESSES: usize = 16;

/// The word for [`Witness::Router`].
const ROUTER: &str = "router";

option_set! {
    /// Who confirms that PC-B has a network.
    pub(crate) struct WitnessOptions => WitnessValues {
        /// Hosts that must be reachable before a takeover: 192.168.1.1 is pinged, 9.9.9.9:53 connected to, router
        /// is PC-B's default router (not counted until it has answered a ping). Empty: no witnesses
        #[arg(value_name = "HOST[:PORT]", value_parser = witnesses)]
        witnesses: Always<WitnessList> = essential().default(vec![Witness::Router]);

        /// Minimum number of witnesses that must answer; all of them where fewer count
        #[arg(value_name = "COUNT", value_parser = count::<NonZeroU32>)]
        witness_quorum: Option<NonZeroU32> = judgement()
            .default_if(!witnesses.is_empty(), NonZeroU32::MIN);
    }
}

/// Reads witnesses with commas between them. No text stands for none.
fn witnesses(text: &str) -> Result<WitnessList, WitnessError> {
    match text {
        "" => Ok(Vec::new()),
        text => text.split(',').map(str::parse).collect(),
    }
}

/// Something that answers as long as PC-B's network works, and that is neither PC-A nor PC-B.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub enum Witness {
    /// The router of PC-B's default route, as it is then. It abstains until it has proved that it
    /// answers pings.
    Router,
    /// A host that somebody named.
    Host {
        /// An address, or a name that is resolved when it is needed.
        host: Host,
        /// TCP port to connect to. `None`: an ICMP echo.
        port: Option<NonZeroU16>,
    },
}

/// Several. By this name, for of a `Vec` clap reads one after the other, and there may be none.
pub type WitnessList = Vec<Witness>;

/// Not a witness.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// Neither an address nor a name.
    #[error(
        "`{}` is not HOST[:PORT]; write 192.168.1.1 to ping it, 9.9.9.9:53 or [2620:fe::fe]:53 to \
         connect to it, or router for the default router",
        quoted(.0)
    )]
    Malformed(String),
    /// It means something else on each interface.
    #[error(
        "`{}` is a link-local address with an interface, which isn't supported; write another address, or router \
         for the default router",
        quoted(.0)
    )]
    OfInterface(String),
    /// An address that answers without any network, or belongs to nobody.
    #[error("`{}` proves nothing about PC-B's network; write the address of a router or another host", quoted(.0))]
    Nobody(String),
}

/// Witnesses that can't be asked like this.
#[derive(Debug, Error)]
pub enum WitnessesError {
    /// More than anybody needs.
    #[error("witnesses has {0} entries; name at most {MOST_WITNESSES}")]
    TooMany(usize),
    /// One counts twice.
    #[error("witness {0} is listed twice; list it once")]
    Twice(Witness),
    /// One would never answer when it matters.
    #[error("witness {0} is the primary itself; name a router or another host")]
    Primary(Witness),
    /// A quorum of none.
    #[error("witness-quorum is set, but there are no witnesses; name some, or remove it")]
    None,
    /// More than there are.
    #[error(
        "witness-quorum is {quorum}, but there are only {witnesses} witnesses; lower it, or name more"
    )]
    Quorum {
        /// The quorum.
        quorum: u32,
        /// The number of witnesses.
        witnesses: usize,
    },
}

impl WitnessesError {
    /// The option that has to change.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::TooMany(_) | Self::Twice(_) | Self::Primary(_) => "witnesses",
            Self::None | Self::Quorum { .. } => "witness-quorum",
        }
    }
}

impl WitnessValues {
    /// The witnesses, and how many of them have to answer: where there are none, nobody.
    pub(super) fn checked(
        self,
        primary: &PrimaryAddress,
    ) -> Result<(WitnessList, u32), WitnessesError> {
        let Self {
            witnesses,
            witness_quorum,
        } = self;
        let quorum = check(&witnesses, witness_quorum, primary)?;
        Ok((witnesses, quorum))
    }
}

/// How many are named, and whether the default router is one more.
pub(super) fn counted(witnesses: &[Witness]) -> (u32, bool) {
    let is_named = |witness: &&Witness| **witness != Witness::Router;
    let named = witnesses.iter().filter(is_named).count();
    let named = u32::try_from(named).unwrap_or(u32::MAX);
    (named, witnesses.contains(&Witness::Router))
}

fn check(
    witnesses: &[Witness],
    quorum: Option<NonZeroU32>,
    primary: &PrimaryAddress,
) -> Result<u32, WitnessesError> {
    if witnesses.len() > MOST_WITNESSES {
        return Err(WitnessesError::TooMany(witnesses.len()));
    }
    for (number, witness) in witnesses.iter().enumerate() {
        if witnesses.iter().take(number).any(|other| other == witness) {
            return Err(WitnessesError::Twice(witness.clone()));
        }
        if matches!(witness, Witness::Host { host, .. } if *host == primary.host) {
            return Err(WitnessesError::Primary(witness.clone()));
        }
    }
    match quorum.map_or(0, NonZeroU32::get) {
        0 => Ok(0),
        _ if witnesses.is_empty() => Err(WitnessesError::None),
        quorum if usize::try_from(quorum).is_ok_and(|most| most <= witnesses.len()) => Ok(quorum),
        quorum => Err(WitnessesError::Quorum {
            quorum,
            witnesses: witnesses.len(),
        }),
    }
}

impl FromStr for Witness {
    type Err = WitnessError;

    fn from_str(text: &str) -> Result<Self, WitnessError> {
        if text == ROUTER {
            return Ok(Self::Router);
        }
        if has_zone(text) {
            return Err(WitnessError::OfInterface(text.to_owned()));
        }
        let (host, port) =
            host_and_port(text).ok_or_else(|| WitnessError::Malformed(text.to_owned()))?;
        match &host {
            Host::Address(address) if !can_testify(*address) => {
                Err(WitnessError::Nobody(text.to_owned()))
            }
            _ => Ok(Self::Host { host, port }),
        }
    }
}

fn can_testify(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = match address {
        IpAddr::V4(address) => address.is_broadcast(),
        IpAddr::V6(_) => false,
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || broadcast)
}

impl TryFrom<String> for Witness {
    type Error = WitnessError;

    fn try_from(text: String) -> Result<Self, WitnessError> {
        text.parse()
    }
}

impl Serialize for Witness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = match self {
            Self::Router => return formatter.write_str(ROUTER),
            Self::Host { host, port } => (host, *port),
        };
        match (host, port) {
            (Host::Address(address), Some(port)) => {
                SocketAddr::new(*address, port.get()).fmt(formatter)
            }
            (Host::Address(address), None) => address.fmt(formatter),
            (Host::Name(name), Some(port)) => write!(formatter, "{name}:{port}"),
            (Host::Name(name), None) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_what_is_reported() {
        for (text, shown) in [
            ("192.168.1.1", "192.168.1.1"),
            ("9.9.9.9:53", "9.9.9.9:53"),
            ("fd00::1", "fd00::1"),
            ("[fd00::1]", "fd00::1"),
            ("[2620:fe::fe]:53", "[2620:fe::fe]:53"),
            ("router.lan", "router.lan"),
            ("router.lan:80", "router.lan:80"),
            ("router", "router"),
            ("router:80", "router:80"),
        ] {
            assert_eq!(text.parse::<Witness>().unwrap().to_string(), shown);
        }
        let parsed = |text: &str| text.parse::<Witness>().unwrap();
        assert!(matches!(
            parsed("10.0.0.1"),
            Witness::Host { port: None, .. }
        ));
        // A host of that name has a dot or a port.
        assert_eq!(parsed("router"), Witness::Router);
        assert!(matches!(parsed("router:80"), Witness::Host { .. }));
    }

    #[test]
    fn what_is_no_host_is_refused_with_what_to_write() {
        for text in [
            "",
            ":53",
            "9.9.9.9:",
            "9.9.9.9:0",
            "9.9.9.9:65536",
            "10.0.0.256",
            "[fd00::1",
            "fd00::1]:53",
            "icmp://10.0.0.1",
            "a b",
            "10.0.0.1/24",
            "10.0.0.1%eth0",
        ] {
            let error = text.parse::<Witness>().unwrap_err().to_string();
            assert!(error.contains("write 192.168.1.1 to ping it"), "{error}");
        }
    }

    #[test]
    fn an_address_with_an_interface_is_refused_with_the_reason() {
        let error = "fe80::1%eth0".parse::<Witness>().unwrap_err().to_string();
        assert!(error.contains("link-local"), "{error}");
    }

    #[test]
    fn who_answers_without_a_network_is_no_witness() {
        for text in [
            "127.0.0.1",
            "[::1]:80",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:127.0.0.1",
        ] {
            let error = text.parse::<Witness>().unwrap_err().to_string();
            assert!(
                error.contains("proves nothing about PC-B's network"),
                "{error}"
            );
        }
    }

    fn checked(witnesses: &[&str], quorum: Option<u32>) -> Result<u32, String> {
        let witnesses: Vec<Witness> = witnesses.iter().map(|one| one.parse().unwrap()).collect();
        let written = WitnessOptions {
            witnesses: Some(witnesses),
            witness_quorum: quorum.and_then(NonZeroU32::new),
        };
        let checked = written
            .resolve()
            .unwrap()
            .checked(&"10.0.0.1".parse().unwrap());
        checked
            .map(|(_, quorum)| quorum)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_quorum_is_one_unless_said_and_no_more_than_there_are() {
        assert_eq!(checked(&[], None), Ok(0));
        assert_eq!(checked(&["10.0.0.3", "10.0.0.4"], None), Ok(1));
        assert_eq!(checked(&["10.0.0.3", "10.0.0.4"], Some(2)), Ok(2));
        let error = checked(&["10.0.0.3"], Some(2)).unwrap_err();
        assert!(error.contains("there are only 1 witnesses"), "{error}");
        let error = checked(&[], Some(1)).unwrap_err();
        assert!(error.contains("name some"), "{error}");
    }

    #[test]
    fn who_would_prove_nothing_is_refused() {
        let error = checked(&["10.0.0.3", "10.0.0.3"], None).unwrap_err();
        assert!(error.contains("listed twice"), "{error}");
        let error = checked(&["10.0.0.1:22"], None).unwrap_err();
        assert!(error.contains("the primary itself"), "{error}");
        let many: Vec<String> = (3..20).map(|number| format!("10.0.0.{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(checked(&many, None).unwrap_err().contains("at most"));
        // One host may answer in two ways.
        assert_eq!(checked(&["10.0.0.3", "10.0.0.3:80"], Some(2)), Ok(2));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[0-9a-f:.\\[\\]]{0,40}") {
            if let Ok(witness) = text.parse::<Witness>() {
                assert_eq!(witness.to_string().parse::<Witness>().unwrap(), witness);
            }
        }
    }
}
