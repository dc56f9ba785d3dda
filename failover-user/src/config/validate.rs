//! As much of a configuration as is valid, with everything that is wrong with the rest, so that all faults are
//! reported at once.

use crate::config::{
    Configuration,
    error::{ConfigurationError, Fault, Faults, Place},
    file::{self, Author, Written},
    gateway::GatewayError,
    option::OptionSet as _,
    options::Options,
    sync::SyncError,
};

/// More faults than anybody reads; each is an option, so there is an end to them anyway.
const MOST_FAULTS: usize = 50;

/// A configuration that may not be one.
#[derive(Debug)]
pub struct Validation {
    /// What is in force without the faulty options; `None` where nothing can be without them. Its
    /// commands' programs aren't looked up.
    pub configuration: Option<Configuration>,
    /// What is wrong, in the order in which it was found.
    pub faults: Vec<Fault>,
    /// The file's options and their lines.
    pub(super) written: Written,
}

impl Validation {
    /// Flags win over the file, the file over the defaults. It continues after each fault.
    #[must_use]
    pub fn load(flags: Options) -> Self {
        Self::of(flags, Author::Trusted)
    }

    /// The same, and who wrote the file.
    pub(super) fn of(flags: Options, author: Author) -> Self {
        let (written, faults) = match &flags.config {
            Some(path) => file::read(path, author),
            None => (Some(Written::default()), Vec::new()),
        };
        match written {
            Some(written) => Self::merged(flags, written, faults),
            None => Self {
                configuration: None,
                faults,
                written: Written::default(),
            },
        }
    }

    fn merged(flags: Options, mut written: Written, mut faults: Vec<Fault>) -> Self {
        // What flags say, the file's line doesn't.
        written.lines.retain(|option, _| !flags.is_set(option));
        let mut configuration = None;
        let mut left = Some(flags.or(written.options.clone()));
        while let Some(options) = left.take().filter(|_| faults.len() < MOST_FAULTS) {
            match Configuration::check(options.clone()) {
                Ok(checked) => configuration = Some(checked),
                Err(error) => {
                    left = without(options, &error);
                    faults.push(placed(error, &written));
                }
            }
        }
        Self {
            configuration,
            faults,
            written,
        }
    }

    /// The configuration, if nothing is wrong with it, nor with the programs of its commands.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn finished(self) -> Result<Configuration, Faults> {
        let Self {
            configuration,
            mut faults,
            written,
        } = self;
        match configuration.map(Configuration::resolved) {
            Some(Ok(configuration)) if faults.is_empty() => return Ok(configuration),
            Some(Err(more)) => {
                faults.extend(more.into_iter().map(|error| placed(error.into(), &written)));
            }
            Some(Ok(_)) | None => {}
        }
        Err(Faults(faults))
    }
}

/// With its line.
fn placed(error: ConfigurationError, written: &Written) -> Fault {
    let line = error.option().and_then(|option| written.lines.get(option));
    let place = line.map(|line| Place {
        path: written.path.clone(),
        line: *line,
    });
    Fault { place, error }
}

