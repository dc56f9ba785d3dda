//! Runs what the documents say to type: commands run on the lab's PC-B, with a real systemd, in the situation that
//! they are for; the program checks the configurations. A command without a rule here fails the test, so that a
//! new one must be handled.

mod behaviour;
mod pc_b;
mod reading;
mod rust_source;
mod wording;

use std::{fs, path::Path, process::Command};

use clap::{CommandFactory as _, Parser as _};
use failover::{cli::Cli, config::Options};
use failover_tests::{
    lab::{Lab, failover_binary},
    wait,
};

use pc_b::PcB;
use reading::{Typed, commands, documents, parts, root};

const CONFIGURATION: &str = "/etc/failover/failover.toml";
/// Where PC-A is in the documents.
const PRIMARY: &str = "192.168.1.10";

/// How a command is proved.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Proof {
    /// Run on PC-B as root: it succeeds.
    Succeeds,
    /// The same; it may also say that not all is well (exit code 1).
    Answers,
    /// Run until it is ended.
    Goes,
    /// Run on PC-B as the account that owns the gateway.
    AsOwner,
    /// An order to the daemon, in the situation that it is for.
    Order,
    /// `cargo xtask`: known to its help.
    Xtask,
    /// It can't be run here; a test in this file is about it, and has this in it.
    Elsewhere(&'static str, &'static str),
    /// Nothing of this project's: it is for the reader to have.
    Readers,
}

/// The rules. A command that none of them knows is an error of the document, or a rule is missing.
fn proof(typed: &Typed) -> Option<Proof> {
    Some(match typed.words()[..] {
        ["failover", "status", "--watch"]
        | ["failover", "trace" | "run"]
        | [
            "failover",
            "run",
            "--primary" | "--interval" | "--kernel-events",
            ..,
        ] => Proof::Goes,
        // With the editor's answer being to change nothing.
        ["failover", "status" | "check", ..] | ["systemctl", "edit", ..] => Proof::Answers,
        [
            "failover",
            "pause" | "resume" | "takeover" | "release" | "drill",
            ..,
        ] => Proof::Order,
        ["failover", "guard", "ask"] => Proof::Elsewhere("guard.rs", "/usr/bin/failover guard ask"),
        ["failover", "guard", "pair", ..] => {
            Proof::Elsewhere("../src/guard.rs", "\"guard\", \"pair\"")
        }
        ["systemctl", "enable" | "disable", "--now", "failover-guard"]
        | ["systemctl", "status", "failover-guard"] => {
            Proof::Elsewhere("guard.rs", "failover-guard.service")
        }
        ["failover", "sync", "init" | "remove", ..] => {
            Proof::Elsewhere("sync/way.rs", "fn remove_undoes_both_sides")
        }
        ["failover", "sync", ..] => Proof::Elsewhere(
            "../../failover-user/src/control/sync.rs",
            "pub fn carried_out",
        ),
        ["cargo", "xtask", ..] => Proof::Xtask,
        ["systemctl", "--user", ..] => Proof::AsOwner,
        [
            "systemctl" | "journalctl" | "loginctl" | "systemd-analyze" | "systemd-run",
            ..,
        ]
        | ["failover", "run", "--help"]
        | [
            "failover",
            "history" | "config" | "simulate" | "explain",
            ..,
        ]
        | [
            "usermod" | "cat" | "date" | "df" | "uname" | "ip" | "ss",
            ..,
        ] => Proof::Succeeds,
        // With apt it would come from a network.
        ["apt", "install", _] => Proof::Elsewhere("package.rs", "\"dpkg\", \"-i\""),
        ["apt", "remove", "failover"] => Proof::Elsewhere("package.rs", "\"--remove\""),
        ["apt", "purge", "failover"] => Proof::Elsewhere("package.rs", "\"--purge\""),
        // These need the real OpenClaw.
        ["openclaw", "gateway", "install"] => {
            Proof::Elsewhere("../src/openclaw_unit.rs", "\"install\"")
        }
        ["openclaw", "gateway", "start" | "stop"] => Proof::Elsewhere(
            "openclaw_unit.rs",
            "fn it_is_started_and_stopped_through_its_own_commands",
        ),
        ["openclaw", "backup", "create"] => {
            Proof::Elsewhere("openclaw.rs", "\"backup\", \"create\"")
        }
        ["groupadd", "--system", "failover"] => Proof::Elsewhere(
            "../../failover-user/dist/debian/postinst",
            "groupadd --system failover",
        ),
        ["editor", CONFIGURATION] | ["ssh" | "install", ..] => Proof::Readers,
        _ => return None,
    })
}

