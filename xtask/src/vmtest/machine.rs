//! The kinds of machine that can be emulated, and what differs between them.

use std::env;

use anyhow::{Result, bail};

use crate::cross::Target;

/// A kind of machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Machine {
    /// A PC.
    Amd64,
    /// QEMU's `virt`, with 64-bit ARM.
    Arm64,
}

impl Machine {
    /// The one that runs what is built for this target, or what is built as usual.
    pub(super) fn of(target: Option<Target>) -> Result<Self> {
        match (target, env::consts::ARCH) {
            (Some(Target::Arm64), _) | (None, "aarch64") => Ok(Self::Arm64),
            (None, "x86_64") => Ok(Self::Amd64),
            (None, other) => bail!(
                "vmtest knows no machine that runs programs for {other}; try --target \
                 aarch64-unknown-linux-gnu"
            ),
        }
    }

    /// Debian's name for it.
    pub(super) fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// What emulates it, and the package that has that.
    pub(super) fn emulator(self) -> (&'static str, &'static str) {
        match self {
            Self::Amd64 => ("qemu-system-x86_64", "qemu-system-x86"),
            Self::Arm64 => ("qemu-system-aarch64", "qemu-system-arm"),
        }
    }

    /// The emulator's own options for it.
    pub(super) fn options(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &["-cpu", "max"],
            // Pointer authentication as the standard has it takes most of the time.
            Self::Arm64 => &["-machine", "virt", "-cpu", "max,pauth-impdef=on"],
        }
    }

    /// The kernel's name for the first serial line.
    pub(super) fn console(self) -> &'static str {
        match self {
            Self::Amd64 => "ttyS0",
            Self::Arm64 => "ttyAMA0",
        }
    }
}
