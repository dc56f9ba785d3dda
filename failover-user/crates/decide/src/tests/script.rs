//! What happens in a world, as far as it doesn't depend on the decider. All times count from the
//! world's beginning.

use std::time::Duration;

use super::{
    super::{
        CommandResult, DefaultRouter, Evidence, Failure, Gone, GuardObservation, NoAnswer, Order,
        Outcome, ParkingObservation, PortObservation, RouterId, Settings, StandbyMode,
    },
    mission, ms, words,
    world::World,
};

/// A default router.
pub(super) fn router(number: u32) -> DefaultRouter {
    DefaultRouter {
        id: RouterId::new(number.to_string()),
        is_primary: false,
    }
}

/// One that has the primary's address.
pub(super) fn primary_as_router(number: u32) -> DefaultRouter {
    DefaultRouter {
        is_primary: true,
        ..router(number)
    }
}

/// How the primary meets a probe that begins now.
#[derive(Clone, Debug)]
pub(super) enum Primary {
    Answers {
        after: Duration,
    },
    Refuses {
        after: Duration,
    },
    /// Nothing comes back.
    Silent,
    /// Its kernel accepts the connection, and no process answers over it.
    Hangs,
    /// The router says no, after a while.
    Unreachable {
        after: Duration,
    },
    /// The watcher can't probe, and needs this long to see it.
    Unknown {
        after: Duration,
    },
    /// The watcher can't probe, perhaps because of the primary, and needs this long to see it.
    Gone {
        gone: Gone,
        after: Duration,
    },
}

pub(super) const ANSWERS: Primary = Primary::Answers { after: ms(0) };
pub(super) const REFUSES: Primary = Primary::Refuses { after: ms(0) };
pub(super) const SILENT: Primary = Primary::Silent;
pub(super) const HANGS: Primary = Primary::Hangs;
pub(super) const PATHLESS: Primary = Primary::Gone {
    gone: Gone::Path,
    after: ms(0),
};
pub(super) const MOVED: Primary = Primary::Gone {
    gone: Gone::Address,
    after: ms(0),
};
pub(super) const UNKNOWN: Primary = Primary::Unknown { after: ms(0) };

impl Primary {
    /// When the probe ends, and how.
    pub(super) fn probed(&self, timeout: Duration) -> (Duration, Outcome) {
        let failed = |failure, took| (took, Outcome::Failed { failure, took });
        match *self {
            Self::Answers { after } if after < timeout => {
                (after, Outcome::Connected { took: after })
            }
            Self::Refuses { after } if after < timeout => failed(Failure::Refused, after),
            Self::Unreachable { after } if after < timeout => {
                failed(Failure::Unreachable { errno: 113 }, after)
            }
            Self::Unknown { after } => {
                let reason = "no route at all".to_owned();
                (after.min(timeout), Outcome::unknown(reason))
            }
            Self::Gone { gone, after } => {
                let outcome = Outcome::Unknown {
                    reason: words::gone(gone).to_owned(),
                    gone: Some(gone),
                };
                (after.min(timeout), outcome)
            }
            Self::Hangs => failed(Failure::NoAnswer(NoAnswer::TimedOut), timeout),
            _ => failed(Failure::TimedOut, timeout),
        }
    }

    /// What somebody who was connected sees when the primary turns to this, and how much later.
    pub(super) fn seen_by_a_connection(&self) -> Option<(Duration, Evidence)> {
        match self {
            Self::Refuses { .. } => Some((ms(0), Evidence::Closed)),
            Self::Silent => Some((ms(4000), Evidence::TimedOut)),
            Self::Answers { .. }
            | Self::Hangs
            | Self::Unreachable { .. }
            | Self::Unknown { .. }
            | Self::Gone { .. } => None,
        }
    }
}

