//! All options: the sets of them in the order of the help, and what they come to together. Each option stands
//! in the file of its set.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserializer;
use serde_json::{Map, Value};

use crate::config::{
    check::{CheckOptions, CheckValues},
    fence::{FenceOptions, FenceValues},
    flap_damping::{FlapDampingOptions, FlapDampingValues},
    gateway::{GatewayOptions, GatewayValues},
    guard::{GuardOptions, GuardValues},
    local_check::{LocalCheckKind, LocalCheckOptions, LocalCheckValues},
    notify::{
        DeadMansSwitchOptions, DeadMansSwitchValues, NotifyOptions, NotifyValues, WebhookOptions,
        WebhookValues,
    },
    operation::{OperationOptions, OperationValues},
    option::{Description, OptionError, OptionSet},
    primary::{PrimaryOptions, PrimaryValues},
    standby::{StandbyOptions, StandbyValues},
    sync::{SyncOptions, SyncValues},
    takeover::{TakeoverOptions, TakeoverValues},
    witness::{WitnessOptions, WitnessValues},
};

/// Where the package's unit has its configuration.
pub const DEFAULT_CONFIG: &str = "/etc/failover/failover.toml";

/// The sets, and what has to be done for each of them.
macro_rules! options {
    ($($(#[$doc:meta])* $set:ident: $Set:ty => $Values:ty;)+) => {
        /// Options as somebody wrote them, on the command line or in a file.
        #[derive(Args, Clone, Debug, Default, PartialEq)]
        pub struct Options {
            /// Configuration file
            #[arg(long, value_name = "FILE", help = config_help())]
            pub config: Option<PathBuf>,
            $(
                $(#[$doc])*
                #[command(flatten)]
                pub(crate) $set: $Set,
            )+
        }

        /// The value of every option that is in force.
        #[derive(Debug)]
        pub(super) struct OptionValues {
            $(pub(super) $set: $Values,)+
        }

        impl OptionSet for Options {
            fn descriptions() -> Vec<&'static Description> {
                [$(<$Set>::descriptions()),+].concat()
            }

            fn or(self, other: Self) -> Self {
                Self {
                    config: self.config.or(other.config),
                    $($set: self.$set.or(other.$set),)+
                }
            }

            fn set<'de, D: Deserializer<'de>>(
                &mut self,
                name: &str,
                value: D,
            ) -> Result<(), D::Error> {
                $(
                    if <$Set>::has(name) {
                        return self.$set.set(name, value);
                    }
                )+
                Err(serde::de::Error::custom("no such option"))
            }

            fn is_set(&self, name: &str) -> bool {
                $(self.$set.is_set(name))||+
            }

            fn unset(&mut self, name: &str) -> bool {
                $(self.$set.unset(name))||+
            }
        }

        impl Options {
            /// Unsets all options of the set that this one belongs to. Was one of them set?
            pub(super) fn unset_all_beside(&mut self, name: &str) -> bool {
                $(
                    if <$Set>::has(name) {
                        return std::mem::take(&mut self.$set) != <$Set>::default();
                    }
                )+
                false
            }
        }

        impl OptionValues {
            /// By name; null where there is none.
            pub(super) fn values(&self) -> serde_json::Result<Map<String, Value>> {
                let sets = [$(self.$set.values()?),+];
                Ok(sets.into_iter().flatten().collect())
            }
        }
    };
}

options! {
    /// Where the primary is.
    primary: PrimaryOptions => PrimaryValues;
    /// How it is checked.
    check: CheckOptions => CheckValues;
    /// The local gateway.
    gateway: GatewayOptions => GatewayValues;
    /// How ready it is kept.
    standby: StandbyOptions => StandbyValues;
    /// How that is checked.
    local_check: LocalCheckOptions => LocalCheckValues;
    /// When the primary counts as failed.
    takeover: TakeoverOptions => TakeoverValues;
    /// Who confirms that PC-B has a network.
    witness: WitnessOptions => WitnessValues;
    /// How the primary is fenced.
    fence: FenceOptions => FenceValues;
    /// How a flapping primary is treated.
    flap_damping: FlapDampingOptions => FlapDampingValues;
    /// What PC-A's guard changes.
    guard: GuardOptions => GuardValues;
    /// What is copied from PC-A.
    sync: SyncOptions => SyncValues;
    /// The command for notifications.
    notify: NotifyOptions => NotifyValues;
    /// The webhook for notifications.
    webhook: WebhookOptions => WebhookValues;
    /// What is called as long as all is well.
    dead_mans_switch: DeadMansSwitchOptions => DeadMansSwitchValues;
    /// How the daemon itself runs.
    operation: OperationOptions => OperationValues;
}

fn config_help() -> String {
    format!(
        "Configuration file (TOML); flags override it; /dev/null for none [default: {DEFAULT_CONFIG}, if it exists]"
    )
}

impl Options {
    /// The flags, in the order of the help; each but the one that names the file is a key there, too.
    pub(super) fn arguments() -> Vec<clap::Arg> {
        let command = Self::augment_args(clap::Command::new("run"));
        let arguments = command.get_arguments();
        arguments
            .filter(|argument| argument.get_long().is_some_and(|name| name != "config"))
            .cloned()
            .collect()
    }

    /// Every option, in the order of the help: group by group.
    pub(super) fn grouped() -> Vec<&'static Description> {
        let mut all = Self::descriptions();
        all.sort_by_key(|one| one.group);
        all
    }

    /// What is known of this option.
    pub(super) fn described(name: &str) -> Option<&'static Description> {
        Self::descriptions()
            .into_iter()
            .find(|one| one.name == name)
    }

    /// What is in force: each value that was written, or else its default. Some defaults follow other options.
    pub(super) fn resolve(self) -> Result<OptionValues, OptionError> {
        let Self {
            config: _,
            primary,
            check,
            gateway,
            standby,
            local_check,
            takeover,
            witness,
            fence,
            flap_damping,
            guard,
            sync,
            notify,
            webhook,
            dead_mans_switch,
            operation,
        } = self;
        let gateway = gateway.resolve()?;
        let check = check.resolve(gateway.gateway)?;
        let local_default = LocalCheckKind::default_for(&gateway, check.check);
        let takeover = takeover.resolve()?;
        let flap_damping = flap_damping.resolve(takeover.interval)?;
        Ok(OptionValues {
            primary: primary.resolve()?,
            check,
            gateway,
            standby: standby.resolve()?,
            local_check: local_check.resolve(local_default)?,
            takeover,
            witness: witness.resolve()?,
            fence: fence.resolve()?,
            flap_damping,
            guard: guard.resolve()?,
            sync: sync.resolve()?,
            notify: notify.resolve()?,
            webhook: webhook.resolve()?,
            dead_mans_switch: dead_mans_switch.resolve()?,
            operation: operation.resolve()?,
        })
    }

    /// The options of this file, without any flags.
    #[must_use]
    pub fn of_file(path: PathBuf) -> Self {
        Self {
            config: Some(path),
            ..Self::default()
        }
    }

    /// With the default configuration file, unless another one is named or there is none. If it can't be looked at,
    /// it counts as there: reading it then reports why.
    #[must_use]
    pub fn or_default_file(mut self) -> Self {
        let default = Path::new(DEFAULT_CONFIG);
        if self.config.is_none() && default.try_exists().unwrap_or(true) {
            self.config = Some(default.to_owned());
        }
        self
    }
}
