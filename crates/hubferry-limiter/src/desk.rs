//! The whole state of a scope, and what every question does to it. `limiter.lua` is the same for Redis.
//!
//! The desk of a single process is kept here in memory; so is the one of the simulations and of the tests, which drive it
//! and the function in Redis with the same histories.

use smallvec::SmallVec;

use crate::ask::{Class, Closed};
use crate::bucket::{Bucket, Request};
use crate::day::Day;
use crate::fleet::{Caller, Fleet, Terms, Worker};
use crate::group::{self, Booked};
use crate::settings::Rule;

/// What can be asked of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// Permits: class, cost, lead, count, whether it is the asker's turn; then a [`Reading`] for every limit.
    Ask,
    /// A permit back: class, generation; then slot and epoch for every limit.
    Back,
    /// The receiver refused: for how long to pause.
    Slow,
    /// What the receiver said: a [`Reading`] for every limit.
    Note,
    /// What the receiver said about the day: size, what is left, whether it is spent.
    Day,
    /// A sign of life.
    Beat,
    /// The worker stops.
    Leave,
    /// How everything stands.
    Look,
}

impl Op {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Back => "back",
            Self::Slow => "slow",
            Self::Note => "note",
            Self::Day => "day",
            Self::Beat => "beat",
            Self::Leave => "leave",
            Self::Look => "look",
        }
    }
}

/// What a worker knows of one limit from the receiver's answers; zeros for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) max: u64,
    pub(crate) remaining: u64,
    /// When the receiver counted, in the scope's time.
    pub(crate) at: u64,
    /// The shortest and the longest delay.
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Reading {
    pub(crate) const NUMBERS: usize = 5;

    pub(crate) fn numbers(&self) -> [u64; Self::NUMBERS] {
        [self.max, self.remaining, self.at, self.least, self.most]
    }
}

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) op: Op,
    /// The limits it is about, by their position.
    pub(crate) asked: &'a [usize],
    pub(crate) terms: Terms,
    pub(crate) day: Option<DayTerms>,
    pub(crate) caller: Caller,
    /// Permits ever granted by every limit, as the caller last heard.
    pub(crate) counts: &'a [u64],
    pub(crate) arguments: &'a [u64],
}

/// What a question says about the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayTerms {
    /// Whether the question's calls count for it.
    pub(crate) is_covered: bool,
    pub(crate) max: u64,
    pub(crate) midnights: [u64; 4],
}

impl DayTerms {
    pub(crate) const NUMBERS: usize = 6;

    pub(crate) fn numbers(&self) -> [u64; Self::NUMBERS] {
        let [before, today, next, last] = self.midnights;
        let covered = u64::from(self.is_covered);
        [covered, self.max, before, today, next, last]
    }
}

/// Numbers before what an answer is about: the server's clock, the scope's time, offset, era, epoch, generation, workers,
/// ticket, server.
pub(crate) const HEADER: usize = 9;
/// Numbers per limit in the answer to [`Op::Look`], and per worker.
pub(crate) const LOOK: usize = 23;
pub(crate) const LOOK_WORKER: usize = 7;
/// How often somebody asks again who waits for others to report.
const SETTLING: u64 = 250_000;
/// How often somebody asks again whose day is spent.
const SPENT: u64 = 30_000_000;
const LEAST_WAIT: u64 = 1_000;
/// Stands for a time that will not come.
const NEVER: u64 = 1_000_000_000_000;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    rules: Vec<Rule>,
    pub(crate) fleet: Option<Fleet>,
    pub(crate) buckets: Vec<Option<Bucket>>,
    pub(crate) day: Option<Day>,
}

impl Desk {
    /// A desk without any state.
    pub(crate) fn new(rules: Vec<Rule>, has_day: bool) -> Self {
        Self {
            buckets: vec![None; rules.len()],
            rules,
            fleet: None,
            day: has_day.then(Day::default),
        }
    }

