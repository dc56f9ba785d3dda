//! Checks whether a gateway is healthy: one configured check, from the connect to the verdict. The same for the
//! primary and for the local gateway.
//!
//! Answers are untrusted: each header, body and message has a limit, and one deadline covers the whole check.

pub(crate) mod certificate;
pub(crate) mod challenge;
mod fault;
pub(crate) mod http;
pub(crate) mod openclaw;
pub(crate) mod readiness;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod wrong_answer;

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use failover_decide::{Failure, NoAnswer, Outcome};

use crate::primary::check::readiness::Readiness;
use crate::{
    config::{Check, HttpCheck, LocalCheck, Server, Transport},
    primary::{
        check::{
            fault::Fault, openclaw::OpenClaw, target::Target, tls::Tls, wrong_answer::WrongAnswer,
        },
        connect,
        connect::Connect,
        origin::note_own_check,
        race::{Raced, race},
    },
};

/// Checks one gateway repeatedly. Whatever takes memory or time to create is created once.
#[derive(Clone)]
pub(crate) struct Checker {
    kind: Kind,
    /// The same over TLS, in case the gateway doesn't accept plain text.
    over_tls: Option<Box<Kind>>,
    /// Any answer is good.
    any_answer: bool,
    /// Its connections are no evidence of the primary.
    is_local: bool,
}

#[derive(Clone)]
enum Kind {
    Tcp,
    OpenClaw(OpenClaw),
    Http(Target, HttpCheck),
}

/// State that a check keeps for the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    openclaw: openclaw::Memory,
    /// The gateway accepted TLS, and no plain text.
    speaks_tls: bool,
}

/// The result of a check.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// The address that it is for.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) readiness: Option<Readiness>,
    pub(crate) connection: Option<Connection>,
    /// The untrusted certificate, if that is the fault.
    pub(crate) certificate: Option<String>,
    pub(crate) memory: Memory,
}

/// The connection that a good check leaves.
#[derive(Debug)]
pub(crate) enum Connection {
    /// An open connection without any data on it.
    Silent(TcpStream),
    /// The address of a connection that was used and is finished.
    To(SocketAddr),
}

impl Checker {
    pub(crate) fn of_the_primary(check: &Check) -> Self {
        Self {
            kind: Kind::new(check, |server| Target {
                host: Some(server.host.clone()),
                tls: server.tls.as_ref().map(Tls::new),
            }),
            over_tls: None,
            any_answer: false,
            is_local: false,
        }
    }

    /// For the local gateway, which is recognised by its process: so its certificate is verified only where
    /// that is configured. OpenClaw reports more to a caller on its own machine, which it recognises by
    /// address and Host header.
    pub(crate) fn of_the_local_gateway(local: &LocalCheck) -> Self {
        let kind = |over_tls: bool| {
            Kind::new(&local.check, |server| Target {
                host: local.named.then(|| server.host.clone()),
                tls: server
                    .tls
                    .as_ref()
                    .filter(|_| over_tls)
                    .map(|tls| match tls.authority {
                        Some(_) => Tls::new(tls),
                        None => Tls::with_anybody(tls),
                    }),
            })
        };
        Self {
            kind: kind(local.transport == Transport::Tls),
            over_tls: (local.transport == Transport::Either).then(|| Box::new(kind(true))),
            any_answer: local.any_answer,
            is_local: true,
        }
    }

    /// Checks the addresses within the deadline until one gives a good answer, in the order and with the delays
    /// of RFC 8305, each completely: so a process that hangs at one address doesn't hide one that serves at
    /// another. Without a good answer, the most informative result counts.
    pub(crate) async fn ask(
        &self,
        addresses: &[SocketAddr],
        deadline: Instant,
        memory: Memory,
    ) -> Verdict {
        let mut verdict = match &self.over_tls {
            None => {
                self.kind
                    .ask(addresses, deadline, memory, self.is_local)
                    .await
            }
            Some(over_tls) => {
                self.ask_either_way(over_tls, addresses, deadline, memory)
                    .await
            }
        };
        if let Outcome::Failed {
            failure: Failure::WrongAnswer(_),
            took,
        } = verdict.outcome
            && self.any_answer
        {
            verdict.outcome = Outcome::Connected { took };
        }
        verdict
    }

