//! Other ways in which a gateway starts on PC-B: at boot, at a login, or by a timer. Both gateways would run then.

use std::{fs, path::Path};

use failover_linux::escape;

use crate::{
    config::Configuration,
    gateway::{
        boot::{Enabled, enabled_units},
        command::{account::Account, unit::Scope},
        port::identity::{LEGACY_UNITS, OPENCLAW_UNITS, matches as fits_pattern},
    },
    preflight::{Finding, startable},
};

/// Current and former names of OpenClaw (its `daemon/constants`, and the package's changelog).
const PRODUCTS: [&str; 3] = ["openclaw", "clawdbot", "moltbot"];
/// Subcommands of `gateway` that start it.
const STARTING: [&str; 4] = ["run", "start", "restart", "install"];
const SYSTEM_CRONTAB: &str = "/etc/crontab";
const CRON_FOLDER: &str = "/etc/cron.d";
/// Crontabs of users: Debian's cron(8) and other implementations (crond(8)).
const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
const AUTOSTART: &str = "/etc/xdg/autostart";
const BOOT_SCRIPTS: [&str; 2] = ["/etc/rc.local", "/etc/rc.d/rc.local"];
/// Far larger than any of these files.
const LONGEST: u64 = 1024 * 1024;
const MOST_FILES: usize = 1000;
/// pm2 stores the whole environment of each process in this file.
const LONGEST_DUMP: u64 = 8 * 1024 * 1024;

const NAME: &str = "starters";

/// All findings, or one that there is nothing.
pub(super) fn look(configuration: &Configuration, account: &Account) -> Vec<Finding> {
    let gateway = Gateway::of(configuration);
    let mut findings = gateway.units(account);
    findings.extend(gateway.crontabs(account));
    findings.extend(gateway.autostart(account));
    findings.extend(gateway.boot_scripts());
    findings.extend(gateway.pm2(account));
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "no other known way starts a gateway"));
    }
    findings
}

/// How a start of the gateway is recognised.
struct Gateway {
    /// Its unit, as a glob pattern.
    unit: Option<String>,
    /// The program of its start command, unless other commands use the same program.
    program: Option<String>,
}

impl Gateway {
    fn of(configuration: &Configuration) -> Self {
        let unit = configuration.gateway.unit.as_ref();
        let program = configuration
            .gateway
            .start
            .program
            .to_string_lossy()
            .into_owned();
        let is_own = program.starts_with('/')
            && !["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/proc/"]
                .iter()
                .any(|folder| program.starts_with(folder));
        Self {
            unit: unit.map(|unit| unit.name.clone()),
            program: is_own.then_some(program),
        }
    }

    fn is_unit(&self, name: &str) -> bool {
        self.unit.iter().any(|unit| fits_pattern(unit, name))
            || fits_pattern(OPENCLAW_UNITS, name)
            || LEGACY_UNITS.iter().any(|legacy| fits_pattern(legacy, name))
    }

    /// Does this command start a gateway?
    fn is_started_by(&self, command: &str) -> bool {
        let separator =
            |character: char| character.is_whitespace() || ";|&()'\"`".contains(character);
        let words: Vec<&str> = command
            .split(separator)
            .filter(|word| !word.is_empty())
            .collect();
        let names = |word: &&str, name: &str| word.rsplit('/').next() == Some(name);
        if words.iter().any(|word| names(word, "failover")) {
            return false;
        }
        if self
            .program
            .as_deref()
            .is_some_and(|program| words.contains(&program))
        {
            return true;
        }
        let is_product = |word: &&str| word.split(['/', '.']).any(|part| PRODUCTS.contains(&part));
        let starts = |rest: &[&str]| {
            let next = rest.iter().find(|word| !word.starts_with('-'));
            match rest {
                [first, ..] if !first.starts_with('-') => {
                    STARTING.contains(first) || first.starts_with('>')
                }
                _ => next.is_none_or(|next| {
                    STARTING.contains(next) || next.bytes().all(|byte| byte.is_ascii_digit())
                }),
            }
        };
        let at = words.iter().position(is_product).and_then(|product| {
            let rest = words.get(product..)?;
            rest.iter()
                .position(|word| ["gateway", "daemon"].contains(word))
                .map(|at| product + at + 1)
        });
        if let Some(at) = at
            && starts(words.get(at..).unwrap_or_default())
        {
            return true;
        }
        words.iter().any(|word| names(word, "systemctl"))
            && words
                .iter()
                .any(|word| ["start", "restart", "reload-or-restart", "--now"].contains(word))
            && words
                .iter()
                .any(|word| self.is_unit(word) || self.is_unit(&format!("{word}.service")))
    }

