//! `failover trace` on a host, and the events that it shows.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    PORT,
    lab::{Host, Process, failover_binary, host::bound},
    lines::{Line, Lines},
    wait,
};

/// No other program binds to this address: so the event of it shows that a trace has begun.
const MARK: Ipv4Addr = Ipv4Addr::new(127, 1, 2, 3);

/// A running trace.
#[derive(Debug)]
pub struct Trace {
    process: Process,
    output: Lines,
    errors: Lines,
    read: usize,
}

impl Trace {
    /// JSON of all that happens on the host, from now on.
    ///
    /// # Panics
    /// When it can't be run, or shows nothing.
    #[must_use]
    pub fn on(host: &Host, arguments: &[&str]) -> Self {
        let mut trace = Self::spawn(host, &[&["--output", "json"], arguments].concat());
        wait::until("the trace begins", wait::LONG, || {
            host.enter("mark", || bound((MARK, PORT).into()))
                .expect("binding to an address of this host");
            assert!(!trace.output.ended(), "{}", trace.errors.text());
            trace.next(is_mark)
        });
        trace
    }

    /// A trace with just these arguments, which may not have begun yet.
    ///
    /// # Panics
    /// When it can't be run.
    #[must_use]
    pub fn spawn(host: &Host, arguments: &[&str]) -> Self {
        let mut command = host.command(failover_binary());
        command
            .arg("trace")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = host
            .spawn(&mut command)
            .unwrap_or_else(|error| panic!("{error:#}"));
        let output = process.child().stdout.take().expect("a pipe");
        let errors = process.child().stderr.take().expect("a pipe");
        Self {
            process,
            output: Lines::of(output),
            errors: Lines::of(errors),
            read: 0,
        }
    }

    /// Whether it hears of binds by the system call's tracepoints: not through io_uring, and all system
    /// calls of all processes are slower meanwhile.
    ///
    /// # Panics
    /// When it has no kernel program.
    #[must_use]
    pub fn traces_system_calls(&self) -> bool {
        traces_system_calls(self.process.pid())
    }

    /// Waits for an event, and continues from there the next time.
    ///
    /// # Panics
    /// With all events, when it doesn't come.
    pub fn shows(&mut self, what: &str, mut wanted: impl FnMut(&Line) -> bool) -> Line {
        wait::attempt(wait::LONG, || self.next(&mut wanted)).unwrap_or_else(|| {
            panic!(
                "not shown: {what}\n{}\n{}",
                self.output.text(),
                self.errors.text()
            )
        })
    }

    fn next(&mut self, mut wanted: impl FnMut(&Line) -> bool) -> Option<Line> {
        self.output.from(self.read).into_iter().find(|line| {
            self.read += 1;
            wanted(line)
        })
    }

    /// All lines of standard output so far, without the marks.
    #[must_use]
    pub fn shown(&self) -> Vec<Line> {
        let mut lines = self.output.from(0);
        lines.retain(|line| !is_mark(line));
        lines
    }

    /// Its standard error.
    #[must_use]
    pub fn errors(&self) -> &Lines {
        &self.errors
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end and its last output.
    ///
    /// # Panics
    /// When it doesn't end.
    pub fn end(&mut self, patience: Duration) -> ExitStatus {
        wait::until("the trace ends", patience, || {
            let ended = self.process.ended()?;
            (self.output.ended() && self.errors.ended()).then_some(ended)
        })
    }
}

/// One end of a connection, as in an event.
#[must_use]
pub fn endpoint(event: &Line, name: &str) -> Option<SocketAddr> {
    let end = event.json.get(name)?;
    let address = end.get("address")?.as_str()?.parse().ok()?;
    let port = end.get("port").and_then(Value::as_u64)?;
    Some(SocketAddr::new(address, u16::try_from(port).ok()?))
}

/// Is it this change of state?
#[must_use]
pub fn is_change(event: &Line, old: &str, new: &str) -> bool {
    event.field("kind") == "tcp-state" && event.field("old") == old && event.field("new") == new
}

fn is_mark(event: &Line) -> bool {
    endpoint(event, "local").is_some_and(|local| local.ip() == MARK)
}

/// Are the kernel programs of this process attached to tracepoints of system calls?
///
/// # Panics
/// When it has no kernel program.
#[must_use]
pub fn traces_system_calls(pid: u32) -> bool {
    let directory = format!("/proc/{pid}/fdinfo");
    let files = fs::read_dir(&directory).expect("its descriptors");
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    // Only tracepoints of that kind are attached by performance events (kernel/bpf/syscall.c, 6.18).
    let links: Vec<String> = texts
        .filter_map(|text| {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix("link_type:"))?;
            Some(value.trim().to_owned())
        })
        .collect();
    assert!(!links.is_empty(), "{pid} has no kernel program");
    links.iter().any(|link| link == "perf")
}
