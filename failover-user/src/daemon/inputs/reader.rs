//! Reads the configuration again beside the loop: its files and programs may lie on a disk that hangs. It must
//! not know what becomes of it.

use std::{future::Future, io, pin::Pin, sync::Arc};

use crate::{
    config::{Configuration, Faults},
    runtime::background,
};

/// Reads the configuration as it was read at the start.
pub type Reader = dyn Fn() -> Result<Configuration, Faults> + Send + Sync;
/// What came of reading it.
pub(crate) type Reading = io::Result<Result<Configuration, Faults>>;

/// Where the kernel gives no thread to read in, it is tried for this number of seconds before the reload is
/// refused; systemd waits for longer (TimeoutStartSec in systemd.service(5)).
const ATTEMPTS: u32 = 10;

/// How to read it again, and what is being read.
pub(crate) struct Reload {
    reader: Arc<Reader>,
    reading: Option<Pin<Box<dyn Future<Output = Reading>>>>,
}

impl Reload {
    pub(super) fn by(reader: Arc<Reader>) -> Self {
        Self {
            reader,
            reading: None,
        }
    }

    /// Begins to read. What is being read is given up.
    pub(crate) fn begin(&mut self) {
        let reader = Arc::clone(&self.reader);
        self.reading = Some(Box::pin(background::run_patiently(
            "reload",
            ATTEMPTS,
            move || {
                let reader = Arc::clone(&reader);
                move || reader()
            },
        )));
    }

    /// Waits for what is being read, if anything is. Cancel-safe.
    pub(super) async fn next(&mut self) -> Reading {
        let Some(reading) = &mut self.reading else {
            return std::future::pending().await;
        };
        let read = reading.await;
        self.reading = None;
        read
    }
}
