//! The listener. Clients may be slow, silent or hostile: their number, size and time are limited, and they
//! can only read.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::{Bytes, Incoming},
    header::{self, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    runtime::{parts, parts::Part},
    status::Document,
    web::{cache as live, cache::Source, metrics, page},
};

/// Limit for connections; further ones are closed at once.
const MOST: usize = 32;
/// Limit for pages that stay open, so that other requests always find a place.
const MOST_LIVE: usize = 16;
/// From connecting to having read the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Far more than any browser sends. Not less than hyper allows.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// Where the address can't be had, it is tried again this often.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// After a failed accept (no descriptors left, say), so that it isn't tried as fast as it fails.
const PAUSE: Duration = Duration::from_millis(100);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Listens there, as soon as that can be, until the socket can't be waited for any longer.
pub(super) async fn serve(address: SocketAddr, source: Arc<Source>, part: Part) -> io::Error {
    let listener = listener(address, &part).await;
    part.works();
    info!(%address, "metrics and the page are served");
    let server = Arc::new(Server {
        is_loopback: address.ip().is_loopback(),
        source,
        live: Arc::new(Semaphore::new(MOST_LIVE)),
    });
    let places = Arc::new(Semaphore::new(MOST));
    // They end with this.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
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
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let server = Arc::clone(&server);
            connections.spawn(async move {
                server.converse(stream).await;
                drop(place);
            });
        }
    }
}

/// One that is taken, or not there yet, is waited for.
async fn listener(address: SocketAddr, part: &Part) -> TcpListener {
    let mut told = None;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if told == Some(error.kind()) => {
                debug!(%address, %error, "still not served");
            }
            Err(error) => {
                part.is_away(&format!("{address}: {error}; {}", remedy(&error)));
                warn!(
                    %address, %error, remedy = remedy(&error),
                    "metrics and the page can't be served; tried again"
                );
                told = Some(error.kind());
            }
        }
        sleep(TRY_AGAIN).await;
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "see who has the port (ss -ltnp), or give another one with --metrics"
        }
        io::ErrorKind::AddrNotAvailable => {
            "give one of this machine's own addresses (ip address) with --metrics"
        }
        _ => "give another address with --metrics",
    }
}

struct Server {
    is_loopback: bool,
    source: Arc<Source>,
    live: Arc<Semaphore>,
}

impl Server {
    /// One request, then the end.
    async fn converse(&self, stream: TcpStream) {
        let is_live = AtomicBool::new(false);
        let service = service_fn(async |request| {
            let response = self.respond(&request, &is_live).await;
            Ok::<_, Infallible>(response)
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(LONGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let in_time = timeout(PATIENCE, connection.as_mut()).await;
        if in_time.is_err() && is_live.load(Ordering::Relaxed) {
            let _ = timeout(live::LONGEST, connection).await;
        }
    }

    async fn respond(&self, request: &Request<Incoming>, is_live: &AtomicBool) -> Response<Body> {
        let mut response = match self.objection(request) {
            Some((status, why)) => plain(status, why),
            None => self.found(request, is_live).await,
        };
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
            .entry(header::CONTENT_SECURITY_POLICY)
            .or_insert(HeaderValue::from_static(NOTHING));
        response
    }

    /// Why it isn't answered.
    fn objection(&self, request: &Request<Incoming>) -> Option<(StatusCode, &'static str)> {
        let headers = request.headers();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some((
                StatusCode::METHOD_NOT_ALLOWED,
                "here one may only look: GET or HEAD",
            ));
        }
        if self.is_loopback && !names_loopback(request) {
            return Some((
                StatusCode::MISDIRECTED_REQUEST,
                "ask for localhost or the address: another name may be somebody else's page",
            ));
        }
        let says = |name: &str, value: &str| {
            headers
                .get(name)
                .is_some_and(|said| said.as_bytes() == value.as_bytes())
        };
        // A link from elsewhere is fine; a page that reads or embeds this one isn't.
        if says("sec-fetch-site", "cross-site") && !says("sec-fetch-mode", "navigate") {
            return Some((StatusCode::FORBIDDEN, "asked by another site's page"));
        }
        None
    }

    async fn found(&self, request: &Request<Incoming>, is_live: &AtomicBool) -> Response<Body> {
        let path = request.uri().path();
        if !matches!(path, "/" | "/metrics" | "/status.json" | "/events") {
            return plain(
                StatusCode::NOT_FOUND,
                "there are /, /metrics, /status.json and /events",
            );
        }
        let Some(shown) = self.source.shown().await else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "the daemon is ending");
        };
        let view = &shown.view;
        match path {
            "/metrics" => {
                let accept = request.headers().get(header::ACCEPT);
                let accept = accept.and_then(|accept| accept.to_str().ok());
                let format = metrics::Format::accepted(accept.unwrap_or_default());
                let text = metrics::render(&view.snapshot, &view.probes, format);
                whole(StatusCode::OK, format.media_type(), text)
            }
            "/status.json" => match serde_json::to_string(&Document::from(&view.snapshot)) {
                Ok(text) => whole(StatusCode::OK, "application/json", text + "\n"),
                Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "it can't be written"),
            },
            "/events" => self.live(request.method(), is_live),
            _ => {
                let page::Page { html, policy } = page::render(view);
                let mut response = whole(StatusCode::OK, "text/html; charset=utf-8", html);
                if let Ok(policy) = policy.try_into() {
                    let headers = response.headers_mut();
                    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
                }
                response
            }
        }
    }

    fn live(&self, method: &Method, is_live: &AtomicBool) -> Response<Body> {
        let Ok(place) = Arc::clone(&self.live).try_acquire_owned() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open");
        };
        let body = match *method {
            Method::HEAD => Full::default().boxed_unsync(),
            _ => {
                is_live.store(true, Ordering::Relaxed);
                let events = Arc::clone(&self.source).events();
                StreamBody::new(Held {
                    events: Box::pin(events),
                    _place: place,
                })
                .boxed_unsync()
            }
        };
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// A stream that keeps its place while it lasts.
struct Held<Events> {
    events: std::pin::Pin<Box<Events>>,
    _place: OwnedSemaphorePermit,
}

