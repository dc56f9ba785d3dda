//! The program runs here as it does on the other host: as sshd would run it, and its two copiers against databases
//! that a gateway holds open.

mod install;

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A home with a gateway's state in it.
struct Account {
    home: TempDir,
}

/// What copies there.
#[derive(Clone, Debug)]
enum Copier {
    Node(PathBuf),
    Python,
}

impl Copier {
    /// Those that can run here. `cargo xtask test --openclaw` has a Node that can.
    fn all() -> Vec<Self> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3);
        let ours = target.map(|root| root.join("target/openclaw/bin/node"));
        let path = env::var_os("PATH").unwrap_or_default();
        let installed = env::split_paths(&path).map(|folder| folder.join("node"));
        let node = ours.into_iter().chain(installed).find(|node| {
            let script = "process.exit(require('node:sqlite').backup ? 0 : 1)";
            let tried = Command::new(node).args(["-e", script]).output();
            tried.is_ok_and(|output| output.status.success())
        });
        if node.is_none() {
            report_skip("no Node.js 22.16 or later; cargo xtask test --openclaw gets one");
        }
        let node = node.map(Self::Node);
        [Self::Python].into_iter().chain(node).collect()
    }

    fn command(&self) -> Command {
        let (program, arguments) = match self {
            Self::Node(node) => (
                node.as_path(),
                [
                    "--no-warnings",
                    "-e",
                    include_str!("program-1/copy.js"),
                    "--",
                ]
                .as_slice(),
            ),
            Self::Python => (
                Path::new("/usr/bin/python3"),
                ["-I", "-c", include_str!("program-1/copy.py")].as_slice(),
            ),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }
}

/// Counts as skipped: see `skip` of the end-to-end tests.
fn report_skip(why: &str) {
    let Some(list) = env::var_os("FAILOVER_SKIPS") else {
        return;
    };
    let name = thread::current().name().unwrap_or("?").to_owned();
    let list = fs::File::options().append(true).create(true).open(list);
    list.and_then(|mut list| list.write_all(format!("{name}: {why}\n").as_bytes()))
        .expect("the list of skipped tests can be written");
}

impl Account {
    fn new() -> Self {
        let this = Self {
            home: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(this.root().join("workspace")).unwrap();
        this.write("workspace/MEMORY.md", "remember");
        this.write("openclaw.json", "{}");
        this
    }

    fn root(&self) -> PathBuf {
        self.home.path().join(".openclaw")
    }

    /// A file that nobody has touched lately: only such ones are compared by size and time alone.
    fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        age(&path);
    }