    /// Answers a question that arrives when the server's clock shows `raw`.
    pub(crate) fn answer(&mut self, raw: u64, question: &Question<'_>) -> Vec<i64> {
        let is_new = self.begin(raw, question);
        let Some(mut fleet) = self.fleet.take() else {
            return Vec::new();
        };
        let span = self.span();
        let (caller, terms) = (&question.caller, &question.terms);
        if question.op == Op::Look && !is_new {
            let now = fleet.time(raw);
            self.complete(now, question);
            self.keep_free(&fleet, now, question);
            let answer = self.look(&fleet, raw, now, question);
            self.fleet = Some(fleet);
            return answer;
        }
        let before = fleet.last;
        let now = fleet.tick(raw, caller);
        self.complete(now, question);
        if fleet.is_moved(now, before, caller, terms, span) {
            for bucket in self.buckets.iter_mut().flatten() {
                bucket.rebase();
            }
        }
        if fleet.has_to_report(caller) {
            for (bucket, count) in self.buckets.iter_mut().zip(question.counts) {
                if let Some(bucket) = bucket {
                    bucket.charge(now, *count);
                }
            }
        }
        let ticket = match question.op {
            Op::Leave => {
                fleet.leave(now, caller.worker);
                false
            }
            _ => fleet.meet(now, caller, terms, span),
        };
        self.keep_free(&fleet, now, question);
        let mut answer = header(&fleet, raw, now, caller, ticket);
        match question.op {
            Op::Ask => answer.extend(self.ask(&mut fleet, raw, now, question)),
            Op::Back => self.back(&fleet, raw, now, question),
            Op::Slow => self.slow(now, question),
            Op::Note => answer.extend(self.note(now, question)),
            Op::Day => self.note_day(raw, question),
            Op::Beat | Op::Leave => (),
            Op::Look => answer = self.look(&fleet, raw, now, question),
        }
        self.fleet = Some(fleet);
        answer
    }

    /// For how long a booking made now may matter to any limit.
    fn span(&self) -> u64 {
        self.rules.iter().map(Rule::span).max().unwrap_or(0)
    }

    /// Begins a life of the scope when there is none; whatever is there of its limits belongs to another.
    fn begin(&mut self, raw: u64, question: &Question<'_>) -> bool {
        if self.fleet.is_some() {
            return false;
        }
        let span = self.span();
        self.fleet = Some(Fleet::new(raw, question.caller.run, &question.terms, span));
        for (bucket, rule) in self.buckets.iter_mut().zip(&self.rules) {
            let is_known_empty = bucket.is_none() && question.terms.quarantine == 0;
            let until = if is_known_empty {
                0
            } else {
                raw + quarantine(rule, &question.terms)
            };
            *bucket = Some(Bucket::new(*rule, raw, until));
        }
        true
    }

    /// What has no state was lost together: when one of the asked limits has none, all others without one begin too.
    fn complete(&mut self, now: u64, question: &Question<'_>) {
        let is_whole = question
            .asked
            .iter()
            .all(|limit| self.buckets[*limit].is_some());
        if is_whole {
            return;
        }
        for (bucket, rule) in self.buckets.iter_mut().zip(&self.rules) {
            bucket.get_or_insert_with(|| {
                let until = match question.terms.quarantine {
                    0 => 0,
                    _ => now + quarantine(rule, &question.terms),
                };
                Bucket::new(*rule, now, until)
            });
        }
    }

    fn keep_free(&mut self, fleet: &Fleet, now: u64, question: &Question<'_>) {
        for (bucket, rule) in self.buckets.iter_mut().zip(&self.rules) {
            if let Some(bucket) = bucket {
                bucket.reserved = fleet.reserved(now, rule, &question.terms);
            }
        }
    }

