//! Copies of the state between two hosts: over the system's ssh and rsync, between accounts without rights, by the
//! worker as the daemon runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod hand_back;
mod hostile;
mod rounds;
mod site;
mod way;
