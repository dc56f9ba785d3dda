//! Which layer failed.

use super::*;

#[tokio::test]
async fn nobody_who_listens_is_a_refusal() {
    let server = Server::answering(openclaw).await;
    let address = server.address;
    server.task.abort();
    // The listener goes with the task.
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    for checker in both() {
        assert_eq!(failure(&checker, &server).await, Failure::Refused);
    }
}

#[tokio::test]
async fn a_process_that_hangs_gives_no_answer_and_its_kernel_does() {
    let server = Server::with(|stream| async {
        sleep(LONG).await;
        drop(stream);
    })
    .await;
    for checker in both() {
        assert_eq!(silence(SHORT, &checker, &server).await, NoAnswer::TimedOut);
    }
    good(&checker(&Check::Tcp), &server).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_or_reset_is_no_answer() {
    let closes = Server::with(|mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    let breaks_off = Server::with(|mut stream| async move {
        head(&mut stream).await;
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":";
        stream.write_all(half).await.unwrap();
    })
    .await;
    let resets = Server::with(|mut stream| async move {
        head(&mut stream).await;
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    })
    .await;
    for checker in both() {
        assert_eq!(silence(LONG, &checker, &closes).await, NoAnswer::Closed);
        assert_eq!(silence(LONG, &checker, &breaks_off).await, NoAnswer::Closed);
        assert_eq!(silence(LONG, &checker, &resets).await, NoAnswer::Reset);
    }
}

#[tokio::test]
async fn what_is_not_http_is_told_as_that() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..],
        b"\x16\x03\x01\x00\x05hello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nthis is no chunk\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
    ] {
        let server = Server::answering(move |_| garbage.to_vec()).await;
        for checker in both() {
            let what = wrong(&checker, &server).await;
            assert_eq!(what, WrongAnswer::NotHttp, "{garbage:?}");
        }
    }
}
