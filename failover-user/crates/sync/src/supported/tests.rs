use std::{fs, time::Duration};

use jiff::Timestamp;
use rusqlite::Connection;

use super::*;
use crate::{
    generation::Number,
    lineage::Epoch,
    spec::{Limits, Order, StateSpec},
};

const STATE: &str = "/home/a/.openclaw/state/openclaw.sqlite";
const AGENT: &str = "/home/a/.openclaw/agents/main/agent/openclaw-agent.sqlite";
const OTHER_AGENT: &str = "/home/a/.openclaw/agents/other/agent/openclaw-agent.sqlite";

fn manifest(version: Option<&str>, databases: &[(&str, i64)]) -> Manifest {
    Manifest {
        number: Number(7),
        taken: Timestamp::UNIX_EPOCH,
        changed: None,
        epoch: Epoch {
            id: "a".to_owned(),
            ancestors: Vec::new(),
        },
        token: String::new(),
        gateway_version: version.map(str::to_owned),
        databases: databases
            .iter()
            .map(|(path, number)| (PathBuf::from(path), *number))
            .collect(),
        files: 0,
        bytes: 0,
    }
}

/// A gateway of the second version is installed, and one of the first has written the databases.
fn installed(wrote: Option<&str>, version: Option<&str>) -> Installed {
    Installed {
        version: version.map(str::to_owned),
        supported: Some(Supported {
            gateway_version: wrote.map(str::to_owned),
            databases: manifest(None, &[(STATE, 18), (AGENT, 23)]).databases,
        }),
    }
}

const NOW: Option<&str> = Some("2026.9.6");

#[test]
fn what_the_local_gateway_writes_fits() {
    let here = installed(NOW, NOW);
    let fit = here.fit(&manifest(NOW, &[(STATE, 18), (AGENT, 23)]));
    assert_eq!(fit, Ok(Fit::Same));
    // Another agent has the schema of all agents.
    let fit = here.fit(&manifest(NOW, &[(STATE, 18), (OTHER_AGENT, 23)]));
    assert_eq!(fit, Ok(Fit::Same));
    let fit = installed(None, None).fit(&manifest(None, &[(STATE, 18)]));
    assert_eq!(fit, Ok(Fit::Same));
}

#[test]
fn a_newer_schema_or_version_is_refused() {
    let here = installed(NOW, NOW);
    for generation in [
        manifest(NOW, &[(STATE, 19)]),
        manifest(NOW, &[(OTHER_AGENT, 24)]),
        manifest(Some("2026.9.5"), &[(AGENT, 24)]),
        manifest(Some("2026.9.10"), &[(STATE, 18)]),
        manifest(Some("2027.1.1-beta.1"), &[(STATE, 18)]),
    ] {
        let refused = here.fit(&generation).unwrap_err();
        assert_eq!(refused.number, Number(7));
        assert!(refused.reason.contains("install"), "{}", refused.reason);
    }
    // Also where nothing else is known.
    let new = Installed {
        supported: None,
        ..installed(None, NOW)
    };
    new.fit(&manifest(Some("2026.10.0"), &[])).unwrap_err();
}

#[test]
fn an_older_one_fits_and_is_called_older() {
    let here = installed(NOW, NOW);
    for generation in [
        manifest(Some("2026.9.5"), &[(STATE, 18)]),
        manifest(NOW, &[(STATE, 17)]),
    ] {
        let fit = here.fit(&generation).unwrap();
        assert!(matches!(fit, Fit::Older { .. }), "{fit:?}");
    }
}

#[test]
fn what_is_not_known_is_accepted_and_called_unknown() {
    let new = Installed::default();
    let fit = new.fit(&manifest(NOW, &[(STATE, 18)])).unwrap();
    assert!(matches!(fit, Fit::Unknown { .. }), "{fit:?}");
    // Another version was installed since, which may write more.
    let updated = installed(Some("2026.9.5"), NOW);
    let fit = updated.fit(&manifest(NOW, &[(STATE, 19)])).unwrap();
    assert!(matches!(fit, Fit::Unknown { .. }), "{fit:?}");
    // A version that can't be read.
    let fit = installed(NOW, NOW).fit(&manifest(Some("main"), &[(STATE, 18)]));
    assert_eq!(fit, Ok(Fit::Same));
}

#[test]
fn it_is_learned_from_the_databases_and_the_unit_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("openclaw");
    for (path, number) in [
        ("state/openclaw.sqlite", 18),
        ("agents/main/agent/openclaw-agent.sqlite", 23),
        ("cache/other.sqlite", 99),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA user_version = {number}; CREATE TABLE a (b);"
            ))
            .unwrap();
    }
    fs::create_dir_all(root.join("agents/broken/agent")).unwrap();
    fs::write(root.join("agents/broken/agent/openclaw-agent.sqlite"), "x").unwrap();
    let unit_file = folder.path().join("unit");
    fs::write(
        &unit_file,
        "[Service]\nEnvironment=OPENCLAW_SERVICE_VERSION=2026.9.6\n",
    )
    .unwrap();
    let spec = Spec {
        order: Order::Learn,
        state: StateSpec {
            paths: vec![root.clone()],
            exclude: vec!["/cache/".to_owned(), "*.sqlite".to_owned()],
            databases: vec![
                "/state/openclaw.sqlite".to_owned(),
                "/agents/*/agent/openclaw-agent.sqlite".to_owned(),
            ],
            is_openclaw: true,
        },
        store: folder.path().join("store"),
        source: None,
        limits: Limits {
            within: Duration::from_secs(20),
            bytes: 0,
            file_bytes: 0,
            files: 0,
            free_bytes: 0,
        },
        unit_file: Some(unit_file),
    };
    let learned = crate::worker::run(&spec);
    let expected = Outcome::Learned {
        gateway_version: NOW.map(str::to_owned),
        databases: 2,
    };
    assert_eq!(learned, expected);
    let store = Store::open(&spec.store).unwrap();
    let here = super::installed(&spec, &store).unwrap();
    let supported = here.supported.unwrap();
    assert_eq!(supported.gateway_version.as_deref(), NOW);
    let agent = root.join("agents/main/agent/openclaw-agent.sqlite");
    assert_eq!(supported.databases.get(&agent), Some(&23));
    assert_eq!(supported.databases.len(), 2);
}
