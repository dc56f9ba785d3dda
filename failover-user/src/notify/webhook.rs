//! Sends notifications to a web server with POST. Retries with exponential backoff for a day.
//! Queued notices are persisted in the state directory, and survive a restart of the daemon.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use failover_linux::{
    clock, files,
    files::{folder::Folder, ownership::Sticky},
};

use crate::{
    config::Webhook,
    notify::{
        DeliveryError, Notice, VERSION,
        backoff::Backoff,
        channel::{Channel, Kind},
        delivery::Delivery,
        http::Client,
        queue::Queue,
    },
    runtime::{background, parts, parts::Part},
};

/// Limit for queued notices; a notice has less than 2 KiB.
const MOST_WAITING: usize = 100;
/// A longer file was not written by this program.
const LONGEST_FILE: u64 = 4 << 20;
/// A notice is dropped at this age.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// Interval between attempts to persist the queue; also retried whenever it changes.
const KEEP_AGAIN: Duration = Duration::from_secs(30);

/// The webhook.
pub(crate) const KIND: Kind = Kind {
    name: "webhook",
    part: "the webhook",
    is_same: |before, now| before.notifications.webhook == now.notifications.webhook,
    open: |configuration, delivery, part| {
        let webhook = configuration.notifications.webhook.clone()?;
        let state_dir = &configuration.state_dir;
        Some(Box::new(WebhookNotifier::new(
            webhook, state_dir, delivery, part,
        )))
    },
};

/// Sends notices to a web server, as a background task.
#[derive(Debug)]
pub(crate) struct WebhookNotifier {
    queue: Arc<Queue>,
    /// The queue may differ from the file.
    changed: Arc<Notify>,
    /// Each gets an answer once the queue is persisted.
    waiting: Answers,
    task: JoinHandle<()>,
}

type Answers = Arc<Mutex<Vec<oneshot::Sender<bool>>>>;

/// The result of one attempt.
#[derive(Debug, Eq, PartialEq)]
enum Attempt {
    Sent,
    /// A retry would not help.
    Refused(DeliveryError),
    Failed(DeliveryError),
}

impl WebhookNotifier {
    /// Needs a tokio runtime. Persisted notices are sent first.
    pub(crate) fn new(webhook: Webhook, state_dir: &Path, delivery: Delivery, part: Part) -> Self {
        Self::keeping(webhook, state_dir, delivery, part, KEEP_AGAIN)
    }

    fn keeping(
        webhook: Webhook,
        state_dir: &Path,
        delivery: Delivery,
        part: Part,
        keep_again: Duration,
    ) -> Self {
        let queue = Arc::new(Queue::new(KIND.part, MOST_WAITING, delivery));
        let changed = Arc::new(Notify::new());
        let waiting = Answers::default();
        let sender = Arc::new(Sender {
            client: Client::new(webhook),
            file: state_dir.join("webhook.json"),
            keep_again,
            queue: Arc::clone(&queue),
            changed: Arc::clone(&changed),
            waiting: Arc::clone(&waiting),
        });
        let task = parts::keep(part, move |part| Arc::clone(&sender).run(part));
        let task = tokio::spawn(task);
        Self {
            queue,
            changed,
            waiting,
            task,
        }
    }
}

impl Channel for WebhookNotifier {
    fn send(&self, notice: Notice) {
        self.queue.push(notice);
        self.changed.notify_one();
    }

    /// The notices that are not sent by then are persisted.
    fn finish(&self, patience: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.queue.emptied(patience))
    }

    fn stored(&self) -> Option<oneshot::Receiver<bool>> {
        let (answer, stored) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(answer);
        drop(waiting);
        self.changed.notify_one();
        Some(stored)
    }
}

impl Drop for WebhookNotifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Sender {
    client: Client,
    file: PathBuf,
    keep_again: Duration,
    queue: Arc<Queue>,
    changed: Arc<Notify>,
    waiting: Answers,
}

