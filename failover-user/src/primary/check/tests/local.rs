//! The local gateway, which is asked in its own way.

use super::*;

fn local(change: impl FnOnce(&mut Options)) -> Checker {
    let text = "primary = 'pc-a.test:18080'\ngateway = 'command'\nstart = 'true'\nstop = 'true'\ndry-run = true";
    let mut options: Options = text.parse().unwrap();
    change(&mut options);
    let configuration = Configuration::load(options).unwrap();
    Checker::of_the_local_gateway(&configuration.local_check)
}

/// PC-A's health is asked for like this.
fn http_primary(options: &mut Options) {
    options.check.check = Some(config::CheckKind::Http);
    options.check.check_path = Some("/bot/healthz".to_owned());
    options.check.check_host = Some("pc-a.test".to_owned());
    options.check.check_contains = Some("all is well".to_owned());
}

fn last_head(server: &Server) -> String {
    server.asked.lock().unwrap().last().unwrap().1.clone()
}

#[tokio::test]
async fn what_is_right_for_the_primary_need_not_be_right_for_it() {
    let check = local(http_primary);
    for bytes in [
        answer("404 Not Found", "text/plain", "no such host"),
        answer("200 OK", "text/html", "another page"),
        answer("500 Internal Server Error", "text/plain", ""),
        b"220 bot ESMTP\r\n".to_vec(),
    ] {
        let server = Server::answering(move |_| bytes.clone()).await;
        good(&check, &server).await;
        let head = last_head(&server);
        let host = format!("host: {}\r\n", server.address);
        assert!(
            head.contains("/bot/healthz") && head.contains(&host),
            "{head}"
        );
    }
}

#[tokio::test]
async fn its_silence_is_a_failure_whatever_it_is_asked() {
    let hangs = || {
        Server::with(|stream| async {
            sleep(LONG).await;
            drop(stream);
        })
    };
    for check in [
        local(http_primary),
        local(|options| options.check.check = Some(config::CheckKind::OpenClaw)),
    ] {
        let why = silence(SHORT, &check, &hangs().await).await;
        assert_eq!(why, NoAnswer::TimedOut);
        let closes = Server::with(|stream| async { drop(stream) }).await;
        let why = silence(LONG, &check, &closes).await;
        assert!(matches!(why, NoAnswer::Closed | NoAnswer::Reset), "{why:?}");
    }
}

#[tokio::test]
async fn it_is_asked_what_is_configured_for_it() {
    let check = local(|options| {
        http_primary(options);
        options.local_check.local_check = Some(config::LocalCheckKind::Http);
        options.local_check.local_check_path = Some("/health".to_owned());
        options.local_check.local_check_status = std::num::NonZeroU16::new(204);
        options.local_check.local_check_host = Some("pc-b.test".to_owned());
    });
    let server = Server::answering(|_| answer("204 No Content", "text/plain", "")).await;
    good(&check, &server).await;
    let head = last_head(&server);
    let host = format!("host: pc-b.test:{}\r\n", server.address.port());
    assert!(head.contains("/health ") && head.contains(&host), "{head}");
    let server = Server::answering(|_| json("200 OK", "{}")).await;
    assert_eq!(wrong(&check, &server).await, WrongAnswer::Status(200));
}

#[tokio::test]
async fn no_token_of_the_primarys_is_sent_to_who_listens_here() {
    let folder = tempfile::tempdir().unwrap();
    let token = |text: &str| {
        let file = folder.path().join(text);
        std::fs::write(&file, text).unwrap();
        Some(file)
    };
    let check = |options: &mut Options| {
        options.check.check = Some(config::CheckKind::OpenClaw);
        options.check.check_token_file = token("primarys");
    };
    let server = Server::answering(openclaw).await;
    good(&local(check), &server).await;
    assert!(
        !last_head(&server).contains("authorization"),
        "{}",
        last_head(&server)
    );
    let own = local(|options| {
        check(options);
        options.local_check.local_check_token_file = token("own");
    });
    good(&own, &server).await;
    assert!(last_head(&server).contains("authorization: Bearer own\r\n"));
}
