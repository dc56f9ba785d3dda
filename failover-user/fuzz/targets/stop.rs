//! Records of the stopper's ring buffer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| failover::fuzz::stop(bytes));