impl Sender {
    async fn run(self: Arc<Self>, part: Part) -> io::Error {
        let file = self.file.clone();
        // Without a thread now, persisted notices are read later.
        let kept = match background::run("webhook", move || load(&file)).await {
            Ok(kept) => kept,
            Err(error) => return error,
        };
        part.works();
        self.queue.put_first(kept.clone());
        tokio::select! {
            never = self.keep_all(kept) => never,
            never = self.send_all() => never,
        }
    }

    /// Persists the queue whenever it has changed.
    async fn keep_all(&self, mut kept: Vec<Notice>) -> io::Error {
        let mut could = true;
        loop {
            // Before the queue is read: later requests are answered the next time.
            let asked = self.asked();
            let waiting = self.queue.all();
            let stored = match waiting == kept {
                true => Ok(()),
                false => {
                    let (file, notices) = (self.file.clone(), waiting.clone());
                    let stored = background::run("webhook", move || store(&file, notices)).await;
                    stored.and_then(|stored| stored)
                }
            };
            match stored {
                Ok(()) => {
                    kept = waiting;
                    if !could {
                        info!("queued webhook notifications are persisted again");
                    }
                    could = true;
                }
                Err(error) => {
                    if could {
                        warn!(
                            %error, file = %self.file.display(),
                            "cannot persist queued webhook notifications; they are lost when this daemon stops"
                        );
                    }
                    could = false;
                }
            }
            for answer in asked {
                // A receiver that was dropped needs no answer.
                let _ = answer.send(could);
            }
            let changed = self.changed.notified();
            match could {
                true => changed.await,
                false => drop(timeout(self.keep_again, changed).await),
            }
        }
    }

    /// Requests since the last call.
    fn asked(&self) -> Vec<oneshot::Sender<bool>> {
        let mut asked = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut asked)
    }

    async fn send_all(&self) -> io::Error {
        let mut backoff = Backoff::default();
        loop {
            let waiting = self.queue.first().await;
            let notice = &waiting.notice;
            let (event, host) = (&notice.event, self.client.authority());
            if waiting.age(clock::now()) > LONGEST_WAIT {
                warn!(
                    event,
                    host, "webhook notification not delivered within a day; dropped"
                );
                self.queue.delivery().dropped(1);
            } else {
                match self.attempt(notice).await {
                    Attempt::Sent => {
                        info!(event, host, "webhook notification delivered");
                        self.queue.delivery().sent();
                        backoff = Backoff::default();
                    }
                    Attempt::Refused(error) => {
                        let DeliveryError { what, remedy } = &error;
                        warn!(
                            event,
                            host,
                            error = what,
                            remedy,
                            "the webhook rejects the notification; dropped"
                        );
                        self.queue.delivery().failed(error);
                    }
                    Attempt::Failed(error) => {
                        let DeliveryError { what, remedy } = &error;
                        let is_first = backoff.is_first();
                        let pause = backoff.next();
                        if is_first {
                            warn!(event, host, error = what, remedy, again_in = ?pause, "webhook notification failed");
                        } else {
                            debug!(event, host, error = what, again_in = ?pause, "webhook notification failed");
                        }
                        self.queue.delivery().failed(error);
                        sleep(pause).await;
                        continue;
                    }
                }
            }
            self.queue.remove(&notice.id);
            self.changed.notify_one();
        }
    }

    async fn attempt(&self, notice: &Notice) -> Attempt {
        let document = match serde_json::to_vec(notice) {
            Ok(document) => document,
            Err(error) => {
                return Attempt::Refused(DeliveryError {
                    what: error.to_string(),
                    remedy: "report this",
                });
            }
        };
        match self.client.request(Method::POST, Some(document)).await {
            Ok(status) => judge(status),
            Err(error) => Attempt::Failed(error),
        }
    }
}

fn judge(status: StatusCode) -> Attempt {
    let is_for_now = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_success() {
        Attempt::Sent
    } else if status.is_client_error() && !is_for_now {
        Attempt::Refused(DeliveryError {
            what: format!("rejected: HTTP status {status}"),
            remedy: "are the URL's path and webhook-token-file right?",
        })
    } else {
        Attempt::Failed(DeliveryError {
            what: format!("HTTP status {status}"),
            remedy: "see the server's log",
        })
    }
}

