//! Would a start work? Read from the disk, as the kernel and systemd would read it; nothing is run.
//!
//! [`executable`] is one program, down to its interpreter and loader; [`script`] what an interpreter is
//! given to run; [`unit_file`] a unit as systemd puts it together, [`exec_line`] a command of it, and
//! [`unit`] what is wrong with all of that.

mod binfmt;
mod elf;
mod exec_line;
mod executable;
mod script;
mod unit;
mod unit_file;

use std::{io, path::Path};

pub(super) use executable::{Defect, Runner};
pub(super) use script::of_command;
pub(super) use unit::defects;
pub(super) use unit_file::{Loaded, load};

/// The file's text; what is none is replaced. A pipe, which somebody may have put there, makes nobody wait.
pub(super) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let (bytes, _) = failover_linux::files::read_at_most(path, longest)?;
    match bytes.len() as u64 > longest {
        true => Err(io::Error::other(format!(
            "it is longer than {longest} bytes"
        ))),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
