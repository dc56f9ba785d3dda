//! A small gateway in place of the real one: it listens, answers health checks, and keeps idle
//! connections open, as OpenClaw does (2026.9.6). It can be told to start late, to drain for long,
//! or to die by itself.

use std::{
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        bind, listen,
        sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport},
    },
};

use crate::{duration, lab::host::stream_socket, signals};

const BACKLOG: i32 = 511;
/// Later ones are closed at once.
const MOST_CONNECTIONS: usize = 1000;
/// More than any request that is made here.
const LONGEST_REQUEST: usize = 8 * 1024;
/// How often SIGTERM is looked for, where it doesn't simply end the gateway.
const ATTENTION: Duration = Duration::from_millis(20);

/// `failover-lab gateway`
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where to listen; `[::]` takes IPv4 too unless an IPv4 address is given beside it
    #[arg(long, required = true, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Share the address with others who say so, too
    #[arg(long)]
    reuse_port: bool,
    /// Write the process number here once it listens
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Listen only after this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    start_delay: Option<Duration>,
    /// On SIGTERM go on for this time, as one that drains does
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    ignore_term: Option<Duration>,
    /// End by itself after having listened for this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    exit_after: Option<Duration>,
}

/// Serves until SIGTERM, or as told.
///
/// # Errors
/// When it can't listen.
pub fn run(options: &Options) -> Result<()> {
    if let Some(delay) = options.start_delay {
        thread::sleep(delay);
    }
    if options.ignore_term.is_some() {
        signals::note_termination(&[libc::SIGTERM]);
    }
    let only_v6 = options.listen.iter().any(SocketAddr::is_ipv4);
    let listeners = options
        .listen
        .iter()
        .map(|address| {
            listener(*address, only_v6, options.reuse_port)
                .with_context(|| format!("listening on {address}"))
        })
        .collect::<Result<Vec<_>>>()?;
    if let Some(path) = &options.pid_file {
        write_pid(path).with_context(|| format!("writing {}", path.display()))?;
    }
    serve(&listeners, options).context("serving")
}

fn listener(address: SocketAddr, only_v6: bool, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = stream_socket(address)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, reuse_port)?;
    if only_v6 && address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whole or not at all.
fn write_pid(path: &Path) -> io::Result<()> {
    let pid = std::process::id();
    let draft = path.with_extension(format!("{pid}.draft"));
    fs::write(&draft, pid.to_string())?;
    fs::rename(draft, path)
}

fn serve(listeners: &[TcpListener], options: &Options) -> io::Result<()> {
    let mut end = options.exit_after.map(|after| Instant::now() + after);
    let mut draining = false;
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        if let Some(patience) = options.ignore_term
            && signals::terminated()
            && !draining
        {
            draining = true;
            end = Some(Instant::now() + patience);
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(());
        }
        let attention = options.ignore_term.map(|_| ATTENTION);
        let timeout = [left, attention].into_iter().flatten().min();

        let ready = wait(listeners, &connections, timeout)?;
        let (ready_listeners, ready_connections) = ready.split_at(listeners.len());
        let mut answers = ready_connections.iter();
        connections.retain_mut(|connection| {
            answers.next().is_none_or(|ready| !ready) || connection.answer()
        });
        for (listener, ready) in listeners.iter().zip(ready_listeners) {
            while *ready && let Ok((stream, _)) = listener.accept() {
                if connections.len() < MOST_CONNECTIONS && stream.set_nonblocking(true).is_ok() {
                    connections.push(Connection {
                        stream,
                        request: Vec::new(),
                    });
                }
            }
        }
    }
}

/// Which of them have something to say.
fn wait(
    listeners: &[TcpListener],
    connections: &[Connection],
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let mut waiting: Vec<PollFd<'_>> = listeners
        .iter()
        .map(|listener| PollFd::new(listener, PollFlags::IN))
        .collect();
    waiting.extend(
        connections
            .iter()
            .map(|connection| PollFd::new(&connection.stream, PollFlags::IN)),
    );
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    match poll(&mut waiting, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(waiting
        .iter()
        .map(|one| !one.revents().is_empty())
        .collect())
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Connection {
    /// Reads what came and answers whole requests. `false`: it is over.
    fn answer(&mut self) -> bool {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self
                    .request
                    .extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
            if self.request.len() > LONGEST_REQUEST {
                return false;
            }
        }
        while let Some(request) = take_request(&mut self.request) {
            // An answer always fits into the socket's buffer, unless the client doesn't read.
            if self
                .stream
                .write_all(response(&request).as_bytes())
                .is_err()
            {
                return false;
            }
        }
        true
    }
}

/// The first whole request, without its body; there is none in what clients ask here.
fn take_request(bytes: &mut Vec<u8>) -> Option<String> {
    const END: &[u8] = b"\r\n\r\n";
    let end = bytes.windows(END.len()).position(|window| window == END)? + END.len();
    let request: Vec<u8> = bytes.drain(..end).collect();
    Some(String::from_utf8_lossy(&request).into_owned())
}

/// Unknown paths get a page with status 200, too: so does OpenClaw.
fn response(request: &str) -> String {
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    let (kind, body) = match path {
        "/healthz" => ("application/json", r#"{"ok":true,"status":"live"}"#),
        "/readyz" => ("application/json", r#"{"ready":true}"#),
        _ => ("text/html", "<!doctype html><title>Gateway</title>"),
    };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_once_it_is_whole() {
        let mut bytes = b"GET /healthz HTTP/1.1\r\nHost: a\r\n".to_vec();
        assert_eq!(take_request(&mut bytes), None);
        bytes.extend_from_slice(b"\r\nGET / HT");
        let request = take_request(&mut bytes).unwrap();
        assert!(response(&request).ends_with("\r\n\r\n{\"ok\":true,\"status\":\"live\"}"));
        assert_eq!(bytes, b"GET / HT");
    }

    #[test]
    fn unknown_paths_get_a_page() {
        assert!(response("GET /nowhere HTTP/1.1\r\n\r\n").contains("<!doctype html>"));
    }
}
