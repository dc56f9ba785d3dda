//! Checks of other hosts: one probe of the primary, all witnesses, and the webhook.

use std::{net::SocketAddr, time::Duration};

use tokio::time::timeout;

use failover_decide::{Failure, Outcome};
use failover_linux::carrier::is_own;

use crate::{
    config::{Check, Configuration, Host, Webhook},
    notify,
    notify::DeliveryError,
    preflight::Finding,
    primary::{
        Found, Prober,
        check::{
            readiness::Readiness,
            tls::Tls as TlsClient,
            wrong_answer::{Certificate, WrongAnswer},
        },
    },
    status::document,
    witness::{Witnesses, default_route::Routers},
    wording,
};

/// Limit for one answer, so that the report is not delayed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Results of the primary's probe.
pub(super) struct Primary {
    pub(super) findings: Vec<Finding>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) answers: bool,
    pub(super) readiness: Option<Readiness>,
}

/// Probes the primary once.
pub(super) async fn primary(configuration: &Configuration) -> Primary {
    let prober = Prober::new(
        configuration.primary.clone(),
        &configuration.check,
        configuration.decide.timeout,
    )
    .beside(configuration.port);
    let Found {
        outcome,
        readiness,
        certificate,
        addresses,
    } = prober.once().await;
    let mut findings = vec![of_probe(
        configuration,
        &outcome,
        readiness.as_ref(),
        certificate.as_deref(),
    )];
    findings.extend(own_address(configuration, Some(&addresses)));
    Primary {
        findings,
        addresses,
        answers: matches!(outcome, Outcome::Connected { .. }),
        readiness,
    }
}

/// The finding for the daemon's first probe, if it failed.
#[must_use]
pub fn first_probe(
    configuration: &Configuration,
    outcome: &Outcome,
    certificate: Option<&str>,
) -> Option<Finding> {
    let failed = matches!(outcome, Outcome::Failed { .. });
    failed.then(|| of_probe(configuration, outcome, None, certificate))
}

fn of_probe(
    configuration: &Configuration,
    outcome: &Outcome,
    readiness: Option<&Readiness>,
    certificate: Option<&str>,
) -> Finding {
    const NAME: &str = "primary";
    let (primary, check) = (&configuration.primary, configuration.check.name());
    let failure = match outcome {
        Outcome::Connected { took } => {
            let says = readiness.map(|says| format!("; readiness: {says}"));
            let says = says.unwrap_or_default();
            let message = format!("{primary} answers (check {check}) after {took:.1?}{says}");
            return Finding::ok(NAME, message);
        }
        Outcome::Unknown { reason, .. } => {
            return Finding::error(
                NAME,
                format!("{primary} can't be probed: {reason}"),
                "fix PC-B's own network or name service first",
            );
        }
        Outcome::Failed { failure, .. } => *failure,
    };
    let (message, remedy) = match failure {
        Failure::Refused => (
            format!(
                "{primary} refuses connections: nothing listens there, or on loopback only"
            ),
            match is_openclaw(configuration) {
                true => {
                    "is the gateway on PC-A running? OpenClaw listens on loopback by default: start it \
                     with `--bind lan`, or set `gateway.bind` to `lan`; on PC-A see `ss -ltn`"
                }
                false => {
                    "is the gateway on PC-A running, and does it listen on this address, \
                     not only on 127.0.0.1? On PC-A see `ss -ltn`"
                }
            }
            .to_owned(),
        ),
        Failure::TimedOut => (
            format!(
                "{primary}: TCP connect timed out after {:?}",
                configuration.decide.timeout
            ),
            "is PC-A on, is the address right, and does PC-A's firewall allow PC-B?".to_owned(),
        ),
        Failure::Unreachable { errno } => (
            format!(
                "{primary} can't be reached: {}",
                failover_linux::errno::describe(errno)
            ),
            "is PC-A on, is the address right, and is there a route to it?".to_owned(),
        ),
        // Probes report this as unknown, above.
        Failure::Gone(gone) => (
            format!("{primary} can't be probed: {}", wording::probe::gone(gone)),
            "see `ip route` and `ip address`".to_owned(),
        ),
        Failure::NoAnswer(why) => (
            format!("{primary} accepts connections, but does not answer check {check}: {}", wording::probe::no_answer(why)),
            "does the gateway on PC-A hang? Does it expect TLS (see --check-tls)?".to_owned(),
        ),
        Failure::WrongAnswer(fault) => match WrongAnswer::of(fault) {
            Some(WrongAnswer::Certificate(what)) => (
                format!(
                    "{primary}: certificate rejected: {}{}",
                    wording::probe::wrong_answer(fault),
                    certificate.map(|certificate| format!(" ({certificate})")).unwrap_or_default()
                ),
                untrusted(what).to_owned(),
            ),
            Some(_) | None => (
                format!(
                    "{primary} gives a wrong answer to check {check}: {}",
                    wording::probe::wrong_answer(fault)
                ),
                match configuration.check {
                    Check::OpenClaw(_) => {
                        "is it an OpenClaw gateway? If not, choose another --check"
                    }
                    Check::Tcp | Check::Http(_) => {
                        "is it the right server, and the right --check-path?"
                    }
                }
                .to_owned(),
            ),
        },
    };
    Finding::error(NAME, message, remedy)
}

