//! The state with which PC-B has served becomes PC-A's, before the gateway there starts again, or nothing does.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use failover_sync::{
    lineage::Epoch,
    outcome::{FailedStep, Outcome},
    spec::{Order, Spec},
};
use failover_tests::account::Account;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::site::{DATABASE, Site};

const MARKER: &str = ".local/state/failover/sync/waiting";

/// PC-B has taken over from a generation, and has served.
struct Served {
    site: Site,
    epoch: Epoch,
    since: Timestamp,
    /// Never closed in order.
    _killed: Connection,
}

impl Served {
    fn new() -> Option<Self> {
        let site = Site::new()?;
        // The gateway there is killed after this: its log stays.
        let killed = site.database(DATABASE);
        let base = site.copied();
        let placed = site.run(&site.spec(Order::Place {
            number: None,
            keep: false,
        }));
        assert!(matches!(placed, Outcome::Placed { .. }), "{placed:?}");
        let since = Timestamp::now();
        let gateway = Connection::open(site.local.home().join(DATABASE)).unwrap();
        let turn = "PRAGMA journal_mode = WAL;
                    INSERT INTO turns (text) VALUES ('on PC-B');
                    INSERT INTO state_leases VALUES ('gateway-owner', 9);";
        gateway.execute_batch(turn).unwrap();
        drop(gateway);
        let workspace = ".openclaw/workspace";
        site.local.write(&format!("{workspace}/NEW.md"), "new");
        fs::remove_file(site.local.home().join(workspace).join("MEMORY.md")).unwrap();
        site.local.own(&site.local.home().join(".openclaw"));
        Some(Self {
            epoch: base.epoch.child("served".to_owned()),
            site,
            since,
            _killed: killed,
        })
    }

    fn waits(&self) {
        self.site.source.write(MARKER, "");
    }

    fn order(&self, chosen: bool) -> Spec {
        self.site.spec(Order::HandBack {
            epoch: self.epoch.clone(),
            since: self.since,
            chosen,
        })
    }

    /// Fails unless PC-A's database is whole.
    fn has_turn_of_pc_b(&self) -> bool {
        let path = self.site.source.home().join(DATABASE);
        let database = Connection::open(path).unwrap();
        let check: String = database
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        let query = "SELECT count(*) FROM turns WHERE text = 'on PC-B'";
        let turns: i64 = database.query_row(query, [], |row| row.get(0)).unwrap();
        turns > 0
    }
}

fn kept(account: &Account) -> PathBuf {
    account.home().join(".local/state/failover/sync/kept")
}

#[test]
fn what_pc_b_has_served_is_pc_a_s_and_its_own_tree_is_kept() {
    let Some(served) = Served::new() else { return };
    let site = &served.site;
    served.waits();
    assert!(site.source.home().join(format!("{DATABASE}-wal")).exists());
    let outcome = site.run(&served.order(false));
    let Outcome::HandedBack {
        kept: Some(kept), ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert!(!site.source.home().join(format!("{DATABASE}-wal")).exists());
    assert!(served.has_turn_of_pc_b());
    let home = site.source.home().join(".openclaw");
    assert!(home.join("workspace/NEW.md").exists());
    assert!(!home.join("workspace/MEMORY.md").exists());
    // What belongs to the machine stays.
    assert!(home.join("cache/model").exists());
    let kept = site.source.outside(&kept).join("mnt/home/.openclaw");
    assert!(kept.join("workspace/MEMORY.md").exists());
    let old = Connection::open(kept.join("agents/main/agent/openclaw-agent.sqlite")).unwrap();
    let turns: i64 = old
        .query_row("SELECT count(*) FROM turns", [], |row| row.get(0))
        .unwrap();
    assert_eq!(turns, 2);
    let leases = Connection::open(site.source.home().join(DATABASE)).unwrap();
    let leases = leases.query_row("SELECT count(*) FROM state_leases", [], |row| row.get(0));
    assert_eq!(leases, Ok(0));
    // From here on PC-A's state descends from what was served.
    assert!(site.copied().epoch.contains(&served.epoch.id));
    // Ordered again because the answer was lost: nothing happens.
    let again = site.run(&served.order(false));
    assert!(
        matches!(again, Outcome::HandedBack { kept: None, .. }),
        "{again:?}"
    );
}

#[test]
fn a_gateway_that_does_not_wait_is_left_alone() {
    let Some(served) = Served::new() else { return };
    let refused = |served: &Served| {
        let error = served
            .site
            .failure(&served.order(false), FailedStep::Source);
        assert!(error.contains("isn't waiting"), "{error}");
        assert!(!served.has_turn_of_pc_b());
    };
    refused(&served);
    served.waits();
    let marker = fs::File::options()
        .append(true)
        .open(served.site.source.home().join(MARKER))
        .unwrap();
    let old = SystemTime::now() - Duration::from_secs(480);
    marker.set_modified(old).unwrap();
    refused(&served);
}

#[test]
fn where_both_have_changed_nothing_is_overwritten_unless_it_is_chosen() {
    let Some(served) = Served::new() else { return };
    let site = &served.site;
    site.source
        .write(".openclaw/workspace/OTHER.md", "of PC-A, by itself");
    served.waits();
    let outcome = site.run(&served.order(false));
    assert!(
        matches!(outcome, Outcome::BothChanged { .. }),
        "{outcome:?}"
    );
    assert!(!served.has_turn_of_pc_b());
    assert!(!kept(&site.source).exists());
    let outcome = site.run(&served.order(true));
    assert!(matches!(outcome, Outcome::HandedBack { .. }), "{outcome:?}");
    assert!(served.has_turn_of_pc_b());
    assert!(
        !site
            .source
            .home()
            .join(".openclaw/workspace/OTHER.md")
            .exists()
    );
}

#[test]
fn what_was_put_aside_is_handed_back_once_it_is_chosen_and_not_what_is_in_its_place() {
    let Some(served) = Served::new() else { return };
    let site = &served.site;
    let other = ".openclaw/workspace/OTHER.md";
    site.source.write(other, "of PC-A, by itself");
    site.copied();
    let placed = site.run(&site.spec(Order::Place {
        number: None,
        keep: true,
    }));
    assert!(matches!(placed, Outcome::Placed { .. }), "{placed:?}");
    let here = site.local.home().join(".openclaw/workspace");
    assert!(here.join("OTHER.md").exists() && !here.join("NEW.md").exists());
    served.waits();
    let outcome = site.run(&served.order(false));
    let Outcome::BothChanged { primary, local } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(primary.concat().contains("OTHER.md"), "{primary:?}");
    assert!(local.concat().contains("NEW.md"), "{local:?}");
    let outcome = site.run(&served.order(true));
    assert!(matches!(outcome, Outcome::HandedBack { .. }), "{outcome:?}");
    assert!(served.has_turn_of_pc_b());
    let there = site.source.home().join(".openclaw/workspace");
    assert!(there.join("NEW.md").exists() && !there.join("OTHER.md").exists());
    // The next takeover begins with it.
    assert!(site.copied().epoch.contains(&served.epoch.id));
}

#[test]
fn a_host_that_is_not_reached_keeps_its_state() {
    let Some(served) = Served::new() else { return };
    served.waits();
    served
        .site
        .lab
        .switch_port(served.site.source.host())
        .down();
    let mut order = served.order(false);
    order.limits.within = Duration::from_secs(15);
    served.site.failure(&order, FailedStep::Reach);
    assert!(!served.has_turn_of_pc_b());
}
