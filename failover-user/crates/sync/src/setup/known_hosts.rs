//! The keys of hosts: asked for once, shown, and from then on the only ones that count.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    children::{self, Finished},
    failure::Failure,
    source::printable,
    spec::SourceSpec,
};

const LONGEST: usize = 65_536;
const WITHIN: Duration = Duration::from_secs(20);

/// The fingerprints of the other host's keys, which are noted where they aren't yet.
pub(super) fn of(source: &SourceSpec) -> Result<String, Failure> {
    let file = &source.known_hosts;
    if fs::metadata(file).is_ok_and(|found| found.len() > 0) {
        return fingerprints(file);
    }
    let keys = scan(&source.destination, source.port)?;
    fs::write(file, keys).map_err(Failure::file("writing", file))?;
    fingerprints(file)
}

/// The lines for known_hosts.
pub(super) fn scan(destination: &str, port: Option<u16>) -> Result<String, Failure> {
    let host = destination
        .split_once('@')
        .map_or(destination, |(_, host)| host);
    let mut scan = Command::new("ssh-keyscan");
    scan.args(["-T", "5", "-p", &port.unwrap_or(22).to_string(), "--", host]);
    let keys = output(&mut scan, "ssh-keyscan")?;
    if keys.trim().is_empty() {
        return Err(Failure::local(format!(
            "{host} has no sshd that answers; install openssh-server there, or give its port"
        )));
    }
    Ok(keys)
}

fn fingerprints(file: &Path) -> Result<String, Failure> {
    output(
        Command::new("ssh-keygen").args(["-l", "-f"]).arg(file),
        "ssh-keygen",
    )
}

/// What a program of OpenSSH says.
pub(super) fn output(command: &mut Command, name: &str) -> Result<String, Failure> {
    let finished = children::run(
        command,
        Vec::new(),
        LONGEST,
        Instant::now() + WITHIN,
        || None,
    );
    let Finished {
        status,
        output,
        complaint,
    } = finished.map_err(|error| Failure::local(format!("{name}: {error}")))?;
    if !status.success() {
        let words = printable(&complaint, 500);
        return Err(Failure::local(format!("{name}: {status}: {words}")));
    }
    Ok(String::from_utf8_lossy(&output).into_owned())
}
