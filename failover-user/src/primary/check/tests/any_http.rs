//! Any server that speaks HTTP.

use super::*;

#[tokio::test]
async fn the_status_is_the_one_that_is_asked_for_and_no_redirect_is_followed() {
    let server = Server::answering(|path| match path {
        "/" => b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => json("200 OK", "{}"),
    })
    .await;
    good(&http("/", 302, Body::Any), &server).await;
    let what = wrong(&http("/", 200, Body::Any), &server).await;
    assert_eq!(what, WrongAnswer::Status(302));
    good(&http("/elsewhere?full=1", 200, Body::Any), &server).await;
    let last = server.asked.lock().unwrap().last().unwrap().1.clone();
    let host = format!("host: gateway.test:{}\r\n", server.address.port());
    assert!(
        last.contains("/elsewhere?full=1") && last.contains(&host),
        "{last}"
    );
}

#[tokio::test]
async fn the_body_has_to_have_the_text_or_the_value() {
    let server = Server::answering(|_| {
        json(
            "200 OK",
            r#"{"live":true,"checks":[{"name":"db","lag":0.5,"left":null}]}"#,
        )
    })
    .await;
    let json = |pointer: &str, value: Option<&str>| Body::Json {
        pointer: pointer.to_owned(),
        value: value.map(|value| value.parse().unwrap()),
    };
    for (body, is_right) in [
        (Body::Contains("\"db\"".to_owned()), true),
        (Body::Contains("\"dd\"".to_owned()), false),
        (json("/live", None), true),
        (json("/live", Some("true")), true),
        (json("/live", Some("false")), false),
        (json("/checks/0/name", Some("db")), true),
        (json("/checks/0/lag", Some("0.5")), true),
        (json("/checks/1/name", None), false),
        // Null is equivalent to nothing.
        (json("/checks/0/left", None), false),
        (json("", None), true),
    ] {
        let found = format!("{body:?}");
        let checker = http("/", 200, body);
        if is_right {
            good(&checker, &server).await;
        } else {
            assert_eq!(
                wrong(&checker, &server).await,
                WrongAnswer::Differs,
                "{found}"
            );
        }
    }
}