/// What one run of the start command does.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// `None`: hangs until it is killed.
    pub(super) ends: Option<(Duration, CommandResult)>,
    /// When the gateway listens, if ever.
    pub(super) listens: Option<Duration>,
    /// How long after that it dies, if ever.
    pub(super) dies: Option<Duration>,
    /// The command is the gateway: one ends with the other.
    pub(super) foreground: bool,
    /// What it left behind comes up although the command was killed.
    pub(super) survives: bool,
    /// So long something of it lives that doesn't listen, from the command's beginning.
    pub(super) lives: Duration,
}

impl Start {
    const HANGS: Self = Self {
        ends: None,
        listens: None,
        dies: None,
        foreground: false,
        survives: false,
        lives: ms(0),
    };

    pub(super) fn works(after: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Succeeded)),
            listens: Some(after),
            ..Self::HANGS
        }
    }

    pub(super) fn fails(after: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Failed { code: 1 })),
            ..Self::HANGS
        }
    }

    pub(super) fn hangs() -> Self {
        Self::HANGS
    }

    /// What it began hangs.
    pub(super) fn succeeds_but_never_listens(after: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Succeeded)),
            lives: Duration::MAX,
            ..Self::HANGS
        }
    }

    pub(super) fn leaves_nothing_behind(after: Duration) -> Self {
        Self {
            lives: ms(0),
            ..Self::succeeds_but_never_listens(after)
        }
    }

    /// The command gives up, and what it began comes up all the same.
    pub(super) fn gives_up(after: Duration, code: i32, listens: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Failed { code })),
            listens: Some(listens),
            ..Self::HANGS
        }
    }

    pub(super) fn succeeds_and_listens_later(after: Duration, listens: Duration) -> Self {
        Self {
            listens: Some(listens),
            ..Self::succeeds_but_never_listens(after)
        }
    }

    pub(super) fn stays_in_the_foreground(listens: Duration) -> Self {
        Self {
            listens: Some(listens),
            foreground: true,
            ..Self::HANGS
        }
    }

    pub(super) fn then_dies_after(self, uptime: Duration) -> Self {
        Self {
            dies: Some(uptime),
            ..self
        }
    }

    pub(super) fn leaves_something_behind(self) -> Self {
        Self {
            survives: true,
            ..self
        }
    }
}

/// What one run of the stop command does.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// `None`: hangs until it is killed.
    pub(super) ends: Option<(Duration, CommandResult)>,
    /// When the gateway is gone, if ever.
    pub(super) gone: Option<Duration>,
}

impl Stop {
    pub(super) fn works(after: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Succeeded)),
            gone: Some(after),
        }
    }

    pub(super) fn fails(after: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Failed { code: 1 })),
            gone: None,
        }
    }

    pub(super) fn lies(after: Duration) -> Self {
        Self {
            ends: Some((after, CommandResult::Succeeded)),
            gone: None,
        }
    }

    pub(super) fn hangs() -> Self {
        Self {
            ends: None,
            gone: None,
        }
    }
}

/// Does the kernel report the daemon's own probes, too?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Echo {
    No,
    BeforeTheProbeEnds,
    AfterTheProbeEnded,
}

/// What the daemon can see of what a start began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sight {
    /// Whether something of it lives.
    Good,
    /// That it can't be seen.
    Bad,
    /// Not even that.
    None,
}

/// When the command that parks ends, and how; `None`: it hangs.
pub(super) type Park = Option<(Duration, CommandResult)>;

