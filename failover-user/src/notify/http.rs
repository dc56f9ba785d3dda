//! One request to a web server, and the status of its answer: what a webhook and the dead man's switch are called with.
//! Redirects are not followed, because what is sent is for this server only; the answer's body is not read.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1::Builder,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::{
    config::Webhook,
    notify::{DeliveryError, connect::connect},
    primary::check::tls::Tls as TlsClient,
};

/// Timeout from name resolution to the response status.
const LIMIT: Duration = Duration::from_secs(20);
/// Limit for the response head.
const LONGEST_HEAD: usize = 16 * 1024;
const OURSELVES: &str = concat!("failover/", env!("CARGO_PKG_VERSION"));

/// Calls one server.
pub(crate) struct Client {
    server: Webhook,
    tls: Option<TlsClient>,
}

impl Client {
    pub(crate) fn new(server: Webhook) -> Self {
        let tls = server.tls.as_ref().map(TlsClient::new);
        Self { server, tls }
    }

    /// The server's name and port, as the URL has them.
    pub(crate) fn authority(&self) -> &str {
        &self.server.authority
    }

    /// Requests the URL. `document`: JSON to send.
    ///
    /// # Errors
    /// When there is no answer, with a remedy.
    pub(crate) async fn request(
        &self,
        method: Method,
        document: Option<Vec<u8>>,
    ) -> Result<StatusCode, DeliveryError> {
        let answered = timeout(LIMIT, self.exchange(method, document)).await;
        answered.unwrap_or_else(|_| {
            Err(DeliveryError {
                what: format!("no answer within {LIMIT:?}"),
                remedy: "is there a route from PC-B, and does the server work?",
            })
        })
    }

    async fn exchange(
        &self,
        method: Method,
        document: Option<Vec<u8>>,
    ) -> Result<StatusCode, DeliveryError> {
        let Webhook {
            authority,
            path,
            token,
            ..
        } = &self.server;
        let failed = |error: &dyn std::error::Error| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            DeliveryError {
                what: format!("{error}{}", cause.unwrap_or_default()),
                remedy: "is it a web server?",
            }
        };
        let stream = connect(&self.server, self.tls.as_ref()).await?;
        let mut builder = Builder::new();
        builder
            .max_buf_size(LONGEST_HEAD)
            .max_header_size(LONGEST_HEAD);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (mut sender, transport) = handshake.map_err(|error| failed(&error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path.as_str())
            .header(HOST, authority)
            .header(USER_AGENT, OURSELVES);
        if document.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let request = request
            .body(Full::new(Bytes::from(document.unwrap_or_default())))
            .map_err(|error| failed(&error))?;
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            // Wakes those who wait for the result.
            _ = transport => answer.await,
        };
        Ok(answer.map_err(|error| failed(&error))?.status())
    }
}
