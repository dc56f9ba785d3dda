//! The local gateway: how it is started and stopped, and what counts as it. What kind it is sets
//! everything that isn't said.

use std::path::PathBuf;

use clap::ValueEnum;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    config::{CheckKind, ConfigurationError, secret::quoted},
    gateway::{
        command::{
            account::{Account, AccountError},
            command_line::CommandLine,
            unit::{Scope, UnitCommand, UnitVerb},
        },
        port::identity::{Identity, Manager, OPENCLAW_UNITS, Rule},
        spec::{LocalGateway, LocalUnit},
    },
};

/// Between what counts as the gateway and whose it is.
const OF: &str = " of ";

pub(super) const OPENCLAW_START: &str = "openclaw gateway start";
/// `--force` is added where the installed version knows it.
pub(super) const OPENCLAW_STOP: &str = "openclaw gateway stop";
const OPENCLAW_UNIT: &str = "openclaw-gateway.service";
/// What its name and those of its profiles begin with (`openclaw-gateway-NAME.service`).
const OPENCLAW_UNIT_BEGINS: &str = "openclaw-gateway";
/// Longest name of a unit (systemd.unit(5)).
const LONGEST_UNIT: usize = 255;
/// What systemd calls its kinds of units that can be started and listen; others are a mistake.
const SUFFIXES: [&str; 4] = [".service", ".socket", ".scope", ".target"];

/// What the local gateway is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayKind {
    /// OpenClaw, by its own commands.
    #[default]
    #[value(name = "openclaw")]
    #[serde(rename = "openclaw")]
    OpenClaw,
    /// Anything, by the commands given.
    Command,
    /// A unit of the account's own service manager, through D-Bus.
    SystemdUser,
    /// A unit of the system's service manager, through D-Bus.
    Systemd,
}

impl GatewayKind {
    /// How a primary of the same kind is checked, unless something else is said.
    pub(super) const fn check(self) -> CheckKind {
        match self {
            Self::OpenClaw | Self::SystemdUser => CheckKind::OpenClaw,
            Self::Command | Self::Systemd => CheckKind::Tcp,
        }
    }
}

/// What can't be done to a gateway like this.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// It has no command by itself.
    #[error("gateway is `command`, which needs a {0} command; name it with --{0}")]
    NoCommand(&'static str),
    /// It has no unit by itself.
    #[error("gateway is `systemd`, which needs a unit; name it with --unit")]
    NoUnit,
    /// A unit has no use.
    #[error(
        "gateway is `command`, which has no use for a unit; leave --unit out, or say --gateway systemd"
    )]
    UselessUnit,
    /// An account has no use.
    #[error(
        "gateway is `systemd`, whose unit says itself whose it is; leave --user out, or say --gateway systemd-user"
    )]
    UselessUser,
    /// No service manager would have a unit of this name.
    #[error("`{}` is not a unit's name; write one like gateway.service", quoted(.0))]
    Unit(String),
    /// What is named as owner is nothing that could be one.
    #[error(
        "`{}` names no owner; write unit:NAME, account:NAME, or executable:PATH (or a program's file name), and where it isn't the account of `user`: `unit:NAME of ACCOUNT`, `executable:PATH of ACCOUNT`",
        quoted(.0)
    )]
    Owner(String),
    /// Nothing would be the gateway.
    #[error("owner is empty; leave it out, or name at least one")]
    NoOwner,
    /// An owner's account can't be found.
    #[error("owner: {0}")]
    Account(#[from] AccountError),
}

impl GatewayError {
    /// The option that is to be changed.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::NoCommand(_) | Self::NoUnit => "gateway",
            Self::UselessUnit | Self::Unit(_) => "unit",
            Self::UselessUser => "user",
            Self::Owner(_) | Self::NoOwner | Self::Account(_) => "owner",
        }
    }
}

/// What the options say of it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) kind: GatewayKind,
    pub(super) user: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) owner: Option<Vec<String>>,
    pub(super) start: Option<String>,
    pub(super) stop: Option<String>,
}