#[test]
fn every_command_in_the_documents_is_one_that_a_test_knows() {
    for typed in commands() {
        let Some(proof) = proof(&typed) else {
            panic!("no rule knows `{typed}`: add one, and run it");
        };
        match proof {
            Proof::Elsewhere(file, what) => {
                let file = root().join("tests/tests").join(file);
                let test = fs::read_to_string(&file).expect("reading a test");
                assert!(test.contains(what), "{} has no {what}", file.display());
            }
            Proof::Xtask => known_to_xtask(&typed),
            Proof::Readers if typed.words().starts_with(&["ssh"]) => {
                let ["ssh", "-L" | "-NL", tunnel, _] = typed.words()[..] else {
                    panic!("`{typed}` is none of the tunnels that are known");
                };
                assert_eq!(tunnel.split(':').count(), 3, "{typed}");
            }
            Proof::Readers if typed.words().starts_with(&["install"]) => {
                let ["install", _, from, to] = typed.words()[..] else {
                    panic!("`{typed}` is no file and its place");
                };
                assert!(to.starts_with('/'), "{typed}");
                let is_built = from == "target/small/failover";
                assert!(is_built || root().join(from).is_file(), "{typed}");
            }
            _ => {}
        }
        if typed.words().starts_with(&["failover"])
            && let Err(error) = Cli::try_parse_from(&typed.0)
            && error.kind() != clap::error::ErrorKind::DisplayHelp
        {
            panic!("`{typed}`: {error}");
        }
    }
}

/// The verb and its flags are in the help.
fn known_to_xtask(typed: &Typed) {
    let xtask = failover_binary().with_file_name("xtask");
    let verb = typed.0.get(2).expect("it has a verb");
    let help = Command::new(&xtask)
        .args([verb, "--help"])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", xtask.display()));
    assert!(help.status.success(), "`{typed}`: {help:?}");
    let help = String::from_utf8_lossy(&help.stdout);
    for flag in typed.0.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(&**flag), "`{typed}`: {help}");
    }
}

#[test]
fn every_verb_of_the_program_is_in_the_documents() {
    let commands = commands();
    for verb in Cli::command()
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
    {
        let expected = ["failover", verb.get_name()];
        let is_documented = |typed: &Typed| typed.words().starts_with(&expected);
        assert!(commands.iter().any(is_documented), "{}", verb.get_name());
    }
}

