//! The limit that stands before the memory of kernel programs.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Up to 5.10 BPF memory counts against the locked memory of a process; where raising that limit isn't
/// allowed, loading may work all the same.
pub fn lift() {
    let _ = setrlimit(
        Resource::Memlock,
        Rlimit {
            current: None,
            maximum: None,
        },
    );
}
