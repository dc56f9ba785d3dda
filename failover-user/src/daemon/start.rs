//! What came up as the result of our own start: known by that, whatever it is and whoever's.

use std::{collections::BTreeSet, time::Duration};

use rustix::param::clock_ticks_per_second;

use crate::{
    clock,
    config::LocalGateway,
    decide::Time,
    gateway::{Holder, Home, Launch, Listener, is_forwarder},
};

/// The start command that was run last.
#[derive(Debug)]
pub(super) struct Start {
    launch: Launch,
    /// What it may bring up besides its own descendants.
    brings: Brings,
    attempt: Option<Attempt>,
}

/// Who else than its descendants a start command may bring up, through a service manager or a container
/// engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Brings {
    /// Nobody: the unit that it starts is known, so no other one is it.
    TheUnit,
    /// Whatever service or container it may be.
    AnyService,
}

impl Brings {
    pub(super) fn of(gateway: &LocalGateway) -> Self {
        match &gateway.unit {
            Some(unit) if unit.is_started => Self::TheUnit,
            _ => Self::AnyService,
        }
    }
}

#[derive(Debug)]
struct Attempt {
    /// When, on the clock of the processes.
    since: u64,
    /// Whatever comes up later came up by itself.
    until: Time,
    /// Who listened before.
    before: BTreeSet<u32>,
}

impl Start {
    pub(super) fn new(launch: Launch, brings: Brings) -> Self {
        Self {
            launch,
            brings,
            attempt: None,
        }
    }

    /// Another command from now on.
    pub(super) fn brings(&mut self, brings: Brings) {
        self.brings = brings;
    }

    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// A start command is about to be run.
    pub(super) fn begin(&mut self, listeners: &[Listener], timeout: Duration) {
        let now = clock::now();
        self.attempt = Some(Attempt {
            since: ticks(now),
            until: now + timeout,
            before: listeners.iter().map(|listener| listener.inode).collect(),
        });
    }

    /// Did a start command begin this process, itself or through a service manager or a container
    /// engine? Who comes up in time by chance, as somebody's tunnel, is in a session of somebody's, or
    /// listens for somebody else, and is no unit or container that began meanwhile.
    pub(super) fn made(&self, holder: &Holder) -> bool {
        self.brought_up(holder) || self.launch.began(holder.pid)
    }

    fn brought_up(&self, holder: &Holder) -> bool {
        let in_time = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| clock::now() < attempt.until && holder.started >= attempt.since);
        self.brings == Brings::AnyService
            && in_time
            && is_of_a_service(holder.home.as_ref())
            && !is_forwarder(holder)
    }

    /// The same of a socket whose process can't be seen: it came up in time, nothing else is known.
    pub(super) fn may_have_made(&self, listener: &Listener) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| {
            clock::now() < attempt.until && !attempt.before.contains(&listener.inode)
        })
    }
}

fn is_of_a_service(home: Option<&Home>) -> bool {
    match home {
        Some(Home::Container(_)) => true,
        Some(Home::SystemUnit(name) | Home::UserUnit { name, .. }) => name.ends_with(".service"),
        None => false,
    }
}

/// As processes tell when they began (starttime in man 5 proc_pid_stat).
fn ticks(time: Time) -> u64 {
    let ticks =
        time.as_duration().as_nanos() * u128::from(clock_ticks_per_second()) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_containers_are_begun_for_a_reason_and_sessions_are_not() {
        for (home, expected) in [
            (Some(Home::Container("a".to_owned())), true),
            (Some(Home::SystemUnit("docker.service".to_owned())), true),
            (Some(Home::SystemUnit("session-3.scope".to_owned())), false),
            (
                Some(Home::UserUnit {
                    uid: 1000,
                    name: "bot.service".to_owned(),
                }),
                true,
            ),
            (None, false),
        ] {
            assert_eq!(is_of_a_service(home.as_ref()), expected, "{home:?}");
        }
    }

    #[test]
    fn a_service_that_comes_up_in_time_was_started_unless_it_forwards_or_the_unit_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let holder = |executable: &str, started| Holder {
            pid: u32::MAX,
            started,
            uid: 0,
            executable: Some(executable.into()),
            command_line: String::new(),
            home: Some(Home::SystemUnit("docker.service".to_owned())),
            elsewhere: None,
            addresses: Vec::new(),
        };
        for (brings, gateway) in [(Brings::AnyService, true), (Brings::TheUnit, false)] {
            let mut start = Start::new(Launch::of(folder.path()), brings);
            start.begin(&[], Duration::from_secs(60));
            let now = ticks(clock::now());
            assert_eq!(start.made(&holder("/opt/bot", now)), gateway);
            assert!(!start.made(&holder("/usr/bin/docker-proxy", now)));
            assert!(!start.made(&holder("/opt/bot", now - 60 * clock_ticks_per_second())));
        }
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
        assert!(began <= now, "{began} {now}");
        assert!(
            now - began < 3600 * clock_ticks_per_second(),
            "{began} {now}"
        );
    }
}
