//! Standard output, whose reader may close it at any time.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::io::{Interest, unix::AsyncFd};

use failover_linux::bpf::event::KernelEvent;

use crate::trace::{json, text, text::Style};
use failover_linux::stdio::StandardOutput;

/// The output format.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Text,
    /// JSON, one object a line.
    Json,
}

/// When to colour text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Standard output, one write a batch.
pub(super) struct Output {
    format: Format,
    style: Style,
    pending: String,
    /// The reader has gone.
    closed: bool,
    /// Becomes ready when the reader closes it, for pipes and sockets.
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

    /// The header, if the format has one.
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

    /// Reports lost events; in text on standard error, like `tcpstates`.
    pub(super) fn lost(&mut self, count: u64) {
        match self.format {
            Format::Text => say(&text::lost(count)),
            Format::Json => json::lost(&mut self.pending, count),
        }
    }

    /// Writes pending lines. `false`: the reader has closed it, which is not an error.
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

    /// Returns when the reader has closed it, if that can be detected.
    pub(super) async fn reader_gone(&self) {
        match &self.watched {
            Some(watched) if watched.ready(Interest::ERROR).await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// The closing line; not if the reader has gone, like `head`.
    pub(super) fn end(&self, seen: u64, lost: u64) {
        if !self.closed {
            say(&text::totals(seen, lost));
        }
    }
}

/// Writes to standard error, which may be closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
