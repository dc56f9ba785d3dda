//! OpenClaw's first message over a WebSocket: `connect.challenge`, before the client authenticates.

use futures_util::StreamExt as _;
use hyper::{Response, StatusCode};
use serde::Deserialize;
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{
        Error, Message, client::IntoClientRequest as _, error::ProtocolError,
        protocol::WebSocketConfig,
    },
};

use failover_decide::NoAnswer;

use crate::primary::check::{
    fault::Fault,
    transport::{Channel, of_io},
    wrong_answer::WrongAnswer,
};

/// The challenge takes 200 bytes (OpenClaw 2026.9.6).
const LONGEST_MESSAGE: usize = 16 * 1024;
const BUFFER: usize = 4 * 1024;
/// Limit for messages: the challenge is the first one, but pings may precede it.
const MOST_MESSAGES: usize = 4;

#[derive(Deserialize)]
struct Event {
    r#type: String,
    event: String,
}

/// The answer of a draining gateway in place of a WebSocket (OpenClaw 2026.9.6), with status 503.
const CLOSED: &[u8] = b"Gateway websocket admission closed";

/// A live gateway's first message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Greeting {
    /// It requests authentication.
    Challenge,
    /// It is draining, and accepts no clients.
    Draining,
}

/// Waits for the challenge.
pub(super) async fn await_challenge(channel: Channel, authority: &str) -> Result<Greeting, Fault> {
    // `ws`, because the channel is already encrypted where it must be.
    let request = format!("ws://{authority}/").into_client_request();
    let request =
        request.map_err(|error| Fault::Own(format!("a request can't be made: {error}")))?;
    let configuration = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let handshake = client_async_with_config(request, channel, Some(configuration)).await;
    let mut socket = match handshake {
        Ok((socket, _)) => socket,
        Err(Error::Http(response)) if is_draining(&response) => return Ok(Greeting::Draining),
        Err(error) => return Err(fault(&error)),
    };
    for _ in 0..MOST_MESSAGES {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let is_challenge = serde_json::from_str::<Event>(&text).is_ok_and(|event| {
                    event.r#type == "event" && event.event == "connect.challenge"
                });
                return match is_challenge {
                    true => Ok(Greeting::Challenge),
                    false => Err(WrongAnswer::NoChallenge.into()),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_)) => return Err(WrongAnswer::NoChallenge.into()),
            Some(Err(error)) => return Err(fault(&error)),
            None => return Err(NoAnswer::Closed.into()),
        }
    }
    Err(WrongAnswer::NoChallenge.into())
}

/// A proxy in front of a dead gateway has the same status, but another body.
fn is_draining(response: &Response<Option<Vec<u8>>>) -> bool {
    let body = response.body().as_deref().unwrap_or_default();
    response.status() == StatusCode::SERVICE_UNAVAILABLE
        && body.windows(CLOSED.len()).any(|part| part == CLOSED)
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::Io(error) => of_io(error),
        Error::Http(response) => WrongAnswer::Status(response.status().as_u16()).into(),
        Error::Capacity(_) | Error::AttackAttempt => WrongAnswer::TooLong.into(),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake,
        ) => NoAnswer::Closed.into(),
        _ => WrongAnswer::NotHttp.into(),
    }
}
