//! The configuration: one definition of every option, for the command line and the file alike.
//!
//! [`Options`] is what somebody wrote; [`Configuration`] is what is in force, complete and checked.

mod check;
mod commented;
mod credential;
mod defaults;
mod diagnostic;
mod duration;
mod error;
pub(crate) mod file;
mod fingerprint;
mod gateway;
mod host;
mod layers;
mod local_check;
mod locations;
mod options;
mod primary;
mod reference;
mod secret;
mod trust;
mod validate;
mod values;
mod webhook;
mod witness;

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    path::{Path, PathBuf},
    time::Duration,
};

pub use check::{Body, Check, CheckError, HttpCheck, OpenClawCheck, Scalar, Server, Tls};
pub use commented::{commented, write_new};
pub use credential::{CredentialError, Token};
pub use duration::HumanDuration;
pub use error::{ConfigurationError, Fault, Faults, Place};
pub use fingerprint::Fingerprint;
pub use gateway::{GatewayError, GatewayKind};
pub use host::Host;
pub use layers::{Origin, Setting, as_file, in_force};
pub use local_check::{LocalCheck, LocalCheckKind, Transport};
pub use locations::Locations;
pub use options::{
    Arm, CheckKind, KernelEventsMode, LogFormat, Options, count, path, port, witnesses,
};
pub use primary::PrimaryAddress;
pub use reference::{Entry, VALUES, entries, reference};
pub use trust::NotTrusted;
pub(crate) use trust::not_trusted;
pub use validate::Validation;
pub use webhook::{Webhook, WebhookError};
pub use witness::{Witness, WitnessError, WitnessList, WitnessesError};

use failover_decide::{Fence, Flapping};

use crate::gateway::{
    command::{account::Account, command_line::CommandLine},
    spec::{Commands, LocalGateway},
};

/// OpenClaw's port.
pub const DEFAULT_PORT: NonZeroU16 = NonZeroU16::new(18789).unwrap();
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_RECOVERY_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_STRIKES: NonZeroU32 = NonZeroU32::new(3).unwrap();
/// On slow boards OpenClaw was seen to take up to 240 s until it listens, and its own start command waits up to
/// 300 s for one that makes progress. A start that is dead is noticed by what it leaves behind, not by this.
const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(360);
/// OpenClaw's unit has 330 s to drain.
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(340);
const DEFAULT_FENCE_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_WITNESSES: [Witness; 1] = [Witness::Router];
const DEFAULT_VETO_LIMIT: u32 = 3;
const DEFAULT_FLAP_WINDOW: Duration = Duration::from_secs(10 * 60);
const DEFAULT_FLAP_QUIET: Duration = Duration::from_secs(3600);
/// Ten successes take 27 s then: even what is trusted least is believed within the half minute.
const DEFAULT_FLAP_INTERVAL: Duration = Duration::from_secs(3);
const DEFAULT_FLAP_SUCCESSES: [NonZeroU32; 3] = [
    NonZeroU32::new(1).unwrap(),
    NonZeroU32::new(3).unwrap(),
    NonZeroU32::new(10).unwrap(),
];
/// Where the daemon keeps what must survive it.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/failover";
/// Where the package's unit has its configuration.
pub const DEFAULT_CONFIG: &str = "/etc/failover/failover.toml";
/// Where the daemon is asked.
pub const DEFAULT_CONTROL: &str = "/run/failover/control.sock";

/// Shortest and longest that each duration may be: outside, somebody mistyped.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_COMMAND: Duration = Duration::from_secs(3600);
const LONGEST_MEMORY: Duration = Duration::from_secs(30 * 24 * 3600);
const MOST_PROBES: u32 = 100;

/// What is in force. Every value is concrete.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configuration {
    /// Where the primary is.
    pub primary: PrimaryAddress,
    /// What it has to do to be healthy.
    pub check: Check,
    /// What the local gateway has to do to be healthy.
    pub local_check: LocalCheck,
    /// Who tells whether PC-B has a network.
    pub witnesses: Vec<Witness>,
    /// The local gateway's port.
    pub port: NonZeroU16,
    /// The numbers of the state machine.
    pub decide: failover_decide::Settings,
    /// The local gateway: how it is started and stopped, and what counts as it.
    pub gateway: LocalGateway,
    /// Makes sure that the primary is gone, if there is one.
    pub fence: Option<CommandLine>,
    /// Run when something happens that somebody should know.
    pub notify: Option<CommandLine>,
    /// The same is sent there.
    pub webhook: Option<Webhook>,
    /// The history, what must be remembered, and the commands' output.
    pub state_dir: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// Who may give orders there, besides root.
    pub operators: Vec<u32>,
    /// Where metrics and the page are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// How the log looks.
    pub log_format: LogFormat,
    /// Whether kernel events are wanted.
    pub kernel_events: KernelEventsMode,
    /// Decide and log, run nothing.
    pub dry_run: bool,
}

