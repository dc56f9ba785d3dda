//! Against the real shell: what is accepted means the same to it, and so does what is offered instead.

use std::{path::Path, process::Command};

use proptest::prelude::*;

use super::*;
use crate::gateway::command::command_line::{CommandLine, CommandLineError};

fn found(line: &str) -> Option<String> {
    syntax(line).map(|syntax| match syntax {
        Syntax::Text(text) | Syntax::Word(text) => text,
        Syntax::Lines => "\n".to_owned(),
    })
}

#[test]
fn what_only_a_shell_acts_on_is_found_and_named() {
    for (line, expected) in [
        ("mail root | cat", "|"),
        ("a|b", "|"),
        ("a && b", "&&"),
        ("a || b", "||"),
        ("a; b", ";"),
        ("a ;", ";"),
        ("a > /dev/null", ">"),
        ("a >> log", ">>"),
        ("a < in", "<"),
        ("a 2>&1", "2>&1"),
        ("a x2>&1", ">&1"),
        ("a &>/dev/null", "&>"),
        ("a &", "&"),
        ("curl http://x/?a=1&b=2", "&"),
        ("(a)", "("),
        ("a $HOME/bin", "$HOME"),
        ("a ${HOME}/bin", "${HOME}"),
        ("a \"$HOME\"", "$HOME"),
        ("a $(hostname)", "$(…)"),
        ("a ${HOME:-/x}", "${HOME…}"),
        ("a $1", "$1"),
        ("a $'x'", "$'"),
        ("a `hostname`", "`"),
        ("a \"`hostname`\"", "`"),
        ("~/bin/a", "~"),
        ("a ~alice/x", "~"),
        ("rm /tmp/*.lock", "*"),
        ("rm ./a?", "?"),
        ("rm .*", "*"),
        ("rm x/[ab]", "["),
        ("FOO=bar a", "FOO="),
        ("exec openclaw gateway start", "exec"),
        ("source /etc/profile", "source"),
        ("cd /opt/x", "cd"),
        ("if a", "if"),
        ("! a", "!"),
        ("a\nb", "\n"),
        ("a # x\nb", "\n"),
    ] {
        assert_eq!(found(line).as_deref(), Some(expected), "{line}");
    }
}

#[test]
fn what_means_the_same_without_a_shell_is_left_alone() {
    for line in [
        "openclaw gateway start",
        "sh -c 'cd ~ && a | b > /dev/null'",
        // The inner shell expands it, as it is meant.
        "sh -c \"cd $HOME; kill $(cat pid)\"",
        "/bin/bash -lc \"openclaw gateway start >$HOME/log\"",
        "su - alice -c \"echo $HOME\"",
        "runuser -u alice -- sh -c \"echo `id`\"",
        "curl 'http://x/?a=1&b=2'",
        "curl http://x/?a=1",
        "a \\$HOME \\| \\; \\& \\~ \\*",
        "a '|' \"&&\" 'x;y'",
        "a \"\\$HOME\"",
        "a 5$ $ \"a$\"",
        "a x~ a=~/b --config=~/b",
        "systemctl --user start openclaw-gateway*",
        "rm '/tmp/*.lock'",
        "a --foo=bar FOO=bar",
        "env FOO=bar a",
        "a {} {x,y}",
        "[ -f /x ]",
        "a # comment | x",
        "a \\\n b",
        "\n  a\n",
        "a b c\n# the end\n",
        "ssh plug.lan off",
    ] {
        assert_eq!(found(line), None, "{line}");
    }
}

#[test]
fn a_refusal_says_what_to_write_instead_and_that_is_accepted() {
    for line in [
        "a | b",
        "a 'b c' > \"d e\"",
        "echo $HOME",
        "exec a",
        "a\nb 'c'",
        "it's' && b",
    ] {
        let refused = CommandLine::parse(line).unwrap_err();
        let offer = refused.by_shell().unwrap();
        let accepted = CommandLine::parse(&offer).unwrap();
        assert_eq!(accepted.program, Path::new("sh"), "{offer}");
        assert_eq!(accepted.arguments, ["-c", line], "{offer}");
    }
    // A log has readers who may not know what is in it.
    let refused = CommandLine::parse("curl -H 'Bearer s3cret' | c")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("has `|`"), "{refused}");
    assert!(refused.contains("failover config check"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
    assert_eq!(CommandLine::parse("a '\0'"), Err(CommandLineError::Nul));
}

/// What a shell makes of it, in an empty folder.
fn by(program: &Path, arguments: &[String]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/home/alice")
        .env("x", "one two")
        .current_dir(folder.path())
        .output()
        .unwrap();
    output.stdout
}

/// Defines `show`, which tells its words.
const SHOW: &str = "show() { for word; do printf '%s\\000' \"$word\"; done; }\n";

fn joined(words: &[String]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| [word.as_bytes(), b"\0"].concat())
        .collect()
}

proptest! {
    #[test]
    fn an_accepted_line_is_split_as_a_shell_does(
        before in "[ \t\n]{0,2}(#[a;|]{0,3}\n)?(\\\\\n)?",
        rest in "([ab'\"\\\\\n\t#$;~|&<>(){}!*?=/.x%^@:,+-]| ){0,24}",
    ) {
        let line = format!("{before}show {rest}");
        if let Ok(command) = CommandLine::parse(&line) {
            prop_assert_eq!(&command.program, Path::new("show"));
            let script = format!("{SHOW}{line}");
            let shown = by(Path::new("/bin/sh"), &["-c".to_owned(), script]);
            prop_assert_eq!(shown, joined(&command.arguments), "{:?}", line);
        }
    }

    #[test]
    fn a_refused_line_gets_an_offer_that_means_the_same(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "printf", "'%s '", "a", "'b c'", "\"d e\"", "$x", "\"${x}\"", "~", "|", "cat", "&&",
                "||", ";", "true", "false", "!", "2>&1", ">f", "<f", "\\$x", "'it'\\''s'", "$(printf g)",
                "`printf h`", "./*", "\n", "x=3", "&", "wait", "#i",
            ]),
            1..10,
        ),
    ) {
        let line = parts.join(" ");
        if let Err(refused @ CommandLineError::Shell { .. }) = CommandLine::parse(&line) {
            let offer = refused.by_shell().unwrap();
            let accepted = CommandLine::parse(&offer).unwrap();
            prop_assert_eq!(accepted.program.to_str(), Some("sh"));
            let meant = by(Path::new("/bin/sh"), &["-c".to_owned(), line.trim().to_owned()]);
            let offered = by(Path::new("/bin/sh"), &accepted.arguments);
            // In the background the order is anybody's.
            if !line.contains(" & ") {
                prop_assert_eq!(meant, offered, "{:?}", line);
            }
        }
    }
}
