//! Litestream on PC-A, which sends changes of the databases to an SFTP server on PC-B as they come, and never ends. A
//! round of it is what it uses until its connection is quiet.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::site::{KEY, Sample, Site};
use crate::account::{HOME, NAME, SSH_PORT};

/// Between two looks at the interface.
const PACE: Duration = Duration::from_millis(250);
/// So long nothing comes when all has come.
const QUIET: Duration = Duration::from_secs(5);
/// More than idle connections send between two looks, in bytes.
const LITTLE: u64 = 2000;
/// That far an idle one is watched: the interval of failover's rounds.
const INTERVAL: Duration = Duration::from_secs(30);
/// For the first copy, and for any.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where PC-A's account has it.
const PROGRAM: &str = ".local/bin/litestream";
const CONFIGURATION: &str = "litestream.yml";

/// The first copy, 30 s with nothing but the lease, and a turn.
pub(super) fn measure(site: &Site, program: &Path) -> Result<[Sample; 3]> {
    let source = &site.source;
    let bytes = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    source.write(PROGRAM, bytes);
    let place = source.home().join(PROGRAM);
    fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .context("making it a program")?;
    source.write(CONFIGURATION, configuration(site));
    let log = fs::File::create(source.home().with_extension("litestream.log"))?;
    let errors = log.try_clone()?;

    let (began, before) = (Instant::now(), site.used()?);
    let mut command = source.command(format!("{HOME}/{PROGRAM}"));
    command.args(["replicate", "-config", &format!("{HOME}/{CONFIGURATION}")]);
    let mut running = source.host().spawn(command.stdout(log).stderr(errors))?;
    let first = quiet(site, began, before)?;
    ensure!(
        running.ended().is_none(),
        "it has ended: {}",
        fs::read_to_string(source.home().with_extension("litestream.log")).unwrap_or_default()
    );

    let before = site.used()?;
    thread::sleep(INTERVAL);
    let idle = site.since(before, INTERVAL)?;

    let before = site.used()?;
    site.turn();
    let turn = quiet(site, Instant::now(), before)?;
    Ok([first, idle, turn])
}

/// Waits until the interface is, and says what was used until then.
fn quiet(site: &Site, began: Instant, before: Sample) -> Result<Sample> {
    let mut carried = site.carried()?;
    let mut last = Instant::now();
    while last.elapsed() < QUIET {
        ensure!(began.elapsed() < PATIENCE, "its connection isn't quiet");
        thread::sleep(PACE);
        let now = site.carried()?;
        if now > carried + LITTLE {
            last = Instant::now();
        }
        carried = now;
    }
    site.since(before, last.duration_since(began))
}

fn configuration(site: &Site) -> String {
    let address = site.local.host().address();
    let databases = [
        ("state", "state/openclaw.sqlite"),
        ("agent", "agents/main/agent/openclaw-agent.sqlite"),
    ];
    let databases = databases.map(|(name, path)| {
        format!(
            "  - path: {HOME}/.openclaw/{path}\n    replica:\n      type: sftp\n      host: {address}:{SSH_PORT}\n      \
             user: {NAME}\n      key-path: {HOME}/{KEY}\n      path: {HOME}/litestream/{name}\n"
        )
    });
    format!("dbs:\n{}", databases.concat())
}
