//! OpenClaw, of releases with and without `/healthz`.

use super::*;
use crate::primary::check::readiness::Startup;

#[tokio::test]
async fn openclaw_is_live_by_its_word_and_the_rest_is_recorded_over_the_same_connection() {
    let server = Server::answering(openclaw).await;
    let verdict = good(&checker(&openclaw_for_tests()), &server).await;
    let readiness = verdict.readiness.unwrap();
    assert_eq!(readiness.startup, Some(Startup::Started));
    assert_eq!(readiness.ready, Some(false));
    assert_eq!(readiness.failing, ["telegram"]);
    assert_eq!(readiness.version.as_deref(), Some("2026.9.6"));
    let expected = ["/healthz", "/startupz", "/readyz"].map(|path| (1, path.to_owned()));
    assert_eq!(server.paths(), expected);
    assert!(matches!(verdict.connection, Some(Connection::To(peer)) if peer == server.address));
}

#[tokio::test]
async fn two_looks_at_one_gateway_see_the_same_process_and_at_two_gateways_do_not() {
    let server = Server::answering(openclaw).await;
    let other = Server::answering(|path| match path {
        "/startupz" => json(
            "200 OK",
            r#"{"ok":true,"status":"started","version":"2026.9.6","uptimeMs":99000}"#,
        ),
        path => openclaw(path),
    })
    .await;
    let silent = Server::answering(|path| match path {
        "/startupz" => json("200 OK", r#"{"ok":true,"status":"started"}"#),
        path => openclaw(path),
    })
    .await;
    let mut readiness = Vec::new();
    for server in [&server, &server, &other, &silent] {
        let verdict = good(&checker(&openclaw_for_tests()), server).await;
        readiness.push(verdict.readiness.unwrap());
    }
    let same = |one: usize, two: usize| readiness[one].is_same_process(&readiness[two]);
    assert_eq!(same(0, 1), Some(true));
    assert_eq!(same(0, 2), Some(false));
    assert_eq!(same(0, 3), None);
}

#[tokio::test]
async fn a_gateway_that_is_not_ok_by_its_own_word_has_failed() {
    for (answer, expected) in [
        (json("200 OK", r#"{"ok":false}"#), WrongAnswer::NotOk),
        (json("200 OK", r#"{"ok":"true"}"#), WrongAnswer::NotOk),
        (json("200 OK", "[true]"), WrongAnswer::NotOk),
        (json("200 OK", "{\"ok\":true"), WrongAnswer::NotJson),
        (json("503 Busy", r#"{"ok":false}"#), WrongAnswer::NotOk),
        (json("503 Busy", "{}"), WrongAnswer::Status(503)),
        (
            answer("500 Oops", "text/plain", "oops"),
            WrongAnswer::Status(500),
        ),
    ] {
        let server = Server::answering(move |_| answer.clone()).await;
        let what = wrong(&checker(&openclaw_for_tests()), &server).await;
        assert_eq!(what, expected, "{:?}", server.paths());
    }
}

#[tokio::test]
async fn it_is_the_body_that_counts_and_not_the_status() {
    let server = Server::answering(|_| json("404 Not Found", r#"{"ok":true}"#)).await;
    good(&checker(&openclaw_for_tests()), &server).await;
}

#[tokio::test]
async fn a_release_without_healthz_is_known_by_its_page_or_404_and_challenges() {
    for missing in [
        page(),
        answer("200 OK", "application/octet-stream", " \n<html>"),
        answer("404 Not Found", "text/plain", "Not Found"),
        json("404 Not Found", r#"{"error":"not found"}"#),
    ] {
        let server = Server::answering(move |path| match path {
            "/healthz" => missing.clone(),
            _ => websocket(CHALLENGE),
        })
        .await;
        let checker = checker(&openclaw_for_tests());
        let first = good(&checker, &server).await;
        assert!(first.readiness.is_none());
        assert_eq!(
            server.paths(),
            [(1, "/healthz".to_owned()), (2, "/".to_owned())]
        );
        // The next check goes straight to it.
        let second = asked(&checker, &server, LONG, first.memory).await;
        assert!(matches!(second.outcome, Outcome::Connected { .. }));
        assert_eq!(server.paths()[2..], [(3, "/".to_owned())]);
    }
}

#[tokio::test]
async fn a_gateway_that_was_updated_is_asked_for_healthz_again_in_time() {
    let server = Server::answering(|path| match path {
        "/healthz" => page(),
        _ => websocket(CHALLENGE),
    })
    .await;
    let checker = checker(&openclaw_for_tests());
    let mut memory = Memory::default();
    for _ in 0..45 {
        memory = asked(&checker, &server, LONG, memory).await.memory;
    }
    let asked = server.paths();
    let again = asked.iter().filter(|(_, path)| path == "/healthz").count();
    assert_eq!(again, 3, "once at first, and after each twenty");
}

#[tokio::test]
async fn a_release_without_healthz_fails_without_its_challenge_and_is_then_asked_anew() {
    let failing: [(Vec<u8>, Failure); 4] = [
        (
            websocket(r#"{"type":"event","event":"other"}"#),
            Failure::from(WrongAnswer::NoChallenge),
        ),
        (websocket("hello"), Failure::from(WrongAnswer::NoChallenge)),
        (page(), Failure::from(WrongAnswer::Status(200))),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            Failure::from(WrongAnswer::NotHttp),
        ),
    ];
    for (upgraded, expected) in failing {
        let server = Server::answering(move |path| match path {
            "/healthz" => page(),
            _ => upgraded.clone(),
        })
        .await;
        let checker = checker(&openclaw_for_tests());
        let first = verdict(&checker, &server).await;
        assert!(
            matches!(first.outcome, Outcome::Failed { failure, .. } if failure == expected),
            "{first:?}"
        );
        let before = server.paths().len();
        asked(&checker, &server, LONG, first.memory).await;
        assert_eq!(server.paths()[before].1, "/healthz");
    }
}

#[tokio::test]
async fn a_message_that_would_never_end_is_cut_off() {
    let server = Server::answering(|path| match path {
        "/healthz" => page(),
        _ => {
            // A text frame of 2^40 bytes (RFC 6455, section 5.2).
            let mut bytes = websocket("");
            bytes.truncate(bytes.len() - 2);
            bytes.extend([0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]);
            bytes.extend([b'x'; 100]);
            bytes
        }
    })
    .await;
    let what = wrong(&checker(&openclaw_for_tests()), &server).await;
    assert_eq!(what, WrongAnswer::TooLong);
}

#[tokio::test]
async fn what_is_only_recorded_never_turns_a_good_check_bad_nor_delays_it_for_long() {
    for (broken, startup) in [("/readyz", Some(Startup::Started)), ("/startupz", None)] {
        for nonsense in [Vec::new(), b"nonsense\r\n\r\n".to_vec(), page()] {
            let server = Server::answering(move |path| {
                if path == broken {
                    nonsense.clone()
                } else {
                    openclaw(path)
                }
            })
            .await;
            let begun = Instant::now();
            let verdict = good(&checker(&openclaw_for_tests()), &server).await;
            assert!(begun.elapsed() < LATE);
            assert_eq!(verdict.readiness.unwrap().startup, startup);
        }
    }
}

#[tokio::test]
async fn a_deadline_that_comes_while_something_is_recorded_turns_nothing_bad() {
    let server = Server::answering(|path| match path {
        "/healthz" => openclaw(path),
        _ => Vec::new(),
    })
    .await;
    let checker = checker(&openclaw_for_tests());
    let verdict = asked(&checker, &server, 2 * SHORT, Memory::default()).await;
    assert!(
        matches!(verdict.outcome, Outcome::Connected { .. }),
        "{verdict:?}"
    );
}

fn draining(path: &str) -> Vec<u8> {
    match path {
        "/startupz" => json("503 Busy", r#"{"ok":false,"status":"draining"}"#),
        path => openclaw(path),
    }
}

#[tokio::test]
async fn a_primary_that_drains_fails_only_after_a_limit_that_is_configured() {
    let server = Server::answering(draining).await;
    let patient = openclaw_with(|_| {});
    let limited = openclaw_with(|check| check.drain_limit = Some(SHORT));
    for checker in [&patient, &limited] {
        let verdict = good(checker, &server).await;
        let readiness = verdict.readiness.unwrap();
        assert_eq!(readiness.startup, Some(Startup::Draining));
        assert!(readiness.draining_since.is_some());
        sleep(SHORT).await;
        let later = asked(checker, &server, LONG, verdict.memory).await;
        let readiness = later.readiness.unwrap();
        assert!(readiness.draining_since.is_some());
        let fails = matches!(
            later.outcome,
            Outcome::Failed { failure, .. } if failure == WrongAnswer::Draining.into()
        );
        assert_eq!(
            fails,
            std::ptr::eq(checker, &raw const limited),
            "{:?}",
            later.outcome
        );
    }
}

#[tokio::test]
async fn a_drain_that_has_ended_is_forgotten() {
    let server = Server::answering(draining).await;
    let started = Server::answering(openclaw).await;
    let checker = openclaw_with(|check| check.drain_limit = Some(SHORT));
    let drains = good(&checker, &server).await;
    let over = asked(&checker, &started, LONG, drains.memory).await;
    assert_eq!(over.readiness.unwrap().draining_since, None);
    sleep(SHORT).await;
    let again = asked(&checker, &server, LONG, over.memory).await;
    assert!(
        matches!(again.outcome, Outcome::Connected { .. }),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_token_goes_where_details_are_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let text = "primary = 'pc-a.test'\ncheck = 'openclaw'\ndry-run = true";
    let mut options: Options = text.parse().unwrap();
    options.check.check_token_file = Some(file);
    let configuration = Configuration::load(options).unwrap();
    assert!(!format!("{configuration:?}").contains("s3cret"));
    let server = Server::answering(openclaw).await;
    good(&checker(&configuration.check), &server).await;
    let asked = server.asked.lock().unwrap();
    let with: Vec<bool> = asked
        .iter()
        .map(|(_, head)| head.contains("authorization: Bearer s3cret\r\n"))
        .collect();
    assert_eq!(with, [false, true, true], "{asked:?}");
}

#[tokio::test]
async fn an_old_release_that_drains_lets_nobody_in_and_is_live_all_the_same() {
    let closed = |body: &'static str| {
        Server::answering(move |path| match path {
            "/healthz" => page(),
            _ => json("503 Busy", body),
        })
    };
    let server = closed(r#"{"error":"Gateway websocket admission closed"}"#).await;
    let patient = openclaw_with(|_| {});
    let limited = openclaw_with(|check| check.drain_limit = Some(SHORT));
    for (checker, fails) in [(&patient, false), (&limited, true)] {
        let verdict = good(checker, &server).await;
        let readiness = verdict.readiness.unwrap();
        assert_eq!(readiness.startup, Some(Startup::Draining));
        sleep(SHORT).await;
        let later = asked(checker, &server, LONG, verdict.memory).await;
        let draining_since = later.readiness.unwrap().draining_since;
        assert_eq!(draining_since, readiness.draining_since);
        let failed = Failure::from(WrongAnswer::Draining);
        assert_eq!(
            matches!(later.outcome, Outcome::Failed { failure, .. } if failure == failed),
            fails,
            "{:?}",
            later.outcome
        );
    }
    // As a proxy before a dead one.
    let dead = closed(r#"{"error":"no upstream"}"#).await;
    assert_eq!(wrong(&patient, &dead).await, WrongAnswer::Status(503));
}
