//! How the local gateway is checked, and what makes no check of it.

use super::*;
use crate::config::{Configuration, ConfigurationError};

/// In the words of the file; a primary is there.
fn local(text: &str) -> Result<LocalCheck, ConfigurationError> {
    let primary = match text.contains("primary") {
        true => "",
        false => "primary = '10.0.0.1'\n",
    };
    let options = format!("dry-run = true\n{primary}{text}").parse().unwrap();
    Configuration::check(options).map(|configuration| configuration.local_check)
}

const OF_COMMANDS: &str = "gateway = 'command'\nstart = 'up'\nstop = 'down'\n";
const OVER_HTTP: &str = "check = 'http'\ncheck-path = '/health'\n";

#[test]
fn openclaw_is_asked_in_its_own_way_and_others_as_far_as_is_known() {
    let and = |text: &str, more: &str| format!("{text}{more}");
    for (text, expected) in [
        (String::new(), "openclaw"),
        (OVER_HTTP.to_owned(), "openclaw"),
        ("check = 'tcp'".to_owned(), "openclaw"),
        ("start = 'up'".to_owned(), "openclaw"),
        (and(OVER_HTTP, "start = 'up'"), "any"),
        (OF_COMMANDS.to_owned(), "tcp"),
        (and(OF_COMMANDS, OVER_HTTP), "any"),
        (and(OF_COMMANDS, "check = 'openclaw'"), "openclaw"),
        (and(OVER_HTTP, "gateway = 'systemd'\nunit = 'bot'"), "any"),
        (
            and(
                OVER_HTTP,
                "gateway = 'systemd'\nunit = 'openclaw-gateway-two'",
            ),
            "openclaw",
        ),
        (and(OVER_HTTP, "gateway = 'systemd-user'"), "openclaw"),
        (
            "gateway = 'systemd-user'\nunit = 'bot'\ncheck = 'tcp'".to_owned(),
            "tcp",
        ),
        (and(OF_COMMANDS, "local-check = 'any'"), "any"),
    ] {
        assert_eq!(local(&text).unwrap().name(), expected, "{text}");
    }
}

#[test]
fn only_one_that_can_be_asked_more_than_whether_it_listens_is_watched() {
    for (kind, watched) in [("tcp", false), ("openclaw", true), ("any", true)] {
        let options = format!("primary = '10.0.0.1'\nlocal-check = '{kind}'");
        let configuration = Configuration::check(options.parse().unwrap()).unwrap();
        assert_eq!(configuration.decide.watch_gateway, watched, "{kind}");
    }
}

#[test]
fn another_primary_or_check_of_it_asks_the_local_gateway_as_before() {
    let before = local("").unwrap();
    let after = local("primary = 'pc-a.test:443'\ncheck-host = 'other.test'\ninterval = '5s'");
    assert_eq!(after.unwrap(), before);
}

#[test]
fn what_makes_no_check_is_refused_with_the_option_that_was_given() {
    let cases: [(&str, &[&str]); 6] = [
        (
            "local-check = 'http'",
            &["local-check is http", "local-check-path isn't set"],
        ),
        (
            "local-check-path = '/x'",
            &[
                "local-check-path is set",
                "local-check is openclaw",
                "set local-check to http",
            ],
        ),
        (
            "local-check = 'any'\nlocal-check-contains = 'x'",
            &["local-check-contains is set", "local-check is any"],
        ),
        (
            "local-check-ca = '/nowhere'",
            &["local-check-ca is set without local-check-tls"],
        ),
        (
            "local-check-tls = true\nlocal-check-ca = '/nowhere'",
            &["local-check-ca is set without local-check-host"],
        ),
        ("local-check-host = 'a b'", &["local-check-host is `a b`"]),
    ];
    for (text, parts) in cases {
        let error = local(text).unwrap_err();
        assert!(
            error
                .option()
                .is_some_and(|option| option.starts_with("local-check"))
        );
        let error = error.to_string();
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
