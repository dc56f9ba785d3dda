//! A process that has a database open and stops itself, as a gateway does that is parked.

use std::{
    env,
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

/// The database, in the process that will be parked.
const VARIABLE: &str = "FAILOVER_TEST_PARKED";

pub(super) struct Parked {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Parked {
    /// It has read and written, and is stopped.
    pub(super) fn start(database: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["feed::tests::parked::is_parked", "--exact", "--nocapture"])
            .env(VARIABLE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let pid = Pid::from_child(&child);
        let stopped = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(stopped.1.stopped(), "{stopped:?}");
        Self { child, output }
    }

    /// Continues it; what it has seen.
    pub(super) fn proceed(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
        // Closed, which ends its waiting.
        drop(self.child.stdin.take());
        let lines = (&mut self.output).lines().map(Result::unwrap);
        let mut seen = lines.filter(|line| line.starts_with("turns: "));
        let seen = seen.next().unwrap();
        assert!(self.child.wait().unwrap().success());
        seen
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself.
#[test]
fn is_parked() {
    let Some(database) = env::var_os(VARIABLE) else {
        return;
    };
    let connection = Connection::open(database).unwrap();
    connection
        .execute_batch(
            "INSERT INTO state_leases VALUES ('gateway-owner', 'a', 'parked');
             INSERT INTO gateway_boot_lifecycle VALUES ('a', 1);
             INSERT INTO agent_database_leases VALUES ('/a', 'parked');",
        )
        .unwrap();
    // Its rows are in its cache, and its statements are prepared.
    let mut query = connection
        .prepare("SELECT substr(text, 1, 9) FROM turns")
        .unwrap();
    assert_eq!(
        query
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .count(),
        1
    );

    kill_process(getpid(), Signal::STOP).unwrap();
    // The signal may come a moment later, in another thread.
    io::stdin().read_line(&mut String::new()).unwrap();

    let turns = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let turns: Vec<_> = turns.map(Result::unwrap).collect();
    let renewed = connection
        .execute(
            "UPDATE state_leases SET lease_key = 'b' WHERE owner = 'parked'",
            [],
        )
        .unwrap();
    let count = |table: &str| -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        connection.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    let (agents, starts) = (
        count("agent_database_leases"),
        count("gateway_boot_lifecycle"),
    );
    connection
        .execute("INSERT INTO turns VALUES ('of the parked one')", [])
        .unwrap();
    println!(
        "turns: {}; leases: {renewed} renewed, {agents} of its agent; starts: {starts}",
        turns.join(", ")
    );
}