impl Configuration {
    /// What is run, and whether it is.
    #[must_use]
    pub fn commands(&self) -> Commands {
        Commands {
            gateway: self.gateway.clone(),
            fence: self.fence.clone(),
            dry_run: self.dry_run,
        }
    }

    /// With the programs of its commands looked up, as the accounts that run them find them; or all that
    /// there are not. A dry run needs no gateway on the machine.
    fn resolved(mut self) -> Result<Self, Vec<ConfigurationError>> {
        if self.dry_run {
            return Ok(self);
        }
        let user = self.gateway.user.as_ref();
        let commands = [
            ("start", Some(&mut self.gateway.start), user),
            ("stop", Some(&mut self.gateway.stop), user),
            ("fence", self.fence.as_mut(), None),
            ("notify", self.notify.as_mut(), None),
        ];
        let mut faults = Vec::new();
        for (option, line, account) in commands {
            let Some(line) = line.filter(|line| !line.is_this_program()) else {
                continue;
            };
            match line.clone().resolved(account) {
                Ok(resolved) => *line = resolved,
                Err(source) => faults.push(ConfigurationError::Command { option, source }),
            }
        }
        match faults.is_empty() {
            true => Ok(self),
            false => Err(faults),
        }
    }

    /// The programs of its commands aren't looked up.
    pub(crate) fn check(options: Options) -> Result<Self, ConfigurationError> {
        let local_kind = options
            .local_check
            .unwrap_or_else(|| LocalCheckKind::default_for(&options));
        let Options {
            config: _,
            primary,
            port,
            interval,
            recovery_interval,
            timeout,
            check,
            check_path,
            check_status,
            check_pointer,
            check_value,
            check_contains,
            check_tls,
            check_ca,
            check_fingerprint,
            check_host,
            check_token_file,
            drain_limit,
            local_check: _,
            local_check_path,
            local_check_status,
            local_check_pointer,
            local_check_value,
            local_check_contains,
            local_check_tls,
            local_check_ca,
            local_check_host,
            local_check_token_file,
            strikes,
            confirm_interval,
            witnesses,
            witness_quorum,
            veto_limit,
            flap_damping,
            flap_window,
            flap_quiet,
            flap_interval,
            flap_successes,
            fence,
            fence_required,
            fence_timeout,
            arm,
            user,
            gateway,
            unit,
            owner,
            start,
            stop,
            start_timeout,
            stop_timeout,
            notify,
            webhook,
            webhook_token_file,
            webhook_ca,
            state_dir,
            control,
            operators,
            metrics,
            kernel_events,
            log_format,
            dry_run,
        } = options;
        let primary = primary.ok_or(ConfigurationError::NoPrimary)?;
        let port = port.unwrap_or(DEFAULT_PORT);
        if primary.is_local(port) {
            return Err(ConfigurationError::OwnGateway {
                primary: primary.to_string(),
            });
        }
        if let Some(metrics) = metrics
            && (metrics.port() == 0 || metrics.port() == port.get())
        {
            return Err(ConfigurationError::MetricsPort { metrics });
        }
        for (option, path, wanted) in [
            ("check-ca", &check_ca, FILE),
            ("check-token-file", &check_token_file, FILE),
            ("local-check-ca", &local_check_ca, FILE),
            ("local-check-token-file", &local_check_token_file, FILE),
            ("webhook-token-file", &webhook_token_file, FILE),
            ("webhook-ca", &webhook_ca, FILE),
            ("control", &control, "a socket to be made"),
            ("state-dir", &state_dir, FOLDER),
        ] {
            if let Some(path) = path {
                checked_path(option, path, wanted)?;
            }
        }
        let dry_run = dry_run.unwrap_or(false);
        let witnesses = witnesses.unwrap_or_else(|| DEFAULT_WITNESSES.to_vec());
        let witness_quorum = witness::check(&witnesses, witness_quorum, &primary)?;
        let check = Check::from_options(
            check::Given {
                names: &check::Names::PRIMARY,
                kind: check.or(Some(gateway.unwrap_or_default().check())),
                path: check_path,
                status: check_status,
                pointer: check_pointer,
                value: check_value,
                contains: check_contains,
                tls: check_tls,
                ca: check_ca,
                fingerprint: check_fingerprint,
                host: check_host,
                token_file: check_token_file,
                drain_limit,
            },
            &primary.host,
        )?;
        let local_check = LocalCheck::from_options(local_check::LocalGiven {
            kind: local_kind,
            primary_path: match &check {
                Check::Http(check) => Some(check.path.clone()),
                Check::Tcp | Check::OpenClaw(_) => None,
            },
            given: check::Given {
                names: &check::Names::LOCAL,
                kind: None,
                path: local_check_path,
                status: local_check_status,
                pointer: local_check_pointer,
                value: local_check_value,
                contains: local_check_contains,
                tls: local_check_tls,
                ca: local_check_ca,
                fingerprint: None,
                host: local_check_host,
                token_file: local_check_token_file,
                // There is one limit, for the gateways that can say that they drain.
                drain_limit: drain_limit.filter(|_| local_kind == LocalCheckKind::OpenClaw),
            },
        })?;
        let interval = between(
            "interval",
            interval,
            DEFAULT_INTERVAL,
            SHORTEST_INTERVAL,
            LONGEST_INTERVAL,
        )?;
        let decide = failover_decide::Settings {
            interval,
            // What wasn't said follows the interval; what was said is never changed.
            recovery_interval: no_longer(
                "recovery-interval",
                between(
                    "recovery-interval",
                    recovery_interval,
                    DEFAULT_RECOVERY_INTERVAL.min(interval),
                    SHORTEST_INTERVAL,
                    LONGEST_INTERVAL,
                )?,
                interval,
            )?,
            timeout: no_longer(
                "timeout",
                between(
                    "timeout",
                    timeout,
                    DEFAULT_TIMEOUT.min(interval),
                    SHORTEST_TIMEOUT,
                    LONGEST_INTERVAL,
                )?,
                interval,
            )?,
            strikes: checked_count("strikes", strikes.unwrap_or(DEFAULT_STRIKES))?,
            start_timeout: between(
                "start-timeout",
                start_timeout,
                DEFAULT_START_TIMEOUT,
                SHORTEST_INTERVAL,
                LONGEST_COMMAND,
            )?,
            stop_timeout: between(
                "stop-timeout",
                stop_timeout,
                DEFAULT_STOP_TIMEOUT,
                SHORTEST_INTERVAL,
                LONGEST_COMMAND,
            )?,
            confirm_interval: no_longer(
                "confirm-interval",
                between(
                    "confirm-interval",
                    confirm_interval,
                    interval,
                    SHORTEST_INTERVAL,
                    LONGEST_INTERVAL,
                )?,
                interval,
            )?,
            witness_quorum,
            fence: match (&fence, fence_required) {
                (None, None) => Fence::None,
                (None, Some(_)) => return Err(ConfigurationError::NothingToRequire),
                (Some(_), None | Some(true)) => Fence::Required,
                (Some(_), Some(false)) => Fence::Optional,
            },
            fence_timeout: between(
                "fence-timeout",
                fence_timeout,
                DEFAULT_FENCE_TIMEOUT,
                SHORTEST_INTERVAL,
                LONGEST_COMMAND,
            )?,
            veto_limit: veto_limit.unwrap_or(DEFAULT_VETO_LIMIT),
            // That it accepts connections is seen by its listening.
            watch_gateway: local_check.check != Check::Tcp,
            needs_arming: arm.unwrap_or_default() == Arm::Seen,
            flapping: if flap_damping.unwrap_or(true) {
                let times = (flap_window, flap_quiet, flap_interval);
                Some(flapping(times, flap_successes, interval)?)
            } else {
                None
            },
        };
        let gateway = gateway::Given {
            kind: gateway.unwrap_or_default(),
            user,
            unit,
            owner,
            start,
            stop,
        };
        Ok(Self {
            primary,
            check,
            local_check,
            witnesses,
            port,
            decide,
            gateway: gateway.checked()?,
            fence: fence.map(|line| command("fence", &line)).transpose()?,
            notify: notify.map(|line| command("notify", &line)).transpose()?,
            webhook: Webhook::checked(
                webhook.as_deref(),
                webhook_token_file.as_deref(),
                webhook_ca.as_deref(),
            )?,
            state_dir: state_dir.unwrap_or_else(|| DEFAULT_STATE_DIR.into()),
            control: control.unwrap_or_else(|| DEFAULT_CONTROL.into()),
            operators: operators
                .unwrap_or_default()
                .iter()
                .map(|name| Account::uid_of(name))
                .collect::<Result<_, _>>()
                .map_err(ConfigurationError::Operators)?,
            metrics,
            log_format: log_format.unwrap_or_default(),
            kernel_events: kernel_events.unwrap_or_default(),
            dry_run,
        })
    }
}

