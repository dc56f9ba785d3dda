//! Counting tests: reads the result lines of libtest.

use std::fmt;
use std::ops::{Add, AddAssign};

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Succeeded.
    pub(crate) passed: u64,
    /// Failed.
    pub(crate) failed: u64,
    /// Not run because the test says so (`#[ignore]`).
    pub(crate) skipped: u64,
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Collects the result lines from a stream of output that arrives in pieces.
#[derive(Default)]
pub(crate) struct Collector {
    line: Vec<u8>,
    results: Vec<Tally>,
}

impl Collector {
    /// Takes the next piece of output.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        for &byte in piece {
            if byte == b'\n' {
                self.end_line();
            } else {
                self.line.push(byte);
            }
        }
    }

    /// Returns the results, in the order of their lines.
    pub(crate) fn finish(mut self) -> Vec<Tally> {
        self.end_line();
        self.results
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.results.extend(parse(&without_colour(&line)));
        self.line.clear();
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`. It need not stand at the beginning
/// of a line: a program under test may have left half a line before it.
fn parse(line: &str) -> Option<Tally> {
    let (_, result) = line.rsplit_once("test result: ")?;
    let counts = result
        .strip_prefix("ok. ")
        .or_else(|| result.strip_prefix("FAILED. "))?;
    let count = |what: &str| -> Option<u64> {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(what)?.trim_end().parse().ok())
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
        skipped: count("ignored")?,
    })
}

/// Drops terminal escape sequences: libtest writes `ESC [ … m` and `ESC ( B`.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\x1b' {
            plain.push(character);
            continue;
        }
        if characters.next() == Some('[') {
            // Parameters, up to the letter that ends the sequence.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            characters.next();
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.01s";

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn result_lines() {
        assert_eq!(parse(OK), Some(tally(5, 0, 2)));
        let failed =
            "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(parse(failed), Some(tally(1, 3, 0)));
        assert_eq!(parse(&format!("half a line{OK}")), Some(tally(5, 0, 2)));
        assert_eq!(parse("running 5 tests"), None);
        assert_eq!(parse("test result: ok. 5 passed"), None);
        assert_eq!(
            parse("test result: maybe. 1 passed; 3 failed; 0 ignored"),
            None
        );
    }

    #[test]
    fn coloured_and_in_pieces() {
        let output = "test a ... ok\n\ntest result: \x1b[32mok\x1b(B\x1b[m. 5 passed; 0 failed; 2 ignored; 0 measured\n";
        for size in [1, 7, 1000] {
            let mut collector = Collector::default();
            for piece in output.as_bytes().chunks(size) {
                collector.feed(piece);
            }
            assert_eq!(collector.finish(), [tally(5, 0, 2)]);
        }
    }

    #[test]
    fn last_line_may_lack_its_end() {
        let mut collector = Collector::default();
        collector.feed(OK.as_bytes());
        assert_eq!(collector.finish(), [tally(5, 0, 2)]);
        assert_eq!(Collector::default().finish(), []);
    }

    #[test]
    fn closing_line() {
        let mut sum = tally(5, 0, 2);
        sum += tally(1, 3, 0);
        assert_eq!(sum.to_string(), "6 passed, 3 failed, 2 skipped");
    }
}
