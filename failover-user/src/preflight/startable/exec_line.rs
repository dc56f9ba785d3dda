//! Parses a unit's command line (systemd.service(5), "Command lines") and expands its specifiers
//! (systemd.unit(5), "Specifiers").

use std::path::PathBuf;

use crate::gateway::command::{account::Account, unit::Scope};

/// A parsed `ExecStart=`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::preflight) struct ExecLine {
    /// The program as written: a path, or a name to look up.
    pub(in crate::preflight) program: String,
    /// The arguments, without the `argv[0]` that `@` sets.
    pub(in crate::preflight) arguments: Vec<String>,
    /// `-`: a failure is ignored.
    pub(in crate::preflight) may_fail: bool,
    /// `+`, `!`: `User=` does not apply.
    pub(in crate::preflight) is_privileged: bool,
}

impl ExecLine {
    /// `None`: it is empty.
    pub(in crate::preflight) fn parse(value: &str) -> Option<Self> {
        let mut words = words(value).into_iter();
        let first = words.next()?;
        let program = first.trim_start_matches(['-', '@', '+', '!', ':', '|']);
        let prefixes = first.strip_suffix(program).unwrap_or_default();
        if prefixes.contains('@') {
            words.next();
        }
        Some(Self {
            program: program.to_owned(),
            arguments: words.collect(),
            may_fail: prefixes.contains('-'),
            is_privileged: prefixes.contains(['+', '!']),
        })
    }
}

/// Splits a line with several commands at each separate semicolon.
pub(super) fn commands(value: &str) -> Vec<ExecLine> {
    let mut commands = vec![String::new()];
    for piece in value.split_inclusive(char::is_whitespace) {
        match (piece.trim(), commands.last_mut()) {
            (";", _) => commands.push(String::new()),
            (_, Some(command)) => command.push_str(piece),
            (_, None) => {}
        }
    }
    commands
        .iter()
        .filter_map(|command| ExecLine::parse(command))
        .collect()
}

/// Splits words like systemd, with quotes and C-like escapes.
pub(in crate::preflight) fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = value.chars().peekable();
    while let Some(character) = rest.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (_, '\\') => {
                let word = word.get_or_insert_default();
                match rest.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('r') => word.push('\r'),
                    Some('s') => word.push(' '),
                    Some('x') => {
                        let mut digit = || rest.next_if(char::is_ascii_hexdigit)?.to_digit(16);
                        let code = digit().zip(digit()).map(|(high, low)| high << 4 | low);
                        word.extend(code.and_then(char::from_u32));
                    }
                    Some(character) => word.push(character),
                    None => {}
                }
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The specifiers' values in one unit.
#[derive(Clone, Copy, Debug)]
pub(in crate::preflight) struct Specifiers<'unit> {
    pub(in crate::preflight) unit: &'unit str,
    pub(in crate::preflight) scope: Scope,
    /// The account of the service manager.
    pub(in crate::preflight) account: &'unit Account,
}

impl Specifiers<'_> {
    /// `None`: contains a specifier that is unknown here.
    pub(in crate::preflight) fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '%' => expanded.push_str(&self.one(rest.next()?)?),
                character => expanded.push(character),
            }
        }
        Some(expanded)
    }

    fn one(&self, specifier: char) -> Option<String> {
        let prefix = || {
            let name = self
                .unit
                .rsplit_once('.')
                .map_or(self.unit, |(name, _)| name);
            name.split_once('@').unwrap_or((name, ""))
        };
        // The system manager belongs to root (systemd.unit(5)).
        let is_system = self.scope == Scope::System;
        let home = || match is_system {
            true => PathBuf::from("/root"),
            false => self.account.home().to_owned(),
        };
        let home = |below: &str| home().join(below).display().to_string();
        Some(match specifier {
            '%' => "%".to_owned(),
            'h' => home("").trim_end_matches('/').to_owned(),
            'u' if is_system => "root".to_owned(),
            'u' => self.account.name().to_owned(),
            'U' if is_system => "0".to_owned(),
            'U' => self.account.uid().to_string(),
            'n' => self.unit.to_owned(),
            'N' => self.unit.rsplit_once('.')?.0.to_owned(),
            'p' => prefix().0.to_owned(),
            'i' => prefix().1.to_owned(),
            't' if is_system => "/run".to_owned(),
            't' => format!("/run/user/{}", self.account.uid()),
            'E' if is_system => "/etc".to_owned(),
            'E' => home(".config"),
            'S' if is_system => "/var/lib".to_owned(),
            'C' if is_system => "/var/cache".to_owned(),
            'C' => home(".cache"),
            'L' if is_system => "/var/log".to_owned(),
            'T' => "/tmp".to_owned(),
            'V' => "/var/tmp".to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(value: &str) -> (String, Vec<String>, bool, bool) {
        let line = ExecLine::parse(value).unwrap();
        (
            line.program,
            line.arguments,
            line.may_fail,
            line.is_privileged,
        )
    }

    #[test]
    fn prefixes_and_quotes_are_taken_off() {
        let plain = |program: &str, arguments: &[&str], may_fail, is_privileged| {
            let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
            (program.to_owned(), arguments, may_fail, is_privileged)
        };
        for (value, expected) in [
            ("/bin/a b", plain("/bin/a", &["b"], false, false)),
            ("-/bin/a", plain("/bin/a", &[], true, false)),
            ("@/bin/a name b", plain("/bin/a", &["b"], false, false)),
            ("-@/bin/a name b", plain("/bin/a", &["b"], true, false)),
            ("+/bin/a", plain("/bin/a", &[], false, true)),
            ("!!/bin/a", plain("/bin/a", &[], false, true)),
            (":/bin/a $X", plain("/bin/a", &["$X"], false, false)),
            (
                "\"/opt/a b/c\" 'd e' f\\x20g h\\si",
                plain("/opt/a b/c", &["d e", "f g", "h i"], false, false),
            ),
        ] {
            assert_eq!(parsed(value), expected, "{value}");
        }
        assert_eq!(ExecLine::parse("  "), None);
        let programs: Vec<String> = commands("/bin/a 'x ; y' ; /bin/b")
            .into_iter()
            .map(|one| one.program)
            .collect();
        assert_eq!(programs.last().map(String::as_str), Some("/bin/b"));
    }

    #[test]
    fn specifiers_stand_for_what_systemd_says_and_others_are_not_guessed() {
        let account = Account::named("root").unwrap();
        let specifiers = |scope| Specifiers {
            unit: "bot@one.service",
            scope,
            account: &account,
        };
        let home = account.home().display().to_string();
        for (text, expected) in [
            ("%h/x", format!("{home}/x")),
            ("%u %U", "root 0".to_owned()),
            ("%n %N %p %i", "bot@one.service bot@one bot one".to_owned()),
            ("%t 100%%", "/run/user/0 100%".to_owned()),
            ("%E", format!("{home}/.config")),
        ] {
            assert_eq!(
                specifiers(Scope::User).expand(text),
                Some(expected),
                "{text}"
            );
        }
        assert_eq!(
            specifiers(Scope::System).expand("%h %t %E").as_deref(),
            Some("/root /run /etc")
        );
        for text in ["%b", "%", "a%q"] {
            assert_eq!(specifiers(Scope::User).expand(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_it(line in "[-@+!:|a/'\" \\\\;%x0-9]{0,40}") {
            let _ = commands(&line);
        }
    }
}
