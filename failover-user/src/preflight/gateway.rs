//! Checks of the local gateway: its start and stop commands, its unit, whether it starts at boot, and
//! which process holds its port.

use std::{collections::BTreeSet, net::SocketAddr, num::NonZeroU16, path::Path};

use rustix::process::geteuid;
use tokio::time::sleep;

use failover_decide::{Outcome, Step};
use failover_linux::{
    clock, escape,
    sock_diag::{
        bound::Bound,
        listeners::{Listener, Listeners, ListenersError},
    },
};

use crate::{
    config::{Configuration, not_trusted},
    gateway::{
        boot::{Enabled, EnabledBy, enabled_units, has_systemd, installed_units, is_lingering},
        command::{account::Account, command_line::CommandLine, unit::Scope},
        port::{
            debounce::Debounce,
            holder::Holder,
            holder_search::holders,
            identity::{Identity, OPENCLAW_UNIT},
            invocation::InvocationMark,
            tunnel::tunnels,
        },
        spec::LocalUnit,
    },
    preflight::{
        Finding, Level, startable,
        startable::{Defect, Loaded, Runner},
    },
    primary::{check::readiness::Readiness, local::LocalProber},
    state_dir::persisted::Persisted,
    wording,
};

/// Does the command's program exist, and can it run?
pub(super) fn command(
    configuration: &Configuration,
    step: Step,
    account: Option<&Account>,
) -> Finding {
    let name = step.name();
    match configuration.commands().line(step) {
        Some(line) => program(name, line, account, configuration.dry_run),
        None => Finding::ok(name, "none"),
    }
}

/// The same check of the notify command, without which the daemon does not start.
pub(super) fn notify(configuration: &Configuration) -> Option<Finding> {
    let line = configuration.notifications.command.as_ref()?;
    Some(program("notify", line, None, configuration.dry_run))
}

fn program(
    name: &'static str,
    line: &CommandLine,
    account: Option<&Account>,
    dry_run: bool,
) -> Finding {
    let runner = account.map(|account| format!(", as {}", account.name()));
    match line.clone().resolved(account) {
        Ok(line) => match (
            defect(&line, account),
            not_trusted(&line.program).filter(|_| account.is_none()),
        ) {
            (Some(defect), _) => of_defect(name, defect, dry_run),
            (None, Some(fault)) => Finding::of_error(name, Level::Warning, &fault),
            (None, None) => Finding::ok(
                name,
                format!("`{}`{}", line.shown(), runner.unwrap_or_default()),
            ),
        },
        Err(error) => {
            let level = match dry_run {
                true => Level::Warning,
                false => Level::Error,
            };
            Finding::of_error(name, level, &error)
        }
    }
}

/// Why a command would fail, as far as that can be found without running it.
fn defect(line: &CommandLine, account: Option<&Account>) -> Option<Defect> {
    if line.is_this_program() {
        return None;
    }
    let own = match account {
        Some(account) => account.clone(),
        None => Account::own().ok()?,
    };
    startable::of_command(line, &Runner::of_command(account, &line.program))
        .or_else(|| of_systemctl(line, &own))
}

/// `systemctl start UNIT` works if the unit does.
fn of_systemctl(line: &CommandLine, account: &Account) -> Option<Defect> {
    let is_start =
        |word: &String| ["start", "restart", "reload-or-restart"].contains(&word.as_str());
    if line.program.file_name()? != "systemctl" || !line.arguments.iter().any(is_start) {
        return None;
    }
    let scope = match line.arguments.iter().any(|word| word == "--user") {
        true => Scope::User,
        false => Scope::System,
    };
    let at = line.arguments.iter().position(is_start)?;
    let names = line.arguments.get(at + 1..)?.iter();
    names
        .filter(|name| !name.starts_with('-') && !name.contains(['*', '?']))
        .find_map(|name| {
            let whole = match name.contains('.') {
                true => name.clone(),
                false => format!("{name}.service"),
            };
            match startable::load(scope, &whole, account) {
                // It may be created at run time.
                Loaded::Missing => None,
                loaded => of_unit(&whole, scope, &loaded, account).into_iter().next(),
            }
        })
}

fn of_defect(name: &'static str, defect: Defect, is_harmless: bool) -> Finding {
    let Defect {
        message,
        remedy,
        is_doubtful,
    } = defect;
    match is_doubtful || is_harmless {
        true => Finding::warning(name, message, remedy),
        false => Finding::error(name, message, remedy),
    }
}

