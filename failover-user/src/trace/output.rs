//! Where the lines go: standard output, whose reader may leave at any time.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::io::{Interest, unix::AsyncFd};

use failover_linux::bpf::event::KernelEvent;

use crate::trace::{json, text, text::Style};
use failover_linux::stdio::StandardOutput;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Aligned columns, for people.
    #[default]
    Text,
    /// One JSON object a line, for tools.
    Json,
}

/// Whether text has colours.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Standard output, one write a batch.
pub(super) struct Output {
    format: Format,
    style: Style,
    pending: String,
    /// The reader has gone.
    closed: bool,
    /// Tells when the reader has gone, where the kernel can tell: pipes and sockets.
    watched: Option<AsyncFd<StandardOutput>>,
}

impl Output {
    pub(super) fn new(format: Format, color: Color, namespaces: bool) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        Self {
            format,
            style: Style { color, namespaces },
            pending: String::new(),
            closed: false,
            watched: StandardOutput::watch().ok(),
        }
    }

    /// The header, where there is one.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        if self.format == Format::Text {
            self.pending.push_str(&text::header(self.style));
        }
        self.flush().map(drop)
    }

    pub(super) fn event(&mut self, event: &KernelEvent) {
        match self.format {
            Format::Text => text::event(&mut self.pending, event, self.style),
            Format::Json => json::event(&mut self.pending, event),
        }
    }

    /// Losses are an event like any other; in text they go to standard error, as in `tcpstates`.
    pub(super) fn lost(&mut self, count: u64) {
        match self.format {
            Format::Text => say(&text::lost(count)),
            Format::Json => json::lost(&mut self.pending, count),
        }
    }

    /// Writes what is pending. `false`: the reader has gone, which is no error.
    pub(super) fn flush(&mut self) -> anyhow::Result<bool> {
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(self.pending.as_bytes())
            .and_then(|()| stdout.flush());
        self.pending.clear();
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(false)
            }
            Err(error) => Err(error).context("writing to standard output"),
        }
    }

    /// Returns when the reader has gone, where that can be told.
    pub(super) async fn reader_gone(&self) {
        match &self.watched {
            Some(watched) if watched.ready(Interest::ERROR).await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// The closing line; not for who left before the end, as `head` does.
    pub(super) fn end(&self, seen: u64, lost: u64) {
        if !self.closed {
            say(&text::totals(seen, lost));
        }
    }
}

/// On standard error. It may be gone; then nobody wants to know.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