    /// A database as a gateway has it open: its connection.
    fn database(&self, name: &str) -> Connection {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let database = Connection::open(path).unwrap();
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA user_version = 23;
                 CREATE TABLE turns (id INTEGER PRIMARY KEY, text TEXT, extra BLOB);
                 CREATE TABLE state_leases (scope TEXT, pid INTEGER, expires INTEGER);
                 CREATE TABLE agent_database_leases (pid INTEGER);
                 CREATE TABLE gateway_boot_lifecycle (started INTEGER);
                 INSERT INTO gateway_boot_lifecycle VALUES (1);
                 INSERT INTO turns (text) VALUES ('first');
                 INSERT INTO state_leases VALUES ('gateway-owner', 1, 2), ('cron', 3, 4);
                 INSERT INTO agent_database_leases VALUES (1);",
            )
            .unwrap();
        database
    }

    fn copied(&self, name: &str) -> PathBuf {
        let inside = self.root().join(name);
        let inside = inside.strip_prefix("/").unwrap().to_owned();
        let cache = self.home.path().join(".cache/failover/sync/databases");
        cache.join(inside)
    }

    fn count(&self, name: &str, query: &str) -> i64 {
        let database = Connection::open(self.copied(name)).unwrap();
        let check: String = database
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        database.query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn request(token: Option<&str>) -> Value {
        json!({
            "token": token,
            // A database is copied whatever is left out.
            "exclude": ["/cache/", "*.tmp", "*.sqlite", "*.sqlite-*"],
            "databases": ["*.sqlite"],
            "openclaw": true,
            "files": 1000,
        })
    }

    fn ask(&self, copier: &Copier, request: &Value) -> Result<Answer, AnswerError> {
        let mut command = copier.command();
        command.arg(self.root());
        let output = self.run(command, request.to_string().as_bytes());
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.is_empty(), "{words}");
        Answer::parse(output.stdout.trim_ascii(), &[self.root()])
    }

    fn copy(&self, copier: &Copier, token: Option<&str>) -> (bool, SourceState) {
        match self.ask(copier, &Self::request(token)).unwrap() {
            Answer::Copied(state) => (false, state),
            Answer::Same(state) => (true, state),
            other => panic!("{copier:?}: {other:?}"),
        }
    }

    /// What the key's line runs for such a command of the other side.
    fn over_ssh(&self, asked: &str, input: &[u8]) -> Output {
        let line = forced_command(Program::newest(), &[self.root()]).unwrap();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &line])
            .env("SSH_ORIGINAL_COMMAND", asked);
        let text = Program::newest().text().as_bytes();
        self.run(command, &[text, input].concat())
    }

    fn run(&self, mut command: Command, input: &[u8]) -> Output {
        let mut child = command
            .env("HOME", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that refuses may not read it.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }
}

/// Back by an hour.
fn age(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(then).unwrap();
}

