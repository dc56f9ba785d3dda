//! The gateway's answers to requests. Status and JSON are those of OpenClaw 2026.9.6.

use std::time::Duration;

use clap::ValueEnum;
use hyper::StatusCode;
use serde_json::{Value, json};

/// The release whose answers these are.
const VERSION: &str = "2026.9.6";

/// The gateway that it imitates.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Role {
    /// A healthy one.
    Healthy,
    /// One from before March 2026: no `/healthz`, so a page in its place; the WebSocket is there.
    Old,
    /// One whose channels can't be reached: `/readyz` answers 503, all else is healthy.
    NotReady,
    /// One that listens but has not finished its start.
    Starting,
    /// One that reports that it is unhealthy, with status 200.
    Unhealthy,
    /// One that answers 500 to everything.
    Broken,
    /// A web server of another kind: a page at every path, no WebSocket.
    Page,
    /// No HTTP: it sends first, as ssh does.
    Banner,
    /// One that accepts and closes.
    Close,
    /// One that accepts and sends nothing.
    Hung,
}

/// Status and body.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// With the version and the uptime, where it reports its start.
    pub(super) fn with_details(self, up: Duration) -> Self {
        match serde_json::from_str(&self.body) {
            Ok(Value::Object(mut body)) if body.contains_key("status") => {
                body.insert("version".to_owned(), VERSION.into());
                let milliseconds = u64::try_from(up.as_millis()).unwrap_or(u64::MAX);
                body.insert("uptimeMs".to_owned(), milliseconds.into());
                Self::json(self.status, &Value::Object(body))
            }
            _ => self,
        }
    }

    fn page() -> Self {
        Self {
            status: StatusCode::OK,
            kind: "text/html; charset=utf-8",
            body: "<!doctype html><title>OpenClaw Control</title>".to_owned(),
        }
    }

    fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            kind: "application/json; charset=utf-8",
            body: body.to_string(),
        }
    }
}

/// The answer to a GET.
pub(super) fn to(path: &str, role: Role, drains: bool) -> Answer {
    const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    let pending = match role {
        _ if drains => Some(("draining", "gateway-draining")),
        Role::Starting => Some(("starting", "startup-sidecars")),
        _ => None,
    };
    match (role, path) {
        (Role::Broken, _) => Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "text/plain; charset=utf-8",
            body: "Internal Server Error".to_owned(),
        },
        (Role::Old | Role::Page, _) => Answer::page(),
        (Role::Unhealthy, "/healthz") => {
            Answer::json(StatusCode::OK, &json!({"ok": false, "status": "failing"}))
        }
        (_, "/healthz") => Answer::json(StatusCode::OK, &json!({"ok": true, "status": "live"})),
        (_, "/startupz") => match pending {
            Some((status, _)) => Answer::json(UNAVAILABLE, &json!({"ok": false, "status": status})),
            None => Answer::json(StatusCode::OK, &json!({"ok": true, "status": "started"})),
        },
        (_, "/readyz") => match pending {
            Some((_, failing)) => unready(failing),
            None if role == Role::NotReady => unready("telegram"),
            None => Answer::json(StatusCode::OK, &json!({"ready": true, "failing": []})),
        },
        _ => Answer::page(),
    }
}

fn unready(failing: &str) -> Answer {
    let body = json!({"ready": false, "failing": [failing]});
    Answer::json(StatusCode::SERVICE_UNAVAILABLE, &body)
}

/// What the answer to a WebSocket's handshake is, where it isn't a WebSocket.
pub(super) fn to_handshake(path: &str, role: Role, drains: bool) -> Option<Answer> {
    match role {
        Role::Page | Role::Broken => Some(to(path, role, drains)),
        _ if drains => Some(Answer::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"error": "Gateway websocket admission closed"}),
        )),
        _ => None,
    }
}

/// The first event of a WebSocket, before the client authenticates.
pub(super) fn challenge() -> String {
    let nonce = format!("{:032x}", fastrand::u128(..));
    let payload = json!({"nonce": nonce, "ts": jiff::Timestamp::now().as_millisecond()});
    json!({"type": "event", "event": "connect.challenge", "payload": payload}).to_string()
}

/// The answer to a connect request with a token; `None` for other requests.
pub(super) fn hello(request: &str, boot_id: &str) -> Option<String> {
    let request: Value = serde_json::from_str(request).ok()?;
    if request.get("method")? != "connect" || !request.pointer("/params/auth/token")?.is_string() {
        return None;
    }
    let server = json!({"version": VERSION, "bootId": boot_id});
    let payload = json!({"type": "hello-ok", "protocol": 4, "server": server});
    Some(
        json!({"type": "res", "id": request.get("id")?, "ok": true, "payload": payload})
            .to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_and_body(path: &str, role: Role, drains: bool) -> (u16, String) {
        let answer = to(path, role, drains);
        (answer.status.as_u16(), answer.body)
    }

    #[test]
    fn a_draining_gateway_is_live_but_neither_ready_nor_started() {
        let live = (200, r#"{"ok":true,"status":"live"}"#.to_owned());
        assert_eq!(status_and_body("/healthz", Role::Healthy, true), live);
        let (status, body) = status_and_body("/startupz", Role::Healthy, true);
        assert!(
            status == 503 && body.contains("draining"),
            "{status} {body}"
        );
        let (status, body) = status_and_body("/readyz", Role::Healthy, true);
        assert!(
            status == 503 && body.contains("gateway-draining"),
            "{status} {body}"
        );
    }

    #[test]
    fn unknown_paths_get_a_page_and_so_does_the_health_of_an_old_one() {
        for (path, role) in [("/nowhere", Role::Healthy), ("/healthz", Role::Old)] {
            let (status, body) = status_and_body(path, role, false);
            assert!(
                status == 200 && body.starts_with("<!doctype html>"),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn only_a_client_with_a_token_gets_the_boot() {
        let with_token = r#"{"id":"7","method":"connect","params":{"auth":{"token":"test"}}}"#;
        let hello_ok: Value = serde_json::from_str(&hello(with_token, "b").unwrap()).unwrap();
        assert_eq!(hello_ok.pointer("/payload/server/bootId").unwrap(), "b");
        assert_eq!(hello_ok.get("id").unwrap(), "7");
        assert_eq!(
            hello(r#"{"id":"7","method":"connect","params":{}}"#, "b"),
            None
        );
        assert_eq!(hello("nonsense", "b"), None);
    }
}
