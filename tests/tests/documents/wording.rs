//! The wording of everything that people read: plain English, and the field's terms. A list of words and
//! phrases that are not used, with what to write instead.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory as _};
use failover::cli::Cli;

use crate::{
    reading::{documents, root},
    rust_source,
};

/// Not used anywhere, and what to write instead.
const WORDS: [(&str, &str); 50] = [
    ("told", "reported, logged, shown, notified"),
    ("eyes", "credentials"),
    ("weather", "faults"),
    ("lingering", "terminating; only loginctl has lingering"),
    ("stranger", "foreign listener, another program"),
    ("strangers", "foreign listeners, other programs"),
    ("let go", "release"),
    ("lets go", "releases"),
    ("letting go", "release"),
    ("whom", "rephrase: name the account, the host, the operator"),
    ("so many", "limit for, number of"),
    ("so much", "limit for"),
    ("for so long", "for this time"),
    ("lest", "so that ... not"),
    ("thereof", "of it"),
    ("therein", "in it"),
    ("who is on the way", "not encrypted"),
    ("reads along", "traffic is not encrypted"),
    ("witnesses' word", "the witnesses' answers, the quorum"),
    ("last word", "last report"),
    ("is looked at", "is checked, is polled"),
    ("are looked at", "are checked"),
    ("was looked at", "was checked"),
    ("looks at the port", "polls the port"),
    ("looked at every second", "polled every second"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("anew", "again"),
    ("for who", "for, if"),
    ("whoever", "everyone who, any account that"),
    ("made sure of", "fenced"),
    ("is to be", "must be, will be"),
    ("isn't to be", "must not be"),
    ("such as there are", "if any"),
    ("what is so", "meaning"),
    ("goes on", "continues, is ongoing"),
    ("went on", "continued"),
    ("hung up", "closed the connection"),
    ("as good as", "equivalent to, or drop it"),
    ("no matter", "ignored"),
    ("protects nobody", "takeover not possible"),
    ("nobody to be asked", "daemon not running"),
    ("again and again", "repeatedly"),
    ("a word on", "a summary of"),
    ("what ran", "the old settings"),
    // The archaic conjunction.
    ("for it is", "because it is"),
    ("for only", "because only"),
    ("for nobody", "because nobody"),
    ("for there is", "because there is"),
    ("for then", "because then"),
];

/// Not used in documents, help and what the package contains: a program or a file is no person.
const PERSONS: [(&str, &str); 9] = [
    ("says", "shows, reports, logs"),
    ("said", "reported, its output"),
    ("speaks", "uses"),
    ("is told", "is notified"),
    ("tells", "shows, reports"),
    ("is asked", "is probed, is checked"),
    ("are asked", "are probed, are checked"),
    ("knows of", "has"),
    ("wants to know", "drop it"),
];

/// The places that legitimately have one of these words.
const EXCEPTIONS: [(&str, &str); 6] = [
    // loginctl(1) calls it so, and it is the name of a check.
    ("failover-user/src/preflight/gateway.rs", "lingering"),
    ("tests/tests/preflight.rs", "lingering"),
    // A key of the status document, a key of the history, a label of a metric.
    ("tests/tests/notify.rs", "told"),
    ("failover-user/src/status/document.rs", "told"),
    ("failover-user/src/history/mod.rs", "told"),
    ("failover-user/src/web/metrics/mod.rs", "told"),
];

/// What is still to be reworded: the longest prefix of a place counts. No number here may grow; a part that
/// has none left gets a line with 0.
const ALLOWED: [(&str, usize); 25] = [
    ("ARCHITECTURE.md", 0),
    ("docs/operating.md", 2),
    ("failover-user/", 0),
    ("failover-user/crates/linux/", 0),
    ("failover-user/src/log/", 0),
    ("failover-user/src/state_dir/", 0),
    ("failover-user/src/witness/", 0),
    ("failover-user/dist/", 0),
    ("failover-user/src/cli.rs", 0),
    ("failover-user/src/config/", 0),
    ("failover-user/src/control/", 0),
    ("failover-user/src/gateway/", 0),
    ("failover-user/src/history/", 0),
    ("failover-user/src/main.rs", 0),
    ("failover-user/src/notify/", 0),
    ("failover-user/src/preflight/", 0),
    ("failover-user/src/primary/", 0),
    ("failover-user/src/runtime/", 0),
    ("failover-user/src/simulate/", 0),
    ("failover-user/src/status/", 0),
    ("failover-user/src/trace/", 0),
    ("failover-user/src/web/", 0),
    ("failover-user/src/wording/", 0),
    ("tests/src/", 0),
    ("tests/tests/", 0),
];

struct Found {
    place: String,
    line: usize,
    phrase: &'static str,
    instead: &'static str,
}

#[test]
fn nothing_that_people_read_has_a_word_of_the_list() {
    let mut found = Vec::new();
    for (place, text) in prose() {
        for (number, line) in paragraphs(&text) {
            search(&place, number, &line, &WORDS, &mut found);
            search(&place, number, &line, &PERSONS, &mut found);
        }
    }
    for path in sources() {
        let source = fs::read_to_string(root().join(&path)).expect("reading a source");
        for text in rust_source::texts(&source) {
            let text_without_code = without_code(&text.text);
            search(&path, text.line, &text_without_code, &WORDS, &mut found);
        }
    }
    let mut places: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for one in &found {
        let prefixes = ALLOWED.iter().map(|(prefix, _)| *prefix);
        let matching = prefixes.filter(|prefix| one.place.starts_with(prefix));
        let place = matching.max_by_key(|prefix| prefix.len());
        places
            .entry(place.unwrap_or(&one.place))
            .or_default()
            .push(one);
    }
    let mut faults = String::new();
    for (place, found) in places {
        let allowed = ALLOWED.iter().find(|(prefix, _)| *prefix == place);
        let allowed = allowed.map_or(0, |(_, count)| *count);
        if found.len() < allowed {
            eprintln!("{place}: {} of {allowed} are left", found.len());
        }
        if found.len() <= allowed {
            continue;
        }
        faults.push_str(&format!("{place}: {}, allowed: {allowed}\n", found.len()));
        for Found {
            place,
            line,
            phrase,
            instead,
        } in found
        {
            faults.push_str(&format!("  {place}:{line}: `{phrase}`; write: {instead}\n"));
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// Looks for each phrase, as whole words.
fn search(
    place: &str,
    line: usize,
    text: &str,
    phrases: &[(&'static str, &'static str)],
    found: &mut Vec<Found>,
) {
    let text = text.to_lowercase();
    for &(phrase, instead) in phrases {
        let is_exception = |(file, word): &(&str, &str)| *file == place && *word == phrase;
        if EXCEPTIONS.iter().any(is_exception) {
            continue;
        }
        let is_inside =
            |one: Option<char>| one.is_some_and(|one| one.is_alphanumeric() || one == '_');
        for (at, _) in text.match_indices(phrase) {
            let before = text[..at].chars().next_back();
            let after = text[at + phrase.len()..].chars().next();
            if !is_inside(before) && !is_inside(after) {
                found.push(Found {
                    place: place.to_owned(),
                    line,
                    phrase,
                    instead,
                });
            }
        }
    }
}

/// Lines that belong together as one text, so that a phrase is found across a line break; code is left out.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut is_new = true;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start_matches(['#', ' ', '/', '!']).trim();
        match paragraphs.last_mut() {
            Some((_, paragraph)) if !is_new && !line.is_empty() => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            _ => paragraphs.push((number + 1, line.to_owned())),
        }
        is_new = line.is_empty();
    }
    paragraphs
        .into_iter()
        .map(|(line, text)| (line, without_code(&text)))
        .collect()
}

/// Without what is between backticks.
fn without_code(text: &str) -> String {
    let prose: Vec<&str> = text.split('`').step_by(2).collect();
    prose.join("`")
}

/// Documents, what the package contains, and the help of every command.
fn prose() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = documents();
    files.push(root().join("findings/README.md"));
    files.push(root().join("failover-user/Cargo.toml"));
    files.extend(files_in(&root().join("failover-user/dist"), |_| true));
    let mut prose: Vec<(String, String)> = files
        .iter()
        .map(|file| {
            (
                relative(file),
                fs::read_to_string(file).expect("reading a text"),
            )
        })
        .collect();
    help(&mut Cli::command(), &mut prose);
    assert!(prose.len() > 40, "{}", prose.len());
    prose
}

fn help(command: &mut Command, prose: &mut Vec<(String, String)>) {
    let text = command.render_long_help().to_string();
    prose.push((format!("--help of {}", command.get_name()), text));
    for command in command.get_subcommands_mut() {
        help(command, prose);
    }
}

/// All Rust sources but this one, which has the words.
fn sources() -> Vec<String> {
    let own = "tests/tests/documents/wording.rs";
    let folders = ["failover-ebpf", "failover-user", "tests", "xtask"];
    let is_source = |path: &Path| path.extension().is_some_and(|kind| kind == "rs");
    let files = folders.map(|folder| files_in(&root().join(folder), is_source));
    let sources = files.iter().flatten().map(|file| relative(file));
    let sources: Vec<String> = sources.filter(|source| source != own).collect();
    assert!(sources.len() > 300, "{}", sources.len());
    sources
}

fn files_in(folder: &Path, is_wanted: fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("listing a folder") {
        let path = entry.expect("listing a folder").path();
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => files.extend(files_in(&path, is_wanted)),
            false if is_wanted(&path) => files.push(path),
            false => {}
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("a file of the repository");
    path.display().to_string()
}

#[test]
fn phrases_are_found_as_whole_words_and_across_lines() {
    let found = |text: &str| {
        let mut found = Vec::new();
        for (line, text) in paragraphs(text) {
            search("here", line, &text, &WORDS, &mut found);
        }
        let phrases = found.iter().map(|one| one.phrase).collect::<Vec<_>>();
        phrases.join(", ")
    };
    assert_eq!(found("It was Told,\nand lets\ngo."), "told, lets go");
    assert_eq!(found("untold toldness `told` amended"), "");
    assert_eq!(found("one\n\ngo lets\n\ngo"), "");
}
