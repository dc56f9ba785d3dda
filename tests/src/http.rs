//! HTTP requests from a host of the lab.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1, header::HeaderMap};
use hyper_util::rt::TokioIo;
use tokio::{runtime::Builder, time::timeout};

use crate::lab::Host;

/// A browser that starts on a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

/// Sends one request on its own connection. The default `Host` header is the address.
///
/// # Errors
/// When there is no answer, or it isn't HTTP.
pub fn ask(
    host: &Host,
    address: SocketAddr,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let stream = host.connect(address)?;
    stream.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let exchange = async {
        let stream = TokioIo::new(tokio::net::TcpStream::from_std(stream)?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    let exchange = async { timeout(PATIENCE, exchange).await.context("no answer")? };
    runtime.block_on(exchange)
}

/// A plain GET request.
///
/// # Errors
/// When there is no answer, or it isn't HTTP.
pub fn get(host: &Host, address: SocketAddr, path: &str) -> Result<Answer> {
    ask(host, address, &Method::GET, path, &[], String::new())
}
