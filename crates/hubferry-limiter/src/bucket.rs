//! One limit: its slot log, the pace in front of it, and what the receiver's answers changed.
//!
//! Time is explicit: microseconds of the store's clock. `limiter.lua` is the same rule for Redis, line by line; a test
//! drives both with the same random history.

use std::time::Duration;

use crate::ask::{Class, Closed};
use crate::settings::{Fresh, Rule, micros};
use crate::slots::{Room, SlotLog};

/// The state of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) rule: Rule,
    /// The life of this log: when it began.
    pub(crate) epoch: u64,
    log: SlotLog,
    /// Pacing: when the bucket would be full again.
    full_at: u64,
    /// Thousandths of N that are granted: lowered by refusals, raised by clean windows.
    share: u64,
    share_since: u64,
    /// A smaller N that the receiver named; 0 for none.
    learned: u64,
    agreed: u64,
    agreed_at: u64,
    paused_until: u64,
    quarantine_until: u64,
    pub(crate) granted: u64,
    pub(crate) returned: u64,
    pub(crate) wasted: u64,
    pub(crate) throttled: u64,
}

/// What is asked of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) class: Class,
    pub(crate) cost: u64,
    pub(crate) waiting: u64,
}

/// The shortest and the longest pause after a refusal.
pub(crate) const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const WHOLE: u64 = 1_000;

impl Bucket {
    pub(crate) fn new(rule: Rule, fresh: Fresh, now: u64) -> Self {
        let quarantine_until = match fresh {
            Fresh::Empty => 0,
            Fresh::Quarantine => now + rule.window + rule.spread,
        };
        Self {
            rule,
            epoch: now,
            log: SlotLog::default(),
            full_at: 0,
            share: WHOLE,
            share_since: 0,
            learned: 0,
            agreed: 0,
            agreed_at: 0,
            paused_until: 0,
            quarantine_until,
            granted: 0,
            returned: 0,
            wasted: 0,
            throttled: 0,
        }
    }

    /// The earliest time from `at` on at which the request may go; `None` when it never may.
    pub(crate) fn earliest(&self, now: u64, at: u64, request: &Request) -> Option<u64> {
        let at = at
            .max(self.paused_until)
            .max(self.quarantine_until)
            .max(self.paced(now, request.cost));
        let from = self.slot_of(at + self.rule.least_left());
        let room = self.room(now, request);
        let slot = self.log.earliest(from, request.class, request.cost, room)?;
        Some(at.max(slot * self.rule.slot))
    }

    /// Books the slot of a time that [`Bucket::earliest`] found.
    pub(crate) fn book(&mut self, at: u64, request: &Request) -> u64 {
        let slot = self.slot_of(at);
        self.log
            .book(slot, request.class, request.cost, self.rule.reach);
        self.full_at = self.full_at.max(at) + request.cost * self.interval();
        self.granted += request.cost;
        slot
    }

    /// Takes back a permit of which no call was started; once its slot is over it is merely counted.
    pub(crate) fn give_back(&mut self, now: u64, epoch: u64, slot: u64, class: Class) {
        if epoch != self.epoch {
            return;
        }
        if self.slot_of(now) > slot {
            self.wasted += 1;
            return;
        }
        self.log.unbook(slot, class, 1);
        self.full_at = self
            .full_at
            .saturating_sub(self.interval())
            .max(now.min(self.full_at));
        self.returned += 1;
    }

    /// The receiver refused: everybody pauses, and goes on with less. Refusals during a pause prolong it but cut no further,
    /// since calls already on the way are no new evidence.
    pub(crate) fn throttled(&mut self, now: u64, pause: u64) {
        self.settle(now);
        if now >= self.paused_until {
            self.share = (self.share * 9 / 10).max(WHOLE / 2);
            self.share_since = now;
            self.throttled += 1;
        }
        self.paused_until = self
            .paused_until
            .max(now + pause.clamp(micros(PAUSE.0), micros(PAUSE.1)));
    }

