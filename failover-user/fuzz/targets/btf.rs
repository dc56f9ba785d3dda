//! The kernel's BTF.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| failover::fuzz::btf(bytes));