#[test]
fn a_copy_has_all_that_was_committed_and_no_lease_of_a_gateway() {
    for copier in Copier::all() {
        let account = Account::new();
        let live = account.database("state/openclaw.sqlite");
        let (is_same, state) = account.copy(&copier, None);
        assert!(!is_same);
        assert_eq!(
            state.databases,
            [account.root().join("state/openclaw.sqlite")]
        );
        assert_eq!(
            (state.files, state.home.as_path()),
            (3, account.home.path())
        );
        let name = "state/openclaw.sqlite";
        assert_eq!(account.count(name, "SELECT count(*) FROM turns"), 1);
        assert_eq!(account.count(name, "SELECT count(*) FROM state_leases"), 1);
        assert_eq!(
            account.count(name, "SELECT count(*) FROM agent_database_leases"),
            0
        );
        let starts = "SELECT count(*) FROM gateway_boot_lifecycle";
        assert_eq!(account.count(name, starts), 0);
        assert_eq!(account.count(name, "PRAGMA user_version"), 23);
        // The live one was not touched.
        let leases = "SELECT count(*) FROM state_leases";
        assert_eq!(live.query_row(leases, [], |row| row.get(0)), Ok(2));
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_renewed_lease_is_no_change_and_a_turn_is_one() {
    for copier in Copier::all() {
        let account = Account::new();
        let live = account.database("state/openclaw.sqlite");
        let (_, first) = account.copy(&copier, None);
        live.execute_batch("UPDATE state_leases SET expires = 5 WHERE scope = 'gateway-owner'")
            .unwrap();
        let copy = fs::metadata(account.copied("state/openclaw.sqlite")).unwrap();
        let (is_same, renewed) = account.copy(&copier, Some(&first.token));
        assert!(is_same, "{copier:?}");
        // What was copied stays as it is, so that nothing is sent.
        let again = fs::metadata(account.copied("state/openclaw.sqlite")).unwrap();
        assert_eq!(copy.modified().unwrap(), again.modified().unwrap());
        live.execute_batch("INSERT INTO turns (text) VALUES ('second')")
            .unwrap();
        let (is_same, turn) = account.copy(&copier, Some(&renewed.token));
        assert!(!is_same && turn.token != renewed.token);
        assert_eq!(turn.epoch, first.epoch);
        assert_eq!(
            account.count("state/openclaw.sqlite", "SELECT count(*) FROM turns"),
            2
        );
    }
}

#[test]
fn a_checkpoint_of_a_database_without_leases_is_no_change() {
    const LEASES: [&str; 3] = [
        "state_leases",
        "agent_database_leases",
        "gateway_boot_lifecycle",
    ];
    for copier in Copier::all() {
        let account = Account::new();
        let name = "agents/main/agent/openclaw-agent.sqlite";
        let live = account.database(name);
        let dropped = LEASES.map(|table| format!("DROP TABLE {table};"));
        live.execute_batch(&dropped.concat()).unwrap();
        let (_, first) = account.copy(&copier, None);
        live.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        let (is_same, checkpointed) = account.copy(&copier, Some(&first.token));
        assert!(is_same, "{copier:?}");
        live.execute_batch("INSERT INTO turns (text) VALUES ('second')")
            .unwrap();
        let (is_same, _) = account.copy(&copier, Some(&checkpointed.token));
        assert!(!is_same, "{copier:?}");
    }
}

#[test]
fn a_changed_file_is_a_change_and_an_excluded_one_is_none() {
    for copier in Copier::all() {
        let account = Account::new();
        let (_, first) = account.copy(&copier, None);
        account.write("cache/model.bin", "new");
        account.write("workspace/draft.tmp", "new");
        account.write("openclaw.sqlite-old", "of this machine");
        assert!(account.copy(&copier, Some(&first.token)).0, "{copier:?}");
        account.write("workspace/cache/notes", "not the one that is excluded");
        let (is_same, second) = account.copy(&copier, Some(&first.token));
        assert!(!is_same);
        fs::remove_file(account.root().join("workspace/cache/notes")).unwrap();
        assert!(!account.copy(&copier, Some(&second.token)).0);
        // Changed just now, and perhaps a second time before the clock has moved on.
        fs::write(account.root().join("workspace/MEMORY.md"), "other").unwrap();
        let (_, third) = account.copy(&copier, None);
        assert!(!account.copy(&copier, Some(&third.token)).0);
    }
}

#[test]
fn what_a_killed_gateway_left_in_its_log_is_copied() {
    for copier in Copier::all() {
        let account = Account::new();
        let live = account.database("agents/main/agent/openclaw-agent.sqlite");
        let folder = account.root().join("agents/main/agent");
        let dead = account.root().join("agents/dead");
        fs::create_dir(&dead).unwrap();
        for end in ["", "-wal"] {
            let name = format!("openclaw-agent.sqlite{end}");
            fs::copy(folder.join(&name), dead.join(&name)).unwrap();
        }
        drop(live);
        account.copy(&copier, None);
        for name in [
            "agents/dead/openclaw-agent.sqlite",
            "agents/main/agent/openclaw-agent.sqlite",
        ] {
            assert_eq!(
                account.count(name, "SELECT count(*) FROM turns"),
                1,
                "{copier:?}"
            );
            let leases = "SELECT count(*) FROM state_leases WHERE scope = 'gateway-owner'";
            assert_eq!(account.count(name, leases), 0);
        }
    }
}

/// Each transaction writes a turn and its sum: a copy between them is seen.
#[test]
fn copies_are_whole_while_the_gateway_writes() {
    for copier in Copier::all() {
        let account = Account::new();
        let live = account.database("openclaw.sqlite");
        live.execute_batch("CREATE TABLE sums (turns INTEGER); INSERT INTO sums VALUES (1)")
            .unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    live.execute_batch(
                        "BEGIN; INSERT INTO turns (extra) VALUES (randomblob(20000));
                         UPDATE sums SET turns = turns + 1; COMMIT",
                    )
                    .unwrap();
                }
            });
            let mut before = 0;
            for _ in 0..5 {
                account.copy(&copier, None);
                let turns = account.count("openclaw.sqlite", "SELECT count(*) FROM turns");
                let sum = account.count("openclaw.sqlite", "SELECT turns FROM sums");
                assert!(turns == sum && turns > before, "{turns} {sum} {before}");
                before = turns;
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    for copier in Copier::all() {
        let account = Account::new();
        account.write("torn.sqlite", "not a database");
        let answer = account.ask(&copier, &Account::request(None)).unwrap();
        assert!(
            matches!(&answer, Answer::Failed { error } if error.contains("torn.sqlite")),
            "{answer:?}"
        );
    }
}

#[test]
fn too_many_files_are_refused() {
    for copier in Copier::all() {
        let account = Account::new();
        let mut request = Account::request(None);
        request["files"] = json!(1);
        let answer = account.ask(&copier, &request).unwrap();
        assert!(matches!(&answer, Answer::Failed { error } if error == "more than 1 files"));
    }
}

#[test]
fn names_with_newlines_and_links_out_of_the_tree_are_only_names() {
    for copier in Copier::all() {
        let account = Account::new();
        account.write("workspace/a\nb $(touch x) 'q\"", "text");
        symlink("/etc/passwd", account.root().join("workspace/link")).unwrap();
        symlink("/etc", account.root().join("workspace/folder")).unwrap();
        drop(account.database("workspace/it's%41?#.sqlite"));
        let (_, state) = account.copy(&copier, None);
        assert_eq!(state.files, 4, "{copier:?}");
        let name = "workspace/it's%41?#.sqlite";
        assert_eq!(account.count(name, "SELECT count(*) FROM turns"), 1);
    }
}

#[test]
fn a_database_that_is_gone_is_gone_from_the_copies() {
    for copier in Copier::all() {
        let account = Account::new();
        drop(account.database("old.sqlite"));
        account.copy(&copier, None);
        assert!(account.copied("old.sqlite").exists());
        fs::remove_file(account.root().join("old.sqlite")).unwrap();
        account.copy(&copier, None);
        assert!(!account.copied("old.sqlite").exists());
    }
}

#[test]
fn the_version_is_read_from_the_unit() {
    for copier in Copier::all() {
        let account = Account::new();
        let units = account.home.path().join(".config/systemd/user");
        fs::create_dir_all(&units).unwrap();
        let unit = "[Service]\nEnvironment=OPENCLAW_SERVICE_VERSION=2026.9.6\n";
        fs::write(units.join("openclaw-gateway.service"), unit).unwrap();
        let (_, state) = account.copy(&copier, None);
        assert_eq!(state.gateway_version.as_deref(), Some("2026.9.6"));
    }
}

#[test]
fn the_key_runs_one_program_only() {
    let account = Account::new();
    let line = forced_command(Program::newest(), &[account.root()]).unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &line])
        .env("SSH_ORIGINAL_COMMAND", "mark");
    let other = Program::newest().text().replacen("unset", "touch", 1);
    let output = account.run(command, other.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(words, "failover-sync: not the program of this key\n");
}

