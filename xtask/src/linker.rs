//! bpf-linker, which links the kernel program.
//!
//! It is built with its default features: it then loads the LLVM library of the compiler at run
//! time, and no LLVM development files are needed.

use std::path::PathBuf;

use anyhow::Result;

use crate::steps::Work;
use crate::tool::Tool;
use crate::workspace::Workspace;

const LINKER: Tool = Tool {
    name: "bpf-linker",
    version: "0.10.1",
    features: &[],
    work: Work::Linker,
    verb: "setup",
};

/// The linker, if it is there and runs.
pub(crate) fn find(workspace: &Workspace) -> Option<PathBuf> {
    LINKER.find(workspace)
}

/// Building it, unless it is there.
pub(crate) fn planned(workspace: &Workspace) -> Option<Work> {
    LINKER.planned(workspace)
}

/// The linker, built now unless it is there.
pub(crate) fn obtain(workspace: &Workspace) -> Result<PathBuf> {
    LINKER.obtain(workspace)
}
