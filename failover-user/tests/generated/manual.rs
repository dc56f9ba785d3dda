//! The manual: a page for the program, one for each of its verbs, and one for the configuration file. What
//! clap knows, clap_mangen writes; the rest of what a reader of manuals looks for is here.

use clap::{Arg, Command};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};
use failover::config::{self, Entry};

/// More of them would hide what a synopsis shows.
const MOST_OPTIONS: usize = 8;

const CONFIGURATION: (&str, &str) = (
    "/etc/failover/failover.toml",
    "The configuration, where no other is named with --config; see failover.toml(5).",
);
const STATE: (&str, &str) = (
    "/var/lib/failover/",
    "The history, what a daemon must remember, and what the commands said; see state-dir.",
);
const SOCKET: (&str, &str) = (
    "/run/failover/control.sock",
    "Where the daemon is asked and ordered; see control.",
);
const GUIDE: &str = "/usr/share/doc/failover/docs/operating.md";

/// A page: its file's name, and what is in it.
pub(crate) type Page = (String, Vec<u8>);

pub(crate) fn pages(program: Command) -> Vec<Page> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = vec![of_configuration()];
    of_commands(&program, &mut pages);
    pages
}

fn of_commands(command: &Command, pages: &mut Vec<Page>) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        of_commands(verb, pages);
    }
    pages.push(of_command(command));
}

/// The whole page: its parts below a title, and once what each of them begins with.
fn page(name: &str, section: &str, parts: &[u8]) -> Page {
    let preamble = Roff::default().render();
    // Without a date: the version says it, and what is generated is the same on every day. An empty
    // argument needs quotes, which roff leaves out.
    let title = format!(
        ".TH \"{}\" \"{section}\" \"\" \"failover {}\" \"failover manual\"\n",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION"),
    );
    let parts = String::from_utf8_lossy(parts).replace(&preamble, "");
    let page = [preamble, title, parts].concat();
    (format!("{name}.{section}"), page.into_bytes())
}

fn of_command(command: &Command) -> Page {
    let name = command.get_display_name().unwrap_or("failover").to_owned();
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    let written = [
        man.render_name_section(&mut parts),
        synopsis(command).to_writer(&mut parts),
        man.render_description_section(&mut parts),
        man.render_options_section(&mut parts),
        match command.has_subcommands() {
            true => man.render_subcommands_section(&mut parts),
            false => Ok(()),
        },
        around(&name, command).to_writer(&mut parts),
    ];
    for written in written {
        written.expect("writing a page");
    }
    page(&name, "1", &parts)
}

fn synopsis(command: &Command) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    let called = command.get_bin_name().unwrap_or("failover");
    let mut line = vec![bold(called)];
    let shown = |argument: &&Arg| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    };
    let options: Vec<&Arg> = command.get_opts().filter(shown).collect();
    let flags = command.get_arguments().filter(shown);
    let flags: Vec<&Arg> = flags.filter(|one| !one.is_positional()).collect();
    if flags.len() > MOST_OPTIONS {
        line.extend([
            roman(" ["),
            bold("--config"),
            roman(" "),
            italic("FILE"),
            roman("]"),
        ]);
        line.extend([roman(" ["), italic("OPTION"), roman("]...")]);
    } else {
        for flag in flags {
            let name = flag.get_long().unwrap_or_default();
            line.extend([roman(" ["), bold(format!("--{name}"))]);
            if options
                .iter()
                .any(|option| option.get_id() == flag.get_id())
            {
                line.extend([roman(" "), italic(value(flag))]);
            }
            line.push(roman("]"));
        }
    }
    for positional in command.get_positionals() {
        line.extend([roman(" ["), italic(value(positional)), roman("]")]);
    }
    if command.has_subcommands() {
        line.extend([roman(" "), italic("COMMAND")]);
    }
    roff.text(line);
    roff
}

fn value(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(" ")
}

/// What is around a command: codes, files, variables, and what else there is to read.
fn around(name: &str, command: &Command) -> Roff {
    let mut roff = Roff::default();
    let verb = name.strip_prefix("failover-").unwrap_or_default();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, what) in exit_status(verb) {
        entry(&mut roff, [bold(*code)], what);
    }
    let has = |option: &str| command.get_opts().any(|one| one.get_long() == Some(option));
    let mut files = Vec::new();
    if verb.is_empty() || has("config") && verb != "simulate" || verb == "config-check" {
        files.push(CONFIGURATION);
    }
    if verb.is_empty() || has("state-dir") {
        files.push(STATE);
    }
    if verb.is_empty() || has("control") {
        files.push(SOCKET);
    }
    if !files.is_empty() {
        roff.control("SH", ["FILES"]);
    }
    for (path, what) in files {
        entry(&mut roff, [italic(path)], what);
    }
    if matches!(verb, "" | "run" | "trace") {
        roff.control("SH", ["ENVIRONMENT"]);
        let what = "What run and trace log: a level, as debug, or levels by module, as info,failover::primary=trace.";
        entry(&mut roff, [bold("FAILOVER_LOG")], what);
    }
    let own = format!("{name}(1)");
    see_also(&mut roff, &own);
    roff
}

