//! The configuration. Each option is declared once, in the file of what it is about, with its type, default, range,
//! help and group, and beside it what is checked across options; see [`option`].
//!
//! [`Options`] is what somebody wrote; [`Configuration`] is what is in force, complete and checked.

mod check;
mod command;
mod commented;
mod configuration;
mod credential;
mod diagnostic;
mod duration;
mod error;
mod fence;
pub(crate) mod file;
mod fingerprint;
mod flap_damping;
mod gateway;
pub(crate) mod guard;
mod host;
mod layers;
mod local_check;
mod locations;
mod notify;
mod operation;
mod option;
mod options;
mod parse;
mod primary;
mod reference;
mod secret;
mod size;
mod standby;
mod sync;
mod takeover;
mod trust;
mod validate;
mod values;
mod witness;

#[cfg(test)]
mod tests;

pub use check::{
    Body, Check, CheckError, CheckKind, HttpCheck, OpenClawCheck, Scalar, Server, Tls,
};
pub use command::CommandError;
pub use commented::{commented, write_new};
pub use configuration::Configuration;
pub use credential::{CredentialError, Token};
pub use duration::HumanDuration;
pub use error::{ConfigurationError, Fault, Faults, Place};
pub use fence::FenceError;
pub(crate) use fence::FenceOptions;
pub use fingerprint::Fingerprint;
pub(crate) use flap_damping::FlapDampingOptions;
pub use flap_damping::NoSuccesses;
pub use gateway::{GatewayError, GatewayKind};
pub(crate) use guard::GUARD_PORT;
pub use guard::{GUARD_CONTROL, GuardedHost, GuardedOptions};
pub use host::Host;
pub(crate) use host::host_and_port;
pub use layers::{Origin, Setting, as_file, in_force};
pub use local_check::{LocalCheck, LocalCheckKind, Transport};
pub use locations::Locations;
pub(crate) use notify::WEBHOOK;
pub use notify::{DeadMansSwitch, Webhook, WebhookError};
pub use operation::{
    DEFAULT_CONTROL, DEFAULT_STATE_DIR, KernelEventsMode, LogFormat, OperationError,
};
pub use option::{Description, Group, OptionError};
pub use options::{DEFAULT_CONFIG, Options};
pub use parse::{count, path, port};
pub use primary::{DEFAULT_PORT, PrimaryAddress};
pub(crate) use reference::wrapped;
pub use reference::{Entry, VALUES, entries, reference};
pub(crate) use secret::quoted;
pub use size::{Size, SizeError};
pub use standby::{Standby, StandbyChoice, StandbyError};
pub(crate) use sync::address;
pub use sync::{Sync, SyncError};
pub(crate) use takeover::TakeoverOptions;
pub use takeover::{Arm, TakeoverError};
pub use trust::NotTrusted;
pub(crate) use trust::not_trusted;
pub use validate::Validation;
pub(crate) use witness::WitnessOptions;
pub use witness::{Witness, WitnessError, WitnessList, WitnessesError};

/// One that isn't in force anywhere.
#[cfg(test)]
pub(crate) fn webhook_for_tests(url: &str, token_file: Option<&std::path::Path>) -> Webhook {
    Webhook::checked(WEBHOOK, Some(url), token_file, None)
        .expect("a webhook")
        .expect("it is given")
}
