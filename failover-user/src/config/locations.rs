//! Where clients find a daemon: `control` and `state-dir` of its file, even if the rest of the file is invalid. A
//! rejected reload must not lock clients out.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::config::{
    error::ConfigurationError,
    file,
    operation::{DEFAULT_CONTROL, DEFAULT_STATE_DIR},
    options::DEFAULT_CONFIG,
};

/// Where a daemon of this configuration file is found.
#[derive(Debug)]
pub struct Locations {
    /// Its control socket.
    pub control: PathBuf,
    /// Its state directory.
    pub state_dir: PathBuf,
    /// The package's file is there and can't be read: these are the defaults, and may be wrong.
    pub unread: Option<ConfigurationError>,
}

impl Locations {
    /// From this file or, if none is named, from the default one, if it exists.
    ///
    /// # Errors
    /// When the file that is named can't be read.
    pub fn of(named: Option<&Path>) -> Result<Self, ConfigurationError> {
        let path = named.unwrap_or(Path::new(DEFAULT_CONFIG));
        let (text, unread) = match file::text(path) {
            Ok(text) => (text, None),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Default::default()
            }
            Err(source) => {
                let path = path.to_owned();
                let error = ConfigurationError::Read { path, source };
                match named {
                    Some(_) => return Err(error),
                    None => (String::new(), Some(error)),
                }
            }
        };
        let [control, state_dir] = file::texts(&text, ["control", "state-dir"]);
        let or = |said: Option<String>, default: &str| said.unwrap_or(default.to_owned()).into();
        Ok(Self {
            control: or(control, DEFAULT_CONTROL),
            state_dir: or(state_dir, DEFAULT_STATE_DIR),
            unread,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_where_the_daemon_is_and_one_that_cannot_be_read_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        assert!(Locations::of(Some(&path)).is_err());
        std::fs::write(&path, "control = \"/run/other.sock\"\nbogus = = 1\n").unwrap();
        let locations = Locations::of(Some(&path)).unwrap();
        assert_eq!(locations.control, Path::new("/run/other.sock"));
        assert_eq!(locations.state_dir, Path::new(DEFAULT_STATE_DIR));
        assert!(locations.unread.is_none());
    }
}
