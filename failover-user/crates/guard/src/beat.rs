//! A heartbeat: one datagram that says who lives, and how its gateway is.
//!
//! JSON, so that a release that doesn't know a member leaves it out and one that misses a member has its default:
//! both sides may be one release apart.

use serde::{Deserialize, Serialize};

use crate::ask::{Answer, Ask};

/// Longer names are cut: gethostname(2) allows 64 bytes.
const LONGEST_NAME: usize = 64;

/// One heartbeat.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Beat {
    /// The start of the program that sends it.
    pub from: Nonce,
    /// The last start of the receiver's program that the sender has heard of. Only a beat that has the present one is
    /// fresh: any other may have been recorded.
    #[serde(default)]
    pub to: Option<Nonce>,
    /// Counts the beats of this start, from one.
    pub sequence: u64,
    /// From one beat to the next, in milliseconds.
    pub interval_ms: u32,
    /// The host's name, for people.
    pub host: HostName,
    /// Which start of the machine it is (random(4), `boot_id`).
    #[serde(default)]
    pub boot: Option<BootId>,
    /// How the sender's gateway is.
    #[serde(default)]
    pub gateway: GatewayState,
    /// What the sender has announced, as long as it holds.
    #[serde(default)]
    pub announcement: Option<Announcement>,
    /// What the sender wants of the receiver, in every beat until that is answered.
    #[serde(default)]
    pub asks: Option<Ask>,
    /// How far the receiver's ask is, in every beat as long as it is asked.
    #[serde(default)]
    pub answers: Option<Answer>,
    /// When it was sent, in microseconds of the sender's boot clock.
    #[serde(default)]
    pub sent_us: u64,
    /// The receiver's last beat that was heard, for measuring the round trip.
    #[serde(default)]
    pub echo: Option<Echo>,
}

/// A beat that was heard, returned to who sent it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Echo {
    /// When it was sent, by its sender's boot clock, in microseconds.
    pub sent_us: u64,
    /// How long ago it arrived, in microseconds.
    pub held_us: u64,
}

/// A random number that names one start of a program.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Nonce(pub u64);

/// How the sender's gateway is, as the kernel and the service manager of its host see it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayState {
    /// It is being started.
    Starting,
    /// Its port listens, and it hasn't answered yet.
    Listening,
    /// It answers.
    Answering,
    /// It finishes its work before it ends.
    Draining,
    /// An operator has stopped it.
    Stopped,
    /// It has ended by itself, and nothing starts it again.
    Ended,
    /// It has ended by itself, and its service manager starts it again.
    Restarting,
    /// Its service manager has given up.
    Failed,
    /// It is started, and stopped in its bind.
    Parked,
    /// Not known, or a word of a later release.
    #[default]
    #[serde(other)]
    Unknown,
}

impl GatewayState {
    /// Does it have the port, so that clients reach it?
    #[must_use]
    pub const fn serves(self) -> bool {
        match self {
            Self::Listening | Self::Answering | Self::Draining => true,
            Self::Starting
            | Self::Stopped
            | Self::Ended
            | Self::Restarting
            | Self::Failed
            | Self::Parked
            | Self::Unknown => false,
        }
    }
}

/// What a host says of its future.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announcement {
    /// The machine is being switched off.
    ShutsDown,
    /// The machine is being restarted.
    Reboots,
    /// The gateway is being stopped on purpose.
    StopsGateway,
    /// The program that sends the beats is being upgraded, and is back soon.
    Upgrades,
    /// The host hears nobody, and has stopped its gateway.
    Fenced,
    /// A word of a later release.
    #[serde(other)]
    Unknown,
}

/// A host's name: bounded, and nothing that a terminal would obey.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "String")]
pub struct HostName(String);

impl HostName {
    /// The name as it can be shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for HostName {
    fn from(name: String) -> Self {
        let shown = name
            .chars()
            .filter(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_'));
        Self(shown.take(LONGEST_NAME).collect())
    }
}

/// A start of a machine: 16 bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BootId(u128);

/// Not a boot id.
#[derive(Debug, thiserror::Error)]
#[error("a boot id has 32 hexadecimal digits")]
pub struct NoBootId;

impl TryFrom<String> for BootId {
    type Error = NoBootId;

    fn try_from(text: String) -> Result<Self, NoBootId> {
        let digits: String = text.chars().filter(|one| *one != '-').collect();
        if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NoBootId);
        }
        u128::from_str_radix(&digits, 16)
            .map(Self)
            .map_err(|_| NoBootId)
    }
}

impl From<BootId> for String {
    fn from(id: BootId) -> Self {
        format!("{:032x}", id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::What;

    #[test]
    fn what_a_later_release_adds_is_left_out_and_its_words_are_unknown() {
        let beat: Beat = serde_json::from_str(
            r#"{"from":7,"sequence":1,"interval_ms":50,"host":"pc-a","gateway":"hibernating",
                "announcement":"moves-house","weather":{"sun":true},
                "asks":{"id":3,"what":"dance","with":"whom"}}"#,
        )
        .expect("a beat");
        assert_eq!(beat.gateway, GatewayState::Unknown);
        assert_eq!(beat.announcement, Some(Announcement::Unknown));
        assert_eq!((beat.to, beat.boot, beat.echo), (None, None, None));
        assert_eq!(beat.asks.map(|ask| ask.what), Some(What::Unknown));
        assert_eq!(beat.answers, None);
    }

    #[test]
    fn a_name_is_bounded_and_harmless() {
        let name = HostName::from(format!("pc-a\u{1b}[2J\n{}", "x".repeat(100)));
        assert_eq!(name.as_str().len(), LONGEST_NAME);
        assert!(name.as_str().starts_with("pc-a2Jxx"));
    }

    #[test]
    fn a_boot_id_is_read_as_the_kernel_writes_it() {
        let text = "6fe9a1c6-32b1-4f6a-9d58-1f0e4f0d2c11".to_owned();
        let id = BootId::try_from(text.clone()).expect("a boot id");
        assert_eq!(String::from(id), text.replace('-', ""));
        assert!(BootId::try_from("6fe9a1c6".to_owned()).is_err());
        assert!(BootId::try_from(format!("+{}", &text[1..])).is_err());
    }
}