impl Given {
    pub(super) fn checked(self) -> Result<LocalGateway, ConfigurationError> {
        match self.kind {
            GatewayKind::Command if self.unit.is_some() => {
                return Err(GatewayError::UselessUnit.into());
            }
            GatewayKind::Systemd if self.user.is_some() => {
                return Err(GatewayError::UselessUser.into());
            }
            _ => {}
        }
        let unit = self.unit.as_deref().map(unit_name).transpose()?;
        let user = self.user.as_deref().map(Account::named).transpose()?;
        let line = |verb, given| self.line(verb, given, unit.as_deref());
        Ok(LocalGateway {
            start: line(UnitVerb::Start, self.start.as_deref())?,
            stop: line(UnitVerb::Stop, self.stop.as_deref())?,
            stop_may_need_force: self.kind == GatewayKind::OpenClaw
                && self
                    .stop
                    .as_deref()
                    .is_none_or(|stop| stop == OPENCLAW_STOP),
            unit: self.local_unit(unit.as_deref()),
            identity: self.identity(unit, user.as_ref())?,
            user,
        })
    }

    fn line(
        &self,
        verb: UnitVerb,
        given: Option<&str>,
        unit: Option<&str>,
    ) -> Result<CommandLine, ConfigurationError> {
        let line = match (given, self.kind, verb) {
            (Some(line), _, _) => line,
            (None, GatewayKind::OpenClaw, UnitVerb::Start) => OPENCLAW_START,
            (None, GatewayKind::OpenClaw, UnitVerb::Stop) => OPENCLAW_STOP,
            (None, GatewayKind::Command, _) => {
                return Err(GatewayError::NoCommand(verb.name()).into());
            }
            (None, GatewayKind::SystemdUser, _) => {
                let unit = unit.unwrap_or(OPENCLAW_UNIT);
                return Ok(UnitCommand::new(verb, Scope::User, unit).line());
            }
            (None, GatewayKind::Systemd, _) => {
                let unit = unit.ok_or(GatewayError::NoUnit)?;
                return Ok(UnitCommand::new(verb, Scope::System, unit).line());
            }
        };
        crate::config::command(verb.name(), line)
    }

    fn local_unit(&self, unit: Option<&str>) -> Option<LocalUnit> {
        let (scope, default) = match self.kind {
            GatewayKind::Command => return None,
            GatewayKind::OpenClaw => (Scope::User, OPENCLAW_UNITS),
            GatewayKind::SystemdUser => (Scope::User, OPENCLAW_UNIT),
            GatewayKind::Systemd => (Scope::System, unit?),
        };
        Some(LocalUnit {
            scope,
            name: unit.unwrap_or(default).to_owned(),
            is_started: self
                .start
                .as_deref()
                .is_none_or(|start| start == OPENCLAW_START),
        })
    }

    fn identity(
        &self,
        unit: Option<String>,
        user: Option<&Account>,
    ) -> Result<Identity, GatewayError> {
        let uid = user.map_or_else(|| geteuid().as_raw(), Account::uid);
        if let Some(owners) = &self.owner {
            let rules: Vec<Vec<Rule>> = owners
                .iter()
                .map(|owner| rules(owner, uid))
                .collect::<Result<_, _>>()?;
            return match rules.is_empty() {
                true => Err(GatewayError::NoOwner),
                false => Ok(Identity::new(rules.concat())),
            };
        }
        Ok(match self.kind {
            GatewayKind::OpenClaw | GatewayKind::SystemdUser => Identity::openclaw(uid, unit),
            GatewayKind::Systemd => Identity::system_unit(unit.ok_or(GatewayError::NoUnit)?),
            GatewayKind::Command => Identity::of_account(uid),
        })
    }
}

/// Is a unit of this name OpenClaw's?
pub(super) fn is_openclaw_unit(name: &str) -> bool {
    name.starts_with(OPENCLAW_UNIT_BEGINS)
}

