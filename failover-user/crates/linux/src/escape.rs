//! Text from outside, made fit for a line that people read: no control characters, nothing that
//! turns the line around, nothing endless.

use std::fmt::{self, Write as _};

/// Longer text is cut.
const LONGEST: usize = 256;

/// Shows a text with whatever could disturb a terminal or a log escaped as in a Rust literal.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'text>(pub &'text str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, character) in self.0.chars().enumerate() {
            if index == LONGEST {
                return formatter.write_str("...");
            }
            if is_harmless(character) {
                formatter.write_char(character)?;
            } else {
                write!(formatter, "{}", character.escape_default())?;
            }
        }
        Ok(())
    }
}

/// A text of our own user's, whole, on one line: only control characters are escaped.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Letters of any script, and ASCII that shows; a backslash is escaped, or nobody could tell.
fn is_harmless(character: char) -> bool {
    character == ' '
        || (character.is_ascii_graphic() && character != '\\')
        || character.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_marks_of_direction_are_escaped() {
        assert_eq!(Escaped("a\u{1b}[31m\n\\").to_string(), r"a\u{1b}[31m\n\\");
        assert_eq!(
            Escaped("\u{202e}\u{200b}\u{7f}").to_string(),
            r"\u{202e}\u{200b}\u{7f}"
        );
        assert_eq!(Escaped("Füchse 狐").to_string(), "Füchse 狐");
    }

    #[test]
    fn one_line_escapes_nothing_but_control_characters() {
        assert_eq!(
            one_line("a 'ä' \\n\n\x1b\u{9b}"),
            "a 'ä' \\n\\n\\u{1b}\\u{9b}"
        );
    }

    #[test]
    fn long_text_is_cut() {
        let long = "x".repeat(10_000);
        assert_eq!(Escaped(&long).to_string().len(), LONGEST + 3);
    }
}
