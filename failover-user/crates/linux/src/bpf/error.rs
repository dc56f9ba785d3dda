//! Why there are no kernel events: each error says what to do about it.

use std::io;

use aya::{
    BtfError, Ebpf, EbpfError,
    maps::MapError,
    programs::{Program, ProgramError},
};
use thiserror::Error;

use crate::bpf::layout::LayoutError;

/// How far the kernel is closed to root (Documentation/admin-guide/LSM, kernel_lockdown(7)).
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// The only mode in which it may not be read: no tracefs, no `bpf_probe_read_kernel`
/// (security/security.c, 6.18, `lockdown_reasons`).
const CONFIDENTIALITY: &str = "[confidentiality]";

/// Why there are no kernel events. Each says what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A plain `cargo build` without the kernel program.
    #[error("this binary was built without its kernel program; build it with `cargo xtask build`")]
    NotBuiltIn,
    /// The kernel lacks something.
    #[error(
        "{0}; kernel events need Linux 5.9 or later with CONFIG_DEBUG_INFO_BTF, and root's rights to read them"
    )]
    Layout(#[from] LayoutError),
    /// Neither functions nor the system call can be traced.
    #[error("binds of the port cannot be traced, everything else can: {0}")]
    Binds(#[source] LayoutError),
    /// The kernel keeps even root from reading its memory.
    #[error(
        "this kernel is locked down ({mode}, see {LOCKDOWN}), so kernel events are unavailable or incomplete; boot it without lockdown={mode}, or set --kernel-events off. Without lockdown the error would mean: {source}"
    )]
    LockedDown {
        /// How.
        mode: String,
        /// What has failed.
        source: Box<LoadError>,
    },
    /// The namespaces of this process are unknown.
    #[error("reading {path}: {source}; is /proc mounted?")]
    Namespace {
        /// The file.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Not allowed.
    #[error(
        "loading the eBPF program is not permitted ({0}); run as root, or with CAP_BPF and CAP_PERFMON"
    )]
    NotPermitted(String),
    /// The kernel refused the program or a map.
    #[error("the kernel rejected the eBPF program: {0}; it needs Linux 5.9 or later")]
    Refused(String),
    /// The object lacks a map or program: built from another version.
    #[error("the eBPF program has no `{0}`; rebuild it with `cargo xtask build`")]
    Incomplete(&'static str),
    /// Waiting for events failed.
    #[error("waiting for kernel events: {0}")]
    Wait(#[source] io::Error),
}

impl LoadError {
    /// Is the error temporary, such as a lack of memory or file descriptors?
    #[must_use]
    pub fn may_pass(&self) -> bool {
        const PASSING: [i32; 5] = [
            libc::EAGAIN,
            libc::EINTR,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
        ];
        match self {
            Self::Wait(error)
            | Self::Namespace { source: error, .. }
            | Self::Layout(LayoutError::Read { source: error, .. }) => error
                .raw_os_error()
                .is_some_and(|errno| PASSING.contains(&errno)),
            // The library's own errors are kept as text.
            Self::Refused(text) => PASSING
                .iter()
                .any(|errno| text.contains(&format!("(os error {errno})"))),
            Self::Layout(_)
            | Self::Binds(_)
            | Self::LockedDown { .. }
            | Self::NotBuiltIn
            | Self::NotPermitted(_)
            | Self::Incomplete(_) => false,
        }
    }

    /// The error, explained by a kernel lockdown if there is one.
    pub fn explained(self) -> Self {
        let told = std::fs::read_to_string(LOCKDOWN).unwrap_or_default();
        self.explained_by(&told)
    }

    /// `lockdown`: the kernel's file, with the mode in brackets.
    fn explained_by(self, lockdown: &str) -> Self {
        let may_be = match &self {
            Self::Layout(_) | Self::Binds(_) | Self::NotPermitted(_) | Self::Refused(_) => true,
            Self::NotBuiltIn
            | Self::LockedDown { .. }
            | Self::Namespace { .. }
            | Self::Incomplete(_)
            | Self::Wait(_) => false,
        };
        let mode = lockdown
            .split_whitespace()
            .find(|mode| *mode == CONFIDENTIALITY);
        match mode {
            Some(mode) if may_be => Self::LockedDown {
                mode: mode.trim_matches(['[', ']']).to_owned(),
                source: Box::new(self),
            },
            _ => self,
        }
    }
}

/// One of the object's programs.
pub fn program<'a, T>(programs: &'a mut Ebpf, name: &'static str) -> Result<&'a mut T, LoadError>
where
    &'a mut T: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = programs.program_mut(name);
    Ok(program.ok_or(LoadError::Incomplete(name))?.try_into()?)
}

impl From<EbpfError> for LoadError {
    fn from(error: EbpfError) -> Self {
        classify(&error)
    }
}

impl From<ProgramError> for LoadError {
    fn from(error: ProgramError) -> Self {
        match &error {
            // The verifier says EACCES too (kernel/bpf/verifier.c, 6.18), but only it says why.
            ProgramError::LoadError { verifier_log, .. }
                if !verifier_log.to_string().is_empty() =>
            {
                Self::Refused(error.to_string())
            }
            _ => classify(&error),
        }
    }
}

impl From<BtfError> for LoadError {
    fn from(error: BtfError) -> Self {
        classify(&error)
    }
}

impl From<MapError> for LoadError {
    fn from(error: MapError) -> Self {
        classify(&error)
    }
}

/// Not permitted, or refused? The chain of causes tells.
fn classify(error: &(dyn std::error::Error + 'static)) -> LoadError {
    let mut text = error.to_string();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let kind = current.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::PermissionDenied) {
            return LoadError::NotPermitted(error.to_string());
        }
        cause = current.source();
        if let Some(inner) = cause {
            let inner = inner.to_string();
            if !text.contains(&inner) {
                text = format!("{text}: {inner}");
            }
        }
    }
    LoadError::Refused(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: LoadError, lockdown: &str) -> String {
        error.explained_by(lockdown).to_string()
    }

    #[test]
    fn a_lack_of_descriptors_or_memory_passes_and_an_old_kernel_does_not() {
        let refused = |errno| {
            let error = io::Error::from_raw_os_error(errno);
            LoadError::Refused(format!("the map can't be made: {error}"))
        };
        assert!(refused(libc::EMFILE).may_pass() && refused(libc::ENOMEM).may_pass());
        assert!(!refused(libc::EINVAL).may_pass());
        let wait = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(LoadError::Wait(wait).may_pass());
        assert!(!LoadError::NotBuiltIn.may_pass());
    }

    #[test]
    fn a_lockdown_is_named_where_it_may_be_the_reason() {
        let refused = || LoadError::Refused("unknown func".to_owned());
        let said = told(refused(), "none integrity [confidentiality]\n");
        assert!(said.contains("(confidentiality, see /sys/"), "{said}");
        assert!(said.contains("lockdown=confidentiality"), "{said}");
        assert!(said.contains("unknown func"), "{said}");
        // That one lets the kernel be read.
        for other in ["none [integrity] confidentiality\n", "[none]\n", ""] {
            assert_eq!(told(refused(), other), refused().to_string());
        }
        let incomplete = told(LoadError::Incomplete("a map"), "[confidentiality]");
        assert!(!incomplete.contains("locked down"), "{incomplete}");
    }
}
