//! Where tracefs is, mounted where it is missing, as libtracefs does (tracefs-utils.c, 1.8).

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount};
use thiserror::Error;

/// The usual places, the proper one first (Documentation/trace/ftrace.rst, 6.18).
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// tracefs isn't mounted and can't be.
#[derive(Debug, Error)]
#[error("mounting tracefs on {place}: {source}")]
pub struct TracefsError {
    place: &'static str,
    source: io::Error,
}

/// The mount point. Mounts tracefs if nobody has, which stays: other tools want it too.
pub(super) fn find_or_mount() -> Result<PathBuf, TracefsError> {
    let is_mounted = |place: &&str| Path::new(place).join("events").is_dir();
    if let Some(place) = PLACES.iter().find(|place| is_mounted(place)) {
        return Ok(PathBuf::from(place));
    }
    let place = PLACES[0];
    match mount("nodev", place, "tracefs", MountFlags::empty(), None) {
        Ok(()) => Ok(PathBuf::from(place)),
        Err(errno) => Err(TracefsError {
            place,
            source: errno.into(),
        }),
    }
}
