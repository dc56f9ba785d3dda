//! What an ELF file requires: a processor architecture and a loader (elf(5)).

use std::{fs::File, os::unix::fs::FileExt as _, path::PathBuf};

/// The size of the 64-bit file header, in bytes.
const HEADER: usize = 64;
const MAGIC: &[u8] = b"\x7fELF";
/// Limit for program headers: more than any linker writes.
const MOST_HEADERS: u16 = 256;
const PT_INTERP: u32 = 3;
/// PATH_MAX (limits.h).
const LONGEST_PATH: u64 = 4096;

/// An ELF file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Elf {
    /// `e_machine`.
    pub(super) machine: u16,
    /// The loader; `None` for a static program.
    pub(super) loader: Option<PathBuf>,
}

/// Reads the headers. `None`: not an ELF file, or a damaged one.
pub(super) fn read(file: &File) -> Option<Elf> {
    let mut header = [0; HEADER];
    let length = file.read_at(&mut header, 0).ok()?;
    let header = header.get(..length)?;
    let form = Form::of(header)?;
    let machine = form.u16(header, 18)?;
    let (offset, size, count) = match form.is_64_bit {
        true => (
            form.u64(header, 32)?,
            form.u16(header, 54)?,
            form.u16(header, 56)?,
        ),
        false => (
            form.u32(header, 28)?.into(),
            form.u16(header, 42)?,
            form.u16(header, 44)?,
        ),
    };
    let mut loader = None;
    for number in 0..count.min(MOST_HEADERS) {
        let mut entry = [0; 56];
        let at = offset.checked_add(u64::from(number) * u64::from(size))?;
        let length = file.read_at(&mut entry, at).ok()?;
        let entry = entry.get(..length)?;
        if form.u32(entry, 0)? != PT_INTERP {
            continue;
        }
        let (at, length) = match form.is_64_bit {
            true => (form.u64(entry, 8)?, form.u64(entry, 32)?),
            false => (form.u32(entry, 4)?.into(), form.u32(entry, 16)?.into()),
        };
        let mut path = vec![0; usize::try_from(length.min(LONGEST_PATH)).ok()?];
        file.read_exact_at(&mut path, at).ok()?;
        let end = path
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(path.len());
        loader = Some(PathBuf::from(
            String::from_utf8(path.get(..end)?.to_vec()).ok()?,
        ));
        break;
    }
    Some(Elf { machine, loader })
}

/// The usual name of this architecture number (elf.h).
pub(super) fn machine_name(machine: u16) -> String {
    let name = match machine {
        2 | 18 | 43 => "SPARC",
        3 => "32-bit x86",
        8 => "MIPS",
        20 => "32-bit PowerPC",
        21 => "64-bit PowerPC",
        22 => "S/390",
        40 => "32-bit ARM",
        62 => "x86-64",
        183 => "64-bit ARM",
        243 => "RISC-V",
        258 => "LoongArch",
        other => return format!("machine {other}"),
    };
    name.to_owned()
}

/// Can a kernel of one architecture run programs of the other?
pub(super) fn is_run_by(machine: u16, own: u16) -> bool {
    // x86-64 runs 32-bit x86 (IA32_EMULATION), 64-bit ARM 32-bit ARM (COMPAT).
    machine == own || matches!((own, machine), (62, 3) | (183, 40))
}

/// Word size and byte order of a file.
#[derive(Clone, Copy)]
struct Form {
    is_64_bit: bool,
    is_big_endian: bool,
}

impl Form {
    fn of(header: &[u8]) -> Option<Self> {
        let rest = header.strip_prefix(MAGIC)?;
        Some(Self {
            is_64_bit: match rest.first()? {
                1 => false,
                2 => true,
                _ => return None,
            },
            is_big_endian: match rest.get(1)? {
                1 => false,
                2 => true,
                _ => return None,
            },
        })
    }

    fn number<const N: usize>(self, bytes: &[u8], at: usize) -> Option<[u8; N]> {
        let mut number: [u8; N] = bytes.get(at..at.checked_add(N)?)?.try_into().ok()?;
        if self.is_big_endian {
            number.reverse();
        }
        Some(number)
    }

    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        self.number(bytes, at).map(u16::from_le_bytes)
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        self.number(bytes, at).map(u32::from_le_bytes)
    }

    fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at).map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn of(bytes: &[u8]) -> Option<Elf> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file)
    }

    #[test]
    fn this_program_is_for_this_machine_and_its_loader_is_here() {
        let own = read(&File::open("/proc/self/exe").unwrap()).unwrap();
        assert!(is_run_by(own.machine, own.machine));
        assert!(!is_run_by(own.machine, 0xffff));
        if let Some(loader) = own.loader {
            assert!(loader.is_absolute() && loader.exists(), "{loader:?}");
        }
    }

    #[test]
    fn both_widths_and_orders_are_read() {
        // 32 bit, big-endian PowerPC, one program header at 52 that names a loader at 84.
        let mut bytes = vec![0; 84];
        bytes[..6].copy_from_slice(b"\x7fELF\x01\x02");
        bytes[18..20].copy_from_slice(&20_u16.to_be_bytes());
        bytes[28..32].copy_from_slice(&52_u32.to_be_bytes());
        bytes[42..44].copy_from_slice(&32_u16.to_be_bytes());
        bytes[44..46].copy_from_slice(&1_u16.to_be_bytes());
        bytes[52..56].copy_from_slice(&3_u32.to_be_bytes());
        bytes[56..60].copy_from_slice(&84_u32.to_be_bytes());
        bytes[68..72].copy_from_slice(&11_u32.to_be_bytes());
        bytes.extend(b"/lib/ld.so\0");
        let elf = of(&bytes).unwrap();
        assert_eq!(
            (elf.machine, machine_name(20)),
            (20, "32-bit PowerPC".to_owned())
        );
        assert_eq!(elf.loader, Some("/lib/ld.so".into()));
        assert_eq!(of(b"#!/bin/sh\n"), None);
        assert_eq!(of(b""), None);
    }

    proptest! {
        #[test]
        fn no_file_breaks_it(mut bytes in vec(any::<u8>(), 6..200), wide in any::<bool>()) {
            bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
            bytes[4] += u8::from(wide);
            let _ = of(&bytes);
        }
    }
}
