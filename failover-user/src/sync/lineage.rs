//! What the local gateway has served with, and whose changes nobody else has: what must survive a restart, as one value.
//! Pure; who serves and what a round brings is passed in.

use clap::ValueEnum;
use jiff::Timestamp;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use failover_sync::{
    generation::{Manifest, Number},
    lineage::{Epoch, Relation, compare},
};

use crate::{named::Named, sync::checked::ID_BYTES};

/// What must survive.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Lineage {
    /// What the local gateway served with last.
    #[serde(default)]
    pub(crate) served: Option<Served>,
    /// An earlier time, whose changes the primary lacks, and nobody has chosen a side since.
    #[serde(default)]
    pub(crate) undecided: Option<Served>,
    /// The newest copy when an operator put an older one in place: a takeover begins with that, until there is a newer one.
    #[serde(default)]
    pub(crate) passed_over: Option<Number>,
    /// The side that an operator has chosen.
    #[serde(default)]
    pub(crate) choice: Option<Side>,
}

/// A time in which the local gateway served: from its start on, until another gateway has its changes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Served {
    /// Names its changes.
    pub(crate) epoch: Epoch,
    /// The copy that it began with; `None`: what PC-B had of its own.
    pub(crate) base: Option<Base>,
    pub(crate) since: Timestamp,
    /// When the primary got its changes.
    #[serde(default)]
    pub(crate) handed_back: Option<Timestamp>,
    /// The primary was offered its changes, and may have them.
    #[serde(default)]
    pub(crate) is_offered: bool,
}

/// A generation that a gateway was started with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Base {
    pub(crate) number: Number,
    /// What the primary said of its state then.
    pub(crate) token: String,
    /// When it was copied.
    pub(crate) taken: Timestamp,
}

/// A side whose state is to stay.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// PC-A's.
    PcA,
    /// PC-B's.
    PcB,
}

impl Named for Side {
    const ALL: &'static [Self] = &[Self::PcA, Self::PcB];

    fn name(self) -> &'static str {
        match self {
            Self::PcA => "pc-a",
            Self::PcB => "pc-b",
        }
    }
}

/// What may be done with the local tree before a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LocalTree {
    /// Everything in it is the primary's as well.
    Replaceable,
    /// It has changes that nobody else has: a newer copy of the primary's goes in its place, and it is kept aside.
    KeptAside,
    /// It is the newest there is.
    Newest,
}

impl Served {
    /// Has the primary changed since this time began? What it changed before that and what never came here is no reason
    /// to ask an operator: it is lost already, and stays in the primary's kept tree.
    fn has_primary_changed(&self, newest: &Manifest) -> bool {
        let is_another = |base: &Base| base.token != newest.token;
        let is_later = newest.changed.is_none_or(|changed| changed > self.since);
        self.base.as_ref().is_none_or(is_another) && (self.base.is_none() || is_later)
    }
}

impl Lineage {
    /// How the primary's newest state compares with what was served here.
    pub(crate) fn relation(&self, newest: &Manifest) -> Relation {
        let unshared = self.unshared();
        let changed = unshared.is_none_or(|served| served.has_primary_changed(newest));
        compare(&newest.epoch, unshared.map(|served| &served.epoch), changed)
    }

    /// Have both sides changed, and nobody has chosen?
    pub(crate) fn is_split(&self, newest: Option<&Manifest>) -> bool {
        let is_split = newest.is_some_and(|newest| self.relation(newest) == Relation::BothChanged);
        self.choice.is_none() && (is_split || self.undecided.is_some())
    }

    /// Is the local tree what the local gateway has served with, and nobody else has? Not after another copy was put in
    /// its place: then it is kept aside.
    fn is_in_place(&self, in_place: Option<Number>) -> bool {
        self.unshared()
            .is_some_and(|served| served.base.as_ref().map(|base| base.number) == in_place)
    }

