//! What an option is where nobody said anything, as one more layer below file and flags; and for
//! those that have no default, what one could write. For people: [`crate::config::Configuration::check`] uses
//! the same constants, and the tests below prove that the two agree.

use std::{num::NonZeroU32, time::Duration};

use crate::config::{
    Arm, CheckKind, DEFAULT_CONTROL, DEFAULT_FENCE_TIMEOUT, DEFAULT_FLAP_INTERVAL,
    DEFAULT_FLAP_QUIET, DEFAULT_FLAP_SUCCESSES, DEFAULT_FLAP_WINDOW, DEFAULT_INTERVAL,
    DEFAULT_PORT, DEFAULT_RECOVERY_INTERVAL, DEFAULT_START_TIMEOUT, DEFAULT_STATE_DIR,
    DEFAULT_STOP_TIMEOUT, DEFAULT_STRIKES, DEFAULT_TIMEOUT, DEFAULT_VETO_LIMIT, DEFAULT_WITNESSES,
    GatewayKind, HumanDuration, KernelEventsMode, LocalCheckKind, LogFormat, Options,
    check::DEFAULT_STATUS,
    gateway::{OPENCLAW_START, OPENCLAW_STOP},
};

/// Every option that has a default, given what was said: some follow others.
pub(super) fn defaults(said: &Options) -> Options {
    let interval = said.interval.map_or(DEFAULT_INTERVAL, HumanDuration::get);
    let gateway = said.gateway.unwrap_or_default();
    let check = said.check.unwrap_or(gateway.check());
    let local_check = said
        .local_check
        .unwrap_or_else(|| LocalCheckKind::default_for(said));
    let of_openclaw = |line: &str| (gateway == GatewayKind::OpenClaw).then(|| line.to_owned());
    Options {
        port: Some(DEFAULT_PORT),
        interval: Some(DEFAULT_INTERVAL.into()),
        recovery_interval: Some(DEFAULT_RECOVERY_INTERVAL.min(interval).into()),
        timeout: Some(DEFAULT_TIMEOUT.min(interval).into()),
        strikes: Some(DEFAULT_STRIKES),
        confirm_interval: Some(interval.into()),
        // Where somebody is asked.
        witness_quorum: (!said.witnesses.as_ref().is_some_and(Vec::is_empty))
            .then_some(NonZeroU32::MIN),
        witnesses: Some(DEFAULT_WITNESSES.to_vec()),
        veto_limit: Some(DEFAULT_VETO_LIMIT),
        flap_damping: Some(true),
        flap_window: Some(DEFAULT_FLAP_WINDOW.into()),
        flap_quiet: Some(DEFAULT_FLAP_QUIET.into()),
        flap_interval: Some(DEFAULT_FLAP_INTERVAL.min(interval).into()),
        flap_successes: Some(DEFAULT_FLAP_SUCCESSES.to_vec()),
        fence_required: said.fence.is_some().then_some(true),
        fence_timeout: Some(DEFAULT_FENCE_TIMEOUT.into()),
        check: Some(check),
        arm: Some(Arm::default()),
        gateway: Some(gateway),
        start: of_openclaw(OPENCLAW_START),
        stop: of_openclaw(OPENCLAW_STOP),
        start_timeout: Some(DEFAULT_START_TIMEOUT.into()),
        stop_timeout: Some(DEFAULT_STOP_TIMEOUT.into()),
        state_dir: Some(DEFAULT_STATE_DIR.into()),
        control: Some(DEFAULT_CONTROL.into()),
        kernel_events: Some(KernelEventsMode::default()),
        log_format: Some(LogFormat::default()),
        dry_run: Some(false),
        // Those of another check than the default one have theirs only with that.
        check_status: (check == CheckKind::Http).then_some(DEFAULT_STATUS),
        check_tls: (check != CheckKind::Tcp).then_some(false),
        local_check: Some(local_check),
        local_check_status: (local_check == LocalCheckKind::Http).then_some(DEFAULT_STATUS),
        // These have none.
        operators: None,
        config: None,
        primary: None,
        metrics: None,
        fence: None,
        user: None,
        unit: None,
        owner: None,
        check_path: None,
        check_pointer: None,
        check_value: None,
        check_contains: None,
        check_ca: None,
        check_fingerprint: None,
        check_host: None,
        check_token_file: None,
        drain_limit: None,
        local_check_path: None,
        local_check_pointer: None,
        local_check_value: None,
        local_check_contains: None,
        local_check_tls: None,
        local_check_ca: None,
        local_check_host: None,
        local_check_token_file: None,
        notify: None,
        webhook: None,
        webhook_token_file: None,
        webhook_ca: None,
    }
}

