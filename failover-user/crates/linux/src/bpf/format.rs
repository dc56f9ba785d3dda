//! Where a tracepoint's fields lie: the parser of tracefs `format` files.
//!
//! A line reads `field:unsigned short common_type; offset:0; size:2; signed:0;`, with tabs
//! (kernel/trace/trace_events.c, `f_show`, 6.18).

use thiserror::Error;

/// A field's place in the record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    pub offset: u32,
    pub size: u32,
}

/// Why a field's place isn't known.
#[derive(Debug, Error, Eq, PartialEq)]
pub enum FormatError {
    /// This kernel's tracepoint lacks it.
    #[error("has no field `{0}`")]
    Missing(String),
    /// The kernel program was written for another size.
    #[error("has field `{name}` with {found} bytes, not {expected}")]
    Size {
        /// The field.
        name: String,
        /// In the file.
        found: u32,
        /// In the kernel program.
        expected: u32,
    },
}

/// The place of the field of that name, if it has that size.
pub fn offset(format: &str, name: &str, size: u32) -> Result<u32, FormatError> {
    let field = format
        .lines()
        .filter_map(parse_line)
        .find_map(|(found, field)| (found == name).then_some(field))
        .ok_or_else(|| FormatError::Missing(name.to_owned()))?;
    if field.size != size {
        return Err(FormatError::Size {
            name: name.to_owned(),
            found: field.size,
            expected: size,
        });
    }
    Ok(field.offset)
}

fn parse_line(line: &str) -> Option<(&str, Field)> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let size = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    // `__u8 saddr[4]`, `struct sockaddr * umyaddr`, `int fd`
    let declarator = declaration.rsplit([' ', '*']).next()?;
    let name = declarator.split('[').next()?;
    (!name.is_empty()).then_some((name, Field { offset, size }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzz;

    const FORMAT: &str = "name: sys_enter_bind\nID: 1287\nformat:\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n\
        \tfield:int fd;\toffset:16;\tsize:8;\tsigned:0;\n\
        \tfield:struct sockaddr * umyaddr;\toffset:24;\tsize:8;\tsigned:0;\n\
        \tfield:__u8 name[4];\toffset:40;\tsize:4;\tsigned:0;\n\
        \nprint fmt: \"field:x; offset:1;\"\n";

    #[test]
    fn a_field_is_found_by_its_name_whatever_its_type() {
        assert_eq!(offset(FORMAT, "fd", 8), Ok(16));
        assert_eq!(offset(FORMAT, "umyaddr", 8), Ok(24));
        assert_eq!(offset(FORMAT, "name", 4), Ok(40));
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(
            offset(FORMAT, "addrlen", 8),
            Err(FormatError::Missing("addrlen".into()))
        );
    }

    #[test]
    fn a_field_of_another_size_is_refused() {
        assert_eq!(
            offset(FORMAT, "fd", 4),
            Err(FormatError::Size {
                name: "fd".into(),
                found: 8,
                expected: 4
            })
        );
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,400}") {
            fuzz::format(text.as_bytes());
        }

        #[test]
        fn no_mangled_format_breaks_it(cut in 0..FORMAT.len(), gone in 0..9_usize, with in "[\\PC]{0,4}") {
            let mut text = FORMAT.to_owned();
            text.replace_range(cut..(cut + gone).min(FORMAT.len()), &with);
            fuzz::format(text.as_bytes());
        }
    }
}