#[test]
fn a_whole_copy_goes_over_the_key() {
    let account = Account::new();
    let _live = account.database("state/openclaw.sqlite");
    let request = Account::request(None).to_string();
    let output = account.over_ssh("copy", request.as_bytes());
    let answer = Answer::parse(output.stdout.trim_ascii(), &[account.root()]).unwrap();
    assert!(matches!(answer, Answer::Copied(_)), "{answer:?}");
    assert_eq!(mode(&account.copied("state/openclaw.sqlite")), 0o600);
    let output = account.over_ssh("mark", b"");
    let answer = Answer::parse(output.stdout.trim_ascii(), &[]).unwrap();
    assert!(
        matches!(
            answer,
            Answer::Mark {
                epoch: Some(_),
                waiting: false
            }
        ),
        "{answer:?}"
    );
}

#[test]
fn in_a_round_rsync_asks_in_the_same_connection_and_for_nothing_else() {
    let account = Account::new();
    let _live = account.database("state/openclaw.sqlite");
    let request = Account::request(None).to_string();
    let round = |asked: &str| {
        let asked = format!("{request}{asked:\n<1024}");
        account.over_ssh(&format!("round {}", request.len()), asked.as_bytes())
    };
    let answer = |output: &Output| {
        let line = output.stdout.split(|byte| *byte == b'\n').next();
        Answer::parse(line.unwrap_or_default(), &[account.root()])
    };
    // Nothing to fetch: the connection ends.
    let output = account.over_ssh(&format!("round {}", request.len()), request.as_bytes());
    assert!(matches!(answer(&output), Ok(Answer::Copied(_))));
    assert!(output.status.success());
    // rsync begins with its protocol, and ends for want of a client.
    let output = round("rsync --server --sender -ltprRze.iLsfxCIvu . /");
    assert!(matches!(answer(&output), Ok(Answer::Copied(_))));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("rsync"), "{words}");
    for asked in [
        "mark",
        "install",
        "rsync --server -ltprze.iLsfxCIvu --delete . x",
        "rsync --server --sender -Lre.i . /etc",
        "rsync --server --sender $HOME . /",
    ] {
        let output = round(asked);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            words.starts_with("failover-sync: refused"),
            "{asked}: {words}"
        );
        assert_eq!(output.status.code(), Some(1), "{asked}");
    }
}

