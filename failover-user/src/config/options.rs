//! Every option of `failover run`, once: its flag, its key in the file, its help.

use std::{
    net::SocketAddr,
    num::{IntErrorKind, NonZeroU16, NonZeroU32, ParseIntError},
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::config::{
    GatewayKind, HumanDuration, LocalCheckKind, PrimaryAddress, Scalar, WitnessError, WitnessList,
};

/// What somebody wrote, on the command line or in the file. A missing one has its default.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// Configuration file (TOML, the same names); flags win over it; /dev/null is none
    /// [default: /etc/failover/failover.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// The gateway to watch, on PC-A [default port: 18789]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub primary: Option<PrimaryAddress>,

    /// The local gateway's port [default: 18789]
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub port: Option<NonZeroU16>,

    /// From one probe to the next [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub interval: Option<HumanDuration>,

    /// The same while the local gateway is wanted or runs [default: 1s, or the interval if shorter]
    #[arg(long, value_name = "DURATION")]
    pub recovery_interval: Option<HumanDuration>,

    /// How long a probe may take [default: 5s, or the interval if shorter]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<HumanDuration>,

    /// What a healthy primary has to do within the timeout. tcp: accept a connection, which a process
    /// that hangs still does; openclaw: say that it is live; http: answer as the check-* options ask
    /// [default: openclaw, or tcp for other gateways]
    #[arg(long, value_name = "CHECK")]
    pub check: Option<CheckKind>,

    /// For check=http: what to GET, as /path?query; no redirect is followed
    #[arg(long, value_name = "PATH")]
    pub check_path: Option<String>,

    /// For check=http: the right status [default: 200]
    #[arg(long, value_name = "STATUS", value_parser = count::<NonZeroU16>)]
    pub check_status: Option<NonZeroU16>,

    /// For check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the
    /// body
    #[arg(long, value_name = "POINTER")]
    pub check_pointer: Option<String>,

    /// The value that check-pointer must lead to [default: any but null]
    #[arg(long, value_name = "VALUE")]
    pub check_value: Option<Scalar>,

    /// For check=http: a text that must be in the first 64 KiB of the body
    #[arg(long, value_name = "TEXT")]
    pub check_contains: Option<String>,

    /// For check=openclaw and http: over TLS [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub check_tls: Option<bool>,

    /// The certificates that are trusted, a PEM file: of an authority, or the primary's own, which may be
    /// self-signed [default: whom this machine trusts]
    #[arg(long, value_name = "FILE", value_parser = path)]
    pub check_ca: Option<PathBuf>,

    /// SHA-256 fingerprint of the primary's own certificate, in place of check-ca: it alone is trusted,
    /// whatever its name and issuer; several while it is replaced [default: none]
    #[arg(long, value_name = "FINGERPRINTS", value_delimiter = ',')]
    pub check_fingerprint: Option<Vec<String>>,

    /// The name to ask for, in the Host header and the certificate [default: the primary's host]
    #[arg(long, value_name = "HOST")]
    pub check_host: Option<String>,

    /// For check=openclaw: a file with the primary's token, which /readyz and /startupz ask for
    /// before they say what is failing; sent as it is, so mind the network [default: not asked]
    #[arg(long, value_name = "FILE", value_parser = path)]
    pub check_token_file: Option<PathBuf>,

    /// For check=openclaw: a gateway that drains for longer has failed [default: never]
    #[arg(long, value_name = "DURATION")]
    pub drain_limit: Option<HumanDuration>,

    /// What a healthy local gateway has to do. tcp: listen; openclaw: say that it is live; http: answer as
    /// the local-check-* options ask; any: answer an HTTP request with anything. One that fails --strikes
    /// checks in a row is restarted while it is needed [default: openclaw, or for other gateways
    /// openclaw, any or tcp, as --check is openclaw, http or tcp]
    #[arg(long, value_name = "CHECK")]
    pub local_check: Option<LocalCheckKind>,

    /// For local-check=http: what to GET, as /path?query; no redirect is followed
    #[arg(long, value_name = "PATH")]
    pub local_check_path: Option<String>,

    /// For local-check=http: the right status [default: 200]
    #[arg(long, value_name = "STATUS", value_parser = count::<NonZeroU16>)]
    pub local_check_status: Option<NonZeroU16>,

    /// For local-check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in
    /// the body
    #[arg(long, value_name = "POINTER")]
    pub local_check_pointer: Option<String>,

    /// The value that local-check-pointer must lead to [default: any but null]
    #[arg(long, value_name = "VALUE")]
    pub local_check_value: Option<Scalar>,

    /// For local-check=http: a text that must be in the first 64 KiB of the body
    #[arg(long, value_name = "TEXT")]
    pub local_check_contains: Option<String>,

    /// Ask the local gateway over TLS [default: only where it doesn't understand plain text]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub local_check_tls: Option<bool>,

    /// Verify the local gateway's certificate against these, a PEM file [default: any certificate will
    /// do]
    #[arg(long, value_name = "FILE", value_parser = path)]
    pub local_check_ca: Option<PathBuf>,

    /// The name to ask the local gateway for, in the Host header and the certificate [default: the address
    /// that it listens on]
    #[arg(long, value_name = "HOST")]
    pub local_check_host: Option<String>,

    /// For local-check=openclaw: a file with the local gateway's token, for /readyz and /startupz
    /// [default: none, which OpenClaw doesn't ask of its own machine]
    #[arg(long, value_name = "FILE", value_parser = path)]
    pub local_check_token_file: Option<PathBuf>,

    /// Failed probes in a row until takeover [default: 3]
    #[arg(long, value_name = "COUNT", value_parser = count::<NonZeroU32>)]
    pub strikes: Option<NonZeroU32>,

    /// From one probe to the next once one has failed, and from one strike to the next
    /// [default: the interval]
    #[arg(long, value_name = "DURATION")]
    pub confirm_interval: Option<HumanDuration>,

    /// Who tells before a takeover whether PC-B still has a network: hosts that are pinged, as
    /// 192.168.1.1, or connected to, as 9.9.9.9:53; router is that of PC-B's default route, which
    /// abstains until it has answered a ping; an empty list is nobody [default: router]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = witnesses)]
    pub witnesses: Option<WitnessList>,

    /// So many of them have to answer, or all that don't abstain [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = count::<NonZeroU32>)]
    pub witness_quorum: Option<NonZeroU32>,

    /// So many failed probes in a row don't count while others' connections to the primary live
    /// [default: 3]
    #[arg(long, value_name = "COUNT", value_parser = count_or_none)]
    pub veto_limit: Option<u32>,

    /// Ask more of a primary that keeps failing soon after it is back [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub flap_damping: Option<bool>,

    /// A failure this soon after the primary was back makes the next release harder [default: 10m]
    #[arg(long, value_name = "DURATION")]
    pub flap_window: Option<HumanDuration>,

    /// When the primary has been well for so long, everything is forgotten [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub flap_quiet: Option<HumanDuration>,

    /// Successes in a row that a release takes: the first time, the second, ... [default: 1,3,10]
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = count::<NonZeroU32>)]
    pub flap_successes: Option<Vec<NonZeroU32>>,

    /// From one of these to the next, where it takes several [default: 3s, or the interval if shorter]
    #[arg(long, value_name = "DURATION")]
    pub flap_interval: Option<HumanDuration>,

    /// Makes sure that the primary is gone before the local gateway starts: switches it off, say
    #[arg(long, value_name = "COMMAND")]
    pub fence: Option<String>,

    /// Whether a takeover needs the fence command to succeed [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub fence_required: Option<bool>,

    /// How long the fence command may take; then it is killed [default: 1m]
    #[arg(long, value_name = "DURATION")]
    pub fence_timeout: Option<HumanDuration>,

    /// When a takeover may be made at all: once the primary has been seen healthy, or always
    /// [default: seen]
    #[arg(long, value_name = "WHEN")]
    pub arm: Option<Arm>,

    /// The account that owns the local gateway: start and stop are run as it, with its HOME
    /// [default: the one that runs this; fence always is]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// What the local gateway is: sets how it is started and stopped, and how it is known
    /// [default: openclaw]
    #[arg(long, value_name = "KIND")]
    pub gateway: Option<GatewayKind>,

    /// The unit that is the local gateway [default: openclaw-gateway.service of the account]
    #[arg(long, value_name = "NAME")]
    pub unit: Option<String>,

    /// What counts as the local gateway on the port: unit:NAME, account:NAME, executable:PATH or a
    /// program's file name, of the gateway's account; another one's as "unit:NAME of ACCOUNT"
    /// [default: as the kind of gateway needs it]
    #[arg(long, value_name = "OWNER", value_delimiter = ',')]
    pub owner: Option<Vec<String>>,

    /// Starts the local gateway; split like a shell does, run without one
    /// [default: openclaw gateway start]
    #[arg(long, value_name = "COMMAND")]
    pub start: Option<String>,

    /// Stops the local gateway [default: openclaw gateway stop, or with --force where
    /// that is known]
    #[arg(long, value_name = "COMMAND")]
    pub stop: Option<String>,

    /// How long a start may take, from the start command to a port that listens and to the first answer of
    /// a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen
    /// to be dead is tried again at once [default: 6m]
    #[arg(long, value_name = "DURATION")]
    pub start_timeout: Option<HumanDuration>,

    /// How long the stop command may take; then it is killed and tried again [default: 5m 40s]
    #[arg(long, value_name = "DURATION")]
    pub stop_timeout: Option<HumanDuration>,

    /// Run when something happens that somebody should know: a takeover, a release, a start or stop that
    /// fails, ...; told in its environment, and as JSON on standard input [default: nothing]
    #[arg(long, value_name = "COMMAND")]
    pub notify: Option<String>,

    /// The same JSON is sent there in a POST, again and again for at most a day [default: nowhere]
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,

    /// A file with the token that the webhook asks for, sent as Authorization: Bearer [default: none]
    #[arg(long, value_name = "FILE", value_parser = path)]
    pub webhook_token_file: Option<PathBuf>,

    /// Who signs the webhook's certificate, a PEM file [default: whom this machine trusts]
    #[arg(long, value_name = "FILE", value_parser = path)]
    pub webhook_ca: Option<PathBuf>,

    /// Where the history, what must be remembered and the commands' output are kept [default: /var/lib/failover]
    #[arg(long, value_name = "DIR", value_parser = path)]
    pub state_dir: Option<PathBuf>,

    /// The control socket [default: /run/failover/control.sock]
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub control: Option<PathBuf>,

    /// Accounts, besides root, that may order pauses, takeovers and releases [default: nobody]
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    pub operators: Option<Vec<String>>,

    /// Where to serve /metrics for Prometheus and a page for people: whoever reaches it may read
    /// [default: nowhere]
    #[arg(long, value_name = "IP:PORT", value_parser = address)]
    pub metrics: Option<SocketAddr>,

    /// Kernel events: use them if they can be had, insist on them, or do without [default: auto]
    #[arg(long, value_name = "MODE")]
    pub kernel_events: Option<KernelEventsMode>,

    /// How the log looks [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Decide and log, run nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub dry_run: Option<bool>,
}

