//! What is copied from PC-A, from where, how often, and what is too much.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use failover_sync::{
    openclaw,
    spec::{Limits, StateSpec},
};

use crate::{
    config::{
        duration::{HumanDuration, days, hours, minutes, seconds},
        gateway::{GatewayKind, is_openclaw_unit},
        option::{Always, option_set, sync},
        parse::count,
        secret::quoted,
        size::{Size, gigabytes, megabytes},
    },
    gateway::{
        command::account::{Account, AccountError},
        port::identity::{OPENCLAW_UNIT, OPENCLAW_UNITS},
        spec::LocalGateway,
    },
};

option_set! {
    /// What is copied from PC-A.
    pub(crate) struct SyncOptions => SyncValues {
        /// Account and host that sessions and configuration are copied from, over ssh: PC-A; nothing is copied without it
        #[arg(value_name = "ACCOUNT@HOST[:PORT]")]
        sync_from: Option<String> = sync().example("alice@pc-a".to_owned());

        /// Time between rounds; each copies what has changed
        #[arg(value_name = "DURATION")]
        sync_every: Always<HumanDuration> = sync()
            .range(seconds(5), days(1))
            .default(seconds(30));

        /// Age of the newest copy that is a problem
        #[arg(value_name = "DURATION")]
        sync_max_age: Always<HumanDuration> = sync()
            .range(seconds(10), days(30))
            .default(minutes(10));

        /// Time limit of a round; then it is killed
        #[arg(value_name = "DURATION")]
        sync_within: Always<HumanDuration> = sync()
            .range(seconds(1), hours(1))
            .default(seconds(20));

        /// Time limit for putting the copy in place, before the local gateway starts
        #[arg(value_name = "DURATION")]
        sync_place_within: Always<HumanDuration> = sync()
            .range(seconds(1), minutes(10))
            .default(seconds(10));

        /// Largest copy
        #[arg(value_name = "SIZE")]
        sync_max_bytes: Always<Size> = sync()
            .range(megabytes(1), gigabytes(100_000))
            .default(gigabytes(4));

        /// Largest file of a copy
        #[arg(value_name = "SIZE")]
        sync_max_file: Always<Size> = sync()
            .range(megabytes(1), gigabytes(100_000))
            .default(megabytes(2500));

        /// Most files of a copy
        #[arg(value_name = "COUNT", value_parser = count::<u64>)]
        sync_max_files: Always<u64> = sync()
            .range(1, 100_000_000)
            .default(200_000);

        /// Space that a copy leaves free
        #[arg(value_name = "SIZE")]
        sync_min_free: Always<Size> = sync()
            .range(megabytes(0), gigabytes(100_000))
            .default(gigabytes(1));

        /// Trees and files to copy, the same path on both hosts, ~/ for the account's home; added to OpenClaw's own
        #[arg(value_name = "PATHS", value_delimiter = ',')]
        sync_paths: Option<Vec<String>> = sync()
            .words("~/.openclaw for OpenClaw")
            .alternative(vec!["~/workspace".to_owned()]);

        /// SQLite databases in them, as rsync patterns; added to OpenClaw's own
        #[arg(value_name = "PATTERNS", value_delimiter = ',')]
        sync_databases: Option<Vec<String>> = sync()
            .words("OpenClaw's own")
            .alternative(vec!["/state/*.sqlite".to_owned()]);

        /// What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw's tree
        #[arg(value_name = "PATTERNS", value_delimiter = ',')]
        sync_exclude: Option<Vec<String>> = sync()
            .words("caches, logs and installed programs of OpenClaw")
            .alternative(vec!["node_modules/".to_owned()]);
    }
}

/// Something that can't be copied like this.
#[derive(Debug, Error)]
pub enum SyncError {
    /// No account and host.
    #[error("sync-from is `{}`; write PC-A's account and host, as alice@pc-a or alice@pc-a:2222", quoted(.0))]
    From(String),
    /// Nothing is known of this gateway's state.
    #[error(
        "sync-from is set, and what to copy is known of OpenClaw only; set sync-paths to the gateway's folders"
    )]
    NoPaths,
    /// Not a path that can be copied.
    #[error(
        "sync-paths has `{}`; write full paths without `..`, or begin with ~/",
        quoted(.0)
    )]
    Path(String),
    /// Not a pattern.
    #[error("{option} has `{}`; a pattern is one line, and not empty", quoted(.pattern))]
    Pattern {
        /// The option.
        option: &'static str,
        /// As it was written.
        pattern: String,
    },
    /// It would be a problem before the first round.
    #[error("sync-max-age is {age}, less than sync-every; set it to at least {every}")]
    Age {
        /// The age.
        age: HumanDuration,
        /// The interval.
        every: HumanDuration,
    },
    /// The account has no home.
    #[error("sync-from is set, and the gateway's account is unknown: {0}")]
    Account(#[source] AccountError),
}

impl SyncError {
    /// The option that has to change.
    pub(super) const fn option(&self) -> &'static str {
        match self {
            Self::From(_) | Self::Account(_) => "sync-from",
            Self::NoPaths | Self::Path(_) => "sync-paths",
            Self::Pattern { option, .. } => option,
            Self::Age { .. } => "sync-max-age",
        }
    }
}