#[test]
fn nothing_else_is_run_for_the_key() {
    let account = Account::new();
    let own = "-ltprRze.iLsfxCIvu -B4096 --timeout=10 --safe-links --no-implied-dirs";
    for asked in [
        String::new(),
        "sh".to_owned(),
        "copy; touch x".to_owned(),
        "copy $(touch x)".to_owned(),
        "copy\ntouch x".to_owned(),
        "round".to_owned(),
        "round ".to_owned(),
        "round 2; touch x".to_owned(),
        "round 2\ntouch x".to_owned(),
        "round 1000000".to_owned(),
        " copy".to_owned(),
        "rsync --daemon . /".to_owned(),
        "rsync --server --sender . /".to_owned(),
        "rsync --server --sender -logDtprze.iLsfxCIvu . /etc".to_owned(),
        "rsync --server --sender -Lre.i . /etc".to_owned(),
        format!("rsync --server --sender {own} --copy-links . /etc"),
        format!("rsync --server --sender {own} -B1 . /etc"),
        format!("rsync --server --sender {own} --log-file=x . /etc"),
        format!("rsync --server --sender {own} --remove-source-files . /etc"),
        format!("rsync --server --sender {own} --files-from=/etc/passwd . /etc"),
        format!("rsync --server --sender {own} --timeout=1;touch . /etc"),
        format!("rsync --server --sender {own} `touch` . /etc"),
        format!("rsync --server --sender {own} $HOME . /etc"),
        format!("rsync --server --sender {own}\ntouch . /etc"),
        format!("rsync --server --sender {own} * . /etc"),
        // Taken only while the gateway there waits.
        "rsync --server -ltprze.iLsfxCIvu --delete . x".to_owned(),
        "install".to_owned(),
    ] {
        let output = account.over_ssh(&asked, b"{}\n");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            words.starts_with("failover-sync: refused"),
            "{asked}: {words}"
        );
        assert_eq!(output.status.code(), Some(1), "{asked}");
        assert!(output.stdout.is_empty(), "{asked}");
    }
}

#[test]
fn the_programs_can_be_sent_as_they_are() {
    let text = Program::newest().text();
    assert!(text.is_ascii() && !text.contains(['\0', '\r']));
    // The limit of one argument: execve(2), MAX_ARG_STRLEN.
    assert!(text.len() < 100_000, "{}", text.len());
    assert_eq!(
        Program::with_hash(&Program::newest().hash()),
        Some(Program::newest())
    );
    assert_eq!(Program::with_hash(""), None);
}

