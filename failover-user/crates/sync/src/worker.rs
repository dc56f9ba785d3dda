//! Carries out an order: the whole of what a process of the gateway's account does. What came of it is the answer;
//! nothing here ends the process, and nothing takes longer than the order's limit but the renames of a placement.

use std::time::Instant;

use crate::{
    differences,
    failure::Failure,
    feed,
    hand_back::{self, Served},
    outcome::Outcome,
    place, round,
    spec::{Order, Spec},
    store::Store,
    supported, verify,
};

/// Carries out an order.
#[must_use]
pub fn run(spec: &Spec) -> Outcome {
    let deadline = Instant::now() + spec.limits.within;
    let mut spec = spec.clone();
    // What waits or is kept within a tree is no part of it.
    spec.state.exclude.push(format!("{}/", place::AREA));
    carry_out(&spec, deadline).unwrap_or_else(Outcome::from)
}

fn carry_out(spec: &Spec, deadline: Instant) -> Result<Outcome, Failure> {
    let store = Store::open(&spec.store)?;
    match &spec.order {
        Order::Look => look(spec, &store),
        Order::Place { number, keep } => place::place(spec, &store, *number, *keep, deadline),
        Order::Feed => feed::feed(spec, &store, deadline),
        Order::Learn => supported::learn(spec, &store, deadline),
        Order::Settle => place::settle(spec, &store),
        Order::Verify => verify::verify(&store, deadline),
        Order::Differences => differences::differences(spec, &store, deadline),
        Order::Round => round::run(spec, &store, deadline),
        Order::HandBack {
            epoch,
            since,
            chosen,
        } => {
            let served = Served {
                epoch,
                since: *since,
            };
            hand_back::hand_back(spec, &store, served, *chosen, deadline)
        }
    }
}

fn look(spec: &Spec, store: &Store) -> Result<Outcome, Failure> {
    let installed = supported::installed(spec, store)?;
    let place::Choice { chosen, refused } = place::choose(store, &installed, None)?;
    Ok(Outcome::Store {
        generations: store.generations()?,
        in_place: store.placement()?.in_place,
        kept: place::kept(spec, store)?,
        refused,
        fit: chosen.map(|(_, fit)| fit),
    })
}
