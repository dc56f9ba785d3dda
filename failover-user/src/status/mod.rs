//! What the daemon says of itself when it is asked. A `Snapshot` is what is so at one moment, typed, made
//! in one go. A [`Document`] is how that is served as JSON, and what a client reads. Text for people is
//! made of either; the words are `wording`'s.

pub(crate) mod context;
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
