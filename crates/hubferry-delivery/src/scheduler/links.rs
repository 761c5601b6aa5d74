//! Links: two records are tied and untied.
//!
//! There is one step per pair of records, whoever wishes something for it. Wishes that come while the step waits join it:
//! per type of association the newest change wins, by event time, ties by arrival. All types of one change go in one input.

use std::time::Instant;

use hubferry_actions::{AssociationType, LinkChange, LinkStep, ObjectType, RecordId, Target};
use hubferry_hubspot::{Code, Rejection, StepId};
use lru::LruCache;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::follow::Followed;
use super::step::{State, Step, StepKind};
use super::targets::TargetWish;
use super::verdicts::missing_record;
use super::{DeliverySlot, REMEMBERED, Scheduler, Todo};
use crate::ending::{Note, Stage};

/// One end of an association.
pub(super) type End = (ObjectType, RecordId);
type Pair = (End, End);

/// When a change was wished for: the event's time, the order of arrival, the place in its plan.
pub(super) type Wished = (i64, u64, u32);

pub(super) struct Links {
    /// Pairs with something to change.
    open: FxHashMap<Pair, StepId>,
    /// What was changed lately.
    done: LruCache<Pair, SmallVec<[Mark; 1]>>,
}

/// The last change of one type of association.
struct Mark {
    kind: AssociationType,
    change: LinkChange,
    wished: Wished,
    /// When it was confirmed; `None` when something may have undone it since.
    confirmed: Option<Instant>,
}

/// Changes the associations of one pair of records.
pub(super) struct LinkWork {
    pub(super) from: End,
    pub(super) to: End,
    /// What the next call does.
    pub(super) change: LinkChange,
    /// The wishes it fulfils, one per type.
    pub(super) wishes: SmallVec<[LinkWish; 1]>,
    /// What comes after it, one per type.
    later: Vec<LinkWish>,
    /// The types were refused together: now each goes alone.
    one_by_one: bool,
}

/// A type of association to be made or taken away.
#[derive(Clone)]
pub(super) struct LinkWish {
    pub(super) kind: AssociationType,
    pub(super) change: LinkChange,
    pub(super) wished: Wished,
    /// Everybody who is content with it; those whose older change it took the place of, too.
    pub(super) waiters: SmallVec<[LinkWaiter; 1]>,
}

/// Who wants a link.
#[derive(Clone)]
pub(super) enum LinkWaiter {
    /// A delivery, for a named record.
    Delivery {
        slot: DeliverySlot,
        target: Box<Target>,
        /// An end was gone once already.
        again: bool,
    },
    /// The association with a person's contact.
    Association(StepId),
}

impl Default for Links {
    fn default() -> Self {
        Self {
            open: FxHashMap::default(),
            done: LruCache::new(REMEMBERED),
        }
    }
}

impl LinkWork {
    /// The deliveries that want something of it.
    pub(super) fn slots(&self) -> impl Iterator<Item = DeliverySlot> {
        let wishes = self.wishes.iter().chain(&self.later);
        wishes
            .flat_map(|wish| &wish.waiters)
            .filter_map(|waiter| match waiter {
                LinkWaiter::Delivery { slot, .. } => Some(*slot),
                LinkWaiter::Association(_) => None,
            })
    }

    /// The steps that found a contact on its behalf.
    pub(super) fn associations(&self) -> impl Iterator<Item = StepId> {
        let wishes = self.wishes.iter().chain(&self.later);
        wishes
            .flat_map(|wish| &wish.waiters)
            .filter_map(|waiter| match waiter {
                LinkWaiter::Association(step) => Some(*step),
                LinkWaiter::Delivery { .. } => None,
            })
    }

    /// Takes out what nobody wants any more.
    pub(super) fn forget(&mut self, gone: impl Fn(&LinkWaiter) -> bool) {
        for wish in self.wishes.iter_mut().chain(&mut self.later) {
            wish.waiters.retain(|waiter| !gone(waiter));
        }
        self.wishes.retain(|wish| !wish.waiters.is_empty());
        self.later.retain(|wish| !wish.waiters.is_empty());
    }

    /// Takes in a wish; `on_wire` when what is asked can no longer be changed.
    fn take_in(&mut self, mut wish: LinkWish, on_wire: bool) {
        if !on_wire && let Some(at) = self.wishes.iter().position(|w| w.kind == wish.kind) {
            wish = newest(self.wishes.remove(at), wish);
        }
        if let Some(at) = self.later.iter().position(|w| w.kind == wish.kind) {
            wish = newest(self.later.remove(at), wish);
        }
        self.place(wish, on_wire);
    }

    fn place(&mut self, wish: LinkWish, on_wire: bool) {
        let joins = !on_wire && !self.one_by_one && self.later.is_empty();
        if joins && wish.change == self.change {
            self.wishes.push(wish);
        } else {
            self.later.push(wish);
        }
    }

