//! Events as aligned lines for people: fixed columns, names instead of numbers.

use std::fmt::Write as _;

use crate::{
    clock,
    decide::Time,
    errno,
    escape::Escaped,
    kernel::{Bind, KernelEvent, Origin, TcpState, TcpStateChange},
};

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const RESET: &str = "\x1b[0m";

/// The columns' names.
pub(super) fn header() -> String {
    format!(
        "{:<15} {:>7} {:<16} {:>5} {:<24} {:<24} EVENT\n",
        "TIME (UTC)", "PID", "COMM", "UID", "LOCAL", "REMOTE"
    )
}

/// Appends one line.
pub(crate) fn event(line: &mut String, event: &KernelEvent, color: bool) {
    let (local, remote, what, mood) = match event {
        KernelEvent::TcpState(change) => {
            let remote = match change.new {
                TcpState::Listen => "-".to_owned(),
                _ if change.remote.port() == 0 => "-".to_owned(),
                _ => change.remote.to_string(),
            };
            (change.local, remote, state(change), mood(change))
        }
        KernelEvent::Bind(bind) => {
            let mood = if bind.result.is_ok() { "" } else { RED };
            (bind.local, "-".to_owned(), self::bind(bind), mood)
        }
    };
    let Origin {
        time,
        pid,
        uid,
        comm,
        ..
    } = event.origin();
    let time = clock::wall(Time::from_boot(*time));
    let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let (begin, end) = if color && !mood.is_empty() {
        (mood, RESET)
    } else {
        ("", "")
    };
    let _ = writeln!(
        line,
        "{:<15} {pid:>7} {:<16} {uid:>5} {:<24} {remote:<24} {begin}{what}{end}",
        time.strftime("%H:%M:%S%.6f").to_string(),
        if comm.is_empty() {
            "-".to_owned()
        } else {
            Escaped(comm).to_string()
        },
        local.to_string(),
    );
}

fn state(change: &TcpStateChange) -> String {
    let mut what = format!("{} -> {}", change.old, change.new);
    if let Some(errno) = change.error {
        let _ = write!(what, " ({})", errno::describe(errno));
    }
    what
}

fn bind(bind: &Bind) -> String {
    match bind.result {
        Ok(()) => "bind ok".to_owned(),
        Err(errno) => format!("bind refused ({})", errno::describe(errno)),
    }
}

fn mood(change: &TcpStateChange) -> &'static str {
    match (change.old, change.new, change.error) {
        (_, _, Some(_)) | (TcpState::SynSent | TcpState::Listen, TcpState::Close, _) => RED,
        (_, TcpState::Listen | TcpState::Established, _) => GREEN,
        _ => "",
    }
}

/// What went missing.
pub(super) fn lost(count: u64) -> String {
    format!(
        "lost {count} {}: they came faster than they could be read",
        events(count)
    )
}

/// The closing line.
pub(super) fn totals(seen: u64, lost: u64) -> String {
    format!("{seen} {} seen, {lost} lost", events(seen))
}

fn events(count: u64) -> &'static str {
    if count == 1 { "event" } else { "events" }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn origin(comm: &str) -> Origin {
        Origin {
            time: Duration::from_secs(1),
            pid: Some(42),
            tid: Some(43),
            uid: 1000,
            comm: comm.to_owned(),
            netns: 7,
        }
    }

    fn line(event: &KernelEvent, color: bool) -> String {
        let mut line = String::new();
        super::event(&mut line, event, color);
        line
    }

    #[test]
    fn a_refused_bind_is_told_by_name() {
        let bind = Bind {
            origin: origin("node"),
            local: "0.0.0.0:18789".parse().unwrap(),
            result: Err(libc::EADDRINUSE),
        };
        let line = line(&KernelEvent::Bind(bind), false);
        let told = "     42 node              1000 0.0.0.0:18789            -                        \
                    bind refused (EADDRINUSE)\n";
        assert!(line.ends_with(told), "{line}");
    }

    #[test]
    fn a_hostile_name_cannot_draw_on_the_terminal() {
        let change = TcpStateChange {
            origin: origin("\x1b[2Jx\n\u{9b}"),
            old: TcpState::Established,
            new: TcpState::Close,
            local: "[::1]:1".parse().unwrap(),
            remote: "[::1]:2".parse().unwrap(),
            error: Some(libc::ECONNRESET),
        };
        let line = line(&KernelEvent::TcpState(change), true);
        assert!(line.contains("\\u{1b}[2Jx\\n\\u{9b}"), "{line}");
        assert!(
            line.contains("\x1b[31mESTABLISHED -> CLOSE (ECONNRESET)\x1b[0m"),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
    }
}
