//! The daemon's status. A `Snapshot` is its state at one moment: typed, and made in one step. A
//! [`Document`] is the JSON that is made of it, which clients read. The renderers must not know where
//! anything comes from; their texts are in `wording`.

pub(crate) mod context;
pub mod copies;
pub mod document;
pub(crate) mod explanation;
pub(crate) mod last_seen;
pub(crate) mod problem;
pub(crate) mod protection;
mod serve;
pub(crate) mod snapshot;
mod text;
pub(crate) mod warning;
pub mod watch;

#[cfg(test)]
mod tests;

pub use document::Document;
pub use protection::Protection;