    /// Makes what comes next, in order of time, the present; says whether there is anything.
    fn go_on(&mut self) -> bool {
        if !self.wishes.is_empty() {
            return true;
        }
        self.later.sort_by_key(|wish| wish.wished);
        let Some(first) = self.later.first() else {
            return false;
        };
        self.change = first.change;
        let run = self.later.iter().take_while(|w| w.change == self.change);
        let run = if self.one_by_one { 1 } else { run.count() };
        self.wishes = self.later.drain(..run).collect();
        true
    }
}

/// Of two wishes for one type the newer, for the sake of both.
fn newest(one: LinkWish, other: LinkWish) -> LinkWish {
    let (mut newer, older) = if other.wished >= one.wished {
        (other, one)
    } else {
        (one, other)
    };
    newer.waiters.extend(older.waiters);
    newer
}

impl Scheduler {
    /// A delivery ties its record to a named one, or unties them.
    pub(super) fn start_link(
        &mut self,
        slot: DeliverySlot,
        from: &RecordId,
        link: LinkStep,
        place: u32,
        now: Instant,
    ) {
        let delivery = &self.deliveries[slot.0];
        let wish = TargetWish {
            slot,
            from: (delivery.record().record.object.clone(), from.clone()),
            change: link.change,
            kind: link.kind,
            wished: (delivery.time.as_millis(), delivery.arrival, place),
            again: false,
        };
        self.find_target(link.target, wish, now);
    }

    /// The other end is known: the change joins what is open for the pair.
    pub(super) fn link_to(
        &mut self,
        target: &Target,
        id: &RecordId,
        wish: TargetWish,
        now: Instant,
    ) {
        let to = (target.record.object.clone(), id.clone());
        let waiter = LinkWaiter::Delivery {
            slot: wish.slot,
            target: Box::new(target.clone()),
            again: wish.again,
        };
        let link = LinkWish {
            kind: wish.kind,
            change: wish.change,
            wished: wish.wished,
            waiters: smallvec![waiter],
        };
        self.change_link(wish.from, to, link, now);
    }

    /// Changes an association, once, however many want it.
    pub(super) fn change_link(&mut self, from: End, to: End, wish: LinkWish, now: Instant) {
        let pair: Pair = (from, to);
        match self.links.open.get(&pair).copied() {
            Some(_) if self.link_is_overtaken(&pair, &wish) => {
                return self.end_wish(wish, &Followed::Done, now);
            }
            Some(step) => return self.join_link(step, wish),
            None if self.link_stands(&pair, &wish, now) => {
                return self.end_wish(wish, &Followed::Done, now);
            }
            None => (),
        }
        let (from, to) = pair.clone();
        let step = self.add_step(StepKind::Link(Box::new(LinkWork {
            from,
            to,
            change: wish.change,
            wishes: smallvec![wish],
            later: Vec::new(),
            one_by_one: false,
        })));
        self.links.open.insert(pair, step);
        self.todo.push_back(Todo::Ready(step));
    }

    fn join_link(&mut self, step: StepId, wish: LinkWish) {
        self.counts.coalesced += 1;
        let Some(Step {
            kind: StepKind::Link(work),
            state,
            ..
        }) = self.steps.get_mut(&step)
        else {
            return;
        };
        let was = work.change;
        work.take_in(wish, *state == State::OnWire);
        // What waited in line has been overtaken by its opposite: the step stands in another line from now on.
        if *state != State::OnWire && work.go_on() && work.change != was && *state == State::Ready {
            *state = State::Chained;
            self.todo.push_back(Todo::Ready(step));
        }
    }

    /// Whether a newer change was confirmed.
    fn link_is_overtaken(&self, pair: &Pair, wish: &LinkWish) -> bool {
        let marks = self.links.done.peek(pair).into_iter().flatten();
        let mut marks = marks.filter(|mark| mark.kind == wish.kind);
        marks.any(|mark| wish.wished < mark.wished)
    }

    /// Whether the same change was confirmed a moment ago, or a newer one at any time.
    fn link_stands(&mut self, pair: &Pair, wish: &LinkWish, now: Instant) -> bool {
        let horizon = self.settings.max_age;
        let Some(marks) = self.links.done.get_mut(pair) else {
            return false;
        };
        let Some(mark) = marks.iter_mut().find(|mark| mark.kind == wish.kind) else {
            return false;
        };
        if wish.wished < mark.wished {
            return true;
        }
        let fresh = mark.change == wish.change
            && mark
                .confirmed
                .is_some_and(|at| now.saturating_duration_since(at) <= horizon);
        if fresh {
            mark.wished = wish.wished;
        }
        fresh
    }

