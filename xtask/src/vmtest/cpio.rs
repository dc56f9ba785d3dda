//! Writes a cpio archive in the format that the kernel unpacks (`newc`,
//! Documentation/driver-api/early-userspace/buffer-format.rst, 6.18).

use anyhow::{Context, Result};

/// File types and permissions, as in inode(7).
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
/// Ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// An archive that is being written. Everything in it is root's.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a directory; those above it must be there.
    pub(super) fn directory(&mut self, path: &str) -> Result<()> {
        self.entry(path, DIRECTORY, &[])
    }

    /// Adds a file that can be executed; its directory must be there.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.entry(path, PROGRAM, content)
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.entry(TRAILER, 0, &[])?;
        Ok(self.bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let size = u32::try_from(content.len())
            .with_context(|| format!("{path} is too large for a cpio archive"))?;
        let name_size = u32::try_from(path.len() + 1)
            .with_context(|| format!("the name {path} is too long for a cpio archive"))?;
        self.entries += 1;
        // Inode, mode, owner, group, links, date, size, device (major, minor), the device that it
        // is (major, minor), size of the name with its zero, checksum.
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
        Ok(())
    }

    /// Headers and contents begin at multiples of four.
    fn pad(&mut self) {
        let length = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_as_cpio_writes_it() {
        let mut archive = Archive::default();
        archive.directory("bin").unwrap();
        archive.file("bin/a", b"hello").unwrap();
        let bytes = archive.finish().unwrap();
        // A header has 6 + 13 * 8 = 110 bytes.
        let directory = "070701\
            00000001000041ed00000000000000000000000100000000\
            000000000000000000000000000000000000000000000004\
            00000000bin\0\0\0";
        let file = "070701\
            00000002000081ed00000000000000000000000100000000\
            000000050000000000000000000000000000000000000006\
            00000000bin/a\0hello\0\0\0";
        let end = "070701\
            000000030000000000000000000000000000000100000000\
            00000000000000000000000000000000000000000000000b\
            00000000TRAILER!!!\0\0\0\0";
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            [directory, file, end].concat()
        );
    }
}
