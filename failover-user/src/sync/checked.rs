//! Outcomes from a worker, which is the account's: what is in them is bounded, and fit for a line that people read.

use std::path::{Path, PathBuf};

use failover_linux::escape::Escaped;
use failover_sync::{
    generation::Manifest,
    lineage::Epoch,
    outcome::{Fit, Outcome, Refused},
};

/// Two good generations, the one in place and one that is being made: a few more.
const MOST_GENERATIONS: usize = 16;
/// Trees that were kept aside.
const MOST_KEPT: usize = 64;
/// Sentences for people.
const MOST_LINES: usize = 50;
/// What the source says of its state.
const LONGEST_TOKEN: usize = 4096;
/// A version number.
const LONGEST_VERSION: usize = 64;
/// Databases of a generation: each agent has one.
const MOST_DATABASES: usize = 1000;
const LONGEST_PATH: usize = 4096;

/// The outcome with its texts made fit to be shown.
///
/// # Errors
/// In words, where it is more than a worker says.
pub(crate) fn checked(outcome: Outcome) -> Result<Outcome, String> {
    Ok(match outcome {
        Outcome::Copied { manifest, bytes } => Outcome::Copied {
            manifest: generation(manifest)?,
            bytes,
        },
        Outcome::Unchanged { number, epoch } => Outcome::Unchanged {
            number,
            epoch: of_lineage(epoch)?,
        },
        Outcome::Store {
            generations,
            in_place,
            kept,
            refused,
            fit,
        } => Outcome::Store {
            generations: each(generations, MOST_GENERATIONS, generation)?,
            in_place,
            kept: each(kept, MOST_KEPT, path)?,
            refused: each(refused, MOST_GENERATIONS, refusal)?,
            fit: fit.map(fitting),
        },
        Outcome::Learned {
            gateway_version,
            databases,
        } => Outcome::Learned {
            gateway_version: gateway_version.map(|one| version(&one)),
            databases,
        },
        Outcome::Settled => Outcome::Settled,
        Outcome::Placed {
            manifest,
            refused,
            fit,
        } => Outcome::Placed {
            manifest: generation(manifest)?,
            refused: each(refused, MOST_GENERATIONS, refusal)?,
            fit: fitting(fit),
        },
        Outcome::NothingNewer { in_place, refused } => Outcome::NothingNewer {
            in_place,
            refused: each(refused, MOST_GENERATIONS, refusal)?,
        },
        Outcome::ParkAnew { reason } => Outcome::ParkAnew {
            reason: line(&reason),
        },
        Outcome::Verified { generations } => Outcome::Verified {
            generations: each(generations, MOST_GENERATIONS, |(number, fault)| {
                Ok((number, fault.map(|fault| line(&fault))))
            })?,
        },
        Outcome::Differences {
            primary,
            local,
            primary_turns,
            local_turns,
        } => Outcome::Differences {
            primary: lines(&primary),
            local: lines(&local),
            primary_turns,
            local_turns,
        },
        Outcome::HandedBack { at, kept } => Outcome::HandedBack {
            at,
            kept: kept.map(path).transpose()?,
        },
        Outcome::BothChanged { primary, local } => Outcome::BothChanged {
            primary: lines(&primary),
            local: lines(&local),
        },
        Outcome::Failed { step, error } => Outcome::Failed {
            step,
            error: line(&error),
        },
    })
}

fn each<T>(
    list: Vec<T>,
    most: usize,
    check: impl Fn(T) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    match list.len() > most {
        true => Err(format!(
            "listed {}, more than the {most} there can be",
            list.len()
        )),
        false => list.into_iter().map(check).collect(),
    }
}

