//! Who sees what happens: the log, the history, people who are notified, the page and the metrics, the status
//! document and systemd. Each gets every occurrence in turn, so nobody can be forgotten. None of them decides.

pub(crate) mod occurrence;

use crate::{
    config::Configuration,
    history::recorder::Recorder,
    log::{
        observer::Log,
        reminders::{DualActive, PauseReminder},
        systemd::Supervisor,
    },
    notify::alarms::Alarms,
    observe::occurrence::{Context, Observer, Occurrence},
    preflight::startup::FirstProbe,
    runtime::parts::Parts,
    state_dir::Receipt,
    status::last_seen::LastSeen,
    web::dashboard::Dashboard,
};

use failover_decide::State;
use failover_linux::clock;

/// All who see what happens.
pub(crate) struct Observers {
    /// Those that are asked nothing.
    silent: Vec<Box<dyn Observer>>,
    pub(crate) recorder: Recorder,
    pub(crate) alarms: Alarms,
    pub(crate) dashboard: Dashboard,
    pub(crate) last_seen: LastSeen,
}

/// Another observer is another line here, unless it is asked something.
fn silent(supervisor: Supervisor) -> Vec<Box<dyn Observer>> {
    vec![
        Box::new(Log::default()),
        Box::new(FirstProbe::default()),
        Box::new(PauseReminder::default()),
        Box::new(DualActive::default()),
        Box::new(supervisor),
    ]
}

impl Observers {
    /// Inside a tokio runtime.
    pub(crate) fn new(
        configuration: &Configuration,
        state: State,
        supervisor: Supervisor,
        parts: Parts,
    ) -> Self {
        Self {
            silent: silent(supervisor),
            recorder: Recorder::new(
                clock::now(),
                &configuration.state_dir,
                configuration.primary.to_string(),
                configuration.dry_run,
            ),
            alarms: Alarms::new(configuration, parts),
            dashboard: Dashboard::new(state),
            last_seen: LastSeen::default(),
        }
    }

    /// Tells all of them.
    pub(crate) fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        for observer in self.each() {
            observer.observe(occurrence, context);
        }
    }

    /// Each gets whether something that was observed until now is on disk.
    pub(crate) fn receipts(&mut self) -> Vec<Receipt> {
        self.each().flat_map(Observer::receipts).collect()
    }

    /// All of them: who is left out here is an unused variable, which doesn't compile.
    fn each(&mut self) -> impl Iterator<Item = &mut dyn Observer> {
        let Self {
            silent,
            recorder,
            alarms,
            dashboard,
            last_seen,
        } = self;
        let silent = silent
            .iter_mut()
            .map(|observer| -> &mut dyn Observer { observer.as_mut() });
        let others: [&mut dyn Observer; 4] = [recorder, alarms, dashboard, last_seen];
        silent.chain(others)
    }

    /// One more.
    #[cfg(test)]
    pub(crate) fn add(&mut self, observer: Box<dyn Observer>) {
        self.silent.push(observer);
    }
}
