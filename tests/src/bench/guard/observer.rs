//! What is seen from outside: when a client on a third host got an answer, and when a host had the port or the
//! address. A thread for each looks all the time.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use failover_linux::sock_diag::listeners::Listeners;

use crate::{PORT, lab::Host, moment::Moment, wait};

/// Between two looks.
const PACE: Duration = Duration::from_millis(2);
/// Between two requests.
const REQUESTS: Duration = Duration::from_millis(5);
/// Here a connection takes less than a millisecond, and an answer two. An address that nobody has takes all of it.
const PATIENCE: Duration = Duration::from_millis(25);

/// A thread that looks at this pace until it is dropped, and its findings.
struct Watch<Found> {
    found: Arc<Mutex<Vec<Found>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<Found: Send + 'static> Watch<Found> {
    fn new<Look: FnMut() -> Option<Found>>(
        host: &Host,
        pace: Duration,
        begin: impl FnOnce() -> Look + Send + 'static,
    ) -> Self {
        let (found, ends) = (Arc::default(), Arc::default());
        let (finds, stop, host): (Arc<Mutex<Vec<Found>>>, Arc<AtomicBool>, Host) =
            (Arc::clone(&found), Arc::clone(&ends), host.clone());
        let watch = move || {
            host.enter("watch", || {
                let mut look = begin();
                while !stop.load(Ordering::Relaxed) {
                    if let Some(seen) = look() {
                        let mut found = finds.lock().unwrap_or_else(PoisonError::into_inner);
                        found.push(seen);
                    }
                    thread::sleep(pace);
                }
            });
        };
        Self {
            found,
            ends,
            thread: Some(thread::spawn(watch)),
        }
    }

    fn found<Answer>(&self, question: impl FnOnce(&[Found]) -> Answer) -> Answer {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        question(&found)
    }
}

impl<Found> Drop for Watch<Found> {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer: when it was asked for, and when it came.
#[derive(Clone, Copy, Debug)]
struct Answer {
    asked: Moment,
    came: Moment,
}

/// A client that asks an address all the time.
pub(super) struct Client(Watch<Answer>);

impl Client {
    pub(super) fn of(host: &Host, address: SocketAddr) -> Self {
        Self(Watch::new(host, REQUESTS, move || {
            move || {
                let asked = Moment::now();
                answers(address).ok().map(|()| Answer {
                    asked,
                    came: Moment::now(),
                })
            }
        }))
    }

    /// When the first answer came of those that were asked for after this moment; waits for it.
    pub(super) fn first_after(&self, event: Moment, patience: Duration) -> Option<Moment> {
        wait::attempt(patience, || {
            self.0.found(|answers| {
                let before = answers.partition_point(|answer| answer.asked < event);
                answers.get(before).map(|answer| answer.came)
            })
        })
    }
}

/// The longest time within these moments in which none of the clients got an answer.
pub(super) fn longest_gap(clients: &[&Client], from: Moment, to: Moment) -> Duration {
    let mut came = vec![from, to];
    for client in clients {
        client.0.found(|answers| {
            let moments = answers.iter().map(|answer| answer.came);
            came.extend(moments.filter(|came| (from..=to).contains(came)));
        });
    }
    came.sort_unstable();
    let gaps = came
        .windows(2)
        .filter_map(|pair| pair.first().zip(pair.last()))
        .map(|(one, next)| next.since(*one));
    gaps.max().unwrap_or_default()
}

fn answers(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut begin = [0; 12];
    stream.read_exact(&mut begin)?;
    match &begin {
        b"HTTP/1.1 200" => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Whether a host serves: at each look, and when that was.
#[derive(Clone)]
pub(super) struct Serves(Arc<Watch<(Moment, bool)>>);

impl Serves {
    /// It listens on the gateways' port.
    pub(super) fn listening(host: &Host) -> Self {
        Self(Arc::new(Watch::new(host, PACE, || {
            let mut listeners = Listeners::on(PORT);
            move || {
                let listens = listeners.now().is_ok_and(|sockets| !sockets.is_empty());
                Some((Moment::now(), listens))
            }
        })))
    }

    /// It has the address: only then can a socket be bound to it (ip(7)).
    pub(super) fn holding(host: &Host, address: IpAddr) -> Self {
        Self(Arc::new(Watch::new(host, PACE, move || {
            move || Some((Moment::now(), UdpSocket::bind((address, 0)).is_ok()))
        })))
    }

    pub(super) fn now(&self) -> bool {
        self.0
            .found(|looks| looks.last().is_some_and(|(_, serves)| *serves))
    }

    /// When it was first seen to serve after this moment.
    pub(super) fn first_after(&self, event: Moment) -> Option<Moment> {
        self.0.found(|looks| {
            let before = looks.partition_point(|(at, _)| *at < event);
            let mut after = looks.iter().skip(before);
            after.find(|(_, serves)| *serves).map(|(at, _)| *at)
        })
    }

    /// The times within these moments in which it served. What is between two looks counts if both have seen it.
    fn spans(&self, from: Moment, to: Moment) -> Vec<(Moment, Moment)> {
        self.0.found(|looks| {
            let pairs = looks.windows(2).filter_map(|pair| match pair {
                [(begin, true), (end, true)] => Some((*begin.max(&from), *end.min(&to))),
                _ => None,
            });
            pairs.filter(|(begin, end)| begin < end).collect()
        })
    }
}

/// How long both have served within these moments.
pub(super) fn both(one: &Serves, other: &Serves, from: Moment, to: Moment) -> Duration {
    overlap(&one.spans(from, to), &other.spans(from, to))
}

/// Both lists are in order.
fn overlap(one: &[(Moment, Moment)], other: &[(Moment, Moment)]) -> Duration {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut sum = Duration::ZERO;
    while let (Some((begin, end)), Some((other_begin, other_end))) = (one.peek(), other.peek()) {
        sum += (*end.min(other_end)).since(*begin.max(other_begin));
        if end <= other_end {
            one.next();
        } else {
            other.next();
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_overlap_only_where_both_are() {
        let zero = Moment::now();
        let span = |begin, end| {
            let at = |milliseconds| zero + Duration::from_millis(milliseconds);
            (at(begin), at(end))
        };
        let sum = overlap(
            &[span(0, 10), span(10, 20), span(40, 50)],
            &[span(5, 15), span(20, 40), span(45, 60)],
        );
        assert_eq!(sum, Duration::from_millis(15));
        assert_eq!(overlap(&[span(0, 10)], &[span(10, 20)]), Duration::ZERO);
    }
}
