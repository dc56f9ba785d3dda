//! What must be remembered across restarts of the daemon and of the machine, in the state directory:
//! that the primary was seen healthy once, the orders that stand, how the primary flaps, which default routers
//! have answered pings, at which addresses of its name the primary answered, which the local gateway bound
//! last, and what it has served with. Losing it is safe: then nothing is taken over until the primary is seen healthy
//! again. What it means is the decider's to say, and when it is written the folder's.

pub(crate) mod flapping;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tracing::warn;

use failover_decide::{FlapHistory, Pause, PersistentState, RouterId, Standing};
use failover_linux::{clock, escape::Escaped, files, sock_diag::bound::Bound};

pub(crate) use crate::state_dir::persisted::flapping::Flapping;
use crate::{
    gateway::spec::LocalGateway,
    standby::{drill::Drill, failing::FailedDrills},
    state_dir::writer::{Backlog, Target},
    sync::lineage::Lineage,
};

/// Of the file. What is added to it is no other version: who doesn't know it leaves it out.
const VERSION: u32 = 1;
/// Many times what it takes.
const LONGEST_FILE: u64 = 64 * 1024;
/// A reason is a sentence.
const LONGEST_REASON: usize = 200;

/// What is remembered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Persisted {
    version: u32,
    /// The primary that was seen healthy, as it is configured.
    pub(crate) armed_for: Option<String>,
    /// The pause in force.
    pub(crate) pause: Option<Paused>,
    /// The hold of a release in force.
    pub(crate) hold: Option<ReleaseHold>,
    /// A takeover by force is in force.
    pub(crate) forced: bool,
    /// How the primary flaps; `None`: it doesn't.
    pub(crate) flapping: Option<Flapping>,
    /// The default routers that count as witnesses, by name. They do not depend on
    /// which primary was up when they answered.
    pub(crate) routers: Vec<String>,
    /// Where the primary answered, if it has a name: that may go together with it.
    addresses: Option<Addresses>,
    /// What the gateway bound last.
    pub(crate) bound: Option<Binds>,
    /// The last drill. Shared, because all of this is cloned and compared in each turn of the loop.
    pub(crate) drill: Option<Arc<Drill>>,
    /// The last drill that was not interrupted: an interruption takes nothing back that was shown before.
    pub(crate) completed_drill: Option<Arc<Drill>>,
    /// Failed drills that none has passed after.
    pub(crate) failed_drills: Option<FailedDrills>,
    /// What the local gateway has served with, and whose changes nobody else has. Shared like the drill.
    #[serde(rename = "sync")]
    pub(crate) lineage: Arc<Lineage>,
}

/// Addresses of a primary's name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Addresses {
    /// As it is configured.
    primary: String,
    answered: Vec<SocketAddr>,
}

/// What a gateway bound.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Binds {
    /// Which gateway: another one has addresses of its own.
    gateway: String,
    addresses: Vec<Bound>,
}

impl Binds {
    pub(crate) fn of(gateway: &LocalGateway, addresses: &[Bound]) -> Self {
        Self {
            gateway: gateway.identity.to_string(),
            addresses: addresses.to_vec(),
        }
    }
}

impl Default for Persisted {
    fn default() -> Self {
        Self {
            version: VERSION,
            armed_for: None,
            pause: None,
            hold: None,
            forced: false,
            flapping: None,
            routers: Vec::new(),
            addresses: None,
            bound: None,
            drill: None,
            completed_drill: None,
            failed_drills: None,
            lineage: Arc::default(),
        }
    }
}

/// A pause, in the wall clock's time, which is all that survives a restart of the machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Paused {
    /// When it was ordered.
    pub(crate) since: Timestamp,
    /// The operator, as named by [`operator`].
    #[serde(default)]
    pub(crate) by: String,
    /// Until when; `None`: until it is resumed.
    pub(crate) until: Option<Timestamp>,
    /// Why, as the operator said.
    pub(crate) reason: Option<String>,
}

