//! The lab leaves nothing behind, however it ends.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use failover_tests::{
    lab::{Identity, Lab, Machine, failover_binary, reaper::processes_in},
    lines::Lines,
    wait,
};
use rustix::process::{Pid, Signal, kill_process};

/// `failover-lab hold`, a lab of another process, and all that could be left of it.
struct Held {
    holder: Guest,
    directory: PathBuf,
    /// The control group of its machine, if it has one.
    group: Option<PathBuf>,
    namespaces: Namespaces,
    /// The gateway, the reaper, and the init of its machine.
    children: Vec<u32>,
}

/// A lab's namespaces, held open: so nobody else's can have their numbers meanwhile.
struct Namespaces(Vec<File>);

impl Namespaces {
    /// Those with these numbers, from a process that holds them.
    fn of(pid: u32, inodes: &[u64]) -> Self {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs") {
            let Ok(path) = entry.map(|entry| entry.path()) else {
                continue;
            };
            let inode = Identity::of(&path).map(Identity::inode).unwrap_or_default();
            if inodes.contains(&inode) {
                found.insert(inode, File::open(path).expect("it is still open"));
            }
        }
        assert_eq!(found.len(), inodes.len(), "{found:?} of {inodes:?}");
        Self(found.into_values().collect())
    }

    fn processes(&self) -> Vec<u32> {
        let metadata = self
            .0
            .iter()
            .map(|file| file.metadata().expect("it is open"));
        metadata
            .flat_map(|metadata| processes_in(Identity::from(&metadata)))
            .collect()
    }

    /// Somebody in each who would stay for a minute, deaf to SIGTERM.
    fn guests(&self) -> Vec<Guest> {
        let guests: Vec<Guest> = self
            .0
            .iter()
            .map(|file| {
                let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
                Command::new("nsenter")
                    .arg(format!("--net={path}"))
                    .args(["sh", "-c", "trap '' TERM; sleep 60; true"])
                    .stdin(Stdio::null())
                    .spawn()
                    .map(Guest)
                    .expect("nsenter can be run")
            })
            .collect();
        wait::until("everybody is in", wait::LONG, || {
            let inside = self.processes();
            let is_in = |guest: &Guest| inside.contains(&guest.0.id());
            guests.iter().all(is_in).then_some(())
        });
        guests
    }
}

/// A process that this one started. Should a test fail, it must not stay either.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn held(arguments: &[&str]) -> Held {
    let mut holder = Command::new(env!("CARGO_BIN_EXE_failover-lab"))
        .arg("hold")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map(Guest)
        .expect("the lab's binary can be run");
    let pid = holder.0.id();
    let lines = Lines::of(holder.0.stdout.take().expect("a pipe"));
    // The gateway is printed last.
    let gateway = wait::until("the lab is there", wait::LONG, || {
        printed(&lines, "gateway").first()?.parse().ok()
    });
    let directory: PathBuf = printed(&lines, "directory").join("\n").into();
    let init: Option<u32> = printed(&lines, "init")
        .first()
        .map(|init| init.parse().expect("a number"));
    let inodes: Vec<u64> = printed(&lines, "namespace")
        .iter()
        .map(|inode| inode.parse().expect("a number"))
        .collect();
    let namespaces = Namespaces::of(pid, &inodes);
    let mut children = children_of(pid);
    assert!(children.contains(&gateway), "{children:?}");
    children.extend(init);
    assert!(directory.is_dir());
    Held {
        holder,
        directory,
        group: printed(&lines, "group").first().map(PathBuf::from),
        namespaces,
        children,
    }
}

/// What the lines that begin with this word say.
fn printed(lines: &Lines, word: &str) -> Vec<String> {
    let lines = lines.from(0);
    let said = lines
        .iter()
        .filter_map(|line| line.text.strip_prefix(word)?.strip_prefix(' '));
    said.map(str::to_owned).collect()
}