    /// Checks in plain text or over TLS, whichever the gateway accepts; first the one that worked last time.
    async fn ask_either_way(
        &self,
        over_tls: &Kind,
        addresses: &[SocketAddr],
        deadline: Instant,
        memory: Memory,
    ) -> Verdict {
        let ask = async |speaks_tls: bool| {
            let kind = if speaks_tls { over_tls } else { &self.kind };
            let mut verdict = kind.ask(addresses, deadline, memory, self.is_local).await;
            verdict.memory.speaks_tls = speaks_tls && verdict.is_good();
            verdict
        };
        let first = ask(memory.speaks_tls).await;
        let enough = self.any_answer && first.is_answer();
        if enough || !first.is_misunderstood() {
            return first;
        }
        let other = ask(!memory.speaks_tls).await;
        match other.is_answer() && !other.is_misunderstood() {
            true => other,
            false => first,
        }
    }
}

impl Kind {
    fn new(check: &Check, target: impl Fn(&Server) -> Target) -> Self {
        match check {
            Check::Tcp => Self::Tcp,
            Check::OpenClaw(check) => {
                Self::OpenClaw(OpenClaw::new(target(&check.server), check.clone()))
            }
            Check::Http(check) => Self::Http(target(&check.server), check.clone()),
        }
    }

    async fn ask(
        &self,
        addresses: &[SocketAddr],
        deadline: Instant,
        memory: Memory,
        is_local: bool,
    ) -> Verdict {
        let begun = Instant::now();
        let attempt = |address| {
            let kind = self.clone();
            async move {
                let verdict = kind.ask_at(address, begun, deadline, memory, is_local);
                Verdict {
                    peer: Some(address),
                    ..verdict.await
                }
            }
        };
        let within = deadline.saturating_duration_since(begun);
        match race(addresses, within, attempt, Verdict::is_good).await {
            Raced::Won(verdict) => verdict,
            Raced::Lost(verdicts) => verdicts
                .into_iter()
                .min_by_key(Verdict::rank)
                .unwrap_or_else(|| {
                    let nowhere = "the primary has no address to connect to".to_owned();
                    Verdict::fault(Fault::Own(nowhere), begun, memory)
                }),
        }
    }

    /// Checks one address. Reading the readiness may take a little longer than the verdict, but not longer
    /// than the deadline.
    async fn ask_at(
        &self,
        peer: SocketAddr,
        begun: Instant,
        deadline: Instant,
        mut memory: Memory,
        is_local: bool,
    ) -> Verdict {
        let connect = match timeout_at(deadline, connect::one(peer)).await {
            Ok(connect) => connect,
            Err(_) => Connect::Failed(Failure::TimedOut),
        };
        let stream = match connect {
            Connect::Connected(stream) => stream,
            Connect::Failed(failure) => return Verdict::fault(failure.into(), begun, memory),
            Connect::NoPath(reason) => {
                return Verdict::fault(Fault::NoPath(reason), begun, memory);
            }
            Connect::Unknown(reason) => return Verdict::fault(Fault::Own(reason), begun, memory),
        };
        if is_local {
            note_own_check(&stream);
        }
        let mut readiness = None;
        let (answer, took) = match self {
            Self::Tcp => {
                let took = begun.elapsed();
                return Verdict::good(took, Connection::Silent(stream), memory);
            }
            Self::Http(target, check) => {
                let answer = timeout_at(deadline, target.answer(stream, peer, check)).await;
                (answer.unwrap_or_else(|_| late()), begun.elapsed())
            }
            Self::OpenClaw(openclaw) => {
                let live = openclaw.is_live(stream, peer, memory.openclaw);
                let live = timeout_at(deadline, live).await;
                let took = begun.elapsed();
                let answer = match live.unwrap_or_else(|_| late()) {
                    Ok((conversation, next)) => {
                        memory.openclaw = next;
                        let (reported, answer) = openclaw
                            .record(conversation, deadline, &mut memory.openclaw)
                            .await;
                        readiness = reported;
                        answer
                    }
                    Err(fault) => return Verdict::fault(fault, begun, memory),
                };
                (answer, took)
            }
        };
        match answer {
            Ok(()) => Verdict {
                readiness,
                ..Verdict::good(took, Connection::To(peer), memory)
            },
            // It answers, so its state is kept.
            Err(fault) => Verdict {
                certificate: fault.certificate(),
                outcome: fault.outcome(took),
                peer: None,
                readiness,
                connection: None,
                memory,
            },
        }
    }
}

