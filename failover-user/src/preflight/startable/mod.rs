//! Would a start work? Reads the files that the kernel and systemd would read, and runs nothing.
//!
//! [`executable`] checks one program, down to its interpreter and loader; [`script`] the script that an
//! interpreter runs. [`unit_file`] merges a unit like systemd, [`exec_line`] parses a command of it, and
//! [`unit`] checks the result.

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

/// The file's text; invalid UTF-8 is replaced. Does not block on a named pipe.
pub(super) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let (bytes, _) = failover_linux::files::read_at_most(path, longest)?;
    match bytes.len() as u64 > longest {
        true => Err(io::Error::other(format!("longer than {longest} bytes"))),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
