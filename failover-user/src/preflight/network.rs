//! Whoever else is asked: the primary, with one probe, the witnesses, all of them, and the webhook.

use std::{net::SocketAddr, time::Duration};

use tokio::time::timeout;

use failover_decide::{Failure, Outcome};
use failover_linux::carrier::is_own;

use crate::{
    config::{Check, Configuration, Host, Webhook},
    notify,
    notify::connect::Obstacle,
    preflight::Finding,
    primary::{
        Found, Prober,
        check::{
            readiness::Readiness,
            tls::Tls as TlsClient,
            wrong_answer::{Certificate, WrongAnswer},
        },
    },
    status,
    witness::{Witnesses, default_route::Routers},
};

/// Nobody who waits for the report waits longer for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to know of the primary.
pub(super) struct Primary {
    pub(super) findings: Vec<Finding>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) answers: bool,
    pub(super) readiness: Option<Readiness>,
}

/// Probes it, once.
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

/// What the daemon's first probe means, if it failed.
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
            let says = readiness.map(|says| format!("; it says: {says}"));
            let says = says.unwrap_or_default();
            let message = format!("{primary} answers (check {check}) after {took:.1?}{says}");
            return Finding::ok(NAME, message);
        }
        Outcome::Unknown { reason, .. } => {
            return Finding::error(
                NAME,
                format!("{primary} can't be probed: {reason}"),
                "mend PC-B's own network or name service first",
            );
        }
        Outcome::Failed { failure, .. } => *failure,
    };
    let (message, remedy) = match failure {
        Failure::Refused => (
            format!(
                "{primary} refuses connections from here: nobody listens there, or on loopback only"
            ),
            match is_openclaw(configuration) {
                true => {
                    "is the gateway on PC-A running? OpenClaw listens on loopback unless it is started \
                     with `--bind lan`, or has `gateway.bind` set to `lan`: on PC-A see `ss -ltn`"
                }
                false => {
                    "is the gateway on PC-A running, and does it listen on the address that PC-B sees, \
                     not on 127.0.0.1 alone? On PC-A see `ss -ltn`"
                }
            }
            .to_owned(),
        ),
        Failure::TimedOut => (
            format!(
                "{primary} doesn't answer to TCP within {:?}",
                configuration.decide.timeout
            ),
            "is PC-A on, is this its address, and does its firewall let PC-B in?".to_owned(),
        ),
        Failure::Unreachable { errno } => (
            format!(
                "{primary} can't be reached: {}",
                failover_linux::errno::describe(errno)
            ),
            "is PC-A on, is this its address, and is there a route to it?".to_owned(),
        ),
        // Probes report it as unknown, above.
        Failure::Gone(gone) => (
            format!("{primary} can't be probed: {gone}"),
            "see `ip route` and `ip address`".to_owned(),
        ),
        Failure::NoAnswer(why) => (
            format!("{primary} accepts connections, and then there is no answer to check {check}: {why}"),
            "does the gateway on PC-A hang? Is TLS spoken there (see --check-tls)?".to_owned(),
        ),
        Failure::WrongAnswer(fault) => match WrongAnswer::of(fault) {
            Some(WrongAnswer::Certificate(what)) => (
                format!(
                    "{primary} can't be trusted: {fault}{}",
                    certificate.map(|told| format!(" ({told})")).unwrap_or_default()
                ),
                untrusted(what).to_owned(),
            ),
            Some(_) | None => (
                format!("{primary} gives a wrong answer to check {check}: {fault}"),
                match configuration.check {
                    Check::OpenClaw(_) => {
                        "is it an OpenClaw that answers there? If not, choose another --check"
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

/// What to do about a certificate.
fn untrusted(what: Certificate) -> &'static str {
    match what {
        Certificate::OtherName => {
            "give the name that it is for with --check-host, or pin this very certificate: see \
             --check-fingerprint"
        }
        Certificate::UnknownIssuer | Certificate::Other => {
            "if it is PC-A's own, compare its fingerprint there (`openssl x509 -noout -fingerprint -sha256 \
             -in FILE`) and pin it with --check-fingerprint, or give its file with --check-ca; if an \
             authority has signed it, give that one's file"
        }
        Certificate::Expired | Certificate::NotYetValid => {
            "renew it, or set PC-B's clock (timedatectl)"
        }
    }
}

/// As far as the options tell.
fn is_openclaw(configuration: &Configuration) -> bool {
    let unit = configuration.gateway.unit.as_ref();
    matches!(configuration.check, Check::OpenClaw(_))
        || unit.is_some_and(|unit| unit.name.starts_with("openclaw"))
}

/// Is the primary this machine? `addresses`: where that is known; else as it is configured.
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
            format!("{primary} is this machine: PC-B would watch its own gateway"),
            "name PC-A's address with --primary",
        ),
        // A tunnel to PC-A, say.
        false => Finding::warning(
            NAME,
            format!(
                "{primary} is this machine: whatever forwards from there to PC-A is watched, too"
            ),
            "if PC-A can be reached directly, name its address with --primary",
        ),
    })
}

