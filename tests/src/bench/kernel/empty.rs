//! A kernel program that does nothing, where the others do their work: what calling one costs, and reading
//! the clock twice to tell its run time. Nobody who hears of state changes can be below it.

use std::{
    ffi::c_long,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// `bpf(2)`'s numbers (include/uapi/linux/bpf.h, 6.18).
const PROGRAM_LOAD: c_long = 5;
const RAW_TRACEPOINT_OPEN: c_long = 17;
const RAW_TRACEPOINT: u32 = 17;
/// `r0 = 0; exit`
const INSTRUCTIONS: [u64; 2] = [0xb7, 0x95];

/// The non-zero attributes of `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    /// No log, of no kernel version, without flags.
    rest: [u64; 3],
}

/// The attributes of `BPF_RAW_TRACEPOINT_OPEN`.
#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    reserved: u32,
}

/// Dropping it detaches and unloads the program.
pub(super) struct Empty {
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Empty {
    pub(super) fn attach() -> io::Result<Self> {
        let load = Load {
            kind: RAW_TRACEPOINT,
            count: 2,
            instructions: INSTRUCTIONS.as_ptr().expose_provenance() as u64,
            license: c"GPL".as_ptr().expose_provenance() as u64,
            ..Load::default()
        };
        let program = bpf(PROGRAM_LOAD, &load)?;
        let open = Open {
            name: c"inet_sock_set_state".as_ptr().expose_provenance() as u64,
            program: u32::try_from(program.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidData)?,
            reserved: 0,
        };
        let link = bpf(RAW_TRACEPOINT_OPEN, &open)?;
        Ok(Self {
            _program: program,
            _link: link,
        })
    }
}

/// A call that yields a descriptor.
fn bpf<T>(command: c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: it reads the attributes, and everything that they point to is static, and writes
    // nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        )
    };
    let descriptor = i32::try_from(result).map_err(|_| io::ErrorKind::InvalidData)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
