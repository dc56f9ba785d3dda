//! The structure of the source: what ARCHITECTURE.md says of crates, rooms and dependencies is read from the
//! files themselves.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what reads the sources may fail as a test does"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The crates of the product, and where their sources are.
const CRATES: [(&str, &str); 5] = [
    ("failover", "failover-user/src"),
    ("failover_decide", "failover-user/crates/decide/src"),
    ("failover_guard", "failover-user/crates/guard/src"),
    ("failover_linux", "failover-user/crates/linux/src"),
    ("failover_sync", "failover-user/crates/sync/src"),
];

/// A module by its names, the crate's first.
type Module = Vec<String>;

#[test]
fn no_file_depends_on_itself_through_others() {
    let sources = Sources::read();
    assert!(sources.files.len() > 150, "{}", sources.files.len());
    assert_eq!(sources.circles(), [""; 0]);
}

#[test]
fn unsafe_code_is_in_one_crate() {
    for file in [
        "failover-user/src/lib.rs",
        "failover-user/src/main.rs",
        "failover-user/crates/decide/src/lib.rs",
        "failover-user/crates/guard/src/lib.rs",
        "failover-user/crates/sync/src/lib.rs",
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{file}");
    }
}

#[test]
fn the_core_has_no_dependency() {
    let manifest = root().join("failover-user/crates/decide/Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    assert!(dependencies.is_empty(), "{dependencies:?}");
    assert!(!manifest.contains_key("build-dependencies"));
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (_, folder) in CRATES {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() && name != "tests" {
                assert!(
                    map.contains(&format!("{name}/")),
                    "ARCHITECTURE.md lacks {folder}/{name}/"
                );
            }
        }
    }
}

/// What must be seen in a source with a circle, so that none is overlooked.
#[test]
fn a_circle_is_found_whatever_the_imports_look_like() {
    let sources = |one: &str, other: &str| Sources {
        files: [(["c", "a"], one), (["c", "b"], other), (["c", "d"], "")]
            .into_iter()
            .map(|(module, text)| (owned(&module), text.parse().unwrap()))
            .chain([(owned(&["c"]), "pub use a::A as Exported;".parse().unwrap())])
            .collect(),
    };
    for (one, other) in [
        ("use crate::b::B;", "use crate::a::A;"),
        ("use super::b;", "fn f() { crate::a::f() }"),
        ("use crate::{d, b::{self, B}};", "use crate::Exported;"),
        ("fn f() -> super::b::B { g() }", "use super::{d::D, a::*};"),
    ] {
        assert_eq!(sources(one, other).circles().len(), 1, "{one} {other}");
    }
    for (one, other) in [
        ("use crate::b::B;", "use crate::d::A;"),
        ("use crate::b::B;", "// use crate::a::A;"),
        (
            "use crate::b;",
            "#[cfg(test)] mod tests { use crate::a::A; }",
        ),
    ] {
        assert!(sources(one, other).circles().is_empty(), "{one} {other}");
    }
}

/// The modules of the product, without their tests.
struct Sources {
    files: BTreeMap<Module, TokenStream>,
}

impl Sources {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        for (name, folder) in CRATES {
            read(&root().join(folder), &owned(&[name]), &mut files);
        }
        Self { files }
    }

    /// Each circle of imports, as a line. Only the shortest of those that share a file.
    fn circles(&self) -> Vec<String> {
        let exports = self.exports();
        let imports: BTreeMap<_, BTreeSet<_>> = (self.files.iter())
            .map(|(module, tokens)| {
                let found = paths(&production(tokens))
                    .into_iter()
                    .filter_map(|path| self.defining(&exports, &self.absolute(module, &path)?))
                    .filter(|imported| imported != module);
                (module, found.collect())
            })
            .collect();
        let mut circles = BTreeMap::<BTreeSet<Module>, Vec<Module>>::new();
        for module in self.files.keys() {
            if let Some(circle) = circle(module, &imports) {
                circles
                    .entry(circle.iter().cloned().collect())
                    .or_insert(circle);
            }
        }
        let line = |circle: Vec<Module>| {
            let names: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
            names.join(" -> ")
        };
        circles.into_values().map(line).collect()
    }

    /// What each module offers under which name, and where it has that from.
    fn exports(&self) -> BTreeMap<(Module, String), Module> {
        let mut exports = BTreeMap::new();
        for (module, tokens) in &self.files {
            for (path, name) in exported(tokens) {
                if let Some(path) = self.absolute(module, &path) {
                    exports.insert((module.clone(), name), path);
                }
            }
        }
        exports
    }

    /// A path from the crate on; nothing for one into another crate or of a local name.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some([&module[..1], rest].concat()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let mut module = module.clone();
                module.pop()?;
                self.absolute(&module, &[&owned(&["self"]), rest].concat())
                    .map(
                        |path| match rest.first().is_some_and(|next| next == "super") {
                            true => self.absolute(&module, rest).unwrap_or(path),
                            false => path,
                        },
                    )
            }
            _ if self.files.contains_key(&path[..1]) => Some(path.to_vec()),
            _ => {
                let child = [module, &path[..1]].concat();
                self.files
                    .contains_key(&child)
                    .then(|| [module, path].concat())
            }
        }
    }

    /// The file in which what is at a path is defined, also behind a `pub use`.
    fn defining(
        &self,
        exports: &BTreeMap<(Module, String), Module>,
        path: &Module,
    ) -> Option<Module> {
        let length = (1..=path.len())
            .rev()
            .find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let behind = rest
            .first()
            .and_then(|name| exports.get(&(module.to_vec(), name.clone())));
        match behind {
            Some(behind) if behind != path => self.defining(exports, behind),
            _ => Some(module.to_vec()),
        }
    }
}

