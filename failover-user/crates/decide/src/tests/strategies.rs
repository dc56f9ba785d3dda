//! Random settings and random worlds: absurd, but with causes before effects.

use std::{num::NonZeroU32, ops::Range, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        Begun, CommandResult, DefaultRouter, Demand, Evidence, Flapping, Gone, GuardObservation,
        GuardRules, HostLoss, OnCrash, Order, ParkingObservation, PortObservation, PrimaryGateway,
        Settings, StandbyMode, Time,
    },
    ms, s,
    script::{ANSWERS, Echo, Primary, Script, Sight, Start, Stop, primary_as_router, router},
};

/// A few cases with many events each. A failure prints its seed and its smallest script, and becomes a
/// scenario, so no regression files are kept.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn millis(range: Range<u64>) -> impl Strategy<Value = Duration> + Clone {
    range.prop_map(ms)
}

pub(super) fn settings() -> impl Strategy<Value = Settings> {
    let interval = prop_oneof![Just(30_000_u64), 100..60_000_u64];
    (interval, 1..=100_u64, 1..=100_u64, 1..6_u32).prop_flat_map(
        |(interval, timeout, recovery, strikes)| {
            let part = move |percent: u64| ms((interval * percent / 100).max(100));
            let patience = || millis(100..90_000);
            let patience = (patience(), patience(), patience());
            let gates = (any::<bool>(), any::<bool>(), guard_rules());
            let all = (patience, judgement(), gates, 1..=100_u64);
            all.prop_map(move |(patience, judgement, gates, confirm)| {
                let (start_timeout, stop_timeout, fence_timeout) = patience;
                let (witnesses, fence, veto_limit, flapping) = judgement;
                let (witness_quorum, named_witnesses, router_is_witness) = witnesses;
                let (watch_gateway, needs_arming, guard) = gates;
                Settings {
                    interval: ms(interval),
                    recovery_interval: part(recovery),
                    timeout: part(timeout),
                    strikes: NonZeroU32::new(strikes).unwrap(),
                    start_timeout,
                    stop_timeout,
                    confirm_interval: part(confirm),
                    witness_quorum,
                    named_witnesses,
                    router_is_witness,
                    fence,
                    fence_timeout,
                    veto_limit,
                    watch_gateway,
                    needs_arming,
                    flapping,
                    guard,
                }
            })
        },
    )
}

/// Each rule is on in half of the cases.
fn judgement() -> impl Strategy<Value = ((u32, u32, bool), Demand, u32, Option<Flapping>)> {
    let fences = vec![
        Demand::None,
        Demand::None,
        Demand::Optional,
        Demand::Required,
    ];
    let needed = (1..12_u32).prop_map(|needed| NonZeroU32::new(needed).unwrap());
    let flapping = (
        millis(100..1_000_000),
        millis(100..4_000_000),
        vec(needed, 1..4),
        millis(100..10_000),
    )
        .prop_map(|(window, quiet, successes, interval)| Flapping {
            window,
            quiet,
            successes,
            interval,
        });
    let witnesses = (
        prop_oneof![Just(0), 1..3_u32],
        prop_oneof![Just(u32::MAX), 0..3_u32],
        any::<bool>(),
    );
    (
        witnesses,
        prop::sample::select(fences),
        prop_oneof![Just(0), 1..5_u32],
        prop::option::of(flapping),
    )
}

fn guard_rules() -> impl Strategy<Value = GuardRules> {
    (any::<bool>(), any::<bool>(), millis(100..60_000)).prop_map(
        |(fast, take_over, restart_time)| GuardRules {
            host_loss: if fast {
                HostLoss::Fast
            } else {
                HostLoss::Strikes
            },
            on_crash: if take_over {
                OnCrash::TakeOver
            } else {
                OnCrash::Wait
            },
            restart_time,
        },
    )
}

pub(super) fn guard() -> impl Strategy<Value = GuardObservation> + Clone {
    let heard = GuardObservation::Heard;
    prop::sample::select(vec![
        GuardObservation::None,
        heard(PrimaryGateway::Unknown),
        heard(PrimaryGateway::Serves),
        heard(PrimaryGateway::Ends),
        heard(PrimaryGateway::Restarting),
        heard(PrimaryGateway::Ended),
        heard(PrimaryGateway::Stopped),
        GuardObservation::Missing,
        GuardObservation::Silent,
    ])
}

pub(super) fn evidence() -> impl Strategy<Value = Evidence> + Clone {
    prop::sample::select(vec![
        Evidence::Refused,
        Evidence::Reset,
        Evidence::TimedOut,
        Evidence::Closed,
        Evidence::Established,
        Evidence::Acknowledged,
    ])
}

