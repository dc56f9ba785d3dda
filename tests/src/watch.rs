//! Looks all the time whether anybody on a host listens on the gateways' port, and when that began.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use failover_linux::sock_diag::listeners::Listeners;

use crate::{PORT, lab::Host, moment::Moment};

/// Between two looks.
const PACE: Duration = Duration::from_millis(1);

/// A thread that looks. Dropping it ends it.
#[derive(Debug)]
pub struct ListenWatch {
    first: Arc<Mutex<Option<Moment>>>,
    ends: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl ListenWatch {
    /// Of this host.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let (first, ends) = (Arc::default(), Arc::default());
        let (seen, stop, host): (Arc<Mutex<Option<Moment>>>, Arc<AtomicBool>, Host) =
            (Arc::clone(&first), Arc::clone(&ends), host.clone());
        let look = move || {
            host.enter("watch", || {
                let mut listeners = Listeners::on(PORT);
                while !stop.load(Ordering::Relaxed) {
                    let listens = listeners.now().is_ok_and(|sockets| !sockets.is_empty());
                    if listens {
                        let mut first = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert_with(Moment::now);
                        return;
                    }
                    thread::sleep(PACE);
                }
            });
        };
        Self {
            first,
            ends,
            thread: Some(thread::spawn(look)),
        }
    }

    /// When somebody listened first, if anybody did.
    ///
    /// # Panics
    /// When it couldn't look to the end.
    #[must_use]
    pub fn first(&self) -> Option<Moment> {
        let is_over = self
            .thread
            .as_ref()
            .is_none_or(thread::JoinHandle::is_finished);
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(first.is_some() || !is_over, "nobody looks any longer");
        first
    }
}

impl Drop for ListenWatch {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