    // --- units ------------------------------------------------------------------------------------------

    /// Units under other names, and timers, sockets and paths that start the gateway.
    fn units(&self, account: &Account) -> Vec<Finding> {
        let enabled = enabled_units(Scope::User, "*", account);
        enabled
            .iter()
            .filter_map(|one| self.unit(one, account))
            .collect()
    }

    fn unit(&self, enabled: &Enabled, account: &Account) -> Option<Finding> {
        let Enabled { unit, scope, .. } = enabled;
        // The gateway's own unit has a finding of its own.
        if self.unit.iter().any(|own| fits_pattern(own, unit)) {
            return None;
        }
        let (stem, kind) = unit.rsplit_once('.')?;
        let what = match kind {
            "service" if self.is_unit(unit) => "a unit of the gateway".to_owned(),
            "service" => {
                let command = self.starting_command(unit, *scope, account)?;
                format!("it starts a gateway (`{command}`)")
            }
            "timer" | "socket" | "path" => {
                let section = kind.get(..1)?.to_uppercase() + kind.get(1..)?;
                let key = if kind == "socket" { "Service" } else { "Unit" };
                let started = match startable::load(*scope, unit, account) {
                    startable::Loaded::Found(file) => file.one(&section, key).map(str::to_owned),
                    _ => None,
                };
                let started = started.unwrap_or_else(|| format!("{stem}.service"));
                if !self.is_unit(&started) {
                    self.starting_command(&started, *scope, account)?;
                }
                format!("it starts {}", escape::one_line(&started))
            }
            _ => return None,
        };
        Some(crate::preflight::gateway::at_boot(account, enabled, &what))
    }

    fn starting_command(&self, unit: &str, scope: Scope, account: &Account) -> Option<String> {
        let startable::Loaded::Found(file) = startable::load(scope, unit, account) else {
            return None;
        };
        let commands = file.list("Service", "ExecStart");
        let command = commands
            .iter()
            .find(|(command, _)| self.is_started_by(command))?;
        Some(escape::one_line(command.0))
    }

    // --- files ------------------------------------------------------------------------------------------

    fn crontabs(&self, account: &Account) -> Vec<Finding> {
        let mut findings = Vec::new();
        let own = CRONTABS.map(|folder| Path::new(folder).join(account.name()));
        for path in own {
            let remedy = format!("remove this line: `crontab -u {} -e`", account.name());
            findings.extend(self.crontab(&path, false, &remedy));
        }
        let mut shared = vec![SYSTEM_CRONTAB.into()];
        shared.extend(
            fs::read_dir(CRON_FOLDER)
                .into_iter()
                .flatten()
                .take(MOST_FILES)
                .flatten()
                .map(|entry| entry.path()),
        );
        for path in shared {
            let remedy = format!("remove this line from {}", printable(&path));
            findings.extend(self.crontab(&path, true, &remedy));
        }
        findings
    }

    fn crontab(&self, path: &Path, has_users: bool, remedy: &str) -> Vec<Finding> {
        let Ok(text) = startable::read(path, LONGEST) else {
            return Vec::new();
        };
        let found = text
            .lines()
            .filter_map(|line| self.cron_line(line, has_users));
        found
            .map(|(when, command)| {
                let message = format!(
                    "cron starts a gateway {when} ({}): `{command}`",
                    printable(path)
                );
                Finding::error(NAME, message, remedy)
            })
            .collect()
    }

