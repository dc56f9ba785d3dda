//! Reads the documents: fenced blocks, texts between backticks, and the commands among them. It must not know how
//! they are used.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

/// Whatever begins with one of these, in `sh` blocks and between backticks, is a command.
const PROGRAMS: [&str; 21] = [
    "apt",
    "cargo",
    "cat",
    "date",
    "df",
    "editor",
    "failover",
    "groupadd",
    "install",
    "ip",
    "journalctl",
    "loginctl",
    "openclaw",
    "ping",
    "ss",
    "ssh",
    "systemctl",
    "systemd-analyze",
    "systemd-run",
    "uname",
    "usermod",
];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in the workspace")
}

pub(crate) fn documents() -> Vec<PathBuf> {
    let in_docs = fs::read_dir(root().join("docs")).expect("listing docs/");
    let mut documents: Vec<PathBuf> = in_docs
        .map(|entry| entry.expect("listing docs/").path())
        .collect();
    documents.extend(["README.md", "ARCHITECTURE.md"].map(|name| root().join(name)));
    documents.sort();
    documents
}

/// A fenced block, and what it is in.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

/// The fenced blocks of a document, and the texts between backticks.
pub(crate) fn parts(document: &Path) -> (Vec<Block>, Vec<String>) {
    let text = fs::read_to_string(document).expect("reading a document");
    let (mut blocks, mut paragraphs) = (Vec::new(), vec![String::new()]);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block {
                language: language.to_owned(),
                text: inside.collect::<Vec<_>>().join("\n"),
            });
        } else if line.is_empty() || line.starts_with('|') {
            paragraphs.push(line.to_owned());
        } else if let Some(paragraph) = paragraphs.last_mut() {
            paragraph.push(' ');
            paragraph.push_str(line.trim());
        }
    }
    let mut spans = Vec::new();
    for paragraph in paragraphs {
        let pieces: Vec<&str> = paragraph.split('`').collect();
        let name = document.display();
        assert!(
            pieces.len() % 2 == 1,
            "{name}: an odd backtick: {paragraph}"
        );
        spans.extend(pieces.into_iter().skip(1).step_by(2).map(str::to_owned));
    }
    (blocks, spans)
}

/// What somebody types.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Typed(pub(crate) Vec<String>);

impl fmt::Display for Typed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

impl Typed {
    pub(crate) fn of(line: &str) -> Self {
        let mut quoted = false;
        let mut words = vec![String::new()];
        for character in line.chars() {
            match character {
                '"' => quoted = !quoted,
                '#' if !quoted && words.last().is_some_and(String::is_empty) => break,
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().expect("there is one").push(character),
            }
        }
        words.retain(|word| !word.is_empty());
        if words.first().is_some_and(|word| word == "sudo") {
            words.remove(0);
        }
        Self(words)
    }

    pub(crate) fn words(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// A lone name is a name, but for what needs no more.
    pub(crate) fn is_command(&self) -> bool {
        match self.words()[..] {
            [] => false,
            [program] => program == "date",
            [program, ..] => PROGRAMS.contains(&program),
        }
    }
}

/// Every command of every document, once.
pub(crate) fn commands() -> BTreeSet<Typed> {
    let mut commands = BTreeSet::new();
    for document in documents() {
        let (blocks, spans) = parts(&document);
        for block in blocks {
            let name = document.display();
            match &*block.language {
                "sh" => {
                    let lines = block.text.lines().flat_map(|line| line.split(" && "));
                    for typed in lines.map(Typed::of).filter(|typed| !typed.0.is_empty()) {
                        assert!(typed.is_command(), "{name}: no rule knows `{typed}`");
                        commands.insert(typed);
                    }
                }
                "toml" | "text" => {}
                other => panic!("{name}: a block of `{other}`, which is none of sh, toml and text"),
            }
        }
        let spans = spans.iter().map(|span| Typed::of(span));
        commands.extend(spans.filter(Typed::is_command));
    }
    assert!(commands.len() > 30, "{commands:?}");
    commands
}
