//! The man pages: for the program, for each subcommand, and for the configuration file. clap_mangen renders
//! what clap knows; this adds exit status, files, environment and references.

use clap::{Arg, Command};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};
use failover::config::{self, Entry};

/// With more options a synopsis becomes unreadable.
const MOST_OPTIONS: usize = 8;

const CONFIGURATION: (&str, &str) = (
    "/etc/failover/failover.toml",
    "The default configuration file; see failover.toml(5).",
);
const STATE: (&str, &str) = (
    "/var/lib/failover/",
    "The history, the persisted state, and the output of the commands; see state-dir.",
);
const SOCKET: (&str, &str) = (
    "/run/failover/control.sock",
    "The control socket; see control.",
);
const GUIDE: &str = "/usr/share/doc/failover/docs/operating.md";

/// A page: its file name and its content.
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

/// Sections after the description: exit status, files, environment, see also.
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
        let what = "Log level of run and trace, such as debug, or levels by module, such as info,failover::primary=trace.";
        entry(&mut roff, [bold("FAILOVER_LOG")], what);
    }
    let own = format!("{name}(1)");
    see_also(&mut roff, &own);
    roff
}

fn exit_status(verb: &str) -> &'static [(&'static str, &'static str)] {
    const WRONG: (&str, &str) = ("2", "Usage or configuration error.");
    const NOBODY: (&str, &str) = ("3", "The daemon is not running.");
    const SILENT: (&str, &str) = ("4", "The daemon does not answer, or not to this account.");
    match verb {
        "" => &[
            ("0", "Success."),
            (
                "1",
                "Failure, or a negative result; see the command's page.",
            ),
            WRONG,
            NOBODY,
            SILENT,
        ],
        "status" => &[
            (
                "0",
                "Safe, or degraded (PC-A is down, and there is no further standby).",
            ),
            ("1", "PC-A is not protected, or two gateways serve."),
            WRONG,
            NOBODY,
            SILENT,
        ],
        "pause" | "resume" | "takeover" | "release" => &[
            ("0", "The daemon has accepted the command."),
            ("1", "The daemon has rejected the command, and printed why."),
            WRONG,
            NOBODY,
            SILENT,
        ],
        "check" => &[
            ("0", "No errors; there may be warnings."),
            ("1", "Errors."),
            ("2", "Usage error."),
        ],
        "run" => &[
            ("0", "Stopped by a signal."),
            ("1", "A fatal error."),
            WRONG,
        ],
        _ => &[("0", "Success."), ("1", "Failure."), WRONG],
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

fn configuration_entry(roff: &mut Roff, configured: &Entry) {
    let option = configured.option;
    let head = [
        bold(&option.name),
        roman(" = "),
        italic(configured.kind.clone()),
    ];
    let mut text = format!("{}. Default: {}.", option.help, configured.default());
    if let Some(range) = &option.range {
        text.push_str(&format!(" Range: {range}."));
    }
    entry(roff, head, &text);
    for (choice, what) in &configured.choices {
        roff.control("br", []);
        roff.text([bold(format!("\"{choice}\"")), roman(format!(": {what}."))]);
    }
    roff.control("br", []);
    roff.text([roman(format!("Example: {}", configured.sample()))]);
}

/// `failover.toml(5)`, from the options' own definitions.
fn of_configuration() -> Page {
    let mut roff = Roff::default();
    roff.control("SH", ["NAME"]);
    roff.text([roman("failover.toml - configuration of failover")]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([italic(CONFIGURATION.0)]);
    roff.control("SH", ["DESCRIPTION"]);
    for (number, paragraph) in [
        "A file in TOML. Each option is a key, and a flag of failover run with the same name, which overrides \
         the file. Only primary is required.",
        "failover config init writes a file with all options, commented out. failover config check \
         validates it, and systemctl reload failover reloads it. An invalid file is rejected, and \
         the old settings stay. A file that other users can write is rejected, too, because it contains \
         commands that root runs.",
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
    let mut group = None;
    for entry in config::entries() {
        let of = entry.option.group;
        if group.replace(of) != Some(of) {
            roff.control("SS", [of.heading()]);
        }
        configuration_entry(&mut roff, &entry);
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
