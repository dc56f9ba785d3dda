//! `cargo xtask generate`: writes the files below `failover-user/dist` and `docs` that are made from the
//! command line's definition. The test that compares them writes them, if this variable is set.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{cargo, process};

/// Makes the test write the files instead of comparing them.
const VARIABLE: &str = "FAILOVER_GENERATE";

/// Writes them.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut command = cargo::host(workspace);
    command
        .args([
            "test",
            "--quiet",
            "--package",
            "failover",
            "--test",
            "generated",
        ])
        .env(VARIABLE, "1");
    process::run(&mut command)
}
