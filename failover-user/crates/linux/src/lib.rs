//! What failover asks of the Linux kernel: the eBPF program, sock_diag, netlink, procfs, ICMP, credentials.
//! All unsafe code of the program is here. Nothing here knows of primaries, strikes or options.

pub mod bpf;
pub mod carrier;
pub mod clock;
pub mod control_group;
pub mod errno;
pub mod escape;
pub mod files;
pub mod fs_credentials;
#[doc(hidden)]
pub mod fuzz;
pub mod icmp;
pub mod limits;
pub mod netlink;
pub mod open_sockets;
pub mod priority;
pub mod process;
pub mod procfs;
pub mod sock_diag;
pub mod spawn;
pub mod stdio;
pub mod trim;