/// The remedy for a rejected certificate.
fn untrusted(what: Certificate) -> &'static str {
    match what {
        Certificate::OtherName => {
            "set --check-host to the name in the certificate, or pin the certificate: see \
             --check-fingerprint"
        }
        Certificate::UnknownIssuer | Certificate::Other => {
            "if it is PC-A's own certificate, compare its fingerprint on PC-A (`openssl x509 -noout -fingerprint -sha256 \
             -in FILE`) and pin it with --check-fingerprint, or set --check-ca to its file; if a CA \
             signed it, set --check-ca to the CA's file"
        }
        Certificate::Expired | Certificate::NotYetValid => {
            "renew the certificate, or set PC-B's clock (timedatectl)"
        }
    }
}

/// As far as the options show.
fn is_openclaw(configuration: &Configuration) -> bool {
    let unit = configuration.gateway.unit.as_ref();
    matches!(configuration.check, Check::OpenClaw(_))
        || unit.is_some_and(|unit| unit.name.starts_with("openclaw"))
}

/// Is the primary this machine? `addresses`: its resolved addresses, or `None` to use the configured one.
pub(super) fn own_address(
    configuration: &Configuration,
    addresses: Option<&[SocketAddr]>,
) -> Option<Finding> {
    const NAME: &str = "primary-address";
    let primary = &configuration.primary;
    let own = match (addresses, &primary.host) {
        (Some(addresses), _) => addresses.iter().any(|address| is_own(address.ip())),
        (None, Host::Address(address)) => is_own(*address),
        (None, Host::Name(_)) => false,
    };
    if !own {
        return None;
    }
    Some(match primary.port == configuration.port {
        true => Finding::error(
            NAME,
            format!("{primary} is this machine: PC-B would monitor its own gateway"),
            "set --primary to PC-A's address",
        ),
        // A tunnel to PC-A, for example.
        false => Finding::warning(
            NAME,
            format!(
                "{primary} is this machine: the probe also depends on the tunnel or proxy to PC-A"
            ),
            "if PC-A can be reached directly, set --primary to its address",
        ),
    })
}

/// Clients expect both gateways on the same port.
pub(super) fn ports(configuration: &Configuration) -> Finding {
    const NAME: &str = "ports";
    let (primary, local) = (configuration.primary.port, configuration.port);
    match primary == local {
        true => Finding::ok(NAME, format!("both gateways use {local}")),
        false => Finding::warning(
            NAME,
            format!("the primary's port is {primary}, the local gateway's {local}"),
            "if this is not intended, set --port, or the port in --primary",
        ),
    }
}