impl<Events: futures_util::Stream> futures_util::Stream for Held<Events> {
    type Item = Events::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.events.as_mut().poll_next(context)
    }
}

/// For what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Nobody else's page gets to see any of it, and it is never kept.
const ALWAYS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

fn whole(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Full::from(text).boxed_unsync());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn plain(status: StatusCode, why: &str) -> Response<Body> {
    whole(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

/// On loopback a name that isn't loopback's own is another site's that was made to lead here (DNS
/// rebinding). The port may be another one: through a tunnel it is. Who speaks HTTP/1.0 and names nobody, as
/// health checks do, is no browser: all of those have spoken HTTP/1.1, with a Host, for decades.
fn names_loopback<B>(request: &Request<B>) -> bool {
    let (uri, headers) = (request.uri(), request.headers());
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if host.is_none() && request.version() == Version::HTTP_10 {
        return uri.host().is_none();
    }
    let said = host.and_then(|host| host.to_str().ok()?.parse().ok());
    let said: Option<hyper::http::uri::Authority> = said;
    let is_loopback = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    };
    more.is_none()
        && said.is_some_and(|said| is_loopback(said.host()))
        && uri.host().is_none_or(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(uri: &str, hosts: &[&str]) -> bool {
        accepts_by(Version::HTTP_11, uri, hosts)
    }

    fn accepts_by(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::get(uri).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        names_loopback(&request.body(()).unwrap())
    }

    #[test]
    fn a_check_by_http_1_0_needs_no_host_and_one_that_names_another_gets_nothing() {
        assert!(accepts_by(Version::HTTP_10, "/metrics", &[]));
        assert!(accepts_by(Version::HTTP_10, "/", &["localhost:9179"]));
        assert!(!accepts_by(Version::HTTP_10, "/", &["evil.example"]));
        assert!(!accepts_by(Version::HTTP_10, "http://evil.example/", &[]));
        assert!(!accepts_by(Version::HTTP_11, "/", &[]));
    }

    #[test]
    fn on_loopback_only_loopbacks_own_names_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:9179",
            "127.0.0.1:80",
            "127.3.2.1",
            "[::1]:9179",
        ] {
            assert!(accepts("/", &[host]), "{host}");
        }
        for host in [
            "evil.example:9179",
            "localhost.evil.example",
            "10.0.0.2",
            "127.0.0.1.evil",
            "",
        ] {
            assert!(!accepts("/", &[host]), "{host}");
        }
        assert!(!accepts("/", &[]));
        assert!(!accepts("/", &["localhost", "evil.example"]));
        assert!(!accepts("http://evil.example/", &["localhost"]));
        assert!(accepts("http://localhost:9179/", &["localhost:9179"]));
    }
}
