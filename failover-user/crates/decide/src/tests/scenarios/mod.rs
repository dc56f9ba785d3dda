//! Stories with exact times, at the mission's numbers: 30 s, 5 s, 3 strikes, recovery 1 s.
//!
//! Scheduled probes begin at 0, 30, 60, 90, …; answers and refusals take no time, the start command
//! 2 s and the stop command 1 s, unless a story says otherwise.

mod drills;
mod driver;
mod evidence;
mod guard;
mod hanging;
mod holding;
mod judgement;
mod operator;
mod parking;
mod path;
mod reconfigure;
mod release;
mod starting;
mod stopping;
mod takeover;
