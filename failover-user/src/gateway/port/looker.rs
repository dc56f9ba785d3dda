//! Finds the listeners on the port in a separate thread, so that the decision loop isn't blocked, however many
//! sockets, processes and open files there are. One question at a time.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tracing::{debug, warn};

use failover_decide::Time;
use failover_linux::{
    clock,
    sock_diag::listeners::{Interest, Listeners, ListenersError, Listening},
};

use crate::gateway::port::{
    holder_search::{HolderSearch, Holders},
    invocation::InvocationMark,
};

/// Timeout of a search; the next search continues it.
const LONGEST_SEARCH: Duration = Duration::from_secs(2);
/// Timeout where there is no thread, and the loop itself has to look.
const LONGEST_ON_THE_LOOP: Duration = Duration::from_millis(100);
/// A look that takes longer than this hangs: it waits for another process's memory (see
/// [`HolderSearch::trusted`]).
pub(crate) const HANGS: Duration = Duration::from_secs(5);
/// Limit for looks that hang. Their threads stay until the read that blocks them returns.
const MOST_HANGING: usize = 3;
/// Reading a few hundred links and 32 KiB of netlink takes less.
const STACK: usize = 512 * 1024;

/// A request for a look.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) interest: Interest,
    /// Sockets whose holders are known: no search is made for them.
    pub(crate) known: BTreeSet<u32>,
    /// Search for the holders of all sockets, whatever is known.
    pub(crate) again: bool,
    /// Processes to look at first.
    pub(crate) first: Vec<u32>,
    pub(crate) mark: InvocationMark,
    /// Accounts of the gateway.
    pub(crate) trusted: BTreeSet<u32>,
}

/// The result of a look.
#[derive(Debug)]
pub(crate) struct Answer {
    /// When the kernel was queried.
    pub(crate) asked: Time,
    pub(crate) listening: Result<Listening, ListenersError>,
    /// The holders of all sockets; `None`: no search was made.
    pub(crate) holders: Option<Holders>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Runs the looks; see the module.
pub(crate) struct Looker {
    port: u16,
    thread: Option<Arc<Exchange>>,
    /// Where there is no thread.
    own: Listeners,
    own_answer: Option<Answer>,
    asked: Option<Time>,
    hanging: Arc<AtomicUsize>,
    /// A look has hung: from now on only memory of the gateway's accounts is read.
    is_wary: bool,
}

/// Between the loop and the thread.
#[derive(Default)]
struct Exchange {
    state: Mutex<State>,
    changed: Condvar,
    answered: Notify,
}

#[derive(Default)]
struct State {
    question: Option<Question>,
    answer: Option<Answer>,
    /// The loop no longer waits for it.
    is_over: bool,
    /// Its thread counts as hanging.
    is_counted: bool,
}

impl Looker {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            port,
            thread: None,
            own: Listeners::on(port),
            own_answer: None,
            asked: None,
            hanging: Arc::default(),
            is_wary: false,
        }
    }

    /// Since when an answer is pending.
    pub(crate) fn asked(&self) -> Option<Time> {
        self.asked
    }

    /// As if the limit of hanging looks was reached.
    #[cfg(test)]
    pub(crate) fn hang(&mut self) {
        if let Some(exchange) = self.thread.take() {
            exchange.state().is_over = true;
            exchange.changed.notify_all();
        }
        self.hanging.store(MOST_HANGING, Ordering::Relaxed);
        self.asked = Some(clock::now());
    }

    /// Requests a look. Only while no answer is pending.
    pub(crate) fn ask(&mut self, question: Question) {
        self.ask_with(question, |listeners, question| {
            look(listeners, question, LONGEST_SEARCH)
        });
    }

    fn ask_with(
        &mut self,
        mut question: Question,
        work: impl Fn(&mut Listeners, &Question) -> Answer + Send + 'static,
    ) {
        if !self.is_wary {
            question.trusted.clear();
        }
        self.asked = Some(clock::now());
        if self.thread.is_none() {
            match self.begin(work) {
                Ok(exchange) => self.thread = Some(exchange),
                Err(error) => debug!(%error, "no thread to look at the port with"),
            }
        }
        match &self.thread {
            Some(exchange) => {
                exchange.state().question = Some(question);
                exchange.changed.notify_all();
            }
            // One that hangs would hang here, too.
            None if self.hanging.load(Ordering::Relaxed) >= MOST_HANGING => {}
            None => {
                self.own_answer = Some(look(&mut self.own, &question, LONGEST_ON_THE_LOOP));
            }
        }
    }

    fn begin(
        &self,
        work: impl Fn(&mut Listeners, &Question) -> Answer + Send + 'static,
    ) -> io::Result<Arc<Exchange>> {
        if self.hanging.load(Ordering::Relaxed) >= MOST_HANGING {
            return Err(io::Error::other("too many looks hang"));
        }
        let exchange = Arc::new(Exchange::default());
        let (others, port, hanging) = (Arc::clone(&exchange), self.port, Arc::clone(&self.hanging));
        thread::Builder::new()
            .name("look".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let mut listeners = Listeners::on(port);
                while let Some(question) = others.question() {
                    let answer = work(&mut listeners, &question);
                    others.state().answer = Some(answer);
                    others.changed.notify_all();
                    others.answered.notify_one();
                }
                if others.state().is_counted {
                    hanging.fetch_sub(1, Ordering::Relaxed);
                }
            })?;
        Ok(exchange)
    }

    /// The answer, if it comes within this time.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<Answer> {
        self.asked?;
        let answer = match &self.thread {
            Some(exchange) => {
                let none = |state: &mut State| state.answer.is_none();
                let waited = exchange
                    .changed
                    .wait_timeout_while(exchange.state(), patience, none);
                let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                state.answer.take()
            }
            None => self.own_answer.take(),
        };
        if answer.is_some() {
            self.asked = None;
        } else {
            self.give_up_one_that_hangs();
        }
        answer
    }

    /// Waits for the answer; for ever where none is pending. Cancel-safe.
    pub(crate) async fn answered(&self) {
        match (&self.asked, &self.thread) {
            (Some(_), Some(exchange)) => loop {
                let answered = exchange.answered.notified();
                if exchange.state().answer.is_some() {
                    return;
                }
                answered.await;
            },
            _ => std::future::pending().await,
        }
    }

    /// It keeps its thread, and gets no more questions.
    fn give_up_one_that_hangs(&mut self) {
        let hangs = |asked: Time| clock::now().since(asked) >= HANGS;
        if !self.asked.is_some_and(hangs) {
            return;
        }
        let Some(exchange) = self.thread.take() else {
            if self.hanging.load(Ordering::Relaxed) < MOST_HANGING {
                self.asked = None;
            }
            return;
        };
        let mut state = exchange.state();
        if state.answer.is_some() {
            drop(state);
            self.thread = Some(exchange);
            return;
        }
        self.hanging.fetch_add(1, Ordering::Relaxed);
        (state.is_over, state.is_counted) = (true, true);
        drop(state);
        exchange.changed.notify_all();
        self.is_wary = true;
        self.asked = None;
        warn!(
            "looking at who listens hangs: somebody's process can't be read; from now on only the processes of the gateway's own accounts are read in full"
        );
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        if let Some(exchange) = &self.thread {
            exchange.state().is_over = true;
            exchange.changed.notify_all();
        }
    }
}