/// One that isn't in force anywhere.
#[cfg(test)]
pub(crate) fn webhook_for_tests(url: &str, token_file: Option<&Path>) -> Webhook {
    Webhook::checked(Some(url), token_file, None)
        .expect("a webhook")
        .expect("it is given")
}

fn flapping(
    (window, quiet, spacing): (
        Option<HumanDuration>,
        Option<HumanDuration>,
        Option<HumanDuration>,
    ),
    successes: Option<Vec<NonZeroU32>>,
    interval: Duration,
) -> Result<Flapping, ConfigurationError> {
    let successes = successes.unwrap_or_else(|| DEFAULT_FLAP_SUCCESSES.to_vec());
    if successes.is_empty() {
        return Err(ConfigurationError::NoSuccesses);
    }
    for needed in &successes {
        checked_count("flap-successes", *needed)?;
    }
    Ok(Flapping {
        window: between(
            "flap-window",
            window,
            DEFAULT_FLAP_WINDOW,
            SHORTEST_INTERVAL,
            LONGEST_MEMORY,
        )?,
        quiet: between(
            "flap-quiet",
            quiet,
            DEFAULT_FLAP_QUIET,
            SHORTEST_INTERVAL,
            LONGEST_MEMORY,
        )?,
        successes,
        interval: between(
            "flap-interval",
            spacing,
            DEFAULT_FLAP_INTERVAL.min(interval),
            SHORTEST_INTERVAL,
            LONGEST_INTERVAL,
        )?,
    })
}