    /// What may be done with the local tree, where this is the newest copy.
    pub(crate) fn local_tree(&self, newest: &Manifest, in_place: Option<Number>) -> LocalTree {
        if !self.is_in_place(in_place) {
            return LocalTree::Replaceable;
        }
        match (self.relation(newest), self.choice) {
            (Relation::PrimaryIsNewer, _) => LocalTree::Replaceable,
            (Relation::LocalIsNewer, _) | (Relation::BothChanged, Some(Side::PcB)) => {
                LocalTree::Newest
            }
            (Relation::BothChanged, Some(Side::PcA) | None) => LocalTree::KeptAside,
        }
    }

    /// The local gateway is started to serve, with this copy in place of its tree. Is that a new epoch? One that is
    /// started again with the same copy continues as before. `newest`: whether the primary has changed since.
    pub(crate) fn serve(
        &mut self,
        in_place: Option<&Manifest>,
        newest: Option<&Manifest>,
        now: Timestamp,
    ) -> bool {
        let base = in_place.map(|manifest| Base {
            number: manifest.number,
            token: manifest.token.clone(),
            taken: manifest.taken,
        });
        let is_the_same = |served: &Served| served.handed_back.is_none() && served.base == base;
        let offered = self.served.as_ref().filter(|served| is_the_same(served));
        if offered.is_some_and(|served| !served.is_offered) {
            return false;
        }
        let Some(id) = new_id() else {
            // An early boot has no random numbers yet. The epoch before stands for this one, too.
            return false;
        };
        if let Some(served) = &mut self.served
            && is_the_same(served)
        {
            // The primary may have its changes until now, and not those that follow.
            served.epoch = served.epoch.child(id);
            served.is_offered = false;
            return true;
        }
        // A choice of what isn't in place can't hold for what is served now.
        let was_chosen = self.choice == Some(Side::PcB) && self.unshared().is_some();
        if was_chosen {
            self.choice = None;
        }
        let was_split = was_chosen || self.is_split(newest);
        let before = self.served.take();
        if self.undecided.is_none() && was_split {
            self.undecided = before;
        }
        self.served = Some(Served {
            epoch: match in_place {
                Some(manifest) => manifest.epoch.child(id),
                None => Epoch {
                    id,
                    ancestors: Vec::new(),
                },
            },
            base,
            since: now,
            handed_back: None,
            is_offered: false,
        });
        true
    }

    /// The primary is offered what was served.
    pub(crate) fn offer(&mut self) {
        if let Some(served) = &mut self.served {
            served.is_offered = true;
        }
    }

    /// The primary has what was served, and kept its own state aside: a copy of that is older.
    pub(crate) fn handed_back(&mut self, at: Timestamp, newest: Option<Number>) {
        if let Some(served) = &mut self.served {
            served.handed_back = Some(at);
        }
        self.passed_over = newest;
        if self.choice == Some(Side::PcB) {
            self.choice = None;
        }
    }

    /// An operator has chosen whose state stays.
    pub(crate) fn choose(&mut self, side: Side) {
        let undecided = self.undecided.take();
        // What was served later is the local gateway's newest, unless the primary has that already.
        if side == Side::PcB && undecided.is_some() && self.unshared().is_none() {
            self.served = undecided;
        }
        self.choice = Some(side);
    }

    /// A round has brought this: what was chosen is done once the primary's state contains what was served here, or a
    /// copy of it is in place. Was it done now?
    pub(crate) fn seen(
        &mut self,
        newest: &Manifest,
        in_place: Option<Number>,
        now: Timestamp,
    ) -> bool {
        if let Some(served) = &mut self.served
            && served.handed_back.is_none()
            && newest.epoch.contains(&served.epoch.id)
        {
            served.handed_back = Some(now);
        }
        let is_done = match self.choice {
            Some(Side::PcA) => in_place == Some(newest.number),
            Some(Side::PcB) => self.unshared().is_none(),
            None => false,
        };
        if is_done {
            if self.choice == Some(Side::PcA) {
                // What was served is kept aside, and given up.
                self.served = None;
            }
            self.choice = None;
        }
        is_done
    }

