//! What `owner` and `unit` may be, and what they stand for.

use std::path::PathBuf;

use super::error::GatewayError;
use crate::gateway::{
    command::account::Account,
    port::identity::{Manager, Rule},
};

/// Between what counts as the gateway and whose it is.
const OF: &str = " of ";

/// Longest name of a unit (systemd.unit(5)).
const LONGEST_UNIT: usize = 255;
/// What systemd calls its kinds of units that can be started and listen; others are a mistake.
const SUFFIXES: [&str; 4] = [".service", ".socket", ".scope", ".target"];

/// What one owner stands for. It belongs to the account that owns the gateway unless it names another
/// one: any account may run a program of any name, and have a unit of any name.
pub(super) fn rules(owner: &str, uid: u32) -> Result<Vec<Rule>, GatewayError> {
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

/// A unit's whole name; `.service` is added where no suffix is given, as systemctl does.
pub(super) fn unit_name(name: &str) -> Result<String, GatewayError> {
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
