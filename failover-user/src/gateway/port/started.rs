//! Recognises a listener as the result of our own start, whatever program it is.
//!
//! A process that appears in time can also belong to an unprivileged account, which sees the start command
//! run and has its own service manager. So a start can bring up only processes of the account that it runs
//! as, or something that only root can name: a unit or a container of the system.

use std::{collections::BTreeSet, time::Duration};

use rustix::param::clock_ticks_per_second;

use failover_decide::Time;
use failover_linux::{clock, sock_diag::listeners::Listener};

use crate::gateway::{
    port::{holder::Holder, home::Home, identity::is_forwarder, invocation::InvocationMark},
    spec::LocalGateway,
};

/// The last start command.
#[derive(Debug)]
pub(crate) struct Start {
    mark: InvocationMark,
    /// What it may bring up.
    brings: Brings,
    attempt: Option<Attempt>,
}

/// What a start command may bring up, directly or through a service manager or a container engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Brings {
    /// The account that it runs as.
    uid: u32,
    /// Services besides its own descendants; `None` where the unit that it starts is known.
    services: Option<Services>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Services {
    /// The words of the start command, which may name units.
    words: BTreeSet<String>,
}

impl Brings {
    pub(crate) fn of(gateway: &LocalGateway) -> Self {
        let services = match &gateway.unit {
            Some(unit) if unit.is_started => None,
            _ => Some(Services {
                words: gateway.start.words().map(str::to_owned).collect(),
            }),
        };
        Self {
            uid: gateway.uid(),
            services,
        }
    }
}

impl Services {
    /// Does the start command name this system unit? Only root can name those.
    fn name(&self, unit: &str) -> bool {
        let short = unit.strip_suffix(".service").unwrap_or(unit);
        self.words.contains(unit) || self.words.contains(short)
    }
}

#[derive(Debug)]
struct Attempt {
    /// When it began, in ticks.
    since: u64,
    /// A process that appears later is no result of it.
    until: Time,
    /// The sockets that listened before.
    before: BTreeSet<u32>,
}

impl Start {
    pub(crate) fn new(mark: InvocationMark, brings: Brings) -> Self {
        Self {
            mark,
            brings,
            attempt: None,
        }
    }

    /// Applies another start command.
    pub(crate) fn brings(&mut self, brings: Brings) {
        self.brings = brings;
    }

    pub(crate) fn mark(&self) -> &InvocationMark {
        &self.mark
    }

    /// A start command is about to run.
    pub(crate) fn begin(&mut self, listeners: &[Listener], timeout: Duration) {
        let now = clock::now();
        self.attempt = Some(Attempt {
            since: ticks(now),
            until: now + timeout,
            before: listeners.iter().map(|listener| listener.inode).collect(),
        });
    }

    /// Is this process the result of a start command, directly or through a service manager or a container
    /// engine? One that appears in time by chance, such as a user's tunnel, is in a login session or a
    /// forwarder, and in no unit or container that began meanwhile.
    pub(crate) fn made(&self, holder: &Holder) -> bool {
        self.brought_up(holder) || (self.may_become(holder) && holder.is_marked)
    }

    /// Can this process, by its accounts, descend from the start command? Only root can change accounts.
    fn may_become(&self, holder: &Holder) -> bool {
        match self.brings.uid {
            0 => holder.owns_its_sockets(),
            uid => holder.is_of_or_roots(uid),
        }
    }

