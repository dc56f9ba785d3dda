//! Every behaviour that the table in docs/behaviour.md names is held by a test, which is there.

use std::{collections::BTreeSet, fs, path::Path};

use super::reading::root;

/// Fewer rows than this, and the table was read wrongly.
const LEAST: usize = 30;

#[test]
fn every_behaviour_names_a_test_that_is_there() {
    let tests = tests_below(root());
    let text = fs::read_to_string(root().join("docs/behaviour.md")).expect("the table");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .filter(|row: &Vec<&str>| row.first() != Some(&"behaviour"))
        .collect();
    assert!(rows.len() >= LEAST, "{}", rows.len());
    for row in rows {
        let [behaviour, source, follows, test] = row[..] else {
            panic!("not four columns: {row:?}");
        };
        assert!(!source.is_empty() && !follows.is_empty(), "{behaviour}");
        let name = test.trim_matches('`');
        assert!(tests.contains(name), "{behaviour}: there is no test {name}");
    }
}

/// The names of all tests of the project.
fn tests_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![folder.join("tests"), folder.join("failover-user")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(tests_in(&fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    names
}

/// Functions right after `#[test]` or `#[tokio::test]`, further attributes between.
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && !line.starts_with('#') {
            let signature = line.strip_prefix("async ").unwrap_or(line);
            let name = signature
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            names.extend(name.map(str::to_owned));
            is_test = false;
        }
    }
    names
}