/// A whole world's script.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) settings: Settings,
    /// The machine's uptime when the world begins.
    pub(super) boot: Duration,
    pub(super) primary: Vec<(Duration, Primary)>,
    /// The last one is repeated for ever, here and below.
    pub(super) starts: Vec<Start>,
    pub(super) stops: Vec<Stop>,
    /// From when on, how ready the local gateway must be kept, and whether one can be parked here.
    pub(super) standby: Vec<(Duration, StandbyMode, bool)>,
    /// What each run of the command that parks does.
    pub(super) parks: Vec<Park>,
    /// What a start does that continues a parked gateway.
    pub(super) goes_on: Start,
    /// How the command that ends a parked gateway ends, and when; `None`: it hangs.
    pub(super) discards: Vec<Option<(Duration, CommandResult)>>,
    /// What becomes of a parked gateway, and is seen.
    pub(super) parking: Vec<(Duration, ParkingObservation)>,
    /// How long the gateway's process lives on when a stop has closed its port.
    pub(super) lingers: Duration,
    /// How long a killed command takes to go.
    pub(super) dying: Duration,
    /// What can be seen of what a start began.
    pub(super) sight: Sight,
    /// How long the local gateway listens before it first answers.
    pub(super) answers_after: Duration,
    /// How the fence command ends, and when; `None`: it hangs.
    pub(super) fences: Vec<Option<(Duration, CommandResult)>>,
    /// How many witnesses answer from when on; `None`: the round never ends.
    pub(super) witnesses: Vec<(Duration, Option<u32>)>,
    /// Which the default routers are from when on.
    pub(super) routers: Vec<(Duration, Vec<DefaultRouter>)>,
    /// Do they answer pings, from when on?
    pub(super) pings: Vec<(Duration, bool)>,
    /// The connection of the last good probe stays open, and its break is reported.
    pub(super) tripwire: bool,
    pub(super) echo: Echo,
    pub(super) evidence: Vec<(Duration, Evidence)>,
    /// Somebody else starts or stops the local gateway.
    pub(super) by_hand: Vec<(Duration, PortObservation)>,
    pub(super) orders: Vec<(Duration, Order)>,
    /// From when on the primary says that it drains, or no longer.
    pub(super) drains: Vec<(Duration, bool)>,
    /// What the guard on the primary's host says, from when on.
    pub(super) guard: Vec<(Duration, GuardObservation)>,
    /// From when on the local gateway that listens then doesn't answer, or does.
    pub(super) hangs: Vec<(Duration, bool)>,
    /// When the daemon first looks at the local port.
    pub(super) first_look: Duration,
    /// From when until when the daemon gets no time at all.
    pub(super) stalls: Vec<(Duration, Duration)>,
    /// How late the daemon's timer is, over and over.
    pub(super) lateness: Vec<Duration>,
}

