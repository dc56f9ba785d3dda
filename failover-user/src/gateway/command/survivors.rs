//! Is anything of a start still alive? Searches the processes for the invocation mark of the start command's
//! descendants, and for the unit. If there is none, it queries the service manager, which may be about to
//! restart the unit.
//!
//! It doesn't decide which process is the gateway, only whether a start is worth waiting for.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use failover_decide::Begun;
use failover_linux::{
    fs_credentials::FsCredentials,
    process::{LONGEST_STAT, ProcessKey, Stat},
};

use crate::gateway::{
    command::{
        account::Account,
        unit,
        unit::{Scope, UnitState},
    },
    port::{home::Home, home::home_of, identity::matches, invocation::InvocationMark},
    spec::LocalUnit,
};
use failover_linux::procfs;

/// Limit for processes, far more than run beside a gateway; others are ignored.
const MOST_PROCESSES: usize = 1 << 16;
/// Timeout of the service manager. It answers within milliseconds, and later on a slow board that starts a gateway.
const ANSWER: Duration = Duration::from_secs(5);
/// A unit that was restarted this often within one start crashes each time.
const CRASHES: u32 = 3;

/// A search for what is left of a start.
#[derive(Clone, Debug)]
pub struct Search {
    /// When the start command began, in ticks of the boot clock (man 5 proc_pid_stat).
    pub since: u64,
    /// The mark of its descendants.
    pub mark: InvocationMark,
    /// Its own process ID, while it runs.
    pub command: Option<u32>,
    /// The unit that it starts, where that is known.
    pub unit: Option<LocalUnit>,
    /// The account of the unit, which may query its service manager; `None`: the daemon's own.
    pub account: Option<Account>,
    /// The daemon's own user ID.
    pub uid: u32,
    /// The executables that listened, and no longer do: a replacement runs the same.
    pub lost: BTreeSet<PathBuf>,
}

/// The result of a search.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The conclusion.
    pub begun: Begun,
    /// In more words, for people.
    pub description: String,
    /// When the oldest process of the unit began, if one was seen.
    pub oldest: Option<u64>,
    /// How often its service manager has restarted the unit, if that was queried.
    pub restarts: Option<u32>,
    /// The unit or the mark proves it, not just other new processes.
    pub is_certain: bool,
}

/// What the processes show.
#[derive(Debug, Default)]
struct Processes {
    /// One of the unit's.
    unit: Option<u32>,
    oldest: Option<u64>,
    /// A descendant of the start command outside of its session.
    descendant: Option<u32>,
    /// The start command, or one of its session.
    command: Option<u32>,
    /// A process that runs an executable that listened before.
    replacement: Option<u32>,
    /// Services and containers with a process that began since then, and those with an older one.
    young: Vec<(u32, Home)>,
    old: Vec<Home>,
    /// A process that began since then and was adopted by init. It may be the gateway: `env -i`, `su -` and `sudo`
    /// remove the mark.
    orphan: Option<u32>,
}

/// Adopts a process whose parent has ended.
const INIT: u32 = 1;

fn is_in_this_network(process: &Path) -> bool {
    let of = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    let own = of(Path::new("/proc/self"));
    own.is_some() && of(process) == own
}

