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
}

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
        let (bytes, is_of_folders) = match bytes.strip_suffix(b"/") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let (bytes, begins_at_the_root) = match bytes.strip_prefix(b"/") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let parts = parts(bytes);
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
        is_match(&self.parts, path) || ends.any(|end| is_match(&self.parts, end))
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
                None => Part::Byte(b'['),
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
    use super::*;

    /// Compared with what rsync 3.2.7 leaves out.
    #[test]
    fn they_match_what_rsync_leaves_out() {
        for (pattern, path, expected) in [
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
            ("[]]", "]", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[", "[", true),
        ] {
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
