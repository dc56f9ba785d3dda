//! One end of the link between PC-A's guard and PC-B's daemon: sends heartbeats at its interval, and says what is
//! heard of the other side, or that nothing is.
//!
//! Datagrams that wait in the socket are read before a silence is believed: a process that got no time must not take
//! that for the other side's.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU16,
    time::Duration,
};

use rustix::{
    net::{RecvFlags, recvfrom},
    rand::{GetRandomFlags, getrandom},
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until},
};

use failover_decide::Time;
use failover_guard::{
    ask::{Answer, Ask, AskId},
    beat::{Announcement, Beat, BootId, Echo, GatewayState, HostName, Nonce},
    keys::KeyRing,
    liveness::Gaps,
    seal::{self, Refusal},
    session::{Fresh, Session, Stale},
};
use failover_linux::clock;

/// This number of datagrams is read before something else gets its turn: a flood must not.
const MOST_AT_ONCE: usize = 64;
/// The shortest time between answers to beats of a start that isn't known yet.
const ANSWER_GAP: Duration = Duration::from_millis(50);
/// From one beat to the next while something is asked or answered.
const HURRIED: Duration = Duration::from_millis(50);
/// Intervals that the other side may keep.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_secs(5);

/// One end. See the module.
pub(crate) struct Link {
    socket: UdpSocket,
    keys: KeyRing,
    session: Session,
    gaps: Gaps,
    interval: Duration,
    sequence: u64,
    host: HostName,
    boot: Option<BootId>,
    gateway: GatewayState,
    announcement: Option<Announcement>,
    asks: Option<Ask>,
    answers: Option<Answer>,
    /// Where beats are sent: where the last fresh beat came from, or as configured.
    peer: Option<SocketAddr>,
    next_beat: Instant,
    next_answer: Instant,
    hearing: Hearing,
    heard: Option<Heard>,
    round_trip: Option<Duration>,
    counters: Counters,
}

/// The last fresh beat.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) beat: Beat,
    pub(crate) at: Time,
}

/// Is the other side heard?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hearing {
    /// Never, by this start.
    Never,
    /// Its beats arrive.
    Beats,
    /// The second beat in a row is missing.
    Missing,
    /// They are missing beyond the limit: it may be gone.
    Silence,
}

/// What has become of datagrams.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counters {
    /// Fresh beats.
    pub(crate) heard: u64,
    /// Those without news, because a later one had overtaken them.
    pub(crate) overtaken: u64,
    /// Refused, and why.
    pub(crate) refused: BTreeMap<Reason, u64>,
}

/// Why a datagram was refused.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reason {
    Sealed(Refusal),
    Stale(Stale),
}

/// How this end can't be had.
#[derive(Debug, thiserror::Error)]
#[error("UDP port {port} can't be had: {source}; set another guard-port on both hosts")]
pub(crate) struct NoPort {
    port: NonZeroU16,
    source: io::Error,
}

impl Link {
    /// PC-B's end: waits at this port. Inside a tokio runtime.
    ///
    /// # Errors
    /// When the port can't be had.
    pub(crate) fn at(port: NonZeroU16, keys: KeyRing, interval: Duration) -> Result<Self, NoPort> {
        let end = bind(port.get()).and_then(|bound| Self::new(bound, keys, interval, None));
        end.map_err(|source| NoPort { port, source })
    }

    /// PC-A's end: beats go to this address. Inside a tokio runtime.
    ///
    /// # Errors
    /// When there is no socket.
    pub(crate) fn to(peer: SocketAddr, keys: KeyRing, interval: Duration) -> io::Result<Self> {
        Self::new(bind(0)?, keys, interval, Some(peer))
    }

    fn new(
        socket: UdpSocket,
        keys: KeyRing,
        interval: Duration,
        peer: Option<SocketAddr>,
    ) -> io::Result<Self> {
        let boot = clock::boot().map(str::to_owned);
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        let now = Instant::now();
        Ok(Self {
            socket,
            keys,
            session: Session::new(nonce()?),
            gaps: Gaps::new(interval),
            interval,
            sequence: 0,
            host: host.into(),
            boot: boot.and_then(|boot| BootId::try_from(boot).ok()),
            gateway: GatewayState::Unknown,
            announcement: None,
            asks: None,
            answers: None,
            peer,
            next_beat: now,
            next_answer: now,
            hearing: Hearing::Never,
            heard: None,
            round_trip: None,
            counters: Counters::default(),
        })
    }

    /// What beats say from now on. News is sent at once.
    pub(crate) fn say(&mut self, gateway: GatewayState, announcement: Option<Announcement>) {
        if (gateway, announcement) != (self.gateway, self.announcement) {
            (self.gateway, self.announcement) = (gateway, announcement);
            self.next_beat = Instant::now();
        }
    }