/// One that stays, mostly; none, another one, two, or one that is the primary.
pub(super) fn routers() -> impl Strategy<Value = Vec<DefaultRouter>> {
    prop_oneof![
        3 => Just(vec![router(1)]),
        1 => Just(vec![]),
        1 => Just(vec![router(2)]),
        1 => Just(vec![router(1), router(2)]),
        1 => Just(vec![primary_as_router(1)]),
        1 => Just(vec![primary_as_router(3)]),
    ]
}

pub(super) fn begun() -> impl Strategy<Value = Begun> {
    prop::sample::select(vec![Begun::Alive, Begun::Gone, Begun::Unknown])
}

pub(super) fn gateway() -> impl Strategy<Value = PortObservation> {
    prop::sample::select(vec![
        PortObservation::Absent,
        PortObservation::Terminating,
        PortObservation::Listening,
        PortObservation::Foreign,
    ])
}

pub(super) fn standby() -> impl Strategy<Value = StandbyMode> {
    prop::sample::select(StandbyMode::ALL.to_vec())
}

pub(super) fn parked() -> impl Strategy<Value = ParkingObservation> + Clone {
    prop::sample::select(vec![
        ParkingObservation::Absent,
        ParkingObservation::Parked,
        ParkingObservation::Outdated,
        ParkingObservation::Broken,
    ])
}

/// An order at this time.
pub(super) fn order(now: Duration) -> impl Strategy<Value = Order> {
    let until = move |span: Duration| Time::from_boot(now) + span;
    prop_oneof![
        prop::option::of(millis(0..200_000)).prop_map(move |span| Order::Pause {
            until: span.map(until)
        }),
        Just(Order::Resume),
        Just(Order::Drill),
        any::<bool>().prop_map(|force| Order::TakeOver { force }),
        prop::option::of(millis(0..200_000)).prop_map(move |span| Order::Release {
            hold_until: span.map(until)
        }),
    ]
}

pub(super) fn result() -> impl Strategy<Value = CommandResult> {
    prop_oneof![
        Just(CommandResult::Succeeded),
        Just(CommandResult::Failed { code: 1 }),
        Just(CommandResult::Signalled { signal: 15 }),
        Just(CommandResult::NotRun {
            reason: "no such file".to_owned()
        }),
        Just(CommandResult::Abandoned),
    ]
}

fn primary() -> impl Strategy<Value = Primary> {
    let after = || prop_oneof![Just(ms(0)), millis(0..3), millis(0..8000)];
    prop_oneof![
        3 => after().prop_map(|after| Primary::Answers { after }),
        3 => after().prop_map(|after| Primary::Refuses { after }),
        2 => Just(Primary::Silent),
        1 => Just(Primary::Hangs),
        1 => after().prop_map(|after| Primary::Unreachable { after }),
        1 => after().prop_map(|after| Primary::Unknown { after }),
        2 => (after(), any::<bool>()).prop_map(|(after, moved)| Primary::Gone {
            gone: if moved { Gone::Address } else { Gone::Path },
            after,
        }),
    ]
}

fn start() -> impl Strategy<Value = Start> {
    let soon = || prop_oneof![millis(0..100), millis(0..100_000)];
    (
        prop::option::weighted(0.7, (soon(), result())),
        prop::option::weighted(0.6, soon()),
        prop::option::weighted(0.3, soon()),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        prop_oneof![Just(ms(0)), soon(), Just(Duration::MAX)],
    )
        .prop_map(|(ends, listens, dies, foreground, survives, lives)| Start {
            ends,
            listens,
            dies,
            foreground,
            survives,
            lives,
        })
}

fn stop() -> impl Strategy<Value = Stop> {
    let soon = || prop_oneof![millis(0..100), millis(0..30_000)];
    (
        prop::option::weighted(0.7, (soon(), result())),
        prop::option::weighted(0.6, soon()),
    )
        .prop_map(|(ends, gone)| Stop { ends, gone })
}