fn generation(manifest: Manifest) -> Result<Manifest, String> {
    let is_bounded = manifest.token.len() <= LONGEST_TOKEN
        && manifest.databases.len() <= MOST_DATABASES
        && manifest.databases.keys().all(|path| is_path(path));
    if !is_bounded {
        return Err("described a generation with more than one has".to_owned());
    }
    Ok(Manifest {
        epoch: of_lineage(manifest.epoch)?,
        gateway_version: manifest.gateway_version.as_deref().map(version),
        ..manifest
    })
}

fn version(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_VERSION).collect();
    line(&short)
}

fn fitting(fit: Fit) -> Fit {
    let shown = |text: Option<String>| text.as_deref().map(version);
    match fit {
        Fit::Same => Fit::Same,
        Fit::Older { source, local } => Fit::Older {
            source: shown(source),
            local: shown(local),
        },
        Fit::Unknown { source, local } => Fit::Unknown {
            source: shown(source),
            local: shown(local),
        },
    }
}

/// What is compared and kept, and shown to nobody.
fn of_lineage(epoch: Epoch) -> Result<Epoch, String> {
    let is_id =
        |id: &String| id.len() == 2 * ID_BYTES && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_epoch = is_id(&epoch.id)
        && epoch.ancestors.len() <= Epoch::LONGEST
        && epoch.ancestors.iter().all(is_id);
    match is_epoch {
        true => Ok(epoch),
        false => Err("named an epoch that is none".to_owned()),
    }
}

/// Of an epoch, see [`Epoch::id`].
pub(super) const ID_BYTES: usize = 16;

fn is_path(path: &Path) -> bool {
    path.is_absolute() && path.as_os_str().len() <= LONGEST_PATH
}

fn path(path: PathBuf) -> Result<PathBuf, String> {
    match is_path(&path) {
        true => Ok(path),
        false => Err("named a path that is none".to_owned()),
    }
}

fn refusal(mut refused: Refused) -> Result<Refused, String> {
    refused.reason = line(&refused.reason);
    Ok(refused)
}

fn lines(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .take(MOST_LINES)
        .map(|text| line(text))
        .collect()
}

fn line(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use failover_sync::{generation::Number, outcome::FailedStep};

    use super::*;

    fn epoch(id: &str) -> Epoch {
        Epoch {
            id: id.to_owned(),
            ancestors: Vec::new(),
        }
    }

    #[test]
    fn what_no_worker_says_is_refused() {
        let unchanged = |epoch| Outcome::Unchanged {
            number: Number(1),
            epoch,
        };
        checked(unchanged(epoch(&"a".repeat(32)))).unwrap();
        for id in ["", "a", &"g".repeat(32), &"a".repeat(33)] {
            checked(unchanged(epoch(id))).unwrap_err();
        }
        let many = Epoch {
            ancestors: vec!["a".repeat(32); Epoch::LONGEST + 1],
            ..epoch(&"a".repeat(32))
        };
        checked(unchanged(many)).unwrap_err();
        let kept = |kept| Outcome::Store {
            generations: Vec::new(),
            in_place: None,
            kept,
            refused: Vec::new(),
            fit: None,
        };
        checked(kept(vec!["/home/a".into()])).unwrap();
        checked(kept(vec!["a".into()])).unwrap_err();
        checked(kept(vec!["/a".into(); MOST_KEPT + 1])).unwrap_err();
    }

    proptest! {
        #[test]
        fn no_text_of_a_worker_reaches_a_terminal_as_it_is(error in ".{0,600}", count in 0..200_usize) {
            let failed = checked(Outcome::Failed { step: FailedStep::Check, error: error.clone() });
            let Ok(Outcome::Failed { error: shown, .. }) = failed else {
                return Err(TestCaseError::fail("another outcome"));
            };
            prop_assert!(!shown.contains(char::is_control));
            let both = Outcome::BothChanged { primary: vec![error; count], local: Vec::new() };
            let Ok(Outcome::BothChanged { primary, .. }) = checked(both) else {
                return Err(TestCaseError::fail("another outcome"));
            };
            prop_assert!(primary.len() <= MOST_LINES);
        }
    }
}
