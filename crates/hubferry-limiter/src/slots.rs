//! The slot log: how many permits were booked for which slot.
//!
//! Slots are booked in non-decreasing order. A slot takes a permit when it and the K slots before it hold fewer than N.
//! Why that keeps every rolling window: of the calls counted in one window, take the one booked last. All others were
//! booked before it, for slots not later than its own and not more than K earlier, so its check saw them all.

use std::collections::VecDeque;

use crate::ask::Class;

/// Permits per slot and class, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotLog {
    entries: VecDeque<Entry>,
    /// The largest slot ever booked.
    tail: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    slot: u64,
    class: Class,
    count: u64,
}

/// How much a slot and the K before it may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// K.
    pub(crate) reach: u64,
    /// All classes together.
    pub(crate) all: u64,
    /// The classes that share the asking one's ceiling.
    pub(crate) own: u64,
}

impl SlotLog {
    /// The first slot from `from` on that takes `cost` more permits of this class; `None` when no slot ever will.
    pub(crate) fn earliest(&self, from: u64, class: Class, cost: u64, room: Room) -> Option<u64> {
        let mut slot = from.max(self.tail);
        let start = self
            .entries
            .partition_point(|entry| entry.slot + room.reach < slot);
        let mut window = self.entries.range(start..);
        let mut all: u64 = window.clone().map(|entry| entry.count).sum();
        let mut own: u64 = window
            .clone()
            .filter(|entry| entry.class.shares_ceiling(class))
            .map(|entry| entry.count)
            .sum();
        while all + cost > room.all || own + cost > room.own {
            let leaving = window.next()?;
            slot = slot.max(leaving.slot + room.reach + 1);
            all -= leaving.count;
            if leaving.class.shares_ceiling(class) {
                own -= leaving.count;
            }
        }
        Some(slot)
    }

    /// Books a slot that [`SlotLog::earliest`] found, and forgets the slots before `keep`, which nobody asks about again.
    pub(crate) fn book(&mut self, slot: u64, class: Class, cost: u64, keep: u64) {
        self.tail = self.tail.max(slot);
        match self.entry(slot, class) {
            Some(entry) => entry.count += cost,
            None => self.entries.push_back(Entry {
                slot,
                class,
                count: cost,
            }),
        }
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.slot < keep.min(self.tail))
        {
            self.entries.pop_front();
        }
    }

    /// Takes a booking back. Never more than is there.
    pub(crate) fn unbook(&mut self, slot: u64, class: Class, cost: u64) {
        if let Some(entry) = self.entry(slot, class) {
            entry.count = entry.count.saturating_sub(cost);
        }
    }

    /// Permits booked for the slots from `first` to `last`, of the classes that pass.
    pub(crate) fn count(&self, first: u64, last: u64, passes: impl Fn(Class) -> bool) -> u64 {
        self.entries
            .iter()
            .filter(|entry| entry.slot >= first && entry.slot <= last && passes(entry.class))
            .map(|entry| entry.count)
            .sum()
    }

    fn entry(&mut self, slot: u64, class: Class) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .rev()
            .take_while(|entry| entry.slot >= slot)
            .find(|entry| entry.slot == slot && entry.class == class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        reach: 10,
        all: 3,
        own: 3,
    };

    fn booked(slots: &[u64]) -> SlotLog {
        let mut log = SlotLog::default();
        for slot in slots {
            log.book(*slot, Class::Live, 1, 0);
        }
        log
    }

    #[test]
    fn the_first_slot_with_room_is_found() {
        let cases: &[(&[u64], u64, u64, Option<u64>)] = &[
            (&[], 5, 1, Some(5)),
            (&[5, 5], 5, 1, Some(5)),
            (&[5, 5, 5], 5, 1, Some(16)),
            (&[5, 5, 5], 15, 1, Some(16)),
            (&[5, 5, 5], 16, 1, Some(16)),
            (&[5, 7, 9], 9, 1, Some(16)),
            (&[5, 7, 9], 9, 2, Some(18)),
            (&[5, 7, 9], 9, 3, Some(20)),
            (&[5, 7, 9], 9, 4, None),
            (&[20], 5, 1, Some(20)),
        ];
        for (slots, from, cost, expected) in cases {
            let found = booked(slots).earliest(*from, Class::Live, *cost, ROOM);
            assert_eq!(found, *expected, "{slots:?} from {from} cost {cost}");
        }
    }

    #[test]
    fn a_ceiling_counts_only_the_classes_that_share_it() {
        let mut log = SlotLog::default();
        log.book(1, Class::Replay, 1, 0);
        log.book(1, Class::Live, 1, 0);
        let room = Room {
            reach: 10,
            all: 9,
            own: 1,
        };
        assert_eq!(log.earliest(1, Class::Backfill, 1, room), Some(12));
        assert_eq!(log.earliest(1, Class::Admin, 1, room), Some(1));
    }

    #[test]
    fn a_booking_taken_back_leaves_room_and_the_tail() {
        let mut log = booked(&[5, 5, 9]);
        log.unbook(5, Class::Live, 1);
        assert_eq!(log.earliest(5, Class::Live, 1, ROOM), Some(9));
        log.unbook(5, Class::Retry, 1);
        log.unbook(8, Class::Live, 1);
        assert_eq!(log.count(0, 99, |_| true), 2);
    }
}
