//! One connection to the gateway, from its first byte to its last.

use std::{
    convert::Infallible,
    future::pending,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, UPGRADE},
    server::conn::http1,
    service::service_fn,
    upgrade::{self, OnUpgrade},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::server::create_response_with_body, protocol::Role as Side},
};

use super::{
    Gateway,
    answer::{self, Answer, Role},
};

/// As the gateway's role has it.
pub(super) async fn serve(mut stream: TcpStream, gateway: Arc<Gateway>) {
    match gateway.role {
        Role::Close => {}
        Role::Hung => pending().await,
        Role::Banner => {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await;
            // Until the client has had enough.
            while stream.read_u8().await.is_ok() {}
        }
        _ => serve_http(stream, &gateway).await,
    }
}

async fn serve_http(stream: TcpStream, gateway: &Gateway) {
    let web_socket = OnceLock::new();
    serve_requests(stream, gateway, &web_socket).await;
    if let Some(upgraded) = web_socket.into_inner() {
        converse(upgraded, gateway).await;
    }
}

/// Until the connection is over, or has become a WebSocket.
async fn serve_requests(stream: TcpStream, gateway: &Gateway, web_socket: &OnceLock<OnUpgrade>) {
    let answered = watch::Sender::new(());
    let service = service_fn(async |request| {
        while_hanging(gateway).await;
        let response = respond(request, gateway, web_socket);
        answered.send_replace(());
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    tokio::select! {
        _ = &mut connection => {}
        () = idle(gateway.keep_alive, answered.subscribe()) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Returns when the last answer is so long ago. Before the first one, nobody is in a hurry.
async fn idle(keep_alive: Option<Duration>, mut answered: watch::Receiver<()>) {
    let (Some(keep_alive), Ok(())) = (keep_alive, answered.changed().await) else {
        return pending().await;
    };
    while let Ok(Ok(())) = timeout(keep_alive, answered.changed()).await {}
}

async fn while_hanging(gateway: &Gateway) {
    // The sender is the gateway's own, so this can't fail.
    let _ = gateway.hangs.subscribe().wait_for(|hangs| !hangs).await;
}

fn respond(
    request: Request<Incoming>,
    gateway: &Gateway,
    web_socket: &OnceLock<OnUpgrade>,
) -> Response<Full<Bytes>> {
    let (role, drains) = (gateway.role, *gateway.drains.borrow());
    let path = request.uri().path();
    if request.headers().contains_key(UPGRADE) {
        match answer::to_handshake(path, role, drains) {
            Some(answer) => response(answer),
            None => accept(request, web_socket),
        }
    } else {
        let answer = answer::to(path, role, drains);
        // A client with its token gets more.
        response(match request.headers().contains_key(AUTHORIZATION) {
            true => answer.with_details(gateway.began.elapsed()),
            false => answer,
        })
    }
}

fn response(Answer { status, kind, body }: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, kind.parse().expect("a header's value"));
    response
}

/// Accepts a WebSocket, whatever its path is: so does OpenClaw.
fn accept(request: Request<Incoming>, web_socket: &OnceLock<OnUpgrade>) -> Response<Full<Bytes>> {
    match create_response_with_body(&request, Full::default) {
        Ok(response) => {
            let _ = web_socket.set(upgrade::on(request));
            response
        }
        Err(error) => {
            let mut response = Response::new(Full::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

/// Challenges, says hello to who has a token, and keeps the connection until the client closes it.
async fn converse(upgraded: OnUpgrade, gateway: &Gateway) {
    let Ok(upgraded) = upgraded.await else {
        return;
    };
    let stream = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(stream, Side::Server, None).await;
    let mut words = Some(answer::challenge());
    loop {
        while_hanging(gateway).await;
        if let Some(words) = words.take()
            && socket.send(Message::text(words)).await.is_err()
        {
            return;
        }
        match socket.next().await {
            Some(Ok(Message::Text(request))) => match answer::hello(&request, &gateway.boot_id) {
                Some(hello) => words = Some(hello),
                None => return drop(socket.close(None).await),
            },
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}
