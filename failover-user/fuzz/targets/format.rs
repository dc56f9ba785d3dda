//! Tracepoint format files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| failover::fuzz::format(bytes));
