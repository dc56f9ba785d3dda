//! Asking witnesses whether PC-B still has a network: all at once, each within a timeout.
//!
//! Whatever a witness says will do: an ICMP echo, a connection, or a refusal. Once enough have said
//! something, the others aren't waited for.

pub(crate) mod default_route;
pub(crate) mod quorum;
pub(crate) mod router;
pub(crate) mod vote;

use std::{fmt, io, net::SocketAddr, num::NonZeroU16, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use failover_decide::Failure;
use failover_linux::icmp::echo;

use crate::{
    config::Witness,
    primary::{connect, connect::Connect, resolve::Resolver},
    witness::{
        default_route::Routers,
        vote::{Answer, Silence, Vote},
    },
    wording,
};

/// Asks the witnesses. `R` tells one round of asking from another.
pub struct Witnesses<R> {
    witnesses: Vec<Named>,
    router: bool,
    timeout: Duration,
    round: Option<Round<R>>,
    answers: Vec<Testimony>,
}

/// A host that somebody named.
struct Named {
    witness: Witness,
    resolver: Resolver,
    connects: bool,
}

/// Being asked.
struct Round<R> {
    id: R,
    asked: JoinSet<Testimony>,
    /// Number of answers to wait for.
    enough: u32,
}

/// What a round of asking says.
#[derive(Clone, Debug)]
pub struct Answers<R> {
    /// As given to [`Witnesses::ask`].
    pub round: R,
    /// Of each witness that was waited for, in the order in which they came.
    answers: Vec<Testimony>,
}

/// What one witness says, and which it is.
#[derive(Clone, Debug)]
struct Testimony {
    /// Which of those that have a name, counted from 0; `None`: the default router.
    number: Option<usize>,
    vote: Vote,
    /// Which of the default routers answered.
    routers: Routers,
}

impl<R: Copy> Witnesses<R> {
    /// These, each with so long to answer.
    #[must_use]
    pub fn new(witnesses: Vec<Witness>, timeout: Duration) -> Self {
        let router = witnesses.contains(&Witness::Router);
        let named = |witness: Witness| match &witness {
            Witness::Router => None,
            Witness::Host { host, port } => {
                let number = port.map_or(0, NonZeroU16::get);
                Some(Named {
                    resolver: Resolver::new(host.clone(), number, "--witnesses"),
                    connects: port.is_some(),
                    witness,
                })
            }
        };
        Self {
            witnesses: witnesses.into_iter().filter_map(named).collect(),
            router,
            timeout,
            round: None,
            answers: Vec::new(),
        }
    }

    /// Is the default router one of them?
    #[must_use]
    pub fn have_router(&self) -> bool {
        self.router
    }

    /// All of them, as people know them.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let named = self.witnesses.iter().map(|named| named.witness.to_string());
        let router = self.router.then(|| Witness::Router.to_string());
        named.chain(router)
    }

    /// How many of them somebody named.
    #[must_use]
    pub fn named(&self) -> u32 {
        self.witnesses.len().try_into().unwrap_or(u32::MAX)
    }

    /// Starts a round, which ends once this number has answered; with `u32::MAX` it waits for all, and for each
    /// of several routers. A round in flight is cancelled. The default routers are pinged where they
    /// are given; where only the reason is why there are none, that is silence.
    pub fn ask(&mut self, round: R, enough: u32, routers: Option<Result<Routers, Silence>>) {
        let timeout = self.timeout;
        let mut asked = JoinSet::new();
        for (number, named) in self.witnesses.iter_mut().enumerate() {
            let (addresses, connects) = (named.resolver.addresses(), named.connects);
            let said = async move {
                let addresses = addresses.await.map_err(Silence::NotAsked)?;
                match connects {
                    true => connected(&addresses, timeout).await,
                    false => echoed(&addresses).await,
                }
            };
            let witness = named.witness.to_string();
            asked.spawn(testimony(Some(number), witness, timeout, said));
        }
        if let Some(routers) = routers.filter(|_| self.router) {
            let witness = match &routers {
                Ok(routers) => format!("{} {routers}", Witness::Router),
                Err(_) => Witness::Router.to_string(),
            };
            let each = enough == u32::MAX;
            asked.spawn(async move {
                let begun = Instant::now();
                let answered = match routers {
                    Ok(Routers(addresses)) => echoes(&addresses, each, begun + timeout).await,
                    Err(why) => Err(why),
                };
                Testimony {
                    number: None,
                    vote: Vote {
                        witness,
                        said: answered
                            .as_ref()
                            .map(|_| Answer::Echo)
                            .map_err(Clone::clone),
                        took: begun.elapsed(),
                    },
                    routers: Routers(answered.unwrap_or_default()),
                }
            });
        }
        self.answers.clear();
        self.round = Some(Round {
            id: round,
            asked,
            enough,
        });
    }

    /// The round in flight, if there is one.
    #[must_use]
    pub fn round(&self) -> Option<R> {
        self.round.as_ref().map(|round| round.id)
    }

    /// Waits until enough have answered, or all have had their time. Never returns without a round.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Answers<R> {
        let Some(Round { id, asked, enough }) = &mut self.round else {
            return std::future::pending().await;
        };
        let round = *id;
        while count(&self.answers) < *enough
            && let Some(ended) = asked.join_next().await
        {
            match ended {
                Ok(answer) => self.answers.push(answer),
                Err(error) => tracing::error!(%error, "the answer of a witness was lost"),
            }
        }
        self.round = None;
        for answer in &self.answers {
            let number = answer.number.unwrap_or(usize::MAX);
            if let Some(Named { resolver, .. }) = self.witnesses.get_mut(number) {
                resolver.collect();
                if answer.vote.said.is_err() {
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

    /// What each has said that was waited for.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.answers.iter().map(|answer| &answer.vote)
    }

    /// What the default router says, where it was asked and waited for: which of several answered, or
    /// why none.
    #[must_use]
    pub fn of_router(&self) -> Option<Result<&Routers, &Silence>> {
        let of_router = self.answers.iter().find(|answer| answer.number.is_none())?;
        let said = of_router.vote.said.as_ref();
        Some(said.map(|_| &of_router.routers))
    }
}

/// Asks one of them.
async fn testimony(
    number: Option<usize>,
    witness: String,
    timeout: Duration,
    said: impl Future<Output = Result<Answer, Silence>>,
) -> Testimony {
    let begun = Instant::now();
    let said = timeout_at(begun + timeout, said)
        .await
        .unwrap_or(Err(Silence::TimedOut));
    Testimony {
        number,
        vote: Vote {
            witness,
            said,
            took: begun.elapsed(),
        },
        routers: Routers::default(),
    }
}

fn count(answers: &[Testimony]) -> u32 {
    let answered = answers.iter().filter(|answer| answer.vote.said.is_ok());
    answered.count().try_into().unwrap_or(u32::MAX)
}

impl<R> fmt::Display for Answers<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&wording::witness::votes(self.votes()))
    }
}

