//! Puts the kernel program where the library includes it from.
//!
//! `cargo xtask build` makes it. A plain `cargo build` or an editor works without: the binary then
//! says so when kernel events are asked for.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=FAILOVER_KERNEL_OBJECT");
    let output =
        PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("failover.o");
    let object = env::var_os("FAILOVER_KERNEL_OBJECT").map(PathBuf::from);
    let bytes = object.map_or_else(Vec::new, |path| {
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read(&path).unwrap_or_else(|_| {
            println!("cargo::warning=no kernel program yet; `cargo xtask build` makes it");
            Vec::new()
        })
    });
    fs::write(&output, bytes).expect("OUT_DIR is writable");
}