/// The file.
#[derive(Deserialize, Serialize)]
struct Kept {
    version: u32,
    waiting: Vec<Notice>,
}

/// The persisted notices; none if the file is unreadable, which is logged.
fn load(file: &Path) -> Vec<Notice> {
    let read = files::read_own(file, LONGEST_FILE);
    match read.and_then(|text| serde_json::from_str::<Kept>(&text).map_err(io::Error::from)) {
        Ok(Kept {
            version: VERSION,
            waiting,
        }) => waiting,
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            warn!(%error, file = %file.display(), "cannot read persisted webhook notifications; they are lost");
            Vec::new()
        }
    }
}

/// Replaces the file atomically: after a crash the old content remains.
fn store(file: &Path, waiting: Vec<Notice>) -> io::Result<()> {
    if waiting.is_empty() {
        let (folder, name) = Folder::of(file, Sticky::IsNotEnough)?;
        return folder.remove(name);
    }
    let kept = Kept {
        version: VERSION,
        waiting,
    };
    files::replace(file, &serde_json::to_vec(&kept)?)
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, fs};

    use http_body_util::{BodyExt as _, Full};
    use hyper::{
        Request, Response,
        body::{Bytes, Incoming},
        header::AUTHORIZATION,
        server::conn::http1,
        service::service_fn,
    };
    use hyper_util::rt::TokioIo;
    use jiff::{SignedDuration, Timestamp};
    use tokio::net::TcpListener;

    use super::*;
    use crate::runtime::parts::Parts;

    fn part() -> Part {
        Parts::default().part("the webhook")
    }
    use crate::notify::notice;

    const LONG: Duration = Duration::from_secs(20);

    /// What a server was asked: the path, the authorization, and the notice.
    type Asked = Arc<Mutex<Vec<(String, String, Notice)>>>;

    /// A real web server that gives these answers, and then 200.
    async fn server(answers: &'static [u16]) -> (u16, Asked) {
        let asked = Asked::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(|request: Request<Incoming>| {
                    let log = Arc::clone(&log);
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let authorization = head.headers.get(AUTHORIZATION);
                        let authorization = authorization.map(|it| it.to_str().unwrap().to_owned());
                        let mut log = log.lock().unwrap();
                        let status = answers.get(log.len()).copied().unwrap_or(200);
                        log.push((
                            head.uri.to_string(),
                            authorization.unwrap_or_default(),
                            serde_json::from_slice(&body).unwrap(),
                        ));
                        let answer = Response::builder()
                            .status(status)
                            .header("location", "http://127.0.0.1:1/")
                            .body(Full::new(Bytes::from("body")));
                        Ok::<_, Infallible>(answer.unwrap())
                    }
                });
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let _ = served.await;
            }
        });
        (port, asked)
    }

    fn webhook(port: u16, token: Option<&Path>) -> Webhook {
        let url = format!("http://127.0.0.1:{port}/hook?a=b");
        crate::config::webhook_for_tests(&url, token)
    }

    fn delivery() -> Delivery {
        Delivery::default()
    }

    fn asked(asked: &Asked) -> Vec<String> {
        let asked = asked.lock().unwrap();
        asked
            .iter()
            .map(|(_, _, notice)| notice.id.clone())
            .collect()
    }

    #[tokio::test]
    async fn a_server_that_fails_first_gets_it_later_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        fs::write(&token, "secret\n").unwrap();
        let (port, log) = server(&[500, 429]).await;
        let delivery = delivery();
        let webhook = webhook(port, Some(&token));
        let notifier = WebhookNotifier::new(webhook, directory.path(), delivery.clone(), part());
        notifier.send(notice("a"));
        notifier.send(notice("b"));
        notifier.finish(LONG).await;
        let delivered = delivery.so_far();
        assert_eq!((delivered.sent, delivered.failed), (2, 2));
        assert_eq!(delivered.failing, None);
        assert_eq!(asked(&log), ["a", "a", "a", "b"]);
        let (path, authorization, _) = log.lock().unwrap()[0].clone();
        assert_eq!(path, "/hook?a=b");
        assert_eq!(authorization, "Bearer secret");
    }

    #[tokio::test]
    async fn what_is_refused_is_given_up_and_a_redirect_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (port, log) = server(&[404, 302, 200]).await;
        let delivery = delivery();
        let notifier = WebhookNotifier::new(
            webhook(port, None),
            directory.path(),
            delivery.clone(),
            part(),
        );
        notifier.send(notice("a"));
        notifier.finish(LONG).await;
        let (_, error) = delivery.so_far().failing.unwrap();
        assert!(error.what.contains("404"), "{error}");
        notifier.send(notice("b"));
        notifier.finish(LONG).await;
        assert_eq!(asked(&log), ["a", "b", "b"]);
    }

    #[tokio::test]
    async fn what_was_not_told_survives_for_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("webhook.json");
        // Nobody listens there.
        let notifier = WebhookNotifier::new(webhook(1, None), directory.path(), delivery(), part());
        let mut old = notice("old");
        old.time = Timestamp::now() - SignedDuration::from_hours(25);
        notifier.send(notice("a"));
        notifier.send(old);
        let kept = || async {
            while load(&file).len() < 2 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, kept()).await.unwrap();
        drop(notifier);
        let (port, log) = server(&[]).await;
        let notifier =
            WebhookNotifier::new(webhook(port, None), directory.path(), delivery(), part());
        let all_told = || async {
            while file.exists() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, all_told()).await.unwrap();
        assert_eq!(asked(&log), ["a"]);
        drop(notifier);
    }

    #[tokio::test]
    async fn who_asks_is_answered_once_what_waits_is_on_disk_or_cannot_be() {
        let directory = tempfile::tempdir().unwrap();
        // Nobody listens there.
        let notifier = WebhookNotifier::new(webhook(1, None), directory.path(), delivery(), part());
        notifier.send(notice("a"));
        assert!(
            timeout(LONG, notifier.stored().unwrap())
                .await
                .unwrap()
                .unwrap()
        );
        assert_eq!(load(&directory.path().join("webhook.json"))[0].id, "a");
        let missing = directory.path().join("missing");
        let notifier = WebhookNotifier::new(webhook(1, None), &missing, delivery(), part());
        notifier.send(notice("a"));
        assert!(
            !timeout(LONG, notifier.stored().unwrap())
                .await
                .unwrap()
                .unwrap()
        );
    }

    #[tokio::test]
    async fn what_could_not_be_kept_is_kept_once_that_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let state_dir = directory.path().join("missing");
        let file = state_dir.join("webhook.json");
        // Nobody listens there.
        let soon = Duration::from_millis(10);
        let notifier = WebhookNotifier::keeping(
            webhook(1, None),
            &state_dir,
            Delivery::default(),
            part(),
            soon,
        );
        notifier.send(notice("a"));
        // Long enough for an attempt that fails.
        sleep(10 * soon).await;
        fs::create_dir(&state_dir).unwrap();
        let kept = || async {
            while load(&file).is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, kept()).await.unwrap();
        drop(notifier);
    }

    #[test]
    fn what_is_no_queue_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("webhook.json");
        for nonsense in [&b""[..], b"[]", b"\xff", b"{\"version\":9,\"waiting\":[]}"] {
            fs::write(&file, nonsense).unwrap();
            assert_eq!(load(&file), []);
        }
    }

    #[test]
    fn success_is_any_2xx_and_4xx_is_final_but_for_two() {
        let judge = |status| judge(StatusCode::from_u16(status).unwrap());
        assert_eq!(judge(204), Attempt::Sent);
        assert!(matches!(judge(400), Attempt::Refused(_)));
        for status in [301, 408, 429, 500, 503] {
            assert!(matches!(judge(status), Attempt::Failed(_)), "{status}");
        }
    }
}
