//! Makes the way between the two hosts, and undoes it, as the gateway's account: keys, known hosts, and the lines of
//! `authorized_keys`. What is left to people is one line and one file on the other host. It copies nothing, and must not
//! know when anything is copied.

mod known_hosts;
mod local_keys;

use std::{
    env, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    files,
    round::{Copy, ask_copy, has_the_same_home},
    source::{Answer, LineError, Program, authorized_keys_line, drop_in},
    spec::{SourceSpec, StateSpec},
    store::Store,
    transport::{Way, program_file},
};

pub use local_keys::answer_line;

/// The limit of an order, in bytes.
const LONGEST_ORDER: u64 = 1 << 20;
/// Of all that is asked of the other host.
const WITHIN: Duration = Duration::from_secs(30);
/// What `remove` leaves in the store, unless all is to go.
const KEPT: &str = "kept";

/// What is ordered, as JSON on standard input.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Setup {
    /// What.
    pub order: SetupOrder,
    /// What is copied.
    pub state: StateSpec,
    /// Where generations and keys are.
    pub store: PathBuf,
    /// The other host.
    pub source: SourceSpec,
}

/// What to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum SetupOrder {
    /// Makes the way, as far as it can be made from here.
    Init {
        /// This host, as the other one reaches it.
        back: SourceAddress,
        /// What the other host's key runs here.
        answer: String,
    },
    /// Asks the other host as a round does, and fetches nothing.
    Test {
        /// The limit of files.
        files: u64,
    },
    /// Undoes it on both hosts.
    Remove {
        /// Also the trees that were kept aside.
        all: bool,
    },
}

/// Account and host, and the port of ssh.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SourceAddress {
    /// `alice@pc-b`.
    pub destination: String,
    /// `None`: the one that ssh has by default.
    pub port: Option<u16>,
}

/// What was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Nothing is left to do but what the text says of the other host.
    pub is_done: bool,
    /// For people.
    pub text: String,
}

/// The verb of the program: the order is on standard input.
///
/// # Errors
/// When there is no order, or it can't be carried out.
pub fn main() -> Result<Told, Failure> {
    let mut order = Vec::new();
    let read = io::stdin()
        .lock()
        .take(LONGEST_ORDER)
        .read_to_end(&mut order);
    read.map_err(Failure::local)?;
    let setup: Setup = serde_json::from_slice(&order).map_err(Failure::local)?;
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    carry_out(&setup)
}

fn carry_out(setup: &Setup) -> Result<Told, Failure> {
    match &setup.order {
        SetupOrder::Init { back, answer } => init(setup, back, answer),
        SetupOrder::Test { files } => test(setup, *files),
        SetupOrder::Remove { all } => remove(setup, *all),
    }
}

fn test(setup: &Setup, files: u64) -> Result<Told, Failure> {
    let newest = Store::open(&setup.store)?.generations()?.pop();
    let token = newest.as_ref().map(|newest| newest.token.as_str());
    let (Copy::Same(state) | Copy::Changed(state)) =
        ask_copy(&way(setup)?, &setup.state, files, token)?;
    has_the_same_home(&setup.state, &state)?;
    let version = state.gateway_version.as_deref().unwrap_or("unknown");
    Ok(Told {
        is_done: true,
        text: format!(
            "{} answers: gateway version {version}, {} files, {} bytes\n",
            setup.source.destination, state.files, state.bytes
        ),
    })
}

fn init(setup: &Setup, back: &SourceAddress, answer: &str) -> Result<Told, Failure> {
    // Made where it is missing, for this account only.
    drop(Store::open(&setup.store)?);
    let line = line(setup)?;
    let hosts = known_hosts::of(&setup.source)?;
    let destination = &setup.source.destination;
    let own = known_hosts::scan(&back.destination, back.port)?;
    let way = way(setup)?;
    let public_key = match way.text("key", own.into_bytes()) {
        Ok(key) => String::from_utf8_lossy(&key).into_owned(),
        Err(error) => {
            let text = format!(
                "The host keys of {destination}; compare them with `ssh-keygen -lf` there:\n\n{hosts}\n\
                 Add this line to ~/.ssh/authorized_keys of {destination}. The key may do one thing there: run the program \
                 that the line names, on the paths that it names.\n\n{line}\n\n\
                 Then run `failover sync init` again. Until then: {error}\n"
            );
            return Ok(Told {
                is_done: false,
                text,
            });
        }
    };
    local_keys::permit(&answer_line(answer, &public_key).map_err(Failure::local)?)?;
    let unit = drop_in(&back.destination, back.port).map_err(Failure::local)?;
    Ok(Told {
        is_done: true,
        text: format!(
            "The way to {destination} works, and its key may ask for its state here.\n\n\
             So that its gateway gets its newer state back before it starts, write this to \
             ~/.config/systemd/user/openclaw-gateway.service.d/failover-sync.conf there, and run \
             `systemctl --user daemon-reload`:\n\n{unit}"
        ),
    })
}