/// Reads a port. The parser that clap has for the type speaks of the type.
///
/// # Errors
/// When it isn't one.
pub fn port(text: &str) -> Result<NonZeroU16, &'static str> {
    text.parse().map_err(|_| "write a number from 1 to 65535")
}

/// Reads witnesses with commas between them. No text stands for none.
///
/// # Errors
/// When one of them isn't one.
pub fn witnesses(text: &str) -> Result<WitnessList, WitnessError> {
    match text {
        "" => Ok(Vec::new()),
        text => text.split(',').map(str::parse).collect(),
    }
}

/// Reads an address to listen on. A name could mean another one tomorrow.
///
/// # Errors
/// When it isn't one.
pub fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "write an address and a port, like 127.0.0.1:9179 or [::1]:9179")
}

/// Reads a count of any width.
///
/// # Errors
/// When it isn't one.
pub fn count<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, &'static str> {
    text.parse()
        .map_err(|error| smaller_or(&error, "write a number from 1"))
}

/// Reads a count that may be 0.
///
/// # Errors
/// When it isn't one.
pub fn count_or_none(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .map_err(|error| smaller_or(&error, "write a number, or 0 for never"))
}

fn smaller_or(error: &ParseIntError, otherwise: &'static str) -> &'static str {
    match error.kind() {
        IntErrorKind::PosOverflow => "write a smaller number",
        _ => otherwise,
    }
}

/// Reads a path, from where this process is.
///
/// # Errors
/// When it is empty, or nobody knows where this process is.
pub fn path(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|error| error.to_string())
}

