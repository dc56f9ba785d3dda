//! As much of a configuration as can be in force, with everything that keeps the rest from it: for who
//! wants to hear of all faults at once.

use super::{Configuration, ConfigurationError, GatewayError, Options, file, layers::Values};

/// More faults than anybody reads; each is an option, so there is an end to them anyway.
const MOST_FAULTS: usize = 50;

/// A configuration that may not be one.
#[derive(Debug)]
pub struct Draft {
    /// What is in force without the faulty options; `None` where nothing can be without them. Its
    /// commands' programs aren't looked up.
    pub configuration: Option<Configuration>,
    /// What is wrong, in the order in which it was found.
    pub faults: Vec<ConfigurationError>,
}

impl Draft {
    /// Like [`Configuration::load`], but it goes on after each fault.
    #[must_use]
    pub fn load(flags: Options) -> Self {
        let mut faults = Vec::new();
        let read = match &flags.config {
            Some(path) => match file::read_trusted(path) {
                Err(fault @ ConfigurationError::NotTrusted(_)) => {
                    faults.push(fault);
                    file::read(path)
                }
                read => read,
            },
            None => Ok(Default::default()),
        };
        match read {
            Ok((file, _)) => Self::of(flags.or(file), faults),
            Err(fault) => {
                faults.push(fault);
                let configuration = None;
                Self {
                    configuration,
                    faults,
                }
            }
        }
    }

    fn of(options: Options, mut faults: Vec<ConfigurationError>) -> Self {
        let dry_run = options.dry_run.unwrap_or(false);
        let mut left = Some(Options {
            dry_run: Some(true),
            ..options
        });
        while let Some(options) = left.take().filter(|_| faults.len() < MOST_FAULTS) {
            match Configuration::check(options.clone()) {
                Ok(configuration) => {
                    return Self {
                        configuration: Some(Configuration {
                            dry_run,
                            ..configuration
                        }),
                        faults,
                    };
                }
                Err(fault) => {
                    left = without(&options, &faulty(&fault));
                    faults.push(fault);
                }
            }
        }
        Self {
            configuration: None,
            faults,
        }
    }
}

/// What to leave out so that the rest may be in force: an option, or with a star all whose names begin so.
fn faulty(fault: &ConfigurationError) -> Vec<&'static str> {
    let names: &[&'static str] = match fault {
        ConfigurationError::Range { option, .. } => &[option],
        ConfigurationError::Order { longer, .. } => &[longer],
        ConfigurationError::NothingToRequire => &["fence-required"],
        ConfigurationError::NoSuccesses => &["flap-successes"],
        ConfigurationError::Check(_) => &["check*", "drain-limit"],
        ConfigurationError::Witnesses(_) => &["witness*"],
        ConfigurationError::User(_) => &["user"],
        ConfigurationError::Webhook(_) => &["webhook*"],
        ConfigurationError::Operators(_) => &["operators"],
        ConfigurationError::MetricsPort { .. } => &["metrics"],
        ConfigurationError::Gateway(fault) => match fault {
            GatewayError::Owner(_) | GatewayError::NoOwner | GatewayError::Account(_) => &["owner"],
            GatewayError::UselessUnit | GatewayError::Unit(_) => &["unit"],
            GatewayError::UselessUser => &["user"],
            GatewayError::NoCommand(_) | GatewayError::NoUnit => &[],
        },
        ConfigurationError::Read { .. }
        | ConfigurationError::NotTrusted(_)
        | ConfigurationError::TooLong { .. }
        | ConfigurationError::File { .. }
        | ConfigurationError::OwnGateway { .. }
        | ConfigurationError::LogFilter { .. }
        | ConfigurationError::NoPrimary
        | ConfigurationError::Command { .. } => &[],
    };
    names.to_vec()
}

/// `None` where none of them was given: then leaving them out is no help.
fn without(options: &Options, names: &[&str]) -> Option<Options> {
    let mut values = Values::of(options).ok()?;
    let removed = names.iter().map(|name| values.remove(name)).sum::<usize>();
    let rest = (removed > 0).then(|| values.options())?;
    Some(Options {
        config: options.config.clone(),
        ..rest.ok()?
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    fn draft(text: &str) -> (Option<Configuration>, Vec<String>) {
        let draft = Draft::of(file::parse(text).unwrap(), Vec::new());
        let faults = draft.faults.iter().map(ToString::to_string).collect();
        (draft.configuration, faults)
    }

    #[test]
    fn all_faults_are_told_and_the_rest_is_in_force() {
        let (configuration, faults) = draft(
            "primary = \"10.0.0.1\"\nstrikes = 4\ninterval = \"1ms\"\nuser = \"no-such-account\"\n\
             witnesses = [\"10.0.0.3\"]\nwitness-quorum = 2\nfence-required = true\n\
             owner = [\"nobody\"]\ncheck = \"tcp\"\ncheck-path = \"/x\"\n",
        );
        let configuration = configuration.unwrap();
        assert_eq!(configuration.decide.strikes.get(), 4);
        assert!(!configuration.dry_run);
        for part in [
            "interval is 1ms",
            "no-such-account",
            "there are only 1",
            "fence-required",
            "names no owner",
            "check-path",
        ] {
            let told = faults.iter().filter(|fault| fault.contains(part));
            assert_eq!(told.count(), 1, "{part}: {faults:#?}");
        }
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn what_has_no_rest_is_told_once() {
        for text in ["", "primary = \"10.0.0.1\"\ngateway = \"systemd\"\n"] {
            let (configuration, faults) = draft(text);
            assert_eq!(configuration, None);
            assert_eq!(faults.len(), 1, "{faults:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_is_read_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        fs::write(&path, "primary = \"10.0.0.1\"\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let draft = Draft::load(Options {
            config: Some(path),
            ..Options::default()
        });
        assert!(draft.configuration.is_some());
        let [ConfigurationError::NotTrusted(_)] = draft.faults.as_slice() else {
            panic!("{:?}", draft.faults);
        };
    }
}
