//! Why the local gateway can't be as configured.

use thiserror::Error;

use crate::{
    config::{command::CommandError, secret::quoted},
    gateway::command::account::AccountError,
};

/// A gateway that can't be started, stopped or recognized like this.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// It has no command by itself.
    #[error("gateway is command, but {0} isn't set; set {0} to a command")]
    NoCommand(&'static str),
    /// It has no unit by itself.
    #[error("gateway is systemd, but unit isn't set; set unit to its name")]
    NoUnit,
    /// A unit has no use.
    #[error("unit is set, but gateway is command; remove unit, or set gateway to systemd")]
    UselessUnit,
    /// An account has no use.
    #[error(
        "user is set, but gateway is systemd, whose unit names its account; remove user, or set gateway to systemd-user"
    )]
    UselessUser,
    /// No service manager would have a unit of this name.
    #[error("`{}` is not the name of a unit; write one like gateway.service", quoted(.0))]
    Unit(String),
    /// What is named as owner is nothing that could be one.
    #[error(
        "`{}` is not an owner; write unit:NAME, account:NAME, executable:PATH or executable:FILE; for another account than `user`: `unit:NAME of ACCOUNT` or `executable:PATH of ACCOUNT`",
        quoted(.0)
    )]
    Owner(String),
    /// Nothing would be the gateway.
    #[error("owner is empty; remove it, or name at least one")]
    NoOwner,
    /// An owner's account can't be found.
    #[error("owner: {0}")]
    Account(#[from] AccountError),
    /// The gateway's own account can't be found.
    #[error("user: {0}")]
    User(#[source] AccountError),
    /// Its start or stop command can't be run.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl GatewayError {
    /// The option that has to change.
    pub(in crate::config) const fn option(&self) -> &'static str {
        match self {
            Self::Command(error) => error.option,
            Self::NoCommand(_) | Self::NoUnit => "gateway",
            Self::UselessUnit | Self::Unit(_) => "unit",
            Self::UselessUser | Self::User(_) => "user",
            Self::Owner(_) | Self::NoOwner | Self::Account(_) => "owner",
        }
    }
}