    /// The receiver named the size of its window.
    pub(crate) fn named(&mut self, now: u64, max: u64) {
        if max == 0 || max > 4 * self.rule.max || max * 4 < self.rule.max {
            return;
        }
        let current = self.ceiling();
        if max < current {
            self.learned = max;
            self.agreed = 0;
        } else if max == current {
            self.agreed = 0;
        } else if current < self.rule.max && now >= self.agreed_at + self.rule.window {
            self.agreed += 1;
            self.agreed_at = now;
            if self.agreed == 3 {
                self.learned = if max < self.rule.max { max } else { 0 };
                self.agreed = 0;
            }
        }
    }

    /// Brings the share up to date: 2 % of N more for every clean window.
    pub(crate) fn settle(&mut self, now: u64) {
        if self.share >= WHOLE || now <= self.share_since {
            return;
        }
        let windows = (now - self.share_since) / self.rule.window;
        self.share = WHOLE.min(self.share + windows * (WHOLE / 50));
        self.share_since += windows * self.rule.window;
    }

    /// What is granted per window at present.
    pub(crate) fn effective(&self) -> u64 {
        (self.ceiling() * self.share / WHOLE).max(1)
    }

    /// Permits in the window that ends now, and those booked for later.
    pub(crate) fn used(&self, now: u64) -> (u64, u64) {
        let slot = self.slot_of(now);
        let used = self
            .log
            .count(slot.saturating_sub(self.rule.reach), slot, |_| true);
        (used, self.log.count(slot + 1, u64::MAX, |_| true))
    }

    /// Why nothing is granted, and until when.
    pub(crate) fn closed(&self, now: u64) -> Option<(Closed, u64)> {
        if self.quarantine_until > now {
            return Some((Closed::Quarantine, self.quarantine_until));
        }
        (self.paused_until > now).then_some((Closed::Paused, self.paused_until))
    }

    /// The end of the slot a time lies in.
    pub(crate) fn closes(&self, at: u64) -> u64 {
        (self.slot_of(at) + 1) * self.rule.slot
    }

    fn slot_of(&self, at: u64) -> u64 {
        at / self.rule.slot
    }

    /// N, or the smaller one that the receiver named.
    pub(crate) fn ceiling(&self) -> u64 {
        match self.learned {
            0 => self.rule.max,
            learned => learned.min(self.rule.max),
        }
    }

    /// The time between two permits at the full rate, rounded up.
    fn interval(&self) -> u64 {
        ((self.rule.reach + 1) * self.rule.slot).div_ceil(self.effective())
    }

    /// Pacing: at most a burst at once, and single file for one window after a pause.
    fn paced(&self, now: u64, cost: u64) -> u64 {
        let is_restarting = self.paused_until > 0 && now < self.paused_until + self.rule.window;
        let burst = if is_restarting { 1 } else { self.rule.burst };
        let interval = self.interval();
        // What comes due while a slot is in its last quarter goes together in the next; a smaller burst would lose it.
        let burst = burst.max(1 + self.rule.least_left() / interval);
        (self.full_at + cost * interval).saturating_sub(burst * interval)
    }

    /// How much a window may hold of all classes, and of the asking one.
    fn room(&self, now: u64, request: &Request) -> Room {
        let all = self.effective();
        let own = match request.class {
            Class::Live | Class::Lookup => all,
            Class::Retry => all * 3 / 10,
            Class::Admin => all / 50,
            Class::Replay | Class::Backfill => all - self.reserve(now, all, request.waiting),
        };
        Room {
            reach: self.rule.reach,
            all,
            own: own.max(1),
        }
    }

    /// What replay and backfill leave: a fifth more than live work used lately, and those who wait.
    fn reserve(&self, now: u64, all: u64, waiting: u64) -> u64 {
        let slot = self.slot_of(now);
        let first = slot.saturating_sub(self.rule.reach);
        let live = self
            .log
            .count(first, u64::MAX, |class| class == Class::Live);
        (live * 12 / 10 + waiting).clamp(all / 10, all * 9 / 10)
    }
}
