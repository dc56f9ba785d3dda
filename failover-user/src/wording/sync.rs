//! Copies of PC-A's sessions and configuration: rounds, takeovers and what differs.

use std::time::Duration;

use failover_sync::{
    generation::{Manifest, Number},
    outcome::{FailedStep, Fit, Outcome},
};

use crate::{
    named::Value,
    observe::occurrence::Lacks,
    sync::{lineage::Side, operator::SyncRefusal, order::Task},
    wording::{age, standby::memory},
};

/// What of a task failed.
pub(crate) fn failed(step: FailedStep, error: &str) -> String {
    let what = match step {
        FailedStep::Reach => "PC-A is not reached",
        FailedStep::Source => "PC-A refuses or fails",
        FailedStep::Transfer => "the copy did not arrive whole",
        FailedStep::Limit => "PC-A's state is larger than a limit",
        FailedStep::Check => "what arrived is broken",
        FailedStep::Local => "PC-B itself fails",
    };
    format!("{what}: {error}")
}

/// What came of a task.
pub(crate) fn ended(task: Task, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Copied { manifest, bytes } => {
            format!("copied {}, {} received", generation(manifest), size(*bytes))
        }
        Outcome::Unchanged { number, .. } => format!("copy {number} is still what PC-A has"),
        Outcome::Store { generations, .. } => match generations.last() {
            Some(newest) => format!("the newest is {}", generation(newest)),
            None => "there is no copy yet".to_owned(),
        },
        Outcome::Placed {
            manifest,
            refused,
            fit,
        } => format!(
            "{} is in place{}{}",
            generation(manifest),
            self::fit(fit)
                .map(|fit| format!("; {fit}"))
                .unwrap_or_default(),
            refusals(refused.len())
        ),
        Outcome::Learned { databases, .. } => {
            format!("noted what the local gateway writes to its {databases} databases")
        }
        Outcome::Settled => "nothing is undecided any longer".to_owned(),
        Outcome::NothingNewer { in_place, refused } => {
            let there = match in_place {
                Some(number) => format!("copy {number} stays in place"),
                None => "PC-B's own state stays in place".to_owned(),
            };
            format!("{there}: there is no newer one{}", refusals(refused.len()))
        }
        Outcome::ParkAnew { reason } => {
            format!("the parked gateway cannot take it, and is parked again: {reason}")
        }
        Outcome::Verified { generations } => verified(generations),
        Outcome::Differences { primary, local, .. } | Outcome::BothChanged { primary, local } => {
            format!("{}; {}", only(Side::PcA, primary), only(Side::PcB, local))
        }
        Outcome::HandedBack { .. } => "PC-A has what changed on PC-B".to_owned(),
        Outcome::Failed { step, error } => {
            format!("{} failed: {}", self::task(task), failed(*step, error))
        }
    }
}

/// As the beginning of a sentence.
pub(crate) const fn task(task: Task) -> &'static str {
    match task {
        Task::Round => "a round",
        Task::Look => "looking at the copies",
        Task::Place => "putting a copy in place",
        Task::Feed => "updating the parked gateway",
        Task::Learn => "noting what the local gateway writes",
        Task::Settle => "giving up what was undecided",
        Task::Verify => "checking the copies",
        Task::Differences => "comparing both sides",
        Task::HandBack => "handing the state back",
    }
}

/// How a copy fits the local gateway, where there is something to say.
pub(crate) fn fit(fit: &Fit) -> Option<String> {
    let versions = |source: &Option<String>, local: &Option<String>| {
        let name = |version: &Option<String>| version.clone().unwrap_or("unknown".to_owned());
        format!("PC-A's gateway is {}, PC-B's {}", name(source), name(local))
    };
    match fit {
        Fit::Same => None,
        Fit::Older { source, local } => Some(format!(
            "{}: PC-B's brings the databases to its own schema when it starts",
            versions(source, local)
        )),
        Fit::Unknown { source, local } => Some(format!(
            "{}: whether PC-B's can read the copy is known after its next start",
            versions(source, local)
        )),
    }
}

/// What a takeover begins with while newer copies don't fit.
pub(crate) fn still_works(with: Option<Number>, old: Option<Duration>) -> String {
    let with = match (with, old) {
        (Some(number), Some(old)) => format!("copy {number}, {} old", age(old.as_secs())),
        (Some(number), None) => format!("copy {number}"),
        (None, _) => "PC-B's own state".to_owned(),
    };
    format!("rounds go on; a takeover begins with {with}; what PC-B changes then is handed back")
}

fn refusals(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", and a newer one does not fit".to_owned(),
        count => format!(", and {count} newer ones do not fit"),
    }
}

/// Each copy, and what is wrong with it.
fn verified(generations: &[(Number, Option<String>)]) -> String {
    let one = |(number, fault): &(Number, Option<String>)| match fault {
        Some(fault) => format!("copy {number}: {fault}"),
        None => format!("copy {number}: whole"),
    };
    match generations {
        [] => "there is no copy yet".to_owned(),
        generations => generations.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

/// What only one side has.
pub(crate) fn only(side: Side, what: &[String]) -> String {
    let host = host(side);
    match what {
        [] => format!("only on {host}: nothing"),
        what => format!("only on {host}: {}", what.join(", ")),
    }
}

/// A side, for people.
pub(crate) const fn host(side: Side) -> &'static str {
    match side {
        Side::PcA => "PC-A",
        Side::PcB => "PC-B",
    }
}

/// A copy, for people.
pub(crate) fn generation(manifest: &Manifest) -> String {
    format!(
        "copy {} ({}, {} files)",
        manifest.number,
        size(manifest.bytes),
        manifest.files
    )
}

/// Bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{} kB", bytes / 1000),
        _ => memory(bytes),
    }
}

