//! Which unit is parked, and which gateways can't be. It must not know how a gateway is parked.

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::gateway::{
    command::{
        account::{Account, AccountError},
        unit::Scope,
    },
    parking::facts::Facts,
    port::identity::{OPENCLAW_UNIT, OPENCLAW_UNITS},
    spec::LocalGateway,
};

/// UNIT_NAME_MAX in systemd's `basic/unit-name.h`, 257.
const LONGEST_NAME: usize = 255;
/// LOGIN_NAME_MAX in `linux/limits.h`.
const LONGEST_ACCOUNT: usize = 256;

/// A unit that can be parked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ParkedUnit {
    /// Its name, with `.service`.
    pub name: String,
    /// The account whose service manager has it; `None`: the system's.
    pub account: Option<String>,
}

/// Why a gateway can't be parked: a fact of the configuration or of the unit.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum NotParkable {
    /// Its processes are known to nobody: `gateway = "command"`.
    #[error(
        "the gateway isn't a systemd unit, so nobody knows which processes are its own; set gateway = \"systemd\" or \"systemd-user\""
    )]
    NoUnit,
    /// A start command of the operator's may do more than start the unit.
    #[error("`start` is set, which may do more than start the unit; leave it out")]
    OwnStart,
    /// The name stands for several units.
    #[error("`{0}` stands for several units; set `unit` to the one that is started")]
    Pattern(String),
    /// No `.service` of a name that systemd accepts.
    #[error("`{0}` isn't the name of a service; set `unit` to one")]
    Name(String),
    /// Only root may stop other accounts' processes and load kernel programs.
    #[error("only root can park a gateway; run failover as root")]
    NotRoot,
    /// systemd doesn't have it, or can't load it.
    #[error("the unit is {0}; `systemctl status` says more")]
    NotLoaded(String),
    /// Another kind of service than one whose first process stays.
    #[error(
        "the unit has Type={0}: only one whose first process is the gateway can be parked (simple, exec, notify)"
    )]
    Kind(String),
    /// A stopped process doesn't feed a watchdog, which would end it by a signal that it acts on.
    #[error("the unit has WatchdogSec, and a parked gateway can't feed a watchdog; remove it")]
    Watchdog,
    /// systemd itself listens, so a bind isn't what makes the gateway reachable.
    #[error("the unit is activated by {0}, so systemd itself listens on the port; disable it")]
    Socket(String),
}

/// Where it is in the way: the daemon's configuration, before any manager is asked.
impl ParkedUnit {
    /// The unit that is started for this gateway.
    ///
    /// # Errors
    /// When there is none, or it isn't known.
    pub fn of(gateway: &LocalGateway) -> Result<Self, NotParkable> {
        let unit = gateway.unit.as_ref().ok_or(NotParkable::NoUnit)?;
        if !unit.is_started {
            return Err(NotParkable::OwnStart);
        }
        let name = match unit.name.contains('*') {
            false => unit.name.clone(),
            // What its own start command starts without a profile.
            true if OPENCLAW_UNITS == unit.name => OPENCLAW_UNIT.to_owned(),
            true => return Err(NotParkable::Pattern(unit.name.clone())),
        };
        let account = match unit.scope {
            Scope::System => None,
            Scope::User => Some(match &gateway.user {
                Some(account) => account.name().to_owned(),
                None => {
                    Account::own().map_or_else(|_| "root".to_owned(), |own| own.name().to_owned())
                }
            }),
        };
        Self { name, account }.checked()
    }

    /// The same, if systemd could have such a unit.
    ///
    /// # Errors
    /// When it couldn't.
    pub fn checked(self) -> Result<Self, NotParkable> {
        match self.is_valid() {
            true => Ok(self),
            false => Err(NotParkable::Name(self.name)),
        }
    }

    /// A name of systemd's characters (VALID_CHARS in `basic/unit-name.c`, 257), and a plausible account.
    pub(super) fn is_valid(&self) -> bool {
        let stem = self.name.strip_suffix(".service").unwrap_or_default();
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let account = self.account.as_deref().unwrap_or("root");
        !stem.is_empty()
            && self.name.len() <= LONGEST_NAME
            && !self.name.starts_with('.')
            && stem.bytes().all(valid)
            && !account.is_empty()
            && account.len() <= LONGEST_ACCOUNT
            && !account.contains(['\0', '/', '\n'])
    }

    /// The service manager that has it.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self.account {
            Some(_) => Scope::User,
            None => Scope::System,
        }
    }

    /// The account of its service manager, looked up.
    ///
    /// # Errors
    /// When there is none.
    pub fn manager_account(&self) -> Result<Option<Account>, AccountError> {
        self.account.as_deref().map(Account::named).transpose()
    }
}

/// Is a unit as it is loaded one that can be parked?
///
/// # Errors
/// With what is in the way.
pub(crate) fn check(facts: &Facts) -> Result<(), NotParkable> {
    if !geteuid().is_root() {
        return Err(NotParkable::NotRoot);
    }
    if facts.load_state != "loaded" {
        return Err(NotParkable::NotLoaded(facts.load_state.clone()));
    }
    if !matches!(
        facts.kind.as_str(),
        "simple" | "exec" | "notify" | "notify-reload" | "idle"
    ) {
        return Err(NotParkable::Kind(facts.kind.clone()));
    }
    // What systemd takes for infinity, and for none.
    if !matches!(facts.watchdog, 0 | u64::MAX) {
        return Err(NotParkable::Watchdog);
    }
    match facts
        .triggered_by
        .iter()
        .find(|unit| unit.ends_with(".socket"))
    {
        Some(socket) => Err(NotParkable::Socket(socket.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, account: Option<&str>) -> ParkedUnit {
        ParkedUnit {
            name: name.to_owned(),
            account: account.map(str::to_owned),
        }
    }

    #[test]
    fn a_name_is_one_that_systemd_accepts() {
        for name in ["bot.service", "a-b@c:d_e.f.service", r"a\x2db.service"] {
            assert!(unit(name, None).is_valid(), "{name}");
        }
        for name in [
            "",
            ".service",
            "bot",
            "bot.socket",
            "../bot.service",
            "a b.service",
            "a*.service",
            ".bot.service",
        ] {
            assert!(!unit(name, None).is_valid(), "{name}");
        }
        for account in ["", "a/b", "a\0"] {
            assert!(
                !unit("bot.service", Some(account)).is_valid(),
                "{account:?}"
            );
        }
    }

    #[test]
    fn what_would_wake_or_bypass_a_parked_gateway_is_in_the_way() {
        if !geteuid().is_root() {
            return assert_eq!(check(&Facts::default()), Err(NotParkable::NotRoot));
        }
        let good = Facts {
            load_state: "loaded".to_owned(),
            kind: "simple".to_owned(),
            watchdog: u64::MAX,
            ..Facts::default()
        };
        assert_eq!(check(&good), Ok(()));
        let of = |change: &dyn Fn(&mut Facts)| {
            let mut facts = good.clone();
            change(&mut facts);
            check(&facts).unwrap_err()
        };
        let missing = of(&|facts| facts.load_state = "not-found".to_owned());
        assert_eq!(missing, NotParkable::NotLoaded("not-found".to_owned()));
        let kind = of(&|facts| facts.kind = "forking".to_owned());
        assert_eq!(kind, NotParkable::Kind("forking".to_owned()));
        assert_eq!(of(&|facts| facts.watchdog = 1), NotParkable::Watchdog);
        let socket = of(&|facts| facts.triggered_by = vec!["a.timer".into(), "a.socket".into()]);
        assert_eq!(socket, NotParkable::Socket("a.socket".to_owned()));
    }
}
