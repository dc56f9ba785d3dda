//! The invocation mark: an environment variable that the start command gets and its descendants inherit,
//! so that a listening process can be recognised as the result of our own start. Its value is a random
//! number of this machine, kept in the state directory, so that a restarted daemon recognises its gateway.
//! Losing it is safe: the gateway is then recognised by its identity alone.

use std::{io, path::Path};

use rustix::rand::{GetRandomFlags, getrandom};

use failover_linux::{
    files,
    process::{ProcessKey, has_variable},
};

const FILE: &str = "launch";
const BYTES: usize = 16;
const DIGITS: usize = 2 * BYTES;

/// Marks the descendants of a start command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvocationMark {
    number: String,
}

impl InvocationMark {
    /// The variable's name.
    pub const VARIABLE: &'static str = "FAILOVER_LAUNCH";

    /// The number in the state directory, or a new one. A number that can't be stored is valid while
    /// this process runs.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        let path = state_dir.join(FILE);
        if let Ok(number) = kept(&path) {
            return Self { number };
        }
        let mut bytes = [0; BYTES];
        // An early boot has no random numbers yet. One that can be guessed would be worse than none.
        if getrandom(&mut bytes, GetRandomFlags::NONBLOCK) != Ok(BYTES) {
            tracing::warn!(
                "no random number yet: what is started has no mark; restart the daemon to get one"
            );
            return Self {
                number: String::new(),
            };
        }
        let number = bytes
            .iter()
            .fold(String::new(), |number, byte| format!("{number}{byte:02x}"));
        // On disk before the number marks anything: a gateway must be known again after a loss of power.
        if let Err(error) = files::replace(&path, number.as_bytes()) {
            tracing::warn!(
                %error, file = %path.display(),
                "the mark of what is started can't be kept; a restarted daemon may not know its gateway by it"
            );
        }
        Self { number }
    }

    /// The number in the state directory, if there is one.
    #[must_use]
    pub fn kept_in(state_dir: &Path) -> Option<Self> {
        let number = kept(&state_dir.join(FILE)).ok()?;
        Some(Self { number })
    }

    /// The variable's value.
    #[must_use]
    pub fn value(&self) -> String {
        self.number.clone()
    }

    /// Does this process descend from a start command of ours?
    #[must_use]
    pub fn is_on(&self, process: ProcessKey) -> bool {
        !self.number.is_empty() && has_variable(process, Self::VARIABLE, &self.number)
    }
}

fn kept(path: &Path) -> io::Result<String> {
    let text = files::read_own(path, DIGITS as u64 + 1)?;
    let is_number = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number
        .then_some(text)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_number_is_the_same_for_the_next_daemon_and_another_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let mark = InvocationMark::of(folder.path());
        assert_eq!(InvocationMark::of(folder.path()), mark);
        assert_ne!(
            InvocationMark::of(tempfile::tempdir().unwrap().path()),
            mark
        );
    }

    #[test]
    fn a_broken_file_is_replaced_and_a_missing_folder_is_done_without() {
        let folder = tempfile::tempdir().unwrap();
        for broken in ["", "1234", &"g".repeat(DIGITS), &"0".repeat(DIGITS + 1)] {
            fs::write(folder.path().join(FILE), broken).unwrap();
            let mark = InvocationMark::of(folder.path());
            assert_eq!(mark.value().len(), DIGITS);
            assert_eq!(InvocationMark::of(folder.path()), mark);
        }
        let nowhere = InvocationMark::of(Path::new("/no/such/folder"));
        assert_eq!(nowhere.value().len(), DIGITS);
    }
}
