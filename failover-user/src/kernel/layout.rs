//! The running kernel's [`Layout`], from tracefs and BTF, read at load time.

use std::{fs, io, path::Path};

use failover_ebpf::{BindFields, Layout, Members, StateFields};
use thiserror::Error;

use super::{
    btf::{Btf, BtfError},
    format::{FormatError, offset},
};

const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why the layout isn't known.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// A file can't be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A tracepoint isn't what the kernel program expects.
    #[error("tracepoint {tracepoint} {source}")]
    Format {
        /// Category and name.
        tracepoint: &'static str,
        /// What is missing.
        source: FormatError,
    },
    /// The kernel's BTF isn't what the kernel program expects.
    #[error("the kernel's BTF ({BTF}) {0}")]
    Btf(#[from] BtfError),
}

/// Reads both sources.
pub(super) fn read(tracefs: &Path) -> Result<Layout, LayoutError> {
    Ok(Layout {
        state: state_fields(tracefs)?,
        bind: bind_fields(tracefs)?,
        members: members()?,
    })
}

fn state_fields(tracefs: &Path) -> Result<StateFields, LayoutError> {
    let tracepoint = Tracepoint::read(tracefs, "sock/inet_sock_set_state")?;
    Ok(StateFields {
        skaddr: tracepoint.offset("skaddr", 8)?,
        oldstate: tracepoint.offset("oldstate", 4)?,
        newstate: tracepoint.offset("newstate", 4)?,
        sport: tracepoint.offset("sport", 2)?,
        dport: tracepoint.offset("dport", 2)?,
        family: tracepoint.offset("family", 2)?,
        protocol: tracepoint.offset("protocol", 2)?,
        saddr: tracepoint.offset("saddr", 4)?,
        daddr: tracepoint.offset("daddr", 4)?,
        saddr_v6: tracepoint.offset("saddr_v6", 16)?,
        daddr_v6: tracepoint.offset("daddr_v6", 16)?,
    })
}

fn bind_fields(tracefs: &Path) -> Result<BindFields, LayoutError> {
    let enter = Tracepoint::read(tracefs, "syscalls/sys_enter_bind")?;
    let exit = Tracepoint::read(tracefs, "syscalls/sys_exit_bind")?;
    Ok(BindFields {
        fd: enter.offset("fd", 8)?,
        umyaddr: enter.offset("umyaddr", 8)?,
        addrlen: enter.offset("addrlen", 8)?,
        ret: exit.offset("ret", 8)?,
    })
}

fn members() -> Result<Members, LayoutError> {
    // At once: the file is made anew for each read, and many small ones took 1.7 s.
    let bytes = fs::read(BTF).map_err(|source| LayoutError::Read {
        path: BTF.to_owned(),
        source,
    })?;
    let btf = Btf::parse(&bytes)?;
    Ok(Members {
        sock_net: btf.offset("sock", "__sk_common.skc_net.net")?,
        sock_err: btf.offset("sock", "sk_err")?,
        sock_uid: btf.offset("sock", "sk_uid")?,
        sock_type: btf.offset("sock", "sk_type")?,
        net_inum: btf.offset("net", "ns.inum")?,
        task_files: btf.offset("task_struct", "files")?,
        files_fdt: btf.offset("files_struct", "fdt")?,
        fdtable_max_fds: btf.offset("fdtable", "max_fds")?,
        fdtable_fd: btf.offset("fdtable", "fd")?,
        file_private_data: btf.offset("file", "private_data")?,
        socket_sk: btf.offset("socket", "sk")?,
    })
}

struct Tracepoint {
    name: &'static str,
    format: String,
}

impl Tracepoint {
    fn read(tracefs: &Path, name: &'static str) -> Result<Self, LayoutError> {
        let path = tracefs.join("events").join(name).join("format");
        match fs::read_to_string(&path) {
            Ok(format) => Ok(Self { name, format }),
            Err(source) => Err(LayoutError::Read {
                path: path.display().to_string(),
                source,
            }),
        }
    }

    fn offset(&self, field: &str, size: u32) -> Result<u32, LayoutError> {
        offset(&self.format, field, size).map_err(|source| LayoutError::Format {
            tracepoint: self.name,
            source,
        })
    }
}