impl Exchange {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one; `None`: there will be none.
    fn question(&self) -> Option<Question> {
        let idle = |state: &mut State| state.question.is_none() && !state.is_over;
        let waited = self.changed.wait_while(self.state(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.question.take().filter(|_| !state.is_over)
    }
}

/// Queries the kernel, and searches for the holders of new sockets.
fn look(listeners: &mut Listeners, question: &Question, longest: Duration) -> Answer {
    let (asked, begun) = (clock::now(), Instant::now());
    let listening = listeners.look(&question.interest);
    let holders = listening.as_ref().ok().and_then(|listening| {
        let is_new = |inode: &u32| !question.known.contains(inode);
        let has_new = listening.sockets.iter().any(|one| is_new(&one.inode));
        let search = HolderSearch {
            first: &question.first,
            deadline: begun + longest,
            mark: Some(&question.mark),
            trusted: (!question.trusted.is_empty()).then_some(&question.trusted),
        };
        (has_new || question.again).then(|| search.holders(&listening.sockets))
    });
    Answer {
        asked,
        listening,
        holders,
        took: begun.elapsed(),
    }
}

/// Limits looks to a tenth of one processor's time, apart from short bursts.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Processor time that isn't paid back yet.
    debt: Duration,
    at: Option<Time>,
}

impl Pace {
    /// The burst limit.
    const MOST_DEBT: Duration = Duration::from_millis(300);
    const SHARE: u32 = 10;

    /// Records how long a look took.
    pub(crate) fn took(&mut self, now: Time, took: Duration) {
        self.debt = self.left(now).saturating_add(took.min(LONGEST_SEARCH));
        self.at = Some(now);
    }

    /// Time until the next look may begin.
    pub(crate) fn pause(&self, now: Time) -> Duration {
        self.left(now).saturating_sub(Self::MOST_DEBT) * Self::SHARE
    }

