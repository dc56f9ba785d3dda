//! The web server: `/metrics` for Prometheus, a page for people, and the status document for tools. A
//! source of requests, and the renderer of their answers; it has no other data.

pub(crate) mod cache;
pub(crate) mod chart;
pub(crate) mod dashboard;
pub mod metrics;
pub(crate) mod page;
pub(crate) mod server;
pub mod timeline;
pub mod view;

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use failover_decide::Time;

use crate::{
    runtime::{parts, parts::Part, waiting::Waiting},
    web::view::ViewRequest,
};

/// The listener. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct Web {
    requests: mpsc::Receiver<ViewRequest>,
    waiting: Waiting,
    serving: JoinHandle<()>,
}

impl Web {
    /// Listens there as soon as that is possible, and restarts when that ends. The view is made again when
    /// something has changed. Inside a tokio runtime.
    #[must_use]
    pub fn at(address: SocketAddr, part: Part, changed: watch::Receiver<()>) -> Self {
        // One is answered for all who wait.
        let (sender, requests) = mpsc::channel(1);
        let waiting = Waiting::default();
        let source = Arc::new(cache::Source::new(sender, changed, waiting.clone()));
        let serving = parts::keep(part, move |part| {
            server::serve(address, Arc::clone(&source), part)
        });
        Self {
            requests,
            waiting,
            serving: tokio::spawn(serving),
        }
    }

    /// Since when a request waits for the daemon.
    #[must_use]
    pub fn waits_since(&self) -> Option<Time> {
        self.waiting.since()
    }

    /// Waits for the next request. Cancel-safe.
    pub async fn next(&mut self) -> ViewRequest {
        match self.requests.recv().await {
            Some(request) => ViewRequest {
                _ticket: None,
                ..request
            },
            None => std::future::pending().await,
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
