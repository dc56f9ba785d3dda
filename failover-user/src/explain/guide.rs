//! Reads the tables of states and of problems in the operating guide, which is built into the program.

/// The guide.
const GUIDE: &str = include_str!("../../../docs/operating.md");
/// What a state's or a problem's table begins with, by its first column.
const TABLES: [(&str, Kind); 2] = [
    ("state", Kind::State),
    ("problem, warning, alert, event", Kind::Problem),
];

/// What a row is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    State,
    Problem,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Problem => "problem, alert or event",
        }
    }
}

/// A row of the guide, as plain text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) kind: Kind,
    /// What it is known by.
    pub(super) names: Vec<String>,
    pub(super) meaning: String,
    pub(super) remedy: String,
}

/// The rows, in the guide's order.
pub(super) fn rows() -> Vec<Row> {
    rows_of(GUIDE)
}

fn rows_of(text: &str) -> Vec<Row> {
    let mut table = None;
    let mut rows = Vec::new();
    for line in text.lines() {
        let Some(cells) = cells(line) else {
            table = None;
            continue;
        };
        let [first, meaning, remedy] = cells;
        if let Some((_, kind)) = TABLES.iter().find(|(name, _)| *name == first) {
            table = Some(*kind);
        } else if let Some(kind) = table.filter(|_| !first.starts_with("---")) {
            rows.push(Row {
                kind,
                names: plain(first)
                    .split(';')
                    .map(|name| name.trim().to_owned())
                    .collect(),
                meaning: plain(meaning),
                remedy: plain(remedy),
            });
        }
    }
    rows
}

/// The cells of a line of a table with three columns.
fn cells(line: &str) -> Option<[&str; 3]> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    cells.try_into().ok()
}

/// Without the marks of Markdown; a link is its text, and a command keeps its quotes.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once("](") {
            Some((words, target)) => {
                plain.push_str(words);
                rest = target.split_once(')').map_or("", |(_, rest)| rest);
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain.replace('*', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_without_the_marks_of_markdown() {
        let text = "| state | meaning | what to do |\n| --- | --- | --- |\n| odd; strange | see *even* | \
                    [Read](#there), then `ls` |\n\n| other | a | b |\n| x | y | z |\n";
        let row = Row {
            kind: Kind::State,
            names: vec!["odd".to_owned(), "strange".to_owned()],
            meaning: "see even".to_owned(),
            remedy: "Read, then `ls`".to_owned(),
        };
        assert_eq!(rows_of(text), [row]);
    }

    #[test]
    fn the_guide_has_rows_of_both_kinds_with_all_three_columns() {
        for kind in [Kind::State, Kind::Problem] {
            let of_kind = rows().into_iter().filter(|row| row.kind == kind);
            assert!(of_kind.count() > 10, "{kind:?}");
        }
    }
}
