//! Rounds: what they bring, and what goes wrong on the way.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use failover_sync::{
    outcome::{FailedStep, Outcome},
    spec::Order,
};
use failover_tests::wait;
use rusqlite::Connection;

use crate::site::{DATABASE, STATE, STORE, Site, limit_rate, size};

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
    assert_eq!(site.connections(), 2, "one for each round");
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

/// Ends who writes, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
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
        let _over = Over(&is_over);
        for _ in 0..3 {
            let manifest = site.copied();
            assert!(site.turns(&manifest, DATABASE) > 0);
        }
    });
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
        let _over = Over(is_over);
        wait::until("turns", wait::LONG, || {
            (written.load(Ordering::SeqCst) > 100).then_some(())
        });
        for _ in 0..20 {
            let before = written.load(Ordering::SeqCst);
            let manifest = site.copied();
            let turns = site.turns(&manifest, DATABASE);
            assert!(turns >= before, "{turns} of {before}");
        }
    });
}
