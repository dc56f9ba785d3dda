//! Where tracefs is, mounted where it is missing, as libtracefs does (tracefs-utils.c, 1.8).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount};
use thiserror::Error;

/// The usual places, the proper one first (Documentation/trace/ftrace.rst, 6.18).
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// tracefs may not be looked at, or isn't mounted and can't be.
#[derive(Debug, Error)]
#[error("{deed} {place}: {source}; {remedy}")]
pub struct TracefsError {
    deed: &'static str,
    place: &'static str,
    source: io::Error,
    remedy: &'static str,
}

/// The mount point. Mounts tracefs if nobody has, which stays: other tools want it too.
pub fn find_or_mount() -> Result<PathBuf, TracefsError> {
    for place in PLACES {
        match fs::metadata(Path::new(place).join("events")) {
            Ok(_) => return Ok(PathBuf::from(place)),
            // It may well be mounted, and mounting it again would help nobody.
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(TracefsError {
                    deed: "reading",
                    place,
                    source,
                    remedy: "run as root, or let a group read it: `mount -o remount,gid=GROUP /sys/kernel/tracing`",
                });
            }
            Err(_) => {}
        }
    }
    let place = PLACES[0];
    match mount("nodev", place, "tracefs", MountFlags::empty(), None) {
        Ok(()) => Ok(PathBuf::from(place)),
        Err(errno) => Err(TracefsError {
            deed: "mounting tracefs on",
            place,
            source: errno.into(),
            remedy: "run as root, or `mount -t tracefs nodev /sys/kernel/tracing`",
        }),
    }
}
