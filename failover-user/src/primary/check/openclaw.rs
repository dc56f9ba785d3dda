//! The `openclaw` check. The body of `/healthz` shows whether the gateway is live: unknown paths answer 200 with a
//! page, so the status proves nothing. Releases before March 2026 have no `/healthz`; there the first message
//! of the WebSocket counts. `/startupz` and `/readyz` are only recorded: a gateway that can't reach Telegram isn't
//! ready, but it isn't dead.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use failover_decide::Time;
use failover_linux::clock;

use crate::{
    config::OpenClawCheck,
    primary::{
        check::{
            challenge::{Greeting, await_challenge},
            fault::Fault,
            http::{Answer, Body, Conversation},
            readiness::{Readiness, Startup},
            target::Target,
            wrong_answer::WrongAnswer,
        },
        connect,
        connect::Connect,
    },
};

/// Timeout for what is only recorded. It takes 5 ms (OpenClaw 2026.9.6).
const RECORDING: Duration = Duration::from_millis(500);
/// Number of checks after which `/healthz` is tried again: the gateway may have been updated.
const ASK_AGAIN: u32 = 20;

#[derive(Clone)]
pub(super) struct OpenClaw {
    target: Target,
    check: OpenClawCheck,
}

/// State between checks; reset when the gateway fails.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// Number of further checks that go straight to the WebSocket.
    without_healthz: u32,
    draining_since: Option<Time>,
}

impl OpenClaw {
    pub(super) fn new(target: Target, check: OpenClawCheck) -> Self {
        Self { target, check }
    }

    /// Returns once it is known to be live; with the conversation, if it can be continued.
    pub(super) async fn is_live(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        mut memory: Memory,
    ) -> Result<(Option<Conversation>, Memory), Fault> {
        let stream = if memory.without_healthz > 0 {
            memory.without_healthz -= 1;
            stream
        } else {
            let mut conversation = self.target.converse(stream, peer).await?;
            let mut answer = conversation.get("/healthz", None).await?;
            let body = answer.body(&mut conversation).await?;
            if is_missing(&answer, &body) {
                memory.without_healthz = ASK_AGAIN;
                self.another_connection(peer).await?
            } else {
                judge(&answer, &body)?;
                return Ok((Some(conversation), memory));
            }
        };
        let channel = self.target.spoken(stream).await?;
        match await_challenge(channel, &self.target.authority(peer)).await? {
            Greeting::Challenge => memory.draining_since = None,
            Greeting::Draining => {
                memory.draining_since.get_or_insert_with(clock::now);
            }
        }
        Ok((None, memory))
    }

    /// A connection for a WebSocket: that of an HTTP answer may be half read.
    async fn another_connection(&self, peer: SocketAddr) -> Result<TcpStream, Fault> {
        match connect::one(peer).await {
            Connect::Connected(stream) => Ok(stream),
            Connect::Failed(failure) => Err(failure.into()),
            Connect::NoPath(reason) => Err(Fault::NoPath(reason)),
            Connect::Unknown(reason) => Err(Fault::Own(reason)),
        }
    }

    /// Records the readiness of a live gateway. It fails only if it has been draining for too long.
    pub(super) async fn record(
        &self,
        conversation: Option<Conversation>,
        deadline: Instant,
        memory: &mut Memory,
    ) -> (Option<Readiness>, Result<(), Fault>) {
        let Some(mut conversation) = conversation else {
            let drains = memory.draining_since.map(|since| Readiness {
                startup: Some(Startup::Draining),
                draining_since: Some(since),
                ..Readiness::default()
            });
            return (drains, self.within_limit(memory, clock::now()));
        };
        let mut readiness = Readiness::default();
        let asking = async {
            let body = self.details("/startupz", &mut conversation).await?;
            readiness.absorb_startup(&body);
            let body = self.details("/readyz", &mut conversation).await?;
            readiness.absorb_ready(&body);
            Ok::<(), Fault>(())
        };
        let until = deadline.min(Instant::now() + RECORDING);
        match timeout_at(until, asking).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                tracing::debug!(?fault, "a live gateway doesn't say whether it is ready");
            }
            Err(_) => tracing::debug!("a live gateway doesn't say in time whether it is ready"),
        }
        let now = clock::now();
        match readiness.startup {
            Some(Startup::Draining) => {
                memory.draining_since.get_or_insert(now);
            }
            Some(Startup::Starting | Startup::Started) => memory.draining_since = None,
            None => {}
        }
        readiness.draining_since = memory.draining_since;
        (Some(readiness), self.within_limit(memory, now))
    }

    /// Is its draining within the limit?
    fn within_limit(&self, memory: &Memory, now: Time) -> Result<(), Fault> {
        match (memory.draining_since, self.check.drain_limit) {
            (Some(since), Some(limit)) if now.since(since) >= limit => {
                Err(WrongAnswer::Draining.into())
            }
            _ => Ok(()),
        }
    }

    async fn details(&self, path: &str, conversation: &mut Conversation) -> Result<Value, Fault> {
        let token = self.check.token.as_ref().map(crate::config::Token::header);
        let mut answer = conversation.get(path, token).await?;
        answer.body(conversation).await?.json()
    }
}

/// Is there no `/healthz`? Then the answer is a page or a 404, and not the gateway's JSON.
fn is_missing(answer: &Answer, body: &Body) -> bool {
    if body.json().is_ok_and(|body| body.get("ok").is_some()) {
        return false;
    }
    answer.status() == 404 || answer.is_html() || body.looks_like_html()
}

fn judge(answer: &Answer, body: &Body) -> Result<(), Fault> {
    let said = body.json();
    match said.as_ref().map(|said| said.get("ok")) {
        Ok(Some(Value::Bool(true))) => Ok(()),
        // For example a proxy in front of a dead gateway: its status is more useful than its body.
        Ok(None) | Err(_) if answer.status() != 200 => {
            Err(WrongAnswer::Status(answer.status()).into())
        }
        Ok(_) => Err(WrongAnswer::NotOk.into()),
        Err(fault) => Err(fault.clone()),
    }
}
