//! A configuration file in the place of the package's, which only one command sees.

use std::{fs, process::Command};

use crate::lab::{Lab, failover_binary};

/// `/etc` of its own, with what names accounts: this machine may have the package, or may not.
const SCRIPT: &str = r#"
set -e
for name in passwd group nsswitch.conf; do
    if [ -e /etc/$name ]; then cp /etc/$name "$1"; fi
done
mount -t tmpfs -o mode=755 none /etc
cp -r "$1"/. /etc
shift
exec "$@"
"#;

/// `failover`, with this text in `/etc/failover/failover.toml`; its arguments follow.
///
/// # Panics
/// When the lab's directory can't be written to.
#[must_use]
pub fn with_package_file(lab: &Lab, text: &str) -> Command {
    let etc = lab.directory().join("etc");
    let folder = etc.join("failover");
    fs::create_dir_all(&folder).expect("preparing /etc");
    fs::write(folder.join("failover.toml"), text).expect("preparing /etc");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(etc)
        .arg(failover_binary());
    command
}
