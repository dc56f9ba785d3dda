//! Servers that send too much, too slowly, or anything at all.

use super::*;

#[tokio::test]
async fn an_answer_that_trickles_in_is_none_at_the_deadline() {
    for start in ["HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\n\r\n", ""] {
        let server = Server::with(move |mut stream| async move {
            let _ = stream.write_all(start.as_bytes()).await;
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        for checker in both() {
            let found = failure_within(SHORT, &checker, &server).await;
            // A line of x is no status line, either.
            let expected = [
                Failure::NoAnswer(NoAnswer::TimedOut),
                Failure::from(WrongAnswer::NotHttp),
            ];
            assert!(expected.contains(&found), "{start:?}: {found:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    for start in [
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let server = Server::with(move |mut stream| async move {
            let _ = stream.write_all(start.as_bytes()).await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        })
        .await;
        for checker in both() {
            let what = wrong(&checker, &server).await;
            assert!(
                matches!(what, WrongAnswer::TooLong | WrongAnswer::NotJson),
                "{start:?}: {what:?}"
            );
        }
    }
}

#[tokio::test]
async fn headers_without_number_are_refused() {
    let server = Server::answering(|_| {
        let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
        bytes.extend(b"a: b\r\n".repeat(1000));
        bytes.extend(b"Content-Length: 4\r\n\r\nwell");
        bytes
    })
    .await;
    for checker in both() {
        let what = wrong(&checker, &server).await;
        assert!(matches!(what, WrongAnswer::TooLong), "{what:?}");
    }
}

/// What a hostile server may send, some of it nearly right.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let starts = prop_oneof![
        Just(""),
        Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.1 200 OK\r\n\r\n"),
        Just("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"ok\":true}"),
        Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Just(
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ACCEPT\r\n\r\n"
        ),
        Just("HTTP/1.1 100 Continue\r\n\r\n"),
    ];
    (starts, vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [start.as_bytes(), &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_answer_makes_a_check_panic_or_take_longer_than_it_may(
        healthz in hostile(),
        others in hostile(),
        ends in any::<bool>(),
    ) {
        let limit = Duration::from_millis(50);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::with(move |mut stream| {
                let (healthz, others) = (healthz.clone(), others.clone());
                async move {
                    while let Some(head) = head(&mut stream).await {
                        let bytes = if head.starts_with("GET /healthz ") { &healthz } else { &others };
                        let _ = stream.write_all(bytes).await;
                        if ends {
                            return;
                        }
                    }
                }
            }).await;
            for checker in both() {
                let mut memory = Memory::default();
                for _ in 0..2 {
                    let verdict = asked(&checker, &server, limit, memory).await;
                    let is_own = matches!(verdict.outcome, Outcome::Unknown { .. });
                    assert!(!is_own, "{verdict:?}");
                    memory = verdict.memory;
                }
            }
        });
    }
}
