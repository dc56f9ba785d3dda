//! What is true of every option, computed from the options themselves.

use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;
use crate::config::{option::OptionSet as _, *};

fn options(text: &str) -> Options {
    text.parse().unwrap()
}

fn checked(mut options: Options) -> Configuration {
    // The commands needn't be here.
    options.operation.dry_run = Some(true);
    Configuration::check(options).unwrap()
}

/// Everything that is in force, written down.
fn spelled_out(options: &Options) -> Options {
    let values = options.clone().resolve().unwrap().values().unwrap();
    let mut all = Options::default();
    for (name, value) in values.into_iter().filter(|(_, value)| !value.is_null()) {
        all.set(&name, value).unwrap();
    }
    all
}

#[test]
fn saying_every_default_changes_nothing() {
    for written in [
        "primary = \"192.168.1.10\"",
        "primary = \"192.168.1.10\"\ninterval = \"500ms\"",
        "primary = \"192.168.1.10\"\nwitnesses = []",
        "primary = \"192.168.1.10\"\nfence = \"off\"\nnotify = \"mail\"\nmetrics = \"127.0.0.1:1\"",
        "primary = \"192.168.1.10\"\ngateway = \"systemd\"\nunit = \"bot\"",
        "primary = \"192.168.1.10\"\ncheck = \"http\"\ncheck-path = \"/\"",
    ] {
        let written = options(written);
        let all = spelled_out(&written);
        assert_eq!(checked(written), checked(all));
    }
}

#[test]
fn every_option_has_a_group_a_help_and_a_default_or_an_example() {
    for option in Options::descriptions() {
        let Description { name, help, .. } = option;
        assert!(
            !option.sample.is_null(),
            "{name} has no default and no example"
        );
        assert!(help.len() > 3, "{name} has no help");
        assert!(!help.ends_with('.'), "{name}: {help}");
        // What is computed isn't also written by hand.
        assert!(
            !help.contains("[default") && !help.contains("[range"),
            "{name}: {help}"
        );
    }
    let essential = Options::grouped().into_iter();
    let essential = essential.filter(|option| option.group == Group::Essential);
    assert_eq!(essential.count(), 10);
}

#[test]
fn every_option_is_in_the_help_the_reference_and_the_default_configuration_below_its_group() {
    let mut program = Cli::command();
    let help = program
        .find_subcommand_mut("run")
        .unwrap()
        .render_help()
        .to_string();
    let (reference, file) = (reference(), commented());
    let below = |text: &str, heading: &str, next: &str| {
        let (_, rest) = text.split_once(heading).expect(heading);
        rest.split(next).next().unwrap().to_owned()
    };
    let mut last = 0;
    for Description {
        name,
        group,
        default,
        range,
        ..
    } in Options::grouped()
    {
        let heading = group.heading();
        let position = help.find(&format!("\n{heading}:\n")).expect(heading);
        assert!(last <= position, "{heading} comes too early in the help");
        last = position;
        let in_help = below(&help, &format!("\n{heading}:\n"), "\n\n");
        let (_, own) = in_help.split_once(&format!("--{name} ")).expect(name);
        let own = own.split("\n      --").next().unwrap();
        let own = own.split_whitespace().collect::<Vec<_>>().join(" ");
        for (what, value) in [("default", default), ("range", range)] {
            let shown = value.as_ref().map(|value| format!("[{what}: {value}]"));
            assert!(
                shown.is_none_or(|shown| own.contains(&shown)),
                "{name}: {own}"
            );
        }
        let in_reference = below(&reference, &format!("\n## {heading}\n"), "\n## ");
        assert!(in_reference.contains(&format!("\n### {name}\n")), "{name}");
        let in_file = below(&file, &format!("\n# --- {heading} ---\n"), "\n# ---");
        assert!(in_file.contains(&format!("\n#{name} = ")), "{name}");
    }
}

#[test]
fn the_help_shows_the_default_that_is_in_force() {
    let written = options("primary = \"192.168.1.10\"\nfence = \"off\"\nnotify = \"mail\"");
    let defaults = written.resolve().unwrap().values().unwrap();
    let mut in_words = Vec::new();
    for option in Options::descriptions() {
        let (name, default) = (&option.name, &option.default);
        let Some(default) = default else { continue };
        let value = defaults.get(name).filter(|value| !value.is_null());
        let Some(value) = value else { continue };
        // Up to words that aren't part of the value.
        let shown = default.split([';', ',']).next().unwrap();
        let shown = if value.is_array() { default } else { shown };
        let command = Options::augment_args(clap::Command::new("run"));
        let parsed = command.try_get_matches_from(["run", &format!("--{name}={shown}")]);
        match parsed.and_then(|matches| Options::from_arg_matches(&matches)) {
            Ok(parsed) => {
                let parsed = parsed.resolve().unwrap().values().unwrap();
                assert_eq!(parsed.get(name), Some(value), "{name}");
            }
            Err(_) => in_words.push(name.as_str()),
        }
    }
    // The one has none but a port, the other follows another option.
    assert_eq!(in_words, ["primary", "confirm-interval"]);
}

#[test]
fn every_option_can_be_set_merged_and_unset_by_its_name() {
    for option in Options::descriptions() {
        let (mut flags, mut file) = (Options::default(), Options::default());
        file.set(&option.name, option.sample.clone()).unwrap();
        assert!(file.is_set(&option.name), "{}", option.name);
        assert_eq!(flags.clone().or(file.clone()), file, "{}", option.name);
        flags.set(&option.name, option.sample.clone()).unwrap();
        assert_eq!(
            flags.clone().or(Options::default()),
            flags,
            "{}",
            option.name
        );
        assert!(flags.unset(&option.name), "{}", option.name);
        assert_eq!(flags, Options::default(), "{}", option.name);
    }
}
