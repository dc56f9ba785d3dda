//! Puts the kernel programs where the library includes them from.
//!
//! `cargo xtask build` makes them. A plain `cargo build` or an editor works without: the binary then
//! says so when kernel events, or a parked gateway, are asked for.

use std::{env, fs, path::PathBuf};

/// The event program and the stopper.
const OBJECTS: [&str; 2] = ["failover.o", "stopper.o"];

fn main() {
    println!("cargo::rerun-if-env-changed=FAILOVER_KERNEL_OBJECTS");
    let output = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let objects = env::var_os("FAILOVER_KERNEL_OBJECTS").map(PathBuf::from);
    for name in OBJECTS {
        let bytes = objects.as_ref().map_or_else(Vec::new, |folder| {
            let path = folder.join(name);
            println!("cargo::rerun-if-changed={}", path.display());
            fs::read(&path).unwrap_or_else(|_| {
                println!("cargo::warning=no {name} yet; `cargo xtask build` makes it");
                Vec::new()
            })
        });
        fs::write(output.join(name), bytes).expect("OUT_DIR is writable");
    }
}
