//! Where things lie in the work tree. Everything that xtask writes is below `target/`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::steps::Steps;

/// The work tree that this run of xtask belongs to.
pub(crate) struct Workspace {
    root: PathBuf,
    /// How the work in it goes.
    pub(crate) steps: Steps,
}

impl Workspace {
    /// Finds the work tree.
    ///
    /// Cargo tells at run time where the package is. The place at compile time is the second
    /// choice only: a copied work tree may carry an xtask that was compiled elsewhere.
    pub(crate) fn locate() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().with_context(|| {
            format!(
                "{} has no parent directory: run `cargo xtask`",
                package.display()
            )
        })?;
        Ok(Self {
            root: root.to_path_buf(),
            steps: Steps::default(),
        })
    }

    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The package whose tests need root.
    pub(crate) fn end_to_end_package(&self) -> PathBuf {
        self.root.join("tests")
    }

    /// Cargo's output for the host.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Everything about the kernel program: its own build directory and the finished object.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.target().join("kernel")
    }

    /// An object that the build script of failover-linux embeds.
    pub(crate) fn kernel_object(&self, name: &str) -> PathBuf {
        self.kernel().join(name)
    }

    /// Kernels to test on, as downloaded; nothing to do with [`Self::kernel`].
    pub(crate) fn guest_kernels(&self) -> PathBuf {
        self.target().join("kernels")
    }

    /// Debian's packages that are unpacked and not installed.
    pub(crate) fn packages(&self) -> PathBuf {
        self.target().join("packages")
    }

    /// Tools that setup builds; never the user's `~/.cargo`.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// `path` as seen from the root, to show to people.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
