//! One view for all who look: the daemon is asked again only when something changed or time went by, and
//! never more often than people can read.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{Stream, stream};
use hyper::body::{Bytes, Frame};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    runtime::waiting::Waiting,
    web::{
        page,
        view::{View, ViewRequest},
    },
};

/// Soon enough for people, seldom enough for the daemon.
const PACE: Duration = Duration::from_millis(250);
/// A view in which nothing changed is reused for this time.
const FRESH: Duration = Duration::from_secs(1);
/// Without changes, an open page gets an update this often.
const STILL_HERE: Duration = Duration::from_secs(10);

/// Then an open page connects again, by itself: one that is gone or doesn't read keeps no place for ever.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);
/// The reconnection time that it gets, in milliseconds.
const AGAIN: u32 = 500;

/// Where views come from.
#[derive(Debug)]
pub(crate) struct Source {
    requests: mpsc::Sender<ViewRequest>,
    changed: watch::Receiver<()>,
    waiting: Waiting,
    last: Mutex<Option<Taken>>,
}

/// A view, and what is made of it at most once.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) view: View,
    event: OnceLock<Bytes>,
}

#[derive(Debug)]
struct Taken {
    shown: Arc<Shown>,
    at: Instant,
    /// Tells whether anything changed since.
    changed: watch::Receiver<()>,
}

impl Taken {
    fn is_fresh(&self) -> bool {
        let is_changed = self.changed.has_changed().unwrap_or(true);
        self.at.elapsed() < FRESH && !is_changed
    }
}

impl Shown {
    /// As a server-sent event (HTML Living Standard, 9.2).
    fn event(&self) -> Bytes {
        let event = self.event.get_or_init(|| {
            // JSON has no line breaks of its own.
            Bytes::from(format!(
                "retry: {AGAIN}\ndata: {}\n\n",
                page::parts(&self.view)
            ))
        });
        event.clone()
    }
}

impl Source {
    pub(crate) fn new(
        requests: mpsc::Sender<ViewRequest>,
        changed: watch::Receiver<()>,
        waiting: Waiting,
    ) -> Self {
        Self {
            requests,
            changed,
            waiting,
            last: Mutex::new(None),
        }
    }

    /// What there is to see now; `None` when nobody tells any longer.
    pub(crate) async fn shown(&self) -> Option<Arc<Shown>> {
        let mut last = self.last.lock().await;
        if let Some(taken) = last.as_ref() {
            if taken.is_fresh() {
                return Some(Arc::clone(&taken.shown));
            }
            sleep(PACE.saturating_sub(taken.at.elapsed())).await;
        }
        // Before it is asked: what changes meanwhile may be missing in the answer.
        let mut changed = self.changed.clone();
        changed.mark_unchanged();
        let (answer, answered) = oneshot::channel();
        let request = ViewRequest {
            answer,
            _ticket: Some(self.waiting.begin()),
        };
        self.requests.send(request).await.ok()?;
        let shown = Arc::new(Shown {
            view: answered.await.ok()?,
            event: OnceLock::new(),
        });
        *last = Some(Taken {
            shown: Arc::clone(&shown),
            at: Instant::now(),
            changed,
        });
        Some(shown)
    }

    /// The view now, and then each new one. A slow reader misses those in between.
    pub(crate) fn events(
        self: Arc<Self>,
    ) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
        let mut changed = self.changed.clone();
        changed.mark_changed();
        let end = Instant::now() + LONGEST;
        stream::unfold((self, changed), move |(source, mut changed)| async move {
            // Without news after a while, too.
            let told = timeout(STILL_HERE, changed.changed()).await;
            if matches!(told, Ok(Err(_))) || Instant::now() >= end {
                return None;
            }
            let event = source.shown().await?.event();
            Some((Ok(Frame::data(event)), (source, changed)))
        })
    }
}