    fn brought_up(&self, holder: &Holder) -> bool {
        let Some(services) = &self.brings.services else {
            return false;
        };
        if is_forwarder(holder) {
            return false;
        }
        let own = self.brings.uid;
        match &holder.home {
            Some(Home::SystemUnit(name)) if services.name(name) => holder.owns_its_sockets(),
            Some(Home::SystemUnit(name)) => {
                name.ends_with(".service")
                    && holder.is_of_or_roots(own)
                    && self.is_in_time(holder.started)
            }
            Some(Home::UserUnit { uid, name }) => {
                *uid == own
                    && name.ends_with(".service")
                    && holder.is_of(own)
                    && self.is_in_time(holder.started)
            }
            // Accounts inside a container mean nothing here; its owner does. And the container itself must
            // have begun meanwhile: an older one has accounts of its own.
            Some(Home::Container { owner, .. }) => {
                owner.is_none_or(|owner| owner == own)
                    && holder.owns_its_sockets()
                    && self.is_in_time(holder.started)
                    && self.is_in_time(holder.home_since())
            }
            None => false,
        }
    }

    /// Did a process that began then begin within the time of the start command?
    fn is_in_time(&self, began: u64) -> bool {
        self.attempt
            .as_ref()
            .is_some_and(|attempt| clock::now() < attempt.until && began >= attempt.since)
    }

    /// The same for a socket whose process isn't visible: it appeared in time, and is the account's.
    pub(crate) fn may_have_made(&self, listener: &Listener) -> bool {
        listener.uid == self.brings.uid
            && self.attempt.as_ref().is_some_and(|attempt| {
                clock::now() < attempt.until && !attempt.before.contains(&listener.inode)
            })
    }
}

