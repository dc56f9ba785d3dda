//! Where structure members lie in the running kernel: a walker of BTF
//! (Documentation/bpf/btf.rst, include/uapi/linux/btf.h, 6.18).
//!
//! It reads the 5 MB in place: one pass that notes where each type begins, then a walk along the
//! names asked for. Nothing is trusted: every read is checked, every chase bounded.

use thiserror::Error;

const MAGIC: u16 = 0xeb9f;
/// More than any kernel has (120,000 in 6.18), so that a broken file costs no memory.
const MOST_TYPES: usize = 4_000_000;
/// Typedefs and qualifiers in a row, anonymous structures in one another.
const DEEPEST: u32 = 32;
/// Members looked at for one question; the answer for 6.18 takes a few hundred. Without it, a
/// structure with two anonymous members of its own type would be walked 2^32 times.
const MOST_LOOKS: u32 = 1 << 20;

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FWD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const FLOAT: u32 = 16;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// Why a member's place isn't known.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum BtfError {
    /// The data isn't BTF, or of a byte order that isn't this machine's.
    #[error("is not BTF of this machine")]
    NotBtf,
    /// It ends too early or refers to places outside itself.
    #[error("is damaged at byte {0}")]
    Damaged(usize),
    /// A kind of type that this program is too old for.
    #[error("has a type of unknown kind {0}")]
    UnknownKind(u32),
    /// No such structure.
    #[error("has no `struct {0}`")]
    NoStructure(String),
    /// The structure has no such member, or not at a whole byte.
    #[error("has no member `{member}` in `struct {structure}`")]
    NoMember {
        /// The structure.
        structure: String,
        /// The member, with dots.
        member: String,
    },
}

/// BTF, with the place of each type.
pub struct Btf<'a> {
    bytes: &'a [u8],
    strings: usize,
    /// Byte position of each type, by its number; the first, `void`, has none.
    positions: Vec<u32>,
}

/// The twelve bytes that every type begins with.
#[derive(Clone, Copy)]
struct Header {
    name: u32,
    kind: u32,
    flag: bool,
    length: u32,
    /// A size or a type, by kind.
    size_or_type: u32,
    /// Where what follows begins.
    rest: usize,
}

