//! Could PC-A's state be copied, and is it? What is needed here, and the way to PC-A, which the rounds of a running daemon
//! use.

use std::{fs, path::Path};

use rustix::fs::statvfs;

use crate::{
    config::{Configuration, Sync},
    gateway::command::command_line::CommandLine,
    preflight::{Finding, Level},
    status::Document,
    sync::{
        order::{key, store},
        setup,
    },
    wording,
};

const NAME: &str = "sync";
/// The copy that is made, the one before, and the tree that is in place.
const TREES: u64 = 3;

/// All findings; none where nothing is copied. `daemon`: what a running one reports. Blocking.
pub(super) fn sync(configuration: &Configuration, daemon: Option<&Document>) -> Vec<Finding> {
    let Some(options) = &configuration.sync else {
        return Vec::new();
    };
    let programs = ["ssh", "rsync"].map(|program| missing(configuration, program));
    let mut findings: Vec<Finding> = programs.into_iter().flatten().collect();
    findings.extend(no_key(options));
    let known = daemon.and_then(|daemon| daemon.sync.as_ref());
    let bytes = known.and_then(|sync| Some(sync.newest.as_ref()?.bytes));
    findings.extend(little_space(options, bytes.unwrap_or_default()));
    findings.extend(known.map(|sync| match &sync.failing {
        Some(failing) => Finding::error(NAME, &failing.why, "`failover sync now` tries it again"),
        None => Finding::ok(NAME, sync.brief()),
    }));
    findings
}

/// Does the way to PC-A work? A running daemon uses it in each round; without one it is tested as a round would use it.
pub(super) async fn way(configuration: &Configuration, daemon: Option<&Document>) -> Vec<Finding> {
    let is_known = daemon.is_some_and(|daemon| daemon.sync.is_some());
    match &configuration.sync {
        Some(options) if !is_known && no_key(options).is_none() => {}
        Some(_) | None => return Vec::new(),
    }
    vec![match setup::test(configuration).await {
        Ok(answer) => Finding::ok(NAME, answer),
        Err(error) => Finding::error(
            NAME,
            format!("{error:#}"),
            "`failover sync init` tests the way, and says what it needs",
        ),
    }]
}

/// As the gateway's account finds it.
fn missing(configuration: &Configuration, program: &str) -> Option<Finding> {
    let line = CommandLine {
        program: program.into(),
        arguments: Vec::new(),
    };
    let account = configuration.gateway.user.as_ref();
    let error = line.resolved(account).err()?;
    Some(Finding::of_error(NAME, Level::Error, &error))
}

fn no_key(options: &Sync) -> Option<Finding> {
    let key = key(options);
    let error = fs::metadata(&key).err()?;
    Some(Finding::error(
        NAME,
        format!("the key for PC-A: {}: {error}", key.display()),
        "`failover sync init` makes it, and prints the line for PC-A",
    ))
}

/// Room for what a round needs beside what must stay free.
fn little_space(options: &Sync, bytes: u64) -> Option<Finding> {
    let folder = store(options);
    // The nearest folder that is there already.
    let folder = folder.ancestors().find(|folder| folder.is_dir())?;
    let free = free_bytes(folder)?;
    let needed = bytes
        .saturating_mul(TREES)
        .saturating_add(options.limits.free_bytes);
    (free < needed).then(|| {
        let [free, needed] = [free, needed].map(wording::sync::size);
        Finding::error(
            NAME,
            format!(
                "{free} are free for copies in {}, and {needed} are needed",
                folder.display()
            ),
            "free some space, or lower sync-min-free",
        )
    })
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let found = statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Options,
        status::{copies, document},
    };

    fn configuration(home: &Path, more: &str) -> Configuration {
        let text =
            format!("primary = '192.0.2.1'\ndry-run = true\nsync-from = 'alice@pc-a'\n{more}");
        let options: Options = text.parse().unwrap();
        let mut configuration = Configuration::load(options).unwrap();
        if let Some(sync) = &mut configuration.sync {
            sync.home = home.to_owned();
        }
        configuration
    }

    fn of(home: &Path, more: &str, daemon: Option<&Document>) -> Vec<(Level, String)> {
        let findings = sync(&configuration(home, more), daemon).into_iter();
        findings
            // The machine that this runs on may lack either program.
            .filter(|one| !one.message.starts_with("there is no program"))
            .map(|one| (one.level, one.message))
            .collect()
    }

    #[test]
    fn a_key_that_is_missing_and_a_disk_that_is_full_are_errors() {
        let home = tempfile::tempdir().unwrap();
        let findings = of(home.path(), "sync-min-free = '100000GB'", None);
        let parts = ["the key for PC-A", "are free for copies"];
        assert_eq!(findings.len(), parts.len(), "{findings:?}");
        for ((level, message), part) in findings.iter().zip(parts) {
            assert_eq!(*level, Level::Error);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_daemon_that_runs_knows_how_rounds_go() {
        let home = tempfile::tempdir().unwrap();
        let key = key(configuration(home.path(), "").sync.as_ref().unwrap());
        fs::create_dir_all(key.parent().unwrap()).unwrap();
        fs::write(&key, "").unwrap();
        let mut daemon = document::sample();
        let mut sync = copies::sample();
        daemon.sync = Some(sync.clone());
        let [(Level::Error, message)] =
            &of(home.path(), "sync-min-free = '0MB'", Some(&daemon))[..]
        else {
            panic!("another finding");
        };
        assert!(message.contains("no route"), "{message}");
        sync.failing = None;
        daemon.sync = Some(sync);
        let findings = of(home.path(), "sync-min-free = '0MB'", Some(&daemon));
        let [(Level::Ok, message)] = &findings[..] else {
            panic!("{findings:?}");
        };
        assert!(message.contains("copy 7 of alice@pc-a"), "{message}");
    }
}
