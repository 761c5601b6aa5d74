//! One limit: its slot log, the pace in front of it, and what the receiver's answers changed.
//!
//! Time is explicit: microseconds of the store's clock. `limiter.lua` is the same rule for Redis, line by line; a test
//! drives both with the same random history.

use std::time::Duration;

use crate::ask::{Class, Closed};
use crate::learned::{Delays, Foreign, Named};
use crate::settings::{Rule, micros};
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
    pub(crate) named: Named,
    pub(crate) foreign: Foreign,
    pub(crate) delays: Delays,
    paused_until: u64,
    quarantine_until: u64,
    /// Permits ever granted; those given back are not taken off, so that it only grows.
    pub(crate) granted: u64,
    pub(crate) returned: u64,
    pub(crate) wasted: u64,
    pub(crate) throttled: u64,
    /// `granted` when the present generation of the store began, and how many bookings of the one before are known lost.
    base: u64,
    pub(crate) lost: u64,
    /// Where the next of those who wait will stand: live work, and what fills the rest.
    pub(crate) line: [u64; 2],
    /// The same for those whose turn has come in vain.
    pub(crate) turn: [u64; 2],
    /// Since when replay and backfill wait in vain.
    hungry: [Hunger; 2],
    /// What is kept free for workers that may be on their own; the desk says so before every question.
    pub(crate) reserved: u64,
}

/// A class that waits in vain: since when, and when it last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hunger {
    since: u64,
    asked: u64,
}

/// What is asked of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) class: Class,
    pub(crate) cost: u64,
    /// Live calls that wait in the fleet.
    pub(crate) waiting: u64,
    /// How many permits are wanted.
    pub(crate) count: u64,
    /// Whether this is somebody whose turn has come.
    pub(crate) in_turn: bool,
}

/// The shortest and the longest pause after a refusal.
pub(crate) const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
pub(crate) const SECOND: u64 = 1_000_000;
const WHOLE: u64 = 1_000;
/// A class that waited this long gets its floor.
const STARVING: u64 = 60 * SECOND;
/// Who did not ask for this long does not wait any more.
const GONE: u64 = 45 * SECOND;

impl Bucket {
    /// An empty log that grants nothing before `quarantine_until`.
    pub(crate) fn new(rule: Rule, now: u64, quarantine_until: u64) -> Self {
        Self {
            rule,
            epoch: now,
            log: SlotLog::default(),
            full_at: 0,
            share: WHOLE,
            share_since: 0,
            named: Named::default(),
            foreign: Foreign::default(),
            delays: Delays::default(),
            paused_until: 0,
            quarantine_until,
            granted: 0,
            returned: 0,
            wasted: 0,
            throttled: 0,
            base: 0,
            lost: 0,
            line: [0; 2],
            turn: [0; 2],
            hungry: [Hunger::default(); 2],
            reserved: 0,
        }
    }

    /// The earliest time from `at` on at which the request may go; `None` when it never may.
    pub(crate) fn earliest(&self, now: u64, at: u64, request: &Request) -> Option<u64> {
        let at = at
            .max(self.paused_until)
            .max(self.quarantine_until)
            .max(self.paced(now, request));
        let from = self.slot_of(at + self.rule.least_left());
        let room = self.room(now, request);
        let slot = self.log.earliest(from, request.class, request.cost, room)?;
        Some(at.max(slot * self.rule.slot))
    }

    /// Books the slot of a time that [`Bucket::earliest`] found.
    pub(crate) fn book(&mut self, now: u64, at: u64, request: &Request) -> u64 {
        let slot = self.slot_of(at);
        let keep = self.kept_from(now);
        self.log.book(slot, request.class, request.cost, keep);
        self.full_at = self.full_at.max(at) + request.cost * self.interval(now);
        self.granted += request.cost;
        slot
    }