impl<'a> Btf<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        if read_u16(bytes, 0) != Ok(MAGIC) {
            return Err(BtfError::NotBtf);
        }
        let header = read_u32(bytes, 4)? as usize;
        let at = |offset: u32| {
            header
                .checked_add(offset as usize)
                .ok_or(BtfError::Damaged(4))
        };
        let types = at(read_u32(bytes, 8)?)?;
        let end = types
            .checked_add(read_u32(bytes, 12)? as usize)
            .filter(|end| *end <= bytes.len())
            .ok_or(BtfError::Damaged(12))?;
        let strings = at(read_u32(bytes, 16)?)?;
        let mut btf = Self {
            bytes,
            strings,
            positions: vec![0],
        };
        let mut position = types;
        while position < end && btf.positions.len() < MOST_TYPES {
            btf.positions
                .push(u32::try_from(position).map_err(|_| BtfError::Damaged(position))?);
            position = btf.header_at(position)?.end()?;
        }
        Ok(btf)
    }

    /// How many types there are, `void` included.
    pub fn types(&self) -> usize {
        self.positions.len()
    }

    /// Byte offset of a member, named with dots: `__sk_common.skc_net.net` in `sock`.
    pub fn offset(&self, structure: &str, member: &str) -> Result<u32, BtfError> {
        let mut found = false;
        let mut looks = MOST_LOOKS;
        for position in self.positions.iter().skip(1) {
            let header = self.header_at(*position as usize)?;
            if header.kind != STRUCT || !self.is_named(header.name, structure) {
                continue;
            }
            found = true;
            // Two structures may share a name; the one with the member is meant.
            if let Some(bits) = self.walk(header, member, &mut looks)?
                && bits % 8 == 0
            {
                return Ok(bits / 8);
            }
        }
        Err(if found {
            BtfError::NoMember {
                structure: structure.to_owned(),
                member: member.to_owned(),
            }
        } else {
            BtfError::NoStructure(structure.to_owned())
        })
    }

    /// Is there a function of that name?
    pub fn has_function(&self, name: &str) -> bool {
        let mut headers = self.positions.iter().skip(1).map_while(|position| {
            // Parsing has seen them all.
            self.header_at(*position as usize).ok()
        });
        headers.any(|header| header.kind == FUNC && self.is_named(header.name, name))
    }

    fn walk(
        &self,
        structure: Header,
        path: &str,
        looks: &mut u32,
    ) -> Result<Option<u32>, BtfError> {
        let mut header = structure;
        let mut bits = 0_u32;
        for name in path.split('.') {
            let Some((offset, member_type)) = self.member(header, name, DEEPEST, looks)? else {
                return Ok(None);
            };
            bits = bits.saturating_add(offset);
            match self.stripped(member_type)? {
                Some(next) => header = next,
                None => return Ok(None),
            }
        }
        Ok(Some(bits))
    }

    /// Offset in bits and type of a member, also inside anonymous structures and unions.
    fn member(
        &self,
        structure: Header,
        name: &str,
        depth: u32,
        looks: &mut u32,
    ) -> Result<Option<(u32, u32)>, BtfError> {
        if !matches!(structure.kind, STRUCT | UNION) || depth == 0 {
            return Ok(None);
        }
        for index in 0..structure.length as usize {
            let at = structure.rest + index * 12;
            *looks = looks.checked_sub(1).ok_or(BtfError::Damaged(at))?;
            let member_name = read_u32(self.bytes, at)?;
            let member_type = read_u32(self.bytes, at + 4)?;
            let raw = read_u32(self.bytes, at + 8)?;
            // With the flag, the upper byte is a bit field's width.
            let offset = if structure.flag {
                raw & 0x00ff_ffff
            } else {
                raw
            };
            if self.is_named(member_name, name) {
                return Ok(Some((offset, member_type)));
            }
            if self.is_named(member_name, "")
                && let Some(inner) = self.stripped(member_type)?
                && let Some((more, found)) = self.member(inner, name, depth - 1, looks)?
            {
                return Ok(Some((offset.saturating_add(more), found)));
            }
        }
        Ok(None)
    }

    /// The type behind typedefs and qualifiers; `None` for `void`.
    fn stripped(&self, mut number: u32) -> Result<Option<Header>, BtfError> {
        for _ in 0..DEEPEST {
            if number == 0 {
                return Ok(None);
            }
            let position = *self
                .positions
                .get(number as usize)
                .ok_or(BtfError::Damaged(number as usize))?;
            let header = self.header_at(position as usize)?;
            match header.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => number = header.size_or_type,
                _ => return Ok(Some(header)),
            }
        }
        Ok(None)
    }

    fn header_at(&self, position: usize) -> Result<Header, BtfError> {
        let info = read_u32(self.bytes, position + 4)?;
        Ok(Header {
            name: read_u32(self.bytes, position)?,
            kind: (info >> 24) & 0x1f,
            flag: info >> 31 == 1,
            length: info & 0xffff,
            size_or_type: read_u32(self.bytes, position + 8)?,
            rest: position + 12,
        })
    }

    fn is_named(&self, name: u32, wanted: &str) -> bool {
        let begin = self.strings.saturating_add(name as usize);
        let end = begin.saturating_add(wanted.len());
        self.bytes.get(begin..end) == Some(wanted.as_bytes()) && self.bytes.get(end) == Some(&0)
    }
}

impl Header {
    /// Where the next type begins.
    fn end(&self) -> Result<usize, BtfError> {
        let each = match self.kind {
            INT | VAR | DECL_TAG => return Ok(self.rest + 4),
            ARRAY => return Ok(self.rest + 12),
            PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
            STRUCT | UNION | DATASEC | ENUM64 => 12,
            ENUM | FUNC_PROTO => 8,
            unknown => return Err(BtfError::UnknownKind(unknown)),
        };
        Ok(self.rest + self.length as usize * each)
    }
}

