//! Command lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| failover::fuzz::command_line(bytes));