impl Search {
    /// Runs the search. Inside a tokio runtime; blocking work is done in another thread.
    pub async fn look(self) -> Found {
        let search = self.clone();
        let Ok(processes) =
            crate::runtime::background::run("begun", move || search.processes()).await
        else {
            return Found::unknown("the processes can't be read".to_owned(), None);
        };
        let oldest = processes.oldest;
        if let Some(pid) = self.alive(&processes) {
            return Found {
                begun: Begun::Alive,
                description: format!("process {pid}"),
                oldest,
                restarts: None,
                is_certain: true,
            };
        }
        let Some(unit) = &self.unit else {
            return match processes.service() {
                Some((pid, home)) => Found {
                    begun: Begun::Alive,
                    description: format!("process {pid} in {home}"),
                    oldest,
                    restarts: None,
                    is_certain: false,
                },
                None if self.lost.is_empty() && processes.orphan.is_some() => Found::unknown(
                    "a process that began meanwhile may be it".to_owned(),
                    oldest,
                ),
                None => Found {
                    begun: Begun::Gone,
                    description: "no process".to_owned(),
                    oldest,
                    restarts: None,
                    is_certain: false,
                },
            };
        };
        match timeout(ANSWER, self.ask(unit)).await {
            Ok(Ok(states)) => of_states(&states, oldest),
            Ok(Err(error)) => Found::unknown(error.to_string(), oldest),
            Err(_) => Found::unknown("the service manager doesn't answer".to_owned(), oldest),
        }
    }

    /// A process that proves that something of the start is alive.
    fn alive(&self, processes: &Processes) -> Option<u32> {
        let Processes {
            unit,
            descendant,
            command,
            replacement,
            ..
        } = *processes;
        match (self.command, &self.unit) {
            // The listener is gone, so helper processes of the command prove nothing.
            _ if !self.lost.is_empty() => unit.or(replacement),
            // The command brings the gateway up, or is the gateway.
            (Some(_), None) => unit.or(descendant).or(command),
            // The command only requests the unit.
            (Some(_), Some(_)) | (None, _) => unit.or(descendant),
        }
    }

    /// Looks at all processes.
    fn processes(&self) -> Processes {
        let mut found = Processes::default();
        for pid in procfs::processes().take(MOST_PROCESSES) {
            self.look_at(pid, &mut found);
        }
        found
    }

    fn look_at(&self, pid: u32, found: &mut Processes) {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let Some(stat) = Stat::of(&procfs::read(&process.join("stat"), LONGEST_STAT)) else {
            return;
        };
        if stat.is_kernel_thread {
            return;
        }
        let is_young = stat.started >= self.since;
        if self.unit.is_none() && !is_young {
            if let Some(home) = home_of(pid).filter(is_service)
                && !found.old.contains(&home)
            {
                found.old.push(home);
            }
            return;
        }
        if let Some(unit) = &self.unit
            && home_of(pid).is_some_and(|home| self.is_of_unit(unit, &home, &process))
        {
            found.unit.get_or_insert(pid);
            let oldest = found.oldest.get_or_insert(stat.started);
            *oldest = (*oldest).min(stat.started);
            return;
        }
        if !is_young {
            return;
        }
        let is_own = self
            .command
            .is_some_and(|command| pid == command || stat.session == command);
        let has_mark = is_own
            || self.mark.is_on(ProcessKey {
                pid,
                started: stat.started,
            });
        if has_mark {
            // The command itself stays alive, whatever it is.
            let runs_the_same = !self.lost.is_empty()
                && self.command != Some(pid)
                && executable(&process).is_some_and(|exe| self.lost.contains(&exe));
            if runs_the_same {
                found.replacement.get_or_insert(pid);
            }
            match is_own {
                true => found.command.get_or_insert(pid),
                false => found.descendant.get_or_insert(pid),
            };
        } else if self.unit.is_none() {
            match home_of(pid).filter(is_service) {
                Some(home) => found.young.push((pid, home)),
                None if stat.parent == INIT && is_in_this_network(&process) => {
                    found.orphan.get_or_insert(pid);
                }
                None => {}
            }
        }
    }

    /// Is this a process of the unit, and of its account? A control group's name alone proves nothing.
    fn is_of_unit(&self, unit: &LocalUnit, home: &Home, process: &Path) -> bool {
        match (unit.scope, home) {
            (Scope::System, Home::SystemUnit(name)) => matches(&unit.name, name),
            (Scope::User, Home::UserUnit { uid, name }) => {
                let owner = self.account.as_ref().map_or(self.uid, Account::uid);
                let is_owners =
                    || fs::metadata(process).is_ok_and(|process| process.uid() == owner);
                *uid == owner && matches(&unit.name, name) && is_owners()
            }
            _ => false,
        }
    }