#[test]
fn every_state_problem_alarm_and_event_has_its_row() {
    let guide = fs::read_to_string(root().join("docs/operating.md")).expect("the guide");
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let rows = |text: &str| -> Vec<String> {
        let first = |line: &str| Some(line.strip_prefix("| ")?.split(" | ").next()?.to_owned());
        text.lines().filter_map(first).collect()
    };
    let has = |rows: &[String], wanted: &str| {
        let is_it = |word: &str| word == wanted;
        rows.iter()
            .any(|row| row.split([',', ';']).map(str::trim).any(is_it))
    };
    let source = |path: &str| fs::read_to_string(root().join("failover-user").join(path));
    // The names as the program has them: `Self::Active => "active"`.
    let state = source("crates/decide/src/output/state.rs").expect("the states");
    let names = state.lines().filter_map(|line| {
        let (_, name) = line.trim().split_once(" => \"")?;
        name.strip_suffix("\",")
    });
    let (guide, readme) = (rows(&guide), rows(&readme));
    let mut count = 0;
    for name in names.filter(|name| !name.contains(' ')) {
        assert!(has(&guide, name), "the guide lacks the state {name}");
        assert!(has(&readme, name), "the README lacks the state {name}");
        count += 1;
    }
    assert!(count >= 12, "{count}");
    // The sentences of `status`: a row names a part of each.
    let mut count = 0;
    for (file, function) in [
        ("wording/problem", "fn problem("),
        ("wording/problem", "fn fails("),
        ("wording/problem", "fn warning("),
        ("state_dir/persisted", "    loss:"),
        ("history/file", "    loss:"),
    ] {
        let text = source(&format!("src/{file}.rs")).expect("the problems");
        let (_, after) = text.split_once(function).expect("what makes them");
        let body = after.split("\n}\n").next().unwrap_or_default();
        let pieces = guide.iter().flat_map(|row| row.split(';')).map(str::trim);
        let pieces: Vec<&str> = pieces
            .filter(|piece| piece.contains(' ') || *piece == "PAUSED")
            .collect();
        let literals = body.split('"').skip(1).step_by(2);
        for problem in
            literals.filter(|literal| literal.len() > 24 && !literal.starts_with("until"))
        {
            // A row has an ellipsis for what differs from case to case.
            let has = |piece: &&str| piece.split('…').all(|part| problem.contains(part.trim()));
            let is_documented = pieces.iter().any(has);
            assert!(is_documented, "the guide lacks the problem `{problem}`");
            count += 1;
        }
    }
    assert!(count >= 20, "{count}");
    let alerts = source("dist/alerts.yml").expect("the alarms");
    let alerts = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(has(&guide, alert), "the guide lacks the alarm {alert}");
    }
    let events = source("src/notify/event.rs").expect("the events");
    let events = events.lines().filter_map(|line| {
        let (_, name) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
        name.strip_suffix("\",")
    });
    let mut count = 0;
    for event in events {
        assert!(has(&guide, event), "the guide lacks the event {event}");
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

#[test]
fn every_file_that_the_documents_name_is_there() {
    const FOLDERS: [&str; 5] = [
        "docs/",
        "failover-ebpf/",
        "failover-user/",
        "tests/",
        "xtask/",
    ];
    let mut count = 0;
    for document in documents() {
        let name = document.display();
        let text = fs::read_to_string(&document).expect("reading a document");
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.contains("://"));
        for link in links {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => document.clone(),
                file => document.with_file_name("").join(file),
            };
            let linked = fs::read_to_string(&file);
            let linked = linked.unwrap_or_else(|error| panic!("{name}: {link}: {error}"));
            // As GitHub makes it of a heading.
            let anchor = |line: &str| {
                let (_, title) = line.split_once("# ").unwrap_or_default();
                let title = title.to_lowercase().replace(' ', "-");
                title.replace(|one: char| !one.is_alphanumeric() && one != '-', "")
            };
            let is_there = heading.is_empty() || linked.lines().any(|line| anchor(line) == heading);
            assert!(is_there, "{name}: {link}");
            count += 1;
        }
        let (_, spans) = parts(&document);
        let in_repository = |span: &&String| FOLDERS.iter().any(|folder| span.starts_with(folder));
        for span in spans.iter().filter(in_repository) {
            let path = root().join(span.trim_end_matches("*.rs"));
            let is_there = path.exists() || path.with_extension("rs").exists();
            assert!(is_there, "{name}: {span} isn't there");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn no_link_leads_out_of_the_package() {
    let manifest = fs::read_to_string(root().join("failover-user/Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("a manifest");
    let deb = &manifest["package"]["metadata"]["deb"];
    let sources: Vec<&str> = deb["assets"]
        .as_array()
        .expect("what is in the package")
        .iter()
        .filter_map(|asset| asset[0].as_str()?.strip_prefix("../"))
        .collect();
    let is_in = |path: &Path| {
        let name = path.strip_prefix(root()).expect("a file of the repository");
        let pattern = name.with_file_name("*.md");
        let fits = |source: &&str| Path::new(source) == name || Path::new(source) == pattern;
        sources.iter().any(fits)
    };
    let mut count = 0;
    for document in documents().iter().filter(|document| is_in(document)) {
        let text = fs::read_to_string(document).expect("reading a document");
        let links = text.split("](").skip(1);
        let links = links.filter_map(|rest| rest.split([')', '#']).next());
        for link in links.filter(|link| !link.is_empty() && !link.contains("://")) {
            let name = document.display();
            let target = document.with_file_name("").join(link);
            let target = target.canonicalize();
            let target = target.unwrap_or_else(|error| panic!("{name}: {link}: {error}"));
            assert!(is_in(&target), "{name}: {link} isn't in the package");
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

// --- configurations ------------------------------------------------------------------------------

#[test]
fn every_configuration_in_the_documents_can_be_run() {
    let lab = Lab::new();
    let programs = lab.directory().join("bin");
    fs::create_dir(&programs).expect("preparing a machine");
    for name in ["openclaw", "ssh", "mail-the-admin"] {
        Lab::copy_program("/bin/true".as_ref(), &programs.join(name));
    }
    let token = lab.directory().join("webhook-token");
    fs::write(&token, "secret\n").expect("preparing a machine");
    let file = lab.directory().join("failover.toml");
    let mut count = 0;
    for document in documents() {
        let (blocks, spans) = parts(&document);
        for block in blocks.iter().filter(|block| block.language == "toml") {
            // Whose account it is, and where that has its OpenClaw, is the reader's own.
            let lines = block
                .text
                .lines()
                .filter(|line| !line.starts_with("user = "));
            let mut text = lines.collect::<Vec<_>>().join("\n");
            text = text.replace("/etc/failover/webhook-token", &token.display().to_string());
            if !text.contains("primary = ") {
                text.push_str(&format!("\nprimary = \"{PRIMARY}\"\n"));
            }
            fs::write(&file, &text).expect("writing a configuration");
            let mut check = Command::new(failover_binary());
            check.args(["config", "check"]).arg(&file);
            let checked = check.env("PATH", &programs).output().expect("failover");
            assert!(checked.status.success(), "{text}: {checked:?}");
            count += 1;
        }
        for span in spans {
            let Some((name, _)) = span.split_once(" = ") else {
                continue;
            };
            if name.contains([' ', '.', '/']) {
                continue;
            }
            if let Err(error) = span.parse::<Options>() {
                panic!("{}: `{span}`: {error}", document.display());
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

// --- commands ---------------------------------------------------------------------------------------

/// With what is in the reader's place.
fn filled(typed: &Typed, primary: &str) -> Typed {
    let word = |word: &String| match word.as_str() {
        "FILE" | "OTHER" => CONFIGURATION.to_owned(),
        "COMMAND" => "true".to_owned(),
        word if word == PRIMARY => primary.to_owned(),
        word => word.to_owned(),
    };
    let mut words: Vec<String> = typed.0.iter().map(word).collect();
    // Otherwise than people, a test waits for no key and for ten thousand days.
    match typed.words()[..] {
        ["failover", "simulate", ..] => words.push("--days=2".to_owned()),
        ["failover", "run", "--help"] => {}
        // Beside the daemon that is there already.
        ["failover", "run", ..] => {
            if words.len() == 2 {
                words.extend(["--primary", primary, "--dry-run"].map(str::to_owned));
            }
            let places = ["--control=/run/other.sock", "--state-dir=/var/lib/other"];
            words.extend(places.map(str::to_owned));
        }
        ["failover", "trace", ..] => words.push("--duration=1s".to_owned()),
        _ => {}
    }
    Typed(words)
}

#[test]
fn every_command_in_the_documents_does_on_pc_b_what_it_is_for() {
    let lab = Lab::new();
    let Some(mut pc_b) = PcB::new(&lab) else {
        return;
    };
    let started = pc_b.run(&["systemctl", "start", "failover"]);
    let journal = ["journalctl", "--no-pager", "--lines=60"];
    assert!(started.status.success(), "{}", pc_b.machine.run(&journal));
    pc_b.becomes("standby");
    wait::until("the primary was seen", wait::LONG, || {
        pc_b.is("armed", true).then_some(())
    });
    let address = lab.host_a().address().to_string();
    let all = commands();
    // Orders first: their output is what some of the others show.
    let is_order = |typed: &&Typed| proof(typed) == Some(Proof::Order);
    let (orders, others): (Vec<&Typed>, Vec<&Typed>) = all.iter().partition(is_order);
    for typed in orders {
        eprintln!("{typed}");
        pc_b.order(&typed.words());
    }
    for typed in others {
        let filled = filled(typed, &address);
        let words = filled.words();
        eprintln!("{typed}");
        match proof(typed) {
            Some(Proof::Succeeds) if words.contains(&"init") && words.contains(&"--output") => {
                pc_b.machine.run(&["rm", CONFIGURATION]);
                pc_b.machine.run(&words);
                assert!(pc_b.machine.path(CONFIGURATION).exists());
                pc_b.configure();
            }
            Some(Proof::Succeeds) => {
                pc_b.machine.run(&words);
            }
            Some(Proof::Answers) => {
                let output = pc_b.run(&[&["env", "EDITOR=true"], &words[..]].concat());
                let code = output.status.code();
                assert!(matches!(code, Some(0 | 1)), "`{typed}`: {output:?}");
                assert!(
                    !output.stdout.is_empty() || words[1] == "edit",
                    "{output:?}"
                );
            }
            Some(Proof::Goes) => {
                let limit = ["timeout", "--preserve-status", "--signal=INT", "3"];
                let output = pc_b.run(&[&limit, &words[..]].concat());
                let text = String::from_utf8_lossy(&output.stderr);
                let code = output.status.code();
                match words[1] {
                    // Whatever it shows last, or ended by the signal.
                    "status" => assert!(matches!(code, Some(0 | 1 | 130)), "`{typed}`: {text}"),
                    _ => assert_eq!(code, Some(0), "`{typed}`: {text}"),
                }
            }
            Some(Proof::AsOwner) => {
                pc_b.machine.run_as_user(&words);
            }
            _ => {}
        }
    }
    pc_b.becomes("standby");
}
