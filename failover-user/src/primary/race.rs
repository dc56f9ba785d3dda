//! Tries several addresses of one host concurrently: Happy Eyeballs (RFC 8305).

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{task::JoinSet, time::timeout};

/// Delay before the next address is tried concurrently (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// RFC 8305 requires at least 10 ms, but each address must get its turn within the timeout.
const SHORTEST_STAGGER: Duration = Duration::from_millis(1);

/// How a race ended.
#[derive(Debug)]
pub(crate) enum Raced<T> {
    /// The first good result.
    Won(T),
    /// No result is good: those that have ended, in the order of the addresses.
    Lost(Vec<T>),
}

/// Tries the addresses until one is good. The next attempt begins when the one before it has failed, or after
/// the delay: all have begun after half of the time. An attempt has to end by itself; those that are no longer
/// needed are cancelled.
pub(crate) async fn race<T, A>(
    addresses: &[SocketAddr],
    within: Duration,
    attempt: impl Fn(SocketAddr) -> A,
    is_good: impl Fn(&T) -> bool,
) -> Raced<T>
where
    T: Send + 'static,
    A: Future<Output = T> + Send + 'static,
{
    let addresses = mixed(addresses);
    if let [address] = *addresses {
        let ended = attempt(address).await;
        return match is_good(&ended) {
            true => Raced::Won(ended),
            false => Raced::Lost(vec![ended]),
        };
    }
    let stagger = stagger(addresses.len(), within);
    let mut attempts = JoinSet::new();
    let mut lost = Vec::new();
    let mut rest = addresses.into_iter().enumerate();
    loop {
        let next = rest.next();
        let is_last = next.is_none();
        if let Some((place, address)) = next {
            let attempt = attempt(address);
            attempts.spawn(async move { (place, attempt.await) });
        }
        let ended = match is_last {
            true => attempts.join_next().await,
            false => match timeout(stagger, attempts.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
        };
        match ended {
            Some(Ok((_, ended))) if is_good(&ended) => return Raced::Won(ended),
            Some(Ok(failed)) => lost.push(failed),
            Some(Err(error)) => tracing::error!(%error, "an attempt was lost"),
            None => {
                lost.sort_by_key(|(place, _)| *place);
                return Raced::Lost(lost.into_iter().map(|(_, failed)| failed).collect());
            }
        }
    }
}

fn stagger(count: usize, within: Duration) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    STAGGER
        .min(within / count.saturating_mul(2))
        .max(SHORTEST_STAGGER)
}

