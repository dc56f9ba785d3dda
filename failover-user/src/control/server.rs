//! The daemon's end of the control socket. Clients may be slow, silent or hostile: their number,
//! size and time are limited, and none of them makes the daemon wait.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{LONGEST_REQUEST, Request};

/// More people don't ask at a time; the next is hung up on.
const MOST_CLIENTS: usize = 16;
/// From connecting to having read the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failed accept (no descriptors left, say), so that it isn't tried as fast as it fails.
const PAUSE: Duration = Duration::from_millis(100);
/// Where the socket can't be made, it is tried again this often.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Reading and writing for root and the socket's group.
const MODE: u32 = 0o660;

/// Another daemon is there.
#[derive(Debug, Error)]
#[error(
    "another failover daemon (process {pid}) listens on {path}; stop it, or give another --control"
)]
pub struct Taken {
    path: PathBuf,
    /// 0 if the kernel doesn't tell.
    pid: i32,
}

/// A client that waits for its answer.
#[derive(Debug)]
pub struct Question {
    /// What it asks.
    pub request: Request,
    /// Whose process it is, as the kernel says (SO_PEERCRED, unix(7)).
    pub asker: u32,
    answer: oneshot::Sender<String>,
}

impl Question {
    /// Answers with one line. A client that has left is no matter.
    pub fn answer(self, line: String) {
        let _ = self.answer.send(line);
    }
}

/// The listening socket. Dropping it removes it.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// It is there, and ours.
    has_socket: Arc<AtomicBool>,
    questions: mpsc::Receiver<Question>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on this path, in place of a daemon that is gone, or as soon as that can be. Inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// When another daemon is there.
    pub async fn listen(path: &Path) -> Result<Self, Taken> {
        if let Some(other) = other(path).await {
            return Err(other);
        }
        let listener = bind(path);
        if let Err(error) = &listener {
            warn!(
                %error, path = %path.display(),
                remedy = "make room for it, or give another place with --control",
                "there is no control socket; `failover status` won't work until there is one: it is tried again"
            );
        }
        let (sender, questions) = mpsc::channel(MOST_CLIENTS);
        let has_socket = Arc::new(AtomicBool::new(listener.is_ok()));
        let place = path.to_owned();
        Ok(Self {
            path: path.to_owned(),
            questions,
            has_socket: Arc::clone(&has_socket),
            accepting: tokio::spawn(async move {
                let listener = match listener {
                    Ok(listener) => listener,
                    Err(_) => bound(&place).await,
                };
                has_socket.store(true, Ordering::Relaxed);
                accept(listener, sender).await;
            }),
        })
    }

    /// Waits for the next question. Cancel-safe.
    pub async fn next(&mut self) -> Question {
        match self.questions.recv().await {
            Some(question) => question,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        if self.has_socket.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Who listens there, if somebody does.
async fn other(path: &Path) -> Option<Taken> {
    let other = timeout(PATIENCE, UnixStream::connect(path)).await.ok()?;
    let peer = other.ok()?.peer_cred().ok();
    Some(Taken {
        path: path.to_owned(),
        pid: peer.and_then(|peer| peer.pid()).unwrap_or(0),
    })
}

/// Waits until it can be had.
async fn bound(path: &Path) -> UnixListener {
    loop {
        sleep(TRY_AGAIN).await;
        if other(path).await.is_none()
            && let Ok(listener) = bind(path)
        {
            info!(path = %path.display(), "there is a control socket now");
            return listener;
        }
    }
}

fn is_socket(path: &Path) -> io::Result<bool> {
    fs::symlink_metadata(path).map(|found| found.file_type().is_socket())
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    // Nobody listened: it was left behind by a daemon that was killed.
    match is_socket(path) {
        Ok(true) => fs::remove_file(path)?,
        Ok(false) => return Err(io::Error::other("something that is no socket is there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

async fn accept(listener: UnixListener, questions: mpsc::Sender<Question>) {
    let places = Arc::new(Semaphore::new(MOST_CLIENTS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        // Without a place it is hung up on.
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let questions = questions.clone();
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, serve(stream, questions)).await;
                drop(place);
            });
        }
    }
}

async fn serve(stream: UnixStream, questions: mpsc::Sender<Question>) -> io::Result<()> {
    let asker = stream.peer_cred()?.uid();
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(reader.take(LONGEST_REQUEST))
        .read_until(b'\n', &mut line)
        .await?;
    let mut answer = match serde_json::from_slice(&line) {
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            let question = Question {
                request,
                asker,
                answer,
            };
            questions.send(question).await.map_err(io::Error::other)?;
            answered.await.map_err(io::Error::other)?
        }
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    };
    answer.push('\n');
    writer.write_all(answer.as_bytes()).await
}
