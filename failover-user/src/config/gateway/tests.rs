//! Gateways that can be run, and those that can't.

use super::*;
use crate::gateway::port::identity::Manager;

impl GatewayOptions {
    fn checked(self) -> Result<LocalGateway, GatewayError> {
        self.resolve().unwrap().gateway()
    }
}

fn given(kind: GatewayKind) -> GatewayOptions {
    GatewayOptions {
        gateway: Some(kind),
        ..GatewayOptions::default()
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn each_kind_brings_its_own_commands() {
    let own = |kind, unit: Option<&str>| {
        let unit = unit.map(str::to_owned);
        let gateway = GatewayOptions {
            unit,
            ..given(kind)
        };
        let gateway = gateway.checked().unwrap();
        [gateway.start.to_string(), gateway.stop.to_string()]
    };
    assert_eq!(
        own(GatewayKind::OpenClaw, None),
        ["openclaw gateway start", "openclaw gateway stop"]
    );
    assert_eq!(
        own(GatewayKind::SystemdUser, None),
        [
            "failover unit-job start --user openclaw-gateway.service",
            "failover unit-job stop --user openclaw-gateway.service"
        ]
    );
    assert_eq!(
        own(GatewayKind::Systemd, Some("bot")),
        [
            "failover unit-job start bot.service",
            "failover unit-job stop bot.service"
        ]
    );
}

#[test]
fn what_is_said_wins() {
    for kind in [
        GatewayKind::OpenClaw,
        GatewayKind::Command,
        GatewayKind::SystemdUser,
    ] {
        let gateway = GatewayOptions {
            start: some("up 'a b'"),
            stop: some("down"),
            ..given(kind)
        };
        let gateway = gateway.checked().unwrap();
        assert_eq!(gateway.start.to_string(), "up 'a b'");
        assert_eq!(gateway.stop.to_string(), "down");
        assert!(!gateway.stop_may_need_force);
    }
    assert!(
        given(GatewayKind::OpenClaw)
            .checked()
            .unwrap()
            .stop_may_need_force
    );
}

#[test]
fn what_is_missing_or_has_no_use_is_reported_with_its_remedy() {
    let refused = |given: GatewayOptions, parts: &[&str]| {
        let error = given.checked().unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    };
    let command = || given(GatewayKind::Command);
    refused(command(), &["gateway is command", "set start to a command"]);
    let start = some("up");
    refused(
        GatewayOptions {
            start: start.clone(),
            ..command()
        },
        &["gateway is command", "set stop to a command"],
    );
    refused(
        GatewayOptions {
            unit: some("a"),
            ..command()
        },
        &["gateway is command", "remove unit", "gateway to systemd"],
    );
    refused(
        given(GatewayKind::Systemd),
        &["gateway is systemd", "unit isn't set", "set unit"],
    );
    refused(
        GatewayOptions {
            user: some("root"),
            ..given(GatewayKind::Systemd)
        },
        &["remove user", "systemd-user"],
    );
    for unit in ["", ".service", "a b", "a/b.service", &"x".repeat(300)] {
        refused(
            GatewayOptions {
                unit: some(unit),
                ..given(GatewayKind::SystemdUser)
            },
            &["is not the name of a unit"],
        );
    }
    for owner in [
        "node",
        "unit:",
        "unit:a b",
        "executable:",
        "executable:a/b",
        "pid:1",
    ] {
        refused(
            GatewayOptions {
                owner: Some(vec![owner.to_owned()]),
                ..given(GatewayKind::OpenClaw)
            },
            &[owner, "executable:PATH"],
        );
    }
    refused(
        GatewayOptions {
            owner: Some(vec!["account:no-such-account".to_owned()]),
            ..given(GatewayKind::OpenClaw)
        },
        &["owner:", "no-such-account", "getent passwd"],
    );
    refused(
        GatewayOptions {
            owner: Some(Vec::new()),
            ..given(GatewayKind::OpenClaw)
        },
        &["owner is empty"],
    );
}

#[test]
fn an_owner_is_of_the_account_that_owns_the_gateway_unless_it_names_another() {
    let root = |name: &str| Rule::Unit {
        name: name.to_owned(),
        manager: Manager::User(0),
    };
    let program = |path: &str, uid| Rule::Executable {
        path: path.into(),
        uid,
    };
    for (owner, expected) in [
        (
            "unit:bot",
            vec![
                Rule::Unit {
                    name: "bot.service".to_owned(),
                    manager: Manager::System,
                },
                Rule::Unit {
                    name: "bot.service".to_owned(),
                    manager: Manager::User(7),
                },
            ],
        ),
        ("unit:bot of root", vec![root("bot.service")]),
        ("executable:node", vec![program("node", 7)]),
        ("executable:node of root", vec![program("node", 0)]),
        (
            "executable:/opt/x of y/bot",
            vec![program("/opt/x of y/bot", 7)],
        ),
        (
            "account:root",
            vec![Rule::Account {
                name: "root".to_owned(),
                uid: 0,
            }],
        ),
    ] {
        assert_eq!(rules(owner, 7).unwrap(), expected, "{owner}");
    }
    for wrong in [
        "unit:bot of no-such-account",
        "executable:a of no-such-account",
    ] {
        let error = rules(wrong, 7).unwrap_err();
        assert!(error.to_string().contains("no-such-account"), "{error}");
    }
    for wrong in ["unit: of root", "executable: of root", "unit:a b of root"] {
        assert!(
            matches!(rules(wrong, 7), Err(GatewayError::Owner(_))),
            "{wrong}"
        );
    }
}

#[test]
fn each_kind_has_its_own_idea_of_the_gateway() {
    let shown = |given: GatewayOptions| given.checked().unwrap().identity.to_string();
    let own = geteuid().as_raw();
    let own_program = match own {
        0 => "root".to_owned(),
        own => format!("uid {own} or root"),
    };
    assert_eq!(
        shown(given(GatewayKind::OpenClaw)),
        format!(
            "unit openclaw-gateway*.service of user {own}, or OpenClaw in node or bun of uid {own}"
        )
    );
    // A start of one's own may become anybody, but not everybody is the gateway for that.
    assert_eq!(
        shown(GatewayOptions {
            start: some("runuser -u alice -- openclaw gateway start"),
            ..given(GatewayKind::OpenClaw)
        }),
        shown(given(GatewayKind::OpenClaw))
    );
    assert_eq!(
        shown(GatewayOptions {
            unit: some("bot"),
            ..given(GatewayKind::Systemd)
        }),
        "unit bot.service"
    );
    assert_eq!(
        shown(GatewayOptions {
            owner: Some(
                [
                    "unit:bot*",
                    "account:root",
                    "executable:/opt/bot",
                    "executable:node"
                ]
                .map(str::to_owned)
                .to_vec()
            ),
            ..given(GatewayKind::OpenClaw)
        }),
        format!(
            "unit bot*.service, or unit bot*.service of user {own}, or any process of root, or /opt/bot of {own_program}, or node of {own_program}"
        )
    );
}
