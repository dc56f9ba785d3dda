//! A parked gateway that was ended is no crash: OpenClaw would take three of them for a crash loop, and come up without
//! its channels when it is needed (see [`failover_sync::database::close_starts`]). Runs as the gateway's account.

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use failover_sync::database;

use crate::gateway::command::unit::Scope;

/// Below the account's home.
const DATABASE: &str = ".openclaw/state/openclaw.sqlite";
const REASON: &str = "failover: it was parked, and ended without having served";
/// Another program of the account may be writing.
const WITHIN: Duration = Duration::from_secs(3);

/// Says so in OpenClaw's record of these processes, if they have one. A system unit's account isn't known here, and root
/// opens no database of anybody's.
pub(super) fn close(scope: Scope, processes: &[u32]) {
    let home = match scope {
        Scope::User => env::var_os("HOME").map(PathBuf::from),
        Scope::System => None,
    };
    let Some(home) = home.filter(|home| home.is_absolute()) else {
        return;
    };
    let deadline = Instant::now() + WITHIN;
    let closed = database::close_starts(&home.join(DATABASE), processes, REASON, deadline);
    if let Err(error) = closed {
        eprintln!(
            "failover: OpenClaw may count this as a crash, and after three within five minutes it comes up without its \
             channels: {error}"
        );
    }
}
