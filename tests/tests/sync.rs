//! Rounds between two hosts: over the system's ssh and rsync, between accounts without rights, from a gateway that
//! is written to; and what a host that fails, or is hostile, can do to the generations that are there.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use failover_sync::{
    generation::Manifest,
    openclaw,
    outcome::{FailedStep, Outcome},
    source::{Program, authorized_keys_line},
    spec::{Limits, Order, SourceSpec, Spec},
};
use failover_tests::{
    account::{self, Account},
    lab::{Lab, Process, reaper},
    wait,
};
use rusqlite::Connection;

const DATABASE: &str = ".openclaw/agents/main/agent/openclaw-agent.sqlite";
const STATE: &str = ".openclaw/state/openclaw.sqlite";
const AUTHORIZED_KEYS: &str = ".ssh/authorized_keys";
const STORE: &str = ".local/state/failover/sync";
const KEY: &str = ".local/state/failover/sync-key";

/// PC-A with a gateway's state and sshd, PC-B with the key.
struct Site {
    lab: Lab,
    source: Account,
    local: Account,
    public_key: String,
    _sshd: Process,
}

impl Site {
    fn new() -> Option<Self> {
        Self::with(|source| source)
    }

    fn with(change: impl FnOnce(Account) -> Account) -> Option<Self> {
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
    fn permit(&self, change: impl FnOnce(String) -> String) {
        let paths = openclaw::state(Path::new(account::HOME)).paths;
        let line = authorized_keys_line(Program::newest(), &paths, &self.public_key);
        let line = change(line.expect("a line"));
        self.source.write(AUTHORIZED_KEYS, line + "\n");
    }

    /// The connection of a gateway that has the database open.
    fn database(&self, name: &str) -> Connection {
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

    fn spec(&self, order: Order) -> Spec {
        let home = Path::new(account::HOME);
        Spec {
            order,
            state: openclaw::state(home),
            store: home.join(STORE),
            source: Some(SourceSpec {
                destination: format!("{}@{}", account::NAME, self.source.host().address()),
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

    fn round(&self) -> Outcome {
        self.run(&self.spec(Order::Round))
    }

    fn copied(&self) -> Manifest {
        match self.round() {
            Outcome::Copied { manifest, .. } => manifest,
            other => panic!("{other:?}"),
        }
    }

    fn worker(&self) -> Command {
        let mut command = self.local.command(account::FAILOVER);
        command
            .arg("sync-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    fn run(&self, spec: &Spec) -> Outcome {
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

    fn failure(&self, spec: &Spec, expected: FailedStep) -> String {
        match self.run(spec) {
            Outcome::Failed { step, error } => {
                assert_eq!(step, expected, "{error}");
                error
            }
            other => panic!("{other:?}"),
        }
    }

    fn generation(&self, manifest: &Manifest) -> PathBuf {
        let store = self.local.home().join(STORE);
        store.join(format!("generation.{}", manifest.number))
    }

    /// A file of a generation, by its name below the home.
    fn file(&self, manifest: &Manifest, name: &str) -> PathBuf {
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

    fn turns(&self, manifest: &Manifest, name: &str) -> u64 {
        let database = Connection::open(self.file(manifest, name)).expect("a database");
        let check = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(check.expect("a check"), "ok");
        let turns =
            database.query_row("SELECT count(*) FROM turns", [], |row| row.get::<_, i64>(0));
        u64::try_from(turns.expect("turns")).expect("a count")
    }

    /// The store has this one as its newest, and nothing unfinished.
    fn newest_is(&self, manifest: &Manifest) {
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

    /// No process is left on PC-B.
    fn nothing_runs(&self) {
        let host = self.local.host().namespace().identity();
        wait::until("all has ended on PC-B", wait::LONG, || {
            reaper::processes_in(host).is_empty().then_some(())
        });
    }
}

#[test]
fn a_round_copies_what_has_changed_and_links_the_rest() {
    let Some(site) = Site::new() else { return };
    let gateway = site.database(DATABASE);
    let first = site.copied();
    assert_eq!(first.files, 4);
    assert_eq!(first.databases.len(), 2);
    assert!(first.databases.values().all(|version| *version == 23));
    let memory = site.file(&first, ".openclaw/workspace/MEMORY.md");
    assert_eq!(fs::read_to_string(&memory).unwrap(), "remember");
    assert_eq!(fs::metadata(&memory).unwrap().mode() & 0o777, 0o600);
    assert!(!site.file(&first, ".openclaw/cache").exists());
    assert!(!site.file(&first, &format!("{DATABASE}-wal")).exists());

    gateway
        .execute_batch("INSERT INTO turns (text) VALUES ('second')")
        .unwrap();
    let second = site.copied();
    assert_eq!(second.number, first.number.next());
    assert_eq!(second.epoch, first.epoch);
    assert_eq!(
        site.turns(&second, DATABASE),
        site.turns(&first, DATABASE) + 1
    );
    let inode = |manifest, name| fs::metadata(site.file(manifest, name)).unwrap().ino();
    for (name, is_linked) in [
        (DATABASE, false),
        (STATE, true),
        (".openclaw/openclaw.json", true),
    ] {
        assert_eq!(
            inode(&first, name) == inode(&second, name),
            is_linked,
            "{name}"
        );
    }
    site.nothing_runs();
}

#[test]
fn a_round_in_which_only_a_lease_was_renewed_is_no_generation() {
    let Some(site) = Site::new() else { return };
    let gateway = site.database(STATE);
    // Until nothing is so recent that it may change again within the same tick of the clock.
    let mut first = site.copied();
    wait::until("nothing changes", wait::LONG, || match site.round() {
        Outcome::Copied { manifest, .. } => {
            first = manifest;
            None
        }
        Outcome::Unchanged { .. } => Some(()),
        other => panic!("{other:?}"),
    });
    gateway
        .execute_batch("UPDATE state_leases SET expires = 300")
        .unwrap();
    match site.round() {
        Outcome::Unchanged { number, epoch } => {
            assert_eq!((number, epoch), (first.number, first.epoch.clone()));
        }
        other => panic!("{other:?}"),
    }
    let leases = Connection::open(site.file(&first, STATE)).unwrap();
    let leases = leases.query_row("SELECT count(*) FROM state_leases", [], |row| row.get(0));
    assert_eq!(leases, Ok(0));
    site.newest_is(&first);
}

#[test]
fn a_refused_key_costs_nothing_but_a_message() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    site.source.write(AUTHORIZED_KEYS, "");
    let error = site.failure(&site.spec(Order::Round), FailedStep::Reach);
    assert!(error.contains("Permission denied"), "{error}");
    site.newest_is(&first);
}

#[test]
fn a_host_that_is_not_the_known_one_is_sent_nothing() {
    let Some(site) = Site::new() else { return };
    let other = Account::new(&site.lab, &site.lab.add_host("PC-C"));
    let _ = other.make_key("other");
    let key = fs::read_to_string(other.home().join("other.pub")).unwrap();
    let line = format!("{} {key}", site.source.host().address());
    site.local.write(&format!("{KEY}.hosts"), line);
    let error = site.failure(&site.spec(Order::Round), FailedStep::Reach);
    assert!(error.contains("Host key verification failed"), "{error}");
}

#[test]
fn without_node_and_python_the_round_says_so() {
    let programs = [
        "/usr/bin/node",
        "/usr/local/bin/node",
        "/usr/bin/python3",
        "/usr/local/bin/python3",
    ];
    let Some(site) = Site::with(|source| source.without(&programs)) else {
        return;
    };
    let error = site.failure(&site.spec(Order::Round), FailedStep::Source);
    assert!(
        error.contains("neither Node.js 22.16 or later nor python3"),
        "{error}"
    );
}

#[test]
fn a_link_that_is_lost_in_the_middle_costs_nothing_but_the_round() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    limit_rate(&site, "20mbit");
    let noise: Vec<u8> = (0..8_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    site.source.write(".openclaw/workspace/noise", noise);
    let mut spec = site.spec(Order::Round);
    spec.limits.within = Duration::from_secs(15);
    let staged = site
        .local
        .home()
        .join(STORE)
        .join(format!("generation.{}.new/tree", first.number.next()));
    let outcome = thread::scope(|scope| {
        let round = scope.spawn(|| (site.run(&spec), Instant::now()));
        wait::until("the copy arrives", wait::LONG, || {
            size(&staged).gt(&1_000_000).then_some(())
        });
        let begin = Instant::now();
        site.lab.switch_port(site.source.host()).down();
        let (outcome, end) = round.join().unwrap();
        assert!(
            end - begin < spec.limits.within + Duration::from_secs(5),
            "{:?}",
            end - begin
        );
        outcome
    });
    assert!(
        matches!(
            &outcome,
            Outcome::Failed {
                step: FailedStep::Transfer | FailedStep::Reach,
                ..
            }
        ),
        "{outcome:?}"
    );
    site.newest_is(&first);
    assert_eq!(site.turns(&first, DATABASE), 1);
    site.nothing_runs();
}

#[test]
fn a_killed_worker_leaves_no_process_and_no_half_generation() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    limit_rate(&site, "20mbit");
    let noise: Vec<u8> = (0..8_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    site.source.write(".openclaw/workspace/noise", noise);
    let staged = site
        .local
        .home()
        .join(STORE)
        .join(format!("generation.{}.new/tree", first.number.next()));
    let mut worker = site.worker().spawn().unwrap();
    let order = serde_json::to_vec(&site.spec(Order::Round)).unwrap();
    worker.stdin.take().unwrap().write_all(&order).unwrap();
    wait::until("the copy arrives", wait::LONG, || {
        size(&staged).gt(&1_000_000).then_some(())
    });
    worker.kill().unwrap();
    worker.wait().unwrap();
    site.nothing_runs();
    fs::remove_file(site.source.home().join(".openclaw/workspace/noise")).unwrap();
    let second = site.copied();
    site.newest_is(&second);
}

#[test]
fn a_torn_database_is_named_and_the_last_good_copy_stays() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    let path = site.source.home().join(STATE);
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(length - 1000).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(site.source.home().join(format!("{STATE}{end}")));
    }
    match site.round() {
        Outcome::Failed {
            step: FailedStep::Source | FailedStep::Check,
            error,
        } => {
            assert!(error.contains("state/openclaw.sqlite"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    site.newest_is(&first);
}

#[test]
fn too_much_is_refused_by_its_limit() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    let bomb = site.source.home().join(".openclaw/workspace/bomb");
    site.source.write(".openclaw/workspace/bomb", "");
    let bomb = fs::File::options().write(true).open(bomb).unwrap();
    bomb.set_len(200 << 20).unwrap();
    // Announced by an honest host; refused by the kernel; missing on the disk.
    for (change, words) in [
        (
            (|limits| limits.bytes = 100 << 20) as fn(&mut Limits),
            "sync-max-bytes",
        ),
        (|limits| limits.file_bytes = 10 << 20, "sync-max-file"),
        (|limits| limits.free_bytes = u64::MAX, "sync-min-free"),
    ] {
        let mut spec = site.spec(Order::Round);
        change(&mut spec.limits);
        let error = site.failure(&spec, FailedStep::Limit);
        assert!(error.contains(words), "{error}");
        site.newest_is(&first);
    }
    let mut spec = site.spec(Order::Round);
    spec.limits.files = 3;
    let error = site.failure(&spec, FailedStep::Source);
    assert!(error.contains("more than 3 files"), "{error}");
    site.nothing_runs();
}

#[test]
fn names_are_only_names_and_links_out_of_the_tree_are_left_out() {
    let Some(site) = Site::new() else { return };
    let workspace = site.source.home().join(".openclaw/workspace");
    let name = ".openclaw/workspace/a\nb $(touch x) 'q\" * [z]";
    site.source.write(name, "text");
    for (target, link) in [
        ("/etc/passwd", "absolute"),
        ("../../../../etc/passwd", "climbs"),
        ("../../.ssh", "beside"),
        ("MEMORY.md", "inside"),
    ] {
        symlink(target, workspace.join(link)).unwrap();
    }
    let first = site.copied();
    assert_eq!(fs::read_to_string(site.file(&first, name)).unwrap(), "text");
    for (link, is_there) in [
        ("absolute", false),
        ("climbs", false),
        ("beside", false),
        ("inside", true),
    ] {
        let link = site.file(&first, &format!(".openclaw/workspace/{link}"));
        assert_eq!(
            fs::symlink_metadata(&link).is_ok(),
            is_there,
            "{}",
            link.display()
        );
    }
}

#[test]
fn a_file_that_grows_while_it_is_copied_does_no_harm() {
    let Some(site) = Site::new() else { return };
    site.source.write(".openclaw/workspace/log", "");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let path = site.source.home().join(".openclaw/workspace/log");
            let mut log = fs::File::options().append(true).open(path).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                log.write_all(&[b'x'; 4096]).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..3 {
            let manifest = site.copied();
            assert!(site.turns(&manifest, DATABASE) > 0);
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// A sender of the attacker's own, behind the honest answer.
#[test]
fn a_hostile_sender_writes_nothing_but_a_failure() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    site.source
        .write("evil/home/alice/.ssh/authorized_keys", "mine");
    site.source.write("evil/databases/x", "mine");
    fs::create_dir_all(site.source.home().join("links")).unwrap();
    symlink("/mnt/home", site.source.home().join("links/databases")).unwrap();
    for sent in [
        "/mnt/home/./evil/home",
        "/mnt/home/evil/./home",
        "/mnt/home/evil/./databases",
        "/mnt/home/links/./databases",
        "/./etc/passwd",
    ] {
        let script = format!(
            "#!/bin/sh\n\
             case $SSH_ORIGINAL_COMMAND in\n\
             rsync*) head -c {length} >/dev/null; exec rsync --server --sender -ltprRze.iLsfxCIvu . {sent} ;;\n\
             *) exec sh $HOME/honest ;;\n\
             esac\n",
            length = Program::newest().text().len()
        );
        site.source.write("hostile", script);
        let honest = failover_sync::source::forced_command(
            Program::newest(),
            &openclaw::state(Path::new(account::HOME)).paths,
        );
        site.source.write("honest", honest.unwrap());
        site.permit(|line| {
            let key = line.rsplit_once("\" ").expect("a key").1.to_owned();
            format!("restrict,command=\"sh $HOME/hostile\" {key}")
        });
        site.source.write(".openclaw/openclaw.json", sent);
        let outcome = site.round();
        assert!(
            matches!(&outcome, Outcome::Failed { .. }),
            "{sent}: {outcome:?}"
        );
        site.newest_is(&first);
        assert!(!site.local.home().join(".ssh").exists());
        assert!(!site.local.home().join("evil").exists());
    }
}

/// What a turn is here: a row of 5 kB in one transaction, a thousand a second.
#[test]
fn twenty_rounds_beside_a_gateway_that_writes_are_whole_with_every_turn() {
    let Some(site) = Site::new() else { return };
    limit_rate(&site, "400mbit");
    let gateway = site.database(DATABASE);
    let (is_over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let (is_over, written) = (&is_over, &written);
        let begin = Instant::now();
        scope.spawn(move || {
            gateway.execute_batch("DELETE FROM turns; PRAGMA synchronous = OFF").unwrap();
            while !is_over.load(Ordering::Relaxed) {
                // The database stays of a size that twenty rounds can check.
                gateway
                    .execute_batch(
                        "BEGIN; INSERT INTO turns (extra) VALUES (randomblob(5000));
                         UPDATE turns SET extra = NULL WHERE id = (SELECT max(id) FROM turns) - 4000;
                         COMMIT",
                    )
                    .unwrap();
                let count = written.fetch_add(1, Ordering::SeqCst) + 1;
                let due = begin + Duration::from_millis(count);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        wait::until("turns", wait::LONG, || {
            (written.load(Ordering::SeqCst) > 100).then_some(())
        });
        for _ in 0..20 {
            let before = written.load(Ordering::SeqCst);
            let manifest = site.copied();
            let turns = site.turns(&manifest, DATABASE);
            assert!(turns >= before, "{turns} of {before}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// The size of all files below it, in bytes.
fn size(folder: &Path) -> u64 {
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
fn limit_rate(site: &Site, rate: &str) {
    let words = [
        "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "64kb", "latency",
        "50ms",
    ];
    site.source.host().run("tc", &words);
}
