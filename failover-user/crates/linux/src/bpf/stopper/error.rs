//! Why a gateway can't be parked on this machine: each error says what to do. Without a stopper the standby is
//! cold.

use std::{io, path::PathBuf};

use aya::{
    maps::MapError,
    pin::PinError,
    programs::{ProgramError, links::LinkError},
};
use thiserror::Error;

use crate::bpf::{error::LoadError, stopper::target::TargetError};

/// Why the stopper can't be had.
#[derive(Debug, Error)]
pub enum StopperError {
    /// The programs can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no place for what has to outlive the process.
    #[error(
        "{place} is on no BPF file system, and none can be mounted: {source}; as root: mount -t bpf bpf /sys/fs/bpf"
    )]
    NoBpfFileSystem {
        /// Where it was looked for.
        place: PathBuf,
        /// Why it can't be mounted.
        source: io::Error,
    },
    /// A link that the kernel can't pin: those of the system call's tracepoints before 5.15.
    #[error(
        "this kernel can't watch functions, nor keep {0} attached without a process; parking needs Linux 5.15 here"
    )]
    NotPinnable(&'static str),
    /// Pinning failed for another reason.
    #[error(
        "pinning {what} at {path}: {reason}; is {path} on a BPF file system that root can write to?"
    )]
    Pin {
        /// What.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The directory lacks something, or holds something else.
    #[error("{place} isn't what failover has left there ({reason}); remove it and park again")]
    Damaged {
        /// The file.
        place: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another version of failover has left it.
    #[error(
        "{place} is of another version of failover ({found}); end what it has parked, remove it and park again"
    )]
    OtherVersion {
        /// The directory.
        place: PathBuf,
        /// Its contract's version.
        found: u32,
    },
    /// A file operation below the directory failed.
    #[error(
        "{deed} {place}: {source}; it takes root's rights, and in a sandbox a path that may be written"
    )]
    File {
        /// What was tried.
        deed: &'static str,
        /// Where.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The target can't be one.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The kernel doesn't take or give a map's value.
    #[error("asking the stopper's maps: {0}; remove the stopper's pins and park again")]
    Map(String),
    /// Waiting failed.
    #[error("waiting for the stop: {0}")]
    Wait(#[source] io::Error),
}

impl From<MapError> for StopperError {
    fn from(error: MapError) -> Self {
        Self::Map(chain(&error))
    }
}

impl From<ProgramError> for StopperError {
    fn from(error: ProgramError) -> Self {
        Self::Load(LoadError::from(error).explained())
    }
}

/// With `what` and the path.
pub fn pinning(what: &'static str, path: PathBuf) -> impl FnOnce(PinError) -> StopperError {
    move |error| StopperError::Pin {
        what,
        path,
        reason: chain(&error),
    }
}

/// A link that isn't one of the kernel's own objects.
pub fn not_pinnable(what: &'static str) -> impl FnOnce(LinkError) -> StopperError {
    move |_| StopperError::NotPinnable(what)
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let inner = current.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = current.source();
    }
    text
}
