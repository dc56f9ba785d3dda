//! Watches the processes of a start while its result is awaited: at intervals, in the background. It must not
//! know what waits, nor what follows from the result.

use std::{collections::BTreeSet, future::Future, path::PathBuf, pin::Pin, time::Duration};

use tokio::time::{Instant, sleep_until};

use failover_decide::Begun;

use crate::gateway::command::survivors::{Found, Lives, Search};

/// Time between looks. A look reads a line of each process, which takes milliseconds.
const PACE: Duration = Duration::from_secs(1);
/// Where a start's processes may escape detection, they count as gone once none was seen for this long.
const CONFIRM: Duration = Duration::from_secs(2);

type Looking = Pin<Box<dyn Future<Output = Found>>>;

/// The start under way, and what was seen of it.
#[derive(Default)]
pub(crate) struct StartWatch {
    search: Option<Search>,
    lives: Lives,
    /// The programs that listened.
    listened: BTreeSet<PathBuf>,
    looking: Option<Looking>,
    next: Option<Instant>,
    /// Since when nothing has been seen, where that isn't certain.
    gone: Option<Instant>,
    /// The last result.
    last: Option<Begun>,
}

impl StartWatch {
    /// A start command is about to run.
    pub(crate) fn begin(&mut self, search: Search) {
        *self = Self {
            search: Some(search),
            ..Self::default()
        };
    }

    /// Something has changed: the look in progress is out of date.
    fn hurry(&mut self) {
        self.looking = None;
        self.gone = None;
        self.next = self.search.is_some().then(Instant::now);
    }

    /// Its command runs, as this process.
    pub(crate) fn runs(&mut self, pid: Option<u32>) {
        if let Some(search) = &mut self.search {
            search.command = pid;
        }
    }

    /// Its command has ended.
    pub(crate) fn command_ended(&mut self) {
        if let Some(search) = &mut self.search {
            search.command = None;
            self.hurry();
        }
    }

    /// These programs listen.
    pub(crate) fn listen(&mut self, programs: impl Iterator<Item = PathBuf>) {
        let programs: BTreeSet<PathBuf> = programs.collect();
        // A socket that is being closed has no process any more.
        if !programs.is_empty() {
            self.listened = programs;
        }
        if let Some(search) = &mut self.search {
            search.lost.clear();
        }
    }

    /// None of them listens any longer.
    pub(crate) fn lose(&mut self) {
        let lost = std::mem::take(&mut self.listened);
        if let Some(search) = &mut self.search
            && !lost.is_empty()
        {
            search.lost = lost;
            self.hurry();
        }
    }

    /// Looks while a result is wanted.
    pub(crate) fn follow(&mut self, wanted: bool) {
        if !wanted {
            self.looking = None;
            self.next = None;
            self.gone = None;
        } else if self.looking.is_none() && self.next.is_none() && self.search.is_some() {
            self.next = Some(Instant::now() + PACE);
        }
    }

    /// Waits for the next result. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Found {
        loop {
            if let Some(looking) = &mut self.looking {
                let found = looking.as_mut().await;
                self.looking = None;
                self.next = Some(Instant::now() + PACE);
                return self.judged(found, Instant::now());
            }
            match (self.next, &self.search) {
                (Some(next), Some(search)) => {
                    let search = search.clone();
                    sleep_until(next).await;
                    self.looking = Some(Box::pin(search.look()));
                }
                _ => std::future::pending().await,
            }
        }
    }

    /// Does it differ from the last result? Records it.
    pub(crate) fn is_news(&mut self, found: Begun) -> bool {
        self.last.replace(found) != Some(found)
    }

    /// Corrects a result by the earlier ones.
    fn judged(&mut self, mut found: Found, now: Instant) -> Found {
        if self.lives.crashes(&found) {
            found.begun = Begun::Gone;
            found.is_certain = true;
            found.description = format!("it crashes repeatedly; {}", found.description);
        }
        if found.begun != Begun::Gone || found.is_certain {
            self.gone = None;
            return found;
        }
        let since = *self.gone.get_or_insert(now);
        if now.duration_since(since) < CONFIRM {
            found.begun = Begun::Unknown;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::port::invocation::InvocationMark;

    fn found(begun: Begun, is_certain: bool) -> Found {
        Found {
            begun,
            description: String::new(),
            oldest: None,
            restarts: None,
            is_certain,
        }
    }

    fn watch() -> StartWatch {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = StartWatch::default();
        watch.begin(Search {
            since: 0,
            mark: InvocationMark::of(folder.path()),
            command: Some(1),
            unit: None,
            account: None,
            uid: 0,
            lost: BTreeSet::new(),
        });
        watch
    }

    #[test]
    fn what_only_chance_would_have_shown_is_gone_after_a_while_and_the_rest_at_once() {
        let mut watch = watch();
        let begin = Instant::now();
        let mut begun = |after: Duration, found| watch.judged(found, begin + after).begun;
        assert_eq!(begun(PACE, found(Begun::Gone, true)), Begun::Gone);
        assert_eq!(begun(PACE, found(Begun::Gone, false)), Begun::Unknown);
        assert_eq!(begun(2 * PACE, found(Begun::Alive, true)), Begun::Alive);
        assert_eq!(begun(3 * PACE, found(Begun::Gone, false)), Begun::Unknown);
        let confirmed = begun(3 * PACE + CONFIRM, found(Begun::Gone, false));
        assert_eq!(confirmed, Begun::Gone);
    }

    #[test]
    fn what_listened_is_looked_for_once_it_is_lost() {
        let mut watch = watch();
        watch.lose();
        assert!(watch.next.is_none(), "nothing was lost");
        watch.listen(["/opt/bot".into()].into_iter());
        watch.listen(std::iter::empty());
        watch.lose();
        let search = watch.search.as_ref().unwrap();
        assert_eq!(search.lost, BTreeSet::from(["/opt/bot".into()]));
        assert!(watch.next.is_some());
        watch.listen(["/opt/bot".into()].into_iter());
        assert!(watch.search.as_ref().unwrap().lost.is_empty());
        watch.follow(false);
        assert!(watch.next.is_none());
        watch.command_ended();
        assert!(watch.next.is_some() && watch.search.unwrap().command.is_none());
    }
}
