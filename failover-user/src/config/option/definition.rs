//! A [`Definition`]: what is known of an option besides its name, type and help.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use failover_linux::escape;

use super::{description::Description, error::OptionError, group::Group};
use crate::config::values::plain;

/// What is known of an option besides its name, type and help. Built from its group: `judgement().default(3)`.
pub(in crate::config) struct Definition<T> {
    group: Group,
    default: Option<T>,
    /// The default in words, where the value alone would mislead.
    words: Option<String>,
    example: Option<T>,
    is_alternative: bool,
    is_secret: bool,
    is_unused: bool,
    rule: Option<Rule<T>>,
}

/// A [`Definition`] with a default that always applies.
pub(in crate::config) struct WithDefault<T> {
    definition: Definition<T>,
    default: T,
}

/// Is this value of this option allowed?
type CheckOf<T> = dyn Fn(&'static str, &T) -> Result<(), OptionError>;

/// Which values are allowed.
struct Rule<T> {
    check: Box<CheckOf<T>>,
    range: Option<String>,
}

/// See [`Group::Essential`].
pub(in crate::config) const fn essential<T>() -> Definition<T> {
    Definition::of(Group::Essential)
}

/// See [`Group::Primary`].
pub(in crate::config) const fn primary<T>() -> Definition<T> {
    Definition::of(Group::Primary)
}

/// See [`Group::LocalGateway`].
pub(in crate::config) const fn local_gateway<T>() -> Definition<T> {
    Definition::of(Group::LocalGateway)
}

/// See [`Group::Judgement`].
pub(in crate::config) const fn judgement<T>() -> Definition<T> {
    Definition::of(Group::Judgement)
}

/// See [`Group::Sync`].
pub(in crate::config) const fn sync<T>() -> Definition<T> {
    Definition::of(Group::Sync)
}

/// See [`Group::Guard`].
pub(in crate::config) const fn guard<T>() -> Definition<T> {
    Definition::of(Group::Guard)
}

/// See [`Group::Notifications`].
pub(in crate::config) const fn notifications<T>() -> Definition<T> {
    Definition::of(Group::Notifications)
}

/// See [`Group::Daemon`].
pub(in crate::config) const fn daemon<T>() -> Definition<T> {
    Definition::of(Group::Daemon)
}

impl<T> Definition<T> {
    const fn of(group: Group) -> Self {
        Self {
            group,
            default: None,
            words: None,
            example: None,
            is_alternative: false,
            is_secret: false,
            is_unused: false,
            rule: None,
        }
    }

    /// The value if nobody sets one.
    pub(in crate::config) fn default(self, default: T) -> WithDefault<T> {
        WithDefault {
            definition: self,
            default,
        }
    }

    /// A default that applies only under a condition.
    pub(in crate::config) fn default_if(self, applies: bool, default: T) -> Self
    where
        T: Clone + Serialize,
    {
        let words = self.words.or_else(|| Some(plain(&value_of(&default))));
        Self {
            default: applies.then(|| default.clone()),
            words,
            example: self.example.or(Some(default)),
            ..self
        }
    }

    /// How the help puts the default, where that isn't one value.
    pub(in crate::config) fn words(self, words: impl Into<String>) -> Self {
        Self {
            words: Some(words.into()),
            ..self
        }
    }

    /// What one could write, for an option without a default.
    pub(in crate::config) fn example(self, example: T) -> Self {
        Self {
            example: Some(example),
            ..self
        }
    }

    /// The same for an option that excludes others or needs them: the commented default configuration isn't
    /// valid with all of these at once.
    pub(in crate::config) fn alternative(self, example: T) -> Self {
        Self {
            is_alternative: true,
            ..self.example(example)
        }
    }

    /// The value may be a password, or have one in it: no message shows it.
    pub(in crate::config) fn secret(self) -> Self {
        Self {
            is_secret: true,
            ..self
        }
    }

    /// The value isn't checked where nothing uses it.
    pub(in crate::config) fn used_if(self, is_used: bool) -> Self {
        Self {
            is_unused: !is_used,
            ..self
        }
    }

    fn rule(
        self,
        range: Option<String>,
        check: impl Fn(&'static str, &T) -> Result<(), OptionError> + 'static,
    ) -> Self {
        let check = Box::new(check);
        Self {
            rule: Some(Rule { check, range }),
            ..self
        }
    }

    fn described(
        &self,
        field: &'static str,
        help: &str,
        default: Option<String>,
        sample: Option<&T>,
    ) -> Description
    where
        T: Serialize,
    {
        Description {
            field,
            name: field.replace('_', "-"),
            help: help.trim().to_owned(),
            group: self.group,
            default,
            range: self.rule.as_ref().and_then(|rule| rule.range.clone()),
            sample: sample.map(value_of).unwrap_or_default(),
            is_alternative: self.is_alternative,
            is_secret: self.is_secret,
        }
    }

    fn check(&self, option: &'static str, value: &T) -> Result<(), OptionError> {
        match &self.rule {
            Some(rule) if !self.is_unused => (rule.check)(option, value),
            _ => Ok(()),
        }
    }
}

impl<T: PartialOrd + ToString + 'static> Definition<T> {
    /// The smallest and the largest value that are allowed.
    pub(in crate::config) fn range(self, least: T, most: T) -> Self {
        let range = format!("{} to {}", least.to_string(), most.to_string());
        self.rule(Some(range), move |option, value| {
            between(option, value, &least, &most)
        })
    }
}

impl<T: PartialOrd + ToString + 'static> Definition<Vec<T>> {
    /// The same for each value of a list.
    pub(in crate::config) fn each_in(self, least: T, most: T) -> Self {
        let range = format!("{} to {} each", least.to_string(), most.to_string());
        self.rule(Some(range), move |option, values: &Vec<T>| {
            let mut each = values.iter();
            each.try_for_each(|value| between(option, value, &least, &most))
        })
    }
}