    /// When, and which command (crontab(5)).
    fn cron_line(&self, line: &str, has_users: bool) -> Option<(&'static str, String)> {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let (fields, when) = match line.strip_prefix('@') {
            Some(rest) if rest.starts_with("reboot") => (1, "at boot"),
            Some(_) => (1, "repeatedly"),
            None => (5, "repeatedly"),
        };
        let mut rest = line;
        for _ in 0..fields + usize::from(has_users) {
            let (_, after) = rest.split_once(char::is_whitespace)?;
            rest = after.trim_start();
        }
        self.is_started_by(rest)
            .then(|| (when, escape::one_line(rest)))
    }

    fn autostart(&self, account: &Account) -> Vec<Finding> {
        let own = account.home().join(".config/autostart");
        let mut findings = Vec::new();
        for folder in [own.as_path(), Path::new(AUTOSTART)] {
            for entry in fs::read_dir(folder)
                .into_iter()
                .flatten()
                .take(MOST_FILES)
                .flatten()
            {
                let path = entry.path();
                let Ok(text) = startable::read(&path, LONGEST) else {
                    continue;
                };
                if let Some(command) = self.desktop_entry(&text) {
                    findings.push(Finding::warning(
                        NAME,
                        format!("a desktop login starts a gateway: `{command}`"),
                        format!("`rm {}`", printable(&path)),
                    ));
                }
            }
        }
        findings
    }

    /// Its command, unless it is disabled (Desktop Application Autostart Specification 0.5).
    fn desktop_entry(&self, text: &str) -> Option<String> {
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.trim().split_once('='));
            let found = lines.filter(|(name, _)| name.trim() == key);
            found.map(|(_, value)| value.trim()).next_back()
        };
        let is_off =
            value("Hidden") == Some("true") || value("X-GNOME-Autostart-enabled") == Some("false");
        let command = value("Exec").filter(|command| !is_off && self.is_started_by(command))?;
        Some(escape::one_line(command))
    }

    fn boot_scripts(&self) -> Vec<Finding> {
        let lines = |path: &str| {
            let text = startable::read(Path::new(path), LONGEST).unwrap_or_default();
            let starting = text
                .lines()
                .map(str::trim)
                .find(|line| !line.starts_with('#') && self.is_started_by(line));
            starting.map(escape::one_line)
        };
        let found = BOOT_SCRIPTS
            .iter()
            .filter_map(|path| Some((path, lines(path)?)));
        found
            .map(|(path, line)| {
                let message = format!("{path} starts a gateway at boot: `{line}`");
                Finding::error(NAME, message, format!("remove this line from {path}"))
            })
            .collect()
    }

    /// The gateway in pm2's saved process list, which `pm2 startup` restores at boot.
    fn pm2(&self, account: &Account) -> Option<Finding> {
        let dump = account.home().join(".pm2/dump.pm2");
        let text = startable::read(&dump, LONGEST_DUMP).ok()?;
        let found = self.pm2_process(&text)?;
        let name = account.name();
        let is_enabled =
            !enabled_units(Scope::System, &format!("pm2-{name}.service"), account).is_empty();
        let message = format!(
            "pm2 supervises a gateway (`{found}` in {})",
            printable(&dump)
        );
        let remedy = format!("remove it from pm2: as {name} `pm2 delete {found} && pm2 save`");
        Some(match is_enabled {
            true => Finding::error(NAME, format!("{message}, and starts it at boot"), remedy),
            false => Finding::warning(NAME, message, remedy),
        })
    }

    fn pm2_process(&self, dump: &str) -> Option<String> {
        let processes: serde_json::Value = serde_json::from_str(dump).ok()?;
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Array(words) => {
                let words: Vec<&str> = words.iter().filter_map(|word| word.as_str()).collect();
                words.join(" ")
            }
            _ => String::new(),
        };
        processes.as_array()?.iter().find_map(|process| {
            let command = format!(
                "{} {}",
                text(&process["pm_exec_path"]),
                text(&process["args"])
            );
            let name = text(&process["name"]);
            self.is_started_by(&command)
                .then(|| escape::one_line(&name))
        })
    }
}