/// What one could write for each option that goes with another choice than the default one, or
/// excludes one of the others.
pub(super) fn alternatives() -> Options {
    Options {
        user: Some("alice".to_owned()),
        operators: Some(vec!["alice".to_owned()]),
        unit: Some("openclaw-gateway.service".to_owned()),
        owner: Some(vec![
            "unit:bot.service".to_owned(),
            "executable:bot".to_owned(),
        ]),
        check_path: Some("/health".to_owned()),
        check_status: Some(DEFAULT_STATUS),
        check_pointer: Some("/status".to_owned()),
        check_value: "live".parse().ok(),
        check_contains: Some("all is well".to_owned()),
        check_tls: Some(true),
        check_ca: Some("/etc/failover/ca.pem".into()),
        check_fingerprint: Some(vec![
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
        ]),
        check_host: Some("pc-a.lan".to_owned()),
        check_token_file: Some("/etc/failover/token".into()),
        drain_limit: Some(Duration::from_secs(600).into()),
        local_check_path: Some("/health".to_owned()),
        local_check_status: Some(DEFAULT_STATUS),
        local_check_pointer: Some("/status".to_owned()),
        local_check_value: "live".parse().ok(),
        local_check_contains: Some("all is well".to_owned()),
        local_check_tls: Some(true),
        local_check_ca: Some("/etc/failover/local-ca.pem".into()),
        local_check_host: Some("pc-b.lan".to_owned()),
        local_check_token_file: Some("/etc/failover/local-token".into()),
        webhook_token_file: Some("/etc/failover/webhook-token".into()),
        webhook_ca: Some("/etc/failover/webhook-ca.pem".into()),
        ..Options::default()
    }
}

/// What one could write for each option that has no default.
pub(super) fn examples() -> Options {
    Options {
        primary: "192.168.1.10:18789".parse().ok(),
        fence: Some("ssh plug.lan off".to_owned()),
        notify: Some("mail-the-admin".to_owned()),
        webhook: Some("http://hooks.lan/failover".to_owned()),
        metrics: "127.0.0.1:9179".parse().ok(),
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;
    use crate::config::{Configuration, values::Values};

    fn checked(options: Options) -> Configuration {
        // The commands needn't be here.
        Configuration::check(options.or(Options {
            dry_run: Some(true),
            ..Options::default()
        }))
        .unwrap()
    }

    #[test]
    fn saying_every_default_changes_nothing() {
        let least = Options {
            primary: examples().primary,
            ..Options::default()
        };
        let quick = Options {
            interval: Some(Duration::from_millis(500).into()),
            ..least.clone()
        };
        let unwitnessed = Options {
            witnesses: Some(Vec::new()),
            ..least.clone()
        };
        for said in [least, quick, unwitnessed, examples()] {
            let all = said.clone().or(Options {
                dry_run: None,
                ..defaults(&said)
            });
            assert_eq!(checked(said), checked(all));
        }
    }

    #[test]
    fn every_option_has_a_default_or_an_example() {
        let all = examples().or(alternatives()).or(defaults(&examples()));
        let all = Values::of(&all).unwrap();
        for argument in Options::arguments() {
            let name = argument.get_long().unwrap();
            assert!(all.get(name).is_some(), "{name}: see defaults.rs");
        }
    }

    /// As the help has it in brackets, up to words that aren't part of the value.
    fn told(argument: &clap::Arg) -> Option<String> {
        let help = argument.get_help()?.to_string();
        let told = help.split_once("[default: ")?.1.split_once(']')?.0;
        Some(told.split(", or ").next()?.to_owned())
    }

    #[test]
    fn the_help_tells_the_default_that_is_in_force() {
        let defaults = Values::of(&defaults(&examples())).unwrap();
        let mut untold = Vec::new();
        for argument in Options::arguments() {
            let name = argument.get_long().unwrap();
            let Some(default) = defaults.get(name) else {
                continue;
            };
            let parsed = told(&argument).and_then(|told| {
                let command = Options::augment_args(clap::Command::new("run"));
                let matches = command.try_get_matches_from(["run", &format!("--{name}={told}")]);
                Options::from_arg_matches(&matches.ok()?).ok()
            });
            match parsed {
                Some(parsed) => {
                    assert_eq!(
                        Values::of(&parsed).unwrap().get(name),
                        Some(default),
                        "{name}"
                    );
                }
                None => untold.push(name.to_owned()),
            }
        }
        // One is told in words, the other is plain.
        assert_eq!(untold, ["confirm-interval", "dry-run"]);
    }
}
