//! A host of the lab: a namespace with one cable, and what runs there.

use std::{
    ffi::OsStr,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use anyhow::{Context as _, Result};
use rustix::{
    net::{
        AddressFamily, Shutdown, SocketFlags, SocketType, bind, listen, shutdown, socket_with,
        sockopt::set_socket_reuseaddr,
    },
    process::{Pid, Signal, kill_process},
};

use super::namespace::Namespace;
use crate::{PORT, moment::Moment, wait};

/// A host. Clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    number: u8,
    namespace: Namespace,
    lab_binary: PathBuf,
}

impl Host {
    pub(super) fn new(name: &str, number: u8, namespace: Namespace, lab_binary: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            number,
            namespace,
            lab_binary,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its IPv4 address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, self.number)
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn address6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(self.number))
    }

    /// The address of its gateway.
    #[must_use]
    pub fn gateway_address(&self) -> SocketAddr {
        (self.address(), PORT).into()
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A command that runs there.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.namespace.command(program)
    }

    /// A verb of the lab's own binary, to be run there.
    #[must_use]
    pub fn lab_command(&self, verb: &str) -> Command {
        let mut command = self.command(&self.lab_binary);
        command.arg(verb);
        command
    }

    /// Runs a command there to its end.
    ///
    /// # Panics
    /// When it can't be run or fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("running {program} on {}: {error}", self.name));
        assert!(
            status.success(),
            "{program} {} on {}: {status}: {}",
            arguments.join(" "),
            self.name,
            String::from_utf8_lossy(&stderr)
        );
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// Runs `work` there, on a thread with this name. Sockets made there stay there.
    pub fn enter<T: Send>(&self, thread: &str, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.enter(thread, work)
    }

    /// A connection from there.
    ///
    /// # Errors
    /// From the kernel.
    pub fn connect(&self, address: impl Into<SocketAddr>) -> io::Result<TcpStream> {
        let address = address.into();
        self.enter("client", || TcpStream::connect(address))
    }

    /// A listener there that doesn't accept by itself, with room for `backlog` + 1 connections.
    ///
    /// # Errors
    /// From the kernel.
    pub fn listen(&self, address: impl Into<SocketAddr>, backlog: i32) -> io::Result<TcpListener> {
        let address = address.into();
        self.enter("listener", || {
            let socket = bound(address)?;
            listen(&socket, backlog)?;
            Ok(socket.into())
        })
    }

    /// Does a process there listen on the port?
    #[must_use]
    pub fn listens(&self, port: u16) -> bool {
        self.has_socket(is_listener, port)
    }

    /// Is a connection from there to such a port unanswered?
    #[must_use]
    pub fn connects(&self, port: u16) -> bool {
        self.has_socket(is_connecting, port)
    }

    fn has_socket(&self, wanted: fn(&str, u16) -> bool, port: u16) -> bool {
        self.enter("look", || {
            ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"]
                .into_iter()
                .any(|table| {
                    let table = fs::read_to_string(table).unwrap_or_default();
                    table.lines().any(|line| wanted(line, port))
                })
        })
    }

    /// Waits until a process there listens on the gateway's port, or none does.
    ///
    /// # Panics
    /// When that takes long.
    pub fn await_listening(&self, wanted: bool) {
        let what = format!(
            "{} on {} on port {PORT}",
            if wanted { "a listener" } else { "no listener" },
            self.name
        );
        wait::until(&what, wait::LONG, || {
            (self.listens(PORT) == wanted).then_some(())
        });
    }

    /// Runs a gateway there, and waits until it listens.
    ///
    /// # Errors
    /// When it can't be run or doesn't listen.
    pub fn gateway(&self) -> Result<Process> {
        self.gateway_with(&[])
    }

    /// The same with more arguments: those of [`crate::gateway::Options`].
    ///
    /// # Errors
    /// When it can't be run or doesn't listen.
    pub fn gateway_with(&self, arguments: &[&str]) -> Result<Process> {
        let mut command = self.lab_command("gateway");
        command
            .args(arguments)
            .args(["--listen", &format!("0.0.0.0:{PORT}")])
            .args(["--listen", &format!("[::]:{PORT}")]);
        let gateway = self.spawn(&mut command)?;
        wait::attempt(wait::LONG, || self.listens(PORT).then_some(()))
            .with_context(|| format!("the gateway on {} doesn't listen", self.name))?;
        Ok(gateway)
    }

    /// Starts a command made by [`Self::command`] with nothing on its standard input.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn spawn(&self, command: &mut Command) -> Result<Process> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("running {:?} on {}", command.get_program(), self.name))?;
        Ok(Process(child))
    }
}

/// A process of the lab. Dropping it kills it.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its ends of the pipes, where there are any.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Sends it a signal, and returns when.
    ///
    /// # Panics
    /// When it has ended and been waited for.
    pub fn signal(&self, signal: Signal) -> Moment {
        let now = Moment::now();
        let pid = i32::try_from(self.0.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process number");
        // Not waited for yet, so the number is still its own.
        kill_process(pid, signal).expect("sending a signal to a process of the lab");
        now
    }

    /// Kills it, and returns when that began. It is gone when this returns.
    pub fn kill(mut self) -> Moment {
        let now = self.signal(Signal::KILL);
        let _ = self.0.wait();
        now
    }

    /// Its exit status, if it has ended.
    ///
    /// # Panics
    /// When the system doesn't report it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("waiting for a process of the lab")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends a listener of this process at once. One that is merely closed lives on as long as a command
/// that another thread is just starting has its copy of it.
///
/// # Panics
/// When it doesn't listen.
pub fn end_listener(listener: TcpListener) {
    shutdown(&listener, Shutdown::Read).expect("shutting down a listener");
    drop(listener);
}

/// A socket for TCP to or from such an address, in the caller's namespace.
///
/// # Errors
/// From the kernel.
pub fn stream_socket(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = match address.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// The same, bound to the address, which may have been in use until now.
///
/// # Errors
/// From the kernel.
pub fn bound(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let socket = stream_socket(address)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    Ok(socket)
}

/// Is this line of `/proc/net/tcp` a listener on the port?
fn is_listener(line: &str, port: u16) -> bool {
    const LISTEN: &str = "0A";
    socket(line).is_some_and(|(local, _, state)| local == port && state == LISTEN)
}

/// Is it an unanswered connection to the port?
fn is_connecting(line: &str, port: u16) -> bool {
    const SYN_SENT: &str = "02";
    socket(line).is_some_and(|(_, remote, state)| remote == port && state == SYN_SENT)
}

/// Local port, remote port and state in a line of `/proc/net/tcp`.
fn socket(line: &str) -> Option<(u16, u16, &str)> {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let mut words = line.split_whitespace().skip(1);
    Some((port(words.next()?)?, port(words.next()?)?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_distinguished_from_a_connection() {
        let listener = "   0: 00000000:4965 00000000:0000 0A 00000000:00000000 00:00000000";
        let connection = "   1: 0100000A:4965 0200000A:9C40 01 00000000:00000000 00:00000000";
        let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when";
        assert!(is_listener(listener, 18789));
        assert!(!is_listener(listener, 80));
        assert!(!is_listener(connection, 18789));
        assert!(!is_listener(header, 18789));
        let unanswered = "   2: 0200000A:9C40 0100000A:4965 02 00000001:00000000 01:00000000";
        assert!(is_connecting(unanswered, 18789));
        assert!(!is_connecting(connection, 18789));
    }
}