/// With what the local gateway begins to serve.
pub(crate) fn serves(with: Option<Number>, old: Option<Duration>) -> String {
    match (with, old) {
        (Some(number), Some(old)) => format!(
            "the local gateway serves with copy {number} of PC-A's state, {} old",
            age(old.as_secs())
        ),
        (Some(number), None) => {
            format!("the local gateway serves with copy {number} of PC-A's state")
        }
        (None, _) => {
            "the local gateway serves with PC-B's own state: no copy of PC-A's is in place"
                .to_owned()
        }
    }
}

/// That it serves without a copy that there is.
pub(crate) fn lacks(Lacks { newest, why }: &Lacks) -> String {
    format!("what is new in copy {newest} of PC-A's state is not in it: {why}")
}

/// That the newest copy is old, and why.
pub(crate) fn stale(old: Option<Duration>, why: &str) -> String {
    match old {
        Some(old) => format!(
            "the newest copy of PC-A's state is {} old; the last round failed: {why}",
            age(old.as_secs())
        ),
        None => format!("there is no copy of PC-A's state; the last round failed: {why}"),
    }
}

/// What to do where both sides have changed.
pub(crate) const CHOOSE: &str = "PC-A and PC-B both have changes that the other lacks; nothing is overwritten until `failover sync choose pc-a` or \
     `pc-b`, and the other side's state is kept aside";

/// What runs, perhaps of another version.
pub(crate) fn runs(task: &Value<Task>) -> &str {
    match task {
        Value::Known(task) => self::task(*task),
        Value::Unknown(name) => name,
    }
}

/// What follows from a choice.
pub(crate) const fn chosen_means(side: Side) -> &'static str {
    match side {
        Side::PcA => {
            "PC-A's state stays; what only PC-B has is kept aside when a copy is next put in place"
        }
        Side::PcB => {
            "PC-B's state stays; PC-A gets it before its gateway starts the next time, and keeps its own aside"
        }
    }
}

/// Why an order about copies isn't carried out.
pub(crate) fn refused(refusal: SyncRefusal) -> String {
    match refusal {
        SyncRefusal::Off => {
            "nothing is copied from PC-A; set `sync-from` in the daemon's configuration".to_owned()
        }
        SyncRefusal::NotQuiet => {
            "no round can be made now: PC-A does not serve, or the local gateway is being started or stopped".to_owned()
        }
        SyncRefusal::Serves => {
            "the local gateway runs or is parked, and would go on with what it has read; stop it first: `failover release`, or `standby = \"cold\"`".to_owned()
        }
        SyncRefusal::NoSuchCopy => "there is no such copy; `failover sync status` shows them".to_owned(),
        SyncRefusal::NotSplit => {
            "there is nothing to choose: PC-A and PC-B have not both changed".to_owned()
        }
        SyncRefusal::Busy => "too many orders wait already; try again in a moment".to_owned(),
    }
}

/// There is nothing to hand back.
pub(crate) const NOTHING_SERVED: &str =
    "PC-B has served with nothing that PC-A lacks; PC-A starts with its own state";
/// The state can't be handed back.
pub(crate) const NOT_STILL: &str =
    "the local gateway is being started again; PC-A starts with its own state";

/// Whose state stays.
pub(crate) fn chosen(side: Side, by: Option<&str>) -> String {
    let host = host(side);
    match by {
        Some(by) => format!("{by} has chosen the state of {host}"),
        None => format!("the state of {host} stays: the other side has nothing of its own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::known;

    #[test]
    fn a_takeover_says_with_which_copy_it_begins_and_how_old_that_is() {
        let serves = |with: Option<u64>| serves(with.map(Number), Some(Duration::from_secs(40)));
        assert_eq!(
            serves(Some(7)),
            "the local gateway serves with copy 7 of PC-A's state, 40 s old"
        );
        assert!(serves(None).contains("PC-B's own state"));
    }

    #[test]
    fn a_takeover_without_the_newest_copy_says_why() {
        let lacks = lacks(&Lacks {
            newest: Number(8),
            why: "its schema is newer".to_owned(),
        });
        assert_eq!(
            lacks,
            "what is new in copy 8 of PC-A's state is not in it: its schema is newer"
        );
    }

    #[test]
    fn while_versions_differ_what_still_works_is_said() {
        let old = Some(Duration::from_secs(3 * 86_400));
        let text = still_works(Some(Number(6)), old);
        assert!(text.contains("a takeover begins with copy 6, 3 "), "{text}");
        assert!(still_works(None, None).contains("PC-B's own state"));
    }

    #[test]
    fn a_copy_that_does_not_fit_is_said() {
        let placed = Outcome::Placed {
            manifest: known::generation(3, "a"),
            refused: vec![failover_sync::outcome::Refused {
                number: Number(4),
                reason: "newer".to_owned(),
            }],
            fit: Fit::Same,
        };
        assert_eq!(
            ended(Task::Place, &placed),
            "copy 3 (21 MB, 12 files) is in place, and a newer one does not fit"
        );
    }

    #[test]
    fn each_copy_that_was_checked_has_its_result() {
        let verified = Outcome::Verified {
            generations: vec![(Number(1), None), (Number(2), Some("torn".to_owned()))],
        };
        assert_eq!(
            ended(Task::Verify, &verified),
            "copy 1: whole; copy 2: torn"
        );
    }
}
