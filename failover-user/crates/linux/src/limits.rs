//! This process's own limits: raised as far as it may, and given back to what it runs.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Many times what the daemon ever has open.
const WANTED: u64 = 16 * 1024;
/// Below this a busy moment may take the last one.
const FEW: u64 = 256;

/// As it was given.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Raises how many file descriptors it may have: without one nothing can be probed.
pub fn raise_descriptors() {
    let given = getrlimit(Resource::Nofile);
    GIVEN.get_or_init(|| given);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= WANTED);
    if enough(given.current) {
        return;
    }
    // Above the hard limit with CAP_SYS_RESOURCE only.
    let beyond = Rlimit {
        current: Some(WANTED),
        maximum: given.maximum.map(|maximum| maximum.max(WANTED)),
    };
    let within = Rlimit {
        current: Some(given.maximum.map_or(WANTED, |maximum| maximum.min(WANTED))),
        maximum: given.maximum,
    };
    if setrlimit(Resource::Nofile, beyond).is_err()
        && let Err(error) = setrlimit(Resource::Nofile, within)
    {
        debug!(%error, "the limit of open files can't be raised");
    }
    let limit = getrlimit(Resource::Nofile).current;
    if let Some(limit) = limit.filter(|limit| *limit < FEW) {
        warn!(
            limit,
            "few files may be open at a time, and a probe needs one: raise LimitNOFILE, or `ulimit -Hn`"
        );
    }
}

/// Gives the limit back that this process was given: programs that use select(2) can't do with more than
/// 1024. One bare system call, for between fork and exec.
pub fn restore_descriptors() {
    if let Some(given) = GIVEN.get() {
        // Where it can't be set back, more is no harm to most.
        let _ = setrlimit(Resource::Nofile, *given);
    }
}
