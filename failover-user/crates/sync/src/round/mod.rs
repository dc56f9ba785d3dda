//! A round: asks the other host for what has changed, fetches it into a staged generation, checks it, and makes it the
//! newest. What is there is used by nobody before it is whole: whatever goes wrong, the last good one is the newest.

mod arrived;
mod fetch;
mod measure;
mod previous;

use std::{env, path::PathBuf, time::Instant};

use jiff::Timestamp;
use serde_json::json;

use self::previous::Previous;
use crate::{
    failure::Failure,
    generation::{Manifest, Number},
    outcome::{FailedStep, Outcome},
    place,
    session::Session,
    source::{Answer, SourceState},
    spec::{Spec, StateSpec},
    store::Store,
    supported,
    transport::{Way, WayError},
};

/// Carries out a round.
pub(crate) fn run(spec: &Spec, store: &Store, deadline: Instant) -> Result<Outcome, Failure> {
    let newest = store.generations()?.pop();
    let way = way(spec, deadline)?;
    // Before the question: nothing that is committed later is surely in the answer.
    let taken = Timestamp::now();
    let token = newest.as_ref().map(|manifest| manifest.token.as_str());
    let request = request(&spec.state, spec.limits.files, token);
    let (session, answer) = Session::open(&way, &request)?;
    let answered = Timestamp::now();
    let state = match (copy_of(&way, token, answer)?, &newest) {
        (Copy::Same(state), Some(newest)) => {
            session.end(Ok(()))?;
            return Ok(Outcome::Unchanged {
                number: newest.number,
                epoch: state.epoch,
            });
        }
        (Copy::Same(_), None) => return Err(unexpected(&way)),
        (Copy::Changed(state), _) => state,
    };
    has_the_same_home(&spec.state, &state)?;
    measure::announced(&state, &spec.limits, &spec.store)?;

    let mut staging = store.stage(store.next_number()?)?;
    let previous = newest.as_ref().map(|newest| Previous {
        folder: store.folder(newest.number),
        manifest: newest,
    });
    let fetched = fetch::fetch(&session, spec, &state, &staging, previous.as_ref());
    let bytes = session.end(fetched)?;
    let databases = arrived::check(spec, &state, &staging, previous.as_ref(), deadline)?;
    let size = measure::of(staging.path()).map_err(Failure::file("reading", staging.path()))?;
    measure::within(&size, &spec.limits)?;
    // A takeover goes on with it, however many come that don't fit.
    if let Some((fits, _)) = place::choose(store, &supported::installed(spec, store)?, None)?.chosen
    {
        staging.spare(fits.number);
    }
    let manifest = staging.commit(Manifest {
        number: Number::default(),
        taken,
        changed: Some(state.changed_before(answered)),
        epoch: state.epoch,
        token: state.token,
        gateway_version: state.gateway_version,
        databases,
        files: size.files,
        bytes: size.bytes,
    })?;
    Ok(Outcome::Copied { manifest, bytes })
}

/// What the other host has done for a copy.
pub(crate) enum Copy {
    /// Nothing: the token still holds.
    Same(SourceState),
    /// There are new copies of databases.
    Changed(SourceState),
}

/// The way to the other host: this very program has the transport's verb.
pub(crate) fn way(spec: &Spec, deadline: Instant) -> Result<Way, Failure> {
    let executable = env::current_exe();
    let executable =
        executable.map_err(|error| Failure::local(format!("finding this program: {error}")))?;
    let source = spec.source.clone();
    let source = source.ok_or_else(|| Failure::local("no host to copy from is configured"))?;
    Ok(Way {
        executable,
        source,
        paths: spec.state.paths.clone(),
        deadline,
    })
}

/// Asks for copies of what differs from this token, up to this number of files.
pub(crate) fn ask_copy(
    way: &Way,
    spec: &StateSpec,
    files: u64,
    token: Option<&str>,
) -> Result<Copy, Failure> {
    let answer = way.ask("copy", request(spec, files, token))?;
    copy_of(way, token, answer)
}

fn request(spec: &StateSpec, files: u64, token: Option<&str>) -> Vec<u8> {
    let request = json!({
        "token": token,
        "exclude": spec.exclude,
        "databases": spec.databases,
        "openclaw": spec.is_openclaw,
        "files": files,
    });
    request.to_string().into_bytes()
}

fn copy_of(way: &Way, token: Option<&str>, answer: Answer) -> Result<Copy, Failure> {
    match answer {
        Answer::Same(state) if token == Some(state.token.as_str()) => Ok(Copy::Same(state)),
        Answer::Copied(state) => Ok(Copy::Changed(state)),
        Answer::Same(_)
        | Answer::Failed { .. }
        | Answer::Mark { .. }
        | Answer::Installed { .. }
        | Answer::Removed => Err(unexpected(way)),
    }
}

pub(crate) fn unexpected(way: &Way) -> Failure {
    Failure {
        step: FailedStep::Source,
        error: format!(
            "{} answers another question than was asked",
            way.source.destination
        ),
    }
}

/// OpenClaw's rows name files by their absolute paths: with another home, cron jobs are gone without a word.
pub(crate) fn has_the_same_home(spec: &StateSpec, state: &SourceState) -> Result<(), Failure> {
    let is_below = |path: &PathBuf| path.starts_with(&state.home);
    if !spec.is_openclaw || spec.paths.iter().any(is_below) {
        return Ok(());
    }
    Err(Failure {
        step: FailedStep::Source,
        error: format!(
            "the account's home there is {}, and another one here; OpenClaw's state has absolute paths, so give \
             both accounts the same home",
            state.home.display()
        ),
    })
}

impl From<WayError> for Failure {
    fn from(error: WayError) -> Self {
        let step = match &error {
            WayError::Local(_) => FailedStep::Local,
            WayError::NotReached { .. } | WayError::TooLong(_) => FailedStep::Reach,
            WayError::Refused { .. } | WayError::Answer(_) => FailedStep::Source,
        };
        Self {
            step,
            error: error.to_string(),
        }
    }
}
