//! The texts in a Rust source that people read: doc comments and string literals. A rough lexer, enough for
//! this repository. It must not know which words are good.

/// A text and the number of its first line.
pub(crate) struct Text {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// All doc comments and string literals. Placeholders (`{name}`) of literals are left out.
pub(crate) fn texts(source: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut rest = source;
    while let Some(one) = rest.chars().next() {
        let before = &source[..source.len() - rest.len()];
        let mut add = |text: String| {
            let line = 1 + before.matches('\n').count();
            texts.push(Text { line, text });
        };
        rest = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            if rest.starts_with("///") || rest.starts_with("//!") {
                add(rest[3..end].trim().to_owned());
            }
            &rest[end..]
        } else if let Some((text, after)) = raw_literal(rest) {
            add(without_placeholders(text));
            after
        } else if let Some(inside) = rest.strip_prefix('"') {
            let end = end_of_literal(inside);
            add(without_placeholders(&unescaped(&inside[..end])));
            &inside[end + 1..]
        } else if one == '\'' {
            after_character(rest)
        } else if one.is_alphanumeric() || one == '_' {
            let is_name = |one: char| one.is_alphanumeric() || one == '_';
            rest.trim_start_matches(is_name)
        } else {
            &rest[one.len_utf8()..]
        };
    }
    texts
}

/// The text of `r"..."` or `r#"..."#`, and what follows it.
fn raw_literal(rest: &str) -> Option<(&str, &str)> {
    let prefixes = ["r", "br", "cr"];
    let rest = prefixes.iter().find_map(|prefix| {
        let rest = rest.strip_prefix(prefix)?;
        rest.starts_with(['"', '#']).then_some(rest)
    })?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    inside.split_once(&end)
}

fn end_of_literal(inside: &str) -> usize {
    let mut is_escaped = false;
    let end = inside.find(|one: char| {
        let ends = one == '"' && !is_escaped;
        is_escaped = one == '\\' && !is_escaped;
        ends
    });
    end.expect("a literal ends")
}

/// With line breaks and continuation lines as spaces. Other escapes don't matter here.
fn unescaped(literal: &str) -> String {
    let mut text = String::new();
    for (number, line) in literal.split("\\\n").enumerate() {
        let line = if number > 0 { line.trim_start() } else { line };
        text.push_str(&line.replace("\\n", " "));
    }
    text
}

fn without_placeholders(literal: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    for one in literal.chars() {
        match one {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            one if depth == 0 => text.push(one),
            _ => {}
        }
    }
    text
}

/// Past a character literal or a lifetime.
fn after_character(rest: &str) -> &str {
    let inside = &rest[1..];
    let mut characters = inside.char_indices();
    match characters.next() {
        Some((_, '\\')) => {
            let escaped = &inside[2..];
            let end = escaped.find('\'').expect("a character ends");
            &escaped[end + 1..]
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => &inside[at + 1..],
            _ => inside,
        },
        None => inside,
    }
}

#[test]
fn doc_comments_and_literals_are_found_and_nothing_else() {
    let source = r##"
//! Head.
use it; // not this
/// Doc 'of' "it".
fn one<'a>(text: &'a str) -> char {
    let quote = ('"', '\'', b"bytes");
    format!("one {told} two \"three\" \
             four\nfive");
    let raw = r#"raw "text""#;
    'x'
}
"##;
    let found: Vec<(usize, String)> = texts(source)
        .into_iter()
        .map(|Text { line, text }| (line, text))
        .collect();
    let expected = [
        (2, "Head."),
        (4, "Doc 'of' \"it\"."),
        (6, "bytes"),
        (7, "one  two \\\"three\\\" four five"),
        (9, "raw \"text\""),
    ];
    assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
}
