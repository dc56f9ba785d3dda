//! The running kernel's [`failover_ebpf::Layout`], from tracefs and BTF, read at load time.

use std::{fs, io, path::Path};

use failover_ebpf::{BindFields, Members, stop::TaskMembers};
use thiserror::Error;

use crate::bpf::{
    btf::{Btf, BtfError},
    format::{FormatError, offset},
    tracefs,
    tracefs::TracefsError,
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
    /// No tracefs, on a kernel where it takes that.
    #[error(
        "this kernel's functions can't be watched, and its system calls not without tracefs: {0}"
    )]
    Tracefs(#[from] TracefsError),
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

/// Fields of the system call `bind`'s tracepoints.
pub fn bind_fields() -> Result<BindFields, LayoutError> {
    let tracefs = &tracefs::find_or_mount()?;
    let enter = Tracepoint::read(tracefs, "syscalls/sys_enter_bind")?;
    let exit = Tracepoint::read(tracefs, "syscalls/sys_exit_bind")?;
    Ok(BindFields {
        fd: enter.offset("fd", 8)?,
        umyaddr: enter.offset("umyaddr", 8)?,
        addrlen: enter.offset("addrlen", 8)?,
        ret: exit.offset("ret", 8)?,
    })
}

/// What the kernel's BTF says.
pub struct Kernel {
    pub members: Members,
    /// Those that return when a TCP socket has been bound.
    pub bind_functions: Vec<&'static str>,
}

/// Reads the kernel's BTF.
pub fn kernel() -> Result<Kernel, LayoutError> {
    let bytes = read_btf()?;
    Ok(Kernel::of(&Btf::parse(&bytes)?)?)
}

/// The same, and what leads from a task to its control group.
pub fn kernel_and_tasks() -> Result<(Kernel, TaskMembers), LayoutError> {
    let bytes = read_btf()?;
    let btf = Btf::parse(&bytes)?;
    Ok((Kernel::of(&btf)?, task_members(&btf)?))
}

/// At once: the file is made again for each read, and many small ones took 1.7 s.
fn read_btf() -> Result<Vec<u8>, LayoutError> {
    fs::read(BTF).map_err(|source| LayoutError::Read {
        path: BTF.to_owned(),
        source,
    })
}

impl Kernel {
    fn of(btf: &Btf<'_>) -> Result<Self, BtfError> {
        Ok(Self {
            members: members(btf)?,
            bind_functions: bind_functions(btf),
        })
    }
}

fn bind_functions(btf: &Btf<'_>) -> Vec<&'static str> {
    let mut functions = vec!["inet_bind"];
    if btf.has_function("inet6_bind") {
        functions.push("inet6_bind");
    }
    // With this one, since 6.6, it calls neither of the others (net/mptcp/protocol.c, 6.18).
    if btf.has_function("inet_bind_sk") && btf.has_function("mptcp_bind") {
        functions.push("mptcp_bind");
    }
    functions
}

fn members(btf: &Btf<'_>) -> Result<Members, BtfError> {
    Ok(Members {
        sock_num: btf.offset("sock", "__sk_common.skc_num")?,
        sock_dport: btf.offset("sock", "__sk_common.skc_dport")?,
        sock_family: btf.offset("sock", "__sk_common.skc_family")?,
        sock_rcv_saddr: btf.offset("sock", "__sk_common.skc_rcv_saddr")?,
        sock_daddr: btf.offset("sock", "__sk_common.skc_daddr")?,
        // A kernel without IPv6 has none, and no socket whose address would be read there.
        sock_v6_rcv_saddr: btf
            .offset("sock", "__sk_common.skc_v6_rcv_saddr")
            .unwrap_or(0),
        sock_v6_daddr: btf.offset("sock", "__sk_common.skc_v6_daddr").unwrap_or(0),
        sock_net: btf.offset("sock", "__sk_common.skc_net.net")?,
        // A bit field up to 5.5.
        sock_protocol: btf.offset("sock", "sk_protocol")?,
        sock_err: btf.offset("sock", "sk_err")?,
        sock_uid: btf.offset("sock", "sk_uid")?,
        sock_type: btf.offset("sock", "sk_type")?,
        tcp_sport: btf.offset("tcp_sock", "inet_conn.icsk_inet.inet_sport")?,
        net_inum: btf.offset("net", "ns.inum")?,
        task_files: btf.offset("task_struct", "files")?,
        files_fdt: btf.offset("files_struct", "fdt")?,
        fdtable_max_fds: btf.offset("fdtable", "max_fds")?,
        fdtable_fd: btf.offset("fdtable", "fd")?,
        file_private_data: btf.offset("file", "private_data")?,
        socket_sk: btf.offset("socket", "sk")?,
    })
}

fn task_members(btf: &Btf<'_>) -> Result<TaskMembers, BtfError> {
    Ok(TaskMembers {
        task_cgroups: btf.offset("task_struct", "cgroups")?,
        css_set_dfl_cgrp: btf.offset("css_set", "dfl_cgrp")?,
        cgroup_kn: btf.offset("cgroup", "kn")?,
        kernfs_name: btf.offset("kernfs_node", "name")?,
        // Without the underscores up to 6.14.
        kernfs_parent: btf
            .offset("kernfs_node", "__parent")
            .or_else(|_| btf.offset("kernfs_node", "parent"))?,
        kernfs_id: btf.offset("kernfs_node", "id")?,
        task_real_parent: btf.offset("task_struct", "real_parent")?,
        task_group_leader: btf.offset("task_struct", "group_leader")?,
        task_thread_pid: btf.offset("task_struct", "thread_pid")?,
        pid_level: btf.offset("pid", "level")?,
        pid_numbers: btf.offset("pid", "numbers")?,
        upid_nr: btf.offset("upid", "nr")?,
        upid_ns: btf.offset("upid", "ns")?,
        pid_namespace_inum: btf.offset("pid_namespace", "ns.inum")?,
        sk_buff_sk: btf.offset("sk_buff", "sk")?,
        // Its only member, or up to 5.15 a union of such.
        sock_cgroup: btf.offset("sock", "sk_cgrp_data")?,
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