/// What the other host's `authorized_keys` needs; the key is made where it is missing.
fn line(setup: &Setup) -> Result<String, Failure> {
    let key = &setup.source.key;
    let public = key.with_extension("pub");
    let noted = program_file(key);
    if !key.exists() {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "failover-sync", "-f"]);
        known_hosts::output(keygen.arg(key), "ssh-keygen")?;
        // Of an earlier key.
        let _ = fs::remove_file(&noted);
    }
    let program = fs::read_to_string(&noted)
        .ok()
        .and_then(|hash| Program::with_hash(hash.trim()))
        .unwrap_or_else(Program::newest);
    fs::write(&noted, program.hash()).map_err(Failure::file("writing", &noted))?;
    let public = fs::read_to_string(&public).map_err(Failure::file("reading", &public))?;
    authorized_keys_line(program, &setup.state.paths, &public)
        .map_err(|error: LineError| Failure::local(error))
}

fn remove(setup: &Setup, all: bool) -> Result<Told, Failure> {
    let destination = &setup.source.destination;
    let answer = way(setup)?.ask("remove", Vec::new());
    let there = match &answer {
        Ok(Answer::Removed) => format!("All traces on {destination} are removed.\n"),
        Ok(_) => format!("{destination} answers another question than was asked.\n"),
        Err(error) => format!(
            "Nothing is removed on {destination}: {error}\nRemove the line that ends with `failover-sync` from \
             ~/.ssh/authorized_keys there, ~/.config/systemd/user/openclaw-gateway.service.d/failover-sync.conf, \
             ~/.local/state/failover/sync and ~/.cache/failover/sync.\n"
        ),
    };
    local_keys::forbid()?;
    let kept = remove_store(&setup.store, all)?;
    let kept = match kept {
        true => format!(
            "Kept: {}; `failover sync remove --all` removes it.\n",
            setup.store.join(KEPT).display()
        ),
        false => String::new(),
    };
    Ok(Told {
        is_done: matches!(answer, Ok(Answer::Removed)),
        text: format!(
            "{there}The key, the line in ~/.ssh/authorized_keys and the copies are removed here.\n{kept}Take `sync-from` \
             out of the configuration, and reload the daemon: systemctl reload failover\n"
        ),
    })
}

/// Is anything kept?
fn remove_store(store: &Path, all: bool) -> Result<bool, Failure> {
    let entries = match fs::read_dir(store) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Failure::file("reading", store)(error)),
    };
    let mut is_kept = false;
    for entry in entries {
        let entry = entry.map_err(Failure::file("reading", store))?;
        if entry.file_name() == KEPT && !all {
            is_kept = true;
            continue;
        }
        let path = entry.path();
        files::remove(&path).map_err(Failure::file("removing", &path))?;
    }
    if !is_kept {
        fs::remove_dir(store).map_err(Failure::file("removing", store))?;
    }
    Ok(is_kept)
}

fn way(setup: &Setup) -> Result<Way, Failure> {
    Ok(Way {
        executable: env::current_exe().map_err(Failure::local)?,
        source: setup.source.clone(),
        paths: setup.state.paths.clone(),
        deadline: Instant::now() + WITHIN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_that_were_kept_stay_unless_all_is_to_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("sync");
        fs::create_dir_all(store.join("kept/old")).unwrap();
        fs::create_dir_all(store.join("generation.1/tree")).unwrap();
        fs::write(store.join("key"), "").unwrap();
        assert!(remove_store(&store, false).unwrap());
        let left: Vec<_> = fs::read_dir(&store).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert!(store.join("kept/old").exists());
        assert!(!remove_store(&store, true).unwrap());
        assert!(!store.exists());
        assert!(!remove_store(&store, true).unwrap());
    }
}
