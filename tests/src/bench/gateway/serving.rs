//! When a gateway begins to serve: to listen, to be live, to be ready.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};

use crate::{PORT, lab::Host, moment::Moment, watch::ListenWatch};

/// Between two requests. Each keeps the gateway's only thread busy for a millisecond or two, so those for what takes
/// seconds come less often.
const LIVE_PACE: Duration = Duration::from_millis(5);
const READY_PACE: Duration = Duration::from_millis(20);
/// For an answer. One that is late isn't lost by asking again.
const ANSWER: Duration = Duration::from_secs(2);
/// Far longer than any start.
const PATIENCE: Duration = Duration::from_secs(300);
/// Answers are a hundred bytes.
const LONGEST_ANSWER: u64 = 16 * 1024;

/// When it began to serve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serving {
    pub(super) listens: Moment,
    /// `/healthz` is good.
    pub(super) live: Moment,
    /// `/readyz` is good.
    pub(super) ready: Moment,
}

impl Serving {
    /// Waits until it serves in every way. Begun before anybody listens.
    pub(super) fn of(host: &Host, watch: &ListenWatch) -> Result<Self> {
        let deadline = Moment::now() + PATIENCE;
        let listens = loop {
            if let Some(listens) = watch.first() {
                break listens;
            }
            anyhow::ensure!(
                Moment::now() < deadline,
                "nobody listens within {PATIENCE:?}"
            );
            thread::sleep(Duration::from_millis(1));
        };
        thread::scope(|scope| {
            let live =
                scope.spawn(|| first_good(host, "/healthz", r#""ok":true"#, LIVE_PACE, deadline));
            let ready = scope
                .spawn(|| first_good(host, "/readyz", r#""ready":true"#, READY_PACE, deadline));
            let joined = |thread: thread::ScopedJoinHandle<'_, Result<Moment>>| {
                thread.join().map_err(|_| anyhow!("a thread panicked"))?
            };
            Ok(Self {
                listens,
                live: joined(live)?,
                ready: joined(ready)?,
            })
        })
    }
}

/// When the first good answer came. `/` and unknown paths answer 200 as well, so the body counts.
fn first_good(
    host: &Host,
    path: &str,
    wanted: &str,
    pace: Duration,
    deadline: Moment,
) -> Result<Moment> {
    host.enter("poll", || {
        loop {
            let answer = ask(path);
            let is_good = answer
                .as_ref()
                .is_ok_and(|text| text.starts_with("HTTP/1.1 200 ") && text.contains(wanted));
            if is_good {
                return Ok(Moment::now());
            }
            if Moment::now() >= deadline {
                let last = format!("the last answer to {path}: {answer:?}");
                return Err(anyhow!(last));
            }
            thread::sleep(pace);
        }
    })
}

fn ask(path: &str) -> io::Result<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], PORT));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