/// What to leave out so that the rest may be in force.
enum Faulty {
    /// This option.
    Option(&'static str),
    /// All options of its set: without this one, the others mean something else.
    Set(&'static str),
    /// There is no rest.
    All,
}

impl From<&ConfigurationError> for Faulty {
    fn from(error: &ConfigurationError) -> Self {
        match error {
            ConfigurationError::Option(error) => Self::Option(error.option()),
            ConfigurationError::Takeover(error) => Self::Option(error.option()),
            ConfigurationError::Operation(error) => Self::Option(error.option()),
            // Without its paths, nothing is left to copy.
            ConfigurationError::Sync(SyncError::NoPaths) => Self::Option("sync-from"),
            ConfigurationError::Sync(error) => Self::Option(error.option()),
            ConfigurationError::Standby(_) => Self::Option("drill-every"),
            ConfigurationError::FlapDamping(_) => Self::Option("flap-successes"),
            ConfigurationError::Check(error) => Self::Set(error.option()),
            ConfigurationError::Witnesses(error) => Self::Set(error.option()),
            ConfigurationError::Fence(error) => Self::Set(error.option()),
            ConfigurationError::Webhook(error) => Self::Set(error.option()),
            // The set of a single option.
            ConfigurationError::Command(error) => Self::Set(error.option),
            ConfigurationError::Gateway(error) => match error {
                GatewayError::NoCommand(_) | GatewayError::NoUnit | GatewayError::Command(_) => {
                    Self::All
                }
                GatewayError::UselessUnit
                | GatewayError::UselessUser
                | GatewayError::Unit(_)
                | GatewayError::Owner(_)
                | GatewayError::NoOwner
                | GatewayError::Account(_)
                | GatewayError::User(_) => Self::Option(error.option()),
            },
            ConfigurationError::Read { .. }
            | ConfigurationError::NotTrusted(_)
            | ConfigurationError::TooLong { .. }
            | ConfigurationError::Written(_)
            | ConfigurationError::OwnGateway { .. }
            | ConfigurationError::LogFilter { .. }
            | ConfigurationError::NoPrimary => Self::All,
        }
    }
}

/// `None` where nothing of that was written: then leaving it out is no help.
fn without(mut options: Options, error: &ConfigurationError) -> Option<Options> {
    let was_set = match Faulty::from(error) {
        Faulty::Option(name) => options.unset(name),
        Faulty::Set(name) => options.unset_all_beside(name),
        Faulty::All => false,
    };
    was_set.then_some(options)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    fn options(text: &str) -> Options {
        text.parse().unwrap()
    }

    fn validation(text: &str) -> (Option<Configuration>, Vec<String>) {
        let (options, lines) = file::parse(text).unwrap();
        let path = "failover.toml".into();
        let written = Written {
            path,
            options,
            lines,
        };
        let validation = Validation::merged(Options::default(), written, Vec::new());
        let faults = validation.faults.iter().map(ToString::to_string).collect();
        (validation.configuration, faults)
    }

    #[test]
    fn all_faults_are_reported_and_the_rest_is_in_force() {
        let (configuration, faults) = validation(
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
            "is not an owner",
            "check-path",
        ] {
            let shown = faults.iter().filter(|fault| fault.contains(part));
            assert_eq!(shown.count(), 1, "{part}: {faults:#?}");
        }
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn what_the_file_says_is_reported_with_its_line_and_what_flags_say_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        let text = "primary = \"10.0.0.1\"\n\ninterval = \"0s\"\nstart = \"no-such-program\"\n\
                    notify = \"no-such-mailer\"\ntimeout = \"1h\"\nstate-dir = \"here\"\n";
        fs::write(&path, text).unwrap();
        let flags = Options {
            config: Some(path.clone()),
            ..options("timeout = \"2h\"\nstop = \"true\"")
        };
        let shown = Validation::load(flags).finished().unwrap_err().to_string();
        let path = path.display();
        for beginning in [
            format!("{path}:3: interval is 0s;"),
            format!("{path}:4: start: there is no program `no-such-program`"),
            format!("{path}:5: notify: there is no program"),
            format!("{path}:7: state-dir is here, a relative path"),
            "timeout is 2h; ".to_owned(),
        ] {
            let lines = shown.lines().filter(|line| line.starts_with(&beginning));
            assert_eq!(lines.count(), 1, "{beginning}: {shown}");
        }
        assert_eq!(shown.lines().count(), 5, "{shown}");
    }

    /// What is offered is pasted there, and means what the shell would have made of it.
    #[test]
    fn a_command_for_a_shell_is_refused_with_what_to_write_where_it_stands() {
        let line = r#"say "$HOME" | tee 'a b'"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        let offered = |flags: Options| {
            let faults = Validation::load(flags).finished().unwrap_err();
            assert!(!faults.to_string().contains("tee"), "{faults}");
            let mut parts = faults.0.iter().map(Fault::parts);
            let (what, offer) = parts.find(|(what, _)| what.contains("fence: ")).unwrap();
            assert!(what.contains("has `$HOME`"), "{what}");
            let offer = offer.unwrap();
            let offer = offer.strip_prefix("write `").unwrap();
            offer.split_once("`, or").unwrap().0.to_owned()
        };
        let by_shell = |fence: Option<&String>| {
            let words = shell_words::split(fence.unwrap()).unwrap();
            assert_eq!(words, ["sh", "-c", line]);
        };
        let text = format!("primary = \"10.0.0.1\"\nfence = '''{line}'''\n");
        fs::write(&path, text).unwrap();
        let of_file = Options {
            config: Some(path),
            ..Options::default()
        };
        by_shell(options(&offered(of_file)).fence.fence.as_ref());
        let mut of_flag = options("primary = \"10.0.0.1\"");
        of_flag.fence.fence = Some(line.to_owned());
        let words = shell_words::split(&offered(of_flag)).unwrap();
        assert_eq!(words[0], "--fence");
        by_shell(words.get(1));
    }

    #[test]
    fn a_place_for_files_that_is_none_is_refused() {
        for (text, part) in [
            (
                "state-dir = \"/etc/passwd\"",
                "state-dir is /etc/passwd, which is not a directory",
            ),
            ("control = \"x.sock\"", "control is x.sock, a relative path"),
            ("control = \"/\"", "control is /, which is a directory"),
            (
                "webhook-ca = \"ca.pem\"",
                "webhook-ca is ca.pem, a relative path",
            ),
        ] {
            let (_, faults) = validation(&format!("primary = \"10.0.0.1\"\n{text}\n"));
            assert!(faults[0].contains(part), "{faults:?}");
        }
    }

    #[test]
    fn what_has_no_rest_is_reported_once() {
        for text in ["", "primary = \"10.0.0.1\"\ngateway = \"systemd\"\n"] {
            let (configuration, faults) = validation(text);
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
        let validation = Validation::load(Options {
            config: Some(path),
            ..Options::default()
        });
        assert!(validation.configuration.is_some());
        let [
            Fault {
                error: ConfigurationError::NotTrusted(_),
                ..
            },
        ] = validation.faults.as_slice()
        else {
            panic!("{:?}", validation.faults);
        };
    }
}
