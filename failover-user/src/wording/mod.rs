//! What people read: one sentence a state, a reason, a failure, a problem, an outcome, and nowhere else.
//! Whoever shows something, be it in the log, the status, the page, the history or a notice, has its
//! words from here. Pure: what is said depends on what is given alone.

pub(crate) mod notice;
