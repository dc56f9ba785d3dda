//! Asking witnesses whether PC-B still has a network: all at once, each within a timeout.
//!
//! Whatever a witness says will do: an ICMP echo, a connection, or a refusal. Once enough have said
//! something, the others aren't waited for.

use std::{fmt, net::SocketAddr, num::NonZeroU16, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    connect::{self, Connect},
    echo::echo,
    resolve::Resolver,
};
use crate::{config::Witness, decide::Failure, errno};

/// Asks the witnesses. `R` tells one round of asking from another.
pub struct Witnesses<R> {
    witnesses: Vec<(Witness, Resolver)>,
    quorum: u32,
    timeout: Duration,
    round: Option<(R, JoinSet<Testimony>)>,
    answers: Vec<Testimony>,
}

/// What a round of asking says.
#[derive(Clone, Debug)]
pub struct Answers<R> {
    /// As given to [`Witnesses::ask`].
    pub round: R,
    /// Of each witness that was waited for, in the order in which they came.
    pub answers: Vec<Testimony>,
}

/// What one witness says.
#[derive(Clone, Debug)]
pub struct Testimony {
    /// Which, counted from 0.
    number: usize,
    witness: Witness,
    /// How it answered, or why not.
    said: Result<&'static str, String>,
    took: Duration,
}

impl<R: Copy> Witnesses<R> {
    /// These, of which so many are enough; each has so long to answer.
    #[must_use]
    pub fn new(witnesses: Vec<Witness>, quorum: u32, timeout: Duration) -> Self {
        let with_resolver = |witness: Witness| {
            let port = witness.port.map_or(0, NonZeroU16::get);
            let resolver = Resolver::new(witness.host.clone(), port, "--witnesses");
            (witness, resolver)
        };
        Self {
            witnesses: witnesses.into_iter().map(with_resolver).collect(),
            quorum,
            timeout,
            round: None,
            answers: Vec::new(),
        }
    }

    /// Begins a round. One that is in flight is given up.
    pub fn ask(&mut self, round: R) {
        let timeout = self.timeout;
        let mut asked = JoinSet::new();
        for (number, (witness, resolver)) in self.witnesses.iter_mut().enumerate() {
            let (witness, addresses) = (witness.clone(), resolver.addresses());
            asked.spawn(async move {
                let begun = Instant::now();
                let said = async {
                    let addresses = addresses.await?;
                    match witness.port {
                        Some(_) => connected(&addresses).await,
                        None => echoed(&addresses).await,
                    }
                };
                let said = timeout_at(begun + timeout, said)
                    .await
                    .unwrap_or_else(|_| Err("no answer in time".to_owned()));
                Testimony {
                    number,
                    witness,
                    said,
                    took: begun.elapsed(),
                }
            });
        }
        self.answers.clear();
        self.round = Some((round, asked));
    }

    /// The round in flight, if there is one.
    #[must_use]
    pub fn round(&self) -> Option<R> {
        self.round.as_ref().map(|(round, _)| *round)
    }

    /// Waits until enough have answered, or all have had their time. Never returns without a round.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Answers<R> {
        let Some((round, asked)) = &mut self.round else {
            return std::future::pending().await;
        };
        let round = *round;
        while count(&self.answers) < self.quorum
            && let Some(ended) = asked.join_next().await
        {
            match ended {
                Ok(answer) => self.answers.push(answer),
                Err(error) => tracing::error!(%error, "the answer of a witness was lost"),
            }
        }
        self.round = None;
        for answer in &self.answers {
            if let Some((_, resolver)) = self.witnesses.get_mut(answer.number) {
                resolver.collect();
                if answer.said.is_err() {
                    resolver.refresh();
                }
            }
        }
        Answers {
            round,
            answers: std::mem::take(&mut self.answers),
        }
    }
}

impl<R> Answers<R> {
    /// How many answered.
    #[must_use]
    pub fn answered(&self) -> u32 {
        count(&self.answers)
    }
}

fn count(answers: &[Testimony]) -> u32 {
    let answered = answers.iter().filter(|answer| answer.said.is_ok());
    answered.count().try_into().unwrap_or(u32::MAX)
}

impl<R> fmt::Display for Answers<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, answer) in self.answers.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(formatter, "{separator}{answer}")?;
        }
        Ok(())
    }
}

impl Testimony {
    /// Did it answer?
    #[must_use]
    pub const fn is_one(&self) -> bool {
        self.said.is_ok()
    }
}

impl fmt::Display for Testimony {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            witness,
            said,
            took,
            ..
        } = self;
        match said {
            Ok(how) => write!(formatter, "{witness}: {how} after {took:.1?}"),
            Err(why) => write!(formatter, "{witness}: no answer ({why}) after {took:.1?}"),
        }
    }
}

/// A connection, or a refusal, which somebody has to send just as well.
async fn connected(addresses: &[SocketAddr]) -> Result<&'static str, String> {
    match connect::any(addresses).await {
        Connect::Connected(_) => Ok("connected"),
        Connect::Failed(Failure::Refused) => Ok("refused"),
        Connect::Failed(Failure::TimedOut) => Err("no answer in time".to_owned()),
        Connect::Failed(Failure::Unreachable { errno }) => {
            Err(format!("unreachable: {}", errno::describe(errno)))
        }
        Connect::Failed(failure) => Err(failure.to_string()),
        Connect::Unknown(reason) => Err(reason),
    }
}

