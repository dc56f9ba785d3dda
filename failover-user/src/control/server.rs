//! The daemon's end of the control socket. Clients may be slow, silent or hostile: their number,
//! size and time are limited, and none of them makes the daemon wait.

use std::{
    fs, io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{FileTypeExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::geteuid,
};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use failover_decide::Time;
use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::{
    control::{LONGEST_REQUEST, PATIENCE, Request, guest},
    runtime::{
        parts,
        parts::Part,
        waiting::{Ticket, Waiting},
    },
};

/// Limit for concurrent clients; further connections are closed.
const MOST_CLIENTS: usize = 16;
/// Additional connections for root and the daemon's own account, so that members of the group cannot block them.
const RESERVED: usize = 4;
/// Pause after a failed accept (for example without file descriptors), to avoid a busy loop.
const PAUSE: Duration = Duration::from_millis(100);
/// Interval between attempts to create the socket.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Read and write access for root and the socket's group.
const MODE: u32 = 0o660;

/// Another daemon is running.
#[derive(Debug, Error)]
#[error(
    "another failover daemon (process {}) listens on {path}; stop it, or set another --control",
    .pid.map_or("unknown".to_owned(), |pid| pid.to_string())
)]
pub struct Taken {
    path: PathBuf,
    /// `None` if the kernel does not report it.
    pid: Option<i32>,
}

/// A client's request that waits for its answer.
#[derive(Debug)]
pub struct Pending {
    /// The request.
    pub request: Request,
    /// The client's user, from the kernel (SO_PEERCRED, unix(7)).
    pub asker: u32,
    answer: oneshot::Sender<String>,
    /// Held until the daemon takes the request.
    _ticket: Option<Ticket>,
}

impl Pending {
    /// Sends the answer as one line. A client that has gone is ignored.
    pub fn answer(self, line: String) {
        let _ = self.answer.send(line);
    }
}

/// The listening socket. Dropping it removes it.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// The socket exists, and belongs to this daemon.
    has_socket: Arc<AtomicBool>,
    requests: mpsc::Receiver<Pending>,
    waiting: Waiting,
    /// Incoming requests, while the socket exists.
    listener: Arc<Mutex<Weak<UnixListener>>>,
    part: Part,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on this path, and replaces the socket of a dead daemon. If the socket cannot be created, or
    /// the listener fails, it is retried. `guest`: an account that may connect besides root and the daemon's group. Needs a
    /// tokio runtime.
    ///
    /// # Errors
    /// When another daemon is running.
    pub async fn listen(path: &Path, guest: Option<u32>, part: Part) -> Result<Self, Taken> {
        let listener = match other(path).await {
            Ok(Some(other)) => return Err(other),
            Ok(None) => bind(path, guest),
            Err(error) => Err(error),
        };
        if let Err(error) = &listener {
            warn!(
                %error, path = %path.display(),
                remedy = "remove the obstacle, or set another path with --control",
                "cannot create the control socket; `failover status` does not work until this succeeds; retrying"
            );
        }
        let (sender, requests) = mpsc::channel(MOST_CLIENTS);
        let has_socket = Arc::new(AtomicBool::new(listener.is_ok()));
        let (place, is_there) = (path.to_owned(), Arc::clone(&has_socket));
        // Only the first time.
        let mut first = Some(listener);
        let (waiting, shared) = (Waiting::default(), Arc::default());
        let (tickets, listening) = (waiting.clone(), Arc::clone(&shared));
        let accepting = parts::keep(part.clone(), move |part| {
            let (first, place) = (first.take(), place.clone());
            let (is_there, sender) = (Arc::clone(&is_there), sender.clone());
            let (tickets, listening) = (tickets.clone(), Arc::clone(&listening));
            async move {
                let listener = match first {
                    Some(Ok(listener)) => listener,
                    Some(Err(error)) => bound(&place, guest, Some(error), &part).await,
                    None => bound(&place, guest, None, &part).await,
                };
                is_there.store(true, Ordering::Relaxed);
                let listener = Arc::new(listener);
                *lock(&listening) = Arc::downgrade(&listener);
                accept(&listener, &sender, &tickets, &part).await
            }
        });
        Ok(Self {
            path: path.to_owned(),
            requests,
            waiting,
            listener: shared,
            part,
            has_socket,
            accepting: tokio::spawn(accepting),
        })
    }

    /// Since when a request waits for the daemon.
    #[must_use]
    pub fn waits_since(&self) -> Option<Time> {
        self.waiting.since()
    }

    /// Does a client wait for its connection to be accepted, although nothing prevents that?
    #[must_use]
    pub fn has_unaccepted(&self) -> bool {
        let Some(listener) = lock(&self.listener).upgrade() else {
            return false;
        };
        let mut asked = [PollFd::new(&listener, PollFlags::IN)];
        let waits = poll(&mut asked, Some(&Timespec::default()));
        matches!(waits, Ok(1..)) && !self.part.has_trouble()
    }

    /// Waits for the next request. Cancel-safe.
    pub async fn next(&mut self) -> Pending {
        match self.requests.recv().await {
            Some(pending) => Pending {
                _ticket: None,
                ..pending
            },
            None => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        if self.has_socket.load(Ordering::Relaxed) {
            let folder = Folder::of(&self.path, Sticky::Counts);
            let _ = folder.and_then(|(folder, name)| folder.remove(name));
        }
    }
}