/// Why a unit cannot start.
fn of_unit(name: &str, scope: Scope, loaded: &Loaded, account: &Account) -> Vec<Defect> {
    let certain = |message: String, remedy: String| Defect {
        message,
        remedy,
        is_doubtful: false,
    };
    match loaded {
        Loaded::Missing => Vec::new(),
        Loaded::Masked(path) => {
            let command = match (path.is_symlink(), scope) {
                (false, _) => format!("rm {}", printable(path)),
                (true, Scope::System) => format!("systemctl unmask {name}"),
                (true, Scope::User) if path.starts_with("/etc") => {
                    format!("systemctl --global unmask {name}")
                }
                (true, Scope::User) => {
                    as_account(account, &format!("systemctl --user unmask {name}"))
                }
            };
            vec![certain(
                format!(
                    "{name} is masked ({}): nothing can start it",
                    printable(path)
                ),
                format!("`{command}`; to prevent a start at boot, disable it instead"),
            )]
        }
        Loaded::Unreadable(path, error) => vec![certain(
            format!("cannot read {name} ({}): {error}", printable(path)),
            "reinstall it".to_owned(),
        )],
        Loaded::Found(file) => {
            let defects = startable::defects(file, name, scope, account);
            let in_file = |defect: Defect| Defect {
                message: format!(
                    "{name} ({}) would fail: {}",
                    printable(&file.path),
                    defect.message
                ),
                ..defect
            };
            defects.into_iter().map(in_file).collect()
        }
    }
}

/// Whose account the gateway runs as. A system unit sets its own account.
pub(super) fn owner(configuration: &Configuration) -> Option<Finding> {
    const NAME: &str = "account";
    let gateway = &configuration.gateway;
    if gateway.user.is_some() || !geteuid().is_root() {
        return None;
    }
    match &gateway.unit {
        Some(unit) if unit.scope == Scope::System => None,
        // A custom start command for OpenClaw may switch to another account by itself.
        Some(unit) if !unit.is_started => {
            let by_default = Identity::openclaw(gateway.uid(), Some(unit.name.clone()));
            (gateway.identity == by_default).then(|| {
                Finding::warning(
                    NAME,
                    "the start command runs as root, and only a gateway of root is recognized",
                    format!(
                        "set --user to the gateway's account, or --owner to \"unit:{} of ACCOUNT\"",
                        unit.name
                    ),
                )
            })
        }
        Some(_) | None => Some(Finding::warning(
            NAME,
            "the gateway's account is not set: it would run as root, with full access to PC-B",
            "set --user to its account; if it must be root, use --user root",
        )),
    }
}

/// Does it start at boot, and can it be started at any time?
pub(super) fn unit(configuration: &Configuration, account: &Account) -> Vec<Finding> {
    let Some(unit) = &configuration.gateway.unit else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if unit.scope == Scope::User && unit.is_started {
        // First, because the remedies below need this service manager.
        findings.push(service_manager(account));
    }
    let enabled = enabled_units(unit.scope, &unit.name, account);
    let installed = installed_units(unit.scope, &unit.name, account);
    findings.extend(enabled.iter().map(|one| at_boot(account, one, "")));
    if unit.is_started {
        let name = match installed.contains(OPENCLAW_UNIT) {
            true => Some(OPENCLAW_UNIT),
            false => installed.first().map(String::as_str),
        };
        let defects = name.map(|name| {
            let loaded = startable::load(unit.scope, name, account);
            of_unit(name, unit.scope, &loaded, account)
        });
        let defects = defects.into_iter().flatten();
        findings.extend(defects.map(|defect| of_defect("unit", defect, configuration.dry_run)));
    }
    if enabled.is_empty() && !installed.is_empty() {
        let message = format!("{} does not start at boot", unit.name);
        findings.push(Finding::ok("unit", message));
    } else if installed.is_empty() && unit.is_started {
        findings.push(not_installed(unit, account));
    }
    findings
}

