//! HTTP/1.1 over one connection, kept open between requests. Redirects are not followed.

use std::{error::Error, future::Future, io, pin::Pin, task::Poll};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{Builder, Connection, SendRequest},
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
    http::HeaderValue,
};
use hyper_util::rt::TokioIo;

use failover_decide::NoAnswer;

use crate::primary::check::{
    fault::Fault,
    transport::{Channel, of_io},
    wrong_answer::WrongAnswer,
};

/// Limit for the head of an answer, far above normal ones; hyper's smallest buffer is half of it.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 100;
/// Limit for a body.
pub(super) const LONGEST_BODY: usize = 64 * 1024;
const OURSELVES: &str = concat!("failover/", env!("CARGO_PKG_VERSION"));

/// A connection for HTTP requests; see the module.
pub(super) struct Conversation {
    sender: SendRequest<Empty<Bytes>>,
    transport: Option<Connection<TokioIo<Channel>, Empty<Bytes>>>,
    authority: String,
}

/// Status and headers; the body is read on request.
pub(super) struct Answer(Response<Incoming>);

/// A body, or its beginning.
pub(super) struct Body {
    bytes: Vec<u8>,
    pub(super) is_whole: bool,
}

impl Conversation {
    pub(super) async fn begin(channel: Channel, authority: String) -> Result<Self, Fault> {
        let mut builder = Builder::new();
        builder
            .max_buf_size(LONGEST_HEAD)
            .max_header_size(LONGEST_HEAD)
            .max_headers(MOST_HEADERS);
        let handshake = builder.handshake(TokioIo::new(channel)).await;
        let (sender, transport) = handshake.map_err(|error| of_http(&error))?;
        Ok(Self {
            sender,
            transport: Some(transport),
            authority,
        })
    }

    /// The answer's head. `authorization` is the header of that name.
    pub(super) async fn get(
        &mut self,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let mut request = Request::get(path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, OURSELVES)
            .header(ACCEPT, "*/*");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| Fault::Own(format!("a request can't be made: {error}")))?;
        let answer = self.sender.send_request(request);
        let answer = with(&mut self.transport, answer).await;
        answer.map(Answer).map_err(|error| of_http(&error))
    }
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// By its content type.
    pub(super) fn is_html(&self) -> bool {
        let kind = self.0.headers().get(CONTENT_TYPE);
        kind.and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| {
                kind.trim_start()
                    .to_ascii_lowercase()
                    .starts_with("text/html")
            })
    }

    /// Reads the body up to [`LONGEST_BODY`].
    pub(super) async fn body(&mut self, conversation: &mut Conversation) -> Result<Body, Fault> {
        let incoming = self.0.body_mut();
        let read = async {
            let mut bytes = Vec::new();
            while let Some(frame) = incoming.frame().await {
                let frame = frame.map_err(|error| of_http(&error))?;
                let Some(data) = frame.data_ref() else {
                    continue;
                };
                let room = LONGEST_BODY - bytes.len();
                bytes.extend(data.iter().take(room));
                if data.len() > room {
                    return Ok(Body {
                        bytes,
                        is_whole: false,
                    });
                }
            }
            Ok(Body {
                bytes,
                is_whole: true,
            })
        };
        with(&mut conversation.transport, read).await
    }
}

impl Body {
    pub(super) fn contains(&self, text: &str) -> bool {
        let mut windows = self.bytes.windows(text.len().max(1));
        windows.any(|window| window == text.as_bytes())
    }

    pub(super) fn json(&self) -> Result<serde_json::Value, Fault> {
        if !self.is_whole {
            return Err(WrongAnswer::TooLong.into());
        }
        // serde_json limits the nesting.
        serde_json::from_slice(&self.bytes).map_err(|_| WrongAnswer::NotJson.into())
    }

    /// Does the body look like a web page?
    pub(super) fn looks_like_html(&self) -> bool {
        self.bytes.trim_ascii_start().first() == Some(&b'<')
    }
}

/// Awaits a result of a conversation while driving its transport. A transport that has ended is dropped, so
/// that its waiters get an error.
async fn with<T>(
    transport: &mut Option<Connection<TokioIo<Channel>, Empty<Bytes>>>,
    awaited: impl Future<Output = T>,
) -> T {
    let mut awaited = std::pin::pin!(awaited);
    std::future::poll_fn(|context| {
        if let Some(running) = transport
            && Pin::new(running).poll(context).is_ready()
        {
            // The waiter gets the error, too.
            *transport = None;
        }
        match awaited.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn of_http(error: &hyper::Error) -> Fault {
    if error.is_parse_too_large() {
        return WrongAnswer::TooLong.into();
    }
    if error.is_parse() {
        return WrongAnswer::NotHttp.into();
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return of_io(error);
        }
        source = cause.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return NoAnswer::Closed.into();
    }
    // Anything else: invalid chunks, an unexpected message.
    WrongAnswer::NotHttp.into()
}
