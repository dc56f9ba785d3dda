//! What is worth waking somebody for, and to whom it is told: a command, a web server, or nobody.

use std::time::Duration;

use tokio::sync::oneshot;
use tracing::info;

use failover_decide::{Change, Decider, Inhibitor, Order, State};
use failover_linux::{clock, escape::Escaped};

use crate::{
    config::{Configuration, Webhook},
    gateway::command::command_line::CommandLine,
    history::incident::wall,
    notify::{
        Notice, VERSION,
        command::CommandNotifier,
        delivery::{Delivered, Delivery},
        webhook::WebhookNotifier,
    },
    runtime::parts::{Part, Parts},
    state_dir::persisted::Paused,
};

/// Longer reasons are cut.
const LONGEST_REASON: usize = 1000;
/// At the daemon's end, what is being told may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Alarms {
    dry_run: bool,
    primary: String,
    host: String,
    command: Option<(CommandLine, CommandNotifier)>,
    webhook: Option<(Webhook, WebhookNotifier)>,
    parts: Parts,
    /// What became of what each was to be told.
    by_command: Delivery,
    by_webhook: Delivery,
    /// The local gateway has served since the last release.
    served: bool,
    /// The takeover or release that was ordered last and isn't over, and by whom.
    order: Option<(Ordered, String)>,
    /// As it was last; nothing is told of what was so at the beginning.
    standing: Option<Standing>,
}

/// What an operator may order that is told of when it is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ordered {
    Takeover,
    Release,
}

/// A way in which people are told.
pub(crate) struct Way {
    /// Its name, for tools.
    pub(crate) kind: &'static str,
    pub(crate) configured: bool,
    pub(crate) delivered: Delivered,
}

/// What lasts, and isn't the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Standing {
    paused: bool,
    flapping: bool,
}

impl Standing {
    fn of(decider: &Decider) -> Self {
        Self {
            paused: decider.pause().is_some(),
            flapping: decider.release_needs() > 1,
        }
    }
}

impl Alarms {
    pub(crate) fn new(configuration: &Configuration, parts: Parts) -> Self {
        let mut alarms = Self {
            dry_run: false,
            primary: String::new(),
            host: host(),
            command: None,
            webhook: None,
            parts,
            by_command: Delivery::default(),
            by_webhook: Delivery::default(),
            served: false,
            order: None,
            standing: None,
        };
        alarms.reconfigure(configuration);
        alarms
    }

    /// Another configuration is in force. Who is told as before isn't disturbed.
    pub(crate) fn reconfigure(&mut self, configuration: &Configuration) {
        self.dry_run = configuration.dry_run;
        self.primary = configuration.primary.to_string();
        if self.command.as_ref().map(|(line, _)| line) != configuration.notify.as_ref() {
            self.by_command = self.by_command.anew();
            self.command = None;
            let part = self.part("the notify command");
            let notifier = |line: &CommandLine| {
                let notifier = CommandNotifier::new(line.clone(), self.by_command.clone(), part);
                (line.clone(), notifier)
            };
            self.command = configuration.notify.as_ref().map(notifier);
        }
        if self.webhook.as_ref().map(|(webhook, _)| webhook) != configuration.webhook.as_ref() {
            self.by_webhook = self.by_webhook.anew();
            // The old one lets go of its file first.
            self.webhook = None;
            let part = self.part("the webhook");
            let notifier = |webhook: &Webhook| {
                let delivery = self.by_webhook.clone();
                let notifier =
                    WebhookNotifier::new(webhook.clone(), &configuration.state_dir, delivery, part);
                (webhook.clone(), notifier)
            };
            self.webhook = configuration.webhook.as_ref().map(notifier);
        }
    }

    /// One that is made anew. The one before isn't missed.
    fn part(&self, name: &'static str) -> Part {
        let part = self.parts.part(name);
        part.works();
        part
    }

    /// The name of this machine.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// An order is about to be followed.
    pub(crate) fn ordered(&mut self, order: Order, by: &str) {
        let ordered = match order {
            Order::TakeOver { .. } => Ordered::Takeover,
            Order::Release { .. } => Ordered::Release,
            Order::Pause { .. } | Order::Resume => return,
        };
        self.order = Some((ordered, by.to_owned()));
    }

    /// By whose order this happens, if by anybody's.
    fn by(&self, event: &str) -> Option<String> {
        let (ordered, by) = self.order.as_ref()?;
        let wanted = match ordered {
            Ordered::Takeover => "takeover",
            Ordered::Release => "release",
        };
        (event == wanted).then(|| by.clone())
    }