fn late<T>() -> Result<T, Fault> {
    Err(NoAnswer::TimedOut.into())
}

impl Verdict {
    fn good(took: Duration, connection: Connection, memory: Memory) -> Self {
        Self {
            outcome: Outcome::Connected { took },
            peer: None,
            readiness: None,
            connection: Some(connection),
            certificate: None,
            memory,
        }
    }

    fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Connected { .. })
    }

    /// Did any data come back?
    fn is_answer(&self) -> bool {
        let is_wrong = matches!(
            self.outcome,
            Outcome::Failed {
                failure: Failure::WrongAnswer(_),
                ..
            }
        );
        is_wrong || self.is_good()
    }

    /// Does it look as if only one side used TLS?
    fn is_misunderstood(&self) -> bool {
        let Outcome::Failed { failure, .. } = &self.outcome else {
            return false;
        };
        match failure {
            Failure::NoAnswer(NoAnswer::Closed | NoAnswer::Reset) => true,
            Failure::WrongAnswer(fault) => matches!(
                WrongAnswer::of(*fault),
                Some(WrongAnswer::NotHttp | WrongAnswer::NotTls | WrongAnswer::Handshake)
            ),
            Failure::NoAnswer(NoAnswer::TimedOut)
            | Failure::Refused
            | Failure::TimedOut
            | Failure::Unreachable { .. }
            | Failure::Gone(_) => false,
        }
    }

    /// A gateway that fails loses its state.
    fn fault(fault: Fault, begun: Instant, memory: Memory) -> Self {
        let memory = match &fault {
            Fault::Gateway(_) | Fault::Certificate(..) => Memory::default(),
            Fault::NoPath(_) | Fault::Own(_) => memory,
        };
        Self {
            certificate: fault.certificate(),
            outcome: fault.outcome(begun.elapsed()),
            peer: None,
            readiness: None,
            connection: None,
            memory,
        }
    }

    /// Of several bad results the lowest counts, and of equals the first.
    fn rank(&self) -> u8 {
        match &self.outcome {
            Outcome::Connected { .. } => 0,
            Outcome::Failed { failure, .. } if failure.is_above_tcp() => 1,
            Outcome::Failed { .. } => 2,
            Outcome::Unknown { gone: None, .. } => 3,
            Outcome::Unknown { gone: Some(_), .. } => 4,
        }
    }
}

/// The local gateway's check of this kind, with defaults.
#[cfg(test)]
pub(crate) fn local_for_tests(check: Check) -> LocalCheck {
    LocalCheck {
        check,
        any_answer: false,
        named: false,
        transport: Transport::Plain,
    }
}

/// OpenClaw's check with defaults.
#[cfg(test)]
pub(crate) fn openclaw_for_tests() -> Check {
    Check::OpenClaw(crate::config::OpenClawCheck {
        server: Server {
            host: "gateway.test".to_owned(),
            tls: None,
        },
        token: None,
        drain_limit: None,
    })
}