fn exit_status(verb: &str) -> &'static [(&'static str, &'static str)] {
    const WRONG: (&str, &str) = ("2", "What was typed or configured is wrong.");
    const NOBODY: (&str, &str) = ("3", "No daemon is running there.");
    const SILENT: (&str, &str) = (
        "4",
        "A daemon is there, and doesn't answer or not this account.",
    );
    match verb {
        "" => &[
            ("0", "It is done."),
            (
                "1",
                "It isn't, or the answer is no: each command's page says which.",
            ),
            WRONG,
            NOBODY,
            SILENT,
        ],
        "status" => &[
            (
                "0",
                "PC-B is safe: it would take over; or degraded: it has, and nothing stands behind it.",
            ),
            ("1", "PC-A isn't protected, or two gateways serve."),
            WRONG,
            NOBODY,
            SILENT,
        ],
        "pause" | "resume" | "takeover" | "release" => &[
            ("0", "The daemon follows the order."),
            ("1", "It refuses, and says why."),
            WRONG,
            NOBODY,
            SILENT,
        ],
        "check" => &[
            ("0", "There are no errors; there may be warnings."),
            ("1", "There are errors."),
            ("2", "What was typed is wrong."),
        ],
        "run" => &[("0", "A signal ended it."), ("1", "It can't go on."), WRONG],
        _ => &[("0", "It is done."), ("1", "It can't be done."), WRONG],
    }
}

fn see_also(roff: &mut Roff, own: &str) {
    const PAGES: [&str; 8] = [
        "failover(1)",
        "failover-run(1)",
        "failover-check(1)",
        "failover-status(1)",
        "failover-history(1)",
        "failover-config(1)",
        "failover.toml(5)",
        "systemctl(1)",
    ];
    roff.control("SH", ["SEE ALSO"]);
    let others: Vec<&str> = PAGES.into_iter().filter(|page| *page != own).collect();
    let guide = [roman(format!("{}, ", others.join(", "))), italic(GUIDE)];
    roff.text(guide);
}

fn entry(roff: &mut Roff, head: impl Into<Vec<Inline>>, text: &str) {
    roff.control("TP", []);
    roff.text(head);
    roff.text([roman(text)]);
}

/// `failover.toml(5)`, from the options' own definitions.
fn of_configuration() -> Page {
    let mut roff = Roff::default();
    roff.control("SH", ["NAME"]);
    roff.text([roman(
        "failover.toml - what failover watches, and what it does",
    )]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([italic(CONFIGURATION.0)]);
    roff.control("SH", ["DESCRIPTION"]);
    for (number, paragraph) in [
        "A file in TOML. Each option is a key, and under the same name a flag of failover run, which wins \
         over the file. Only primary has to be there.",
        "failover config init writes the file with every option as a comment, failover config check says \
         whether it is right, and systemctl reload failover puts it in force. A wrong one is refused, and \
         what ran goes on. So is one that others than root could have written, for it names commands that \
         root runs.",
    ]
    .iter()
    .enumerate()
    {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*paragraph)]);
    }
    roff.control("SH", ["OPTIONS"]);
    for option in config::entries() {
        let Entry {
            name,
            what,
            kind,
            default,
            sample,
            choices,
        } = option;
        let head = [bold(name), roman(" = "), italic(kind)];
        entry(&mut roff, head, &format!("{what}. Default: {default}."));
        for (choice, what) in choices {
            roff.control("br", []);
            roff.text([bold(format!("\"{choice}\"")), roman(format!(": {what}."))]);
        }
        roff.control("br", []);
        roff.text([roman(format!("As: {sample}"))]);
    }
    roff.control("SH", ["VALUES"]);
    for (kind, how) in config::VALUES {
        entry(
            &mut roff,
            [italic(kind.replace('`', ""))],
            &how.replace('`', ""),
        );
    }
    roff.control("SH", ["EXAMPLE"]);
    roff.control("EX", []);
    for line in [
        "primary = \"192.168.1.10\"",
        "user = \"alice\"",
        "witnesses = [\"192.168.1.1\", \"9.9.9.9:53\"]",
    ] {
        roff.text([roman(line)]);
    }
    roff.control("EE", []);
    see_also(&mut roff, "failover.toml(5)");
    page("failover.toml", "5", roff.render().as_bytes())
}
