//! Events as aligned lines: fixed columns, names instead of numbers.

use std::fmt::{Display, Write as _};

use failover_decide::Time;
use failover_linux::{
    bpf::event::{Bind, KernelEvent, Origin, TcpState, TcpStateChange},
    clock, errno,
    escape::Escaped,
};

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const RESET: &str = "\x1b[0m";

/// Optional parts of a line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Colour for listening and closing.
    pub(super) color: bool,
    /// A column with the network namespace, if there are several.
    pub(super) namespaces: bool,
}

/// The columns' names.
pub(super) fn header(style: Style) -> String {
    let netns = namespace("NETNS", style);
    format!(
        "{:<15} {:>7} {:<16} {:>5} {netns}{:<24} {:<24} EVENT\n",
        "TIME (UTC)", "PID", "COMM", "UID", "LOCAL", "REMOTE"
    )
}

/// Appends one line.
pub(crate) fn event(line: &mut String, event: &KernelEvent, style: Style) {
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
            let mood = if bind.result.is_ok() { GREEN } else { RED };
            (bind.local, "-".to_owned(), self::bind(bind), mood)
        }
    };
    let Origin {
        time,
        pid,
        uid,
        comm,
        netns,
        ..
    } = event.origin();
    let netns = namespace(netns, style);
    let time = clock::wall(Time::from_boot(*time));
    let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let (begin, end) = if style.color && !mood.is_empty() {
        (mood, RESET)
    } else {
        ("", "")
    };
    let _ = writeln!(
        line,
        "{:<15} {pid:>7} {:<16} {uid:>5} {netns}{:<24} {remote:<24} {begin}{what}{end}",
        time.strftime("%H:%M:%S%.6f").to_string(),
        if comm.is_empty() {
            "-".to_owned()
        } else {
            Escaped(comm).to_string()
        },
        local.to_string(),
    );
}

/// The namespace column, if enabled: the inode number, as shown by `lsns` and `readlink`.
fn namespace(netns: impl Display, style: Style) -> String {
    match style.namespaces {
        true => format!("{netns:>10} "),
        false => String::new(),
    }
}

fn state(change: &TcpStateChange) -> String {
    let mut what = format!("{} -> {}", change.old, change.new);
    if change.is_new_connection() {
        what.push_str(" (a new connection)");
    }
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

/// The line about lost events.
pub(super) fn lost(count: u64) -> String {
    format!("lost {count} {}: the ring buffer was full", events(count))
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

    const PLAIN: Style = Style {
        color: false,
        namespaces: false,
    };
    const COLORED: Style = Style {
        color: true,
        ..PLAIN
    };

    fn line(event: &KernelEvent, style: Style) -> String {
        let mut line = String::new();
        super::event(&mut line, event, style);
        line
    }

    fn bind(result: Result<(), i32>) -> KernelEvent {
        KernelEvent::Bind(Bind {
            origin: origin("node"),
            local: "0.0.0.0:18789".parse().unwrap(),
            result,
        })
    }

    #[test]
    fn a_refused_bind_is_told_by_name() {
        let line = line(&bind(Err(libc::EADDRINUSE)), PLAIN);
        let told = "     42 node              1000 0.0.0.0:18789            -                        \
                    bind refused (EADDRINUSE)\n";
        assert!(line.ends_with(told), "{line}");
    }

    #[test]
    fn several_namespaces_are_told_apart() {
        let style = Style {
            namespaces: true,
            ..PLAIN
        };
        let line = line(&bind(Ok(())), style);
        let told = " 1000          7 0.0.0.0:18789            -                        bind ok\n";
        assert!(line.ends_with(told), "{line}");
        let header = header(style);
        assert!(header.contains("  UID      NETNS LOCAL  "), "{header}");
        assert_eq!(header.find("LOCAL"), line.find("0.0.0.0"));
        assert!(!super::header(PLAIN).contains("NETNS"));
    }

    #[test]
    fn news_is_coloured_by_what_it_means() {
        let good = line(&bind(Ok(())), COLORED);
        assert!(good.ends_with("\x1b[32mbind ok\x1b[0m\n"), "{good}");
        let bad = line(&bind(Err(libc::EACCES)), COLORED);
        let told = "\x1b[31mbind refused (EACCES)\x1b[0m\n";
        assert!(bad.ends_with(told), "{bad}");
    }

    #[test]
    fn a_new_connection_is_told_from_a_listener_that_ends() {
        let told = |new| {
            let change = TcpStateChange {
                origin: origin("node"),
                old: TcpState::Listen,
                new,
                local: "10.0.0.2:18789".parse().unwrap(),
                remote: "10.0.0.9:40000".parse().unwrap(),
                error: None,
            };
            line(&KernelEvent::TcpState(change), COLORED)
        };
        let born = told(TcpState::SynRecv);
        assert!(
            born.ends_with(" LISTEN -> SYN_RECV (a new connection)\n"),
            "{born}"
        );
        let ends = told(TcpState::Close);
        assert!(ends.ends_with("\x1b[31mLISTEN -> CLOSE\x1b[0m\n"), "{ends}");
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
        let line = line(&KernelEvent::TcpState(change), COLORED);
        assert!(line.contains("\\u{1b}[2Jx\\n\\u{9b}"), "{line}");
        assert!(
            line.contains("\x1b[31mESTABLISHED -> CLOSE (ECONNRESET)\x1b[0m"),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
    }
}