/// A connection, or a refusal, which somebody has to send just as well.
async fn connected(addresses: &[SocketAddr], within: Duration) -> Result<Answer, Silence> {
    match connect::any(addresses, within).await {
        Connect::Connected(_) => Ok(Answer::Connected),
        Connect::Failed(Failure::Refused) => Ok(Answer::Refused),
        Connect::Failed(Failure::TimedOut) => Err(Silence::TimedOut),
        Connect::Failed(Failure::Unreachable { errno }) => Err(Silence::Unreachable(errno)),
        Connect::Failed(failure) => Err(Silence::Failed(failure)),
        Connect::NoPath(reason) | Connect::Unknown(reason) => Err(Silence::NotAsked(reason)),
    }
}

/// An echo from whichever address sends one first. The caller gives up on it sometime.
async fn echoed(addresses: &[SocketAddr]) -> Result<Answer, Silence> {
    let mut asked = asked(addresses);
    let mut why = Silence::NoAddress;
    while let Some((_, said)) = asked.join_next().await.and_then(Result::ok) {
        match said {
            Ok(()) => return Ok(Answer::Echo),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

/// Who of these sends an echo until then: the first one, or each.
async fn echoes(
    addresses: &[SocketAddr],
    each: bool,
    until: Instant,
) -> Result<Vec<SocketAddr>, Silence> {
    let mut asked = asked(addresses);
    let mut answered = Vec::new();
    let mut why = Silence::TimedOut;
    while (each || answered.is_empty())
        && let Ok(Some(Ok((address, said)))) = timeout_at(until, asked.join_next()).await
    {
        match said {
            Ok(()) => answered.push(address),
            Err(reason) => why = reason,
        }
    }
    match answered.is_empty() {
        true => Err(why),
        false => Ok(answered),
    }
}

/// Asks each for an echo.
fn asked(addresses: &[SocketAddr]) -> JoinSet<(SocketAddr, Result<(), Silence>)> {
    let mut asked = JoinSet::new();
    for address in addresses.iter().copied() {
        asked.spawn(async move {
            let why = |error: io::Error| match error.raw_os_error() {
                Some(errno) => Silence::NotSent(errno),
                None => Silence::NotAsked(error.to_string()),
            };
            (address, echo(address).await.map_err(why))
        });
    }
    asked
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
        Witness::Host {
            host: Host::Address(address.ip()),
            port: NonZeroU16::new(address.port()),
        }
    }

    /// All have to answer.
    async fn ask(witnesses: Vec<Witness>, timeout: Duration) -> Answers<u8> {
        let quorum = u32::try_from(witnesses.len()).unwrap();
        let mut witnesses = Witnesses::new(witnesses, timeout);
        witnesses.ask(7, quorum, None);
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
        let mut witnesses = Witnesses::new(vec![at(address)], LONG);
        witnesses.ask(1, 1, None);
        assert!(tokio::time::timeout(SHORT, witnesses.next()).await.is_err());
        witnesses.timeout = SHORT;
        witnesses.ask(2, 1, None);
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
        let mut witnesses = Witnesses::new(vec![at(address), at(there), at(there)], LONG);
        witnesses.ask((), 2, None);
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
        let mut witnesses = Witnesses::new(vec![at(there), at(address)], SHORT * 3);
        witnesses.ask((), 2, None);
        assert!(tokio::time::timeout(SHORT, witnesses.next()).await.is_err());
        let answers = witnesses.next().await;
        assert_eq!((answers.answered(), answers.answers.len()), (1, 2));
    }

    /// Asks the default router, if it is a witness, and the others.
    async fn ask_router(witnesses: Vec<Witness>, routers: Option<Routers>) -> Answers<()> {
        let mut witnesses = Witnesses::new(witnesses, LONG);
        witnesses.ask((), u32::MAX, routers.map(Ok));
        tokio::time::timeout(LONG * 2, witnesses.next())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_router_is_asked_where_it_is_a_witness_and_does_not_abstain() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = || at(listener.local_addr().unwrap());
        let here = Routers(vec![([127, 0, 0, 1], 0).into()]);
        let answers = ask_router(vec![Witness::Router, other()], Some(here.clone())).await;
        assert_eq!(answers.answers.len(), 2);
        let told = answers.to_string();
        assert!(told.contains("router 127.0.0.1: "), "{told}");
        match answers.of_router() {
            Some(Ok(routers)) => {
                assert_eq!((answers.answered(), routers), (2, &here));
            }
            said => assert!(told.contains("CAP_NET_RAW"), "{said:?}"),
        }
        let answers = ask_router(vec![Witness::Router, other()], None).await;
        assert_eq!((answers.answered(), answers.of_router()), (1, None));
        let answers = ask_router(vec![other()], Some(here)).await;
        assert_eq!((answers.answered(), answers.of_router()), (1, None));
    }

    #[tokio::test]
    async fn a_router_that_has_gone_does_not_answer() {
        let mut witnesses = Witnesses::new(vec![Witness::Router], LONG);
        witnesses.ask((), 1, Some(Err(Silence::NoRoute)));
        let answers = witnesses.next().await;
        assert_eq!(answers.of_router(), Some(Err(&Silence::NoRoute)));
        assert!(
            answers
                .to_string()
                .starts_with("router: no answer (there is no default route any more)"),
            "{answers}"
        );
    }

    /// Of several, in quiet times each is given its time; for a decision the first one will do.
    #[tokio::test]
    async fn a_mute_router_proves_nothing_by_the_answer_of_another() {
        // Nobody may ask there, so it says nothing.
        let mute: SocketAddr = ([255, 255, 255, 255], 0).into();
        let here: SocketAddr = ([127, 0, 0, 1], 0).into();
        for enough in [1, u32::MAX] {
            let mut witnesses = Witnesses::new(vec![Witness::Router], SHORT * 5);
            witnesses.ask((), enough, Some(Ok(Routers(vec![mute, here]))));
            let answers = witnesses.next().await;
            match answers.of_router() {
                Some(Ok(routers)) => assert_eq!(routers, &Routers(vec![here])),
                said => assert!(answers.to_string().contains("CAP_NET_RAW"), "{said:?}"),
            }
        }
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