/// Of all its threads.
fn children_of(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|pids| {
            pids.split(' ')
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Those of a lab of this process.
fn namespaces(lab: &Lab) -> Namespaces {
    let inodes = lab.namespaces().map(Identity::inode);
    Namespaces::of(std::process::id(), &inodes)
}

/// A zombie is only a number: nobody may be there to wait for it.
fn is_gone(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

fn assert_nothing_left(directory: &Path, namespaces: &Namespaces, children: &[u32]) {
    wait::until("the lab's processes are gone", wait::LONG, || {
        children.iter().all(|pid| is_gone(*pid)).then_some(())
    });
    // The reaper ends last, so all this is no longer waited for.
    assert_eq!(namespaces.processes(), Vec::<u32>::new());
    assert!(!directory.exists(), "{} is there", directory.display());
}

fn assert_leaves_nothing(signal: Signal) {
    let held = held(&[]);
    let pid = held.holder.0.id();
    let _guests = held.namespaces.guests();
    fs::write(held.directory.join("file"), "something").expect("the directory can be written to");
    let holder = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(holder.expect("a process number"), signal).expect("it runs");
    assert_nothing_left(&held.directory, &held.namespaces, &held.children);
}

#[test]
fn a_killed_lab_leaves_nothing_behind() {
    assert_leaves_nothing(Signal::KILL);
}

#[test]
fn an_interrupted_lab_leaves_nothing_behind() {
    assert_leaves_nothing(Signal::INT);
}

#[test]
fn a_killed_lab_takes_its_machine_along() {
    if !Machine::can_boot() {
        return;
    }
    let held = held(&["--boot"]);
    let group = held.group.expect("the machine has a control group");
    assert!(group.join("system.slice").is_dir());
    let holder = i32::try_from(held.holder.0.id())
        .ok()
        .and_then(Pid::from_raw);
    kill_process(holder.expect("a process number"), Signal::KILL).expect("it runs");
    assert_nothing_left(&held.directory, &held.namespaces, &held.children);
    assert!(!group.exists(), "{} is there", group.display());
}

#[test]
fn a_dropped_lab_leaves_nothing_behind() {
    let lab = Lab::new();
    let _gateway = lab.host_a().gateway().unwrap();
    let (directory, namespaces) = (lab.directory().to_owned(), namespaces(&lab));
    let _guests = namespaces.guests();
    drop(lab);
    assert_nothing_left(&directory, &namespaces, &[]);
}

#[test]
fn a_lab_whose_test_panics_leaves_nothing_behind() {
    let panicked = std::panic::catch_unwind(|| {
        let lab = Lab::new();
        let left = (lab.directory().to_owned(), namespaces(&lab));
        let _gateway = lab.host_a().gateway().unwrap();
        std::panic::panic_any(left);
    });
    let left = panicked.unwrap_err();
    let (directory, namespaces) = left.downcast_ref::<(PathBuf, Namespaces)>().unwrap();
    assert_nothing_left(directory, namespaces, &[]);
}

/// A daemon with the places of an installed one, `/run/failover` and `/var/lib/failover`, and two
/// demonstrations beside it. All in a mount namespace: this machine may have an installed one, too.
const BESIDE: &str = r#"
set -e
failover=$1 lab=$2 directory=$3
for place in /run /var/lib; do mount -t tmpfs -o mode=755 none $place; done
mkdir /run/failover
"$failover" run --config=/dev/null --primary=10.0.0.1 --gateway=command --start=true --stop=true \
    --kernel-events=off >"$directory/installed" 2>&1 &
installed=$!
trap 'kill $installed' EXIT
while ! [ -S /run/failover/control.sock ]; do kill -0 $installed; sleep 0.05; done
before=$(find /run /var/lib | sort)
"$lab" demo --failover "$failover" >"$directory/first" 2>&1 &
first=$!
"$lab" demo --failover "$failover" >"$directory/second" 2>&1 || true
wait $first || true
echo "$before" >"$directory/before"
find /run /var/lib | sort >"$directory/after"
code=0
"$failover" status --config=/dev/null >"$directory/status" || code=$?
[ $code -lt 2 ]
"#;

#[test]
fn demonstrations_run_beside_each_other_and_an_installed_service() {
    let lab = Lab::new();
    let [failover, program] = [failover_binary(), lab.binary().to_owned()];
    let output = lab
        .host_b()
        .command("unshare")
        .args(["--mount", "sh", "-c", BESIDE, "sh"])
        .args([&failover, &program])
        .arg(lab.directory())
        .stdin(Stdio::null())
        .output()
        .expect("unshare can be run");
    let content = |name: &str| fs::read_to_string(lab.directory().join(name)).unwrap_or_default();
    assert!(
        output.status.success(),
        "{output:?}\n{}",
        content("installed")
    );
    for name in ["first", "second"] {
        let shown = content(name);
        assert!(shown.contains("\ntaken over "), "{name}: {shown}");
    }
    assert_eq!(content("after"), content("before"));
    assert!(
        content("status").contains("10.0.0.1"),
        "{}",
        content("status")
    );
}
