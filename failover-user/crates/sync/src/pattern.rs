//! Patterns as rsync(1) has them ("PATTERN MATCHING RULES"), for what was chosen by rsync at the other host.
//!
//! One that begins with `/` starts at the path that is copied, one that ends with it matches folders only. One with
//! `/` or `**` within is compared with the whole path or its end, any other with the name alone.

/// A list of patterns: what one of them matches is left out, with all that is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    parts: Vec<Part>,
    begins_at_the_root: bool,
    is_of_folders: bool,
    is_of_paths: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Byte(u8),
    /// `?`: any but `/`.
    One,
    /// `*`: any number of any but `/`.
    Name,
    /// `**`: any number of any.
    Path,
    /// `[a-z]`, `[!a-z]`: ranges, both ends included; never `/`.
    Class {
        ranges: Vec<(u8, u8)>,
        is_negated: bool,
    },
    /// `[` that isn't closed.
    Nothing,
}

/// Each with both ends.
type Ranges = &'static [(u8, u8)];

/// Classes that have a name, as `[[:digit:]]`.
const NAMED: [(&[u8], Ranges); 7] = [
    (b"alnum", &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]),
    (b"alpha", &[(b'A', b'Z'), (b'a', b'z')]),
    (b"digit", &[(b'0', b'9')]),
    (b"lower", &[(b'a', b'z')]),
    (b"space", &[(b'\t', b'\r'), (b' ', b' ')]),
    (b"upper", &[(b'A', b'Z')]),
    (b"xdigit", &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]),
];

impl Patterns {
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a String>) -> Self {
        let patterns = patterns.into_iter().filter(|pattern| !pattern.is_empty());
        Self(patterns.map(|pattern| Pattern::new(pattern)).collect())
    }

    /// Whether a path without its leading `/` is matched by itself; not whether it is in a folder that is.
    pub(crate) fn matches(&self, path: &[u8], is_folder: bool) -> bool {
        self.0
            .iter()
            .any(|pattern| pattern.matches(path, is_folder))
    }

    /// Whether something in a folder could be matched.
    pub(crate) fn may_match_below(&self, folder: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.may_match_below(folder))
    }
}

impl Pattern {
    fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        // A folder and all that is in it, as if the folder alone was left out.
        let bytes = match bytes.strip_suffix(b"***") {
            Some(rest) if rest.ends_with(b"/") => rest,
            _ => bytes,
        };
        let (bytes, is_of_folders) = match bytes.strip_suffix(b"/") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let (bytes, begins_at_the_root) = match bytes.strip_prefix(b"/") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let has_wildcards = bytes.iter().any(|byte| b"*?[".contains(byte));
        let parts = match has_wildcards {
            true => parts(bytes),
            // A backslash stands for itself then.
            false => bytes.iter().map(|byte| Part::Byte(*byte)).collect(),
        };
        Self {
            begins_at_the_root,
            is_of_folders,
            is_of_paths: bytes.contains(&b'/') || parts.contains(&Part::Path),
            parts,
        }
    }

    fn matches(&self, path: &[u8], is_folder: bool) -> bool {
        if self.is_of_folders && !is_folder {
            return false;
        }
        if self.begins_at_the_root {
            return is_match(&self.parts, path);
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        if !self.is_of_paths {
            return is_match(&self.parts, name);
        }
        let ends = (0..path.len()).filter(|index| path.get(*index) == Some(&b'/'));
        let mut ends = ends.filter_map(|index| path.get(index.saturating_add(1)..));
        // What begins with `**/` matches at the root as well.
        let from_the_root = [b"/", path].concat();
        is_match(&self.parts, path)
            || is_match(&self.parts, &from_the_root)
            || ends.any(|end| is_match(&self.parts, end))
    }

    fn may_match_below(&self, folder: &[u8]) -> bool {
        if !self.begins_at_the_root || self.parts.contains(&Part::Path) {
            return true;
        }
        let mut wanted = self.parts.split(|part| *part == Part::Byte(b'/'));
        let mut names = folder.split(|byte| *byte == b'/');
        names.all(|name| wanted.next().is_some_and(|parts| is_match(parts, name)))
            && wanted.next().is_some()
    }
}

fn parts(mut bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        parts.push(match (first, rest) {
            (b'*', [b'*', rest @ ..]) => {
                bytes = rest;
                Part::Path
            }
            (b'*', _) => Part::Name,
            (b'?', _) => Part::One,
            (b'[', _) => match class(rest) {
                Some((class, rest)) => {
                    bytes = rest;
                    class
                }
                None => Part::Nothing,
            },
            (b'\\', [escaped, rest @ ..]) => {
                bytes = rest;
                Part::Byte(*escaped)
            }
            (byte, _) => Part::Byte(*byte),
        });
    }
    parts
}

/// What follows a `[`; `None`: it isn't closed, and stands for itself.
fn class(bytes: &[u8]) -> Option<(Part, &[u8])> {
    let (is_negated, mut bytes) = match bytes {
        [b'!' | b'^', rest @ ..] => (true, rest),
        bytes => (false, bytes),
    };
    let mut ranges = Vec::new();
    loop {
        bytes = match bytes {
            [] => return None,
            // The first one is a member.
            [b']', rest @ ..] if !ranges.is_empty() => {
                return Some((Part::Class { ranges, is_negated }, rest));
            }
            [b'[', b':', rest @ ..] => {
                let end = rest.windows(2).position(|two| two == b":]")?;
                let (name, rest) = rest.split_at_checked(end)?;
                let (_, named) = NAMED.iter().find(|(known, _)| *known == name)?;
                ranges.extend_from_slice(named);
                rest.get(2..)?
            }
            [b'\\', one, rest @ ..] => {
                ranges.push((*one, *one));
                rest
            }
            [low, b'-', high, rest @ ..] if *high != b']' => {
                ranges.push((*low, *high));
                rest
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                rest
            }
        };
    }
}

