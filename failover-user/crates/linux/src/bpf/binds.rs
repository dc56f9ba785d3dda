//! How binds are traced: where the functions that carry them out return, which costs nobody else
//! anything. Where functions cannot be traced, by the system call's tracepoints: with them every
//! system call of every process takes longer, so they are attached only while somebody asks for binds.

use aya::{
    Btf, Ebpf,
    programs::{FExit, TracePoint, trace_point::TracePointLink},
};
use tracing::debug;

use crate::bpf::{
    error::{LoadError, program},
    layout::LayoutError,
};

/// The exit first: an enter without one would leave its note behind.
const CALLS: [&str; 2] = ["sys_exit_bind", "sys_enter_bind"];

pub enum Binds {
    /// Always.
    ByFunctions,
    /// While these are attached.
    ByCalls(Vec<TracePointLink>),
    /// Never: attaching failed. The error, until it is reported.
    NotAtAll(Option<LoadError>),
}

impl Binds {
    /// Has the functions tell them, and where that isn't possible prepares the calls, if those are known.
    /// They help people to find who has the port; no decision needs them.
    pub fn prepare(
        programs: &mut Ebpf,
        functions: &[&'static str],
        calls: Result<(), LayoutError>,
        btf: &Btf,
    ) -> Self {
        let Err(error) = attach_to_functions(programs, functions, btf) else {
            return Self::ByFunctions;
        };
        debug!(%error, "binds are traced by the system call");
        let mut load = |name| {
            let bind: &mut TracePoint = program(programs, name)?;
            Ok(bind.load()?)
        };
        let loaded = match calls {
            Ok(()) => CALLS.into_iter().try_for_each(&mut load),
            Err(error) => Err(LoadError::Binds(error)),
        };
        match loaded {
            Ok(()) => Self::ByCalls(Vec::new()),
            Err(error) => Self::NotAtAll(Some(error.explained())),
        }
    }

    /// Tells them from now on, or need not any longer.
    ///
    /// # Errors
    /// Once, when binds cannot be traced.
    pub fn ask(&mut self, programs: &mut Ebpf, wanted: bool) -> Result<(), LoadError> {
        let attached = match self {
            Self::ByFunctions => return Ok(()),
            Self::ByCalls(attached) => attached,
            Self::NotAtAll(why) => return why.take_if(|_| wanted).map_or(Ok(()), Err),
        };
        if !wanted && !attached.is_empty() {
            let attached = std::mem::take(attached);
            // The kernel waits until nobody runs them, which may take some 10 ms. Without a thread for
            // it, they are dropped here.
            let _ = std::thread::Builder::new().spawn(|| drop(attached));
        }
        if wanted && attached.is_empty() {
            let attach = |name| {
                let bind: &mut TracePoint = program(programs, name)?;
                let link = bind.attach("syscalls", name)?;
                Ok(bind.take_link(link)?)
            };
            match CALLS.into_iter().map(attach).collect() {
                Ok(links) => *attached = links,
                Err(error) => {
                    *self = Self::NotAtAll(None);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn attach_to_functions(
    programs: &mut Ebpf,
    functions: &[&'static str],
    btf: &Btf,
) -> Result<(), LoadError> {
    let mut attach = |function| {
        let bind: &mut FExit = program(programs, function)?;
        bind.load(function, btf)?;
        bind.attach()?;
        Ok(())
    };
    let attached = functions.iter().try_for_each(|function| attach(*function));
    if attached.is_err() {
        // All or none, so that no bind is told twice.
        for function in functions {
            let bind: &mut FExit = program(programs, function)?;
            let _ = bind.unload();
        }
    }
    attached
}
