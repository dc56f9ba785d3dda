//! Additional binary formats that this kernel is configured to run (binfmt_misc(8),
//! Documentation/admin-guide/binfmt-misc.rst), for example foreign architectures under QEMU.

use std::{fs, path::Path};

use crate::preflight::startable::read;

const PLACE: &str = "/proc/sys/fs/binfmt_misc";
/// Far larger than an entry.
const LONGEST: u64 = 16 * 1024;
const MOST: usize = 1000;

/// Does a registered format match a program with this name and beginning?
pub(super) fn is_known(program: &Path, beginning: &[u8]) -> bool {
    is_known_in(Path::new(PLACE), program, beginning)
}

fn is_known_in(place: &Path, program: &Path, beginning: &[u8]) -> bool {
    let entries = fs::read_dir(place)
        .into_iter()
        .flatten()
        .take(MOST)
        .flatten();
    entries
        .filter_map(|entry| read(&entry.path(), LONGEST).ok())
        .any(|entry| is_fitting(&entry, program, beginning))
}

fn is_fitting(entry: &str, program: &Path, beginning: &[u8]) -> bool {
    let value = |name: &str| {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    if entry.lines().next() != Some("enabled") {
        return false;
    }
    if let Some(extension) = value("extension") {
        let own = program.extension().and_then(|own| own.to_str());
        return own.is_some_and(|own| extension.strip_prefix('.') == Some(own));
    }
    let Some(magic) = value("magic").and_then(bytes) else {
        return false;
    };
    let mask = value("mask").and_then(bytes);
    let offset = value("offset").and_then(|offset| offset.trim().parse().ok());
    let Some(there) = beginning.get(offset.unwrap_or(0)..) else {
        return false;
    };
    !magic.is_empty()
        && there.len() >= magic.len()
        && magic
            .iter()
            .zip(there)
            .enumerate()
            .all(|(place, (wanted, found))| {
                let mask = mask.as_ref().and_then(|mask| mask.get(place)).copied();
                (wanted ^ found) & mask.unwrap_or(0xff) == 0
            })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, _) = digits.trim().as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_beginning_or_its_name_while_that_is_enabled() {
        let place = tempfile::tempdir().unwrap();
        let entry = "enabled\ninterpreter /usr/bin/qemu-arm\nflags: OCF\noffset 0\nmagic 7f454c4601\nmask ffffffff00\n";
        fs::write(place.path().join("qemu-arm"), entry).unwrap();
        fs::write(
            place.path().join("wine"),
            "enabled\ninterpreter /usr/bin/wine\nextension .exe\n",
        )
        .unwrap();
        fs::write(place.path().join("status"), "enabled\n").unwrap();
        let known =
            |name: &str, beginning: &[u8]| is_known_in(place.path(), Path::new(name), beginning);
        assert!(known("/a", b"\x7fELF\x02rest"));
        assert!(!known("/a", b"\x7fELg\x02"));
        assert!(!known("/a", b"\x7fE"));
        assert!(known("/a.exe", b""));
        assert!(!known("/exe", b""));
        fs::write(
            place.path().join("qemu-arm"),
            entry.replace("enabled", "disabled"),
        )
        .unwrap();
        assert!(!known("/a", b"\x7fELF\x02rest"));
        assert!(!is_known_in(
            Path::new("/proc/nowhere"),
            Path::new("/a.exe"),
            b""
        ));
    }
}