    /// The state changed.
    pub(crate) fn changed(&mut self, change: &Change, reason: &str) {
        let event = event(change, self.served);
        match change.to {
            State::Active => self.served = true,
            State::Standby => self.served = false,
            _ => {}
        }
        if let Some(event) = event {
            self.tell(event, change.to, reason);
        }
    }

    /// What is so by now is no news.
    pub(crate) fn begin(&mut self, decider: &Decider) {
        self.standing = Some(Standing::of(decider));
    }

    /// What else may have changed.
    pub(crate) fn stands(&mut self, decider: &Decider, pause: Option<&Paused>) {
        self.order.take_if(|(ordered, _)| match ordered {
            Ordered::Takeover => !decider.takes_over_by_order(),
            Ordered::Release => !decider.releases_by_order(),
        });
        let Some(before) = self.standing else {
            return;
        };
        let (now, state) = (Standing::of(decider), decider.state());
        self.standing = Some(now);
        match (before.paused, now.paused) {
            (false, true) => self.tell("paused", state, &ordered(pause)),
            (true, false) => {
                self.tell(
                    "resumed",
                    state,
                    "an operator ordered it, or its time is over",
                );
            }
            _ => {}
        }
        if now.flapping && !before.flapping {
            let needs = decider.release_needs();
            let reason = format!("a release takes {needs} successes in a row from now on");
            self.tell("flapping", state, &reason);
        }
    }

    /// How telling goes, by each way there is.
    pub(crate) fn ways(&self) -> [Way; 2] {
        [
            Way {
                kind: "command",
                configured: self.command.is_some(),
                delivered: self.by_command.so_far(),
            },
            Way {
                kind: "webhook",
                configured: self.webhook.is_some(),
                delivered: self.by_webhook.so_far(),
            },
        ]
    }

    /// Gets true once all notices that the webhook hasn't got yet are on disk; `None`: there is no webhook.
    pub(crate) fn kept(&self) -> Option<oneshot::Receiver<bool>> {
        let (_, notifier) = self.webhook.as_ref()?;
        Some(notifier.kept())
    }

    /// Gives what is being told a moment.
    pub(crate) async fn finish(&self) {
        let command = async {
            if let Some((_, notifier)) = &self.command {
                notifier.finish(PATIENCE).await;
            }
        };
        let webhook = async {
            if let Some((_, notifier)) = &self.webhook {
                notifier.finish(PATIENCE).await;
            }
        };
        tokio::join!(command, webhook);
    }

    fn tell(&self, event: &'static str, state: State, reason: &str) {
        if self.command.is_none() && self.webhook.is_none() {
            return;
        }
        if self.dry_run {
            info!(event, "dry run: nobody is told");
            return;
        }
        let time = wall(clock::now());
        let (host, primary) = (&self.host, &self.primary);
        let by = self.by(event);
        let ordered = by.as_ref().map(|by| format!(", as {by} ordered"));
        let ordered = ordered.unwrap_or_default();
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let notice = Notice {
            version: VERSION,
            id: format!("{:x}-{:08x}", time.as_millisecond(), fastrand::u32(..)),
            event: event.to_owned(),
            time,
            text: format!(
                "failover on {host}: {}{ordered} (primary {primary}): {reason}",
                told(event)
            ),
            by,
            host: host.clone(),
            primary: primary.clone(),
            state: state.name().to_owned(),
            reason,
        };
        if let Some((_, notifier)) = &self.command {
            notifier.tell(notice.clone());
        }
        if let Some((_, notifier)) = &self.webhook {
            notifier.tell(notice);
        }
    }
}

/// What a change of state is worth. What fails again and again is told the first time, the second, the
/// fourth, the eighth, ...
fn event(change: &Change, served: bool) -> Option<&'static str> {
    let failed = |attempt: u32| (attempt > 1) && (attempt - 1).is_power_of_two();
    let is_new = change.from.name() != change.to.name();
    match (change.from, change.to) {
        (State::Starting { .. }, State::Active) => Some("takeover"),
        (State::Stopping { .. }, State::Standby | State::Suspect { .. } | State::Inhibited(_)) => {
            served.then_some("release")
        }
        (_, State::Starting { attempt }) if failed(attempt) => Some("failed-start"),
        // The attempt that it is entered with may be of an earlier stop, after a start that failed.
        (_, State::Stopping { attempt } | State::Restarting { attempt })
            if !is_new && failed(attempt) =>
        {
            Some("failed-stop")
        }
        (_, State::Fencing { attempt }) if failed(attempt) => Some("failed-fence"),
        (_, State::Restarting { .. }) if is_new => Some("gateway-hung"),
        (_, State::Isolated) => Some("isolated"),
        (_, State::Inhibited(Inhibitor::Unarmed)) => Some("unarmed"),
        (_, State::Inhibited(Inhibitor::ForeignListener)) => Some("blocked"),
        _ => None,
    }
}

