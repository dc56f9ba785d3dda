//! Detects shell syntax in a command line. Commands run without a shell, so `a | b` would pass `|` and `b` to
//! `a` as arguments, which is never intended. Pure.

#[cfg(test)]
mod tests;

use std::{iter::Peekable, str::Chars};

/// Words that only a shell knows (POSIX.1-2024, XCU 2.4, and bash's `[[`, `function`, `select`).
const RESERVED: [&str; 19] = [
    "!", "{", "}", "[[", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function",
    "if", "in", "select", "then", "until", "while",
];
/// Commands that a shell runs in its own process (POSIX.1-2024, XCU 1.7 and 2.15, and bash's). A program of
/// that name can't do the same.
const BUILTINS: [&str; 37] = [
    ".", ":", "alias", "bg", "break", "builtin", "cd", "command", "continue", "declare", "eval",
    "exec", "exit", "export", "fc", "fg", "getopts", "hash", "jobs", "let", "local", "read",
    "readonly", "return", "set", "shift", "shopt", "source", "times", "trap", "type", "typeset",
    "ulimit", "umask", "unalias", "unset", "wait",
];
/// Programs whose argument after `-c` is a script, in which they expand variables.
const SHELLS: [&str; 11] = [
    "sh", "ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "runuser", "su", "zsh",
];

/// Syntax that only a shell handles.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Syntax {
    /// An operator, an expansion or a pattern, as written.
    Text(String),
    /// A reserved word or a built-in command in place of the program.
    Word(String),
    /// Two commands, one per line.
    Lines,
}

/// The first syntax in this line that only a shell handles, if any.
pub(crate) fn syntax(line: &str) -> Option<Syntax> {
    let mut scan = Scan {
        rest: line.chars().peekable(),
        words: Vec::new(),
        word: None,
        after_newline: false,
    };
    loop {
        match scan.step() {
            Step::Found(syntax) => return Some(syntax),
            Step::Next => {}
            Step::End => return None,
        }
    }
}

/// The equivalent command that uses a shell.
pub(crate) fn by_shell(line: &str) -> String {
    shell_words::join(["sh", "-c", line.trim()])
}

enum Step {
    Found(Syntax),
    Next,
    End,
}

struct Scan<'line> {
    rest: Peekable<Chars<'line>>,
    /// The words before, without their quotes.
    words: Vec<String>,
    word: Option<Word>,
    /// A line has ended since the previous word.
    after_newline: bool,
}

/// A word that isn't complete yet.
#[derive(Default)]
struct Word {
    /// Without quotes.
    text: String,
    /// Part of it is quoted or escaped.
    is_quoted: bool,
    /// It has an unquoted `*`, `?`, or `[` with a `]` after it.
    is_pattern: bool,
    is_open: bool,
    /// It begins with an unquoted `NAME=`.
    is_assignment: bool,
}