#[test]
fn a_path_that_could_be_read_in_another_way_is_refused() {
    let program = Program::newest();
    for path in [
        "relative", "/", "/a/../b", "/a/./b", "/a/", "//a", "/it's", "/a\"b", "/a\\b", "/a\nb",
        "/a*",
    ] {
        let line = forced_command(program, &[path.into()]);
        assert!(matches!(line, Err(LineError::Path(_))), "{path}");
    }
    assert!(matches!(
        forced_command(program, &[]),
        Err(LineError::NoPaths)
    ));
    let paths = [PathBuf::from("/home/a b/.openclaw")];
    let line = authorized_keys_line(program, &paths, "ssh-ed25519 AAAA+/= me@here\n").unwrap();
    assert!(
        line.starts_with("restrict,command=\"/bin/sh -c 'p=$(dd "),
        "{line}"
    );
    assert!(
        line.ends_with(" '/home/a b/.openclaw'\" ssh-ed25519 AAAA+/= failover-sync"),
        "{line}"
    );
    for key in ["", "ssh-ed25519", "ssh-ed25519 A\nssh-rsa B", "\"x\" AAAA"] {
        assert!(
            matches!(
                authorized_keys_line(program, &paths, key),
                Err(LineError::Key)
            ),
            "{key}"
        );
    }
}

#[test]
fn answers_of_a_hostile_host_are_refused() {
    let paths = [PathBuf::from("/home/a/.openclaw")];
    let state = json!({
        "answer": "copied", "token": "a1", "epoch": {"id": "b2", "ancestors": []}, "gateway_version": "2026.9.6",
        "home": "/home/a", "now": 5000, "changed": 2000, "databases": ["/home/a/.openclaw/x.sqlite"],
        "files": 1, "bytes": 2,
    });
    let parse = |value: &Value| Answer::parse(value.to_string().as_bytes(), &paths);
    let Ok(Answer::Copied(honest)) = parse(&state) else {
        panic!("{:?}", parse(&state));
    };
    let here = jiff::Timestamp::from_second(100).unwrap();
    assert_eq!(
        honest.changed_before(here),
        jiff::Timestamp::from_second(97).unwrap()
    );
    for (key, value) in [
        ("token", json!("")),
        ("token", json!("x".repeat(200))),
        ("token", json!("a\nb")),
        ("epoch", json!({"id": "../x"})),
        ("epoch", json!({"id": "a", "ancestors": vec!["b"; 17]})),
        ("gateway_version", json!("\u{1b}[2J")),
        ("home", json!("home")),
        ("databases", json!(["/home/a/.openclaw/../../etc/x.sqlite"])),
        ("databases", json!(["/etc/x.sqlite"])),
        ("databases", json!(vec!["/home/a/.openclaw/x"; 10_001])),
        ("files", json!(-1)),
        ("answer", json!("other")),
    ] {
        let mut hostile = state.clone();
        hostile[key] = value;
        assert!(parse(&hostile).is_err(), "{hostile}");
    }
    assert!(Answer::parse(b"", &paths).is_err());
    assert!(Answer::parse(&vec![b' '; LONGEST_ANSWER + 1], &paths).is_err());
    let failed = json!({"answer": "failed", "error": "a\u{1b}[31m\nb"});
    assert!(matches!(parse(&failed), Ok(Answer::Failed { error }) if error == "a [31m b"));
}

proptest::proptest! {
    /// What gets through is within its bounds, whatever was sent.
    #[test]
    fn an_answer_that_is_used_has_checked_parts(token in ".{0,200}", database in "(/home/a)?[./a\u{0}-\u{ff}]{0,20}") {
        let paths = [PathBuf::from("/home/a")];
        let answer = json!({
            "answer": "copied", "token": token, "epoch": {"id": "b2"}, "gateway_version": null, "home": "/home/a",
            "now": 0, "changed": 0, "databases": [database], "files": 1, "bytes": 2,
        });
        if let Ok(Answer::Copied(state)) = Answer::parse(answer.to_string().as_bytes(), &paths) {
            assert!(state.token.len() <= 128 && !state.token.contains(char::is_whitespace));
            let database = &state.databases[0];
            assert!(database.starts_with("/home/a") && !database.to_str().unwrap().contains(".."));
        }
    }
}
