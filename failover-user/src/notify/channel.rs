//! What a channel is that people are notified through. It must not know which ones there are.

use std::{fmt::Debug, time::Duration};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{
    config::Configuration,
    notify::{Notice, delivery::Delivery},
    runtime::parts::Part,
};

/// A kind of channel.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name, for tools.
    pub(crate) name: &'static str,
    /// As people know it, and the daemon's [`Part`] that it is.
    pub(crate) part: &'static str,
    /// Is it the same in both configurations? Then it isn't disturbed.
    pub(crate) is_same: fn(&Configuration, &Configuration) -> bool,
    /// The one that is configured, in a runtime.
    pub(crate) open: fn(&Configuration, Delivery, Part) -> Option<Box<dyn Channel>>,
}

/// A channel that is open. Dropped, it ends.
pub(crate) trait Channel: Debug + Send {
    /// Sends it, soon. Never waits.
    fn send(&self, notice: Notice);

    /// Waits until all is sent, but no longer than this.
    fn finish(&self, patience: Duration) -> BoxFuture<'_, ()>;

    /// Gets true once whatever waits now is on disk or sent, false when it can't be written; `None`: this
    /// channel keeps nothing.
    fn stored(&self) -> Option<oneshot::Receiver<bool>> {
        None
    }
}
