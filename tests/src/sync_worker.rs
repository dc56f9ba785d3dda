//! The worker that copies a gateway's state, run by an [account](crate::account) as the daemon runs it.

use std::{io::Write as _, path::Path, process::Stdio, time::Duration};

use failover_sync::{
    openclaw,
    outcome::Outcome,
    source::{Program, authorized_keys_line},
    spec::{Limits, Order, SourceSpec, Spec},
};

use crate::account::{self, Account};

/// Generations, below the home.
pub const STORE: &str = ".local/state/failover/sync";
/// The key that may ask the source.
pub const KEY: &str = ".local/state/failover/sync-key";

/// The source, which has an sshd, may be asked for OpenClaw's state.
///
/// # Panics
/// When its files can't be written.
pub fn permit(source: &Account, local: &Account) {
    let key = local.make_key(KEY);
    local.write(&format!("{KEY}.hosts"), source.known_host());
    let paths = openclaw::state(Path::new(account::HOME)).paths;
    let line = authorized_keys_line(Program::newest(), &paths, &key).expect("a line");
    source.write(".ssh/authorized_keys", line + "\n");
}

/// An order of the local account's worker, with limits that no test reaches by itself.
#[must_use]
pub fn spec(source: &Account, order: Order) -> Spec {
    let home = Path::new(account::HOME);
    Spec {
        order,
        state: openclaw::state(home),
        store: home.join(STORE),
        source: Some(SourceSpec {
            destination: format!("{}@{}", account::NAME, source.host().address()),
            port: None,
            key: home.join(KEY),
            known_hosts: home.join(format!("{KEY}.hosts")),
        }),
        limits: Limits {
            within: Duration::from_secs(60),
            bytes: 1 << 30,
            file_bytes: 1 << 29,
            files: 10_000,
            free_bytes: 0,
        },
        unit_file: None,
    }
}

/// The local account's worker carries this out.
///
/// # Panics
/// When it doesn't answer.
#[must_use]
pub fn carries_out(source: &Account, local: &Account, order: Order) -> Outcome {
    let spec = spec(source, order);
    let mut worker = local.command(account::FAILOVER);
    worker
        .arg("sync-worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut worker = worker.spawn().expect("the worker can be run");
    let order = serde_json::to_vec(&spec).expect("an order");
    let mut input = worker.stdin.take().expect("a pipe");
    input.write_all(&order).expect("the worker reads");
    drop(input);
    let output = worker.wait_with_output().expect("the worker ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
