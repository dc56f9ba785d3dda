//! The local gateway: the commands that start and stop it, and who listens on its port.
//!
//! A source of events: it never decides. A gateway is never this daemon's child in any way that
//! would let one end the other.

mod account;
mod begun;
mod boot;
mod bound;
mod command;
mod command_line;
mod destroyed;
mod eyes;
mod force;
mod holder;
mod home;
mod identity;
mod launch;
mod listeners;
mod output;
mod process;
mod relay;
mod settling;
mod shell;
mod spec;
mod tunnel;
mod unit;

pub use account::{Account, AccountError};
pub use begun::{Found, Lives, Search};
pub use boot::{Enabled, EnabledBy, enabled_units, has_systemd, installed_units, is_lingering};
pub use bound::Bound;
pub use command::RunningCommand;
pub(crate) use command::{alone, kill_group};
pub(crate) use command_line::obstacle_to;
pub use command_line::{CommandLine, CommandLineError};
pub use destroyed::Destroyed;
pub(crate) use eyes::Eyes;
pub use force::Force;
pub use holder::{Holder, HolderSearch, Holders, first_of, holders};
pub use home::Home;
pub(crate) use identity::matches as fits_pattern;
pub use identity::{
    Identity, LEGACY_UNITS, Manager, OPENCLAW_UNITS, Rule, is_forwarder, is_openclaw_runtime,
};
pub use launch::Launch;
pub use listeners::{Interest, Listener, Listeners, ListenersError, Listening};
pub use output::{CommandOutput, NewLines};
pub use process::{Lifetime, ProcessKey, has_variable, is_this_program};
pub use relay::{relay as output_relay, restore as restore_relays};
pub use settling::Settling;
pub use spec::{LocalGateway, LocalUnit};
pub use tunnel::{Tunnel, tunnels};
pub(crate) use unit::THIS_PROGRAM;
pub use unit::{Scope, UnitCommand, UnitState, UnitVerb};
