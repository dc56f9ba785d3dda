//! Which witnesses answered, and what no longer counts once they do: probes that failed without a network may
//! have failed for that reason.

use super::{
    books::Books,
    violation::{Invariant, Violations},
};
use crate::{DefaultRouter, RoundId, RouterId, Time};

impl Books {
    /// The default routers were looked up.
    pub(super) fn routers_found(&mut self, routers: &[DefaultRouter]) {
        let before = self.needed();
        self.routers = routers.to_vec();
        self.replaced = self.are_replaced();
        self.count_again(before);
    }

    /// They were pinged while the primary was healthy.
    pub(super) fn routers_answered(&mut self, answered: &[RouterId]) {
        if !self.settings.router_is_witness {
            return;
        }
        let before = self.needed();
        self.doubted = answered.is_empty();
        if !answered.is_empty() {
            self.proven = answered.to_vec();
        }
        self.replaced = self.are_replaced();
        self.count_again(before);
    }

    /// They are pinged although no takeover needs them now.
    pub(super) fn routers_pinged(&self, now: Time, violations: &mut Violations) {
        violations.unless(
            self.settings.router_is_witness && self.success == Some(now),
            Invariant::RouterPings,
            || format!("the primary answered at {:?}", self.success),
        );
    }

    /// The primary has answered, so a silent router doesn't answer pings; and other routers that are there now
    /// lead to the primary.
    pub(super) fn routers_are_judged(&mut self) {
        if self.replaced || self.doubted {
            self.proven.clear();
        }
        (self.replaced, self.doubted) = (false, false);
    }

    /// Are the routers that have answered replaced by others?
    fn are_replaced(&self) -> bool {
        let is_there = |router: &DefaultRouter| self.proven.contains(&router.id);
        !self.routers.is_empty() && !self.routers.iter().any(is_there)
    }

    /// If another number has to answer, the last round is void.
    fn count_again(&mut self, before: u32) {
        if self.needed() == before {
            return;
        }
        if let Some((.., Some(answered))) = &mut self.witnesses {
            *answered = 0;
        }
        if self.isolated.take().is_some() {
            self.reconnected();
        }
    }

    /// A round of witness queries begins.
    pub(super) fn witnesses_asked(&mut self, now: Time, round: RoundId) {
        if let Some((_, asked, None)) = self.witnesses {
            // The last round never ended.
            self.isolated = Some(asked);
        }
        self.witnesses = Some((round, now, None));
    }

    pub(super) fn witnesses_answered(&mut self, now: Time, round: RoundId, answered: u32) {
        let needed = self.needed();
        let Some((asked, at, answer @ None)) = &mut self.witnesses else {
            return;
        };
        if *asked != round {
            return;
        }
        *answer = Some(answered);
        if answered < needed {
            self.isolated = Some(*at);
            return;
        }
        self.connected = Some(now);
        if self.isolated.take().is_some() {
            self.reconnected();
        }
    }

    /// Probes that have failed until now, and the one in flight, may fail for that reason.
    fn reconnected(&mut self) {
        self.failures.clear();
        self.distrusted = self.probe.map(|(probe, ..)| probe);
        self.outdate_fence();
    }

    pub(super) fn nobody_was_asked(&mut self) {
        self.isolated = None;
        self.witnesses = None;
    }

    /// The round of witness queries in flight.
    pub(super) fn round(&self) -> Option<RoundId> {
        self.witnesses
            .and_then(|(round, _, answered)| answered.is_none().then_some(round))
    }

    /// How many witnesses have to answer.
    pub(super) fn needed(&self) -> u32 {
        self.needed_by(&self.proven, &self.routers)
    }

    /// The same with these routers: one that has answered counts, unless it is the primary.
    pub(super) fn needed_by(&self, proven: &[RouterId], routers: &[DefaultRouter]) -> u32 {
        let is_primary = |id: &RouterId| {
            let mut primaries = routers.iter().filter(|router| router.is_primary);
            primaries.any(|router| router.id == *id)
        };
        let counts = self.settings.router_is_witness && proven.iter().any(|id| !is_primary(id));
        let counting = self.settings.named_witnesses.saturating_add(counts.into());
        self.settings.witness_quorum.min(counting)
    }
}