/// Moments in the order of time, on average `gap` apart, each with something.
fn timeline<T: Clone + std::fmt::Debug>(
    gap: Duration,
    what: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = Vec<(Duration, T)>> {
    vec((0.0..2.0_f64, what), 0..most).prop_map(move |steps| {
        let mut at = Duration::ZERO;
        steps
            .into_iter()
            .map(|(factor, what)| {
                at += gap.mul_f64(factor);
                (at, what)
            })
            .collect()
    })
}

/// How long a random world's script is at least interesting.
pub(super) fn horizon(settings: &Settings) -> Duration {
    settings.interval * 20
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    settings().prop_flat_map(|settings| {
        let interval = settings.interval;
        let driver = (
            prop_oneof![
                Just(vec![ms(0)]),
                vec(prop_oneof![3 => millis(0..3), 1 => millis(0..40)], 1..5),
            ],
            timeline(interval * 8, 0.0..5.0_f64, 3),
            millis(0..5),
            millis(0..3000),
            millis(0..400_000_000),
        );
        let echo = prop::sample::select(vec![
            Echo::No,
            Echo::BeforeTheProbeEnds,
            Echo::AfterTheProbeEnded,
        ]);
        let news = (any::<bool>(), echo, news(interval));
        let judges = (
            vec(
                prop::option::weighted(0.8, (millis(0..100_000), result())),
                1..4,
            ),
            timeline(interval * 4, prop::option::weighted(0.8, 0..4_u32), 6),
            timeline(interval * 6, routers(), 4),
            timeline(interval * 4, any::<bool>(), 4),
        );
        let parking = (
            timeline(interval * 6, (standby(), prop::bool::weighted(0.8)), 4),
            vec(
                prop::option::weighted(0.8, (millis(0..100_000), result())),
                1..4,
            ),
            prop_oneof![2 => Just(Start::works(ms(11))), 1 => start()],
            vec(
                prop::option::weighted(0.8, (millis(0..30_000), result())),
                1..4,
            ),
            timeline(interval * 4, parked(), 4),
        );
        let meddling = (
            timeline(interval * 6, gateway(), 4),
            timeline(interval * 6, order(s(1000) + interval * 12), 4),
            timeline(interval * 4, any::<bool>(), 4),
            timeline(interval * 4, any::<bool>(), 4),
            prop_oneof![Just(Vec::new()), timeline(interval * 3, guard(), 12)],
        );
        (
            timeline(interval * 3, primary(), 12),
            vec(start(), 1..6),
            (
                vec(stop(), 1..6),
                prop_oneof![Just(ms(0)), millis(0..30_000)],
                prop_oneof![Just(ms(0)), millis(0..200_000)],
                prop::sample::select(vec![Sight::Good, Sight::Good, Sight::Bad, Sight::None]),
            ),
            meddling,
            news,
            (driver, judges, parking),
        )
            .prop_map(move |(primary, starts, stops, meddling, news, driver)| {
                let (stops, lingers, answers_after, sight) = stops;
                let (by_hand, orders, hangs, drains, guard) = meddling;
                let (driver, (fences, witnesses, routers, pings), parking) = driver;
                let (standby, parks, goes_on, discards, parking) = parking;
                let (tripwire, echo, evidence) = news;
                let (lateness, stalls, first_look, dying, boot) = driver;
                let stall = |(from, factor): (Duration, f64)| {
                    // Half a millisecond: never at the same instant as something planned.
                    (
                        from,
                        from + interval.mul_f64(factor) + Duration::from_micros(500),
                    )
                };
                Script {
                    settings: settings.clone(),
                    boot,
                    primary: [(s(0), ANSWERS)].into_iter().chain(primary).collect(),
                    starts,
                    stops,
                    standby: standby
                        .into_iter()
                        .map(|(at, (mode, can_park))| (at, mode, can_park))
                        .collect(),
                    parks,
                    goes_on,
                    discards,
                    parking,
                    lingers,
                    dying,
                    sight,
                    answers_after,
                    fences,
                    witnesses: [(s(0), Some(1))].into_iter().chain(witnesses).collect(),
                    routers,
                    pings: [(s(0), true)].into_iter().chain(pings).collect(),
                    tripwire,
                    echo,
                    evidence,
                    by_hand,
                    orders,
                    drains,
                    guard,
                    hangs,
                    first_look,
                    stalls: stalls.into_iter().map(stall).collect(),
                    lateness,
                }
            })
    })
}

/// Single events now and then, or a burst.
pub(super) fn news(interval: Duration) -> impl Strategy<Value = Vec<(Duration, Evidence)>> {
    prop_oneof![
        timeline(interval, evidence(), 20),
        (timeline(interval / 40, evidence(), 200), 0.0..10.0_f64).prop_map(
            move |(storm, begins)| {
                storm
                    .into_iter()
                    .map(|(at, evidence)| (interval.mul_f64(begins) + at, evidence))
                    .collect()
            }
        ),
    ]
}
