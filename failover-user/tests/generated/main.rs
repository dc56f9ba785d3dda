//! What `dist/` and `docs/` hold that is made from the command line's one definition: it must be current.
//!
//! `cargo xtask generate` runs this with FAILOVER_GENERATE set, and then it writes instead.

mod manual;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use failover::{
    cli::Cli,
    config::{self, Entry},
};

/// Path from `dist/`, and content.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The folders that hold nothing else.
const FOLDERS: [&str; 2] = ["completions", "man"];
/// The commented default configuration.
const EXAMPLE: &str = "failover.toml";
/// The reference of all options.
const REFERENCE: &str = "../../docs/configuration.md";

fn generated() -> Files {
    let mut files = Files::new();
    let example = config::commented();
    files.insert(EXAMPLE.into(), example.into_bytes());
    let reference = config::reference();
    files.insert(REFERENCE.into(), reference.into_bytes());
    for (name, page) in manual::pages(Cli::command()) {
        files.insert(Path::new("man").join(name), page);
    }
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut shown(), "failover", &mut script);
        let name = format!("failover.{shell}");
        files.insert(Path::new("completions").join(name), script);
    }
    files
}

/// Without the verbs that are nobody's to type: completions tell all there are.
fn shown() -> Command {
    let program = Cli::command();
    let verbs = program.get_subcommands();
    let verbs: Vec<Command> = verbs.filter(|verb| !verb.is_hide_set()).cloned().collect();
    Command::new("failover")
        .version(env!("CARGO_PKG_VERSION"))
        .args(program.get_arguments().cloned())
        .subcommands(verbs)
}

fn contents(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| {
            let entry = entry.expect("reading a folder");
            let content = fs::read(entry.path()).expect("reading a file");
            (entry.file_name().into(), content)
        })
        .collect()
}

fn checked_in(dist: &Path) -> Files {
    let in_folder = |folder: &&str| {
        let folder = PathBuf::from(folder);
        let files = contents(&dist.join(&folder));
        files
            .into_iter()
            .map(move |(name, content)| (folder.join(name), content))
    };
    let file = |file: &str| Some((file.into(), fs::read(dist.join(file)).ok()?));
    let files = [EXAMPLE, REFERENCE].into_iter().filter_map(file);
    FOLDERS.iter().flat_map(in_folder).chain(files).collect()
}

fn write(dist: &Path, files: &Files) {
    for folder in FOLDERS {
        // Pages of verbs that are gone.
        let _ = fs::remove_dir_all(dist.join(folder));
        fs::create_dir_all(dist.join(folder)).expect("making a folder");
    }
    for (path, content) in files {
        fs::write(dist.join(path), content).expect("writing a file");
    }
}

#[test]
fn what_is_made_from_the_command_line_s_definition_is_current() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    let files = generated();
    if env::var_os("FAILOVER_GENERATE").is_some() {
        return write(&dist, &files);
    }
    let checked_in = checked_in(&dist);
    let paths = files.keys().chain(checked_in.keys());
    let mut stale: Vec<_> = paths
        .filter(|path| files.get(*path) != checked_in.get(*path))
        .collect();
    stale.dedup();
    assert!(
        stale.is_empty(),
        "{stale:?} in {} isn't current; type: cargo xtask generate",
        dist.display()
    );
}

#[test]
fn a_verb_that_is_hidden_is_in_no_completion_and_every_other_one_is_in_each() {
    let files = generated();
    let scripts = files
        .iter()
        .filter(|(path, _)| path.starts_with("completions"));
    let mut count = 0;
    for (path, script) in scripts {
        let script = String::from_utf8_lossy(script);
        for verb in Cli::command().get_subcommands() {
            let is_there = script.contains(verb.get_name());
            assert_eq!(
                is_there,
                !verb.is_hide_set(),
                "{} {}",
                path.display(),
                verb.get_name()
            );
            count += 1;
        }
    }
    assert!(count >= 30, "{count}");
}

/// As an argument of a request.
fn roff_word(text: &str) -> String {
    match text.contains(' ') {
        true => format!("\"{text}\""),
        false => text.to_owned(),
    }
}

#[test]
fn every_page_of_the_manual_says_what_a_reader_looks_for() {
    let files = generated();
    let footer = format!("failover {}", env!("CARGO_PKG_VERSION"));
    let mut count = 0;
    for (path, page) in files.iter().filter(|(path, _)| path.starts_with("man")) {
        let page = String::from_utf8_lossy(page);
        let has = |part: &str| assert!(page.contains(part), "{}: no {part}", path.display());
        has(&format!(" \"\" \"{footer}\" "));
        has("\n.SH \"SEE ALSO\"\n");
        if path.extension().is_some_and(|section| section == "1") {
            has("\n.SH \"EXIT STATUS\"\n");
        }
        count += 1;
    }
    assert!(count >= 16, "{count}");
    let page = |name: &str| String::from_utf8_lossy(&files[&Path::new("man").join(name)]);
    let (run, file) = (page("failover-run.1"), page("failover.toml.5"));
    for Entry { option, .. } in config::entries() {
        let name = &option.name;
        let name = name.replace('-', "\\-");
        let heading = option.group.heading();
        assert!(file.contains(&format!("\n\\fB{name}\\fR = ")), "{name}");
        assert!(
            file.contains(&format!(".SS {}", roff_word(heading))),
            "{name}"
        );
        assert!(run.contains(&format!("\n\\fB\\-\\-{name}\\fR")), "{name}");
        let heading = roff_word(&heading.to_uppercase());
        assert!(run.contains(&format!(".SH {heading}\n")), "{name}");
    }
    for part in ["failover.toml", "FAILOVER_LOG", "\\fIFILE\\fR", "SIGHUP"] {
        assert!(run.contains(part), "{part}");
    }
}
