//! The connection of a check, encrypted or not, and the kernel's information about it.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use failover_decide::{Failure, NoAnswer};
use failover_linux::errno;

use crate::primary::check::{fault::Fault, tls, wrong_answer::WrongAnswer};

/// A byte stream, encrypted or not.
pub(super) type Channel = Box<dyn Duplex>;

/// The common interface of both kinds.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The kernel's information about an established connection.
pub(super) fn of_io(error: &io::Error) -> Fault {
    if let Some(fault) = tls::fault_in(error) {
        return fault;
    }
    match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE) => NoAnswer::Reset.into(),
        Some(libc::ETIMEDOUT) => NoAnswer::TimedOut.into(),
        // Ended from outside, as `ss --kill` does; or out of memory.
        Some(errno @ (libc::ECONNABORTED | libc::ENOMEM | libc::ENOBUFS)) => Fault::Own(format!(
            "the connection was ended on PC-B: {}",
            errno::describe(errno)
        )),
        Some(errno) => Failure::Unreachable { errno }.into(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => NoAnswer::Closed.into(),
        // The kernel's own errors have a number: a library has misliked what came.
        None => WrongAnswer::NotHttp.into(),
    }
}