    fn left(&self, now: Time) -> Duration {
        let passed = self.at.map_or(Duration::ZERO, |at| now.since(at));
        self.debt.saturating_sub(passed / Self::SHARE)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::mpsc};

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn ago(past: Duration) -> Option<Time> {
        let now = clock::now().as_duration();
        Some(Time::from_boot(now.saturating_sub(past)))
    }

    fn question() -> Question {
        Question {
            interest: Interest::default(),
            known: BTreeSet::new(),
            again: false,
            first: Vec::new(),
            mark: InvocationMark::of(std::path::Path::new("/nowhere")),
            trusted: [4711].into(),
        }
    }

    #[test]
    fn an_answer_names_who_listens_and_only_what_is_new_is_searched_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut looker = Looker::new(listener.local_addr().unwrap().port());
        looker.ask(question());
        let answer = looker.wait(LONG).unwrap();
        let sockets = answer.listening.unwrap().sockets;
        let holders = answer.holders.unwrap();
        assert!(holders.is_complete);
        let own = holders
            .held
            .iter()
            .find(|one| one.pid == std::process::id());
        assert_eq!(own.unwrap().sockets, [sockets[0].inode]);
        assert_eq!(looker.asked(), None);
        let known = Question {
            known: sockets.iter().map(|one| one.inode).collect(),
            ..question()
        };
        looker.ask(known.clone());
        assert!(looker.wait(LONG).unwrap().holders.is_none());
        looker.ask(Question {
            again: true,
            ..known
        });
        assert!(looker.wait(LONG).unwrap().holders.is_some());
    }

    #[test]
    fn looks_that_hang_are_given_up_and_are_no_more_than_a_few() {
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        let (begin, begun) = mpsc::channel();
        let mut looker = Looker::new(1);
        let hang = |ended: &Arc<Mutex<mpsc::Receiver<()>>>| {
            let (ended, begin) = (Arc::clone(ended), begin.clone());
            move |listeners: &mut Listeners, question: &Question| {
                begin.send(()).unwrap();
                let _ = ended.lock().unwrap().recv();
                look(listeners, question, LONG)
            }
        };
        for hanging in 1..=MOST_HANGING {
            looker.ask_with(question(), hang(&ended));
            begun.recv_timeout(LONG).unwrap();
            assert!(looker.wait(Duration::from_millis(1)).is_none());
            assert!(looker.asked().is_some());
            // As if the time had passed.
            looker.asked = ago(HANGS);
            assert!(looker.wait(Duration::ZERO).is_none());
            assert_eq!(looker.asked(), None);
            assert_eq!(looker.hanging.load(Ordering::Relaxed), hanging);
        }
        assert!(looker.is_wary);
        looker.ask_with(question(), hang(&ended));
        assert!(looker.wait(Duration::ZERO).is_none());
        // It stays asked, which is no progress.
        looker.asked = ago(2 * HANGS);
        assert!(looker.wait(Duration::ZERO).is_none());
        assert!(looker.asked().is_some());
        drop(end);
        let begun = Instant::now();
        while looker.hanging.load(Ordering::Relaxed) > 0 {
            assert!(begun.elapsed() < LONG, "their threads don't end");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(looker.wait(Duration::ZERO).is_none());
        looker.ask(question());
        assert!(looker.wait(LONG).is_some());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_the_answer() {
        let mut looker = Looker::new(1);
        looker.ask(question());
        tokio::time::timeout(LONG, looker.answered()).await.unwrap();
        assert!(looker.wait(Duration::ZERO).is_some());
        let nothing = tokio::time::timeout(Duration::from_millis(20), looker.answered()).await;
        assert!(nothing.is_err());
    }

    proptest! {
        #[test]
        fn looks_take_a_tenth_of_the_time_at_most_and_a_few_quick_ones_never_wait(
            looks in vec((0_u64..5_000, 0_u64..3_000), 1..50),
        ) {
            let mut pace = Pace::default();
            let begun = clock::now();
            let (mut now, mut total) = (begun, Duration::ZERO);
            for (wait, took) in looks {
                now = now + Duration::from_millis(wait).max(pace.pause(now));
                let took = Duration::from_millis(took).min(LONGEST_SEARCH);
                now = now + took;
                total += took;
                pace.took(now, took);
                let most = now.since(begun) / Pace::SHARE + Pace::MOST_DEBT + LONGEST_SEARCH;
                prop_assert!(total <= most, "{total:?} {most:?}");
            }
            let mut quick = Pace::default();
            for number in 0..100 {
                let now = begun + Duration::from_millis(20 * number);
                prop_assert_eq!(quick.pause(now), Duration::ZERO);
                quick.took(now, Duration::from_millis(2));
            }
        }
    }
}
