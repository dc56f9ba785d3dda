//! Root: whether this process has it, and how single commands get it.
//!
//! Only what needs root goes through here. Compilers never do.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// What a program under root may still see of the caller's environment. sudo drops the rest.
const PRESERVED: &str = "FAILOVER_BIN,FAILOVER_OPENCLAW,FAILOVER_PACKAGE,FAILOVER_SKIPS,RUST_BACKTRACE,RUST_LOG,RUST_TEST_THREADS,\
                         CARGO_MANIFEST_DIR,CARGO_TERM_COLOR,NO_COLOR,CI";

/// For env(1).
fn path() -> OsString {
    let mut variable = OsString::from("PATH=");
    variable.push(process::search_path());
    variable
}

/// The way to root that this process has.
#[derive(Clone, Copy)]
pub(crate) enum Privileges {
    /// It is root already.
    Root,
    /// sudo works, perhaps after a password.
    Sudo,
}

impl Privileges {
    /// Finds the way to root, asking for the password now rather than in the middle of the work.
    pub(crate) fn obtain() -> Result<Self> {
        // The owner of a process's directory in /proc is its effective user.
        let owner = fs::metadata("/proc/self")
            .context("cannot read /proc/self")?
            .uid();
        if owner == 0 {
            return Ok(Self::Root);
        }
        if process::find_program("sudo").is_none() {
            bail!("this account is not root, and sudo is not installed");
        }
        if process::succeeds(Command::new("sudo").args(["-n", "true"])) {
            return Ok(Self::Sudo);
        }
        if !io::stdin().is_terminal() {
            bail!("this account is not root, and sudo wants a password but there is no terminal");
        }
        process::run(Command::new("sudo").arg("true")).context("cannot get root")?;
        Ok(Self::Sudo)
    }

    /// A command that runs `program` as root.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Root => {
                let mut command = Command::new(program);
                command.env("PATH", process::search_path());
                command
            }
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command
                    .arg(format!("--preserve-env={PRESERVED}"))
                    .arg("--")
                    // sudo has a PATH of its own, without what is unpacked below target/.
                    .arg("env")
                    .arg(path())
                    .arg(program);
                command
            }
        }
    }
}
