//! The stopper's programs: which of them this kernel can run, loading them, and attaching them so that they
//! stay attached without a process.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{
        BtfTracePoint, FExit, ProgramError, TracePoint, links::FdLink,
        trace_point::TracePointLinkId,
    },
};
use failover_ebpf::{
    GLOBAL_LAYOUT, Layout,
    stop::{GLOBAL_TASKS, MAP_CONTROL, MAP_STOPS, MAP_TARGET},
};
use tracing::debug;

use crate::bpf::{
    error::{LoadError, program},
    layout, limits,
    pod::Pod,
    stopper::{
        error::{StopperError, not_pinnable, pinning},
        pins::unpin,
    },
};

/// Put here by the build script; empty when it wasn't built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/stopper.o"));

/// The exit first: an enter without one would leave its note behind.
const CALLS: [&str; 2] = ["sys_exit_bind", "sys_enter_bind"];
/// The last resort, always there.
const LISTEN: &str = "inet_sock_set_state";
const MAPS: [&str; 3] = [MAP_CONTROL, MAP_TARGET, MAP_STOPS];

/// It takes some 10 ms, and much more where the machine is busy.
const LONGEST_DETACH: Duration = Duration::from_secs(2);
const DETACH_LOOK: Duration = Duration::from_millis(1);

/// How binds are seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Where the functions that carry them out return, which costs nobody else anything.
    Functions,
    /// By the system call's tracepoints: while they are attached every system call of every process takes
    /// longer. So they are attached only while it is armed.
    Calls,
}

/// The pin of a map.
pub fn map_pin(place: &Path, name: &str) -> PathBuf {
    place.join(name.to_ascii_lowercase())
}

fn program_pin(place: &Path, name: &str) -> PathBuf {
    place.join(format!("program_{name}"))
}

fn link_pin(place: &Path, name: &str) -> PathBuf {
    place.join(format!("link_{name}"))
}

/// The object with all programs, if it was built in.
pub fn object() -> Result<&'static [u8], LoadError> {
    match OBJECT.is_empty() {
        true => Err(LoadError::NotBuiltIn),
        false => Ok(OBJECT),
    }
}

/// Loads the programs and pins them and their maps at `place`.
pub fn load(place: &Path) -> Result<(), StopperError> {
    let object = object()?;
    limits::lift();
    let (kernel, tasks) = layout::kernel_and_tasks().map_err(LoadError::from)?;
    // Whether it is needed shows later.
    let bind = layout::bind_fields();
    let layout = Layout {
        bind: bind.as_ref().copied().unwrap_or_default(),
        members: kernel.members,
    };
    let mut programs = EbpfLoader::new()
        // Nothing to relocate: the layout is a global.
        .btf(None)
        .override_global(GLOBAL_LAYOUT, &Pod(layout), true)
        .override_global(GLOBAL_TASKS, &Pod(tasks), true)
        .load(object)
        .map_err(LoadError::from)?;
    for name in MAPS {
        let map = programs.map(name).ok_or(LoadError::Incomplete(name))?;
        let pin = map_pin(place, name);
        map.pin(&pin).map_err(pinning(name, pin))?;
    }
    let btf = Btf::from_sys_fs().map_err(LoadError::from)?;
    let listen: &mut BtfTracePoint = program(&mut programs, LISTEN)?;
    listen.load(LISTEN, &btf)?;
    // Once and for all, because finding such a program again by its pin takes CAP_SYS_ADMIN: aya asks for the BTF that
    // it is attached by (BPF_BTF_GET_FD_BY_ID, kernel/bpf/syscall.c, 6.18).
    let id = listen.attach()?;
    let pin = link_pin(place, LISTEN);
    FdLink::from(listen.take_link(id)?)
        .pin(&pin)
        .map_err(pinning(LISTEN, pin))?;
    let watched = watch_functions(&mut programs, &kernel.bind_functions, &btf, place);
    let Err(error) = watched else {
        return Ok(());
    };
    debug!(%error, "the stopper sees binds by the system call");
    bind.map_err(LoadError::Binds)?;
    for name in CALLS {
        let call: &mut TracePoint = program(&mut programs, name)?;
        call.load()?;
        let pin = program_pin(place, name);
        call.pin(&pin).map_err(pinning(name, pin))?;
    }
    // Can they be kept at all? Tried now, so that it is known before a gateway is started.
    attach_calls(place)?;
    detach_calls(place)
}

/// All or none. Attached from now on: before 5.13 the kernel attaches such a program but once
/// (bpf_tracing_prog_attach, kernel/bpf/syscall.c).
fn watch_functions(
    programs: &mut Ebpf,
    functions: &[&'static str],
    btf: &Btf,
    place: &Path,
) -> Result<(), StopperError> {
    let mut attached = Vec::new();
    for name in functions {
        let bind: &mut FExit = program(programs, name)?;
        bind.load(name, btf)?;
        let id = bind.attach()?;
        attached.push((*name, FdLink::from(bind.take_link(id)?)));
    }
    for (name, link) in attached {
        let pin = link_pin(place, name);
        link.pin(&pin).map_err(pinning(name, pin))?;
    }
    Ok(())
}

/// How those that are pinned at `place` see binds.
pub fn way(place: &Path) -> Way {
    let [exit, _] = CALLS;
    if program_pin(place, exit).exists() {
        Way::Calls
    } else {
        Way::Functions
    }
}

/// Attaches what isn't attached yet, and pins that.
pub fn attach(place: &Path) -> Result<(), StopperError> {
    match way(place) {
        Way::Functions => Ok(()),
        Way::Calls => attach_calls(place),
    }
}

fn attach_calls(place: &Path) -> Result<(), StopperError> {
    for name in CALLS {
        let pin = link_pin(place, name);
        if !pin.exists() {
            let mut call = TracePoint::from_pin(program_pin(place, name))?;
            let id = attach_call(&mut call, name)?;
            let link = FdLink::try_from(call.take_link(id)?).map_err(not_pinnable(name))?;
            link.pin(&pin).map_err(pinning(name, pin))?;
        }
    }
    Ok(())
}

/// A link that was taken away is detached a moment later, by a thread of the kernel's (bpf_link_put_deferred,
/// kernel/bpf/syscall.c, 6.18). Until then the same program can't be attached there again.
fn attach_call(
    call: &mut TracePoint,
    name: &'static str,
) -> Result<TracePointLinkId, ProgramError> {
    let deadline = Instant::now() + LONGEST_DETACH;
    loop {
        match call.attach("syscalls", name) {
            Err(ProgramError::SyscallError(error))
                if error.io_error.kind() == io::ErrorKind::AlreadyExists
                    && Instant::now() < deadline =>
            {
                thread::sleep(DETACH_LOOK);
            }
            attached => return attached,
        }
    }
}

/// Takes away what slows down others. What ends a listener stays.
pub fn detach_calls(place: &Path) -> Result<(), StopperError> {
    let [exit, enter] = CALLS;
    unpin(&link_pin(place, enter))?;
    unpin(&link_pin(place, exit))
}