impl Script {
    /// A primary that answers, commands that work, a driver that is never late.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            boot: Duration::from_secs(1000),
            primary: vec![(ms(0), ANSWERS)],
            starts: vec![Start::works(ms(2000))],
            stops: vec![Stop::works(ms(1000))],
            standby: Vec::new(),
            parks: vec![Some((ms(15_000), CommandResult::Succeeded))],
            goes_on: Start::works(ms(11)),
            discards: vec![Some((ms(100), CommandResult::Succeeded))],
            parking: Vec::new(),
            lingers: ms(0),
            dying: ms(20),
            sight: Sight::Good,
            answers_after: ms(0),
            fences: vec![Some((ms(500), CommandResult::Succeeded))],
            witnesses: vec![(ms(0), Some(1))],
            routers: vec![(ms(0), vec![router(1)])],
            pings: vec![(ms(0), true)],
            tripwire: false,
            echo: Echo::No,
            evidence: Vec::new(),
            by_hand: Vec::new(),
            orders: Vec::new(),
            drains: Vec::new(),
            guard: Vec::new(),
            hangs: Vec::new(),
            first_look: ms(0),
            stalls: Vec::new(),
            lateness: vec![ms(0)],
        }
    }

    pub(super) fn mission() -> Self {
        Self::new(mission())
    }

    pub(super) fn primary<const N: usize>(self, primary: [(Duration, Primary); N]) -> Self {
        Self {
            primary: primary.into(),
            ..self
        }
    }

    pub(super) fn starts<const N: usize>(self, starts: [Start; N]) -> Self {
        Self {
            starts: starts.into(),
            ..self
        }
    }

    pub(super) fn stops<const N: usize>(self, stops: [Stop; N]) -> Self {
        Self {
            stops: stops.into(),
            ..self
        }
    }

    /// This machine can park, and keeps the gateway this ready.
    pub(super) fn standby(self, mode: StandbyMode) -> Self {
        Self {
            standby: vec![(ms(0), mode, true)],
            ..self
        }
    }

    pub(super) fn parks<const N: usize>(self, parks: [Park; N]) -> Self {
        Self {
            parks: parks.into(),
            ..self
        }
    }

    pub(super) fn parking<const N: usize>(
        self,
        parking: [(Duration, ParkingObservation); N],
    ) -> Self {
        Self {
            parking: parking.into(),
            ..self
        }
    }

    pub(super) fn sight(self, sight: Sight) -> Self {
        Self { sight, ..self }
    }

    pub(super) fn answers_after(self, answers_after: Duration) -> Self {
        Self {
            answers_after,
            ..self
        }
    }

    pub(super) fn lingers(self, lingers: Duration) -> Self {
        Self { lingers, ..self }
    }

    pub(super) fn fences<const N: usize>(
        self,
        fences: [Option<(Duration, CommandResult)>; N],
    ) -> Self {
        Self {
            fences: fences.into(),
            ..self
        }
    }

    pub(super) fn witnesses<const N: usize>(self, witnesses: [(Duration, Option<u32>); N]) -> Self {
        Self {
            witnesses: witnesses.into(),
            ..self
        }
    }

    /// Which the default routers are then.
    pub(super) fn routers_at(&self, now: Duration) -> &[DefaultRouter] {
        let mut routers = self.routers.iter().rev();
        let routers = routers.find(|(from, _)| *from <= now);
        routers.map_or(&[], |(_, routers)| routers)
    }

    pub(super) fn pings<const N: usize>(self, pings: [(Duration, bool); N]) -> Self {
        Self {
            pings: pings.into(),
            ..self
        }
    }

    pub(super) fn routers<const N: usize>(
        self,
        routers: [(Duration, Vec<DefaultRouter>); N],
    ) -> Self {
        Self {
            routers: routers.into(),
            ..self
        }
    }

    pub(super) fn tripwire(self) -> Self {
        Self {
            tripwire: true,
            ..self
        }
    }

    pub(super) fn evidence(self, evidence: impl IntoIterator<Item = (Duration, Evidence)>) -> Self {
        Self {
            evidence: evidence.into_iter().collect(),
            ..self
        }
    }

    pub(super) fn by_hand<const N: usize>(self, by_hand: [(Duration, PortObservation); N]) -> Self {
        Self {
            by_hand: by_hand.into(),
            ..self
        }
    }

    pub(super) fn orders<const N: usize>(self, orders: [(Duration, Order); N]) -> Self {
        Self {
            orders: orders.into(),
            ..self
        }
    }

    pub(super) fn hangs<const N: usize>(self, hangs: [(Duration, bool); N]) -> Self {
        Self {
            hangs: hangs.into(),
            ..self
        }
    }

    pub(super) fn first_look(self, first_look: Duration) -> Self {
        Self { first_look, ..self }
    }

    pub(super) fn stall(mut self, from: Duration, until: Duration) -> Self {
        self.stalls.push((from, until));
        self
    }

    pub(super) fn lateness<const N: usize>(self, lateness: [Duration; N]) -> Self {
        Self {
            lateness: lateness.into(),
            ..self
        }
    }

    /// The world, played until this time. Where what comes in one moment is handed in together the same
    /// commands are run at the same times.
    pub(super) fn play(self, until: Duration) -> World {
        let together = self.clone().play_together(until);
        let world = self.play_one_by_one(until);
        let runs = [&world, &together].map(|world| (world.journal().commands(), world.state()));
        assert_eq!(runs[0], runs[1], "one by one, and together");
        world
    }

    /// The world, played until this time, with what comes in one moment handed in together.
    pub(super) fn play_together(self, until: Duration) -> World {
        World::new(self).together().played(until)
    }

    /// The same, event by event.
    pub(super) fn play_one_by_one(self, until: Duration) -> World {
        World::new(self).played(until)
    }
}