/// Why it is paused: who said so, for how long, and why, made harmless.
fn ordered(pause: Option<&Paused>) -> String {
    let Some(Paused {
        by, until, reason, ..
    }) = pause
    else {
        return "an operator ordered it".to_owned();
    };
    let until = until.map(|until| format!(" until {until:.0}"));
    let reason = reason
        .as_ref()
        .map(|reason| format!(": {}", Escaped(reason)));
    let [until, reason] = [until, reason].map(Option::unwrap_or_default);
    format!("{} ordered it{until}{reason}", Escaped(by))
}

fn told(event: &str) -> &'static str {
    match event {
        "takeover" => "the primary is down and the local gateway serves",
        "release" => "the local gateway is stopped again",
        "failed-start" => "the local gateway doesn't start",
        "failed-stop" => "the local gateway doesn't stop",
        "failed-fence" => "the primary is down and can't be made sure of",
        "isolated" => "no witness answers, so nothing is taken over",
        "paused" => "paused, so nothing is taken over",
        "resumed" => "the pause is over",
        "flapping" => "the primary keeps failing soon after it is back",
        "unarmed" => "the primary was never seen healthy, so nothing is taken over",
        "blocked" => "the local port is taken, so nothing is taken over",
        _ => "the local gateway doesn't answer and is started again",
    }
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover_decide::Reason;

    fn told_of(from: State, to: State, served: bool) -> Option<&'static str> {
        let change = Change {
            from,
            to,
            reason: Reason::Time,
            strikes: Vec::new(),
        };
        event(&change, served)
    }

    #[test]
    fn what_wakes_somebody_is_told_and_nothing_else() {
        let suspect = State::Suspect { strikes: 1 };
        let starting = |attempt| State::Starting { attempt };
        let stopping = |attempt| State::Stopping { attempt };
        let restarting = |attempt| State::Restarting { attempt };
        let active = State::Active;
        for (from, to, served, expected) in [
            (State::Standby, suspect, false, None),
            (suspect, starting(1), false, None),
            (starting(1), active, false, Some("takeover")),
            // It was found like this.
            (State::Standby, active, false, None),
            (active, stopping(1), true, None),
            (stopping(1), State::Standby, true, Some("release")),
            // An earlier stop, after a start that failed, counts as an attempt.
            (active, stopping(2), true, None),
            // Cut short before it served.
            (stopping(1), State::Standby, false, None),
            (suspect, State::Isolated, false, Some("isolated")),
            (
                suspect,
                State::Inhibited(Inhibitor::Unarmed),
                false,
                Some("unarmed"),
            ),
            (
                suspect,
                State::Inhibited(Inhibitor::ForeignListener),
                false,
                Some("blocked"),
            ),
            (suspect, State::Inhibited(Inhibitor::Paused), false, None),
            (active, restarting(1), true, Some("gateway-hung")),
            (restarting(1), restarting(2), true, Some("failed-stop")),
            (stopping(1), stopping(2), true, Some("failed-stop")),
            (
                State::Fencing { attempt: 1 },
                State::Fencing { attempt: 2 },
                false,
                Some("failed-fence"),
            ),
        ] {
            assert_eq!(told_of(from, to, served), expected, "{from:?} -> {to:?}");
        }
    }

    #[test]
    fn what_fails_again_and_again_is_told_ever_less_often() {
        let told = (1..=100).filter(|attempt| {
            let to = State::Starting { attempt: *attempt };
            told_of(State::Starting { attempt: 1 }, to, false).is_some()
        });
        assert_eq!(told.collect::<Vec<u32>>(), [2, 3, 5, 9, 17, 33, 65]);
    }

    #[test]
    fn a_pause_is_told_with_who_ordered_it_until_when_and_why() {
        let pause = Paused {
            since: "2026-11-24T03:00:00Z".parse().unwrap(),
            by: "user 1000".to_owned(),
            until: "2026-11-24T05:00:00Z".parse().ok(),
            reason: Some("moving \u{1b}[2Jhouse".to_owned()),
        };
        assert_eq!(
            ordered(Some(&pause)),
            "user 1000 ordered it until 2026-11-24T05:00:00Z: moving \\u{1b}[2Jhouse"
        );
        let endless = Paused {
            until: None,
            reason: None,
            ..pause
        };
        assert_eq!(ordered(Some(&endless)), "user 1000 ordered it");
    }
}
