//! Probes the local gateway with its own check: does the listener also answer?

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::time::Instant;

use failover_decide::Outcome;

use crate::{
    config::LocalCheck,
    primary::{
        Asking,
        check::{Checker, Memory, readiness::Readiness},
    },
};

/// The result of a probe of a [`LocalProber`].
#[derive(Debug)]
pub struct LocalReport<Id> {
    /// As given to [`LocalProber::start`].
    pub probe: Id,
    /// The outcome of the probe.
    pub outcome: Outcome,
    /// The readiness that the gateway reported, if any. See [`Readiness::is_same_process`].
    pub readiness: Option<Readiness>,
}

/// Probes the local gateway, one probe at a time, without keeping connections.
pub struct LocalProber<Id> {
    checker: Checker,
    memory: Memory,
    timeout: Duration,
    in_flight: Option<(Id, Asking)>,
}

impl<Id: Clone> LocalProber<Id> {
    /// A prober with this timeout for each probe.
    #[must_use]
    pub fn new(check: &LocalCheck, timeout: Duration) -> Self {
        Self {
            checker: Checker::of_the_local_gateway(check),
            memory: Memory::default(),
            timeout,
            in_flight: None,
        }
    }

    /// Starts a probe of the listener on these addresses. A probe in progress is cancelled.
    pub fn start(&mut self, probe: Id, listeners: &[SocketAddr]) {
        let mut addresses = Vec::new();
        for address in listeners.iter().copied().flat_map(reachable) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let (checker, memory) = (self.checker.clone(), self.memory);
        let deadline = Instant::now() + self.timeout;
        let future = async move { checker.ask(&addresses, deadline, memory).await };
        self.in_flight = Some((probe, Box::pin(future)));
    }

    /// Cancels a probe in progress.
    pub fn stop(&mut self) {
        self.in_flight = None;
    }

    /// Waits for the end of the probe; for ever without one. Cancel-safe.
    pub async fn next(&mut self) -> LocalReport<Id> {
        let (probe, verdict) = match &mut self.in_flight {
            Some((probe, asking)) => (probe.clone(), asking.as_mut().await),
            None => std::future::pending().await,
        };
        self.in_flight = None;
        self.memory = verdict.memory;
        LocalReport {
            probe,
            outcome: verdict.outcome,
            readiness: verdict.readiness,
        }
    }
}

/// The address to connect to for a listener on this machine. One on `[::]` also accepts IPv4 unless it
/// opts out (ipv6(7)), and where IPv6 is disabled that is the only way to it.
fn reachable(listener: SocketAddr) -> impl Iterator<Item = SocketAddr> {
    let (first, second): (IpAddr, Option<IpAddr>) = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => (Ipv4Addr::LOCALHOST.into(), None),
        IpAddr::V6(address) if address.is_unspecified() => {
            (Ipv6Addr::LOCALHOST.into(), Some(Ipv4Addr::LOCALHOST.into()))
        }
        address => (address, None),
    };
    let mut reachable = listener;
    reachable.set_ip(first);
    let second = second.map(|address| SocketAddr::new(address, listener.port()));
    std::iter::once(reachable).chain(second)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::timeout,
    };

    use super::*;
    use crate::{
        config::Check,
        primary::check::{local_for_tests, openclaw_for_tests},
    };
    use failover_decide::{Failure, NoAnswer};

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(100);

    async fn report_of(prober: &mut LocalProber<u32>) -> LocalReport<u32> {
        timeout(LONG, prober.next()).await.expect("it ends")
    }

    #[tokio::test]
    async fn a_listener_on_all_addresses_is_reached_over_the_loopback() {
        for (everywhere, loopback) in [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
            let listener = TcpListener::bind(everywhere).await.unwrap();
            let mut prober = LocalProber::new(&local_for_tests(Check::Tcp), LONG);
            prober.start(7, &[listener.local_addr().unwrap()]);
            let report = report_of(&mut prober).await;
            assert_eq!(report.probe, 7);
            assert!(
                matches!(report.outcome, Outcome::Connected { .. }),
                "{report:?}"
            );
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer.ip().to_string(), loopback);
        }
    }

    /// A machine where IPv6 is off has no `::1`.
    #[test]
    fn whoever_listens_everywhere_in_both_families_can_be_reached_over_ipv4_alone() {
        let reached = |listener: &str| {
            let listener: SocketAddr = listener.parse().unwrap();
            let reached: Vec<String> = reachable(listener).map(|one| one.to_string()).collect();
            reached
        };
        assert_eq!(reached("[::]:7"), ["[::1]:7", "127.0.0.1:7"]);
        assert_eq!(reached("0.0.0.0:7"), ["127.0.0.1:7"]);
        assert_eq!(reached("[fd00::1]:7"), ["[fd00::1]:7"]);
        assert_eq!(reached("10.0.0.2:7"), ["10.0.0.2:7"]);
    }

    #[tokio::test]
    async fn waiting_may_be_interrupted_and_a_gateway_that_hangs_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut prober = LocalProber::new(&local_for_tests(openclaw_for_tests()), SHORT * 3);
        prober.start(1, &[listener.local_addr().unwrap()]);
        assert!(timeout(SHORT, prober.next()).await.is_err());
        let report = report_of(&mut prober).await;
        let Outcome::Failed { failure, .. } = report.outcome else {
            panic!("{report:?}");
        };
        assert_eq!(failure, Failure::NoAnswer(NoAnswer::TimedOut));
        // And nothing comes without a probe.
        assert!(timeout(SHORT, prober.next()).await.is_err());
    }

    #[tokio::test]
    async fn openclaw_is_asked_by_the_address_which_makes_it_tell_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut prober = LocalProber::new(&local_for_tests(openclaw_for_tests()), LONG);
        prober.start(1, &[address]);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";
            stream.write_all(answer).await.unwrap();
            request.truncate(length);
            String::from_utf8(request).unwrap()
        };
        let (report, request) = tokio::join!(report_of(&mut prober), serve);
        assert!(
            matches!(report.outcome, Outcome::Connected { .. }),
            "{report:?}"
        );
        assert!(
            request.contains(&format!("host: {address}\r\n")),
            "{request}"
        );
    }
}
