//! The configuration file: TOML with the flags' names.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use failover_linux::{escape, files};

use crate::config::{
    diagnostic,
    error::{ConfigurationError, Fault, Faults, Place},
    option::OptionSet as _,
    options::Options,
    secret, trust,
};

/// Hundreds of times what all options take.
const LONGEST_FILE: u64 = 64 * 1024;
/// How alike (Jaro) a key must be to be what was meant; clap uses the same for flags.
const ALIKE: f64 = 0.7;

/// Options that may stand in a section, there without its name: `sync-every` is `every` in `[sync]`.
const SECTIONS: [&str; 1] = ["sync"];

/// By option: the line, from 1.
pub(super) type LineNumbers = BTreeMap<String, usize>;

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) options: Options,
    pub(super) lines: LineNumbers,
}

/// Who may have written a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Author {
    /// It names commands that root runs: nobody but this account and root.
    Trusted,
    /// Anybody: nothing is run.
    Anybody,
}

/// The content, if it can be read, and all that is wrong with it.
pub(super) fn read(path: &Path, author: Author) -> (Option<Written>, Vec<Fault>) {
    let read_error = |source| ConfigurationError::Read {
        path: path.to_owned(),
        source,
    };
    let mut faults: Vec<Fault> = Vec::new();
    let read = files::read_at_most(path, LONGEST_FILE).map_err(read_error);
    let text = read.and_then(|(bytes, file)| {
        if author == Author::Trusted {
            let trusted = trust::check(&file, path).map_err(read_error)?;
            faults.extend(trusted.err().map(ConfigurationError::from).map(Fault::from));
        }
        if bytes.len() as u64 > LONGEST_FILE {
            return Err(ConfigurationError::TooLong {
                path: path.to_owned(),
                limit: LONGEST_FILE,
            });
        }
        String::from_utf8(bytes)
            .map_err(|_| read_error(std::io::Error::other("it is no text (UTF-8)")))
    });
    let written = text
        .map_err(|error| vec![Fault::from(error)])
        .and_then(|text| shown(path, &text));
    match written {
        Ok(written) => (Some(written), faults),
        Err(more) => {
            faults.extend(more);
            (None, faults)
        }
    }
}

fn shown(path: &Path, text: &str) -> Result<Written, Vec<Fault>> {
    let path = path.to_owned();
    match parse(text) {
        Ok((options, lines)) => Ok(Written {
            path,
            options,
            lines,
        }),
        Err(faults) => Err(faults
            .into_iter()
            .map(|(line, message)| Fault {
                place: Some(Place {
                    path: path.clone(),
                    line,
                }),
                error: ConfigurationError::Written(message),
            })
            .collect()),
    }
}

/// The options, or line and message of all that is wrong. A message is one line, whatever it quotes.
pub(crate) fn parse(text: &str) -> Result<(Options, LineNumbers), Vec<(usize, String)>> {
    let at = |position: usize| {
        let before = text.bytes().take(position);
        1 + before.filter(|byte| *byte == b'\n').count()
    };
    let mut faults: BTreeMap<usize, String> = BTreeMap::new();
    // One mistake is reported once.
    let mut fault = |position, message: String| {
        let message = escape::one_line(&message);
        faults.entry(at(position)).or_insert(message);
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        fault(span.start, diagnostic::syntax(text, &span, error.message()));
    }
    let (mut options, mut lines) = (Options::default(), LineNumbers::new());
    for Key {
        section,
        written_as,
        start,
        value,
    } in keys(table.get_ref())
    {
        let name = section.map_or_else(
            || written_as.to_owned(),
            |section| format!("{section}-{written_as}"),
        );
        if !Options::has(&name) {
            fault(start, unknown(section, written_as));
            continue;
        }
        if lines.contains_key(&name) {
            fault(start, format!("`{name}` is set twice; remove one of them"));
            continue;
        }
        if let Err(error) = options.set(&name, ValueDeserializer::from(value.clone())) {
            let written = text.get(value.span()).unwrap_or_default();
            let message = diagnostic::refused(&name, value.get_ref(), written, error.message());
            fault(start, message);
        }
        lines.insert(name, at(start));
    }
    match faults.is_empty() {
        true => Ok((options, lines)),
        false => Err(faults.into_iter().collect()),
    }
}

/// The values of these keys, where they are texts, even if the rest is invalid.
pub(super) fn texts<const COUNT: usize>(
    text: &str,
    keys: [&str; COUNT],
) -> [Option<String>; COUNT] {
    let (table, _) = DeTable::parse_recoverable(text);
    keys.map(|key| {
        let mut entries = table.get_ref().iter();
        let (_, value) = entries.find(|(name, _)| name.get_ref() == key)?;
        value.get_ref().as_str().map(str::to_owned)
    })
}

/// The text, for [`texts`].
pub(super) fn text(path: &Path) -> std::io::Result<String> {
    let (bytes, _) = files::read_at_most(path, LONGEST_FILE)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A key, wherever it stands.
struct Key<'file> {
    /// The section that it stands in.
    section: Option<&'static str>,
    /// Its name there.
    written_as: &'file str,
    start: usize,
    value: &'file Spanned<DeValue<'file>>,
}

/// The keys of the file, and those of its sections.
fn keys<'file>(table: &'file DeTable<'file>) -> Vec<Key<'file>> {
    let mut keys = Vec::new();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let section = SECTIONS.into_iter().find(|section| *section == name);
        match (section, value.get_ref()) {
            (Some(section), DeValue::Table(inner)) => {
                keys.extend(inner.iter().map(|(key, value)| Key {
                    section: Some(section),
                    written_as: key.get_ref(),
                    start: key.span().start,
                    value,
                }));
            }
            _ => keys.push(Key {
                section: None,
                written_as: name,
                start: key.span().start,
                value,
            }),
        }
    }
    keys
}

fn unknown(section: Option<&str>, key: &str) -> String {
    if let Some(section) = SECTIONS.into_iter().find(|section| *section == key) {
        return format!("`{section}` is a section; write [{section}], and its keys below it");
    }
    let prefix = section.map_or_else(String::new, |section| format!("{section}-"));
    let nearest = Options::descriptions()
        .into_iter()
        .filter_map(|known| known.name.strip_prefix(&prefix))
        .map(|known| (strsim::jaro(key, known), known))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let key = secret::quoted(key);
    let place = section.map_or_else(String::new, |section| format!(" in [{section}]"));
    match nearest {
        Some((_, nearest)) => format!("unknown key `{key}`{place}; did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`{place}; `failover run --help` lists them"),
    }
}

/// The content of a file as options.
impl FromStr for Options {
    type Err = Faults;

    fn from_str(text: &str) -> Result<Self, Faults> {
        let fault = |(_, message)| Fault::from(ConfigurationError::Written(message));
        match parse(text) {
            Ok((options, _)) => Ok(options),
            Err(faults) => Err(Faults(faults.into_iter().map(fault).collect())),
        }
    }
}

#[cfg(test)]
mod tests;