    /// Queries the unit's service manager, as an account that may.
    async fn ask(&self, unit: &LocalUnit) -> io::Result<Vec<UnitState>> {
        unit::states(unit, self.account.as_ref()).await
    }
}

impl Processes {
    /// A process in a service or container that began as a whole since then.
    fn service(&self) -> Option<&(u32, Home)> {
        self.young.iter().find(|(_, home)| !self.old.contains(home))
    }
}

impl Found {
    fn unknown(description: String, oldest: Option<u64>) -> Self {
        Self {
            begun: Begun::Unknown,
            description,
            oldest,
            restarts: None,
            is_certain: false,
        }
    }
}

/// The executable of a process. Only its own account can read it, and root only with more capabilities (ptrace(2)).
fn executable(process: &Path) -> Option<PathBuf> {
    let _credentials = fs::metadata(process).map(|of| FsCredentials::of(of.uid(), of.gid()));
    fs::read_link(process.join("exe")).ok()
}

/// The conclusion from the service manager's answer, where there is no process.
fn of_states(states: &[UnitState], oldest: Option<u64>) -> Found {
    let active = states.iter().find(|state| state.is_active());
    let description = match active.or(states.first()) {
        Some(state) => state.to_string(),
        None => "no unit of that name is loaded".to_owned(),
    };
    Found {
        begun: match active {
            Some(_) => Begun::Alive,
            None => Begun::Gone,
        },
        description,
        oldest,
        restarts: active.map(|state| state.restarts),
        is_certain: true,
    }
}

/// Can a start command have brought it up? A login session is none.
fn is_service(home: &Home) -> bool {
    match home {
        Home::Container { .. } => true,
        Home::SystemUnit(name) | Home::UserUnit { name, .. } => {
            !name.starts_with("session-") && name != "init.scope"
        }
    }
}

/// Counts the restarts within one start.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    oldest: Option<u64>,
    seen: u32,
    first_reported: Option<u32>,
    reported: u32,
}

impl Lives {
    /// Has it crashed so often that waiting is pointless?
    pub fn crashes(&mut self, found: &Found) -> bool {
        if let Some(oldest) = found.oldest
            && self.oldest.is_none_or(|before| oldest > before)
        {
            self.seen += u32::from(self.oldest.is_some());
            self.oldest = Some(oldest);
        }
        if let Some(restarts) = found.restarts {
            // It counts from zero when somebody starts the unit.
            let first = self
                .first_reported
                .filter(|first| *first <= restarts)
                .unwrap_or(restarts);
            self.first_reported = Some(first);
            self.reported = restarts - first;
        }
        self.seen.max(self.reported) >= CRASHES
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use failover_linux::clock;

    fn ticks_now() -> u64 {
        let stat = fs::read("/proc/self/stat").unwrap();
        let own = Stat::of(&stat).unwrap().started;
        // Later than this process, and not later than what it is about to begin.
        let up = clock::now().as_duration().as_millis()
            * u128::from(rustix::param::clock_ticks_per_second())
            / 1000;
        own.max(u64::try_from(up).unwrap())
    }

    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn sleeper(mark: Option<&InvocationMark>) -> Ended {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null());
        if let Some(mark) = mark {
            command.env(InvocationMark::VARIABLE, mark.value());
        }
        Ended(command.spawn().unwrap())
    }

    fn search(mark: &InvocationMark) -> Search {
        Search {
            since: ticks_now(),
            mark: mark.clone(),
            command: None,
            unit: None,
            account: None,
            uid: 0,
            lost: BTreeSet::new(),
        }
    }

    async fn begun_of(search: &Search) -> Begun {
        search.clone().look().await.begun
    }

