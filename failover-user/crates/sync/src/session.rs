//! The connection of a round: it asks for copies first, and what rsync then fetches comes through it as well. A connection
//! costs both sides more than all the rest of a round in which little has changed.
//!
//! rsync runs its remote shell itself. That is the [transport](crate::transport), which inherits the pipes of this
//! connection and so is a client of it, not of sshd.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::AsFd as _,
    process::{ChildStdin, ChildStdout, Command},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use crate::{
    children::{self, Group, Unfinished},
    failure::Failure,
    outcome::FailedStep,
    pipes::Pipes,
    source::{Answer, AnswerError, LONGEST_ANSWER},
    transport::{Line, Way, WayError},
};

/// From the end of what goes through it to its own.
const END_WITHIN: Duration = Duration::from_secs(2);

/// See the module.
pub(crate) struct Session<'a> {
    way: &'a Way,
    to: ChildStdin,
    from: ChildStdout,
    complaint: Receiver<String>,
    group: Group,
}

impl<'a> Session<'a> {
    /// Connects, and asks for copies.
    pub(crate) fn open(way: &'a Way, request: &[u8]) -> Result<(Self, Answer), WayError> {
        let mut command = way.command(&format!("round {}", request.len()))?;
        let mut group = Group::spawn(&mut command).map_err(|error| way.unfinished(&error))?;
        let complaint = children::complaint_of(&mut group);
        let (to, from) = group
            .pipes()
            .ok_or_else(|| WayError::Local("a program without pipes".to_owned()))?;
        let mut session = Self {
            way,
            to,
            from,
            complaint,
            group,
        };
        // It may end before it has read that, and says why.
        let _ = session.to.write_all(request);
        let line = session.line()?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(match session.ended() {
                Some(error) if line.is_empty() => error,
                Some(_) | None => AnswerError::Length(line.len()).into(),
            });
        };
        match Answer::parse(line.trim_ascii(), &way.paths)? {
            Answer::Failed { error } => Err(way.refused(error)),
            answer => Ok((session, answer)),
        }
    }

    /// Where it leads.
    pub(crate) const fn way(&self) -> &Way {
        self.way
    }

    /// The answer with its end, as far as it comes.
    fn line(&mut self) -> Result<Vec<u8>, WayError> {
        let (report, reports) = mpsc::channel();
        let from = self.from.as_fd().try_clone_to_owned();
        let from = from.map_err(|error| WayError::Local(error.to_string()))?;
        thread::spawn(move || report.send(read_line(File::from(from))));
        let left = self.way.deadline.saturating_duration_since(Instant::now());
        let read = reports.recv_timeout(left);
        let read = read.map_err(|_| self.way.unfinished(&Unfinished::TooLong))?;
        read.map_err(|error| WayError::Local(error.to_string()))
    }

    /// Has rsync run through it.
    pub(crate) fn equip(&self, rsync: &mut Command) -> Result<(), Failure> {
        let pipes = Pipes::inheritable(&self.to, &self.from).map_err(Failure::local)?;
        Ok(self.way.equip(rsync, Line::Round(pipes))?)
    }

    /// Ends it. Where what went through it has failed, it may know better why.
    pub(crate) fn end<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        let destination = self.way.source.destination.clone();
        let ended = self.ended();
        result.map_err(|failure| match (failure.step, ended) {
            (FailedStep::Transfer, Some(WayError::NotReached { words, .. })) => Failure {
                step: FailedStep::Reach,
                error: format!("copying, with {destination}: {words}"),
            },
            (FailedStep::Transfer, Some(WayError::Refused { words, .. })) if !words.is_empty() => {
                Failure {
                    step: FailedStep::Transfer,
                    error: format!("{}; {destination} reports: {words}", failure.error),
                }
            }
            (_, _) => failure,
        })
    }

    /// With its input it ends. Why it did if that was not as it should be.
    fn ended(self) -> Option<WayError> {
        let Self {
            way,
            to,
            from,
            complaint,
            mut group,
        } = self;
        drop(to);
        let status = group.wait(Instant::now() + END_WITHIN).ok().flatten();
        // Not before: ssh fails where nobody takes what it still has.
        drop(from);
        let status = status.filter(|status| !status.success())?;
        let complaint = complaint.recv_timeout(END_WITHIN).unwrap_or_default();
        Some(way.ended(status, &complaint))
    }
}

/// Up to the end of the line. The other side sends nothing after it before it is asked again.
fn read_line(mut from: File) -> io::Result<Vec<u8>> {
    let (mut line, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    while !line.ends_with(b"\n") && line.len() <= LONGEST_ANSWER {
        match from.read(&mut piece)? {
            0 => break,
            length => line.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
    Ok(line)
}
