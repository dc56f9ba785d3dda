//! Looks for a parked gateway, and at what decides how ready the local gateway is kept: in the background, at
//! intervals. It must not know what follows from a look.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use failover_linux::procfs;
use tokio::time::sleep_until;

use crate::{
    config::{Configuration, KernelEventsMode},
    gateway::{
        parking::{
            self, ParkedUnit, Record,
            place::Place,
            situation::{Broken, Situation},
        },
        spec::LocalGateway,
    },
    runtime::background::{self, Job},
    standby::{drill::Drill, mode::Known},
};

/// While a gateway is parked: if it dies or something else continues it, that is noticed within this time. A look
/// takes some 5 ms of processor time, most of it for the sockets of the port.
const PACE: Duration = Duration::from_secs(5);
/// Otherwise only the available memory changes by itself.
const QUIET_PACE: Duration = Duration::from_secs(30);
/// Where the configuration itself rules parking out. Each look costs a thread and its memory.
const RARE_PACE: Duration = Duration::from_secs(3600);
/// An obstacle may be gone: a service manager that wasn't up, a unit that wasn't installed.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(120);
/// If no thread can be started.
const AGAIN: Duration = Duration::from_secs(5);
/// Some tasks stalled for want of memory for this share of the last ten seconds, in percent (PSI,
/// Documentation/accounting/psi.rst, 6.18): the machine is about to swap.
const PRESSURE: f64 = 10.0;
/// As long as a tenth of the memory can be had, nothing is swapped, whatever stalls: where much is read and written, tasks
/// stall for the page cache. Seen at 12 % beside builds, with 20 of 24 GB available.
const ENOUGH: u64 = 10;
/// After that nothing is parked for a while: parking is what takes the memory.
const AFTER_PRESSURE: Duration = Duration::from_secs(600);
/// /proc/meminfo and /proc/pressure/memory.
const LONGEST: u64 = 16 * 1024;

/// What a look has found.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) situation: Situation,
    pub(crate) known: Known,
}

/// See the module.
pub(crate) struct StandbyWatch {
    place: Place,
    /// Why parking is out of the question; `None`: the kernel and the service manager decide.
    hindrance: Option<String>,
    unit: Option<ParkedUnit>,
    gateway: LocalGateway,
    /// Whether this machine can park this gateway, and when that was tried.
    support: Option<(Instant, Result<(), String>)>,
    looking: Option<Job<Look>>,
    next: Instant,
    pressed: Option<Instant>,
    /// The last result.
    last: Option<Sight>,
}

/// One look, as the thread returns it.
struct Look {
    situation: Situation,
    support: Result<(), String>,
    drill_is_current: bool,
    memory_available: Option<u64>,
    pressure: bool,
}

impl StandbyWatch {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let unit = ParkedUnit::of(&configuration.gateway);
        Self {
            place: configuration.parking(),
            hindrance: hindrance(configuration, unit.as_ref().err()),
            unit: unit.ok(),
            gateway: configuration.gateway.clone(),
            support: None,
            looking: None,
            next: Instant::now(),
            pressed: None,
            last: None,
        }
    }

    /// Where it is noted that a gateway is parked.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// The last look.
    pub(crate) const fn last(&self) -> Option<&Sight> {
        self.last.as_ref()
    }

    /// Something has changed: a look under way is out of date.
    pub(crate) fn hurry(&mut self) {
        self.looking = None;
        self.next = Instant::now();
    }

    /// Waits for the next look's result. Cancel-safe.
    pub(crate) async fn next(&mut self, drill: Option<&Arc<Drill>>) -> Sight {
        loop {
            if let Some(looking) = &mut self.looking {
                let look = looking.await;
                self.looking = None;
                if let Ok(look) = look {
                    return self.seen(look, drill);
                }
                self.next = Instant::now() + AGAIN;
            }
            sleep_until(self.next.into()).await;
            self.looking = self.begin(drill);
            if self.looking.is_none() {
                self.next = Instant::now() + AGAIN;
            }
        }
    }

    /// What is known, unless it is worth another try.
    fn support(&self) -> Option<Result<(), String>> {
        let (at, support) = self.support.as_ref()?;
        let is_old = support.is_err() && at.elapsed() >= TRIED_AGAIN_AFTER;
        (!is_old).then(|| support.clone())
    }

    fn begin(&self, drill: Option<&Arc<Drill>>) -> Option<Job<Look>> {
        let place = self.place.clone();
        let support = self.support();
        let gateway = self.gateway.clone();
        let hindrance = self.hindrance.clone();
        let read = drill.map(|drill| drill.read.clone());
        let unit = self.unit.clone();
        let look = move || {
            let memory = text("/proc/meminfo");
            let available = bytes_in(&memory, "MemAvailable:");
            let support = match (hindrance, support) {
                (Some(hindrance), _) => Err(hindrance),
                (None, Some(support)) => support,
                (None, None) => {
                    parking::possible(&place, &gateway).map_err(|error| format!("{error:#}"))
                }
            };
            Look {
                situation: of_unit(&place, unit.as_ref()),
                support,
                drill_is_current: match (read, unit) {
                    (Some(read), Some(unit)) => is_current(&read, &unit),
                    (Some(_) | None, _) => false,
                },
                memory_available: available,
                pressure: is_short(pressure(), available, bytes_in(&memory, "MemTotal:")),
            }
        };
        background::begin("parking", look).ok()
    }

    fn seen(&mut self, look: Look, drill: Option<&Arc<Drill>>) -> Sight {
        let now = Instant::now();
        let is_parked = matches!(look.situation, Situation::Parked(_));
        if look.pressure {
            self.pressed = Some(now);
        }
        let pressed = self.pressed.is_some_and(|at| now < at + AFTER_PRESSURE);
        self.next = now
            + match look.situation {
                // Nothing can come of it but by a command, whose end hurries the next look.
                Situation::Absent if self.hindrance.is_some() => RARE_PACE,
                Situation::Absent | Situation::Continuing => QUIET_PACE,
                Situation::Parking { .. } | Situation::Parked(_) | Situation::Broken(_) => PACE,
            };
        let at = self.support.as_ref().map_or(now, |(at, _)| *at);
        let at = if self.support().is_none() { now } else { at };
        self.support = Some((at, look.support.clone()));
        let sight = Sight {
            situation: look.situation,
            known: Known {
                not_parkable: look.support.err(),
                drill: drill.cloned(),
                drill_is_current: look.drill_is_current,
                memory_available: look.memory_available,
                is_parked,
                memory_pressure: pressed,
            },
        };
        self.last = Some(sight.clone());
        sight
    }
}

