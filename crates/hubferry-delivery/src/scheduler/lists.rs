//! Lists: written records join and leave them.
//!
//! Per list and record the newest change wins while it waits, by event time, ties by arrival. Changes of one list go in one
//! call. The list is found by its name, once, and made when it is missing and the mapping wants that.

use std::sync::Arc;
use std::time::Instant;

use hubferry_actions::{ListName, MembershipChange, MembershipStep, RecordId, WhenMissing};
use hubferry_hubspot::{Code, ErrorClass, Rejection, StepId};
use hubferry_memory::FactKey;
use lru::LruCache;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::ensure::Piece;
use super::facts::{Known, Need, Waiter};
use super::follow::Followed;
use super::step::{State, Step, StepKind};
use super::verdicts::{missing_record, plain};
use super::{DeliverySlot, REMEMBERED, Scheduler, Todo};
use crate::ending::Stage;

type Place = (ListName, RecordId);

pub(super) struct Members {
    /// Places with something to change.
    open: FxHashMap<Place, StepId>,
    /// What was changed lately.
    done: LruCache<Place, Mark>,
}

struct Mark {
    change: MembershipChange,
    wished: (i64, u64),
    confirmed: Instant,
}

/// Changes the place of one record in one list.
pub(super) struct MemberWork {
    pub(super) list: ListName,
    pub(super) record: RecordId,
    pub(super) wish: MemberWish,
    /// What was wished for while the step was on the wire.
    later: Option<MemberWish>,
    /// HubSpot's id of the list, once it is known.
    pub(super) id: Option<Arc<str>>,
    /// The list turned out to be gone once.
    gone_once: bool,
}

/// A change, and everybody who is content with it.
pub(super) struct MemberWish {
    pub(super) change: MembershipChange,
    when_missing: WhenMissing,
    wished: (i64, u64),
    pub(super) slots: SmallVec<[DeliverySlot; 1]>,
}

impl Default for Members {
    fn default() -> Self {
        Self {
            open: FxHashMap::default(),
            done: LruCache::new(REMEMBERED),
        }
    }
}

impl MemberWish {
    /// Of two wishes the newer, for the sake of both.
    fn join(&mut self, other: Self) {
        self.slots.extend(other.slots);
        if other.wished >= self.wished {
            self.change = other.change;
            self.wished = other.wished;
        }
        if other.when_missing == WhenMissing::Create {
            self.when_missing = WhenMissing::Create;
        }
    }
}

impl MemberWork {
    pub(super) fn slots(&self) -> impl Iterator<Item = DeliverySlot> {
        let later = self.later.iter().flat_map(|wish| &wish.slots);
        self.wish.slots.iter().chain(later).copied()
    }

    /// Takes out deliveries; says whether any is left.
    pub(super) fn forget(&mut self, gone: impl Fn(DeliverySlot) -> bool) -> bool {
        self.wish.slots.retain(|slot| !gone(*slot));
        if let Some(later) = &mut self.later {
            later.slots.retain(|slot| !gone(*slot));
        }
        self.slots().next().is_some()
    }
}

impl Scheduler {
    /// A delivery's record joins or leaves a list.
    pub(super) fn start_membership(
        &mut self,
        slot: DeliverySlot,
        record: &RecordId,
        step: MembershipStep,
        now: Instant,
    ) {
        let delivery = &self.deliveries[slot.0];
        let wish = MemberWish {
            change: step.change,
            when_missing: step.when_missing,
            wished: (delivery.time.as_millis(), delivery.arrival),
            slots: smallvec![slot],
        };
        let place: Place = (step.list, record.clone());
        match self.members.open.get(&place).copied() {
            Some(_) if self.membership_is_overtaken(&place, &wish) => {
                return self.followed(slot, Followed::Done, now);
            }
            Some(open) => return self.join_membership(open, wish),
            None if self.membership_stands(&place, &wish, now) => {
                return self.followed(slot, Followed::Done, now);
            }
            None => (),
        }
        let step = self.add_step(StepKind::Member(Box::new(MemberWork {
            list: place.0.clone(),
            record: record.clone(),
            wish,
            later: None,
            id: None,
            gone_once: false,
        })));
        self.members.open.insert(place, step);
        self.todo.push_back(Todo::Ready(step));
    }

    fn join_membership(&mut self, step: StepId, wish: MemberWish) {
        self.counts.coalesced += 1;
        let Some(Step {
            kind: StepKind::Member(work),
            state,
            ..
        }) = self.steps.get_mut(&step)
        else {
            return;
        };
        if *state != State::OnWire {
            // What had to wait while the step was on the wire waits no longer; else it would come after what is newer.
            if let Some(later) = work.later.take() {
                work.wish.join(later);
            }
            work.wish.join(wish);
        } else if let Some(later) = &mut work.later {
            later.join(wish);
        } else {
            work.later = Some(wish);
        }
    }

    /// Whether a newer change was confirmed.
    fn membership_is_overtaken(&self, place: &Place, wish: &MemberWish) -> bool {
        let mark = self.members.done.peek(place);
        mark.is_some_and(|mark| wish.wished < mark.wished)
    }