    /// What was served, where nobody else has it.
    pub(crate) fn unshared(&self) -> Option<&Served> {
        self.served
            .as_ref()
            .filter(|served| served.handed_back.is_none())
    }
}

/// Of an epoch.
fn new_id() -> Option<String> {
    let mut bytes = [0; ID_BYTES];
    let got = getrandom(&mut bytes, GetRandomFlags::NONBLOCK);
    (got == Ok(ID_BYTES)).then(|| {
        bytes
            .iter()
            .fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::known::generation;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn a_gateway_that_is_started_again_goes_on_with_the_epoch_it_began() {
        let mut lineage = Lineage::default();
        let first = generation(1, "a");
        assert!(lineage.serve(Some(&first), Some(&first), now()));
        let epoch = lineage.served.clone().unwrap().epoch;
        assert!(epoch.contains(&first.epoch.id));
        assert!(!lineage.serve(Some(&first), Some(&first), now()));
        assert_eq!(lineage.served.clone().unwrap().epoch, epoch);
        assert_eq!(
            lineage.local_tree(&first, Some(Number(1))),
            LocalTree::Newest
        );
    }

    #[test]
    fn once_the_primary_has_what_was_served_the_local_tree_may_be_replaced() {
        let mut lineage = Lineage::default();
        let first = generation(1, "a");
        lineage.serve(Some(&first), Some(&first), now());
        let mut back = generation(2, "b");
        back.epoch = lineage.served.clone().unwrap().epoch;
        lineage.seen(&back, Some(Number(1)), now());
        assert!(lineage.unshared().is_none());
        assert_eq!(lineage.relation(&back), Relation::PrimaryIsNewer);
        assert_eq!(
            lineage.local_tree(&back, Some(Number(1))),
            LocalTree::Replaceable
        );
        // The next time is another epoch.
        assert!(lineage.serve(Some(&back), Some(&back), now()));
    }

    #[test]
    fn what_was_offered_and_perhaps_taken_does_not_stand_for_what_follows() {
        let mut lineage = Lineage::default();
        let first = generation(1, "a");
        lineage.serve(Some(&first), Some(&first), now());
        let offered = lineage.served.clone().unwrap().epoch;
        lineage.offer();
        assert!(lineage.serve(Some(&first), Some(&first), now()));
        let after = lineage.unshared().unwrap();
        assert!(after.epoch.contains(&offered.id) && !offered.contains(&after.epoch.id));
        assert!(!lineage.serve(Some(&first), Some(&first), now()));
    }

    #[test]
    fn what_was_handed_back_is_newer_than_every_copy_until_then() {
        let mut lineage = Lineage::default();
        let (first, other) = (generation(1, "a"), generation(2, "b"));
        lineage.serve(Some(&first), Some(&first), now());
        lineage.choose(Side::PcB);
        lineage.handed_back(now(), Some(other.number));
        assert!(lineage.unshared().is_none() && lineage.choice.is_none());
        assert!(lineage.passed_over >= Some(other.number));
    }

    #[test]
    fn a_split_lasts_until_somebody_chooses_even_through_another_takeover() {
        let mut lineage = Lineage::default();
        let (first, other) = (generation(1, "a"), generation(2, "b"));
        lineage.serve(Some(&first), Some(&first), now());
        assert!(!lineage.is_split(Some(&first)));
        assert!(lineage.is_split(Some(&other)));
        assert_eq!(
            lineage.local_tree(&other, Some(Number(1))),
            LocalTree::KeptAside
        );
        // Put in its place, a copy has nothing of its own.
        assert_eq!(
            lineage.local_tree(&other, Some(Number(2))),
            LocalTree::Replaceable
        );
        lineage.serve(Some(&other), Some(&other), now());
        assert!(lineage.undecided.is_some());
        assert!(lineage.is_split(Some(&other)));
        lineage.choose(Side::PcA);
        assert!(!lineage.is_split(Some(&other)));
    }

    #[test]
    fn a_choice_is_done_when_the_other_side_has_the_state() {
        let mut lineage = Lineage::default();
        let (first, other) = (generation(1, "a"), generation(2, "b"));
        lineage.serve(Some(&first), Some(&first), now());
        lineage.choose(Side::PcB);
        assert_eq!(
            lineage.local_tree(&other, Some(Number(1))),
            LocalTree::Newest
        );
        lineage.seen(&other, Some(Number(1)), now());
        assert_eq!(lineage.choice, Some(Side::PcB));
        let mut back = generation(3, "c");
        back.epoch = lineage.served.clone().unwrap().epoch;
        lineage.seen(&back, Some(Number(1)), now());
        assert_eq!(lineage.choice, None);

        let mut lineage = Lineage::default();
        lineage.serve(Some(&first), Some(&first), now());
        lineage.choose(Side::PcA);
        assert_eq!(
            lineage.local_tree(&other, Some(Number(1))),
            LocalTree::KeptAside
        );
        assert!(lineage.seen(&other, Some(Number(2)), now()));
        assert_eq!(lineage.choice, None);
        assert!(!lineage.is_split(Some(&other)));
        assert!(lineage.serve(Some(&other), Some(&other), now()));
    }

    #[test]
    fn what_the_primary_changed_before_it_was_taken_over_is_no_split() {
        let mut lineage = Lineage::default();
        let first = generation(1, "a");
        let second = |second| Timestamp::from_second(second).unwrap();
        lineage.serve(Some(&first), Some(&first), second(100));
        let mut returned = generation(2, "b");
        returned.changed = Some(second(99));
        assert!(!lineage.is_split(Some(&returned)));
        assert_eq!(
            lineage.local_tree(&returned, Some(Number(1))),
            LocalTree::Newest
        );
        returned.changed = Some(second(101));
        assert!(lineage.is_split(Some(&returned)));
        // An earlier version's copy doesn't say when.
        returned.changed = None;
        assert!(lineage.is_split(Some(&returned)));
    }

    #[test]
    fn choosing_what_is_kept_aside_holds_until_another_takeover_or_until_the_primary_has_it() {
        let mut split = Lineage::default();
        let (first, other) = (generation(1, "a"), generation(2, "b"));
        split.serve(Some(&first), Some(&first), now());
        let served = split.served.clone().unwrap();
        let mut chosen = split.clone();
        chosen.choose(Side::PcB);
        // It is started with the primary's copy before that gets what was chosen: nothing is forgotten.
        chosen.serve(Some(&other), Some(&other), now());
        assert_eq!(chosen.undecided, Some(served.clone()));
        assert!(chosen.is_split(Some(&other)));
        // The primary gets what was served last, and then what was undecided is chosen.
        let mut back = generation(3, "c");
        back.epoch = chosen.served.clone().unwrap().epoch;
        chosen.seen(&back, Some(Number(2)), now());
        assert!(chosen.is_split(Some(&back)));
        chosen.choose(Side::PcB);
        assert_eq!(chosen.unshared(), Some(&served));
        let mut whole = generation(4, "d");
        whole.epoch = served.epoch.clone();
        assert!(chosen.seen(&whole, Some(Number(2)), now()));
        assert_eq!((chosen.choice, chosen.unshared()), (None, None));
    }

    #[test]
    fn a_gateway_that_served_with_a_tree_of_its_own_lacks_what_the_primary_has() {
        let mut lineage = Lineage::default();
        lineage.serve(None, None, now());
        assert!(lineage.is_split(Some(&generation(1, "a"))));
    }
}