impl Paused {
    /// Ordered now, by this account's process.
    pub(crate) fn now(seconds: Option<u64>, by: u32, reason: Option<&str>) -> Self {
        let since = Timestamp::now();
        let span = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        Self {
            since,
            by: operator(by),
            until: span
                .and_then(|seconds| since.checked_add(SignedDuration::from_secs(seconds)).ok()),
            reason: reason.map(|reason| reason.chars().take(LONGEST_REASON).collect()),
        }
    }

    /// So long it still lasts; `None`: until it is resumed.
    pub(crate) fn left(&self, now: Timestamp) -> Option<Duration> {
        Some(left(self.since, self.until?, now))
    }
}

/// The hold of a release by hand, in the wall clock's time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ReleaseHold {
    since: Timestamp,
    until: Timestamp,
}

impl ReleaseHold {
    /// Ordered now. `None`: for longer than there is time.
    pub(crate) fn now(seconds: u64) -> Option<Self> {
        let since = Timestamp::now();
        let span = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
        let until = since.checked_add(span).ok()?;
        Some(Self { since, until })
    }
}

/// A clock that was set meanwhile makes an order last shorter or longer, but never longer than it was
/// given for.
fn left(since: Timestamp, until: Timestamp, now: Timestamp) -> Duration {
    let after = |time| Duration::try_from(until.duration_since(time)).unwrap_or_default();
    after(now).min(after(since))
}

/// For people. A name would have to be asked for, and who is asked may be slow.
pub(crate) fn operator(user: u32) -> String {
    match user {
        0 => "root".to_owned(),
        user => format!("user {user}"),
    }
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("remembered.json")
}

impl Persisted {
    /// The persisted state. Unreadable parts count as missing, and are logged.
    pub(crate) fn load(state_dir: &Path) -> Self {
        let file = file(state_dir);
        let read = files::read_own(&file, LONGEST_FILE);
        match read.and_then(|text| serde_json::from_str(&text).map_err(io::Error::from)) {
            Ok(parts) => Self::of(Parts { parts, file: &file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                warn!(%error, file = %file.display(), "what was remembered can't be read; it is as if nothing was");
                Self::default()
            }
        }
    }

    fn of(mut parts: Parts) -> Self {
        // Files from before there were versions have what this one has.
        let version = parts.take("version").unwrap_or(VERSION);
        if version != VERSION {
            warn!(
                version, file = %parts.file.display(),
                "what was remembered is another version's; what this one knows of it is believed, and the rest is forgotten"
            );
        }
        Self {
            version: VERSION,
            armed_for: parts.take("armed_for"),
            pause: parts.take("pause"),
            hold: parts.take("hold"),
            forced: parts.take("forced").unwrap_or_default(),
            flapping: parts.take("flapping"),
            routers: parts.take("routers").unwrap_or_default(),
            addresses: parts.take("addresses"),
            bound: parts.take("bound"),
            drill: parts.take("drill"),
            completed_drill: parts.take("completed_drill"),
            failed_drills: parts.take("failed_drills"),
            lineage: parts.take("sync").unwrap_or_default(),
        }
    }

    /// What the local gateway has served with.
    pub(crate) fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Where this primary answered, as far as it has a name.
    pub(crate) fn good_addresses(&self, primary: &str) -> Vec<SocketAddr> {
        let kept = self.addresses.as_ref();
        kept.filter(|kept| kept.primary == primary)
            .map(|kept| kept.answered.clone())
            .unwrap_or_default()
    }

    /// Keeps them. Are they others than those that are kept? Their order isn't worth a write.
    pub(crate) fn keep_addresses(&mut self, primary: &str, answered: &[SocketAddr]) -> bool {
        let sorted = |mut addresses: Vec<SocketAddr>| {
            addresses.sort_unstable();
            addresses
        };
        let is_news = sorted(self.good_addresses(primary)) != sorted(answered.to_vec());
        if is_news {
            self.addresses = Some(Addresses {
                primary: primary.to_owned(),
                answered: answered.to_vec(),
            });
        }
        is_news
    }

    /// What this gateway bound last; empty where that isn't known.
    pub(crate) fn bound(&self, gateway: &LocalGateway) -> Vec<Bound> {
        let kept = self.bound.as_ref();
        kept.filter(|kept| kept.gateway == gateway.identity.to_string())
            .map(|kept| kept.addresses.clone())
            .unwrap_or_default()
    }

    /// What the decider of this primary starts from; `armed_for` says what has to have been seen healthy.
    pub(crate) fn state(&self, primary: &str, armed_for: &str) -> PersistentState {
        PersistentState {
            armed: self.armed_for.as_deref() == Some(armed_for),
            standing: self.standing(),
            flap_history: self.flaps(primary),
            routers: self.routers.iter().map(RouterId::new).collect(),
        }
    }

    /// How this primary flapped, for the decider.
    pub(crate) fn flaps(&self, primary: &str) -> FlapHistory {
        let kept = self.flapping.as_ref();
        kept.map(|kept| kept.recalled(primary)).unwrap_or_default()
    }

    /// The orders that stand, for the decider.
    pub(crate) fn standing(&self) -> Standing {
        let (now, wall) = (clock::now(), Timestamp::now());
        let pause = self.pause.as_ref().map(|pause| Pause {
            until: pause.left(wall).map(|left| now + left),
        });
        let hold = self.hold.as_ref();
        Standing {
            pause,
            hold_until: hold.map(|hold| now + left(hold.since, hold.until, wall)),
            forced: self.forced,
        }
    }

    /// As it is kept.
    pub(crate) fn document(&self) -> Vec<u8> {
        // Texts, times and nothing else: there is nothing in it that JSON can't tell.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A document whose parts are worth something each: what spoils one costs that one.
struct Parts<'file> {
    parts: Map<String, Value>,
    file: &'file Path,
}

impl Parts<'_> {
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let part = self.parts.remove(name)?;
        serde_json::from_value(part).unwrap_or_else(|error| {
            let error = error.to_string();
            warn!(
                error = %Escaped(&error), file = %self.file.display(), part = name,
                "a part of what was remembered can't be read; it is as if it wasn't remembered"
            );
            None
        })
    }
}

