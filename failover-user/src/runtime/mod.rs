//! What the parts of the program run on: threads for blocking work, supervised tasks, limits and rights of
//! this process. Knows nothing of gateways.

pub(crate) mod background;
pub mod parts;
pub mod rights;
pub(crate) mod waiting;
