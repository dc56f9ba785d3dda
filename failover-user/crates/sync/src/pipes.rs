//! What a remote shell of rsync's does in a connection that is there already: it asks what rsync asks, and passes on what
//! comes and goes. It knows only the pipes of that connection, which it has inherited.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write as _},
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::ffi::OsStrExt as _,
    },
    thread,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::{FdFlags, fcntl_setfd},
};
use serde::{Deserialize, Serialize};

/// What rsync asks, in bytes: the program there reads exactly this.
const QUESTION: usize = 1024;

/// The numbers of the connection's pipes in the transport.
#[derive(Deserialize, Serialize)]
pub(crate) struct Pipes {
    to: i32,
    from: i32,
}

impl Pipes {
    /// What is run from now on has both.
    pub(crate) fn inheritable(to: &impl AsFd, from: &impl AsFd) -> io::Result<Self> {
        Ok(Self {
            to: inheritable(to)?,
            from: inheritable(from)?,
        })
    }

    /// Asks what rsync asks there, and passes on what comes and goes until the connection ends.
    pub(crate) fn carry(&self, command: &OsStr) -> io::Result<()> {
        let place = |number| format!("/proc/self/fd/{number}");
        let mut to = File::options().write(true).open(place(self.to))?;
        let mut from = File::open(place(self.from))?;
        to.write_all(&question(command)?)?;
        thread::spawn(move || pass_on(&mut io::stdin().lock(), &mut to));
        // Without the standard library's buffer, which waits for the end of a line.
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        // rsync has it otherwise for remote shells that can wait for several things at once (rsync(1), --blocking-io).
        fcntl_setfl(&output, fcntl_getfl(&output)?.difference(OFlags::NONBLOCK))?;
        pass_on(&mut from, &mut File::from(output))
    }
}

/// What rsync asks, up to the paths: which those are is not its business. Filled up with what a shell drops.
fn question(command: &OsStr) -> io::Result<Vec<u8>> {
    let command = command.as_bytes();
    let end = command.windows(3).position(|three| three == b" . ");
    let options = end.and_then(|end| command.get(..end));
    let mut question = options.unwrap_or(command).to_vec();
    question.extend_from_slice(b" . /");
    if question.len() >= QUESTION {
        return Err(io::Error::other("rsync asks with too many options"));
    }
    question.resize(QUESTION, b'\n');
    Ok(question)
}

/// Its number.
fn inheritable(pipe: &impl AsFd) -> io::Result<i32> {
    let pipe = pipe.as_fd();
    fcntl_setfd(pipe, FdFlags::empty())?;
    Ok(pipe.as_raw_fd())
}

/// Each piece at once: `io::copy` has the kernel do it, and held back what rsync sent from its socket pair until rsync
/// gave up (seen with Linux 6.18).
pub(crate) fn pass_on(from: &mut impl io::Read, to: &mut impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => to.write_all(buffer.get(..length).unwrap_or_default())?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rsync_asks_is_as_long_as_the_other_side_reads() {
        let asked = question("rsync --server --sender -lt . /a /b . /c".as_ref()).unwrap();
        assert_eq!(asked.len(), QUESTION);
        assert_eq!(asked.trim_ascii_end(), b"rsync --server --sender -lt . /");
        assert!(question("x".repeat(2000).as_ref()).is_err());
    }
}