/// Probes all witnesses. `primary`: its addresses, if known; `seen`: what a running daemon
/// knows about the default router.
pub(super) async fn witnesses(
    configuration: &Configuration,
    primary: &[SocketAddr],
    seen: Option<&document::Router>,
) -> Finding {
    const NAME: &str = "witnesses";
    const BLIND: &str = "an outage of PC-B's own network looks like a dead PC-A";
    const NAME_SOME: &str = "set --witnesses to hosts that do not depend on each other, for example 192.168.1.1,9.9.9.9:53";
    if configuration.witnesses.is_empty() {
        return Finding::warning(NAME, format!("there are none: {BLIND}"), NAME_SOME);
    }
    let timeout = configuration.decide.timeout;
    let mut asked = Witnesses::new(configuration.witnesses.clone(), timeout);
    let (named, have_router) = (asked.named(), asked.have_router());
    let router = have_router.then(|| default_router(primary));
    let routers = router.clone().and_then(Result::ok).map(Ok);
    asked.ask((), u32::MAX, routers);
    let answers = asked.next().await;
    let answered = answers.answered();
    let abstains = match (router, answers.of_router()) {
        (None, _) | (Some(_), Some(Ok(_))) => None,
        (Some(Ok(router)), said) => {
            let why = said.and_then(Result::err).map(wording::witness::silence);
            let why = why.unwrap_or_else(|| "no result".to_owned());
            Some(format!("{router} does not answer pings: {why}"))
        }
        (Some(Err(why)), _) => Some(why),
    };
    // Silence counts once the router has answered the daemon: then PC-B may be isolated.
    let is_silent = abstains
        .as_ref()
        .filter(|_| seen.is_some_and(|seen| seen.counts));
    if named == 0 {
        return match &abstains {
            Some(why) if is_silent.is_some() => Finding::error(
                NAME,
                format!(
                    "the default router is silent: {why}; it has answered the running daemon before, so \
                     PC-B counts as isolated, and does not take over"
                ),
                "check PC-B's own network: `ip route`",
            ),
            None => Finding::ok(NAME, format!("the default router answers: {answers}")),
            Some(why) => Finding::warning(
                NAME,
                format!(
                    "the default router abstains, and there are no other witnesses: {why}; {BLIND}"
                ),
                format!("allow pings from PC-B to the router, or {NAME_SOME}"),
            ),
        };
    }
    let counts = have_router && (abstains.is_none() || is_silent.is_some());
    let counting = named + u32::from(counts);
    let needed = configuration.decide.witness_quorum.min(counting);
    let mut message = format!("{answered} of {counting} answer, {needed} needed: {answers}");
    if let Some(why) = &abstains {
        let how = match is_silent {
            Some(_) => "is silent, which counts, because it has answered the running daemon before",
            None => "abstains",
        };
        message.push_str(&format!("; the default router {how}: {why}"));
    }
    if answered < needed {
        let remedy = "set other --witnesses: with too few answers PC-B would not take over";
        Finding::error(NAME, message, remedy)
    } else if answered < counting || abstains.is_some() {
        Finding::warning(NAME, message, "replace each one that does not answer")
    } else {
        Finding::ok(NAME, message)
    }
}

/// The routers to ping, or why there is none.
fn default_router(primary: &[SocketAddr]) -> Result<Routers, String> {
    let routers = Routers::find().map_err(|error| format!("cannot read the routes: {error}"))?;
    if routers.0.is_empty() {
        return Err("there is no default route through a router".to_owned());
    }
    match routers.at(primary) {
        Some(primary) => Err(format!("it is the primary itself ({primary})")),
        None => Ok(routers),
    }
}

/// Can PC-B connect to it? Sends nothing, so that nobody is notified.
pub(super) async fn webhook(webhook: &Webhook) -> Finding {
    let name = webhook.option;
    let tls = webhook.tls.as_ref().map(TlsClient::new);
    let host = &webhook.authority;
    match timeout(PATIENCE, notify::connect::connect(webhook, tls.as_ref())).await {
        Ok(Ok(_)) => {
            let how = match tls {
                Some(_) => "with a trusted certificate",
                None => "not encrypted",
            };
            Finding::ok(name, format!("{host} accepts connections, {how}"))
        }
        Ok(Err(DeliveryError { what, remedy })) => {
            Finding::warning(name, format!("{what}: notifications would fail"), remedy)
        }
        Err(_) => Finding::warning(
            name,
            format!("{host} does not answer within {PATIENCE:?}: notifications would fail"),
            "is there a route from PC-B, and does the firewall allow it?",
        ),
    }
}