    /// HubSpot shows the associations as they were asked for.
    pub(super) fn linked(&mut self, step: StepId, now: Instant) {
        let Some(work) = self.link_work(step) else {
            return;
        };
        let pair: Pair = (work.from.clone(), work.to.clone());
        let change = work.change;
        let wishes = std::mem::take(&mut work.wishes);
        let marks = self
            .links
            .done
            .get_or_insert_mut(pair.clone(), SmallVec::new);
        if change == LinkChange::Dissociate {
            // Taking away the unlabelled type takes all labels away (hubspot-api.md §4.1).
            for mark in marks.iter_mut() {
                mark.confirmed = None;
            }
        }
        for wish in &wishes {
            marks.retain(|mark| mark.kind != wish.kind);
            marks.push(Mark {
                kind: wish.kind.clone(),
                change,
                wished: wish.wished,
                confirmed: Some(now),
            });
        }
        for wish in wishes {
            self.end_wish(wish, &Followed::Done, now);
        }
        self.overtaken_links(step, &pair, now);
        self.next_links(step);
    }

    /// What came while a newer change was on the wire has been overtaken by it.
    fn overtaken_links(&mut self, step: StepId, pair: &Pair, now: Instant) {
        let Some(work) = self.link_work(step) else {
            return;
        };
        for wish in std::mem::take(&mut work.later) {
            if self.link_is_overtaken(pair, &wish) {
                self.end_wish(wish, &Followed::Done, now);
            } else if let Some(work) = self.link_work(step) {
                work.later.push(wish);
            }
        }
    }

    /// The change is refused. Of several types the one at fault is not named: each is asked for alone.
    pub(super) fn link_refused(&mut self, step: StepId, rejection: &Rejection, now: Instant) {
        let attempts = self.attempts_of(step);
        let Some(work) = self.link_work(step) else {
            return;
        };
        if work.wishes.len() > 1 && rejection.code != Code::RetriesExhausted {
            work.one_by_one = true;
            let rest: Vec<LinkWish> = work.wishes.drain(1..).collect();
            work.later.extend(rest);
            self.counts.bisections += 1;
            self.todo.push_back(Todo::Ready(step));
            return;
        }
        for wish in std::mem::take(&mut work.wishes) {
            let refused = Followed::refused(rejection, Stage::Association, attempts);
            self.end_wish(wish, &refused, now);
        }
        self.next_links(step);
    }

    /// One of the ends is gone: the other end is looked up anew, once.
    pub(super) fn link_gone(&mut self, step: StepId, now: Instant) {
        let attempts = self.attempts_of(step);
        let Some(work) = self.link_work(step) else {
            return;
        };
        let from = work.from.clone();
        let pair: Pair = (from.clone(), work.to.clone());
        let wishes = std::mem::take(&mut work.wishes);
        // A new look-up may lead to the same pair; it must not join the step that has just failed.
        self.next_links(step);
        self.links.done.pop(&pair);
        for wish in wishes {
            for waiter in wish.waiters {
                match waiter {
                    LinkWaiter::Association(association) => self.end_gone(association, now),
                    LinkWaiter::Delivery { slot, target, .. }
                        if target.record.record_id().is_some() =>
                    {
                        self.followed(slot, Followed::Noted(Note::MissingTarget), now);
                    }
                    LinkWaiter::Delivery {
                        slot, again: true, ..
                    } => {
                        let refused =
                            Followed::refused(&missing_record(), Stage::Association, attempts);
                        self.followed(slot, refused, now);
                    }
                    LinkWaiter::Delivery { slot, target, .. } => {
                        self.forget_record(&target.record);
                        let again = TargetWish {
                            slot,
                            from: from.clone(),
                            change: wish.change,
                            kind: wish.kind.clone(),
                            wished: wish.wished,
                            again: true,
                        };
                        self.find_target(*target, again, now);
                    }
                }
            }
        }
    }

    fn end_wish(&mut self, wish: LinkWish, how: &Followed, now: Instant) {
        for waiter in wish.waiters {
            match (waiter, how) {
                (LinkWaiter::Delivery { slot, .. }, how) => self.followed(slot, how.clone(), now),
                (LinkWaiter::Association(step), Followed::Refused(death)) => {
                    self.association_dies(step, &death.rejection, now);
                }
                (LinkWaiter::Association(step), _) => self.associated(step, now),
            }
        }
    }

    /// Goes on with what else is wished for the pair, or closes the step; says whether it goes on.
    pub(super) fn next_links(&mut self, step: StepId) -> bool {
        let Some(work) = self.link_work(step) else {
            return false;
        };
        if work.go_on() {
            self.todo.push_back(Todo::Ready(step));
            return true;
        }
        let pair: Pair = (work.from.clone(), work.to.clone());
        self.steps.remove(&step);
        if self.links.open.get(&pair) == Some(&step) {
            self.links.open.remove(&pair);
        }
        false
    }

    pub(super) fn link_work(&mut self, step: StepId) -> Option<&mut LinkWork> {
        match self.steps.get_mut(&step) {
            Some(Step {
                kind: StepKind::Link(work),
                ..
            }) => Some(work),
            _ => None,
        }
    }
}