/// What there is. A gateway of a unit that was configured before can't serve in place of this one.
fn of_unit(place: &Place, unit: Option<&ParkedUnit>) -> Situation {
    let situation = parking::look(place);
    let Situation::Parked(_) = situation else {
        return situation;
    };
    match Record::read(place) {
        Ok(Some(record)) if Some(&record.unit) != unit => {
            Situation::Broken(Broken::OfAnotherUnit(record.unit.name))
        }
        Ok(_) | Err(_) => situation,
    }
}

/// Is what a gateway had read still what is there?
fn is_current(read: &parking::Fingerprint, unit: &ParkedUnit) -> bool {
    unit.manager_account()
        .is_ok_and(|account| read.changed(account.as_ref()).is_none())
}

/// What the configuration itself says against parking.
fn hindrance(configuration: &Configuration, unit: Option<&parking::NotParkable>) -> Option<String> {
    if configuration.dry_run {
        return Some("dry-run is set".to_owned());
    }
    match configuration.kernel_events {
        KernelEventsMode::Off => Some("kernel-events is off".to_owned()),
        KernelEventsMode::Auto | KernelEventsMode::Required => unit.map(ToString::to_string),
    }
}

/// Does it run out of memory? Where the kernel doesn't say how much can be had, the stalls decide.
fn is_short(pressure: Option<f64>, available: Option<u64>, total: Option<u64>) -> bool {
    let has_enough = match (available, total) {
        (Some(available), Some(total)) => available >= total / ENOUGH,
        _ => false,
    };
    !has_enough && pressure.is_some_and(|share| share >= PRESSURE)
}

/// A line of proc_meminfo(5). `MemAvailable` is what can be had without swapping.
fn bytes_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The share of the last ten seconds in which some task stalled for want of memory, in percent; `None`: the
/// kernel doesn't say.
fn pressure() -> Option<f64> {
    pressure_in(&text("/proc/pressure/memory"))
}

fn text(path: &str) -> String {
    String::from_utf8_lossy(&procfs::read(Path::new(path), LONGEST)).into_owned()
}

fn pressure_in(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let value = line
        .split(' ')
        .find_map(|word| word.strip_prefix("avg10="))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_and_its_pressure_are_read_as_the_kernel_writes_them() {
        let text = "MemTotal:       24689784 kB\nMemFree:  1 kB\nMemAvailable:   20480 kB\n";
        assert_eq!(bytes_in(text, "MemAvailable:"), Some(20_480 * 1024));
        assert_eq!(bytes_in("MemTotal: 1 kB\n", "MemAvailable:"), None);
        let text = "some avg10=12.50 avg60=3.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure_in(text), Some(12.5));
        assert_eq!(pressure_in("full avg10=1.00\n"), None);
    }

    #[test]
    fn a_machine_is_short_of_memory_when_tasks_stall_for_it_and_little_can_be_had() {
        assert!(is_short(Some(10.0), Some(9), Some(100)));
        assert!(is_short(Some(10.0), None, None));
        assert!(!is_short(Some(9.9), Some(9), Some(100)));
        assert!(!is_short(Some(90.0), Some(10), Some(100)));
        assert!(!is_short(None, Some(0), Some(100)));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,200}") {
            let _ = (bytes_in(&text, "MemAvailable:"), pressure_in(&text));
        }
    }
}