fn between<T: PartialOrd + ToString>(
    option: &'static str,
    value: &T,
    least: &T,
    most: &T,
) -> Result<(), OptionError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(OptionError::Range {
        option,
        value: value.to_string(),
        least: least.to_string(),
        most: most.to_string(),
    })
}

impl Definition<PathBuf> {
    /// The path of a file.
    pub(in crate::config) fn file(self) -> Self {
        self.rule(None, |option, path| leads_to(option, path, "a file"))
    }

    /// The same for a file with a secret. Somebody may have written the secret itself here, so what isn't a
    /// full path isn't shown.
    pub(in crate::config) fn secret_file(self) -> Self {
        self.rule(None, |option, path| {
            leads_to(option, path, "a file").map_err(|error| match error {
                OptionError::Path { what, wanted, .. } if !path.is_absolute() => {
                    let path = "not shown, it may be a secret".to_owned();
                    OptionError::Path {
                        option,
                        path,
                        what,
                        wanted,
                    }
                }
                error => error,
            })
        })
    }

    /// The path of a socket to create.
    pub(in crate::config) fn socket(self) -> Self {
        self.rule(None, |option, path| leads_to(option, path, "a socket"))
    }

    /// The path of a directory, which may be missing.
    pub(in crate::config) fn directory(self) -> Self {
        self.rule(None, |option, path| leads_to(option, path, DIRECTORY))
    }
}

const DIRECTORY: &str = "a directory";

/// The daemon's working directory isn't known to the author of the file, so only a full path will do.
fn leads_to(option: &'static str, path: &Path, wanted: &'static str) -> Result<(), OptionError> {
    let what = if !path.is_absolute() {
        "a relative path"
    } else if wanted == DIRECTORY && path.exists() && !path.is_dir() {
        "which is not a directory"
    } else if wanted != DIRECTORY && path.is_dir() {
        "which is a directory"
    } else {
        return Ok(());
    };
    Err(OptionError::Path {
        option,
        path: escape::one_line(&path.to_string_lossy()),
        what,
        wanted,
    })
}

/// From what was written to what is in force. An option with a default always has a value; one without may
/// have none.
pub(in crate::config) trait Resolve<T> {
    /// `T`, or `Option<T>`.
    type InForce;

    /// What was written, if it is allowed, or else the default.
    fn resolve(
        self,
        option: &'static str,
        written: Option<T>,
    ) -> Result<Self::InForce, OptionError>;

    /// The default alone.
    fn unset(self) -> Self::InForce;

    /// For people. `field` is the option's name with underscores.
    fn describe(&self, field: &'static str, help: &str) -> Description;
}

impl<T: Serialize> Resolve<T> for Definition<T> {
    type InForce = Option<T>;

    fn resolve(self, option: &'static str, written: Option<T>) -> Result<Option<T>, OptionError> {
        if let Some(value) = &written {
            self.check(option, value)?;
        }
        Ok(written.or(self.default))
    }

    fn unset(self) -> Option<T> {
        self.default
    }

    fn describe(&self, field: &'static str, help: &str) -> Description {
        let default = self.words.clone();
        self.described(field, help, default, self.example.as_ref())
    }
}

impl<T: Serialize> Resolve<T> for WithDefault<T> {
    type InForce = T;

    fn resolve(self, option: &'static str, written: Option<T>) -> Result<T, OptionError> {
        if let Some(value) = &written {
            self.definition.check(option, value)?;
        }
        Ok(written.unwrap_or(self.default))
    }

    fn unset(self) -> T {
        self.default
    }

    fn describe(&self, field: &'static str, help: &str) -> Description {
        let words = self.definition.words.clone();
        let default = words.unwrap_or_else(|| plain(&value_of(&self.default)));
        let example = self.definition.example.as_ref().unwrap_or(&self.default);
        let Self { definition, .. } = self;
        definition.described(field, help, Some(default), Some(example))
    }
}

fn value_of<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
