//! Parts of the daemon that must not end for good: the control socket, the page, the notifiers. One that
//! ends, by an error or a panic, is begun again after a pause, and is shown while it is away.

use std::{
    any::Any,
    collections::BTreeMap,
    future::Future,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};
use tracing::{error, info};

use failover_decide::Time;
use failover_linux::clock;

/// Before a part is begun again for the first time; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of them. A part that ran for longer than this begins with the first one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Which parts are away.
#[derive(Clone, Debug, Default)]
pub struct Parts(Arc<Mutex<BTreeMap<&'static str, Away>>>);

/// One part's place among them.
#[derive(Clone, Debug)]
pub struct Part {
    name: &'static str,
    parts: Parts,
}

/// A part that doesn't work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Away {
    /// Since when.
    pub since: Time,
    /// Why, for people.
    pub why: String,
}

impl Parts {
    /// One of this name, as people know it.
    #[must_use]
    pub fn part(&self, name: &'static str) -> Part {
        Part {
            name,
            parts: self.clone(),
        }
    }

    /// Those that are away now.
    #[must_use]
    pub fn away(&self) -> Vec<(&'static str, Away)> {
        let parts = self.lock();
        parts
            .iter()
            .map(|(name, away)| (*name, away.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Away>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// It doesn't work, for this reason.
    pub fn is_away(&self, why: &dyn std::fmt::Display) {
        let mut parts = self.parts.lock();
        let away = parts.entry(self.name).or_insert_with(|| Away {
            since: clock::now(),
            why: String::new(),
        });
        away.why = why.to_string();
    }

    /// Is it known not to work?
    #[must_use]
    pub fn has_trouble(&self) -> bool {
        self.parts.lock().contains_key(self.name)
    }

    /// It works.
    pub fn works(&self) {
        if self.parts.lock().remove(self.name).is_some() {
            info!(part = self.name, "works again");
        }
    }
}

/// Begins the part, and begins it again whenever it ends. It tells itself that it works.
pub async fn keep<Begun>(part: Part, begin: impl FnMut(Part) -> Begun)
where
    Begun: Future<Output = io::Error>,
{
    keep_pausing(part, FIRST_PAUSE, begin).await;
}

async fn keep_pausing<Begun>(part: Part, first: Duration, mut begin: impl FnMut(Part) -> Begun)
where
    Begun: Future<Output = io::Error>,
{
    let mut pause = first;
    loop {
        let begun = Instant::now();
        // What a panic leaves behind is dropped with the future; what several share is behind locks.
        let ended = AssertUnwindSafe(begin(part.clone())).catch_unwind().await;
        let why = match ended {
            Ok(error) => error.to_string(),
            Err(panic) => format!("it panicked: {}", message(panic.as_ref())),
        };
        if begun.elapsed() > LONGEST_PAUSE {
            pause = first;
        }
        part.is_away(&why);
        error!(part = part.name, error = why, again_in = ?pause, "a part of the daemon has ended; it is begun again");
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// What `panic!` was given.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// May an accept that failed like this go well the next time? The errors are those of accept(2).
pub(crate) fn is_passing(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP | libc::EFAULT)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_or_panics_is_begun_again_after_growing_pauses_and_shown_meanwhile() {
        let parts = Parts::default();
        let begun = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&begun);
        let first = Duration::from_millis(50);
        let part = parts.part("the part");
        let kept = tokio::spawn(keep_pausing(part, first, move |part| {
            let time = count.fetch_add(1, Ordering::Relaxed);
            async move {
                match time {
                    0 => io::Error::other("out of luck"),
                    1 => panic!("on purpose"),
                    _ => {
                        part.works();
                        std::future::pending().await
                    }
                }
            }
        }));
        let seen = async |wanted: Option<&str>| {
            let is_so = async {
                loop {
                    let away = parts.away();
                    let why = away.first().map(|(_, away)| away.why.as_str());
                    if why == wanted && begun.load(Ordering::Relaxed) > 0 {
                        return away.first().map(|(_, away)| away.since);
                    }
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(Duration::from_secs(10), is_so).await.unwrap()
        };
        let since = seen(Some("out of luck")).await;
        assert_eq!(seen(Some("it panicked: on purpose")).await, since);
        let begins = Instant::now();
        assert_eq!(seen(None).await, None);
        assert!(begins.elapsed() >= first, "{:?}", begins.elapsed());
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        kept.abort();
    }

    #[test]
    fn a_lack_of_descriptors_passes_and_a_socket_that_is_none_does_not() {
        let passes = |errno| is_passing(&io::Error::from_raw_os_error(errno));
        assert!(passes(libc::EMFILE) && passes(libc::ENOMEM) && passes(libc::ECONNABORTED));
        assert!(!passes(libc::EBADF) && !passes(libc::EINVAL));
    }
}
