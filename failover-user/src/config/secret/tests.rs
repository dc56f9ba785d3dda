//! A secret that somebody wrote into a configuration is in no text that is made of it, whatever is wrong with it.

use std::fs;

use proptest::{prelude::*, sample::select};

use crate::config::{Configuration, Options, Validation, as_file, in_force};

/// What somebody may write for a webhook, rightly or wrongly.
const URLS: [&str; 9] = [
    "\"https://example.org/hooks/SECRET\"",
    "\"http://10.0.0.1/hook?token=SECRET#x\"",
    "\"https//example.org/hooks/SECRET\"",
    "\"https://bot:SECRET@example.org/hook\"",
    "\"http://example.org/hooks/ SECRET\"",
    "\"ftp://example.org/SECRET\"",
    "\"http://SECRET@\"",
    "\"/hooks/SECRET\"",
    "\"SECRET\"",
];
/// The same for a command.
const COMMANDS: [&str; 7] = [
    "\"curl http://plug.lan/SECRET | sh\"",
    "\"SECRET=1; openclaw gateway $SECRET\"",
    "\"curl -u admin:SECRET http://plug.lan/off\"",
    "\"sh -c 'echo SECRET'\"",
    "\"sh -c 'echo SECRET\"",
    "\"TOKEN=SECRET no-such-program gateway\"",
    "\"/no/such/program --password=SECRET\"",
];
/// The same for what a check asks for.
const CHECKS: [&str; 4] = [
    "\"/health?token=SECRET\"",
    "\"health?token=SECRET\"",
    "\"/health#SECRET\"",
    "\"/a b SECRET\"",
];
/// What isn't even a text.
const BROKEN: [&str; 7] = [
    "SECRET",
    "[\"SECRET\"]",
    "[\"sh\", \"-c\", \"SECRET\"]",
    "{ url = \"SECRET\" }",
    "\"SECRET",
    "https://example.org/SECRET",
    "'''SECRET''",
];
/// Options that hold no secret, with one that was meant for another.
const ELSEWHERE: [&str; 10] = [
    "primary = \"http://bot:SECRET@10.0.0.1:18789\"",
    "primary = \"https://10.0.0.1/SECRET\"",
    "witnesses = [\"https://example.org/SECRET\"]",
    "witnesses = \"https://example.org/SECRET\"",
    "unit = \"https://example.org/SECRET\"",
    "owner = [\"https://example.org/SECRET\"]",
    "interval = \"https://example.org/SECRET\"",
    "check-host = \"https://example.org/SECRET\"",
    "check-token-file = \"SECRET\"",
    "\"https://example.org/SECRET\" = \"webhook\"",
];

fn secret_options() -> Vec<&'static str> {
    let all = Options::grouped().into_iter();
    let secret = all.filter(|option| option.is_secret);
    secret.map(|option| option.name.as_str()).collect()
}

fn line() -> impl Strategy<Value = String> {
    let set = |option: &'static [&'static str], values: &'static [&'static str]| {
        (select(option), select(values)).prop_map(|(option, value)| format!("{option} = {value}"))
    };
    prop_oneof![
        set(&["webhook"], &URLS),
        set(&["fence", "start", "stop", "notify"], &COMMANDS),
        set(
            &[
                "check-path",
                "check-pointer",
                "check-value",
                "check-contains"
            ],
            &CHECKS
        ),
        (select(secret_options()), select(&BROKEN[..]))
            .prop_map(|(option, value)| format!("{option} = {value}")),
        select(&ELSEWHERE[..]).prop_map(str::to_owned),
    ]
}

/// All messages about this configuration: from `run`, a reload, `config check` and `config show`.
fn messages(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failover.toml");
    fs::write(&path, text).unwrap();
    let flags = Options {
        config: Some(path),
        ..Options::default()
    };
    let mut said = Vec::new();
    let validation = Validation::load(flags.clone());
    said.extend(validation.faults.iter().map(ToString::to_string));
    said.extend(validation.configuration.iter().flat_map(commands));
    match validation.finished() {
        Ok(configuration) => said.extend(commands(&configuration)),
        Err(faults) => said.push(format!("{faults:#}")),
    }
    match in_force(&flags, false) {
        Ok(settings) => {
            said.push(as_file(&settings));
            said.push(serde_json::to_string(&settings).unwrap());
        }
        Err(error) => said.push(format!("{error:#}")),
    }
    said
}

/// As the log and `failover check` show them.
fn commands(configuration: &Configuration) -> Vec<String> {
    let Configuration {
        gateway,
        fence,
        notifications,
        ..
    } = configuration;
    let optional = [fence, &notifications.command].into_iter().flatten();
    let lines = [&gateway.start, &gateway.stop].into_iter().chain(optional);
    lines
        .map(crate::gateway::command::command_line::CommandLine::shown)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_message_has_the_secret(
        secret in "[A-Za-z0-9]{16}",
        lines in proptest::collection::vec(line(), 1..4),
        dry_run in any::<bool>(),
    ) {
        let text = format!(
            "primary = \"10.0.0.1\"\ndry-run = {dry_run}\ncheck = \"http\"\n{}\n",
            lines.join("\n")
        );
        let text = text.replace("SECRET", &secret);
        for message in messages(&text) {
            prop_assert!(!message.contains(&secret), "{}\n--- is the message for ---\n{}", message, text);
        }
    }
}

#[test]
fn what_is_hidden_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failover.toml");
    let text = "primary = \"10.0.0.1\"\ndry-run = true\nwebhook = \"http://example.org/hook\"\n";
    fs::write(&path, text).unwrap();
    let flags = Options {
        config: Some(path.clone()),
        ..Options::default()
    };
    let shown = as_file(&in_force(&flags, false).unwrap());
    let line = shown
        .lines()
        .find(|line| line.starts_with("# webhook: not shown"));
    let place = format!("# {}:3", path.display());
    assert!(line.is_some_and(|line| line.ends_with(&place)), "{shown}");
    // What nobody wrote is no secret.
    assert!(
        shown.contains("start = \"openclaw gateway start\""),
        "{shown}"
    );
    let shown = as_file(&in_force(&flags, true).unwrap());
    assert!(
        shown.contains("webhook = \"http://example.org/hook\""),
        "{shown}"
    );
}

#[test]
fn options_that_may_hold_a_secret_are_known() {
    for (option, expected) in [
        ("webhook", true),
        ("start", true),
        ("check-path", true),
        ("local-check-path", true),
        ("webhook-ca", false),
        ("start-timeout", false),
        ("primary", false),
    ] {
        assert_eq!(secret_options().contains(&option), expected, "{option}");
    }
    // Whatever runs a command may have a password in it.
    for entry in crate::config::entries() {
        if matches!(&*entry.kind, "COMMAND" | "URL" | "PATH" | "TEXT") {
            let name = &*entry.option.name;
            assert!(
                secret_options().contains(&name) || name == "control",
                "{name}"
            );
        }
    }
}
