//! What was received comes into place as a whole, whatever interrupts it.

use super::*;

impl Account {
    /// What PC-B has sent is there, and the gateway waits.
    fn received(&self) {
        self.write("state/openclaw.sqlite", "old");
        self.write("state/openclaw.sqlite-wal", "old");
        self.write("own.sqlite-wal", "of the old own.sqlite");
        self.write("cache/model", "of this machine");
        self.write("gone.md", "old");
        let incoming = self.home.path().join(".cache/failover/sync/incoming");
        let incoming = incoming.join(self.root().strip_prefix("/").unwrap());
        for (name, text) in [
            ("state/openclaw.sqlite", "new"),
            ("own.sqlite", "new"),
            ("it's\nnew.md", "new"),
            ("workspace/MEMORY.md", "new"),
        ] {
            let path = incoming.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let state = self.home.path().join(".local/state/failover/sync");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("waiting"), "").unwrap();
    }

    /// Everything of the old state is kept, everything of the new one is in place.
    fn is_installed(&self) {
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        let root = self.root();
        for (name, expected) in [
            ("state/openclaw.sqlite", Some("new")),
            ("state/openclaw.sqlite-wal", None),
            ("own.sqlite", Some("new")),
            // Whatever is said to stay: it would be read into the new database.
            ("own.sqlite-wal", None),
            ("it's\nnew.md", Some("new")),
            ("workspace/MEMORY.md", Some("new")),
            ("gone.md", None),
            ("openclaw.json", None),
            ("cache/model", Some("of this machine")),
        ] {
            assert_eq!(read(root.join(name)).as_deref(), expected, "{name}");
        }
        let state = self.home.path().join(".local/state/failover/sync");
        let mut kept = fs::read_dir(state.join("kept")).unwrap();
        let kept = kept.next().unwrap().unwrap().path();
        let kept = kept.join(root.strip_prefix("/").unwrap());
        for (name, expected) in [
            ("state/openclaw.sqlite", Some("old")),
            ("state/openclaw.sqlite-wal", Some("old")),
            ("workspace/MEMORY.md", Some("remember")),
            ("gone.md", Some("old")),
            ("openclaw.json", Some("{}")),
            ("it's\nnew.md", None),
        ] {
            assert_eq!(read(kept.join(name)).as_deref(), expected, "kept {name}");
        }
        let mark = fs::read_to_string(state.join("epoch.json")).unwrap();
        assert_eq!(mark, "{\"id\":\"b2\",\"ancestors\":[\"a1\"]}\n");
        assert!(!state.join("plan").exists());
    }
}

const ORDER: &[u8] = b"{\"id\":\"b2\",\"ancestors\":[\"a1\"]}\ncache\n*.sqlite-*\n";

#[test]
fn what_was_received_comes_into_place_and_the_old_state_is_kept() {
    let account = Account::new();
    account.received();
    let output = account.over_ssh("install", ORDER);
    let answer = Answer::parse(output.stdout.trim_ascii(), &[]);
    assert!(matches!(answer, Ok(Answer::Installed { .. })), "{output:?}");
    account.is_installed();
}

/// Each rename is once the last that the first attempt does, and once the one before which it is killed.
#[test]
fn an_installation_that_is_killed_at_any_rename_is_finished_by_the_next_command() {
    for is_done in [true, false] {
        let killed = (1..).take_while(|number| is_killed_and_finished(*number, is_done));
        assert_eq!(killed.count(), 11, "{is_done}");
    }
}

/// `false`: there are not as many renames.
fn is_killed_and_finished(number: usize, is_done: bool) -> bool {
    let account = Account::new();
    account.received();
    let programs = account.home.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let script = format!(
        "#!/bin/sh\n\
         echo >>{count}\n\
         [ $(wc -l <{count}) -ne {number} ] || {{ {before} kill -9 $PPID; exit 1; }}\n\
         exec /bin/mv \"$@\"\n",
        count = programs.join("count").display(),
        before = if is_done { "/bin/mv \"$@\";" } else { "" },
    );
    let mv = programs.join("mv");
    fs::write(&mv, script).unwrap();
    fs::set_permissions(&mv, fs::Permissions::from_mode(0o755)).unwrap();
    let line = forced_command(Program::newest(), &[account.root()]).unwrap();
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]);
    command
        .env("SSH_ORIGINAL_COMMAND", "install")
        .env("PATH", path);
    let text = Program::newest().text().as_bytes();
    if account
        .run(command, &[text, ORDER].concat())
        .status
        .success()
    {
        return false;
    }
    // Before the plan was complete, nothing has happened: it is ordered again.
    let next = account.over_ssh("mark", b"");
    assert!(next.status.success(), "{number}: {next:?}");
    if account.root().join("gone.md").exists() {
        let again = account.over_ssh("install", ORDER);
        assert!(again.status.success(), "{number}: {again:?}");
    }
    account.is_installed();
    true
}

#[test]
fn a_database_that_a_process_has_open_is_not_replaced() {
    let account = Account::new();
    account.received();
    let _open = account.database("agents/main.sqlite");
    let output = account.over_ssh("install", ORDER);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("a process has databases open"), "{words}");
    assert!(account.root().join("gone.md").exists());
}

#[test]
fn a_mark_that_is_none_is_refused() {
    for mark in ["", "\n", "x\n", "{$(touch x)}\n", "{'}\n", "{}/../x\n"] {
        let account = Account::new();
        account.received();
        let output = account.over_ssh("install", mark.as_bytes());
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            words.starts_with("failover-sync: refused"),
            "{mark}: {words}"
        );
        assert!(account.root().join("gone.md").exists());
    }
}

#[test]
fn the_key_of_the_way_back_is_made_once() {
    let account = Account::new();
    let first = account.over_ssh("key", b"pc-b ssh-ed25519 AAAA\n");
    let words = String::from_utf8_lossy(&first.stderr);
    assert!(first.stdout.starts_with(b"ssh-ed25519 "), "{words}");
    let second = account.over_ssh("key", b"pc-b ssh-ed25519 BBBB\n");
    assert_eq!(first.stdout, second.stdout);
    let state = account.home.path().join(".local/state/failover/sync");
    let hosts = fs::read_to_string(state.join("known_hosts")).unwrap();
    assert_eq!(hosts, "pc-b ssh-ed25519 BBBB\n");
    assert_eq!(mode(&state.join("key")), 0o600);
}

#[test]
fn what_is_removed_is_what_was_made_and_nothing_else() {
    let account = Account::new();
    let _database = account.database("state/openclaw.sqlite");
    account.over_ssh("copy", Account::request(None).to_string().as_bytes());
    account.over_ssh("key", b"");
    let keys = account.home.path().join(".ssh/authorized_keys");
    fs::create_dir(keys.parent().unwrap()).unwrap();
    let line = authorized_keys_line(Program::newest(), &[account.root()], "ssh-ed25519 AAAA");
    let others = "ssh-ed25519 CCCC me\nssh-ed25519 DDDD my failover-sync-notes\n";
    fs::write(&keys, format!("{}\n{others}", line.unwrap())).unwrap();
    let output = account.over_ssh("remove", b"");
    let answer = Answer::parse(output.stdout.trim_ascii(), &[]);
    assert!(matches!(answer, Ok(Answer::Removed)), "{output:?}");
    assert_eq!(fs::read_to_string(&keys).unwrap(), others);
    for gone in [".cache/failover/sync", ".local/state/failover/sync"] {
        assert!(!account.home.path().join(gone).exists(), "{gone}");
    }
    assert!(account.root().join("state/openclaw.sqlite").exists());
}
