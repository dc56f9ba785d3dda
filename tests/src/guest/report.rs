//! The results of the checks, and their summary in one line.

use std::{
    any::Any,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// More of a failure's message than this is on the console, not in the verdict.
const LONGEST_MESSAGE: usize = 500;

/// The outcome of all checks so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    passed: usize,
    /// Name and message.
    failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Runs a check, which passes unless it panics. `None`: it failed.
    pub(super) fn check<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> Option<T> {
        let began = Instant::now();
        // What a failed check leaves half done is only looked at by other checks, which then fail.
        let result = catch_unwind(AssertUnwindSafe(work));
        let seconds = began.elapsed().as_secs_f64();
        match result {
            Ok(value) => {
                println!("passed in {seconds:.1} s: {name}");
                self.passed += 1;
                Some(value)
            }
            Err(panic) => {
                println!("FAILED in {seconds:.1} s: {name}");
                self.failed.push((name, message(&*panic)));
                None
            }
        }
    }

    /// Has every check passed?
    pub(super) fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }

    /// One line: how many passed, or which failed and why.
    pub(super) fn verdict(&self) -> String {
        if self.is_clean() {
            return format!("passed {} checks", self.passed);
        }
        let mut verdict = format!(
            "FAILED {} of {} checks",
            self.failed.len(),
            self.failed.len() + self.passed
        );
        for (name, message) in &self.failed {
            let shown = message.chars().take(LONGEST_MESSAGE).collect::<String>();
            let _ = write!(verdict, "; {name}: {}", shown.escape_debug());
        }
        verdict
    }
}

/// The message of the panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked without a message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_passed() {
        let mut report = Report::default();
        assert_eq!(report.check("one", || 1), Some(1));
        assert_eq!(report.check("two", || 2), Some(2));
        assert!(report.is_clean());
        assert_eq!(report.verdict(), "passed 2 checks");
    }

    #[test]
    fn a_failure_is_reported_in_one_line() {
        let mut report = Report::default();
        report.check("good", || ());
        assert_eq!(report.check::<()>("bad", || panic!("one\ntwo {}", 3)), None);
        report.check::<()>("worse", || panic!("plain"));
        assert_eq!(
            report.verdict(),
            "FAILED 2 of 3 checks; bad: one\\ntwo 3; worse: plain"
        );
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut report = Report::default();
        report.check::<()>("bad", || panic!("{}", "ä".repeat(1000)));
        assert_eq!(report.verdict().matches('ä').count(), LONGEST_MESSAGE);
    }
}