    /// Takes back a permit of which no call was started; once its slot is over it is merely counted. Says which it was.
    pub(crate) fn give_back(&mut self, now: u64, epoch: u64, slot: u64, class: Class) -> bool {
        if epoch != self.epoch {
            return false;
        }
        if self.slot_of(now) > slot {
            self.wasted += 1;
            return false;
        }
        self.log.unbook(slot, class, 1);
        self.full_at = self
            .full_at
            .saturating_sub(self.interval(now))
            .max(now.min(self.full_at));
        self.returned += 1;
        true
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

    /// Goes on with half of N at most, as somebody does who cannot see what the others do.
    pub(crate) fn halve(&mut self, now: u64) {
        self.share = self.share.min(WHOLE / 2);
        self.share_since = now;
    }

    /// The receiver named the size of its window.
    pub(crate) fn named(&mut self, now: u64, max: u64) {
        self.named.hear(&self.rule, now, max);
    }

    /// The receiver said how much of its window of `max` was left at a time.
    pub(crate) fn seen(&mut self, now: u64, max: u64, remaining: u64, at: u64) {
        if max == 0 || remaining > max || at > now {
            return;
        }
        let last = self.slot_of(at);
        let first = last
            .saturating_sub(self.rule.window / self.rule.slot)
            .max(self.kept_from(now));
        let own = self.log.count(first, last, |_| true);
        self.foreign
            .seen(now, self.rule.window, (max - remaining).saturating_sub(own));
    }

    /// Bookings of the line before that the store forgot: charged as late as they may lie.
    pub(crate) fn charge(&mut self, now: u64, counted: u64) {
        let lost = counted.saturating_sub(self.base);
        if lost <= self.lost {
            return;
        }
        let more = lost - self.lost;
        let slot = self.slot_of(now + self.rule.horizon);
        let keep = self.kept_from(now);
        self.log.book(slot, Class::Live, more, keep);
        self.lost = lost;
    }

    /// Another server keeps the log from here on, and may have missed the last bookings.
    pub(crate) fn rebase(&mut self) {
        self.base = self.granted;
        self.lost = 0;
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

    /// What is granted per window at present. Zero only when all of it is kept free for workers on their own.
    pub(crate) fn effective(&self, now: u64) -> u64 {
        let ceiling = self.ceiling();
        let ours = (ceiling * self.share / WHOLE).saturating_sub(self.left_to_others(now));
        ours.max(1).saturating_sub(self.reserved)
    }

    /// What is left to others: the configured share, or what they are seen to use.
    pub(crate) fn left_to_others(&self, now: u64) -> u64 {
        let ceiling = self.ceiling();
        let seen = self.foreign.used(now, self.rule.window);
        // A twentieth of the window is noise.
        let seen = if seen * 20 > ceiling { seen } else { 0 };
        (ceiling * self.rule.others / 100).max(seen.min(ceiling * 9 / 10))
    }

    /// Permits in the window that ends now, and those booked for later.
    pub(crate) fn used(&self, now: u64) -> (u64, u64) {
        let slot = self.slot_of(now);
        let used = self
            .log
            .count(slot.saturating_sub(self.rule.reach), slot, |_| true);
        (used, self.log.count(slot + 1, u64::MAX, |_| true))
    }

    /// Permits of one class in the window that ends now, and of those booked for later.
    pub(crate) fn used_by(&self, now: u64, class: Class) -> u64 {
        let first = self.slot_of(now).saturating_sub(self.rule.reach);
        self.log.count(first, u64::MAX, |of| of == class)
    }

    /// Why nothing is granted, and until when.
    pub(crate) fn closed(&self, now: u64) -> Option<(Closed, u64)> {
        if self.quarantine_until > now {
            return Some((Closed::Quarantine, self.quarantine_until));
        }
        (self.paused_until > now).then_some((Closed::Paused, self.paused_until))
    }

    /// For how much longer the receiver's refusal holds.
    pub(crate) fn paused_for(&self, now: u64) -> u64 {
        self.paused_until.saturating_sub(now)
    }

    /// The end of the slot a time lies in.
    pub(crate) fn closes(&self, at: u64) -> u64 {
        (self.slot_of(at) + 1) * self.rule.slot
    }

    /// N, or what the receiver named.
    pub(crate) fn ceiling(&self) -> u64 {
        self.named.ceiling(&self.rule)
    }

    /// The time between two permits at the full rate, rounded up.
    pub(crate) fn interval(&self, now: u64) -> u64 {
        ((self.reach(now) + 1) * self.rule.slot).div_ceil(self.effective(now).max(1))
    }

    /// Whether a class that only fills has waited so long that it gets its floor: a hundredth of the window.
    pub(crate) fn starves(&self, now: u64, class: Class) -> bool {
        let Some(hunger) = class.filler().map(|index| self.hungry[index]) else {
            return false;
        };
        hunger.asked > 0
            && now <= hunger.asked + GONE
            && now >= hunger.since + STARVING
            && self.used_by(now, class) < (self.effective(now) / 100).max(1)
    }

    /// Whether replay asked in vain a moment ago.
    pub(crate) fn replay_waits(&self, now: u64) -> bool {
        self.hungry[0].asked > 0 && now < self.hungry[0].asked + 2 * SECOND
    }

    /// A class asked in vain.
    pub(crate) fn refused(&mut self, now: u64, class: Class) {
        let Some(index) = class.filler() else { return };
        let hunger = &mut self.hungry[index];
        if hunger.asked == 0 || now > hunger.asked + GONE {
            hunger.since = now;
        }
        hunger.asked = now;
    }

    /// A class got what it asked for, not merely its floor.
    pub(crate) fn fed(&mut self, class: Class) {
        if let Some(index) = class.filler() {
            self.hungry[index] = Hunger::default();
        }
    }

    /// K with the spread that is measured.
    pub(crate) fn reach(&self, now: u64) -> u64 {
        (self.rule.window + self.delays.spread(&self.rule, now)).div_ceil(self.rule.slot)
    }

    fn slot_of(&self, at: u64) -> u64 {
        at / self.rule.slot
    }

    /// Slots before this are not asked about again: a window back, and a second for readings that come late.
    fn kept_from(&self, now: u64) -> u64 {
        let back = self.rule.reach + SECOND / self.rule.slot + 1;
        self.slot_of(now).saturating_sub(back)
    }

    /// Pacing: at most a burst at once, single file for one window after a pause; what only fills leaves most of a burst.
    fn paced(&self, now: u64, request: &Request) -> u64 {
        let is_restarting = self.paused_until > 0 && now < self.paused_until + self.rule.window;
        let burst = if is_restarting {
            1
        } else if request.class.is_filler() {
            self.rule.burst / 8
        } else {
            self.rule.burst
        };
        let interval = self.interval(now);
        // What comes due while a slot is in its last quarter goes together in the next; a smaller burst would lose it.
        let burst = burst.max(1 + self.rule.least_left() / interval);
        (self.full_at + request.cost * interval).saturating_sub(burst * interval)
    }

    /// How much a window may hold of all classes, and of the asking one.
    fn room(&self, now: u64, request: &Request) -> Room {
        let all = self.effective(now);
        let own = match request.class {
            Class::Live | Class::Lookup => all,
            Class::Retry => all * 3 / 10,
            Class::Admin => all / 50,
            Class::Replay | Class::Backfill => all - self.reserve(now, all, request.waiting),
        };
        Room {
            reach: self.reach(now),
            all,
            own: own.max(1),
        }
    }

    /// What replay and backfill leave: a little more than live work used lately, and those who wait.
    pub(crate) fn reserve(&self, now: u64, all: u64, waiting: u64) -> u64 {
        let live = self.used_by(now, Class::Live);
        (live * 26 / 25 + waiting).clamp(all / 10, all * 9 / 10)
    }
}