fn between(
    option: &'static str,
    value: Option<HumanDuration>,
    default: Duration,
    least: Duration,
    most: Duration,
) -> Result<Duration, ConfigurationError> {
    let value = value.map_or(default, HumanDuration::get);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(ConfigurationError::Range {
        option,
        value: HumanDuration::from(value).to_string(),
        least: HumanDuration::from(least).to_string(),
        most: HumanDuration::from(most).to_string(),
    })
}

fn no_longer(
    option: &'static str,
    value: Duration,
    interval: Duration,
) -> Result<Duration, ConfigurationError> {
    if value <= interval {
        return Ok(value);
    }
    Err(ConfigurationError::Order {
        longer: option,
        longer_value: value.into(),
        shorter: "interval",
        shorter_value: interval.into(),
    })
}

/// What a path has to lead to.
const FILE: &str = "a file";
const FOLDER: &str = "a folder";

/// A daemon is somewhere else than who writes its file. What isn't there yet can be made.
fn checked_path(
    option: &'static str,
    path: &Path,
    wanted: &'static str,
) -> Result<(), ConfigurationError> {
    let what = if !path.is_absolute() {
        "which says not from where"
    } else if wanted == FOLDER && path.exists() && !path.is_dir() {
        "which is no folder"
    } else if wanted != FOLDER && path.is_dir() {
        "which is a folder"
    } else {
        return Ok(());
    };
    Err(ConfigurationError::Path {
        option,
        path: path.to_owned(),
        what,
        wanted,
    })
}

fn checked_count(
    option: &'static str,
    count: NonZeroU32,
) -> Result<NonZeroU32, ConfigurationError> {
    if count.get() <= MOST_PROBES {
        return Ok(count);
    }
    Err(ConfigurationError::Range {
        option,
        value: count.to_string(),
        least: "1".to_owned(),
        most: MOST_PROBES.to_string(),
    })
}

fn command(option: &'static str, line: &str) -> Result<CommandLine, ConfigurationError> {
    CommandLine::parse(line).map_err(|source| ConfigurationError::Command { option, source })
}
