//! Which kernel events are evidence about the primary: those of connections to it. The kernel program filters out
//! the daemon's own, which are probes and the tripwire.

use std::{net::SocketAddr, num::NonZeroU16};

use failover_decide::Evidence;
use failover_linux::bpf::event::{TcpState, TcpStateChange};

/// The evidence in a state change, if it is of a connection to the primary.
pub(crate) fn of(
    change: &TcpStateChange,
    primary: &[SocketAddr],
    port: NonZeroU16,
) -> Option<Evidence> {
    let remote = change.remote;
    let to_primary = remote.port() == port.get()
        && primary
            .iter()
            .any(|address| address.ip().to_canonical() == remote.ip());
    // Both ends are PC-B's: an address that has moved here, say.
    let is_own = change.local.ip() == remote.ip();
    if !to_primary || is_own {
        return None;
    }
    match (change.old, change.new, change.error) {
        (TcpState::SynSent, TcpState::Established, _) => Some(Evidence::Established),
        (TcpState::Established, TcpState::CloseWait, _) => Some(Evidence::Closed),
        (_, TcpState::Close, Some(libc::ECONNREFUSED)) => Some(Evidence::Refused),
        (_, TcpState::Close, Some(libc::ECONNRESET | libc::EPIPE)) => Some(Evidence::Reset),
        (_, TcpState::Close, Some(libc::ETIMEDOUT | libc::EHOSTUNREACH)) => {
            Some(Evidence::TimedOut)
        }
        // Closed from this side, or for a reason of PC-B's own.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use failover_linux::bpf::event::Origin;

    fn change(old: TcpState, new: TcpState, error: Option<i32>) -> TcpStateChange {
        TcpStateChange {
            origin: Origin {
                time: Duration::ZERO,
                pid: Some(42),
                tid: Some(42),
                uid: 0,
                comm: "curl".to_owned(),
                netns: 1,
            },
            old,
            new,
            local: "10.0.0.2:4000".parse().unwrap(),
            remote: "10.0.0.1:18789".parse().unwrap(),
            error,
        }
    }

    fn evidence(change: &TcpStateChange) -> Option<Evidence> {
        let primary = ["10.0.0.1:18789".parse().unwrap()];
        of(change, &primary, NonZeroU16::new(18789).unwrap())
    }

    #[test]
    fn only_what_the_primary_did_is_evidence() {
        use TcpState::{Close, CloseWait, Established, FinWait1, SynSent};
        for (old, new, error, expected) in [
            (SynSent, Established, None, Some(Evidence::Established)),
            (
                SynSent,
                Close,
                Some(libc::ECONNREFUSED),
                Some(Evidence::Refused),
            ),
            (
                SynSent,
                Close,
                Some(libc::ETIMEDOUT),
                Some(Evidence::TimedOut),
            ),
            (
                Established,
                Close,
                Some(libc::ECONNRESET),
                Some(Evidence::Reset),
            ),
            (Established, CloseWait, None, Some(Evidence::Closed)),
            // A program here closed or aborted it.
            (Established, FinWait1, None, None),
            (SynSent, Close, None, None),
            (Established, Close, Some(libc::ECONNABORTED), None),
        ] {
            let change = change(old, new, error);
            assert_eq!(evidence(&change), expected, "{old} -> {new} {error:?}");
        }
    }

    #[test]
    fn connections_to_other_hosts_and_ports_are_not() {
        let mut refused = change(TcpState::SynSent, TcpState::Close, Some(libc::ECONNREFUSED));
        refused.remote = "10.0.0.3:18789".parse().unwrap();
        assert_eq!(evidence(&refused), None);
        refused.remote = "10.0.0.1:80".parse().unwrap();
        assert_eq!(evidence(&refused), None);
    }

    #[test]
    fn connections_of_this_machine_with_itself_are_not() {
        let mut refused = change(TcpState::SynSent, TcpState::Close, Some(libc::ECONNREFUSED));
        assert!(evidence(&refused).is_some());
        refused.local = "10.0.0.1:4000".parse().unwrap();
        assert_eq!(evidence(&refused), None);
    }
}
