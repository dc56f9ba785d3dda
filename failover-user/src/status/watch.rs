//! `failover status --watch` on a terminal: the document in place, and what happened last scrolling below.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use failover_linux::escape::one_line;

use crate::{
    control,
    control::{AskError, Request},
    runtime::background,
    status::document::{Document, Note},
};

const INTERVAL: Duration = Duration::from_secs(1);
/// The size of a terminal that does not report it.
const USUAL: (usize, usize) = (80, 24);
/// The column of the document's values, and the indent of continued lines.
const INDENT: usize = 17;

/// Shows it until Ctrl-C, and returns the last one. Waits for a daemon that is restarted meanwhile.
///
/// # Errors
/// When there is no daemon to begin with, or the terminal is gone.
pub async fn run(control: &Path) -> anyhow::Result<Document> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut last = ask(control.to_owned()).await?;
    let mut silence = None;
    let _screen = Screen::enter()?;
    loop {
        let (columns, rows) = size();
        show(&drawn(&last, silence.as_deref(), columns, rows))?;
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => break,
            _ = resized.recv() => {}
            answer = async {
                sleep(INTERVAL).await;
                ask(control.to_owned()).await
            } => match answer {
                Ok(status) => (last, silence) = (status, None),
                Err(error) => silence = Some(format!("{error:#}")),
            },
        }
    }
    Ok(last)
}

/// Beside what waits for a signal.
async fn ask(control: PathBuf) -> anyhow::Result<Document> {
    let answer: Result<Document, AskError> =
        background::run("ask", move || control::ask(&control, &Request::Status)).await?;
    Ok(answer?)
}

/// The terminal's other screen, without a cursor. Dropping it gives the terminal back as it was.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        show("\x1b[?1049h\x1b[?25l")?;
        Ok(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = show("\x1b[?25h\x1b[?1049l");
    }
}

fn show(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    output.write_all(text.as_bytes())?;
    output.flush()
}

fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL,
    }
}

/// A screenful, over the one before (console_codes(4)).
fn drawn(status: &Document, silence: Option<&str>, columns: usize, rows: usize) -> String {
    let mut lines = Vec::new();
    if let Some(silence) = silence {
        lines.extend(wrapped(&format!("NO ANSWER: {silence}"), columns));
        lines.push("below: the last status that was received".to_owned());
    }
    for line in status.to_string().lines() {
        lines.extend(wrapped(&one_line(line), columns));
    }
    lines.truncate(rows);
    // A blank line and a heading, and at least one note, or none of it.
    let room = rows.saturating_sub(lines.len() + 2);
    if room > 0 && !status.recent.is_empty() {
        lines.push(String::new());
        lines.push("recent events".to_owned());
        let skipped = status.recent.len().saturating_sub(room);
        let notes = status.recent.iter().skip(skipped);
        lines.extend(notes.map(|note| cut(&line(note), columns)));
    }
    format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n"))
}

fn line(note: &Note) -> String {
    let (at, since) = (clock(&note.at), clock(&note.since));
    let often = match note.count {
        0 | 1 => String::new(),
        count => format!(" ({count} times since {since})"),
    };
    one_line(&format!("  {at} {:<7} {}{often}", note.kind, note.text))
}

fn clock(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.strftime("%H:%M:%S").to_string(),
        Err(_) => time.to_owned(),
    }
}

/// Where it doesn't fit, that shows.
fn cut(text: &str, columns: usize) -> String {
    match columns.checked_sub(1) {
        Some(room) if text.chars().count() > columns => {
            text.chars().take(room).chain(['…']).collect()
        }
        _ => text.chars().take(columns).collect(),
    }
}

/// As many lines as it takes, the later ones below the first one's value.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let indent = match columns > 2 * INDENT {
        true => INDENT,
        false => 0,
    };
    let mut rest: Vec<char> = text.chars().collect();
    let mut lines = Vec::new();
    loop {
        let before = if lines.is_empty() { 0 } else { indent };
        let room = columns.saturating_sub(before).max(1);
        if rest.len() <= room {
            lines.push(" ".repeat(before) + &String::from_iter(rest));
            return lines;
        }
        // Between words, where there are any.
        let fits = rest.iter().take(room + 1);
        let at = fits
            .clone()
            .enumerate()
            .filter(|(place, letter)| *place > indent && **letter == ' ');
        let at = at.map(|(place, _)| place).next_back().unwrap_or(room);
        let later = rest.split_off(at);
        lines.push(" ".repeat(before) + &String::from_iter(rest));
        rest = later
            .into_iter()
            .skip_while(|letter| *letter == ' ')
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{status::document::sample, web::timeline::Kind};

    fn with_notes(count: u64) -> Document {
        let mut status = sample();
        for number in 0..count {
            status.recent.push(Note {
                at: "2026-01-01T12:30:00Z".to_owned(),
                since: "2026-01-01T12:00:00Z".to_owned(),
                count: number + 1,
                kind: Kind::Probe.into(),
                text: format!("number {number} \u{1b}[2J"),
            });
        }
        status
    }

    /// What stands on the screen.
    fn seen(status: &Document, columns: usize, rows: usize) -> Vec<String> {
        let drawn = drawn(status, None, columns, rows);
        let text = drawn.strip_prefix("\x1b[H").unwrap();
        let text = text.strip_suffix("\x1b[K\x1b[J").unwrap();
        text.split("\x1b[K\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn the_document_comes_first_and_the_newest_notes_fill_what_is_left() {
        let lines = seen(&with_notes(40), 80, 24);
        assert_eq!(lines.len(), 24);
        assert_eq!(lines[0], "STANDBY (safe)");
        let heading = lines
            .iter()
            .position(|line| line == "recent events")
            .unwrap();
        assert!(lines[heading + 1].starts_with("  12:30:00 probe   number "));
        assert!(lines[23].contains("number 39"), "{lines:?}");
        assert!(
            lines[23].ends_with("(40 times since 12:00:00)"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_note_that_is_cut_shows_it() {
        let mut status = with_notes(1);
        status.recent[0].text = "x".repeat(100);
        let lines = seen(&status, 60, 40);
        let last = lines.last().unwrap();
        assert!(last.ends_with("x…"), "{last}");
        assert_eq!(last.chars().count(), 60);
        assert_eq!(cut("all of it", 9), "all of it");
    }

    #[test]
    fn nothing_leaves_the_screen_however_small_and_nothing_commands_it() {
        let mut status = with_notes(40);
        status.reason = "because of this and that ".repeat(20);
        for (columns, rows) in [(1, 1), (10, 3), (40, 12), (80, 24), (300, 100)] {
            let lines = seen(&status, columns, rows);
            assert!(lines.len() <= rows, "{columns}x{rows}");
            for line in lines {
                assert!(line.chars().count() <= columns, "{columns}: {line:?}");
                assert!(!line.contains('\u{1b}'), "{line:?}");
            }
        }
    }

    #[test]
    fn a_daemon_that_does_not_answer_comes_first() {
        let drawn = drawn(&sample(), Some("no daemon listens"), 80, 24);
        assert!(drawn.starts_with("\x1b[HNO ANSWER: no daemon listens\x1b[K\r\n"));
    }
}