/// An echo from whichever address sends one first.
async fn echoed(addresses: &[SocketAddr]) -> Result<&'static str, String> {
    let mut asked = JoinSet::new();
    for address in addresses {
        asked.spawn(echo(address.ip()));
    }
    let mut why = "it has no address".to_owned();
    while let Some(ended) = asked.join_next().await {
        why = match ended {
            Ok(Ok(())) => return Ok("echo"),
            Ok(Err(error)) => error
                .raw_os_error()
                .map_or_else(|| error.to_string(), errno::describe),
            Err(error) => error.to_string(),
        };
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};

    use super::*;
    use crate::config::Host;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(100);

    /// Tests have no network but the loopback, which nobody else may name as a witness.
    fn at(address: SocketAddr) -> Witness {
        Witness {
            host: Host::Address(address.ip()),
            port: NonZeroU16::new(address.port()),
        }
    }

    /// All have to answer.
    async fn ask(witnesses: Vec<Witness>, timeout: Duration) -> Answers<u8> {
        let quorum = u32::try_from(witnesses.len()).unwrap();
        let mut witnesses = Witnesses::new(witnesses, quorum, timeout);
        witnesses.ask(7);
        tokio::time::timeout(LONG * 2, witnesses.next())
            .await
            .unwrap()
    }

    /// Room for one connection, which is taken. The system answers no other.
    fn deaf() -> (rustix::fd::OwnedFd, SocketAddr, TcpStream) {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&socket, 0).unwrap();
        let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        (socket, address, TcpStream::connect(address).unwrap())
    }

    #[tokio::test]
    async fn a_connection_and_a_refusal_are_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = TcpListener::bind("[::1]:0").unwrap();
        let (there, nobody) = (listener.local_addr().unwrap(), gone.local_addr().unwrap());
        drop(gone);
        let answers = ask(vec![at(there), at(nobody)], LONG).await;
        assert_eq!((answers.round, answers.answered()), (7, 2));
        let told = answers.to_string();
        assert!(
            told.contains(&format!("{there}: connected after")),
            "{told}"
        );
        assert!(told.contains(&format!("{nobody}: refused after")), "{told}");
    }

    #[tokio::test]
    async fn silence_is_none_and_takes_no_longer_than_the_timeout() {
        let (_socket, address, _taken) = deaf();
        let begun = Instant::now();
        let answers = ask(vec![at(address); 3], SHORT).await;
        assert_eq!(answers.answered(), 0);
        // One after the other they would take longer.
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < LONG);
        let told = answers.to_string();
        assert_eq!(told.matches("no answer in time").count(), 3, "{told}");
    }

    #[tokio::test]
    async fn who_cannot_be_asked_is_told_with_the_errno() {
        // A TCP connect to a broadcast address is refused before anything is sent.
        let answers = ask(vec![at(([255, 255, 255, 255], 9).into())], LONG).await;
        assert_eq!(answers.answered(), 0);
        assert!(answers.to_string().contains("ENETUNREACH"), "{answers}");
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_no_answer() {
        let answers = ask(vec!["no-such-host.invalid".parse().unwrap()], LONG).await;
        assert_eq!(answers.answered(), 0);
        assert!(
            answers.to_string().contains("give --witnesses an address")
                || answers.to_string().contains("no answer in time"),
            "{answers}"
        );
    }

    #[tokio::test]
    async fn a_newer_round_ends_the_older() {
        let (_socket, address, _taken) = deaf();
        let mut witnesses = Witnesses::new(vec![at(address)], 1, LONG);
        witnesses.ask(1);
        assert!(tokio::time::timeout(SHORT, witnesses.next()).await.is_err());
        witnesses.timeout = SHORT;
        witnesses.ask(2);
        let begun = Instant::now();
        let answers = witnesses.next().await;
        assert_eq!((answers.round, answers.answers.len()), (2, 1));
        assert!(begun.elapsed() < LONG);
        // And nothing comes of the older, nor without a round.
        assert!(tokio::time::timeout(SHORT, witnesses.next()).await.is_err());
    }

    #[tokio::test]
    async fn nobody_is_waited_for_once_enough_have_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_socket, address, _taken) = deaf();
        let there = listener.local_addr().unwrap();
        let mut witnesses = Witnesses::new(vec![at(address), at(there), at(there)], 2, LONG);
        witnesses.ask(());
        let begun = Instant::now();
        let answers = witnesses.next().await;
        assert_eq!((answers.answered(), answers.answers.len()), (2, 2));
        assert!(begun.elapsed() < LONG);
    }

    #[tokio::test]
    async fn waiting_may_be_interrupted_and_loses_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_socket, address, _taken) = deaf();
        let there = listener.local_addr().unwrap();
        let mut witnesses = Witnesses::new(vec![at(there), at(address)], 2, SHORT * 3);
        witnesses.ask(());
        assert!(tokio::time::timeout(SHORT, witnesses.next()).await.is_err());
        let answers = witnesses.next().await;
        assert_eq!((answers.answered(), answers.answers.len()), (1, 2));
    }

    #[tokio::test]
    async fn the_loopback_echoes() {
        let loopbacks = vec![
            at(([127, 0, 0, 1], 0).into()),
            at("[::1]:0".parse().unwrap()),
        ];
        let answers = ask(loopbacks, LONG).await;
        match answers.answered() {
            2 => assert!(answers.to_string().contains("127.0.0.1: echo after")),
            _ => assert!(answers.to_string().contains("CAP_NET_RAW"), "{answers}"),
        }
    }
}
