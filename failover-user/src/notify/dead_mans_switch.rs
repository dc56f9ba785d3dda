//! The dead man's switch: a monitoring service is called as long as all is well, and reports it when no more calls come.
//! The daemon's loop is asked each time, so that a loop that hangs is silence, too.

use std::{io, time::Duration};

use hyper::Method;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use crate::{
    config,
    notify::{DeliveryError, alarms::ChannelStatus, delivery::Delivery, http::Client},
    runtime::{parts, parts::Part},
};

/// As people know it.
pub(crate) const PART: &str = "the heartbeat URL";
/// Its name, for tools.
const NAME: &str = "heartbeat";
/// After a call that failed, the next one comes soon: services give some seconds of grace.
const RETRY: Duration = Duration::from_secs(10);

/// Is all well? The answer goes here.
pub(crate) type Question = oneshot::Sender<bool>;

/// Calls the service. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct DeadMansSwitch {
    questions: mpsc::Receiver<Question>,
    delivery: Delivery,
    task: JoinHandle<()>,
}

impl DeadMansSwitch {
    /// Calls from now on. Inside a tokio runtime.
    pub(crate) fn new(configured: &config::DeadMansSwitch, part: Part) -> Self {
        let (asks, questions) = mpsc::channel(1);
        let delivery = Delivery::default();
        let caller = Caller {
            asks,
            every: configured.every,
            delivery: delivery.clone(),
        };
        let service = configured.service.clone();
        let task = parts::keep(part, move |part| {
            let client = Client::new(service.clone());
            let caller = caller.clone();
            async move {
                part.works();
                caller.call_all(&client).await
            }
        });
        Self {
            questions,
            delivery,
            task: tokio::spawn(task),
        }
    }

    /// Waits until the next question whether all is well. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Question {
        match self.questions.recv().await {
            Some(question) => question,
            None => std::future::pending().await,
        }
    }

    /// How the calls do.
    pub(crate) fn status(&self) -> ChannelStatus {
        ChannelStatus {
            name: NAME,
            part: PART,
            is_configured: true,
            delivered: self.delivery.so_far(),
        }
    }
}

impl Drop for DeadMansSwitch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Caller {
    asks: mpsc::Sender<Question>,
    every: Duration,
    delivery: Delivery,
}

impl Caller {
    async fn call_all(&self, client: &Client) -> io::Error {
        let mut was_well = true;
        loop {
            let began = Instant::now();
            let (question, answer) = oneshot::channel();
            if self.asks.send(question).await.is_err() {
                return io::ErrorKind::BrokenPipe.into();
            }
            let is_well = answer.await.unwrap_or(false);
            if is_well != was_well {
                match is_well {
                    true => info!("all is well again; the heartbeat URL is requested"),
                    false => {
                        info!("PC-B does not protect PC-A; the heartbeat URL is not requested");
                    }
                }
                was_well = is_well;
            }
            let pause = match is_well && !self.call(client).await {
                true => self.every.min(RETRY),
                false => self.every,
            };
            sleep_until(began + pause).await;
        }
    }

    /// Did the service take it?
    async fn call(&self, client: &Client) -> bool {
        let error = match client.request(Method::GET, None).await {
            Ok(status) if status.is_success() => {
                self.delivery.sent();
                return true;
            }
            Ok(status) => DeliveryError {
                what: format!("HTTP status {status}"),
                remedy: "is heartbeat-url as the service shows it?",
            },
            Err(error) => error,
        };
        let DeliveryError { what, remedy } = &error;
        let host = client.authority();
        match self.delivery.so_far().failing {
            None => warn!(
                host,
                error = what,
                remedy,
                "the heartbeat URL can't be requested"
            ),
            Some(_) => debug!(host, error = what, "the heartbeat URL can't be requested"),
        }
        self.delivery.failed(error);
        false
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::timeout,
    };

    use super::*;
    use crate::runtime::parts::Parts;

    const EVERY: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    /// A service that sends on each request line, and answers with this status.
    async fn service(status: u16) -> (u16, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.expect("a request");
                let text = String::from_utf8_lossy(request.get(..length).unwrap_or_default());
                let line = text.lines().next().unwrap_or_default().to_owned();
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("an answer");
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        (port, calls)
    }

    fn switch(port: u16) -> DeadMansSwitch {
        let url = format!("http://127.0.0.1:{port}/push/pc-b?status=up");
        let configured = config::DeadMansSwitch {
            service: config::webhook_for_tests(&url, None),
            every: EVERY,
        };
        DeadMansSwitch::new(&configured, Parts::default().part(PART))
    }

    async fn answer(switch: &mut DeadMansSwitch, is_well: bool) {
        let question = timeout(LONG, switch.next()).await.expect("a question");
        question.send(is_well).expect("it waits");
    }

    #[tokio::test]
    async fn the_service_is_called_as_long_as_all_is_well() {
        let (port, mut calls) = service(200).await;
        let mut switch = switch(port);
        for _ in 0..2 {
            answer(&mut switch, true).await;
            let call = timeout(LONG, calls.recv()).await.expect("a call");
            assert_eq!(call.as_deref(), Some("GET /push/pc-b?status=up HTTP/1.1"));
        }
        for _ in 0..3 {
            answer(&mut switch, false).await;
        }
        // The next question comes after what the last answer has led to.
        let question = timeout(LONG, switch.next()).await.expect("a question");
        assert!(calls.try_recv().is_err());
        question.send(true).expect("it waits");
        timeout(LONG, calls.recv()).await.expect("a call");
        // A loop that hangs answers nothing.
        drop(timeout(LONG, switch.next()).await.expect("a question"));
        assert!(calls.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_call_that_fails_is_shown_until_one_succeeds() {
        let (port, mut calls) = service(404).await;
        let mut failing = switch(port);
        answer(&mut failing, true).await;
        timeout(LONG, calls.recv()).await.expect("a call");
        // It asks again after that call.
        drop(timeout(LONG, failing.next()).await.expect("a question"));
        let delivered = failing.status().delivered;
        let (_, error) = delivered.failing.expect("it fails");
        assert!(error.what.contains("404"), "{error}");
    }
}
