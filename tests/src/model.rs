//! A model server in place of a real one: what OpenClaw asks of an OpenAI-compatible one, on loopback of a host. It
//! answers every request with a sentence that has the request's number in it, and keeps what it was asked.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use http_body_util::{BodyExt as _, Collected, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1::Builder,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::runtime;

use crate::lab::Host;

/// Where it listens.
pub const PORT: u16 = 11435;
/// OpenClaw's provider and model: `PROVIDER/MODEL`.
pub const PROVIDER: &str = "stub";
/// See [`PROVIDER`].
pub const MODEL: &str = "stub-1";

/// See the module. It runs until the test ends.
#[derive(Clone, Debug)]
pub struct ModelServer {
    asked: Arc<Mutex<Vec<Value>>>,
}

impl ModelServer {
    /// On loopback of this host.
    ///
    /// # Panics
    /// When it can't listen.
    #[must_use]
    pub fn on(host: &Host) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let listener = host.listen(address, 16).expect("the model server listens");
        let server = Self {
            asked: Arc::default(),
        };
        let name = host.name().to_owned();
        let shared = server.clone();
        thread::spawn(move || shared.serve(listener, &name));
        server
    }

    /// The conversations that it was asked to go on with, the oldest first: the texts of all messages of a request, each
    /// with who said it.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().map(conversation).collect()
    }

    fn serve(&self, listener: TcpListener, name: &str) {
        let serve = async {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let (this, name) = (self.clone(), name.to_owned());
                tokio::spawn(async move {
                    let answer = service_fn(|request| this.answer(request, &name));
                    // A client that is killed in the middle is what some tests are about.
                    let _ = Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
            #[expect(unreachable_code, reason = "it names the error's type")]
            io::Result::Ok(())
        };
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let _ = runtime.map(|runtime| runtime.block_on(serve));
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        name: &str,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let is_chat =
            request.method() == Method::POST && request.uri().path().ends_with("/chat/completions");
        if !is_chat {
            let models = json!({"object": "list", "data": [{"id": MODEL, "object": "model"}]});
            return Ok(respond(
                StatusCode::OK,
                "application/json",
                models.to_string(),
            ));
        }
        let body = request.into_body().collect().await;
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        let Ok(request) = serde_json::from_slice::<Value>(&body) else {
            return Ok(respond(
                StatusCode::BAD_REQUEST,
                "text/plain",
                String::new(),
            ));
        };
        let streams = request.get("stream") == Some(&Value::Bool(true));
        let number = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(request);
            asked.len()
        };
        let text = format!("This is answer {number} of the model on {name}.");
        Ok(match streams {
            true => respond(StatusCode::OK, "text/event-stream", stream(&text)),
            false => respond(StatusCode::OK, "application/json", whole(&text)),
        })
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// As a stream of two pieces.
fn stream(text: &str) -> String {
    let piece = |delta: Value, end: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": end}],
        })
    };
    let said = piece(json!({"role": "assistant", "content": text}), Value::Null);
    let end = piece(json!({}), json!("stop"));
    format!("data: {said}\n\ndata: {end}\n\ndata: [DONE]\n\n")
}

fn whole(text: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text},
        }],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
    .to_string()
}

/// What was said in a request, a line for each message.
fn conversation(request: &Value) -> String {
    let messages = request.get("messages").and_then(Value::as_array);
    let lines = messages.into_iter().flatten().map(|message| {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("?");
        let content = message.get("content").unwrap_or(&Value::Null);
        format!("{role}: {}\n", text_of(content))
    });
    lines.collect()
}

/// A text, or a list of parts that have one.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text")?.as_str())
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}
