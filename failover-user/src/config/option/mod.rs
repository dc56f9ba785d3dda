//! What an option is, whatever it is about. An option is declared once, with [`option_set!`]: its name, type
//! and help, and a [`Definition`] with its group, default, range and example. Its flag, its key in the file,
//! its check, its entry in the help, the manual, the reference and the commented file follow from that.
//!
//! Nothing here knows a particular option.

mod definition;
mod description;
mod error;
mod group;
mod set;

pub(super) use definition::{
    Resolve, daemon, essential, guard, judgement, local_gateway, notifications, primary, sync,
};
pub use description::Description;
pub use error::OptionError;
pub use group::Group;
pub(super) use set::{Always, OptionSet, is_named, option_set, values_of};

#[cfg(test)]
mod tests;
