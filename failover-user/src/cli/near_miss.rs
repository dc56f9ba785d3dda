//! Command lines that are nearly right: what to type instead. Each correction is parsed before it is suggested, so that it
//! is one that works.

use clap::Parser as _;

use crate::{cli::Cli, config::HumanDuration, history::Since};

/// Flags of other programs, and what they are here.
const FLAGS: [(&str, &[&str]); 9] = [
    ("--json", &["--output", "json"]),
    ("-j", &["--output", "json"]),
    ("-o", &["--output"]),
    ("--format", &["--output"]),
    ("-c", &["--config"]),
    ("-w", &["--watch"]),
    ("-f", &["--watch"]),
    ("--follow", &["--watch"]),
    ("-p", &["--port"]),
];

/// Commands of other programs, and what does the same here.
const COMMANDS: [(&str, &str); 15] = [
    (
        "start",
        "`systemctl start failover` starts the daemon, and `failover takeover` the local gateway",
    ),
    (
        "stop",
        "`systemctl stop failover` stops the daemon, and `failover release` the local gateway",
    ),
    (
        "restart",
        "`systemctl restart failover` restarts the daemon; the local gateway keeps running",
    ),
    (
        "reload",
        "`systemctl reload failover` reloads the configuration",
    ),
    (
        "enable",
        "`systemctl enable --now failover` starts the daemon now and at boot",
    ),
    (
        "disable",
        "`failover pause` pauses takeovers, and `systemctl disable --now failover` stops the daemon for good",
    ),
    (
        "log",
        "`journalctl -u failover -e` shows the log, and `failover history` the incidents",
    ),
    (
        "logs",
        "`journalctl -u failover -e` shows the log, and `failover history` the incidents",
    ),
    (
        "doctor",
        "`failover check` checks that a takeover would work",
    ),
    (
        "test",
        "`failover check` checks that a takeover would work, and `failover drill` starts the gateway up to its bind",
    ),
    (
        "validate",
        "`failover config check` checks the configuration, and `failover check` that a takeover would work",
    ),
    ("failback", "`failover release` stops the local gateway"),
    ("promote", "`failover takeover` starts the local gateway"),
    (
        "maintenance",
        "`failover pause` pauses takeovers and releases",
    ),
    ("unpause", "`failover resume` ends the pause"),
];

/// What to type instead of these words, which were refused.
#[must_use]
pub fn near_miss(words: &[String]) -> Option<String> {
    if let [command] = words
        && let Some((_, instead)) = COMMANDS.iter().find(|(name, _)| name == command)
    {
        return Some((*instead).to_owned());
    }
    let corrected = corrected(words);
    let is_right = corrected != words && Cli::try_parse_from(line(&corrected)).is_ok();
    is_right.then(|| format!("did you mean `{}`?", shell_words::join(line(&corrected))))
}

fn line(words: &[String]) -> impl Iterator<Item = &str> + Clone {
    ["failover"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
}

fn corrected(words: &[String]) -> Vec<String> {
    let mut corrected = Vec::new();
    for (position, word) in words.iter().enumerate() {
        let flag = FLAGS.iter().find(|(name, _)| name == word);
        let before = corrected.last().map_or("", String::as_str);
        match (flag, words.first().map(String::as_str)) {
            (Some((_, instead)), _) => {
                corrected.extend(instead.iter().map(|word| (*word).to_owned()));
            }
            // A value without its flag.
            (None, Some(command)) if position > 0 && !before.starts_with('-') => {
                corrected.extend(flag_of(command, word).map(str::to_owned));
                corrected.push(word.clone());
            }
            (None, _) => corrected.push(word.clone()),
        }
    }
    corrected
}

/// The flag that a bare value is meant for.
fn flag_of(command: &str, value: &str) -> Option<&'static str> {
    let is_duration = value.parse::<HumanDuration>().is_ok();
    let is_number = value.bytes().all(|digit| digit.is_ascii_digit());
    match command {
        "pause" if is_duration => Some("--for"),
        "release" if is_duration => Some("--hold"),
        "history" if value.parse::<Since>().is_ok() => Some("--since"),
        "trace" if is_number => Some("--port"),
        "check" | "run" | "status" if value.ends_with(".toml") => Some("--config"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Option<String> {
        near_miss(&shell_words::split(words).expect("words"))
    }

    #[test]
    fn what_is_nearly_right_is_answered_with_the_line_that_is() {
        for (typed, instead) in [
            ("pause 2h", "failover pause --for 2h"),
            (
                "pause 2h --reason disk",
                "failover pause --for 2h --reason disk",
            ),
            ("release 10m", "failover release --hold 10m"),
            ("status --json", "failover status --output json"),
            ("status -o json", "failover status --output json"),
            ("history --json", "failover history --output json"),
            ("history 2d", "failover history --since 2d"),
            ("status -w", "failover status --watch"),
            ("trace 18790", "failover trace --port 18790"),
            ("check my.toml", "failover check --config my.toml"),
            ("check -c my.toml", "failover check --config my.toml"),
        ] {
            assert!(
                Cli::try_parse_from(["failover"].into_iter().chain(typed.split(' '))).is_err(),
                "{typed}"
            );
            assert_eq!(
                of(typed),
                Some(format!("did you mean `{instead}`?")),
                "{typed}"
            );
        }
    }

    #[test]
    fn commands_of_other_programs_are_answered_with_those_of_this_one() {
        for (typed, part) in [
            ("start", "systemctl start failover"),
            ("logs", "journalctl"),
        ] {
            assert!(
                of(typed).is_some_and(|instead| instead.contains(part)),
                "{typed}"
            );
        }
        for (name, _) in COMMANDS {
            assert!(
                Cli::try_parse_from(["failover", name]).is_err(),
                "{name} is a command"
            );
        }
    }

    #[test]
    fn what_can_not_be_corrected_is_left_alone() {
        for typed in [
            "",
            "pause soon",
            "status --colour",
            "release --hold",
            "unknown",
        ] {
            assert_eq!(of(typed), None, "{typed}");
        }
    }
}
