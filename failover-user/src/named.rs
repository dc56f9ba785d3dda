//! Values of enumerations that are served to tools, or stored in files, by name. Another version may have
//! other values: an unknown one is shown as given.

use std::fmt;

use failover_decide::{StandbyMode, StandbyState, StateKind, Step};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enumeration that tools know by its values' names.
pub trait Named: Copy + Eq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The value's name, which never changes.
    fn name(self) -> &'static str;
}

/// A value that was served or kept, perhaps by another version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value<T> {
    /// This version knows it.
    Known(T),
    /// It doesn't.
    Unknown(String),
}

impl<T: Named> Value<T> {
    /// Its name, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(value) => value.name(),
            Self::Unknown(name) => name,
        }
    }
}

impl<T: PartialEq> PartialEq<T> for Value<T> {
    fn eq(&self, value: &T) -> bool {
        matches!(self, Self::Known(known) if known == value)
    }
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T: Named> fmt::Display for Value<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl<T: Named> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de, T: Named> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = T::ALL.iter().find(|value| value.name() == name);
        Ok(known.map_or(Self::Unknown(name), |value| Self::Known(*value)))
    }
}

impl Named for StateKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Named for Step {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Named for StandbyMode {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Named for StandbyState {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_version_is_shown_as_given() {
        let known: Value<StateKind> = serde_json::from_str("\"active\"").unwrap();
        assert_eq!(known, StateKind::Active);
        let unknown: Value<StateKind> = serde_json::from_str("\"replicating\"").unwrap();
        assert_eq!(unknown.to_string(), "replicating");
        assert_eq!(serde_json::to_string(&unknown).unwrap(), "\"replicating\"");
    }
}
