//! Events as JSON, one object a line.
//!
//! Every object has every key; missing values are `null`. Process 0 is
//! the kernel itself, on a connection that no process owns yet.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::Serialize;

use failover_decide::Time;
use failover_linux::{
    bpf::event::{KernelEvent, Origin},
    clock, errno,
};

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    kind: &'static str,
    old: Option<&'static str>,
    new: Option<&'static str>,
    local: Endpoint,
    remote: Option<Endpoint>,
    pid: u32,
    tid: u32,
    uid: u32,
    comm: &'a str,
    netns: u32,
    /// Of a bind.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// Of a connection that ended with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Endpoint {
    address: String,
    port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            address: address.ip().to_string(),
            port: address.port(),
        }
    }
}

/// Appends one line.
pub(crate) fn event(output: &mut String, event: &KernelEvent) {
    let Origin {
        time,
        pid,
        tid,
        uid,
        comm,
        netns,
    } = event.origin();
    let (kind, states, local, remote, result, error) = match event {
        KernelEvent::TcpState(change) => (
            "tcp-state",
            Some((change.old.name(), change.new.name())),
            change.local,
            Some(change.remote.into()),
            None,
            change.error.map(errno::describe),
        ),
        KernelEvent::Bind(bind) => {
            let result = bind
                .result
                .map_or_else(errno::describe, |()| "ok".to_owned());
            ("bind", None, bind.local, None, Some(result), None)
        }
    };
    append(
        output,
        &Line {
            time: told(clock::wall(Time::from_boot(*time))),
            kind,
            old: states.map(|(old, _)| old),
            new: states.map(|(_, new)| new),
            local: local.into(),
            remote,
            pid: pid.unwrap_or(0),
            tid: tid.unwrap_or(0),
            uid: *uid,
            comm,
            netns: *netns,
            result,
            error,
        },
    );
}

#[derive(Serialize)]
struct Lost {
    time: String,
    kind: &'static str,
    count: u64,
}

/// Appends a line about lost events.
pub(super) fn lost(output: &mut String, count: u64) {
    append(
        output,
        &Lost {
            time: told(Timestamp::now()),
            kind: "lost",
            count,
        },
    );
}

/// RFC 3339, UTC, always nine digits.
fn told(time: Timestamp) -> String {
    format!("{time:.9}")
}

fn append(output: &mut String, line: &impl Serialize) {
    // Serialization of strings and numbers cannot fail.
    let json = serde_json::to_string(line).unwrap_or_default();
    // JSON does not escape DEL and C1 controls, but a terminal may interpret them. They only
    // occur inside strings, so the result stays valid JSON.
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => output.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => output.push(character),
        }
    }
    output.push('\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use failover_linux::bpf::event::{TcpState, TcpStateChange};

    #[test]
    fn an_event_is_one_line_with_every_key() {
        let event = KernelEvent::TcpState(TcpStateChange {
            origin: Origin {
                time: Duration::from_secs(1),
                pid: None,
                tid: None,
                uid: 0,
                comm: "a\x1b\u{9b}\n".to_owned(),
                netns: 7,
            },
            old: TcpState::SynSent,
            new: TcpState::Close,
            local: "10.0.0.2:5".parse().unwrap(),
            remote: "10.0.0.1:18789".parse().unwrap(),
            error: Some(libc::ECONNREFUSED),
        });
        let mut output = String::new();
        super::event(&mut output, &event);
        assert_eq!(output.matches('\n').count(), 1);
        assert!(
            !output.trim_end().chars().any(char::is_control),
            "{output:?}"
        );
        let value: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(value["kind"], "tcp-state");
        assert_eq!(
            (&value["old"], &value["new"]),
            (&"SYN_SENT".into(), &"CLOSE".into())
        );
        assert_eq!(value["remote"]["address"], "10.0.0.1");
        assert_eq!(value["remote"]["port"], 18789);
        assert_eq!(value["comm"], "a\x1b\u{9b}\n");
        assert_eq!(value["error"], "ECONNREFUSED");
        let time = value["time"].as_str().unwrap();
        assert_eq!(time.len(), "2026-01-01T00:00:00.000000000Z".len(), "{time}");
    }
}