    fn ask(&mut self, fleet: &mut Fleet, raw: u64, now: u64, question: &Question<'_>) -> Vec<i64> {
        let [class, cost, lead, count, in_turn, readings @ ..] = question.arguments else {
            return Vec::new();
        };
        self.hear(now, question.asked, readings);
        let class = Class::of_number(*class);
        let mut request = Request {
            class,
            cost: *cost,
            waiting: fleet.waiting(now),
            count: *count,
            in_turn: *in_turn > 0,
        };
        let day = question.day.filter(|day| day.is_covered);
        let booked = if let Some(until) = fleet.unsettled(now) {
            Booked::Refused {
                again: until.min(now + SETTLING).max(now + LEAST_WAIT),
            }
        } else if !self.day_admits(raw, day, &mut request) {
            Booked::Refused { again: now + SPENT }
        } else {
            self.book(now, question.asked, *lead, &request)
        };
        let (grants, again) = match booked {
            Booked::Granted(grants) => (grants, 0),
            Booked::Refused { again } => (SmallVec::new(), again),
        };
        let granted = grants.len() as u64;
        fleet.granted(question.caller.worker, granted * request.cost);
        if let (Some(_), Some(today)) = (day, &mut self.day) {
            today.spend(class, granted * request.cost);
        }
        let mut answer = vec![signed(granted), signed(again)];
        for limit in question.asked {
            if let Some(bucket) = &self.buckets[*limit] {
                let paused = bucket.paused_for(now);
                let numbers = [bucket.epoch, bucket.ceiling(), bucket.granted, paused];
                answer.extend(numbers.map(signed));
            }
        }
        for grant in grants {
            answer.extend([signed(grant.opens), signed(grant.closes)]);
            answer.extend(grant.slots.iter().copied().map(signed));
        }
        answer
    }

    fn book(&mut self, now: u64, asked: &[usize], lead: u64, request: &Request) -> Booked {
        let mut buckets: SmallVec<[Bucket; 2]> = asked
            .iter()
            .filter_map(|limit| self.buckets[*limit].take())
            .collect();
        let all: SmallVec<[usize; 2]> = (0..buckets.len()).collect();
        let booked = group::book(&mut buckets, &all, now, lead, request);
        for (limit, bucket) in asked.iter().zip(buckets) {
            self.buckets[*limit] = Some(bucket);
        }
        booked
    }

    /// Whether the day leaves room; for fewer permits if not for all.
    fn day_admits(&mut self, raw: u64, terms: Option<DayTerms>, request: &mut Request) -> bool {
        let (Some(terms), Some(day)) = (terms, &mut self.day) else {
            return true;
        };
        day.turn(raw, terms.midnights);
        let admits = |count: u64| day.admits(raw, terms.max, request.class, request.cost * count);
        if admits(request.count) {
            return true;
        }
        let admits_one = admits(1);
        request.count = 1;
        admits_one
    }

    fn back(&mut self, fleet: &Fleet, raw: u64, now: u64, question: &Question<'_>) {
        let [class, generation, places @ ..] = question.arguments else {
            return;
        };
        let class = Class::of_number(*class);
        let mut is_saved = false;
        for (limit, place) in question.asked.iter().zip(places.chunks_exact(2)) {
            if let ([slot, epoch], Some(bucket)) = (place, &mut self.buckets[*limit]) {
                bucket.settle(now);
                // Another server may never have seen the booking: taking it back would take somebody else's.
                if *generation == fleet.generation {
                    is_saved |= bucket.give_back(now, *epoch, *slot, class);
                }
            }
        }
        if let (true, Some(terms), Some(day)) = (is_saved, question.day, &mut self.day)
            && terms.is_covered
        {
            day.turn(raw, terms.midnights);
            day.unspend(class);
        }
    }

    fn slow(&mut self, now: u64, question: &Question<'_>) {
        let pause = question.arguments.first().copied().unwrap_or(0);
        for limit in question.asked {
            if let Some(bucket) = &mut self.buckets[*limit] {
                bucket.throttled(now, pause);
            }
        }
    }

    fn note(&mut self, now: u64, question: &Question<'_>) -> Vec<i64> {
        self.hear(now, question.asked, question.arguments);
        let buckets = question.asked.iter().map(|limit| &self.buckets[*limit]);
        buckets
            .flatten()
            .map(|bucket| signed(bucket.ceiling()))
            .collect()
    }

    fn hear(&mut self, now: u64, asked: &[usize], readings: &[u64]) {
        for (limit, reading) in asked.iter().zip(readings.chunks_exact(Reading::NUMBERS)) {
            if let ([max, remaining, at, least, most], Some(bucket)) =
                (reading, &mut self.buckets[*limit])
            {
                if *max > 0 {
                    bucket.named(now, *max);
                    bucket.seen(now, *max, *remaining, *at);
                }
                bucket.delays.seen(now, *least, *most);
            }
        }
    }

