//! Interrupted at any step, with no room, or too slow: the tree is the old one or the new one.

use std::{fs, time::Duration};

use crate::tests::lab::{DATABASE, Lab, database, files};
use crate::{
    outcome::{FailedStep, Outcome},
    store::below,
};

/// A tree with entries of every kind: changed, gone, new, a database, and of this machine.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write(&[
        ("openclaw.json", "own"),
        ("gone/file", "own"),
        ("workspace/tmp/scratch", "s"),
        ("cache/program", "p"),
    ]);
    database(&lab.root.join(DATABASE), "own");
    lab.generation(
        1,
        &[("openclaw.json", "one"), ("workspace/new", "n")],
        "one",
    );
    lab
}

/// Until all is noted, and nothing is renamed.
fn begin_renaming(lab: &Lab) {
    let mut step = 0;
    while lab.store().placement().unwrap().swap.is_none() {
        assert!(lab.place_until(step).is_some());
        step += 1;
    }
}

#[test]
fn killed_between_any_two_steps_it_is_finished_by_the_next_call() {
    let own = lab().tree();
    let new = files([
        ("openclaw.json", "one"),
        ("workspace/new", "n"),
        ("workspace/tmp/scratch", "s"),
        ("cache/program", "p"),
        (DATABASE, "one"),
    ]);
    let mut step = 0;
    loop {
        let lab = lab();
        if lab.place_until(step).is_none() {
            break;
        }
        let is_renaming = lab.store().placement().unwrap().swap.is_some();
        if !is_renaming {
            let tree = lab.tree();
            assert!(tree == own || tree == new, "step {step}: {tree:?}");
        }
        // Killed once more, at every step of the recovery.
        let mut further = 0;
        while lab.place_until(further).is_some() {
            further += 1;
            assert!(further < 100);
        }
        assert_eq!(lab.tree(), new, "step {step}");
        assert_eq!(lab.in_place(), Some(1), "step {step}");
        let kept = lab.kept();
        assert_eq!(kept.len(), 1, "step {step}: {kept:?}");
        let kept = crate::tests::lab::tree(&below(&kept[0].1, &lab.root).unwrap());
        let expected = [
            ("openclaw.json", "own"),
            ("gone/file", "own"),
            (DATABASE, "own"),
        ];
        assert_eq!(kept, files(expected), "step {step}");
        step += 1;
    }
    // Files, renames and notes.
    assert!(step > 15, "{step}");
}

#[test]
fn what_was_made_in_between_is_kept() {
    let lab = lab();
    begin_renaming(&lab);
    // One more step each time, until this old one is gone.
    while lab.root.join("openclaw.json").exists() {
        assert!(lab.place_until(1).is_some());
    }
    lab.write(&[(
        "openclaw.json",
        "made by a gateway that was started by hand",
    )]);
    assert!(matches!(lab.place(false), Outcome::NothingNewer { .. }));
    assert_eq!(lab.tree()["openclaw.json"], "one");
    let kept = crate::tests::lab::tree(&lab.kept()[0].1);
    let made = kept
        .iter()
        .find(|(name, _)| name.starts_with("made-since/openclaw.json"));
    assert_eq!(
        made.unwrap().1,
        "made by a gateway that was started by hand"
    );
}

#[test]
fn an_entry_that_cannot_be_moved_takes_everything_back() {
    let lab = lab();
    let own = lab.tree();
    begin_renaming(&lab);
    // What waits is gone: nobody can put it in place.
    let store = lab.store();
    let swap = store.placement().unwrap().swap.unwrap();
    drop(store);
    let staged = swap
        .units
        .iter()
        .find_map(|unit| match unit.target.ends_with("workspace") {
            true => unit.staged.clone(),
            false => None,
        });
    fs::remove_dir_all(staged.unwrap()).unwrap();
    let outcome = lab.place(false);
    assert!(
        matches!(
            &outcome,
            Outcome::Failed {
                step: FailedStep::Local,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(lab.tree(), own);
    assert_eq!(lab.in_place(), None);
    assert_eq!(lab.kept(), []);
    // And the next one begins again.
    let outcome = lab.place(false);
    assert!(matches!(outcome, Outcome::Placed { .. }), "{outcome:?}");
    assert_eq!(lab.tree()["openclaw.json"], "one");
}

#[test]
fn one_that_takes_too_long_leaves_what_there_was() {
    let mut lab = lab();
    let own = lab.tree();
    lab.spec.limits.within = Duration::ZERO;
    let outcome = lab.place(false);
    assert!(
        matches!(&outcome, Outcome::Failed { error, .. } if error.contains("limit")),
        "{outcome:?}"
    );
    assert_eq!(lab.tree(), own);
    assert!(!lab.spec.store.join("placing").exists());
}
