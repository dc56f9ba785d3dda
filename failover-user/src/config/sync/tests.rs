use proptest::prelude::*;

use super::*;
use crate::config::{Configuration, ConfigurationError, Options};

fn configured(text: &str) -> Result<Option<Sync>, String> {
    let text = format!("primary = '192.0.2.1'\ndry-run = true\n{text}");
    let options: Options = text.parse().map_err(|error| format!("{error}"))?;
    let checked = Configuration::check(options);
    checked
        .map(|configuration| configuration.sync)
        .map_err(|error| error.to_string())
}

#[test]
fn without_from_nothing_is_copied() {
    assert_eq!(configured("sync-every = '1m'"), Ok(None));
    assert_eq!(configured("[sync]\nevery = '1m'"), Ok(None));
}

#[test]
fn what_openclaw_needs_is_known() {
    let sync = configured("sync-from = 'alice@pc-a:2222'")
        .unwrap()
        .unwrap();
    assert_eq!(sync.destination, "alice@pc-a");
    assert_eq!(sync.port, Some(2222));
    assert!(sync.state.is_openclaw);
    assert_eq!(sync.state.paths, [sync.home.join(".openclaw")]);
    assert_eq!(sync.every, Duration::from_secs(30));
    assert_eq!(sync.limits.bytes, 4_000_000_000);
    assert_eq!(sync.limits.file_bytes, 2_500_000_000);
}

#[test]
fn a_section_says_the_same_as_its_keys_one_by_one() {
    let keys = "sync-from = 'alice@pc-a'\nsync-every = '1m'\nsync-paths = ['~/work', '/srv/bot/']";
    let section = "[sync]\nfrom = 'alice@pc-a'\nevery = '1m'\npaths = ['~/work', '/srv/bot/']";
    let inline = "sync = { from = 'alice@pc-a', every = '1m', paths = ['~/work', '/srv/bot/'] }";
    let sync = configured(keys).unwrap().unwrap();
    assert_eq!(
        sync.state.paths[1..],
        [sync.home.join("work"), "/srv/bot".into()]
    );
    for text in [section, inline] {
        assert_eq!(configured(text), Ok(Some(sync.clone())), "{text}");
    }
}

#[test]
fn openclaw_is_known_by_its_own_user_unit_as_well() {
    let unit = |kind: &str, name: &str| {
        configured(&format!(
            "gateway = '{kind}'\nunit = '{name}'\nsync-from = 'a@b'"
        ))
    };
    for name in ["openclaw-gateway", "openclaw-gateway-work.service"] {
        let sync = unit("systemd-user", name).unwrap().unwrap();
        assert!(sync.state.is_openclaw, "{name}");
        let file = sync.unit_file.unwrap();
        assert!(
            file.starts_with(sync.home.join(".config/systemd/user")),
            "{file:?}"
        );
    }
    assert!(unit("systemd-user", "bot").is_err());
    assert!(unit("systemd", "openclaw-gateway").is_err());
}

#[test]
fn other_gateways_are_asked_for_their_paths() {
    let gateway = "gateway = 'command'\nstart = 'true'\nstop = 'true'\nsync-from = 'a@b'\n";
    let refused = configured(gateway).unwrap_err();
    assert!(refused.contains("set sync-paths"), "{refused}");
    let own = format!("{gateway}sync-paths = ['/srv/bot']\nsync-databases = ['*.db']");
    let state = configured(&own).unwrap().unwrap().state;
    assert!(!state.is_openclaw);
    assert_eq!(
        (state.paths, state.databases),
        (vec!["/srv/bot".into()], vec!["*.db".to_owned()])
    );
}

#[test]
fn what_cannot_be_copied_is_refused_with_the_option_and_what_to_write() {
    for (text, part) in [
        ("sync-from = 'pc-a'", "write PC-A's account and host"),
        (
            "sync-from = '-oProxyCommand=x@pc-a'",
            "write PC-A's account",
        ),
        ("sync-from = 'alice@-pc-a'", "write PC-A's account"),
        ("sync-from = 'alice@pc-a:0'", "write PC-A's account"),
        ("sync-from = 'alice@pc a'", "write PC-A's account"),
        (
            "sync-from = 'a@b'\nsync-paths = ['work']",
            "write full paths",
        ),
        ("sync-from = 'a@b'\nsync-paths = ['/']", "write full paths"),
        (
            "sync-from = 'a@b'\nsync-paths = ['~/../x']",
            "write full paths",
        ),
        (
            "sync-from = 'a@b'\nsync-exclude = ['']",
            "sync-exclude has ``",
        ),
        (
            "sync-from = 'a@b'\nsync-databases = [\"a\\nb\"]",
            "a pattern is one line",
        ),
        (
            "sync-from = 'a@b'\nsync-every = '1h'",
            "sync-max-age is 10m",
        ),
        ("sync-max-bytes = '4 gigabytes'", "is not a size"),
        (
            "sync-within = '0s'",
            "sync-within is 0s; it must be between",
        ),
        ("[sync]\nevry = '1m'", "did you mean `every`?"),
        ("[sync]\nfrom = 3", "sync-from"),
        ("sync = 'alice@pc-a'", "a section"),
    ] {
        let refused = configured(text).unwrap_err();
        assert!(refused.contains(part), "{text}: {refused}");
    }
}

#[test]
fn a_fault_names_the_option_that_has_to_change() {
    let text = "primary = '192.0.2.1'\ndry-run = true\nsync-from = 'nobody'";
    let error = Configuration::check(text.parse().unwrap()).unwrap_err();
    assert!(matches!(error, ConfigurationError::Sync(_)));
    assert_eq!(error.option(), Some("sync-from"));
}

#[test]
fn addresses_of_both_kinds_are_hosts() {
    let found = |text: &str| address(text).unwrap();
    assert_eq!(found("a@10.0.0.1:22"), ("a@10.0.0.1".to_owned(), Some(22)));
    assert_eq!(found("a@[fd00::1]:22"), ("a@fd00::1".to_owned(), Some(22)));
    assert_eq!(found("a@[fd00::1]"), ("a@fd00::1".to_owned(), None));
    assert_eq!(found("a@fd00::1"), ("a@fd00::1".to_owned(), None));
}

proptest! {
    #[test]
    fn no_text_is_taken_for_an_option_of_ssh(text in ".{0,60}") {
        if let Some((destination, _)) = address(&text) {
            prop_assert!(!destination.starts_with('-') && !destination.contains("@-"));
            prop_assert!(destination.is_ascii() && !destination.contains(char::is_whitespace));
        }
    }
}