fn read_u16(bytes: &[u8], at: usize) -> Result<u16, BtfError> {
    let raw = bytes.get(at..).and_then(|rest| rest.first_chunk());
    raw.map(|raw| u16::from_ne_bytes(*raw))
        .ok_or(BtfError::Damaged(at))
}

fn read_u32(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let raw = bytes.get(at..).and_then(|rest| rest.first_chunk());
    raw.map(|raw| u32::from_ne_bytes(*raw))
        .ok_or(BtfError::Damaged(at))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::fuzz;

    /// A little BTF: `struct inner { int a, b; }`, `typedef const inner alias`,
    /// `struct outer { int x; union { int u; alias deep; }; }`, a forward `struct lost`.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0inner\0a\0b\0alias\0outer\0x\0u\0deep\0";
        let name = |wanted: &str| {
            let needle = [b"\0", wanted.as_bytes(), b"\0"].concat();
            let at = strings
                .windows(needle.len())
                .position(|window| window == needle);
            u32::try_from(at.unwrap() + 1).unwrap()
        };
        let info = |kind: u32, length: u32| (kind << 24) | length;
        let types: Vec<u32> = [
            vec![name("int"), info(INT, 0), 4, 0], // 1
            vec![
                name("inner"),
                info(STRUCT, 2),
                8,
                name("a"),
                1,
                0,
                name("b"),
                1,
                32,
            ], // 2
            vec![0, info(CONST, 0), 2],            // 3
            vec![name("alias"), info(TYPEDEF, 0), 3], // 4
            vec![0, info(UNION, 2), 8, name("u"), 1, 0, name("deep"), 4, 0], // 5
            vec![
                name("outer"),
                info(STRUCT, 2),
                12,
                name("x"),
                1,
                0,
                0,
                5,
                32,
            ], // 6
        ]
        .concat();
        let length = u32::try_from(types.len() * 4).unwrap();
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [24, 0, length, length, u32::try_from(strings.len()).unwrap()] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(types.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn members_are_found_through_typedefs_qualifiers_and_anonymous_unions() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.offset("inner", "b"), Ok(4));
        assert_eq!(btf.offset("outer", "x"), Ok(0));
        assert_eq!(btf.offset("outer", "u"), Ok(4));
        assert_eq!(btf.offset("outer", "deep.b"), Ok(8));
    }

    #[test]
    fn what_is_missing_is_named() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(
            btf.offset("gone", "x"),
            Err(BtfError::NoStructure("gone".into()))
        );
        let error = btf.offset("outer", "deep.c").unwrap_err();
        assert_eq!(
            error.to_string(),
            "has no member `deep.c` in `struct outer`"
        );
    }

    #[test]
    fn the_running_kernel_has_a_socket_with_a_namespace() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            panic!("this kernel has no BTF, so neither this test nor the program can work here");
        };
        let btf = Btf::parse(&bytes).unwrap();
        assert!(btf.offset("sock", "__sk_common.skc_net.net").unwrap() > 0);
        assert!(btf.has_function("inet_bind"));
        assert!(!btf.has_function("inet_bin") && !btf.has_function("sock"));
    }

    /// Two anonymous members of the structure's own type.
    #[test]
    fn a_structure_inside_itself_is_not_walked_for_ever() {
        let types = [1, (STRUCT << 24) | 2, 8, 0, 1, 0, 0, 1, 0];
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [24, 0, 36, 36, 3].into_iter().chain(types) {
            bytes.extend(u32::to_ne_bytes(word));
        }
        bytes.extend(b"\0a\0");
        let btf = Btf::parse(&bytes).unwrap();
        assert!(matches!(btf.offset("a", "b"), Err(BtfError::Damaged(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in vec(any::<u8>(), 0..200)) {
            fuzz::btf(&bytes);
        }

        #[test]
        fn no_damage_breaks_it(damage in vec((0..sample().len(), any::<u8>()), 1..8), cut in 0..40_usize) {
            let mut bytes = sample();
            for (at, byte) in damage {
                bytes[at] = byte;
            }
            bytes.truncate(bytes.len() - cut);
            fuzz::btf(&bytes);
        }
    }
}