/// What one owner stands for. It belongs to the account that owns the gateway unless it names another
/// one: any account may run a program of any name, and have a unit of any name.
fn rules(owner: &str, uid: u32) -> Result<Vec<Rule>, GatewayError> {
    let wrong = || GatewayError::Owner(owner.to_owned());
    let (kind, rest) = owner.split_once(':').ok_or_else(wrong)?;
    let (what, account) = match rest.rsplit_once(OF) {
        // A path may contain the word.
        Some((what, account)) if kind != "account" && !account.contains('/') => {
            (what, Some(Account::uid_of(account)?))
        }
        _ => (rest, None),
    };
    match kind {
        "unit" => {
            // Stars are for the matching; without them it must be a name.
            unit_name(&what.replace('*', "x")).map_err(|_| wrong())?;
            let name = match has_suffix(what) {
                true => what.to_owned(),
                false => format!("{what}.service"),
            };
            let of = |manager| Rule::Unit {
                name: name.clone(),
                manager,
            };
            Ok(match account {
                Some(account) => vec![of(Manager::User(account))],
                None => vec![of(Manager::System), of(Manager::User(uid))],
            })
        }
        "account" => Ok(vec![Rule::Account {
            uid: Account::uid_of(what)?,
            name: what.to_owned(),
        }]),
        "executable" => {
            let path = PathBuf::from(what);
            let is_file_name = path.components().count() == 1 && path.file_name().is_some();
            let uid = account.unwrap_or(uid);
            (path.is_absolute() || is_file_name)
                .then(|| vec![Rule::Executable { path, uid }])
                .ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// A unit's whole name; `.service` is added where nothing else is said, as systemctl does.
fn unit_name(name: &str) -> Result<String, GatewayError> {
    let whole = match has_suffix(name) {
        true => name.to_owned(),
        false => format!("{name}.service"),
    };
    // systemd.unit(5)
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let is_name = whole.len() <= LONGEST_UNIT
        && whole.bytes().all(is_right)
        && SUFFIXES.iter().all(|suffix| whole != *suffix);
    is_name
        .then_some(whole)
        .ok_or_else(|| GatewayError::Unit(name.to_owned()))
}

fn has_suffix(name: &str) -> bool {
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(kind: GatewayKind) -> Given {
        Given {
            kind,
            user: None,
            unit: None,
            owner: None,
            start: None,
            stop: None,
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn each_kind_brings_its_own_commands() {
        let own = |kind, unit: Option<&str>| {
            let unit = unit.map(str::to_owned);
            let gateway = Given {
                unit,
                ..given(kind)
            };
            let gateway = gateway.checked().unwrap();
            [gateway.start.to_string(), gateway.stop.to_string()]
        };
        assert_eq!(
            own(GatewayKind::OpenClaw, None),
            ["openclaw gateway start", "openclaw gateway stop"]
        );
        assert_eq!(
            own(GatewayKind::SystemdUser, None),
            [
                "failover unit-job start --user openclaw-gateway.service",
                "failover unit-job stop --user openclaw-gateway.service"
            ]
        );
        assert_eq!(
            own(GatewayKind::Systemd, Some("bot")),
            [
                "failover unit-job start bot.service",
                "failover unit-job stop bot.service"
            ]
        );
    }

    #[test]
    fn what_is_said_wins() {
        for kind in [
            GatewayKind::OpenClaw,
            GatewayKind::Command,
            GatewayKind::SystemdUser,
        ] {
            let gateway = Given {
                start: some("up 'a b'"),
                stop: some("down"),
                ..given(kind)
            };
            let gateway = gateway.checked().unwrap();
            assert_eq!(gateway.start.to_string(), "up 'a b'");
            assert_eq!(gateway.stop.to_string(), "down");
            assert!(!gateway.stop_may_need_force);
        }
        assert!(
            given(GatewayKind::OpenClaw)
                .checked()
                .unwrap()
                .stop_may_need_force
        );
    }

    #[test]
    fn what_is_missing_or_has_no_use_is_told_with_its_remedy() {
        let refused = |given: Given, parts: &[&str]| {
            let error = given.checked().unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{part}: {error}");
            }
        };
        let command = || given(GatewayKind::Command);
        refused(command(), &["start command", "--start"]);
        let start = some("up");
        refused(
            Given {
                start: start.clone(),
                ..command()
            },
            &["stop command", "--stop"],
        );
        refused(
            Given {
                unit: some("a"),
                ..command()
            },
            &["no use for a unit", "--gateway systemd"],
        );
        refused(given(GatewayKind::Systemd), &["needs a unit", "--unit"]);
        refused(
            Given {
                user: some("root"),
                ..given(GatewayKind::Systemd)
            },
            &["--user", "systemd-user"],
        );
        for unit in ["", ".service", "a b", "a/b.service", &"x".repeat(300)] {
            refused(
                Given {
                    unit: some(unit),
                    ..given(GatewayKind::SystemdUser)
                },
                &["is not a unit's name"],
            );
        }
        for owner in [
            "node",
            "unit:",
            "unit:a b",
            "executable:",
            "executable:a/b",
            "pid:1",
        ] {
            refused(
                Given {
                    owner: Some(vec![owner.to_owned()]),
                    ..given(GatewayKind::OpenClaw)
                },
                &[owner, "executable:PATH"],
            );
        }
        refused(
            Given {
                owner: Some(vec!["account:no-such-account".to_owned()]),
                ..given(GatewayKind::OpenClaw)
            },
            &["owner:", "no-such-account", "getent passwd"],
        );
        refused(
            Given {
                owner: Some(Vec::new()),
                ..given(GatewayKind::OpenClaw)
            },
            &["owner is empty"],
        );
    }

    #[test]
    fn an_owner_is_of_the_account_that_owns_the_gateway_unless_it_names_another() {
        let root = |name: &str| Rule::Unit {
            name: name.to_owned(),
            manager: Manager::User(0),
        };
        let program = |path: &str, uid| Rule::Executable {
            path: path.into(),
            uid,
        };
        for (owner, expected) in [
            (
                "unit:bot",
                vec![
                    Rule::Unit {
                        name: "bot.service".to_owned(),
                        manager: Manager::System,
                    },
                    Rule::Unit {
                        name: "bot.service".to_owned(),
                        manager: Manager::User(7),
                    },
                ],
            ),
            ("unit:bot of root", vec![root("bot.service")]),
            ("executable:node", vec![program("node", 7)]),
            ("executable:node of root", vec![program("node", 0)]),
            (
                "executable:/opt/x of y/bot",
                vec![program("/opt/x of y/bot", 7)],
            ),
            (
                "account:root",
                vec![Rule::Account {
                    name: "root".to_owned(),
                    uid: 0,
                }],
            ),
        ] {
            assert_eq!(rules(owner, 7).unwrap(), expected, "{owner}");
        }
        for wrong in [
            "unit:bot of no-such-account",
            "executable:a of no-such-account",
        ] {
            let error = rules(wrong, 7).unwrap_err();
            assert!(error.to_string().contains("no-such-account"), "{error}");
        }
        for wrong in ["unit: of root", "executable: of root", "unit:a b of root"] {
            assert!(
                matches!(rules(wrong, 7), Err(GatewayError::Owner(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn each_kind_has_its_own_idea_of_the_gateway() {
        let told = |given: Given| given.checked().unwrap().identity.to_string();
        let own = geteuid().as_raw();
        let own_program = match own {
            0 => "root".to_owned(),
            own => format!("uid {own} or root"),
        };
        assert_eq!(
            told(given(GatewayKind::OpenClaw)),
            format!(
                "unit openclaw-gateway*.service of user {own}, or OpenClaw in node or bun of uid {own}"
            )
        );
        // A start of one's own may become anybody, but not everybody is the gateway for that.
        assert_eq!(
            told(Given {
                start: some("runuser -u alice -- openclaw gateway start"),
                ..given(GatewayKind::OpenClaw)
            }),
            told(given(GatewayKind::OpenClaw))
        );
        assert_eq!(
            told(Given {
                unit: some("bot"),
                ..given(GatewayKind::Systemd)
            }),
            "unit bot.service"
        );
        assert_eq!(
            told(Given {
                owner: Some(
                    [
                        "unit:bot*",
                        "account:root",
                        "executable:/opt/bot",
                        "executable:node"
                    ]
                    .map(str::to_owned)
                    .to_vec()
                ),
                ..given(GatewayKind::OpenClaw)
            }),
            format!(
                "unit bot*.service, or unit bot*.service of user {own}, or any process of root, or /opt/bot of {own_program}, or node of {own_program}"
            )
        );
    }
}
