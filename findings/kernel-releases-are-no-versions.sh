#!/usr/bin/env bash
# The release of a kernel (uname -r), read by crates for versions to ask "Linux 5.9 or later?", as for BPF features:
# - semver 1.0.28: Debian 12's `6.1.0-53-amd64` is a valid version, and `>=5.9` is false: what follows a minus sign makes
#   it a pre-release. So is Proxmox's 7.0.0-1-pve. Debian 13's `6.12.43+deb13-amd64` is true (build metadata).
# - versions 8.0.1 asks 5.9 rightly, but revision 10 of a kernel is older than revision 9 (text, since letters follow).
# - version-compare 0.2.1: `6.12.43+deb13-amd64` is older than 6.12.43, and a letter equals any number (1.0.z is 1.0.10).
# The same parser passes its test on one Debian and turns the feature off on the next.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
semver = "=1.0.28"
versions = "=8.0.1"
version-compare = "=0.2.1"
EOF
cat >src/main.rs <<'EOF'
use version_compare::Cmp;
use versions::Versioning;
fn main() {
    for release in ["6.1.0-53-amd64", "7.0.0-1-pve", "6.12.43+deb13-amd64", "6.18.44"] {
        let semver = semver::VersionReq::parse(">=5.9").unwrap().matches(&semver::Version::parse(release).unwrap());
        let versions = Versioning::new(release) >= Versioning::new("5.9");
        let compare = version_compare::compare_to(release, "5.9", Cmp::Ge).unwrap();
        println!("{release} >= 5.9: semver {semver}, versions {versions}, version-compare {compare}");
    }
    for (one, other) in [("6.1.0-10-amd64", "6.1.0-9-amd64"), ("6.12.43+deb13-amd64", "6.12.43"), ("1.0.z", "1.0.10")] {
        let versions = Versioning::new(one).cmp(&Versioning::new(other));
        let compare = version_compare::compare(one, other).unwrap();
        println!("{one}, {other}: versions {versions:?}, version-compare {compare:?}");
    }
}
EOF
cargo run --quiet >seen
cat seen
expected='6.1.0-53-amd64 >= 5.9: semver false, versions true, version-compare true
7.0.0-1-pve >= 5.9: semver false, versions true, version-compare true
6.12.43+deb13-amd64 >= 5.9: semver true, versions true, version-compare true
6.18.44 >= 5.9: semver true, versions true, version-compare true
6.1.0-10-amd64, 6.1.0-9-amd64: versions Less, version-compare Gt
6.12.43+deb13-amd64, 6.12.43: versions Equal, version-compare Lt
1.0.z, 1.0.10: versions Less, version-compare Eq'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other answers"; exit 1; }
echo "semver 1.0.28: 6.1.0-53-amd64 is not 5.9 or later"