    #[tokio::test]
    async fn a_descendant_of_the_start_command_lives_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mark = InvocationMark::of(folder.path());
        let search = search(&mark);
        let _other = sleeper(None);
        let child = sleeper(Some(&mark));
        let found = search.clone().look().await;
        assert_eq!(found.begun, Begun::Alive, "{found:?}");
        assert!(
            found.description.contains(&child.0.id().to_string()),
            "{found:?}"
        );
        drop(child);
        let found = search.clone().look().await;
        assert!(
            !found.description.contains("process")
                || found.begun != Begun::Alive
                || !found.is_certain,
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn what_an_earlier_start_left_behind_is_none_of_this_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mark = InvocationMark::of(folder.path());
        let _earlier = sleeper(Some(&mark));
        std::thread::sleep(Duration::from_millis(30));
        let found = search(&mark).look().await;
        assert!(
            !(found.begun == Begun::Alive && found.is_certain),
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn a_start_command_that_runs_is_alive_unless_what_it_brought_up_was_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mark = InvocationMark::of(folder.path());
        let mut search = search(&mark);
        let command = sleeper(Some(&mark));
        search.command = Some(command.0.id());
        assert_eq!(begun_of(&search).await, Begun::Alive);
        search.lost = BTreeSet::from(["/opt/bot".into()]);
        let found = search.clone().look().await;
        assert!(
            !(found.begun == Begun::Alive && found.is_certain),
            "{found:?}"
        );
        let sleep = fs::read_link(format!("/proc/{}/exe", command.0.id())).unwrap();
        search.lost = BTreeSet::from([sleep]);
        let found = search.clone().look().await;
        assert!(
            !(found.begun == Begun::Alive && found.is_certain),
            "{found:?}"
        );
        let _replacement = sleeper(Some(&mark));
        assert_eq!(begun_of(&search).await, Begun::Alive);
    }

    fn state(text: &str) -> UnitState {
        UnitState::parsed(text).unwrap()
    }

    #[test]
    fn a_unit_that_waits_for_its_next_start_is_alive_and_one_that_failed_is_gone() {
        for (states, expected) in [
            (vec!["a.service active running 0 0"], Begun::Alive),
            (vec!["a.service activating auto-restart 0 2"], Begun::Alive),
            (
                vec!["a.service deactivating stop-sigterm 0 0"],
                Begun::Alive,
            ),
            (vec!["a.service inactive dead 12 0"], Begun::Alive),
            (vec!["a.service inactive dead 0 0"], Begun::Gone),
            (vec!["a.service failed failed 0 5"], Begun::Gone),
            (
                vec![
                    "a.service failed failed 0 5",
                    "b.service active running 0 0",
                ],
                Begun::Alive,
            ),
            (vec![], Begun::Gone),
        ] {
            let parsed: Vec<UnitState> = states.iter().map(|text| state(text)).collect();
            assert_eq!(of_states(&parsed, None).begun, expected, "{states:?}");
        }
    }

    #[test]
    fn one_that_comes_back_to_life_again_and_again_crashes() {
        let found = |oldest, restarts| Found {
            begun: Begun::Alive,
            description: String::new(),
            oldest,
            restarts,
            is_certain: true,
        };
        let mut by_process = Lives::default();
        let crashes: Vec<bool> = [7, 7, 8, 8, 9, 10]
            .map(|oldest| by_process.crashes(&found(Some(oldest), None)))
            .to_vec();
        assert_eq!(crashes, [false, false, false, false, false, true]);
        let mut by_manager = Lives::default();
        // One that was at it before, and was then started again.
        let crashes: Vec<bool> = [40, 0, 1, 2, 3]
            .map(|restarts| by_manager.crashes(&found(None, Some(restarts))))
            .to_vec();
        assert_eq!(crashes, [false, false, false, false, true]);
        // A child of it that ends leaves the oldest as it was.
        let mut well = Lives::default();
        assert!((0..100).all(|_| !well.crashes(&found(Some(7), Some(1)))));
    }
}