    /// What this side asks from now on. News is sent at once.
    pub(crate) fn ask(&mut self, ask: Option<Ask>) {
        if ask != self.asks {
            self.asks = ask;
            self.next_beat = Instant::now();
        }
    }

    /// How far the other side's ask is from now on. News is sent at once.
    pub(crate) fn answer(&mut self, answer: Option<Answer>) {
        if answer != self.answers {
            self.answers = answer;
            self.next_beat = Instant::now();
        }
    }

    /// What the other side asked when it was heard last.
    pub(crate) fn asked(&self) -> Option<Ask> {
        self.heard.as_ref().and_then(|heard| heard.beat.asks)
    }

    /// The other side's answer to this ask, and when it was heard last.
    pub(crate) fn answered(&self, id: AskId) -> Option<(&Answer, Time)> {
        let heard = self.heard.as_ref()?;
        let answer = heard.beat.answers.as_ref()?;
        (answer.id == id).then_some((answer, heard.at))
    }

    /// Time has passed that nobody could use: it is no silence.
    pub(crate) fn interrupted(&mut self) {
        self.gaps.interrupted();
        if matches!(self.hearing, Hearing::Missing | Hearing::Silence) {
            self.hearing = Hearing::Never;
        }
    }

    /// Waits until something is heard that says something new, or is no longer heard. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Hearing {
        loop {
            self.send_if_due();
            if self.receive() || self.listens_in_vain() {
                return self.hearing;
            }
            let due = self.next_silence().map(|left| Instant::now() + left);
            let wake = due.map_or(self.next_beat, |due| due.min(self.next_beat));
            tokio::select! {
                // An error is found again by reading.
                _ = self.socket.readable() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// The last fresh beat.
    pub(crate) const fn heard(&self) -> Option<&Heard> {
        self.heard.as_ref()
    }

    pub(crate) const fn hearing(&self) -> Hearing {
        self.hearing
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// How long a silence has to be now.
    pub(crate) fn limit(&self) -> Duration {
        self.gaps.limit()
    }

    pub(crate) fn longest_gap(&self) -> Duration {
        self.gaps.longest()
    }

    /// How long a probe may take so that it ends with the silence that it was made for.
    pub(crate) fn probe_timeout(&self) -> Duration {
        self.limit() * (failover_guard::liveness::BEATS - failover_guard::liveness::PROBED_AT)
            / failover_guard::liveness::BEATS
    }

    // --- sending -----------------------------------------------------------------------------

    fn send_if_due(&mut self) {
        let now = Instant::now();
        if now < self.next_beat {
            return;
        }
        // At a fixed rate, but without making up for time that this process didn't get.
        let interval = match self.asks.is_some() || self.answers.is_some() {
            // The beats keep the longer one in them, so that going back to it is no silence.
            true => self.interval.min(HURRIED),
            false => self.interval,
        };
        self.next_beat = (self.next_beat + interval).max(now + interval / 2);
        self.send();
    }

    fn send(&mut self) {
        let Some(peer) = self.peer else { return };
        self.sequence += 1;
        let now = clock::now();
        let echo = self.heard.as_ref().map(|heard| Echo {
            sent_us: heard.beat.sent_us,
            held_us: microseconds(now.since(heard.at)),
        });
        let beat = Beat {
            from: self.session.own(),
            to: self.session.other(),
            sequence: self.sequence,
            interval_ms: u32::try_from(self.interval.as_millis()).unwrap_or(u32::MAX),
            host: self.host.clone(),
            boot: self.boot,
            gateway: self.gateway,
            announcement: self.announcement,
            asks: self.asks,
            answers: self.answers.clone(),
            sent_us: microseconds(now.as_duration()),
            echo,
        };
        // Who doesn't get it notices that: there is nobody else to tell.
        if let Ok(datagram) = seal::seal(&self.keys, &beat) {
            let _ = self.socket.try_send_to(&datagram, peer);
        }
    }

    // --- receiving ---------------------------------------------------------------------------

    /// Reads what waits. Does it say something new?
    fn receive(&mut self) -> bool {
        let mut buffer = [0; seal::LONGEST + 1];
        let mut is_news = false;
        for _ in 0..MOST_AT_ONCE {
            match self.read(&mut buffer) {
                Ok((length, from)) => {
                    is_news |= self.datagram(buffer.get(..length).unwrap_or_default(), from);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Errors of a connectionless socket are others' refusals (ICMP), of which silence is proof enough.
                Err(_) => {}
            }
        }
        is_news
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self.socket.try_recv_from(buffer) {
            // That only says that the runtime hasn't looked since: this process may have had no time for that.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let (length, _, from) = recvfrom(&self.socket, buffer, RecvFlags::DONTWAIT)?;
                let from = from.and_then(|from| from.try_into().ok());
                Ok((length, from.ok_or(io::ErrorKind::InvalidData)?))
            }
            read => read,
        }
    }

    fn datagram(&mut self, datagram: &[u8], from: SocketAddr) -> bool {
        let beat = match seal::open(&self.keys, datagram) {
            Ok((beat, _)) => beat,
            Err(refusal) => return self.refuse(Reason::Sealed(refusal)),
        };
        match self.session.accept(&beat) {
            Ok(Fresh::Overtaken) => {
                self.counters.overtaken += 1;
                false
            }
            Ok(fresh) => {
                if fresh == Fresh::NewStart {
                    self.gaps.interrupted();
                }
                if self.session.is_full()
                    && let Ok(nonce) = nonce()
                {
                    self.session.renew(nonce);
                }
                self.peer = Some(from);
                self.fresh(beat)
            }
            Err(stale) => {
                if stale == Stale::OtherStart {
                    self.introduce(&beat, from);
                }
                self.refuse(Reason::Stale(stale))
            }
        }
    }

    /// Its sender doesn't know this start: it gets a beat with it.
    fn introduce(&mut self, beat: &Beat, from: SocketAddr) {
        self.session.introduce(beat.from);
        let now = Instant::now();
        if self.hearing != Hearing::Beats && now >= self.next_answer {
            self.next_answer = now + ANSWER_GAP;
            self.peer = self.peer.or(Some(from));
            let other = self.peer.replace(from);
            self.send();
            self.peer = other;
        }
    }

    fn refuse(&mut self, reason: Reason) -> bool {
        *self.counters.refused.entry(reason).or_default() += 1;
        false
    }

    fn fresh(&mut self, beat: Beat) -> bool {
        let now = clock::now();
        self.counters.heard += 1;
        let interval = Duration::from_millis(beat.interval_ms.into());
        let interval = interval.clamp(*INTERVALS.start(), *INTERVALS.end());
        self.gaps.heard(now, interval);
        if let Some(echo) = beat.echo {
            let since = microseconds(now.as_duration()).checked_sub(echo.sent_us);
            let trip = since.and_then(|since| since.checked_sub(echo.held_us));
            self.round_trip = trip.map(Duration::from_micros);
        }
        let is_same = self
            .heard
            .as_ref()
            .is_some_and(|before| says_the_same(&before.beat, &beat));
        let is_news = self.hearing != Hearing::Beats || !is_same;
        self.heard = Some(Heard { beat, at: now });
        self.hearing = Hearing::Beats;
        is_news
    }

    // --- silence -----------------------------------------------------------------------------

    /// Is something missing by now that wasn't before?
    fn listens_in_vain(&mut self) -> bool {
        let now = clock::now();
        let is_over = |at: Option<Time>| at.is_some_and(|at| now >= at);
        let hearing = match self.hearing {
            Hearing::Beats | Hearing::Missing if is_over(self.gaps.silent_at()) => Hearing::Silence,
            Hearing::Beats if is_over(self.gaps.probe_at()) => Hearing::Missing,
            hearing => hearing,
        };
        let is_news = hearing != self.hearing;
        self.hearing = hearing;
        is_news
    }

    /// How long until the next thing would be missing.
    fn next_silence(&self) -> Option<Duration> {
        let at = match self.hearing {
            Hearing::Beats => self.gaps.probe_at(),
            Hearing::Missing => self.gaps.silent_at(),
            Hearing::Never | Hearing::Silence => None,
        };
        at.map(|at| at.since(clock::now()))
    }
}

/// Does the later one of two beats say nothing new?
fn says_the_same(before: &Beat, beat: &Beat) -> bool {
    let says = |beat: &Beat| (beat.from, beat.gateway, beat.announcement, beat.asks);
    says(before) == says(beat) && before.answers == beat.answers
}

/// IPv6 and IPv4, or IPv4 alone where there is no IPv6.
fn bind(port: u16) -> io::Result<UdpSocket> {
    let dual = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port));
    let socket = dual.or_else(|_| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Names this start: nobody can guess it.
pub(crate) fn nonce() -> io::Result<Nonce> {
    let mut bytes = [0; 8];
    // As few as that come whole (getrandom(2)).
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(Nonce(u64::from_ne_bytes(bytes)))
}

pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use failover_guard::{
        ask::{How, What},
        keys::{KeyId, KeyPair},
    };

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(20);

    fn rings() -> (KeyRing, KeyRing) {
        let (forth, back) = ([1; 32], [2; 32]);
        let ring = |pair| KeyRing::new(&[pair]).unwrap();
        (
            ring(KeyPair::new(KeyId(1), &forth, &back)),
            ring(KeyPair::new(KeyId(1), &back, &forth)),
        )
    }

    /// PC-A's end and PC-B's, on loopback.
    fn ends() -> (Link, Link) {
        let (primary, standby) = rings();
        let standby = Link::new(bind(0).unwrap(), standby, INTERVAL, None).unwrap();
        let port = standby.socket.local_addr().unwrap().port();
        let at = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let at = match standby.socket.local_addr().unwrap() {
            SocketAddr::V6(_) => at,
            SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, port).into(),
        };
        (Link::to(at, primary, INTERVAL).unwrap(), standby)
    }

    fn run(test: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), test)
                .await
                .unwrap();
        });
    }

    /// Until this end is like that, while the other one is served as well.
    async fn until(end: &mut Link, other: &mut Link, wanted: impl Fn(&Link) -> bool) {
        while !wanted(end) {
            let goes_on = async {
                loop {
                    other.next().await;
                }
            };
            // What isn't news wakes nobody.
            tokio::select! {
                _ = end.next() => {}
                () = goes_on => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    fn is_heard(end: &Link) -> bool {
        end.hearing() == Hearing::Beats
    }

    fn hears(end: &Link, gateway: GatewayState) -> bool {
        end.heard()
            .is_some_and(|heard| heard.beat.gateway == gateway)
    }

    #[test]
    fn two_ends_hear_each_other_what_they_say_and_that_one_is_silent() {
        run(async {
            let (mut primary, mut standby) = ends();
            primary.say(GatewayState::Answering, None);
            until(&mut standby, &mut primary, |end| {
                hears(end, GatewayState::Answering)
            })
            .await;
            until(&mut primary, &mut standby, is_heard).await;
            primary.say(GatewayState::Ended, None);
            until(&mut standby, &mut primary, |end| {
                hears(end, GatewayState::Ended)
            })
            .await;
            // From here on only one side gets any time.
            let mut heard = Vec::new();
            while heard.last() != Some(&Hearing::Silence) {
                heard.push(standby.next().await);
            }
            assert!(
                heard.ends_with(&[Hearing::Missing, Hearing::Silence]),
                "{heard:?}"
            );
            until(&mut standby, &mut primary, is_heard).await;
            assert!(standby.round_trip().is_some());
        });
    }

    #[test]
    fn what_is_asked_is_heard_and_its_answer_as_well_until_it_is_no_longer_asked() {
        run(async {
            let (mut primary, mut standby) = ends();
            let id = AskId(7);
            let what = What::LetGo;
            primary.ask(Some(Ask { id, what }));
            until(&mut standby, &mut primary, |end| {
                end.asked().map(|ask| ask.id) == Some(id)
            })
            .await;
            standby.answer(Some(Answer {
                id,
                how: How::Done,
                why: None,
            }));
            until(&mut primary, &mut standby, |end| {
                end.answered(id)
                    .is_some_and(|(answer, _)| answer.how == How::Done)
            })
            .await;
            assert!(primary.answered(AskId(8)).is_none());
            primary.ask(None);
            until(&mut standby, &mut primary, |end| end.asked().is_none()).await;
        });
    }

    #[test]
    fn what_waited_while_this_end_had_no_time_is_no_silence() {
        run(async {
            let (mut primary, mut standby) = ends();
            until(&mut standby, &mut primary, is_heard).await;
            std::thread::sleep(3 * standby.limit());
            primary.say(GatewayState::Draining, None);
            primary.send_if_due();
            assert_eq!(standby.next().await, Hearing::Beats);
            assert!(hears(&standby, GatewayState::Draining));
        });
    }

    #[test]
    fn a_stranger_is_refused_and_counted() {
        run(async {
            let (mut primary, mut standby) = ends();
            until(&mut standby, &mut primary, is_heard).await;
            let stranger = bind(0).unwrap();
            let at = primary.peer.unwrap();
            stranger.send_to(b"FOB1nonsense", at).await.unwrap();
            let other = KeyPair::new(KeyId(2), &[3; 32], &[4; 32]);
            let other = KeyRing::new(&[other]).unwrap();
            let mut other = Link::to(at, other, INTERVAL).unwrap();
            other.send_if_due();
            for refusal in [Refusal::Format, Refusal::UnknownKey] {
                let reason = Reason::Sealed(refusal);
                until(&mut standby, &mut other, |end| {
                    end.counters.refused.contains_key(&reason)
                })
                .await;
            }
        });
    }
}
