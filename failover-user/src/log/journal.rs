//! The log in systemd's journal: each line with its fields, so that `journalctl FAILOVER_STATE=active`
//! finds the takeovers.
//!
//! Used by the log's own thread, like any other output, because it may block there. The crate for
//! this sends from the calling thread, and blocks while the journal does not read.

use std::{
    env,
    io::{self, Write},
    os::{
        linux::fs::MetadataExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use serde_json::{Map, Value};

/// Where the journal takes entries with fields (systemd-journald.service(8)).
const SOCKET: &str = "/run/systemd/journal/socket";
/// Device and inode of the stream that leads to the journal, set by systemd (systemd.exec(5)).
const STREAM_VARIABLE: &str = "JOURNAL_STREAM";
/// Far more than a line takes, and less than a datagram may hold.
const LONGEST_VALUE: usize = 32 * 1024;
/// Longer names are refused (journald-server).
const LONGEST_NAME: usize = 64;
const PREFIX: &str = "FAILOVER_";
/// What a line has besides the fields that were logged.
const OWN: [&str; 4] = ["timestamp", "level", "target", "message"];

/// Takes the log's lines, one JSON object each, and hands them to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Journal {
    /// The journal, if it is where standard error leads to.
    #[must_use]
    pub fn of_standard_error() -> Option<Self> {
        let stream = env::var(STREAM_VARIABLE).ok()?;
        let (device, inode) = stream.split_once(':')?;
        // Whoever redirects standard error wants the log there, not in the journal.
        let own = std::fs::metadata("/proc/self/fd/2").ok()?;
        let is_same = device.parse() == Ok(own.st_dev()) && inode.parse() == Ok(own.st_ino());
        let address = SocketAddr::from_pathname(SOCKET).ok()?;
        let socket = UnixDatagram::unbound().ok()?;
        is_same.then_some(Self { socket, address })
    }
}

impl Write for Journal {
    /// A whole line, as the log's thread writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let sent = match serde_json::from_slice(line) {
            Ok(fields) => self.socket.send_to_addr(&entry(&fields), &self.address),
            Err(error) => Err(error.into()),
        };
        // A journal that is being restarted takes what comes through the stream.
        if sent.is_err() {
            io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// In the journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
fn entry(fields: &Map<String, Value>) -> Vec<u8> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut entry = Vec::new();
    put(&mut entry, "PRIORITY", priority(text("level")));
    put(&mut entry, "SYSLOG_IDENTIFIER", "failover");
    put(&mut entry, "TARGET", text("target"));
    let mut message = text("message").to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| !OWN.contains(&&***name)) {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        message.push_str(&format!(" {name}={value:?}"));
        put(&mut entry, &journal_name(name), &value);
        // The state that is entered is the state.
        if name == "to" {
            put(&mut entry, "FAILOVER_STATE", &value);
        }
    }
    put(&mut entry, "MESSAGE", &message);
    entry
}

/// As in syslog(3), which the journal has them from. `info` is what people should read.
fn priority(level: &str) -> &'static str {
    match level {
        "ERROR" => "3",
        "WARN" => "4",
        "INFO" => "6",
        _ => "7",
    }
}

/// Capital letters, digits and underscores.
fn journal_name(name: &str) -> String {
    let name = name.chars().map(|character| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' => character.to_ascii_uppercase(),
        _ => '_',
    });
    PREFIX.chars().chain(name).take(LONGEST_NAME).collect()
}

/// With the length before the value, so that it may have lines.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    let value = beginning(value);
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

/// As much of it as a value may have.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_VALUE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entry as the journal reads it.
    fn read(mut entry: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while !entry.is_empty() {
            let end = entry.iter().position(|byte| *byte == b'\n').unwrap();
            let name = String::from_utf8(entry[..end].to_vec()).unwrap();
            let (length, rest) = entry[end + 1..].split_first_chunk::<8>().unwrap();
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
            fields.push((name, String::from_utf8(rest[..length].to_vec()).unwrap()));
            assert_eq!(rest[length], b'\n');
            entry = &rest[length + 1..];
        }
        fields
    }

    fn told(line: &str) -> Vec<(String, String)> {
        read(&entry(&serde_json::from_str(line).unwrap()))
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_change_of_state_is_found_by_the_state() {
        let fields = told(
            r#"{"timestamp":"2026","level":"WARN","message":"state changed","from":"suspect","to":"active","strikes":3,"target":"failover::daemon::tell"}"#,
        );
        for field in [
            pair("PRIORITY", "4"),
            pair("FAILOVER_STATE", "active"),
            pair("FAILOVER_FROM", "suspect"),
            pair("FAILOVER_STRIKES", "3"),
            pair("SYSLOG_IDENTIFIER", "failover"),
        ] {
            assert!(fields.contains(&field), "{field:?}: {fields:?}");
        }
        let (_, message) = fields.iter().find(|(name, _)| name == "MESSAGE").unwrap();
        assert!(message.starts_with("state changed "), "{message}");
        assert!(message.contains("to=\"active\""), "{message}");
    }

    #[test]
    fn values_with_lines_and_odd_names_forge_no_fields() {
        let fields = told(r#"{"level":"INFO","message":"a\nPRIORITY=0","o.d d":"x\nMESSAGE=y"}"#);
        let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            [
                "PRIORITY",
                "SYSLOG_IDENTIFIER",
                "TARGET",
                "FAILOVER_O_D_D",
                "MESSAGE"
            ]
        );
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let long = "ä".repeat(LONGEST_VALUE);
        let fields = told(&format!(r#"{{"message":"x","long":"{long}"}}"#));
        for (name, value) in fields {
            assert!(value.len() <= LONGEST_VALUE, "{name}");
        }
    }
}
