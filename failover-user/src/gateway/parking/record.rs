//! The record of a parked gateway: what a later command needs to continue or end it, even if the daemon or a
//! command was killed meanwhile.
//!
//! It is written before anything is done and removed after everything is undone. What it says is compared with the
//! kernel before it is acted on: see [`super::look`].

use std::{io, num::NonZeroU16, time::Duration};

use failover_decide::Time;
use failover_linux::{
    clock,
    files::{folder::Folder, folder::read_own, ownership::Sticky},
    process::ProcessKey,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::gateway::parking::{fingerprint::Fingerprint, group, place::Place, unit::ParkedUnit};

/// Another layout gets another number.
const VERSION: u32 = 1;
/// Bytes of the file. A record with all its files has some 10 kB.
const LONGEST: u64 = 512 * 1024;
const MODE: u32 = 0o600;

/// See the module.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// Which start of the machine: after another one nothing of it is left.
    boot: String,
    /// The port whose bind the gateway is stopped in.
    pub port: NonZeroU16,
    /// The unit.
    pub unit: ParkedUnit,
    /// Its control group, below the root of the hierarchy.
    pub group: String,
    /// How far it has come.
    pub phase: Phase,
    /// When that was.
    pub times: Times,
    /// Packets that its control group sent before the bind, where they are counted.
    pub sent: Option<u64>,
    /// What it has read, and wouldn't notice a change of.
    pub read: Fingerprint,
}

/// How far a gateway has come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Phase {
    /// It is being started, and will be stopped in its bind.
    Parking,
    /// It is stopped in its bind, and its control group is frozen.
    Parked {
        /// The unit's main process.
        process: Process,
    },
    /// Every check has passed, and it is being continued. It may serve already.
    Continuing {
        /// The unit's main process, where it is known.
        process: Option<Process>,
    },
    /// It serves; only what held it is left to be removed.
    Continued,
}

/// A process that no later one of its number is mistaken for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks of the boot clock.
    pub started: u64,
}

/// In milliseconds of the boot clock.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The command began.
    pub begun: u64,
    /// The unit's start was requested from its manager.
    pub started: Option<u64>,
    /// It was stopped in its bind.
    pub bound: Option<u64>,
    /// Its control group was frozen, and everything was checked.
    pub parked: Option<u64>,
}