fn printable(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> Gateway {
        Gateway {
            unit: Some(OPENCLAW_UNITS.to_owned()),
            program: Some("/opt/bot/up".to_owned()),
        }
    }

    #[test]
    fn a_start_is_known_by_its_words() {
        for command in [
            "openclaw gateway start",
            "openclaw gateway",
            "/home/a/.npm-global/bin/openclaw gateway run --bind lan",
            "cd /x && nohup openclaw gateway --port 18789 >/dev/null 2>&1 &",
            "/usr/bin/node /usr/lib/node_modules/openclaw/dist/index.js gateway --port 18789",
            "clawdbot gateway start",
            "su alice -c 'moltbot gateway restart'",
            "openclaw --profile work gateway start",
            "openclaw daemon start",
            "systemctl --user start openclaw-gateway",
            "systemctl restart clawdbot-gateway.service",
            "/opt/bot/up now",
            "sh -c '/opt/bot/up'",
        ] {
            assert!(gateway().is_started_by(command), "{command}");
        }
        for command in [
            "openclaw gateway stop",
            "openclaw gateway status",
            "openclaw gateway health --json",
            "openclaw backup create",
            "systemctl --user stop openclaw-gateway",
            "systemctl start nginx",
            "/usr/bin/failover run --start 'openclaw gateway start'",
            "/opt/bot/upper",
            "echo gateway openclaw",
            "/usr/sbin/gateway start",
            "",
        ] {
            assert!(!gateway().is_started_by(command), "{command}");
        }
    }

    #[test]
    fn crontabs_are_read_with_and_without_users() {
        let found =
            |line: &str, has_users| gateway().cron_line(line, has_users).map(|(when, _)| when);
        assert_eq!(
            found("@reboot openclaw gateway start", false),
            Some("at boot")
        );
        assert_eq!(
            found("@reboot alice openclaw gateway start", true),
            Some("at boot")
        );
        assert_eq!(
            found("*/5 * * * * openclaw gateway start >/dev/null", false),
            Some("repeatedly")
        );
        assert_eq!(found("@hourly root /opt/bot/up", true), Some("repeatedly"));
        for line in [
            "# @reboot openclaw gateway start",
            "PATH=/usr/bin",
            "@reboot",
            "",
            "0 3 * * * openclaw backup create",
        ] {
            assert_eq!(found(line, false), None, "{line}");
        }
    }

    #[test]
    fn a_desktop_entry_counts_unless_it_is_off() {
        let entry = "[Desktop Entry]\nType=Application\nExec=openclaw gateway run\n";
        assert!(gateway().desktop_entry(entry).is_some());
        for off in [
            "Hidden=true",
            "X-GNOME-Autostart-enabled=false",
            "Exec=openclaw tui",
        ] {
            assert_eq!(
                gateway().desktop_entry(&format!("{entry}{off}\n")),
                None,
                "{off}"
            );
        }
    }

    #[test]
    fn what_pm2_brings_back_is_found_by_its_command() {
        let dump = |args: &str| {
            format!(
                r#"[{{"name":"x","pm_exec_path":"/y.js"}},{{"name":"bot","pm_exec_path":"/usr/bin/openclaw","args":{args}}}]"#
            )
        };
        assert_eq!(
            gateway()
                .pm2_process(&dump(r#"["gateway","run"]"#))
                .as_deref(),
            Some("bot")
        );
        assert_eq!(
            gateway().pm2_process(&dump(r#""gateway run""#)).as_deref(),
            Some("bot")
        );
        assert_eq!(gateway().pm2_process(&dump(r#"["tui"]"#)), None);
        assert_eq!(gateway().pm2_process("nonsense"), None);
    }
}
