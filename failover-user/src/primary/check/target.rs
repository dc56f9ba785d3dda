//! The server of a check, and the request of `check = "http"`.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::{
    config::{Body, HttpCheck},
    primary::check::{
        fault::Fault,
        http::Conversation,
        tls::Tls,
        transport::{Channel, of_io},
        wrong_answer::WrongAnswer,
    },
};

/// The server, and how to connect to it.
#[derive(Clone)]
pub(super) struct Target {
    /// The Host header without port. `None`: the address of the connection.
    pub(super) host: Option<String>,
    pub(super) tls: Option<Tls>,
}

impl Target {
    /// Begins a conversation over this connection.
    pub(super) async fn converse(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Conversation, Fault> {
        Conversation::begin(self.spoken(stream).await?, self.authority(peer)).await
    }

    /// The connection, with TLS where that is used.
    pub(super) async fn spoken(&self, stream: TcpStream) -> Result<Channel, Fault> {
        match &self.tls {
            Some(tls) => {
                let opened = tls.open(stream).await;
                Ok(Box::new(opened.map_err(|error| of_io(&error))?))
            }
            None => Ok(Box::new(stream)),
        }
    }

    pub(super) fn authority(&self, peer: SocketAddr) -> String {
        match &self.host {
            Some(host) => format!("{host}:{}", peer.port()),
            None => peer.to_string(),
        }
    }

    /// Runs the `http` check.
    pub(super) async fn answer(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        check: &HttpCheck,
    ) -> Result<(), Fault> {
        let mut conversation = self.converse(stream, peer).await?;
        let mut answer = conversation.get(check.path.as_str(), None).await?;
        if answer.status() != check.status {
            return Err(WrongAnswer::Status(answer.status()).into());
        }
        match &check.body {
            Body::Any => Ok(()),
            Body::Contains(text) => {
                let body = answer.body(&mut conversation).await?;
                match (body.contains(text), body.is_whole) {
                    (true, _) => Ok(()),
                    (false, true) => Err(WrongAnswer::Differs.into()),
                    (false, false) => Err(WrongAnswer::TooLong.into()),
                }
            }
            Body::Json { pointer, value } => {
                let body = answer.body(&mut conversation).await?.json()?;
                let found = body.pointer(pointer).filter(|found| !found.is_null());
                let is_right = |found| value.as_ref().is_none_or(|value| value.matches(found));
                match found.is_some_and(is_right) {
                    true => Ok(()),
                    false => Err(WrongAnswer::Differs.into()),
                }
            }
        }
    }
}