/// Alternates the address families, beginning with that of the first (RFC 8305, section 4); each family keeps
/// its order. Duplicates are removed.
fn mixed(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut mixed = Vec::with_capacity(addresses.len());
    let is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (mut same, other): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address| address.is_ipv4() == is_v4);
    let mut other = other.into_iter();
    for address in same.drain(..) {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    let mut seen = Vec::with_capacity(mixed.len());
    mixed.retain(|address| {
        let is_new = !seen.contains(address);
        seen.push(*address);
        is_new
    });
    mixed
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::{collection::vec, prelude::*};
    use tokio::time::{Instant, sleep};

    use super::*;

    fn v4(host: u8) -> SocketAddr {
        ([192, 0, 2, host], 1).into()
    }

    fn v6(host: u16) -> SocketAddr {
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, host], 1).into()
    }

    #[test]
    fn families_take_turns_and_no_address_comes_twice() {
        let found = [v6(1), v6(2), v6(3), v6(1), v4(1), v4(2)];
        assert_eq!(mixed(&found), [v6(1), v4(1), v6(2), v4(2), v6(3)]);
        assert_eq!(mixed(&[v4(1), v6(1), v6(2)]), [v4(1), v6(1), v6(2)]);
        assert_eq!(mixed(&[]), []);
    }

    /// How an address behaves: after how long, and well?
    type Behaviour = (u64, bool);

    /// Plays a race; says who won, if anybody, after how long, and who was tried when.
    fn played(
        within: u64,
        behaviours: Vec<Behaviour>,
    ) -> (Option<usize>, Duration, Vec<(usize, Duration)>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let begun = Instant::now();
            let tried = Arc::new(Mutex::new(Vec::new()));
            let addresses: Vec<SocketAddr> = (0..behaviours.len())
                .map(|number| v6(u16::try_from(number).unwrap()))
                .collect();
            let (record, known) = (Arc::clone(&tried), addresses.clone());
            let attempt = move |address| {
                let number = known.iter().position(|one| *one == address).unwrap();
                record.lock().unwrap().push((number, begun.elapsed()));
                let (takes, good) = behaviours[number];
                async move {
                    sleep(Duration::from_millis(takes)).await;
                    (number, good)
                }
            };
            let within = Duration::from_millis(within);
            let raced = race(&addresses, within, attempt, |(_, good)| *good).await;
            let won = match raced {
                Raced::Won((number, _)) => Some(number),
                Raced::Lost(all) => {
                    let order: Vec<usize> = all.iter().map(|(number, _)| *number).collect();
                    assert_eq!(order, (0..addresses.len()).collect::<Vec<_>>());
                    None
                }
            };
            let tried = tried.lock().unwrap().clone();
            (won, begun.elapsed(), tried)
        })
    }

    /// Tolerance for a loaded machine.
    const LATE: Duration = Duration::from_secs(5);

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

        /// Whatever the others do, one that answers is found, and none is tried twice or out of turn.
        #[test]
        fn one_good_address_among_any_is_found(
            within in 2..60_u64,
            mut behaviours in vec((prop_oneof![0..30_u64, Just(3_600_000)], any::<bool>()), 1..33),
            good in any::<prop::sample::Index>(),
        ) {
            let good = good.index(behaviours.len());
            behaviours[good] = (1, true);
            let (won, took, tried) = played(within, behaviours);
            prop_assert!(won.is_some());
            prop_assert!(took < LATE, "{took:?}");
            let order: Vec<usize> = tried.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(&order, &(0..order.len()).collect::<Vec<_>>());
        }

        #[test]
        fn where_none_is_good_each_is_tried_once(
            within in 2..60_u64,
            behaviours in vec(0..30_u64, 1..33),
        ) {
            let count = behaviours.len();
            let behaviours = behaviours.into_iter().map(|takes| (takes, false)).collect();
            let (won, _, tried) = played(within, behaviours);
            prop_assert_eq!(won, None);
            prop_assert_eq!(tried.len(), count);
        }

        /// All have begun after half of the time, however many there are.
        #[test]
        fn the_last_address_begins_before_half_of_the_time_is_over(
            count in 1..33_usize,
            within in 64..60_000_u64,
        ) {
            let within = Duration::from_millis(within);
            let begun = stagger(count, within) * u32::try_from(count).unwrap();
            prop_assert!(begun <= within / 2, "{begun:?}");
        }
    }

    #[test]
    fn the_next_address_waits_for_a_quarter_of_a_second_at_most_and_for_a_failure_not_at_all() {
        const NEVER: u64 = 3_600_000;
        let (won, took, tried) = played(60_000, vec![(NEVER, true), (1, true)]);
        assert_eq!((won, tried.len()), (Some(1), 2));
        assert!(took >= STAGGER && took < STAGGER + LATE, "{took:?}");
        let (won, _, tried) = played(60_000, vec![(1, false), (1, true), (1, true)]);
        assert_eq!(won, Some(1));
        assert!(tried.len() == 2, "{tried:?}");
        // A short timeout leaves less.
        assert_eq!(
            stagger(2, Duration::from_millis(200)),
            Duration::from_millis(50)
        );
        assert_eq!(stagger(2, Duration::from_secs(5)), STAGGER);
    }
}