/// A time in the unit of processes' start times (starttime in man 5 proc_pid_stat).
pub(crate) fn ticks(time: Time) -> u64 {
    let ticks =
        time.as_duration().as_nanos() * u128::from(clock_ticks_per_second()) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The time of a tick count.
pub(crate) fn time(ticks: u64) -> Time {
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(clock_ticks_per_second());
    Time::from_boot(Duration::from_nanos(
        u64::try_from(nanoseconds).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover_linux::process::ProcessKey;

    const ALICE: u32 = 1000;
    const MALLORY: u32 = 1001;

    fn brings(uid: u32, words: &[&str]) -> Brings {
        Brings {
            uid,
            services: Some(Services {
                words: words.iter().map(|word| (*word).to_owned()).collect(),
            }),
        }
    }

    fn holder(uid: u32, home: Home) -> Holder {
        Holder {
            // Of nobody.
            pid: u32::MAX,
            started: ticks(clock::now()),
            uid,
            accounts: vec![uid],
            executable: Some("/opt/bot".into()),
            command_line: String::new(),
            home: Some(home),
            elsewhere: None,
            addresses: Vec::new(),
            sockets: Vec::new(),
            is_marked: false,
        }
    }

    fn system(name: &str) -> Home {
        Home::SystemUnit(name.to_owned())
    }

    fn user(uid: u32, name: &str) -> Home {
        let name = name.to_owned();
        Home::UserUnit { uid, name }
    }

    fn container(owner: Option<u32>) -> Home {
        let name = "0123".to_owned();
        Home::Container { owner, name }
    }

    fn begun(brings: Brings) -> Start {
        let folder = tempfile::tempdir().unwrap();
        let mut start = Start::new(InvocationMark::of(folder.path()), brings);
        start.begin(&[], Duration::from_secs(60));
        start
    }

    #[test]
    fn what_comes_up_in_time_is_the_starts_if_it_is_its_accounts_or_roots_to_name() {
        for (uid, words, socket, home, expected) in [
            (ALICE, &[][..], ALICE, user(ALICE, "bot.service"), true),
            (ALICE, &[], ALICE, user(ALICE, "app-1.scope"), false),
            (ALICE, &[], ALICE, system("session-3.scope"), false),
            (ALICE, &[], ALICE, system("docker.service"), true),
            (ALICE, &[], 0, system("docker.service"), true),
            (ALICE, &[], 5, system("bot.service"), false),
            (ALICE, &["bot"], 5, system("bot.service"), true),
            (ALICE, &["bot.service"], 5, system("bot.service"), true),
            (ALICE, &["bot"], 5, system("bot2.service"), false),
            (ALICE, &[], 5, container(None), true),
            (ALICE, &[], 100_999, container(Some(ALICE)), true),
            (0, &[], ALICE, container(None), true),
            (0, &[], 0, system("docker.service"), true),
            // Another account's, which may have waited for this moment.
            (
                ALICE,
                &["bot"],
                MALLORY,
                user(MALLORY, "bot.service"),
                false,
            ),
            (ALICE, &["bot"], MALLORY, user(ALICE, "bot.service"), false),
            (ALICE, &["bot"], MALLORY, container(Some(MALLORY)), false),
            // Its cron job.
            (ALICE, &["bot"], MALLORY, system("cron.service"), false),
            (0, &["bot"], MALLORY, user(MALLORY, "bot.service"), false),
            (0, &["bot"], MALLORY, container(Some(MALLORY)), false),
            (0, &["bot"], MALLORY, system("cron.service"), false),
        ] {
            let start = begun(brings(uid, words));
            let holder = holder(socket, home);
            assert_eq!(start.made(&holder), expected, "{holder} by {uid} {words:?}");
        }
    }

    #[test]
    fn what_is_old_or_forwards_or_is_no_unit_while_that_is_known_was_not_started() {
        // What comes up after the start began.
        let start = begun(brings(0, &[]));
        let new = holder(0, system("docker.service"));
        let old = Holder {
            started: new.started - 60 * clock_ticks_per_second(),
            ..new.clone()
        };
        let forwarder = Holder {
            executable: Some("/usr/bin/docker-proxy".into()),
            ..new.clone()
        };
        let found = [&new, &old, &forwarder].map(|holder| start.made(holder));
        assert_eq!(found, [true, false, false]);
        let start = begun(Brings {
            uid: 0,
            services: None,
        });
        assert!(!start.made(&new));
    }

    #[test]
    fn a_unit_that_the_command_names_is_known_without_a_start_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let start = Start::new(InvocationMark::of(folder.path()), brings(0, &["bot"]));
        assert!(start.made(&holder(5, system("bot.service"))));
        assert!(!start.made(&holder(0, system("docker.service"))));
    }

    #[test]
    fn a_socket_in_flight_is_the_starts_if_its_account_is() {
        let start = begun(brings(ALICE, &[]));
        for (uid, expected) in [(ALICE, true), (MALLORY, false), (0, false)] {
            let listener = Listener {
                address: "0.0.0.0:18789".parse().unwrap(),
                uid,
                inode: 1,
                only_v6: false,
            };
            assert_eq!(start.may_have_made(&listener), expected, "{uid}");
        }
    }

    #[test]
    fn another_account_is_none_of_an_unprivileged_starts_descendants_even_with_its_mark() {
        let start = begun(brings(ALICE, &[]));
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .env(InvocationMark::VARIABLE, start.mark().value())
            .spawn()
            .unwrap();
        let key = ProcessKey::of(child.id()).unwrap();
        let marked = |uid| Holder {
            pid: key.pid,
            started: key.started,
            is_marked: start.mark().is_on(key),
            ..holder(uid, system("session-1.scope"))
        };
        // The parent continues before the kernel has recorded where the environment is.
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while !start.made(&marked(ALICE)) && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let found = [ALICE, 0, MALLORY].map(|uid| start.made(&marked(uid)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, [true, true, false]);
    }

    #[test]
    fn processes_and_the_daemon_have_the_same_clock() {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let began: u64 = stat
            .rsplit_once(") ")
            .unwrap()
            .1
            .split(' ')
            .nth(19)
            .unwrap()
            .parse()
            .unwrap();
        let now = ticks(clock::now());
        assert!(ticks(time(began)).abs_diff(began) <= 1);
        assert!(began <= now, "{began} {now}");
        assert!(
            now - began < 3600 * clock_ticks_per_second(),
            "{began} {now}"
        );
    }
}
