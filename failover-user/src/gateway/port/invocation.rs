//! What descends from our own start: recognised by a variable that the start command was given, and
//! that whatever it begins inherits. A number of this machine's own, kept in the state directory, so
//! that a daemon that was restarted knows its gateway again. Losing it is safe: then the gateway has
//! to be known by what it is.

use std::{io, path::Path};

use rustix::rand::{GetRandomFlags, getrandom};

use failover_linux::{
    files,
    process::{ProcessKey, has_variable},
};

const FILE: &str = "launch";
const BYTES: usize = 16;
const DIGITS: usize = 2 * BYTES;

/// Marks what a start command begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvocationMark {
    number: String,
}

impl InvocationMark {
    /// The variable's name.
    pub const VARIABLE: &'static str = "FAILOVER_LAUNCH";

    /// The number in the state directory; a new one where there is none. One that can't be kept is
    /// good for as long as this process lives.
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

    /// The same, where there is one.
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

    /// Was this process begun by a start command of ours, or by what that began?
    #[must_use]
    pub fn began(&self, process: ProcessKey) -> bool {
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