    fn note_day(&mut self, raw: u64, question: &Question<'_>) {
        let (Some(terms), Some(day)) = (question.day, &mut self.day) else {
            return;
        };
        let [max, remaining, spent] = question.arguments else {
            return;
        };
        day.turn(raw, terms.midnights);
        day.named(*max, *remaining);
        if *spent > 0 {
            day.exhaust();
        }
    }

    fn look(&self, fleet: &Fleet, raw: u64, now: u64, question: &Question<'_>) -> Vec<i64> {
        let mut answer = header(fleet, raw, now, &question.caller, false);
        let unsettled = fleet.unsettled(now).map_or(0, |until| until - now);
        let waiting = fleet.waiting(now);
        // Nobody's time moves by looking, so nothing that depends on it is kept.
        for mut bucket in self.buckets.iter().flatten().cloned() {
            bucket.settle(now);
            answer.extend(look_at(&bucket, now, unsettled, waiting).map(signed));
        }
        answer.extend([unsettled, fleet.jumps].map(signed));
        if let Some(mut day) = self.day {
            if let Some(terms) = question.day {
                day.turn(raw, terms.midnights);
            }
            answer.extend(day.numbers().map(signed));
        }
        for worker in &fleet.workers {
            answer.extend(look_at_worker(worker, now, &question.terms).map(signed));
        }
        answer
    }
}

fn look_at(bucket: &Bucket, now: u64, unsettled: u64, waiting: u64) -> [u64; LOOK] {
    let (used, ahead) = bucket.used(now);
    let (closed, closed_for) = match bucket.closed(now) {
        Some((Closed::Quarantine, until)) => (2, until - now),
        Some((_, until)) => (1, until - now),
        None if unsettled > 0 => (3, unsettled),
        None => (0, 0),
    };
    let effective = bucket.effective(now);
    let live = Request {
        class: Class::Live,
        cost: 1,
        waiting: 0,
        count: 1,
        in_turn: false,
    };
    let next = bucket
        .earliest(now, now, &live)
        .map_or(NEVER, |next| next - now);
    let [live_use, retry, lookup, replay, backfill, admin] =
        Class::ALL.map(|class| bucket.used_by(now, class));
    [
        effective,
        used,
        ahead,
        closed,
        closed_for,
        bucket.granted,
        bucket.returned,
        bucket.wasted,
        bucket.throttled,
        bucket.ceiling(),
        bucket.left_to_others(now),
        bucket.reserved,
        bucket.reserve(now, effective, waiting),
        bucket.lost,
        bucket.named.ignored,
        bucket.delays.spread(&bucket.rule, now),
        live_use,
        retry,
        lookup,
        replay,
        backfill,
        admin,
        next,
    ]
}

fn look_at_worker(worker: &Worker, now: u64, terms: &Terms) -> [u64; LOOK_WORKER] {
    let is_alone = worker.ticket > 0 && (now > worker.acked + terms.silent || now < worker.island);
    [
        worker.id,
        worker.ticket,
        u64::from(is_alone),
        now.saturating_sub(worker.since),
        now.saturating_sub(worker.acked),
        worker.waiting,
        worker.granted,
    ]
}

fn header(fleet: &Fleet, raw: u64, now: u64, caller: &Caller, ticket: bool) -> Vec<i64> {
    vec![
        signed(raw),
        signed(now),
        fleet.offset,
        signed(fleet.era),
        signed(fleet.epoch),
        signed(fleet.generation),
        signed(fleet.workers.len() as u64),
        i64::from(ticket),
        signed(caller.run),
    ]
}

/// How long a limit without a memory grants nothing: 1 is for a store whose bookings died with it, 2 for one whose workers
/// may still hold some.
fn quarantine(rule: &Rule, terms: &Terms) -> u64 {
    match terms.quarantine {
        1 => rule.window + rule.spread,
        _ => rule.span(),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