/// Compares the text byte by byte, with every position of the pattern that can be reached: no text takes longer than
/// its length times that of the pattern.
fn is_match(parts: &[Part], text: &[u8]) -> bool {
    let mut reached = vec![false; parts.len().saturating_add(1)];
    if let Some(begin) = reached.first_mut() {
        *begin = true;
    }
    skip_empty(parts, &mut reached);
    for byte in text {
        let mut next = vec![false; reached.len()];
        for (index, part) in parts.iter().enumerate() {
            if reached.get(index) != Some(&true) {
                continue;
            }
            let (matches, stays) = match part {
                Part::Byte(wanted) => (wanted == byte, false),
                Part::One => (*byte != b'/', false),
                Part::Name => (*byte != b'/', true),
                Part::Path => (true, true),
                Part::Class { ranges, is_negated } => {
                    let is_in = (ranges.iter()).any(|(low, high)| (*low..=*high).contains(byte));
                    (*byte != b'/' && is_in != *is_negated, false)
                }
                Part::Nothing => (false, false),
            };
            let index = match stays {
                true => index,
                false => index.saturating_add(1),
            };
            if let Some(place) = next.get_mut(index) {
                *place |= matches;
            }
        }
        skip_empty(parts, &mut next);
        reached = next;
    }
    reached.last() == Some(&true)
}

/// Stars match nothing, too.
fn skip_empty(parts: &[Part], reached: &mut [bool]) {
    for (index, part) in parts.iter().enumerate() {
        let is_star = matches!(part, Part::Name | Part::Path);
        let is_reached = reached.get(index) == Some(&true);
        if let Some(place) = reached.get_mut(index.saturating_add(1)) {
            *place |= is_star && is_reached;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    /// With what rsync(1) does with each of them.
    const CASES: [(&str, &str, bool); 34] = [
        ("/cache/", "cache", true),
        ("/cache/", "workspace/cache", false),
        ("cache/", "workspace/cache", true),
        ("*.sqlite", "state/a.sqlite", true),
        ("*.sqlite", "state/a.sqlite-wal", false),
        ("*.sqlite-*", "state/a.sqlite-wal", true),
        (".*-litestream/", "state/.a.sqlite-litestream", true),
        ("/agents/*/agent/a.sqlite", "agents/x/agent/a.sqlite", true),
        (
            "/agents/*/agent/a.sqlite",
            "agents/x/y/agent/a.sqlite",
            false,
        ),
        ("agent/a", "agents/x/agent/a", true),
        ("agent/a", "agents/x/agents/a", false),
        ("x**y", "x/1/2/y", true),
        ("[a-c]?", "b1", true),
        ("[!a-c]?", "b1", false),
        ("[^a]", "b", true),
        ("[]]", "]", true),
        ("[\\]]", "]", true),
        ("[[:digit:]]", "5", true),
        ("[[:digit:]]", "a", false),
        ("[", "[", false),
        ("a\\*", "a*", true),
        ("a\\*", "ab", false),
        ("\\a", "a", false),
        ("\\a", "\\a", true),
        ("a\\b*", "abc", true),
        ("a/**", "a/b", true),
        ("**/b", "a/b", true),
        ("**/b", "b", true),
        ("/a**", "a", true),
        ("a***", "ab", true),
        ("a/***", "a", true),
        ("/a/", "a", true),
        ("a//b", "a/b", false),
        ("b", "a/b/c", false),
    ];

    #[test]
    fn they_match_what_rsync_leaves_out() {
        for (pattern, path, expected) in CASES {
            let patterns = Patterns::new([&pattern.to_owned()]);
            assert_eq!(
                patterns.matches(path.as_bytes(), true),
                expected,
                "{pattern} {path}"
            );
        }
        let folders_only = Patterns::new([&"tmp/".to_owned()]);
        assert!(!folders_only.matches(b"tmp", false));
        assert!(folders_only.matches(b"a/tmp", true));
    }

    /// The cases are right, where there is an rsync to ask.
    #[test]
    fn rsync_leaves_out_what_they_match() {
        for (pattern, path, expected) in CASES {
            // Left out with the folder that it is in.
            if pattern == "b" {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            fs::create_dir_all(from.join(path)).unwrap();
            let rsync = Command::new("rsync")
                .args(["-r", &format!("--exclude={pattern}")])
                .args([from.join(""), to.join("")])
                .status();
            let Ok(status) = rsync else { return };
            assert!(status.success());
            assert_eq!(!to.join(path).exists(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn only_folders_that_can_have_a_match_are_looked_through() {
        let patterns = Patterns::new([&"/agents/*/agent/a.sqlite".to_owned()]);
        for (folder, expected) in [
            ("agents", true),
            ("agents/x", true),
            ("agents/x/agent", true),
            ("agents/x/sessions", false),
            ("agents/x/agent/a.sqlite", false),
            ("workspace", false),
        ] {
            assert_eq!(
                patterns.may_match_below(folder.as_bytes()),
                expected,
                "{folder}"
            );
        }
        let anywhere = Patterns::new([&"*.sqlite".to_owned()]);
        assert!(anywhere.may_match_below(b"workspace"));
    }

    #[test]
    fn stars_without_end_take_no_time() {
        let patterns = Patterns::new([&"*a".repeat(200)]);
        let text = "a".repeat(199) + "b";
        assert!(!patterns.matches(text.as_bytes(), false));
    }
}