/// What a healthy primary has to do.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// Accept a TCP connection.
    #[default]
    Tcp,
    /// Say that it is live, in OpenClaw's way.
    #[value(name = "openclaw")]
    #[serde(rename = "openclaw")]
    OpenClaw,
    /// Answer an HTTP request.
    Http,
}

/// Whether kernel events are wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KernelEventsMode {
    /// Use them; where they can't be had, say why and look at the port every second.
    #[default]
    Auto,
    /// Refuse to run without them.
    Required,
    /// Look at the port every second.
    Off,
}

/// When a takeover may be made at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Once the primary has been seen healthy under this configuration: a wrong address must not start
    /// a second gateway.
    #[default]
    Seen,
    /// From the first moment on.
    Always,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Options {
    /// Their definitions, in the order of the help: but for the flag that names the file, each is a
    /// key there, too.
    pub(super) fn arguments() -> Vec<clap::Arg> {
        let command = Self::augment_args(clap::Command::new("run"));
        let arguments = command.get_arguments();
        arguments
            .filter(|argument| argument.get_long().is_some_and(|name| name != "config"))
            .cloned()
            .collect()
    }

    /// These, and where they say nothing, the others.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            primary: self.primary.or(other.primary),
            port: self.port.or(other.port),
            interval: self.interval.or(other.interval),
            recovery_interval: self.recovery_interval.or(other.recovery_interval),
            timeout: self.timeout.or(other.timeout),
            check: self.check.or(other.check),
            check_path: self.check_path.or(other.check_path),
            check_status: self.check_status.or(other.check_status),
            check_pointer: self.check_pointer.or(other.check_pointer),
            check_value: self.check_value.or(other.check_value),
            check_contains: self.check_contains.or(other.check_contains),
            check_tls: self.check_tls.or(other.check_tls),
            check_ca: self.check_ca.or(other.check_ca),
            check_fingerprint: self.check_fingerprint.or(other.check_fingerprint),
            check_host: self.check_host.or(other.check_host),
            check_token_file: self.check_token_file.or(other.check_token_file),
            drain_limit: self.drain_limit.or(other.drain_limit),
            local_check: self.local_check.or(other.local_check),
            local_check_path: self.local_check_path.or(other.local_check_path),
            local_check_status: self.local_check_status.or(other.local_check_status),
            local_check_pointer: self.local_check_pointer.or(other.local_check_pointer),
            local_check_value: self.local_check_value.or(other.local_check_value),
            local_check_contains: self.local_check_contains.or(other.local_check_contains),
            local_check_tls: self.local_check_tls.or(other.local_check_tls),
            local_check_ca: self.local_check_ca.or(other.local_check_ca),
            local_check_host: self.local_check_host.or(other.local_check_host),
            local_check_token_file: self.local_check_token_file.or(other.local_check_token_file),
            strikes: self.strikes.or(other.strikes),
            confirm_interval: self.confirm_interval.or(other.confirm_interval),
            witnesses: self.witnesses.or(other.witnesses),
            witness_quorum: self.witness_quorum.or(other.witness_quorum),
            veto_limit: self.veto_limit.or(other.veto_limit),
            flap_damping: self.flap_damping.or(other.flap_damping),
            flap_window: self.flap_window.or(other.flap_window),
            flap_quiet: self.flap_quiet.or(other.flap_quiet),
            flap_interval: self.flap_interval.or(other.flap_interval),
            flap_successes: self.flap_successes.or(other.flap_successes),
            fence: self.fence.or(other.fence),
            fence_required: self.fence_required.or(other.fence_required),
            fence_timeout: self.fence_timeout.or(other.fence_timeout),
            arm: self.arm.or(other.arm),
            user: self.user.or(other.user),
            gateway: self.gateway.or(other.gateway),
            unit: self.unit.or(other.unit),
            owner: self.owner.or(other.owner),
            start: self.start.or(other.start),
            stop: self.stop.or(other.stop),
            start_timeout: self.start_timeout.or(other.start_timeout),
            stop_timeout: self.stop_timeout.or(other.stop_timeout),
            notify: self.notify.or(other.notify),
            webhook: self.webhook.or(other.webhook),
            webhook_token_file: self.webhook_token_file.or(other.webhook_token_file),
            webhook_ca: self.webhook_ca.or(other.webhook_ca),
            state_dir: self.state_dir.or(other.state_dir),
            control: self.control.or(other.control),
            operators: self.operators.or(other.operators),
            metrics: self.metrics.or(other.metrics),
            kernel_events: self.kernel_events.or(other.kernel_events),
            log_format: self.log_format.or(other.log_format),
            dry_run: self.dry_run.or(other.dry_run),
        }
    }
}
