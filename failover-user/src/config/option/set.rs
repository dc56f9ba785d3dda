//! A set of options that belong together, and the macro that declares one.

use serde::Deserializer;
use serde_json::{Map, Value};

use super::description::Description;

/// The type of an option that has a default. One that has none is an `Option`.
pub(in crate::config) type Always<T> = T;

/// Options as they were written, on the command line or in a file; `None` where nothing was.
pub(in crate::config) trait OptionSet: Sized {
    /// All of them, in the order in which they were declared.
    fn descriptions() -> Vec<&'static Description>;

    /// These, and where they aren't set, the others'.
    fn or(self, other: Self) -> Self;

    /// Sets one from the file.
    fn set<'de, D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error>;

    /// Was it set?
    fn is_set(&self, name: &str) -> bool;

    /// Unsets one. Was it set?
    fn unset(&mut self, name: &str) -> bool;

    /// Does an option of this name belong here?
    fn has(name: &str) -> bool {
        Self::descriptions().iter().any(|one| one.name == name)
    }
}

/// Is this the name of the field? The one has hyphens, the other underscores.
pub(in crate::config) fn is_named(name: &str, field: &str) -> bool {
    let written = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.bytes().eq(field.bytes().map(written))
}

/// Fields and their values, by the options' names.
pub(in crate::config) fn values_of<const COUNT: usize>(
    fields: [(&str, serde_json::Result<Value>); COUNT],
) -> serde_json::Result<Map<String, Value>> {
    let named = |(field, value): (&str, serde_json::Result<Value>)| {
        value.map(|value| (field.replace('_', "-"), value))
    };
    fields.into_iter().map(named).collect()
}

/// Declares options that belong together:
///
/// ```text
/// option_set! {
///     /// What they are about.
///     pub(crate) struct TakeoverOptions => TakeoverValues {
///         /// Time between probes
///         #[arg(value_name = "DURATION")]
///         interval: Always<HumanDuration> = essential().range(milliseconds(100), hours(1)).default(seconds(30));
///
///         /// Probe timeout
///         #[arg(value_name = "DURATION")]
///         timeout: Always<HumanDuration> = primary()
///             .words("5s, or the interval if shorter")
///             .default(seconds(5).min(interval));
///     }
/// }
/// ```
///
/// The comment is the help, `#[arg]` goes to clap. `Always` stands for an option with a default, `Option` for one
/// without; a definition of the other kind doesn't compile. A definition may use the values of the options before
/// it, and those that are passed in: `=> Values (interval: HumanDuration = seconds(30))`, the last being what the
/// help assumes.
///
/// It makes two structs: the first has what was written, an `Option` each, and implements [`clap::Args`] and
/// [`OptionSet`]; its `resolve` gives the second, which has what is in force, or reports a value out of range.
macro_rules! option_set {
    (
        $(#[doc = $about:literal])+
        pub(crate) struct $Set:ident => $Values:ident $((
            $($context:ident: $Context:ty = $assumed:expr),+
        ))? {
            $(
                $(#[doc = $help:literal])+
                $(#[arg($($arg:tt)*)])?
                $field:ident: $Kind:ident<$T:ty> = $definition:expr;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(clap::Args, Clone, Debug, Default, PartialEq)]
        #[group(skip)]
        pub(crate) struct $Set {
            $(
                $(#[doc = $help])+
                #[arg(
                    long,
                    help = Self::described(stringify!($field)).flag_help(),
                    help_heading = Self::described(stringify!($field)).group.heading(),
                    $($($arg)*)?
                )]
                pub(crate) $field: Option<$T>,
            )+
        }

        /// What is in force.
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::config) struct $Values {
            $($(#[doc = $help])+ pub(in crate::config) $field: $Kind<$T>,)+
        }

        impl $Set {
            /// What is in force: each value that was written, or else its default.
            pub(in crate::config) fn resolve(
                self $(, $($context: $Context),+)?
            ) -> Result<$Values, $crate::config::option::OptionError> {
                use $crate::config::option::Resolve;
                $(
                    let name = &*Self::described(stringify!($field)).name;
                    let $field: $Kind<$T> = Resolve::<$T>::resolve($definition, name, self.$field)?;
                )+
                Ok($Values { $($field),+ })
            }

            /// Made once: making one evaluates every definition.
            fn all() -> &'static [$crate::config::option::Description] {
                use std::sync::LazyLock;
                use $crate::config::option::{Description, Resolve};
                static ALL: LazyLock<Vec<Description>> = LazyLock::new(|| {
                    $($(let $context: $Context = $assumed;)+)?
                    let mut all = Vec::new();
                    $(
                        let definition = $definition;
                        let help = concat!($($help),+);
                        all.push(Resolve::<$T>::describe(&definition, stringify!($field), help));
                        let $field: $Kind<$T> = Resolve::<$T>::unset(definition);
                    )+
                    // Not every value is used in a definition after it.
                    let _ = ($(&$field),+);
                    all
                });
                &ALL
            }

            fn described(field: &str) -> &'static $crate::config::option::Description {
                let mut all = Self::all().iter();
                all.find(|one| one.field == field).expect("every field is described")
            }
        }

        impl $crate::config::option::OptionSet for $Set {
            fn descriptions() -> Vec<&'static $crate::config::option::Description> {
                Self::all().iter().collect()
            }

            fn or(self, other: Self) -> Self {
                Self { $($field: self.$field.or(other.$field)),+ }
            }

            fn set<'de, D: serde::Deserializer<'de>>(
                &mut self,
                name: &str,
                value: D,
            ) -> Result<(), D::Error> {
                $(
                    if $crate::config::option::is_named(name, stringify!($field)) {
                        self.$field = Some(<$T as serde::Deserialize>::deserialize(value)?);
                        return Ok(());
                    }
                )+
                Err(serde::de::Error::custom("no such option"))
            }

            fn is_set(&self, name: &str) -> bool {
                $(
                    if $crate::config::option::is_named(name, stringify!($field)) {
                        return self.$field.is_some();
                    }
                )+
                false
            }

            fn unset(&mut self, name: &str) -> bool {
                $(
                    if $crate::config::option::is_named(name, stringify!($field)) {
                        return self.$field.take().is_some();
                    }
                )+
                false
            }
        }

        impl $Values {
            /// By name; null where there is none.
            pub(in crate::config) fn values(
                &self,
            ) -> serde_json::Result<serde_json::Map<String, serde_json::Value>> {
                $crate::config::option::values_of([
                    $((stringify!($field), serde_json::to_value(&self.$field))),+
                ])
            }
        }
    };
}
pub(in crate::config) use option_set;
