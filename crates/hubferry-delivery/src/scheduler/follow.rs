//! What comes after a written record: its associations, and when they have ended its list.
//!
//! Each goes its own way. One that is refused makes the delivery dead, with its own stage, while the others still go: the
//! record is never written a second time because of them.

use std::time::Instant;

use hubferry_actions::{AssociateStep, LinkStep, MembershipStep, RecordId};
use hubferry_hubspot::Rejection;

use super::{DeliverySlot, Scheduler, Todo};
use crate::ending::{Death, Ending, Note, Stage};

/// What a delivery still wants once its record is written.
#[derive(Default)]
pub(super) struct Follow {
    associate: Option<AssociateStep>,
    links: Vec<LinkStep>,
    membership: Option<MembershipStep>,
    /// Those under way.
    open: u32,
    /// The first that was refused.
    death: Option<Box<Death>>,
    /// Links of others that waited for the contact this delivery made known, and are not made yet.
    waits: u32,
    /// How it ends once they are.
    ending: Option<Ending>,
}

/// How one of them came out.
#[derive(Clone)]
pub(super) enum Followed {
    /// As wished.
    Done,
    /// As wished but for this.
    Noted(Note),
    /// Refused.
    Refused(Box<Death>),
}

impl Follow {
    pub(super) fn of(
        associate: Option<AssociateStep>,
        links: Vec<LinkStep>,
        membership: Option<MembershipStep>,
    ) -> Self {
        Self {
            associate,
            links,
            membership,
            ..Self::default()
        }
    }

    /// Whether anything is still wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.associate.is_some() || !self.links.is_empty() || self.membership.is_some()
    }

    /// How many are under way, those it only waits for among them.
    pub(super) const fn open(&self) -> u32 {
        self.open + self.waits
    }

    /// One more link of another's has to be made before the ending.
    pub(super) const fn wait(&mut self) {
        self.waits += 1;
    }
}

impl Followed {
    pub(super) fn refused(rejection: &Rejection, stage: Stage, attempts: u32) -> Self {
        Self::Refused(Box::new(Death {
            rejection: rejection.clone(),
            stage,
            attempts,
        }))
    }
}

impl Scheduler {
    /// A delivery's record is there: what follows is next, or its ending.
    pub(super) fn start_following(&mut self, slot: DeliverySlot, from: &RecordId, now: Instant) {
        let follow = &mut self.deliveries[slot.0].follow;
        if !follow.is_wanted() {
            return self.end_alone(slot);
        }
        let associate = follow.associate.take();
        let links = std::mem::take(&mut follow.links);
        follow.open =
            u32::try_from(links.len()).unwrap_or(u32::MAX) + u32::from(associate.is_some());
        if follow.open == 0 {
            return self.follow_with_list(slot, now);
        }
        if let Some(wish) = associate {
            self.start_association(slot, from.clone(), wish, now);
        }
        for (place, link) in (0u32..).zip(links) {
            self.start_link(slot, from, link, place, now);
        }
    }

    /// One of the things that follow a record has ended.
    pub(super) fn followed(&mut self, slot: DeliverySlot, how: Followed, now: Instant) {
        let delivery = &mut self.deliveries[slot.0];
        match how {
            Followed::Done => (),
            Followed::Noted(note) => delivery.notes.push(note),
            Followed::Refused(death) => {
                delivery.follow.death.get_or_insert(death);
            }
        }
        delivery.follow.open = delivery.follow.open.saturating_sub(1);
        if delivery.follow.open == 0 {
            self.follow_with_list(slot, now);
        }
    }

    fn follow_with_list(&mut self, slot: DeliverySlot, now: Instant) {
        let delivery = &mut self.deliveries[slot.0];
        if let (Some(membership), Some(record)) =
            (delivery.follow.membership.take(), delivery.written.clone())
        {
            delivery.follow.open = 1;
            return self.start_membership(slot, &record, membership, now);
        }
        let ending = match delivery.follow.death.take() {
            Some(death) => Ending::Dead(death),
            None => Ending::Delivered {
                notes: std::mem::take(&mut delivery.notes),
            },
        };
        self.end_after_waiting(slot, ending);
    }

    /// Ends a delivery, once the links are made that waited for what it made known.
    pub(super) fn end_after_waiting(&mut self, slot: DeliverySlot, ending: Ending) {
        let follow = &mut self.deliveries[slot.0].follow;
        if follow.waits > 0 {
            follow.ending = Some(ending);
        } else {
            self.todo.push_back(Todo::End(slot, ending));
        }
    }

    /// A waiting link is made, or will not be: it keeps these no longer.
    pub(super) fn waited(&mut self, behind: Vec<DeliverySlot>) {
        for slot in behind {
            // One that was withdrawn waits no more.
            let Some(delivery) = self.deliveries.get_mut(slot.0) else {
                continue;
            };
            let follow = &mut delivery.follow;
            follow.waits = follow.waits.saturating_sub(1);
            if follow.waits > 0 {
                continue;
            }
            if let Some(ending) = follow.ending.take() {
                self.todo.push_back(Todo::End(slot, ending));
            }
        }
    }
}
