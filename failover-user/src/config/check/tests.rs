//! Options that make a check, and those that make none.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use super::*;
use crate::config::{duration::HumanDuration, gateway::GatewayKind, host::Host};

fn checked(given: Given) -> Result<Check, String> {
    let primary = Host::Name("pc-a.test.".to_owned());
    Check::from_options(given, &primary).map_err(|error| error.to_string())
}

fn http() -> Given {
    Given {
        kind: Some(CheckKind::Http),
        path: Some("/health".to_owned()),
        ..Given::default()
    }
}

#[track_caller]
fn assert_refused(given: Given, part: &str) {
    let error = checked(given).unwrap_err();
    assert!(error.contains(part), "{error}");
    assert!(!error.contains(char::is_control), "{error:?}");
}

#[test]
fn nothing_said_is_a_connect() {
    assert_eq!(checked(Given::default()), Ok(Check::Tcp));
}

#[test]
fn an_option_of_another_check_is_refused_with_that_checks_name() {
    let text = || Some("/x".to_owned());
    let file = || Some(PathBuf::from("/nowhere"));
    let drain_limit = || Some(HumanDuration::from(Duration::from_secs(1)));
    let given = Given::default;
    for (given, option) in [
        (
            Given {
                path: text(),
                ..given()
            },
            "check-path",
        ),
        (
            Given {
                status: NonZeroU16::new(200),
                ..given()
            },
            "check-status",
        ),
        (
            Given {
                pointer: text(),
                ..given()
            },
            "check-pointer",
        ),
        (
            Given {
                value: Some(Scalar::from("1")),
                ..given()
            },
            "check-value",
        ),
        (
            Given {
                contains: text(),
                ..given()
            },
            "check-contains",
        ),
        (
            Given {
                tls: Some(false),
                ..given()
            },
            "check-tls",
        ),
        (
            Given {
                ca: file(),
                ..given()
            },
            "check-ca",
        ),
        (
            Given {
                fingerprint: Some(Vec::new()),
                ..given()
            },
            "check-fingerprint",
        ),
        (
            Given {
                host: text(),
                ..given()
            },
            "check-host",
        ),
        (
            Given {
                token_file: file(),
                ..given()
            },
            "check-token-file",
        ),
        (
            Given {
                drain_limit: drain_limit(),
                ..given()
            },
            "drain-limit",
        ),
    ] {
        assert_refused(given, &format!("{option} is set, but check is tcp"));
    }
    let openclaw = Given {
        kind: Some(CheckKind::OpenClaw),
        path: text(),
        ..given()
    };
    assert_refused(openclaw, "set check to http");
    let with_limit = Given {
        drain_limit: drain_limit(),
        ..http()
    };
    assert_refused(with_limit, "set check to openclaw");
}

#[test]
fn what_makes_no_http_check_is_refused_with_what_to_write() {
    let text = |text: &str| Some(text.to_owned());
    assert_refused(
        Given {
            path: None,
            ..http()
        },
        "check-path isn't set",
    );
    for path in ["health", "", "/a b", "/a\r\nX: y", "http://a/b", "/a#b"] {
        assert_refused(
            Given {
                path: text(path),
                ..http()
            },
            "write a path",
        );
    }
    for status in [1, 199, 600] {
        let written = CheckOptions {
            check_status: NonZeroU16::new(status),
            ..CheckOptions::default()
        };
        let error = written.resolve(GatewayKind::OpenClaw).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("between 200 and 599"), "{error}");
    }
    assert_refused(
        Given {
            pointer: text("ok"),
            ..http()
        },
        "as /status/0/ok",
    );
    assert_refused(
        Given {
            contains: text(""),
            ..http()
        },
        "that only a healthy gateway sends",
    );
    let value = Some(Scalar::from("1"));
    assert_refused(Given { value, ..http() }, "without check-pointer");
    let both = Given {
        pointer: text("/ok"),
        contains: text("ok"),
        ..http()
    };
    assert_refused(both, "remove one");
    assert_refused(
        Given {
            host: text("a b"),
            tls: Some(true),
            ..http()
        },
        "write a host name",
    );
    let ca = Some(PathBuf::from("/nowhere"));
    assert_refused(Given { ca, ..http() }, "without check-tls");
    let fingerprint = Some(vec!["AB".repeat(32)]);
    let pinned = || Given {
        fingerprint: fingerprint.clone(),
        ..http()
    };
    assert_refused(pinned(), "check-fingerprint is set without check-tls");
    let over_tls = || Given {
        tls: Some(true),
        ..pinned()
    };
    let ca = Some(PathBuf::from("/nowhere"));
    assert_refused(Given { ca, ..over_tls() }, "remove one");
    for (given, part) in [
        (vec![], "check-fingerprint is empty"),
        (vec!["AB".repeat(20)], "SHA-1"),
        (vec!["AB".repeat(32), "\n".to_owned()], "openssl x509"),
    ] {
        let fingerprint = Some(given);
        assert_refused(
            Given {
                fingerprint,
                ..over_tls()
            },
            part,
        );
    }
}