/// The process that listens on the socket, if any.
///
/// # Errors
/// When this is unknown, so that the existing file must not be removed.
async fn other(path: &Path) -> io::Result<Option<Taken>> {
    let taken = |pid| Taken {
        path: path.to_owned(),
        pid,
    };
    match timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Ok(other)) => {
            let peer = other.peer_cred().ok();
            Ok(Some(taken(peer.and_then(|peer| peer.pid()))))
        }
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
            // The backlog is full (connect(2)).
            io::ErrorKind::WouldBlock => Ok(Some(taken(None))),
            _ => Err(error),
        },
        Err(_) => Ok(Some(taken(None))),
    }
}

/// Retries until the socket is created. `error`: why the last attempt failed.
async fn bound(
    path: &Path,
    guest: Option<u32>,
    error: Option<io::Error>,
    part: &Part,
) -> UnixListener {
    let mut error = error;
    loop {
        if let Some(error) = error {
            part.is_away(&error);
            sleep(TRY_AGAIN).await;
        }
        let listener = match other(path).await {
            Ok(Some(other)) => Err(io::Error::other(other)),
            Ok(None) => bind(path, guest),
            Err(error) => Err(error),
        };
        match listener {
            Ok(listener) => {
                info!(path = %path.display(), "control socket created");
                return listener;
            }
            Err(why) => error = Some(why),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_socket(path: &Path) -> io::Result<bool> {
    fs::symlink_metadata(path).map(|found| found.file_type().is_socket())
}

fn bind(path: &Path, guest: Option<u32>) -> io::Result<UnixListener> {
    let (folder, name) = Folder::made_for(path, Sticky::Counts)?;
    // Through the checked folder's descriptor: a socket address cannot contain one otherwise (unix(7)).
    let path = format!("/proc/self/fd/{}", folder.descriptor().as_raw_fd());
    let path = Path::new(&path).join(name);
    // No listener: left behind by a daemon that was killed.
    match is_socket(&path) {
        Ok(true) => folder.remove(name)?,
        Ok(false) => return Err(io::Error::other("the path exists and is not a socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(MODE))?;
    if let Some(guest) = guest
        && let Err(error) = guest::admit(&path, guest)
    {
        warn!(
            %error, user = guest,
            remedy = "put --control on a file system with access control lists, or add the account to the socket's group",
            "the gateway's account can't use the control socket, so nothing is handed back to PC-A before it starts"
        );
    }
    Ok(listener)
}

/// Accepts clients until the socket fails.
async fn accept(
    listener: &UnixListener,
    requests: &mpsc::Sender<Pending>,
    waiting: &Waiting,
    part: &Part,
) -> io::Error {
    let places = Places::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if parts::is_passing(&error) => {
                part.is_away(&error);
                sleep(PAUSE).await;
                continue;
            }
            Err(error) => return error,
        };
        part.works();
        let Ok(asker) = stream.peer_cred().map(|peer| peer.uid()) else {
            continue;
        };
        // Without a free slot the connection is closed.
        if let Some(place) = places.take(asker) {
            let (requests, waiting) = (requests.clone(), waiting.clone());
            tokio::spawn(async move {
                let _ = serve(stream, asker, requests, waiting).await;
                drop(place);
            });
        }
    }
}

/// Slots for concurrent clients.
struct Places {
    everybodys: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            everybodys: Arc::new(Semaphore::new(MOST_CLIENTS)),
            reserved: Arc::new(Semaphore::new(RESERVED)),
        }
    }
}

impl Places {
    /// A slot for this user, until it is dropped.
    fn take(&self, user: u32) -> Option<OwnedSemaphorePermit> {
        let of = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let is_privileged = user == 0 || user == geteuid().as_raw();
        of(&self.everybodys).or_else(|| is_privileged.then(|| of(&self.reserved)).flatten())
    }
}

async fn serve(
    stream: UnixStream,
    asker: u32,
    requests: mpsc::Sender<Pending>,
    waiting: Waiting,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(LONGEST_REQUEST));
    timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await??;
    let mut answer = match serde_json::from_slice::<Request>(&line) {
        Ok(request) => {
            let patience = request.patience();
            let (answer, answered) = oneshot::channel();
            let pending = Pending {
                request,
                asker,
                answer,
                _ticket: Some(waiting.begin()),
            };
            let answered = async {
                requests.send(pending).await.map_err(io::Error::other)?;
                answered.await.map_err(io::Error::other)
            };
            timeout(patience, answered).await??
        }
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    };
    answer.push('\n');
    timeout(PATIENCE, writer.write_all(answer.as_bytes())).await?
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream as Blocking;

    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};

    use super::*;
    use crate::runtime::parts::Parts;

    fn part() -> Part {
        Parts::default().part("the control socket")
    }

    #[tokio::test]
    async fn a_daemon_that_is_too_busy_to_be_asked_is_there_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let busy = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        bind(&busy, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&busy, 0).unwrap();
        // One waits, and there is no room for another.
        let _first = Blocking::connect(&path).unwrap();
        let taken = Server::listen(&path, None, part())
            .await
            .unwrap_err()
            .to_string();
        assert!(taken.contains("process unknown"), "{taken}");
        assert!(is_socket(&path).unwrap());
        drop(busy);
        Server::listen(&path, None, part()).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _other = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let _server = Server::listen(&path, None, part()).await.unwrap();
        assert!(is_socket(&path).unwrap());
        Blocking::connect(&path).unwrap_err();
    }

    #[tokio::test]
    async fn a_guest_may_connect_and_nobody_else_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _server = Server::listen(&path, Some(47_019), part()).await.unwrap();
        let mut list = [0; 64];
        let length = rustix::fs::getxattr(&path, "system.posix_acl_access", &mut list).unwrap();
        let entries: Vec<_> = list[4..length].chunks(8).collect();
        let guest = [&2_u16.to_le_bytes()[..], &[6, 0], &47_019_u32.to_le_bytes()].concat();
        assert!(entries.contains(&&guest[..]), "{entries:?}");
        let others = [0x20, 0, 0, 0, 255, 255, 255, 255];
        assert!(entries.contains(&&others[..]), "{entries:?}");
    }

    #[test]
    fn root_finds_a_place_whoever_else_waits() {
        const SOMEBODY: u32 = 47_019;
        let places = Places::default();
        let taken: Vec<_> = (0..MOST_CLIENTS).map(|_| places.take(SOMEBODY)).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take(SOMEBODY).is_none());
        let roots: Vec<_> = (0..RESERVED).map(|_| places.take(0)).collect();
        assert!(roots.iter().all(Option::is_some));
        assert!(places.take(0).is_none());
        drop(roots);
        assert!(places.take(geteuid().as_raw()).is_some());
    }
}