/// Why there is no record to be used.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It isn't a record.
    #[error(
        "{path} isn't a record of this version: {why}; end the unit by hand (`systemctl kill --signal=KILL`, then `stop`), and remove the file"
    )]
    Invalid {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl From<ProcessKey> for Process {
    fn from(ProcessKey { pid, started }: ProcessKey) -> Self {
        Self { pid, started }
    }
}

impl From<Process> for ProcessKey {
    fn from(Process { pid, started }: Process) -> Self {
        Self { pid, started }
    }
}

/// Now, as [`Times`] has it.
pub(super) fn milliseconds() -> u64 {
    u64::try_from(clock::now().as_duration().as_millis()).unwrap_or(u64::MAX)
}

/// A point of [`Times`].
pub(super) fn time(milliseconds: u64) -> Time {
    Time::from_boot(Duration::from_millis(milliseconds))
}

impl Record {
    /// Of a gateway that is about to be started.
    pub(crate) fn new(port: NonZeroU16, unit: ParkedUnit, group: String) -> Self {
        Self {
            version: VERSION,
            boot: clock::boot().unwrap_or_default().to_owned(),
            port,
            unit,
            group,
            phase: Phase::Parking,
            times: Times {
                begun: milliseconds(),
                ..Times::default()
            },
            sent: None,
            read: Fingerprint::default(),
        }
    }

    /// That of a place; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read, or isn't one.
    pub fn read(place: &Place) -> Result<Option<Self>, RecordError> {
        let path = place.record();
        let text = match read_own(&path, LONGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| RecordError::Io {
                path: path.display().to_string(),
                source,
            })?,
        };
        let record = Self::parse(&text).and_then(|record| match record.port == place.port() {
            true => Ok(record),
            false => Err(format!("it is of port {}", record.port)),
        });
        record.map(Some).map_err(|why| RecordError::Invalid {
            path: path.display().to_string(),
            why,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let record: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let fault = [
            (record.version != VERSION, "its version"),
            (record.boot.len() > 64, "its boot"),
            (!record.unit.is_valid(), "its unit"),
            (!group::is_sane(&record.group), "its control group"),
            (!record.read.is_sane(), "its list of files"),
        ]
        .into_iter()
        .find_map(|(is_wrong, what)| is_wrong.then_some(what));
        match fault {
            Some(what) => Err(format!("{what} isn't valid")),
            None => Ok(record),
        }
    }

    /// Puts it in place of an older one, or nothing.
    pub(crate) fn write(&self, place: &Place) -> Result<(), RecordError> {
        let path = place.record();
        let written = || {
            let text = serde_json::to_vec(self)?;
            let (folder, name) = Folder::made_for(&path, Sticky::IsNotEnough)?;
            folder.replace(name, &text, MODE)
        };
        written().map_err(|source| RecordError::Io {
            path: path.display().to_string(),
            source,
        })
    }

    /// Removes that of a place, if there is one.
    pub(super) fn remove(place: &Place) -> Result<(), RecordError> {
        let path = place.record();
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RecordError::Io {
                path: path.display().to_string(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// The same, come this far.
    pub(crate) fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    /// Is it of this start of the machine?
    #[must_use]
    pub fn is_current(&self) -> bool {
        clock::boot().is_none_or(|boot| boot == self.boot)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::gateway::parking::fingerprint::Stamp;

    fn process() -> impl Strategy<Value = Process> {
        (any::<u32>(), any::<u64>()).prop_map(|(pid, started)| Process { pid, started })
    }

    fn phase() -> impl Strategy<Value = Phase> {
        prop_oneof![
            Just(Phase::Parking),
            process().prop_map(|process| Phase::Parked { process }),
            option::of(process()).prop_map(|process| Phase::Continuing { process }),
            Just(Phase::Continued),
        ]
    }

    fn record() -> impl Strategy<Value = Record> {
        let times = (
            any::<u64>(),
            option::of(any::<u64>()),
            option::of(any::<u64>()),
        );
        let unit = ("[a-z]{1,9}", option::of("[a-z]{1,9}"));
        let files = vec(("/[a-z]{0,9}", option::of(any::<i64>())), 0..4);
        (
            1_u16..,
            unit,
            phase(),
            times,
            option::of(any::<u64>()),
            files,
        )
            .prop_map(
                |(port, (name, account), phase, (begun, started, bound), sent, files)| Record {
                    phase,
                    times: Times {
                        begun,
                        started,
                        bound,
                        parked: bound,
                    },
                    sent,
                    read: files
                        .into_iter()
                        .map(|(path, modified)| {
                            (
                                path,
                                modified.map(|modified| Stamp {
                                    device: 1,
                                    inode: 2,
                                    size: 3,
                                    modified,
                                }),
                            )
                        })
                        .collect(),
                    ..Record::new(
                        NonZeroU16::new(port).unwrap(),
                        ParkedUnit {
                            name: format!("{name}.service"),
                            account,
                        },
                        "/a.slice/x.service".to_owned(),
                    )
                },
            )
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(record in record()) {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::new(folder.path(), record.port);
            prop_assert!(Record::read(&place).unwrap().is_none());
            record.write(&place).unwrap();
            prop_assert_eq!(Record::read(&place).unwrap(), Some(record));
            Record::remove(&place).unwrap();
            prop_assert!(Record::read(&place).unwrap().is_none());
        }

        /// One byte of a record is another one, or its end is missing: it is refused, or says something valid.
        #[test]
        fn a_damaged_record_is_never_acted_on(record in record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let text = serde_json::to_string(&record).unwrap();
            let cut = at.index(text.len());
            if text.is_char_boundary(cut) {
                prop_assert!(Record::parse(&text[..cut]).is_err());
            }
            let mut bytes = text.into_bytes();
            bytes[cut] = byte;
            if let Ok(Ok(record)) = String::from_utf8(bytes).map(|text| Record::parse(&text)) {
                prop_assert!(record.unit.is_valid() && group::is_sane(&record.group));
                prop_assert_eq!(record.version, VERSION);
            }
        }

        #[test]
        fn nonsense_is_no_record(text in "\\PC{0,200}") {
            prop_assert!(Record::parse(&text).is_err());
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let unit = ParkedUnit {
            name: "a.service".to_owned(),
            account: None,
        };
        let record = Record::new(NonZeroU16::MIN, unit, "/a.service".to_owned());
        let value = || serde_json::to_value(&record).unwrap();
        assert!(Record::parse(&value().to_string()).is_ok());
        for (key, other) in [
            ("version", serde_json::json!(2)),
            ("more", serde_json::json!(1)),
            ("group", serde_json::json!("/a/../b.service")),
            ("group", serde_json::json!("a.service")),
            ("phase", serde_json::json!("parked")),
            ("phase", serde_json::json!("asleep")),
            ("port", serde_json::json!(0)),
        ] {
            let mut value = value();
            value[key] = other;
            assert!(Record::parse(&value.to_string()).is_err(), "{key}");
        }
        let folder = tempfile::tempdir().unwrap();
        record
            .write(&Place::new(folder.path(), NonZeroU16::MIN))
            .unwrap();
        std::fs::rename(
            folder.path().join("parking-1.json"),
            folder.path().join("parking-2.json"),
        )
        .unwrap();
        let other = Place::new(folder.path(), NonZeroU16::new(2).unwrap());
        assert!(Record::read(&other).is_err(), "of another port");
    }
}
