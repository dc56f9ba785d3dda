//! Blocking work beside the event loop, each job on a thread of its own.
//!
//! tokio's own pool for this panics where the kernel refuses a thread (tokio 1.54,
//! `Spawner::spawn_blocking`), also inside of its `lookup_host`, and ends whichever task asked. Here that
//! is an error. The threads don't delay the process's end either, whatever they wait for.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::sleep};

/// More jobs than the daemon has at a time. One that hangs, on a disk or a name server, keeps its place.
const MOST: usize = 32;
/// After a job that could not be begun.
const TRY_AGAIN: Duration = Duration::from_secs(1);

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Running work. If dropped, the work continues, and its result is lost.
#[derive(Debug)]
pub(crate) struct Job<T>(oneshot::Receiver<T>);

impl<T> Future for Job<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = Pin::new(&mut self.0).poll(context);
        result.map_err(|_| io::Error::other("the thread panicked"))
    }
}

/// Gives the place back, also where the work panics or its thread can't be had.
struct Place;

impl Place {
    fn take() -> io::Result<Self> {
        if RUNNING.fetch_add(1, Ordering::Relaxed) < MOST {
            return Ok(Self);
        }
        drop(Self);
        Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!("{MOST} blocking jobs run already"),
        ))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Begins the work on a thread of this name.
///
/// # Errors
/// When the kernel gives no thread, or too many jobs run.
pub(crate) fn begin<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Job<T>> {
    let place = Place::take()?;
    let (sender, receiver) = oneshot::channel();
    let begun = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let result = work();
        drop(place);
        // Nobody may wait any longer.
        let _ = sender.send(result);
    });
    match begun {
        Ok(_) => Ok(Job(receiver)),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("no thread for it: {error}"),
        )),
    }
}

/// Does the work, and waits for its result.
///
/// # Errors
/// When the kernel gives no thread, too many jobs run, or the work panics.
pub(crate) async fn run<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    begin(name, work)?.await
}

/// The same, tried again as often as is given while it can't be begun.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_patiently<T, Work>(
    name: &'static str,
    attempts: u32,
    work: impl Fn() -> Work,
) -> io::Result<T>
where
    T: Send + 'static,
    Work: FnOnce() -> T + Send + 'static,
{
    for _ in 1..attempts {
        if let Ok(job) = begin(name, work()) {
            return job.await;
        }
        sleep(TRY_AGAIN).await;
    }
    begin(name, work())?.await
}

/// The addresses of a host, as getaddrinfo(3) gives them. An address needs no thread.
///
/// # Errors
/// When there is none, or it can't be looked up.
pub(crate) async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    run("look-up", move || {
        (host.as_str(), port)
            .to_socket_addrs()
            .map(Iterator::collect)
    })
    .await?
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_gives_its_place_back() {
        for _ in 0..2 * MOST {
            let error = run("panics", || panic!("on purpose")).await;
            assert!(error.is_err(), "{error:?}");
        }
        // Others' tests have jobs, too.
        let result = run_patiently("works", 30, || || 7).await;
        assert_eq!(result.unwrap(), 7);
    }

    #[test]
    fn one_job_too_many_is_refused_until_another_has_ended() {
        let mut waiting = Vec::new();
        let refused = loop {
            let (end, ended) = mpsc::channel::<()>();
            match begin("waits", move || ended.recv().is_err()) {
                Ok(job) => waiting.push((end, job)),
                Err(error) => break error,
            }
            assert!(waiting.len() <= MOST);
        };
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        let jobs: Vec<Job<bool>> = waiting.into_iter().map(|(_, job)| job).collect();
        for job in jobs {
            assert!(job.0.blocking_recv().unwrap());
        }
        assert!(begin("waits", || ()).is_ok());
    }

    #[tokio::test]
    async fn an_address_is_itself_and_a_name_is_looked_up() {
        let address = look_up("192.0.2.1", 80).await.unwrap();
        assert_eq!(address, ["192.0.2.1:80".parse().unwrap()]);
        let local = look_up("localhost", 80).await.unwrap();
        assert!(local.iter().all(|one| one.ip().is_loopback()), "{local:?}");
        assert!(look_up("no-such-host.invalid", 80).await.is_err());
    }
}
