//! The kernel side, as user space sees it: loading the program, and a stream of checked events.
//!
//! A source of events: it never decides, and knows nothing of primaries or strikes.

mod binds;
pub(crate) mod btf;
mod event;
pub(crate) mod format;
mod layout;
mod load;
mod ring;
mod tracefs;

pub use event::{Bind, KernelEvent, Origin, TcpState, TcpStateChange};
pub use load::{Batch, KernelEvents, LoadError, Watch};
