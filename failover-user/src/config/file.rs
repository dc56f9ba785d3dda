//! The configuration file: TOML with the flags' names.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use toml::de::{DeTable, ValueDeserializer};

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
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        if !Options::has(name) {
            fault(key.span().start, unknown(name));
            continue;
        }
        if let Err(error) = options.set(name, ValueDeserializer::from(value.clone())) {
            let written = text.get(value.span()).unwrap_or_default();
            let message = diagnostic::refused(name, value.get_ref(), written, error.message());
            fault(key.span().start, message);
        }
        lines.insert(name.to_owned(), at(key.span().start));
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

fn unknown(key: &str) -> String {
    let nearest = Options::descriptions()
        .into_iter()
        .map(|known| (strsim::jaro(key, &known.name), &known.name))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let key = secret::quoted(key);
    match nearest {
        Some((_, nearest)) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`; `failover run --help` lists them"),
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