    /// Whether the same change was confirmed a moment ago, or a newer one at any time.
    fn membership_stands(&mut self, place: &Place, wish: &MemberWish, now: Instant) -> bool {
        let Some(mark) = self.members.done.get_mut(place) else {
            return false;
        };
        if wish.wished < mark.wished {
            return true;
        }
        let age = now.saturating_duration_since(mark.confirmed);
        let fresh = mark.change == wish.change && age <= self.settings.max_age;
        if fresh {
            mark.wished = wish.wished;
        }
        fresh
    }

    /// Whether a list change has to wait for its list, or was refused because of it.
    pub(super) fn must_wait_for_list(&mut self, step: StepId, now: Instant) -> bool {
        let Some(work) = self.member_work(step) else {
            return false;
        };
        let list = work.list.clone();
        let key = FactKey::List(list.clone());
        let Some(known) = self.fact(&key, Need::Plain, Waiter::Step(step), now) else {
            self.set_state(step, State::Blocked);
            return true;
        };
        match known {
            Known::List(info) if info.writable => {
                if let Some(work) = self.member_work(step) {
                    work.id = Some(Arc::from(&*info.id));
                }
                false
            }
            Known::List(_) => {
                let message = format!(
                    "the members of the list `{}` follow from its filters: nobody can be added or removed; \
                     use a list of kind MANUAL or SNAPSHOT",
                    list.name
                );
                self.membership_refused(step, &about_list(Code::ListNotWritable, message), now);
                true
            }
            _ => self.must_wait_for_new_list(step, list, now),
        }
    }

    fn must_wait_for_new_list(&mut self, step: StepId, list: ListName, now: Instant) -> bool {
        let creates = self
            .member_work(step)
            .is_some_and(|work| work.wish.when_missing == WhenMissing::Create);
        if creates {
            self.set_state(step, State::Blocked);
            self.await_missing(Piece::List(list), Waiter::Step(step), now);
        } else {
            let message = format!(
                "there is no list `{}` of {}; the record itself is written; make the list or let hubferry create it, then replay",
                list.name,
                list.object.as_str()
            );
            self.membership_refused(step, &about_list(Code::ListMissing, message), now);
        }
        true
    }

    /// HubSpot shows the change.
    pub(super) fn membership_changed(&mut self, step: StepId, now: Instant) {
        let Some(work) = self.member_work(step) else {
            return;
        };
        let place: Place = (work.list.clone(), work.record.clone());
        let mark = Mark {
            change: work.wish.change,
            wished: work.wish.wished,
            confirmed: now,
        };
        let mut slots = std::mem::take(&mut work.wish.slots);
        let later = work.later.take();
        self.members.done.put(place.clone(), mark);
        match later {
            // What came while a newer change was on the wire has been overtaken by it.
            Some(later) if self.membership_is_overtaken(&place, &later) => {
                slots.extend(later.slots)
            }
            later => {
                if let Some(work) = self.member_work(step) {
                    work.later = later;
                }
            }
        }
        for slot in slots {
            self.followed(slot, Followed::Done, now);
        }
        self.next_membership(step);
    }

    /// The list is gone, for all that this worker knew: it is looked up anew, once.
    pub(super) fn membership_judged(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let Some(work) = self.member_work(step) else {
            return;
        };
        if rejection.code == Code::ListMissing && !work.gone_once {
            work.gone_once = true;
            work.id = None;
            let key = FactKey::List(work.list.clone());
            self.forget_fact(&key, now);
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        self.membership_refused(step, rejection, now);
    }

    /// The record is gone.
    pub(super) fn member_gone(&mut self, step: StepId, now: Instant) {
        self.membership_refused(step, &missing_record(), now);
    }

    pub(super) fn membership_refused(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let attempts = self.attempts_of(step);
        let Some(work) = self.member_work(step) else {
            return;
        };
        for slot in std::mem::take(&mut work.wish.slots) {
            let refused = Followed::refused(rejection, Stage::List, attempts);
            self.followed(slot, refused, now);
        }
        self.next_membership(step);
    }

    /// Goes on with what else is wished for the place, or closes the step.
    pub(super) fn next_membership(&mut self, step: StepId) {
        let Some(work) = self.member_work(step) else {
            return;
        };
        if let Some(later) = work.later.take()
            && !later.slots.is_empty()
        {
            work.wish = later;
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        let place: Place = (work.list.clone(), work.record.clone());
        self.steps.remove(&step);
        self.members.open.remove(&place);
    }

    pub(super) fn member_work(&mut self, step: StepId) -> Option<&mut MemberWork> {
        match self.steps.get_mut(&step) {
            Some(Step {
                kind: StepKind::Member(work),
                ..
            }) => Some(work),
            _ => None,
        }
    }
}

fn about_list(code: Code, message: String) -> Rejection {
    Rejection {
        message,
        ..plain(code, ErrorClass::Input)
    }
}