/// What is copied from PC-A, as configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sync {
    /// `alice@pc-a`, as ssh(1) takes it.
    pub destination: String,
    /// `None`: what ssh has by default.
    pub port: Option<u16>,
    /// The account's home: the folder of the generations and of the key is below.
    pub home: PathBuf,
    /// What is copied.
    pub state: StateSpec,
    /// The unit file of the local gateway, where OpenClaw notes its version.
    pub unit_file: Option<PathBuf>,
    /// Between rounds.
    pub every: Duration,
    /// From here on, the age of the newest copy is a problem.
    pub max_age: Duration,
    /// What is too much in a round.
    pub limits: Limits,
    /// Limit for putting a copy in place.
    pub place_within: Duration,
}

impl SyncValues {
    /// `None`: nothing is copied.
    pub(super) fn checked(
        self,
        kind: GatewayKind,
        gateway: &LocalGateway,
    ) -> Result<Option<Sync>, SyncError> {
        let Some(from) = &self.sync_from else {
            return Ok(None);
        };
        let (destination, port) = address(from).ok_or_else(|| SyncError::From(from.clone()))?;
        if self.sync_max_age < self.sync_every {
            return Err(SyncError::Age {
                age: self.sync_max_age,
                every: self.sync_every,
            });
        }
        let home = match &gateway.user {
            Some(account) => account.home().to_owned(),
            None => Account::own()
                .map_err(SyncError::Account)?
                .home()
                .to_owned(),
        };
        let is_openclaw = is_openclaw(kind, gateway);
        Ok(Some(Sync {
            destination,
            port,
            state: self.state(is_openclaw, &home)?,
            unit_file: unit_file(gateway, &home).filter(|_| is_openclaw),
            home,
            every: self.sync_every.get(),
            max_age: self.sync_max_age.get(),
            limits: Limits {
                within: self.sync_within.get(),
                bytes: self.sync_max_bytes.bytes(),
                file_bytes: self.sync_max_file.bytes(),
                files: self.sync_max_files,
                free_bytes: self.sync_min_free.bytes(),
            },
            place_within: self.sync_place_within.get(),
        }))
    }

    fn state(&self, is_openclaw: bool, home: &Path) -> Result<StateSpec, SyncError> {
        let mut state = match is_openclaw {
            true => openclaw::state(home),
            false => StateSpec {
                paths: Vec::new(),
                exclude: Vec::new(),
                databases: Vec::new(),
                is_openclaw,
            },
        };
        for path in self.sync_paths.iter().flatten() {
            state.paths.push(full(path, home)?);
        }
        if state.paths.is_empty() {
            return Err(SyncError::NoPaths);
        }
        let databases = patterns("sync-databases", self.sync_databases.as_ref());
        state.databases.extend(databases?);
        let exclude = patterns("sync-exclude", self.sync_exclude.as_ref());
        state.exclude.extend(exclude?);
        Ok(state)
    }
}

/// Where systemd has the user's units (systemd.unit(5)).
const USER_UNITS: &str = ".config/systemd/user";

/// Is it OpenClaw, through its own commands or as the user unit that it installs?
fn is_openclaw(kind: GatewayKind, gateway: &LocalGateway) -> bool {
    let unit = gateway.unit.as_ref();
    match kind {
        GatewayKind::OpenClaw => true,
        GatewayKind::SystemdUser => unit.is_some_and(|unit| is_openclaw_unit(&unit.name)),
        GatewayKind::Command | GatewayKind::Systemd => false,
    }
}

fn unit_file(gateway: &LocalGateway, home: &Path) -> Option<PathBuf> {
    let name = match gateway.unit.as_ref()?.name.as_str() {
        OPENCLAW_UNITS => OPENCLAW_UNIT,
        name => name,
    };
    Some(home.join(USER_UNITS).join(name))
}

/// An account and a host, and the port. ssh would take what begins with `-` for an option of its own.
pub(crate) fn address(text: &str) -> Option<(String, Option<u16>)> {
    let (account, rest) = text.split_once('@')?;
    let (host, port) = match rest.strip_prefix('[') {
        Some(address) => {
            let (address, port) = address.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            match port {
                "" => (address, None),
                port => (address, Some(port.strip_prefix(':')?)),
            }
        }
        None => match rest.split_once(':') {
            // An address of IPv6 without brackets has no port.
            Some((_, port)) if port.contains(':') => {
                rest.parse::<std::net::Ipv6Addr>().ok()?;
                (rest, None)
            }
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let is_plain = |text: &str, more: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.len() <= LONGEST_NAME
            && text
                .chars()
                .all(|one| one.is_ascii_alphanumeric() || more.contains(one))
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    let is_source = is_plain(account, "._-") && is_plain(host, "._-:%");
    is_source.then(|| (format!("{account}@{host}"), port))
}

/// The longest name of a host (RFC 1123).
const LONGEST_NAME: usize = 255;

/// A path as it is on both hosts.
fn full(text: &str, home: &Path) -> Result<PathBuf, SyncError> {
    let refused = || SyncError::Path(text.to_owned());
    let path = match text.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(text),
    };
    let mut parts = path.components();
    let begins_at_the_root = parts.next() == Some(Component::RootDir);
    let names = parts.clone().count();
    let is_plain = parts.all(|part| matches!(part, Component::Normal(_)));
    let is_text = !text.contains(char::is_control);
    if begins_at_the_root && names > 0 && is_plain && is_text {
        return Ok(path.components().collect());
    }
    Err(refused())
}

fn patterns(option: &'static str, written: Option<&Vec<String>>) -> Result<Vec<String>, SyncError> {
    let checked = |pattern: &String| match pattern.is_empty() || pattern.contains(char::is_control)
    {
        true => Err(SyncError::Pattern {
            option,
            pattern: pattern.clone(),
        }),
        false => Ok(pattern.clone()),
    };
    written.into_iter().flatten().map(checked).collect()
}

#[cfg(test)]
mod tests;