/// Clients that go from one gateway to the other expect it on the same port.
pub(super) fn ports(configuration: &Configuration) -> Finding {
    const NAME: &str = "ports";
    let (primary, local) = (configuration.primary.port, configuration.port);
    match primary == local {
        true => Finding::ok(NAME, format!("both gateways use {local}")),
        false => Finding::warning(
            NAME,
            format!("the primary's port is {primary}, the local gateway's {local}"),
            "if that isn't meant, give --port, or the right port with --primary",
        ),
    }
}

/// Asks all of them. `primary`: its addresses, as far as they are known; `seen`: what a daemon that runs
/// knows of the default router.
pub(super) async fn witnesses(
    configuration: &Configuration,
    primary: &[SocketAddr],
    seen: Option<&status::Router>,
) -> Finding {
    const NAME: &str = "witnesses";
    const BLIND: &str = "when PC-B's own network fails it looks as if PC-A were dead";
    const NAME_SOME: &str =
        "name hosts that don't depend on each other with --witnesses, as 192.168.1.1,9.9.9.9:53";
    if configuration.witnesses.is_empty() {
        return Finding::warning(NAME, format!("none are named: {BLIND}"), NAME_SOME);
    }
    let timeout = configuration.decide.timeout;
    let mut asked = Witnesses::new(configuration.witnesses.clone(), timeout);
    let (named, have_router) = (asked.named(), asked.have_router());
    let router = have_router.then(|| default_router(primary));
    let routers = router.clone().filter(Result::is_ok);
    asked.ask((), u32::MAX, routers);
    let answers = asked.next().await;
    let answered = answers.answered();
    let abstains = match (router, answers.of_router()) {
        (None, _) | (Some(_), Some(Ok(_))) => None,
        (Some(Ok(router)), said) => {
            let why = said.and_then(Result::err).unwrap_or("its answer was lost");
            Some(format!("it ({router}) doesn't answer pings: {why}"))
        }
        (Some(Err(why)), _) => Some(why),
    };
    // Its silence counts once the daemon has heard it, as that is when PC-B may be cut off.
    let is_silent = abstains
        .as_ref()
        .filter(|_| seen.is_some_and(|seen| seen.counts));
    if named == 0 {
        return match &abstains {
            Some(why) if is_silent.is_some() => Finding::error(
                NAME,
                format!(
                    "the default router is silent: {why}; the daemon that runs has heard it before, so \
                     PC-B counts as cut off, and doesn't take over"
                ),
                "look at PC-B's own network: `ip route`",
            ),
            None => Finding::ok(NAME, format!("the default router answers: {answers}")),
            Some(why) => Finding::warning(
                NAME,
                format!("the default router abstains, and no others are named: {why}; {BLIND}"),
                format!("let it answer pings from PC-B, or {NAME_SOME}"),
            ),
        };
    }
    let counts = have_router && (abstains.is_none() || is_silent.is_some());
    let counting = named + u32::from(counts);
    let needed = configuration.decide.witness_quorum.min(counting);
    let mut message = format!("{answered} of {counting} answer, {needed} needed: {answers}");
    if let Some(why) = &abstains {
        let how = match is_silent {
            Some(_) => "is silent, which counts, for the daemon that runs has heard it before",
            None => "abstains",
        };
        message.push_str(&format!("; the default router {how}: {why}"));
    }
    if answered < needed {
        let remedy = "name others: with too few PC-B would not take over";
        Finding::error(NAME, message, remedy)
    } else if answered < counting || abstains.is_some() {
        Finding::warning(
            NAME,
            message,
            "name another in place of each that doesn't answer",
        )
    } else {
        Finding::ok(NAME, message)
    }
}

/// Who that is, or why nobody can be asked.
fn default_router(primary: &[SocketAddr]) -> Result<Routers, String> {
    let routers = Routers::find().map_err(|error| format!("the routes can't be read: {error}"))?;
    if routers.0.is_empty() {
        return Err("there is no default route with a router".to_owned());
    }
    match routers.at(primary) {
        Some(primary) => Err(format!("it is the primary itself ({primary})")),
        None => Ok(routers),
    }
}

/// Can it be connected to? Nothing is sent: whoever reads there would be woken.
pub(super) async fn webhook(webhook: &Webhook) -> Finding {
    const NAME: &str = "webhook";
    let tls = webhook.tls.as_ref().map(TlsClient::new);
    let host = &webhook.authority;
    match timeout(PATIENCE, notify::connect::reach(webhook, tls.as_ref())).await {
        Ok(Ok(_)) => {
            let how = match tls {
                Some(_) => "with a certificate that is trusted",
                None => "without TLS: who is on the way reads what is told",
            };
            Finding::ok(NAME, format!("{host} can be connected to, {how}"))
        }
        Ok(Err(Obstacle { what, remedy })) => {
            Finding::warning(NAME, format!("{what}: nobody would be told there"), remedy)
        }
        Err(_) => Finding::warning(
            NAME,
            format!("{host} doesn't answer within {PATIENCE:?}: nobody would be told there"),
            "is there a way from PC-B to it, and does its firewall let PC-B in?",
        ),
    }
}
