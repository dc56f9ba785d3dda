//! Would a takeover work now? The checks of `failover check`, some of which the daemon also runs when
//! it starts.
//!
//! They change nothing. [`finding`] is the result, [`machine`] checks this machine,
//! [`gateway`] the local gateway, [`startable`] whether it would start, [`starters`] what else starts
//! it, [`standby`] whether it could be parked, [`sync`] whether PC-A's state can be copied, and [`network`] other hosts.

mod finding;
mod gateway;
mod machine;
mod network;
mod standby;
mod startable;
mod starters;
pub(crate) mod startup;
mod sync;

pub use finding::{Finding, Level, Report};
pub use network::first_probe;

use failover_decide::Step;

use crate::{
    config::{Configuration, ConfigurationError, Fault, Options, Validation},
    gateway::command::account::Account,
    status::{Document, document},
};

/// Runs all checks. Needs a tokio runtime.
pub async fn check(options: Options) -> Report {
    let file = options.config.clone();
    let Validation {
        configuration,
        faults,
        ..
    } = Validation::load(options);
    let mut findings = vec![machine::rights()];
    findings.extend(machine::configuration(file.as_deref(), &faults));
    let Some(configuration) = configuration else {
        findings.push(Finding::warning(
            "rest",
            "skipped: the configuration is invalid",
            "fix the configuration first",
        ));
        return Report(findings);
    };
    // Without the account, nothing that belongs to it can be checked.
    let account = match faults.iter().any(machine::is_of_account) {
        true => None,
        false => Some(account(&configuration)),
    };
    if let Some(account) = &account {
        findings.extend(account.as_ref().err().cloned());
        findings.extend(gateway::owner(&configuration));
        findings.extend([Step::START, Step::STOP].map(|command| {
            let account = configuration.gateway.user.as_ref();
            gateway::command(&configuration, command, account)
        }));
    }
    if configuration.fence.is_some() {
        findings.push(gateway::command(&configuration, Step::FENCE, None));
    }
    findings.extend(gateway::notify(&configuration));
    let known = account.and_then(Result::ok);
    findings.extend(
        known
            .iter()
            .flat_map(|account| gateway::unit(&configuration, account)),
    );
    findings.extend(
        known
            .iter()
            .flat_map(|account| starters::look(&configuration, account)),
    );
    findings.push(machine::kernel_events(&configuration));
    findings.push(standby::standby(&configuration));
    let primary = network::primary(&configuration).await;
    findings.extend(primary.findings);
    findings.push(network::ports(&configuration));
    findings.extend(
        gateway::port(
            &configuration,
            &primary.addresses,
            primary.answers,
            primary.readiness.as_ref(),
        )
        .await,
    );
    let daemon = machine::ask_daemon(&configuration);
    let of_witnesses = |fault: &Fault| matches!(fault.error, ConfigurationError::Witnesses(_));
    if !faults.iter().any(of_witnesses) {
        let router = router_in(daemon.as_ref().ok(), &configuration);
        findings.push(network::witnesses(&configuration, &primary.addresses, router).await);
    }
    if let Some(webhook) = &configuration.notifications.webhook {
        findings.push(network::webhook(webhook).await);
    }
    if let Some(switch) = &configuration.notifications.dead_mans_switch {
        findings.push(network::webhook(&switch.service).await);
    }
    findings.push(machine::state_dir(&configuration).await);
    findings.extend(sync::sync(&configuration, daemon.as_ref().ok()));
    findings.extend(sync::way(&configuration, daemon.as_ref().ok()).await);
    findings.push(machine::daemon(&configuration, daemon));
    Report(findings)
}

/// What a running daemon with the same primary knows about the default router.
fn router_in<'status>(
    daemon: Option<&'status Document>,
    configuration: &Configuration,
) -> Option<&'status document::Router> {
    let primary = configuration.primary.to_string();
    let daemon = daemon.filter(|daemon| daemon.primary == primary)?;
    daemon.witnesses.as_ref()?.router.as_ref()
}

/// The checks that the daemon runs when it starts. Blocking: reads files, and looks up accounts.
#[must_use]
pub fn at_start(configuration: &Configuration) -> Vec<Finding> {
    let mut findings = match account(configuration) {
        Ok(account) => {
            let mut findings = gateway::unit(configuration, &account);
            findings.extend(starters::look(configuration, &account));
            findings
        }
        Err(finding) => vec![finding],
    };
    findings.push(network::ports(configuration));
    findings.extend(network::own_address(configuration, None));
    findings
}

/// The account that starts and stops the local gateway.
fn account(configuration: &Configuration) -> Result<Account, Finding> {
    match &configuration.gateway.user {
        Some(account) => Ok(account.clone()),
        None => {
            Account::own().map_err(|error| Finding::of_error("account", Level::Warning, &error))
        }
    }
}