#[test]
fn files_that_cannot_be_used_are_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let with_ca = || Given {
        tls: Some(true),
        ca: Some(path.clone()),
        ..http()
    };
    let with_token = || Given {
        kind: Some(CheckKind::OpenClaw),
        token_file: Some(path.clone()),
        ..Given::default()
    };
    assert_refused(with_ca(), "check-ca: reading");
    assert_refused(with_token(), "check-token-file: reading");
    for (content, ca, token) in [
        ("", "has no certificate", "holds no token"),
        ("two words", "has no certificate", "holds no token"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "that can't be read",
            "holds no token",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAA",
            "is no PEM file",
            "holds no token",
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_refused(with_ca(), ca);
        assert_refused(with_token(), token);
    }
    std::fs::write(&path, b"\xff\xfes\0e\0").unwrap();
    assert_refused(with_token(), "UTF-16, as PowerShell");
    std::fs::write(&path, "\u{feff}s\u{e9}").unwrap();
    assert_refused(with_token(), "another character that no token has");
    std::fs::write(&path, "x".repeat(5000)).unwrap();
    assert_refused(with_token(), "longer than 4096 bytes");
}

#[test]
fn the_host_is_the_primarys_unless_said_and_an_ipv6_address_has_brackets() {
    for (given, expected) in [
        (None, "pc-a.test"),
        (Some("other.test"), "other.test"),
        (Some("10.0.0.1"), "10.0.0.1"),
        (Some("fd00::1"), "[fd00::1]"),
    ] {
        let host = given.map(str::to_owned);
        let Ok(Check::Http(check)) = checked(Given { host, ..http() }) else {
            panic!("{given:?}");
        };
        assert_eq!(check.server.host, expected);
    }
}

#[test]
fn a_value_is_what_it_looks_like() {
    let values: Vec<Scalar> = ["true", "1", "1.5", "\"live\"", "\"1\""]
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let json: serde_json::Value = serde_json::json!([true, 1, 1.5, "live", "1"]);
    for (place, value) in values.iter().enumerate() {
        assert!(value.matches(&json[place]), "{value:?}");
    }
    assert!(!values[0].matches(&json[1]));
    assert!(!values[3].matches(&json[0]));
}

#[test]
fn another_question_is_reported_in_other_words_and_another_secret_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let ca = |name: &str| {
        let file = folder.path().join(name);
        let key = rcgen::generate_simple_self_signed(vec!["ca.test".to_owned()]).unwrap();
        std::fs::write(&file, key.cert.pem()).unwrap();
        Some(file)
    };
    let given = |change: fn(&mut Given)| {
        let mut given = http();
        change(&mut given);
        given
    };
    let over_tls = |ca| Given {
        tls: Some(true),
        ca,
        ..http()
    };
    let cases = [
        Given::default(),
        http(),
        given(|given| given.path = Some("/other".to_owned())),
        given(|given| given.status = NonZeroU16::new(204)),
        given(|given| given.host = Some("other.test".to_owned())),
        given(|given| given.contains = Some("live".to_owned())),
        given(|given| given.pointer = Some("/ok".to_owned())),
        given(|given| {
            given.pointer = Some("/ok".to_owned());
            given.value = Some(Scalar::from("true"));
        }),
        over_tls(ca("one.pem")),
        over_tls(ca("other.pem")),
        Given {
            tls: Some(true),
            fingerprint: Some(vec!["AB".repeat(32)]),
            ..http()
        },
        Given {
            kind: Some(CheckKind::OpenClaw),
            ..Given::default()
        },
        Given {
            kind: Some(CheckKind::OpenClaw),
            drain_limit: Some(HumanDuration::from(Duration::from_secs(1))),
            ..Given::default()
        },
    ];
    let count = cases.len();
    let shown: std::collections::BTreeSet<String> = cases
        .into_iter()
        .map(|given| checked(given).unwrap().to_string())
        .collect();
    assert_eq!(shown.len(), count, "{shown:#?}");

    let with_token = |token: &str| {
        let file = folder.path().join("token");
        std::fs::write(&file, token).unwrap();
        let given = Given {
            kind: Some(CheckKind::OpenClaw),
            token_file: Some(file),
            ..Given::default()
        };
        checked(given).unwrap()
    };
    // As Windows' editors write it.
    assert_eq!(with_token("one"), with_token("\u{feff}one\r\n"));
    let (one, other) = (with_token("one"), with_token("other"));
    assert_ne!(one, other);
    assert_eq!(one.to_string(), other.to_string());
}
