//! PC-A with a gateway's state and sshd, PC-B with the key; and the worker, as the daemon runs it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use failover_sync::{
    generation::Manifest,
    openclaw,
    outcome::{FailedStep, Outcome},
    source::{Program, authorized_keys_line},
    spec::{Order, Spec},
};
use failover_tests::{
    account::{self, Account},
    lab::{Lab, Process, reaper},
    sync_worker, wait,
};
use rusqlite::Connection;

pub use failover_tests::sync_worker::{KEY, STORE};

pub const DATABASE: &str = ".openclaw/agents/main/agent/openclaw-agent.sqlite";
pub const STATE: &str = ".openclaw/state/openclaw.sqlite";
pub const AUTHORIZED_KEYS: &str = ".ssh/authorized_keys";

/// PC-A with a gateway's state and sshd, PC-B with the key.
pub struct Site {
    pub lab: Lab,
    pub source: Account,
    pub local: Account,
    public_key: String,
    _sshd: Process,
}

impl Site {
    pub fn new() -> Option<Self> {
        Self::with(|source| source)
    }

    pub fn with(change: impl FnOnce(Account) -> Account) -> Option<Self> {
        let lab = Lab::new();
        let source = change(Account::new(&lab, lab.host_a()));
        let local = Account::new(&lab, lab.host_b());
        let sshd = source.sshd()?;
        source.write(".openclaw/openclaw.json", "{}");
        source.write(".openclaw/workspace/MEMORY.md", "remember");
        source.write(".openclaw/cache/model", "of this machine");
        let public_key = local.make_key(KEY);
        local.write(&format!("{KEY}.hosts"), source.known_host());
        let site = Self {
            lab,
            source,
            local,
            public_key,
            _sshd: sshd,
        };
        for name in [DATABASE, STATE] {
            drop(site.database(name));
        }
        site.permit(|line| line);
        Some(site)
    }

    /// Writes the line of the key, changed as given.
    pub fn permit(&self, change: impl FnOnce(String) -> String) {
        let paths = openclaw::state(Path::new(account::HOME)).paths;
        let line = authorized_keys_line(Program::newest(), &paths, &self.public_key);
        let line = change(line.expect("a line"));
        self.source.write(AUTHORIZED_KEYS, line + "\n");
    }

    /// The connection of a gateway that has the database open.
    pub fn database(&self, name: &str) -> Connection {
        let path = self.source.home().join(name);
        self.source.write(&format!("{name}-place"), "");
        let database = Connection::open(path).expect("a database");
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA user_version = 23;
                 CREATE TABLE IF NOT EXISTS turns (id INTEGER PRIMARY KEY, text TEXT, extra BLOB);
                 CREATE TABLE IF NOT EXISTS state_leases (scope TEXT, expires INTEGER);
                 INSERT INTO turns (text) VALUES ('first');
                 DELETE FROM state_leases;
                 INSERT INTO state_leases VALUES ('gateway-owner', 1);",
            )
            .expect("tables");
        self.source.own(&self.source.home().join(".openclaw"));
        database
    }

    pub fn spec(&self, order: Order) -> Spec {
        sync_worker::spec(&self.source, order)
    }

    pub fn round(&self) -> Outcome {
        self.run(&self.spec(Order::Round))
    }

    pub fn copied(&self) -> Manifest {
        match self.round() {
            Outcome::Copied { manifest, .. } => manifest,
            other => panic!("{other:?}"),
        }
    }

    pub fn worker(&self) -> Command {
        let mut command = self.local.command(account::FAILOVER);
        command
            .arg("sync-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    pub fn run(&self, spec: &Spec) -> Outcome {
        let mut worker = self.worker().spawn().expect("the worker can be run");
        let order = serde_json::to_vec(spec).expect("an order");
        worker
            .stdin
            .take()
            .expect("a pipe")
            .write_all(&order)
            .expect("the worker reads");
        let output = worker.wait_with_output().expect("the worker ends");
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub fn failure(&self, spec: &Spec, expected: FailedStep) -> String {
        match self.run(spec) {
            Outcome::Failed { step, error } => {
                assert_eq!(step, expected, "{error}");
                error
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn generation(&self, manifest: &Manifest) -> PathBuf {
        let store = self.local.home().join(STORE);
        store.join(format!("generation.{}", manifest.number))
    }

    /// A file of a generation, by its name below the home.
    pub fn file(&self, manifest: &Manifest, name: &str) -> PathBuf {
        let inside = Path::new(account::HOME)
            .strip_prefix("/")
            .expect("absolute")
            .join(name);
        let kind = if name.ends_with(".sqlite") {
            "databases"
        } else {
            "tree"
        };
        self.generation(manifest).join(kind).join(inside)
    }

    pub fn turns(&self, manifest: &Manifest, name: &str) -> u64 {
        let database = Connection::open(self.file(manifest, name)).expect("a database");
        let check = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(check.expect("a check"), "ok");
        let turns =
            database.query_row("SELECT count(*) FROM turns", [], |row| row.get::<_, i64>(0));
        u64::try_from(turns.expect("turns")).expect("a count")
    }

    /// The store has this one as its newest, and nothing unfinished.
    pub fn newest_is(&self, manifest: &Manifest) {
        let number = manifest.number;
        let names = fs::read_dir(self.local.home().join(STORE)).expect("the store");
        let mut names: Vec<String> = names
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name.starts_with("generation."))
            .collect();
        names.sort();
        assert_eq!(
            names.last(),
            Some(&format!("generation.{number}")),
            "{names:?}"
        );
        assert!(
            !names.iter().any(|name| name.ends_with(".new")),
            "{names:?}"
        );
    }

    /// How many connections PC-A's sshd has let in.
    pub fn connections(&self) -> usize {
        let log = self.source.home().with_file_name("sshd/log");
        let log = fs::read_to_string(log).expect("sshd's log");
        log.lines()
            .filter(|line| line.contains("Accepted publickey"))
            .count()
    }

    /// No process is left on PC-B.
    pub fn nothing_runs(&self) {
        let host = self.local.host().namespace().identity();
        wait::until("all has ended on PC-B", wait::LONG, || {
            reaper::processes_in(host).is_empty().then_some(())
        });
    }
}

/// The size of all files below it, in bytes.
pub fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() {
            size(&entry.path())
        } else {
            metadata.len()
        })
    });
    sizes.sum()
}

/// Of what PC-A sends.
pub fn limit_rate(site: &Site, rate: &str) {
    let words = [
        "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "64kb", "latency",
        "50ms",
    ];
    site.source.host().run("tc", &words);
}