/// `what`: what the unit starts, or empty for the gateway's unit itself.
pub(super) fn at_boot(account: &Account, enabled: &Enabled, what: &str) -> Finding {
    let Enabled {
        unit,
        scope,
        link,
        by,
    } = enabled;
    let disable = match (scope, by) {
        (_, EnabledBy::Installed) => format!("rm {}", printable(link)),
        (Scope::System, EnabledBy::Runtime) => format!("systemctl disable --runtime {unit}"),
        (Scope::System, _) => format!("systemctl disable {unit}"),
        (Scope::User, EnabledBy::Everybody) => format!("systemctl --global disable {unit}"),
        (Scope::User, EnabledBy::Runtime) => as_account(
            account,
            &format!("systemctl --user disable --runtime {unit}"),
        ),
        (Scope::User, EnabledBy::Owner) => {
            as_account(account, &format!("systemctl --user disable {unit}"))
        }
    };
    let (whose, when) = (
        match (scope, what) {
            (Scope::System, "") => " (a system unit)".to_owned(),
            (Scope::User, "") => String::new(),
            (_, what) => format!(" ({what})"),
        },
        match by {
            EnabledBy::Runtime => "until the next boot it may start while the primary runs",
            _ => "PC-B starts a second gateway at boot",
        },
    );
    Finding::error(
        "unit",
        format!(
            "{unit}{whose} is enabled in {}: {when}",
            printable(link.parent().unwrap_or(link))
        ),
        format!("only the daemon may start it: `{disable}`"),
    )
}

fn not_installed(unit: &LocalUnit, account: &Account) -> Finding {
    let remedy = match unit.scope {
        Scope::User => format!(
            "to install it: `{}`, which also starts it; then stop and disable it",
            as_account(account, "openclaw gateway install")
        ),
        Scope::System => "install it, or set another --unit".to_owned(),
    };
    Finding::warning(
        "unit",
        format!("unit {} is not installed", unit.name),
        remedy,
    )
}

fn service_manager(account: &Account) -> Finding {
    const NAME: &str = "lingering";
    let name = account.name();
    if !has_systemd() {
        Finding::warning(
            NAME,
            "systemd does not run on this machine, but the gateway is a unit",
            "set start and stop commands that work without systemd: --gateway command",
        )
    } else if is_lingering(account) {
        Finding::ok(NAME, format!("lingering is enabled for {name}"))
    } else {
        Finding::error(
            NAME,
            format!("lingering is disabled for {name}: without a login its unit cannot be started"),
            format!("`loginctl enable-linger {name}`"),
        )
    }
}

/// The command that the account would type, for root.
fn as_account(account: &Account, command: &str) -> String {
    let runtime = format!("XDG_RUNTIME_DIR=/run/user/{}", account.uid());
    match account.name() {
        "root" => format!("{runtime} {command}"),
        name => format!("sudo -u {name} {runtime} {command}"),
    }
}

/// Who listens on the port, and is it the gateway?
pub(super) async fn port(
    configuration: &Configuration,
    primary: &[SocketAddr],
    primary_answers: bool,
    primary_says: Option<&Readiness>,
) -> Vec<Finding> {
    const NAME: &str = "port";
    let port = configuration.port;
    let listeners = match settled(port).await {
        Ok(listeners) => listeners,
        Err(error) => return vec![Finding::of_error(NAME, Level::Error, &error)],
    };
    let holders = holders(&listeners, &BTreeSet::new());
    let mark = InvocationMark::kept_in(&configuration.state_dir);
    let is_gateway = |holder: &Holder| {
        configuration.gateway.identity.is_gateway(holder)
            || mark.as_ref().is_some_and(|mark| mark.is_on(holder.key()))
    };
    let identity = &configuration.gateway.identity;
    let bound = Persisted::load(&configuration.state_dir).bound(&configuration.gateway);
    let (mut gateways, mut blocking, mut beside) = Default::default();
    let mut gateway_sockets = BTreeSet::new();
    for listener in &listeners {
        let holds = |holder: &&Holder| holder.sockets.contains(&listener.inode);
        let its: Vec<&Holder> = holders.iter().filter(holds).collect();
        let side: &mut BTreeSet<String> =
            if its.iter().any(|one| is_gateway(one)) || identity.is_gateways(listener) {
                gateway_sockets.insert(listener.inode);
                &mut gateways
            } else if Bound::is_blocked_by(&bound, listener.bound()) {
                &mut blocking
            } else {
                &mut beside
            };
        side.extend(its.iter().map(ToString::to_string));
        if its.is_empty() {
            let Listener { address, uid, .. } = listener;
            side.insert(format!(
                "a process that is not visible from here (uid {uid}) on {address}"
            ));
        }
    }
    let joined = |side: &BTreeSet<String>| Vec::from_iter(side.iter().cloned()).join("; ");
    let mut findings = Vec::new();
    findings.push(match (gateways.is_empty(), primary_answers) {
        (true, _) if !blocking.is_empty() => Finding::error(
            NAME,
            format!(
                "another program holds {port}, not the gateway ({identity}): {}",
                joined(&blocking)
            ),
            "stop it, or add it to --owner if it is the gateway: until then no takeover is possible",
        ),
        (true, _) => Finding::ok(NAME, format!("{port} is free")),
        (false, true) => Finding::warning(
            NAME,
            format!(
                "both gateways serve: the primary answers, and the local gateway runs: {}",
                joined(&gateways)
            ),
            "the daemon stops the local gateway, unless it is paused",
        ),
        (false, false) => Finding::ok(
            NAME,
            format!("the local gateway serves: {}", joined(&gateways)),
        ),
    });
    if !beside.is_empty() {
        findings.push(Finding::warning(
            NAME,
            format!(
                "another program listens on another address of port {port}: {}",
                joined(&beside)
            ),
            "harmless, unless the gateway binds all addresses (OpenClaw's `--bind lan`): then its start fails, so move one of the two to another port",
        ));
    }
    if listeners.is_empty() {
        return findings;
    }
    // Check the gateway at its own addresses, not a foreign listener at others.
    let addresses: Vec<SocketAddr> = listeners
        .iter()
        .filter(|one| gateways.is_empty() || gateway_sockets.contains(&one.inode))
        .map(|one| one.address)
        .collect();
    let (outcome, says) = asked(configuration, &addresses).await;
    let same = matches!(outcome, Outcome::Connected { .. })
        && primary_says
            .zip(says)
            .is_some_and(|(primary, local)| local.is_same_process(primary) == Some(true));
    findings.extend(tunnel(configuration, &holders, primary, same));
    if !gateways.is_empty() && !same {
        findings.push(local_check(configuration, &outcome));
    }
    findings
}