/// The document, as it is written.
pub(crate) const PERSISTED: Target = Target {
    name: "what must be remembered",
    effect: "it is lost when this daemon ends",
    loss: "a restart forgets what must be remembered: it can't be written",
    backlog: Backlog::Newest,
    write: store,
};

/// Keeps all of a document or, after a crash, what was kept before.
///
/// # Errors
/// When the state directory can't be written to.
fn store(state_dir: &Path, document: &[u8]) -> io::Result<()> {
    files::replace(&file(state_dir), document)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use failover_decide::{Back, Time};

    fn full() -> Persisted {
        let flaps = FlapHistory {
            level: 2,
            back: Some(Back {
                at: Time::default(),
                before: Duration::from_secs(7),
            }),
            crashed: true,
            taken_over: false,
            raised: true,
            expected: false,
        };
        Persisted {
            armed_for: Some("10.0.0.1:18789".to_owned()),
            pause: Some(Paused {
                since: Timestamp::UNIX_EPOCH,
                by: "root".to_owned(),
                until: None,
                reason: Some("moving house".to_owned()),
            }),
            hold: ReleaseHold::now(3600),
            forced: true,
            flapping: Flapping::of("10.0.0.1:18789", flaps),
            routers: vec!["192.168.1.1".to_owned(), "fe80::1%eth0".to_owned()],
            addresses: Some(Addresses {
                primary: "pc-a:18789".to_owned(),
                answered: vec!["10.0.0.1:18789".parse().unwrap()],
            }),
            bound: Some(Binds {
                gateway: "unit bot.service".to_owned(),
                addresses: vec![Bound::LOOPBACK],
            }),
            ..Persisted::default()
        }
    }

    /// What is read of this.
    fn loaded(text: impl AsRef<[u8]>) -> Persisted {
        let directory = tempfile::tempdir().unwrap();
        fs::write(file(directory.path()), text).unwrap();
        Persisted::load(directory.path())
    }

    #[test]
    fn what_is_stored_is_loaded_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Persisted::load(directory.path()), Persisted::default());
        let full = full();
        store(directory.path(), &full.document()).unwrap();
        assert_eq!(Persisted::load(directory.path()), full);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_forgotten() {
        for nonsense in [&b""[..], b"{", b"[1]", b"\xff\xfe", b"{\"pause\":3}"] {
            assert_eq!(loaded(nonsense), Persisted::default());
        }
        let endless = format!("{{\"armed_for\":\"{}\"}}", "a".repeat(1 << 20));
        assert_eq!(loaded(endless), Persisted::default());
    }

    #[test]
    fn a_part_that_is_nonsense_costs_none_but_itself() {
        let full = full();
        let without = |forget: fn(&mut Persisted)| {
            let mut persisted = full.clone();
            forget(&mut persisted);
            persisted
        };
        for (part, rest) in [
            ("pause", without(|persisted| persisted.pause = None)),
            ("hold", without(|persisted| persisted.hold = None)),
            ("forced", without(|persisted| persisted.forced = false)),
            ("armed_for", without(|persisted| persisted.armed_for = None)),
            ("flapping", without(|persisted| persisted.flapping = None)),
            ("routers", without(|persisted| persisted.routers.clear())),
            ("addresses", without(|persisted| persisted.addresses = None)),
            ("bound", without(|persisted| persisted.bound = None)),
            ("version", full.clone()),
        ] {
            let never = json!({"back": {"at": "never"}});
            for nonsense in [json!(-1), json!([[0]]), never, json!(null)] {
                let mut spoilt = serde_json::to_value(&full).unwrap();
                spoilt[part] = nonsense;
                assert_eq!(loaded(spoilt.to_string()), rest, "{spoilt}");
            }
        }
    }

    #[test]
    fn the_addresses_of_a_name_are_kept_for_the_primary_that_has_it() {
        let mut persisted = Persisted::default();
        let [one, other] = ["10.0.0.1:1", "[fd00::1]:1"].map(|one| one.parse().unwrap());
        assert!(persisted.keep_addresses("pc-a:1", &[one, other]));
        assert!(!persisted.keep_addresses("pc-a:1", &[other, one]));
        assert_eq!(persisted.good_addresses("pc-a:1"), [one, other]);
        assert_eq!(persisted.good_addresses("pc-a:2"), []);
        assert!(persisted.keep_addresses("pc-a:2", &[one]));
        assert_eq!(persisted.good_addresses("pc-a:1"), []);
    }

    #[test]
    fn older_and_newer_files_are_read_as_far_as_they_are_known() {
        let old = loaded(
            r#"{"armed_for":"a","pause":{"since":"1970-01-01T00:00:00Z","until":null,"reason":null}}"#,
        );
        assert_eq!(old.armed_for.as_deref(), Some("a"));
        assert!(old.pause.is_some() && old.flapping.is_none() && old.routers.is_empty());
        let new = loaded(r#"{"version":7,"armed_for":"a","routers":["10.0.0.3"],"more":1}"#);
        assert_eq!(new.armed_for.as_deref(), Some("a"));
        assert_eq!(
            (new.version, new.routers),
            (VERSION, vec!["10.0.0.3".to_owned()])
        );
    }

    #[test]
    fn a_pause_ends_when_it_was_to_and_never_lasts_longer_than_it_was_ordered_for() {
        let hours = SignedDuration::from_hours;
        let pause = Paused::now(Some(7200), 1000, Some("moving"));
        assert_eq!(pause.by, "user 1000");
        let left = |by: SignedDuration| pause.left(pause.since + by);
        assert_eq!(left(hours(1)), Some(Duration::from_secs(3600)));
        assert_eq!(left(hours(3)), Some(Duration::ZERO));
        // The clock was set back by a year.
        assert_eq!(left(hours(-365 * 24)), Some(Duration::from_secs(7200)));
        assert_eq!(Paused::now(None, 0, None).left(Timestamp::now()), None);
    }
}
