//! Programs that can't be run, and some that can.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
};

use rustix::process::geteuid;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn runner(&self) -> Runner<'static> {
        Runner {
            account: None,
            path: SearchPath::Known(self.0.path().into()),
            falls_back: false,
        }
    }

    fn defect(&self, content: &[u8]) -> Option<Defect> {
        let path = self.write("program", content);
        self.runner().defect_of(&path)
    }

    #[track_caller]
    fn assert(&self, content: &[u8], part: &str) {
        let defect = self.defect(content).expect(part);
        assert!(defect.message.contains(part), "{defect:?}");
        assert!(!defect.message.contains(char::is_control), "{defect:?}");
        assert!(!defect.is_doubtful, "{defect:?}");
    }
}

#[test]
fn an_interpreter_that_is_there_is_right_however_it_is_named() {
    let folder = Folder::new();
    symlink("/bin/sh", folder.0.path().join("here")).unwrap();
    for content in [
        "#!/bin/sh\necho\n",
        "#! /bin/sh -e\n",
        "#!/bin/sh",
        "#!/usr/bin/env here\n",
        "#!/usr/bin/env -S here --x y\n",
        "#!/usr/bin/env -S A=b here\n",
        "#!/usr/bin/env -S PATH=/usr/bin:/bin sh\n",
        "#!/usr/bin/env /bin/sh\n",
        "#!relative/sh\n",
    ] {
        assert_eq!(folder.defect(content.as_bytes()), None, "{content}");
    }
    assert_eq!(folder.runner().defect_of(Path::new("/bin/sh")), None);
}

#[test]
fn an_interpreter_that_is_not_there_is_named() {
    let folder = Folder::new();
    folder.write("broken", b"#!/no/such/shell\n");
    for (content, part) in [
        ("#!/no/such/sh\n", "`/no` doesn't exist"),
        (
            "#!/usr/bin/no-such-sh -x\n",
            "`/usr/bin/no-such-sh` doesn't exist",
        ),
        ("#!/usr/bin/env no-such\n", "`no-such`, is not in PATH"),
        (
            "#!/usr/bin/env -S A=b no-such x\n",
            "`no-such`, is not in PATH",
        ),
        ("#!/usr/bin/env sh -e\n", "named `sh -e`"),
        // What it leads to, too.
        ("#!/usr/bin/env broken\n", "`/no` doesn't exist"),
        ("#!/bin/sh\r\necho\r\n", "carriage return"),
        ("#!/usr/bin/env node\r\n", "carriage return"),
        ("#!\n", "names no interpreter"),
        ("echo started\n", "has no `#!` line"),
        ("\u{feff}#!/bin/sh\n", "byte order mark"),
        ("", "is empty"),
    ] {
        folder.assert(content.as_bytes(), part);
    }
    let itself = folder.0.path().join("program");
    let loops = format!("#!{}\n", itself.display());
    folder.assert(loops.as_bytes(), "too many levels");
}

#[test]
fn what_the_c_library_gives_to_a_shell_is_doubtful_only() {
    let folder = Folder::new();
    let path = folder.write("program", b"echo started\n");
    let runner = Runner {
        falls_back: true,
        ..folder.runner()
    };
    let defect = runner.defect_of(&path).unwrap();
    assert!(defect.is_doubtful, "{defect:?}");
}

#[test]
fn another_processor_and_a_loader_that_is_not_there_are_named() {
    let folder = Folder::new();
    let own = fs::read("/proc/self/exe").unwrap();
    let mut foreign = own.get(..4096).unwrap().to_vec();
    // e_machine: a processor that nobody has by now (EM_VAX).
    foreign[18..20].copy_from_slice(&75_u16.to_le_bytes());
    folder.assert(&foreign, "another architecture: machine 75");
    let loader = elf::read(&File::open("/proc/self/exe").unwrap())
        .unwrap()
        .loader;
    let Some(loader) = loader else {
        return;
    };
    let loader = loader.to_str().unwrap().as_bytes();
    let at = own
        .windows(loader.len())
        .position(|part| part == loader)
        .unwrap();
    let mut strange = own.clone();
    strange[at + 1] = b'X';
    folder.assert(&strange, "needs the loader");
}

#[test]
fn a_link_into_nothing_and_a_script_without_rights_are_named() {
    let folder = Folder::new();
    let link = folder.0.path().join("link");
    symlink("/no/where", &link).unwrap();
    let defect = folder.runner().defect_of(&link).unwrap();
    assert!(
        defect.message.contains("a link to `/no/where`"),
        "{defect:?}"
    );
    let path = folder.write("program", b"#!/bin/sh\n");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let defect = folder.runner().defect_of(&path).unwrap();
    assert!(defect.message.contains("isn't executable"), "{defect:?}");
    if !geteuid().is_root() {
        return;
    }
    // An interpreter reads its script, as its account may.
    let nobody = Account::known("nobody").unwrap();
    let runner = Runner {
        account: Some(&nobody),
        ..folder.runner()
    };
    fs::set_permissions(&path, Permissions::from_mode(0o711)).unwrap();
    let defect = runner.defect_of(&path).unwrap();
    assert!(
        defect.message.contains("is not readable by nobody"),
        "{defect:?}"
    );
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(runner.defect_of(&path), None);
}