/// The shortest way from a module to itself.
fn circle(start: &Module, imports: &BTreeMap<&Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports.get(way.last()?).into_iter().flatten() {
                if next == start {
                    return Some([way.as_slice(), std::slice::from_ref(start)].concat());
                }
                if seen.insert(next) {
                    longer.push([way.as_slice(), std::slice::from_ref(next)].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

/// Reads a folder's modules. Tests may import what they like.
fn read(folder: &Path, module: &Module, files: &mut BTreeMap<Module, TokenStream>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" {
            continue;
        }
        let inner = match name.as_str() {
            "lib" | "mod" => module.clone(),
            _ => [module.as_slice(), &[name]].concat(),
        };
        if path.is_dir() {
            read(&path, &inner, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.insert(inner, text.parse().unwrap());
        }
    }
}

/// A file's tokens without its `#[cfg(test)] mod tests { .. }`, and without what it exports only.
fn production(tokens: &TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let is = |ahead: usize, word: &str| matches!(tokens.get(index + ahead), Some(TokenTree::Ident(ident)) if ident == word);
        if is(0, "mod") && is(1, "tests") {
            index += 3;
        } else if let Some((_, length)) = export(&tokens[index..]) {
            index += length;
        } else {
            kept.push(token.clone());
            index += 1;
        }
    }
    kept
}

/// Every path that is written: `use` trees unfolded, and paths within code.
fn paths(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        match token {
            // The group of `pub(in crate::room)`.
            TokenTree::Ident(word) if word == "pub" => index += 2,
            TokenTree::Ident(_) => index += path(&tokens[index..], &[], &mut found).max(1),
            TokenTree::Group(group) => {
                found.extend(paths(&group.stream().into_iter().collect::<Vec<_>>()));
                index += 1;
            }
            _ => index += 1,
        }
    }
    found
}

/// Reads one path, or tree of paths, at the beginning; tells how many tokens it takes.
fn path(tokens: &[TokenTree], prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut index = 0;
    loop {
        match tokens.get(index) {
            Some(TokenTree::Ident(ident)) => {
                // `a::{self}` is `a`.
                if ident != "self" || path.is_empty() {
                    path.push(ident.to_string());
                }
                index += 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let branches = inner.split(|token| is_punctuation(token, ','));
                for branch in branches.filter(|branch| !branch.is_empty()) {
                    self::path(branch, &path, found);
                }
                return index + 1;
            }
            Some(star) if is_punctuation(star, '*') && !path.is_empty() => {
                path.push("*".to_owned());
                index += 1;
            }
            _ => break,
        }
        let colons = tokens.get(index..index + 2);
        if !colons.is_some_and(|two| two.iter().all(|token| is_punctuation(token, ':'))) {
            break;
        }
        index += 2;
    }
    // A name alone is a local one, `mod name;` or the `crate` of `pub(crate)`.
    if path.len() > 1 {
        found.push(path);
    }
    index
}

/// What a file exports of others: the path and the name.
fn exported(tokens: &TokenStream) -> Vec<Export> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    (0..tokens.len())
        .filter_map(|index| export(&tokens[index..]))
        .flat_map(|(names, _)| names)
        .collect()
}

/// A path, and the name by which it is exported.
type Export = (Vec<String>, String);

/// A `pub use` at the beginning, and how many tokens it takes.
fn export(tokens: &[TokenTree]) -> Option<(Vec<Export>, usize)> {
    let is = |index: usize, word: &str| matches!(tokens.get(index), Some(TokenTree::Ident(ident)) if ident == word);
    let is_limited = matches!(tokens.get(1), Some(TokenTree::Group(_)));
    let begin = 1 + usize::from(is_limited);
    if !is(0, "pub") || !is(begin, "use") {
        return None;
    }
    let length = tokens.iter().position(|token| is_punctuation(token, ';'))?;
    let tree: Vec<_> = tokens[begin + 1..length].to_vec();
    let mut found = Vec::new();
    path(&tree, &[], &mut found);
    let alias = match tree.as_slice() {
        [.., TokenTree::Ident(word), TokenTree::Ident(alias)] if word == "as" => {
            Some(alias.to_string())
        }
        _ => None,
    };
    let names = found.into_iter().filter_map(|path| {
        let name = alias.clone().or_else(|| path.last().cloned())?;
        Some((path, name))
    });
    Some((names.collect(), length + 1))
}

fn is_punctuation(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punctuation) if punctuation.as_char() == character)
}

fn owned(names: &[&str]) -> Module {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}