/// Who listens, except programs that only test whether the port is free.
async fn settled(port: NonZeroU16) -> Result<Vec<Listener>, ListenersError> {
    let mut listeners = Listeners::on(port.get());
    let mut debounce = Debounce::default();
    let first = debounce.stable(clock::now(), &listeners.now()?, &[]);
    let Some(young) = debounce.remaining(clock::now()) else {
        return Ok(first);
    };
    sleep(young).await;
    Ok(debounce.stable(clock::now(), &listeners.now()?, &first))
}

/// Checks the listener as the daemon checks the local gateway.
async fn asked(
    configuration: &Configuration,
    listeners: &[SocketAddr],
) -> (Outcome, Option<Readiness>) {
    let mut prober = LocalProber::new(&configuration.local_check, configuration.decide.timeout);
    prober.start((), listeners);
    let report = prober.next().await;
    (report.outcome, report.readiness)
}

/// A local gateway that fails its check would be restarted repeatedly.
fn local_check(configuration: &Configuration, outcome: &Outcome) -> Finding {
    const NAME: &str = "local-check";
    let check = configuration.local_check.name();
    match outcome {
        Outcome::Connected { took } => Finding::ok(
            NAME,
            format!("the local gateway answers (local-check {check}) after {took:.1?}"),
        ),
        Outcome::Failed { .. } | Outcome::Unknown { .. } => Finding::warning(
            NAME,
            format!(
                "the local gateway fails its check (local-check {check}): {}; during a takeover \
                 it would be restarted repeatedly",
                wording::probe::outcome(outcome)
            ),
            "if it is healthy, correct --local-check; local-check = \"tcp\" only tests that it listens",
        ),
    }
}

fn tunnel(
    configuration: &Configuration,
    holders: &[Holder],
    primary: &[SocketAddr],
    is_same: bool,
) -> Option<Finding> {
    const NAME: &str = "tunnel";
    let port = configuration.port;
    let remedy = "stop it, or move it to another port: when the primary dies, it still holds the local gateway's port";
    if is_same {
        let message = format!("port {port} leads to the primary itself: both are the same process");
        return Some(Finding::error(NAME, message, remedy));
    }
    match tunnels(holders, port, primary) {
        Ok(found) => {
            let first = found.first()?;
            let message = format!("port {port} seems to lead to the primary: {first}");
            // A gateway may be connected to PC-A for another reason.
            let identity = &configuration.gateway.identity;
            let is_gateway = |holder: &&Holder| holder.pid == first.pid;
            let holder = holders.iter().find(is_gateway)?;
            Some(match identity.is_gateway(holder) {
                true => Finding::warning(NAME, message, remedy),
                false => Finding::error(NAME, message, remedy),
            })
        }
        Err(error) => Some(Finding::warning(
            NAME,
            format!("cannot determine whether port {port} leads to the primary: {error}"),
            "`modprobe tcp_diag inet_diag` may help",
        )),
    }
}

fn printable(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}