impl Scan<'_> {
    fn step(&mut self) -> Step {
        let Some(character) = self.rest.next() else {
            return match self.end_word() {
                Some(syntax) => Step::Found(syntax),
                None => Step::End,
            };
        };
        let found = match character {
            ' ' | '\t' => self.end_word(),
            '\n' => {
                let found = self.end_word();
                self.after_newline = !self.words.is_empty();
                found
            }
            '#' if self.word.is_none() => {
                // A comment, as for a shell.
                while self.rest.next_if(|character| *character != '\n').is_some() {}
                None
            }
            _ if self.after_newline && !self.continues(character) => Some(Syntax::Lines),
            '\\' => {
                self.escaped();
                None
            }
            '\'' => {
                self.single_quoted();
                None
            }
            '"' => self.double_quoted(),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' => Some(self.operator(character)),
            '`' => Some(Syntax::Text("`".to_owned())),
            '$' if self.expands(true) => Some(self.expansion()),
            '~' if self.word.is_none() => Some(Syntax::Text("~".to_owned())),
            character => {
                self.plain(character);
                None
            }
        };
        match found {
            Some(syntax) => Step::Found(syntax),
            None => Step::Next,
        }
    }

    /// Is it a continued line, and no word yet?
    fn continues(&mut self, character: char) -> bool {
        character == '\\' && self.rest.peek() == Some(&'\n')
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn plain(&mut self, character: char) {
        let word = self.word();
        match character {
            '*' | '?' => word.is_pattern = true,
            '[' => word.is_open = true,
            ']' => word.is_pattern |= word.is_open,
            '=' => word.is_assignment |= !word.is_quoted && is_name(&word.text),
            _ => {}
        }
        word.text.push(character);
    }

    fn escaped(&mut self) {
        match self.rest.next() {
            // The line is continued.
            Some('\n') => {}
            Some(character) => {
                let word = self.word();
                word.is_quoted = true;
                word.text.push(character);
            }
            None => self.word().text.push('\\'),
        }
    }

    fn single_quoted(&mut self) {
        self.word().is_quoted = true;
        while let Some(character) = self.rest.next() {
            if character == '\'' {
                return;
            }
            self.word().text.push(character);
        }
    }

    fn double_quoted(&mut self) -> Option<Syntax> {
        let is_script = self.is_script();
        self.word().is_quoted = true;
        while let Some(character) = self.rest.next() {
            match character {
                '"' => return None,
                '\\' => match self.rest.next() {
                    Some('\n') | None => {}
                    Some(character @ ('$' | '`' | '"' | '\\')) => self.word().text.push(character),
                    Some(character) => {
                        self.word().text.push('\\');
                        self.word().text.push(character);
                    }
                },
                '`' if !is_script => return Some(Syntax::Text("`".to_owned())),
                '$' if !is_script && self.expands(false) => return Some(self.expansion()),
                character => self.word().text.push(character),
            }
        }
        None
    }

    /// Is the word that begins now the script of a shell?
    fn is_script(&self) -> bool {
        let is_option = self.words.last().is_some_and(|word| {
            let letters = word.strip_prefix('-').unwrap_or_default();
            letters.ends_with('c') && letters.chars().all(char::is_alphabetic)
        });
        let is_shell = |word: &String| {
            let name = word.rsplit('/').next().unwrap_or_default();
            SHELLS.contains(&name)
        };
        self.word.is_none() && is_option && self.words.iter().any(is_shell)
    }

    /// Does a `$` that stands before the rest expand to something?
    fn expands(&mut self, is_bare: bool) -> bool {
        // A line continuation between the two is ignored.
        let mut rest = self.rest.clone();
        let next = loop {
            match rest.next() {
                Some('\\') if rest.peek() == Some(&'\n') => {
                    rest.next();
                }
                next => break next,
            }
        };
        match next {
            Some('\'' | '"') => is_bare,
            Some(next) => next.is_ascii_alphanumeric() || "_{(@*#?-$!".contains(next),
            None => false,
        }
    }

    /// After its `$`: a variable's name, but nothing that may be a secret.
    fn expansion(&mut self) -> Syntax {
        let is_name = |next: &char| next.is_ascii_alphanumeric() || *next == '_';
        let mut text = "$".to_owned();
        let brace = self.rest.next_if(|next| *next == '{');
        text.extend(brace);
        let before = text.len();
        while let Some(next) = self.rest.next_if(is_name) {
            text.push(next);
        }
        match (brace, self.rest.peek()) {
            (Some(_), Some('}')) if text.len() > before => text.push('}'),
            (Some(_), _) => text.push_str("…}"),
            (None, Some('(')) if text.len() == before => text.push_str("(…)"),
            (None, Some(next)) if text.len() == before => text.push(*next),
            (None, _) => {}
        }
        Syntax::Text(text)
    }

    /// From its first character on, with the numbers of descriptors at its ends.
    fn operator(&mut self, first: char) -> Syntax {
        let descriptor = self.word.take().filter(|word| {
            let is_number = word.text.bytes().all(|byte| byte.is_ascii_digit());
            is_number && !word.is_quoted && "<>".contains(first)
        });
        let mut text = descriptor.map(|word| word.text).unwrap_or_default();
        text.push(first);
        while let Some(next) = self.rest.next_if(|next| "|&;<>".contains(*next)) {
            text.push(next);
        }
        if text.ends_with(">&") || text.ends_with("<&") {
            let target = |next: &char| next.is_ascii_digit() || *next == '-';
            while let Some(next) = self.rest.next_if(target) {
                text.push(next);
            }
        }
        Syntax::Text(text)
    }

    fn end_word(&mut self) -> Option<Syntax> {
        let word = self.word.take()?;
        let is_first = self.words.is_empty();
        let text = word.text;
        self.words.push(text.clone());
        if is_first && word.is_assignment {
            let name = text.split('=').next().unwrap_or_default();
            return Some(Syntax::Word(format!("{name}=")));
        }
        // Quoted, a reserved word would be a program's name; nobody has one.
        let is_known = |names: &[&str]| names.contains(&&*text);
        if is_first && (is_known(&RESERVED) || is_known(&BUILTINS)) {
            return Some(Syntax::Word(text));
        }
        // A URL's `?` names no file, and options are no paths.
        let is_path = (text.contains('/') || text.starts_with('.'))
            && !text.contains("://")
            && !text.starts_with('-');
        (word.is_pattern && is_path).then(|| {
            let sign = text.chars().find(|character| "*?[".contains(*character));
            Syntax::Text(sign.map(String::from).unwrap_or_default())
        })
    }
}

/// Can it be the name of a variable?
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(is_letter)
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
}
