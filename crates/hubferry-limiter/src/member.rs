//! One worker's part of a limiter: what it knows of the store, what it asks, and what it does when the store is lost.
//!
//! The store's clock is the only clock. A worker maps it to its own from every answer, in the middle between question and
//! answer; half the round trip is the error of that, and an answer with too large an error grants nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::ask::{Ask, Class, Hint, Origin, Permit, Place};
use crate::bucket::{PAUSE, Request};
use crate::chance;
use crate::day::Zone;
use crate::desk::{DayTerms, HEADER, Op, Question, Reading};
use crate::error::{SettingsError, StoreError};
use crate::fleet::{Caller, Terms};
use crate::island::{Alone, Island, Leave};
use crate::line::Line;
use crate::settings::{
    DayLimit, Fresh, LimitName, LimitSettings, LimiterOptions, OnLoss, Rule, Tickets, micros, rules,
};
use crate::wire::{Reply, Wire};

/// A worker's part of a limiter. It is used through [`Limiter`](crate::Limiter).
#[derive(Debug)]
pub struct Member {
    pub(crate) wire: Wire,
    pub(crate) rules: Vec<Rule>,
    names: Vec<LimitName>,
    shared: Vec<Shared>,
    pub(crate) terms: Terms,
    tickets: Option<Tickets>,
    pub(crate) day: Option<Calendar>,
    patience: Option<Duration>,
    /// A number that no other worker has, whatever they are called.
    pub(crate) worker: u64,
    pub(crate) label: Option<String>,
    known: Mutex<Known>,
    island: Mutex<Island>,
    lines: Mutex<HashMap<Asked, Arc<Line>>>,
    /// Opening times of permits that are booked and not open yet.
    booked: Mutex<VecDeque<Instant>>,
    /// Whether heartbeats are sent, without which a ticket is worse than none.
    is_kept: AtomicBool,
    live_waiting: AtomicU64,
}

/// Which limits are asked about, and for which class.
type Asked = (SmallVec<[usize; 2]>, Class);

/// The day's limit as this worker was told.
#[derive(Debug)]
pub(crate) struct Calendar {
    pub(crate) name: LimitName,
    pub(crate) max: u64,
    zone: Zone,
    covers: Vec<bool>,
}

/// What a worker remembers of one limit.
#[derive(Debug)]
struct Shared {
    /// Until when a refusal keeps its permits closed.
    paused_until: Mutex<Option<Instant>>,
    /// The N the store last worked with, so that hints that change nothing cost no call.
    ceiling: AtomicU64,
    /// What the receiver said since the store was last told; sent with the next ask.
    heard: Mutex<Heard>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    max: u32,
    remaining: u32,
    at: Option<Instant>,
    least: u64,
    most: u64,
}

/// What the last answer said.
#[derive(Clone, Debug, Default)]
struct Known {
    caller: Caller,
    /// When its question was sent, and when it came.
    sent: Option<Instant>,
    received: Option<Instant>,
    /// The error of the clock's mapping.
    error: Duration,
    counts: Vec<u64>,
    workers: u64,
    has_ticket: bool,
}

/// What a store says to an ask.
pub(crate) enum Next {
    /// Booked; they may open later.
    Granted(SmallVec<[Permit; 1]>),
    /// Nothing to be had before this time.
    Again(Instant),
}

/// The largest error of the clock's mapping with which a permit may be used.
const WORST_ERROR: Duration = Duration::from_millis(50);
/// A worker may book this many permits ahead, or half of its share of N if that is more.
const LEAST_BOOKED: u64 = 4;
/// Permits booked with one question.
pub(crate) const AT_ONCE: u64 = 4;
/// A time that no store has reached: what was left then says nothing.
const UNKNOWN: u64 = 1 << 52;
/// Ids are drawn from this many, so that they are exact in any number format.
const IDS: u64 = 1 << 48;

impl Member {
    pub(crate) fn new(
        limits: &[LimitSettings],
        options: &LimiterOptions,
        quarantine: u64,
        wire: impl FnOnce(&[(LimitName, Rule)]) -> Wire,
    ) -> Result<Self, SettingsError> {
        let rules = rules(limits)?;
        let wire = wire(&rules);
        let quarantine = match options.fresh {
            Some(Fresh::Empty) => 0,
            Some(Fresh::Quarantine) => quarantine.max(1),
            None => quarantine & 2,
        };
        let (names, rules): (Vec<LimitName>, Vec<Rule>) = rules.into_iter().unzip();
        let tickets = match options.on_loss {
            OnLoss::Closed => None,
            OnLoss::Ticket(tickets) => Some(tickets),
        };
        let day = match &options.day {
            None => None,
            Some(day) => Some(Calendar::new(day, &names)?),
        };
        Ok(Self {
            wire,
            shared: rules.iter().map(Shared::new).collect(),
            terms: terms(quarantine, tickets),
            tickets,
            day,
            patience: options.patience,
            worker: chance::between(1..=IDS),
            label: options.worker.clone(),
            known: Mutex::new(Known {
                counts: vec![0; rules.len()],
                ..Known::default()
            }),
            rules,
            names,
            island: Mutex::default(),
            lines: Mutex::default(),
            booked: Mutex::default(),
            is_kept: AtomicBool::new(false),
            live_waiting: AtomicU64::new(0),
        })
    }

    pub(crate) fn names(&self) -> &[LimitName] {
        &self.names
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        self.tickets.map(|tickets| tickets.heartbeat)
    }

    /// The line of those who ask for the same.
    pub(crate) fn line(&self, asked: &[usize], class: Class) -> Arc<Line> {
        let mut lines = locked(&self.lines);
        let line = lines.entry((asked.into(), class)).or_default();
        Arc::clone(line)
    }

    /// Counts one who waits for a live permit, until what is returned is dropped.
    pub(crate) fn live_waiter(&self, class: Class) -> Option<LiveWaiter<'_>> {
        (class == Class::Live).then(|| {
            self.live_waiting.fetch_add(1, Ordering::Relaxed);
            LiveWaiter(&self.live_waiting)
        })
    }

    /// Books up to `wanted` permits at once or says when to ask again.
    pub(crate) async fn book(
        &self,
        ask: &Ask,
        asked: &[usize],
        wanted: u64,
        in_turn: bool,
    ) -> Result<Next, StoreError> {
        let count = self.may_book(asked).min(wanted).clamp(1, AT_ONCE);
        let lead = micros(locked(&self.known).error);
        let turn = u64::from(in_turn);
        let mut arguments: SmallVec<[u64; 16]> =
            SmallVec::from_slice(&[u64::from(ask.class.number()), 1, lead, count, turn]);
        for limit in asked {
            arguments.extend(self.reading(*limit).numbers());
        }
        let reply = self.run(Op::Ask, asked, &arguments, ask.waiting).await?;
        let clock = Clock::read(&reply)?;
        let numbers = reply.numbers.get(HEADER..).ok_or(StoreError::Unreadable)?;
        let (head, grants) = numbers
            .split_at_checked(2 + 4 * asked.len())
            .ok_or(StoreError::Unreadable)?;
        self.learn(asked, &head[2..], &clock);
        if head[0] == 0 {
            return Ok(Next::Again(
                clock.instant(head[1]) + self.stagger(ask, asked),
            ));
        }
        let generation = number(reply.numbers[5]);
        let permits: SmallVec<[Permit; 1]> = grants
            .chunks_exact(2 + asked.len())
            .map(|grant| Permit {
                opens_at: clock.instant(grant[0]),
                closes_at: clock.instant(grant[1]),
                class: ask.class,
                places: places(asked, &grant[2..], &head[2..]),
                origin: Origin::Store { generation },
            })
            .collect();
        if permits.is_empty() {
            return Err(StoreError::Unreadable);
        }
        if clock.error > WORST_ERROR {
            for permit in &permits {
                self.give_back(permit).await;
            }
            return Err(StoreError::Imprecise(clock.error));
        }
        locked(&self.booked).extend(permits.iter().map(|permit| permit.opens_at));
        Ok(Next::Granted(permits))
    }

    /// How many more permits may be booked ahead: four, or half of a worker's share of the smallest limit.
    fn may_book(&self, asked: &[usize]) -> u64 {
        let now = Instant::now();
        let mut booked = locked(&self.booked);
        booked.retain(|opens| *opens > now);
        let workers = locked(&self.known).workers.max(1);
        let smallest = asked.iter().map(|limit| self.rules[*limit].max).min();
        let most = (smallest.unwrap_or(0) / (2 * workers)).max(LEAST_BOOKED);
        most.saturating_sub(booked.len() as u64)
    }

    /// A random delay for those who stand in no line, so that a fleet of them does not ask all at once.
    fn stagger(&self, ask: &Ask, asked: &[usize]) -> Duration {
        if ask.class.line().is_some() {
            return Duration::ZERO;
        }
        let horizons = asked.iter().map(|limit| self.rules[*limit].horizon);
        let longest = horizons.min().unwrap_or(0) / 2;
        Duration::from_micros(chance::between(0..=longest))
    }

    /// Whether this worker heard of a refusal that a permit booked before it has to respect, or is on its own no longer.
    pub(crate) fn is_void(&self, permit: &Permit) -> bool {
        let now = Instant::now();
        let is_paused = permit
            .places
            .iter()
            .any(|place| self.shared[place.limit].is_paused(now));
        match permit.origin {
            Origin::Island => {
                let mut island = locked(&self.island);
                if is_paused || !island.is_alone() {
                    return true;
                }
                island.used(permit.closes_at);
                false
            }
            Origin::Store { .. } | Origin::Unlimited => is_paused,
        }
    }

    pub(crate) async fn give_back(&self, permit: &Permit) {
        let Origin::Store { generation } = permit.origin else {
            return;
        };
        let asked: SmallVec<[usize; 2]> = permit.places.iter().map(|place| place.limit).collect();
        let class = u64::from(permit.class.number());
        let mut arguments: SmallVec<[u64; 6]> = SmallVec::from_slice(&[class, generation]);
        for place in &permit.places {
            arguments.extend([place.slot, place.epoch]);
        }
        self.tell(Op::Back, &asked, &arguments).await;
    }

    pub(crate) async fn observe(&self, hint: &Hint) {
        match hint {
            Hint::Throttled { limits, pause } => {
                let pause = pause.unwrap_or_default().clamp(PAUSE.0, PAUSE.1);
                let limits = self.positions(limits);
                let now = Instant::now();
                for limit in &limits {
                    self.shared[*limit].pause(now + pause);
                }
                locked(&self.island).throttled(now, &limits, micros(pause));
                self.tell(Op::Slow, &limits, &[micros(pause)]).await;
            }
            Hint::Headers {
                limit,
                max,
                remaining,
            } => {
                for position in self.positions(std::slice::from_ref(limit)) {
                    let is_news = self.hear(position, *max, *remaining);
                    if is_news {
                        let reading = self.reading(position).numbers();
                        self.tell(Op::Note, &[position], &reading).await;
                    }
                }
            }
            Hint::Day { max, remaining } => {
                let numbers = [u64::from(*max), u64::from(*remaining), 0];
                self.tell_of_day(&numbers).await;
            }
            Hint::DaySpent => self.tell_of_day(&[0, 0, 1]).await,
            Hint::Delay { limit, delay } => {
                for position in self.positions(std::slice::from_ref(limit)) {
                    self.shared[position].took(micros(*delay));
                }
            }
        }
    }

    async fn tell_of_day(&self, numbers: &[u64]) {
        if self.day.is_some() {
            self.tell(Op::Day, &[0], numbers).await;
        }
    }

    /// Notes what the receiver said of a window; whether the store should hear it at once.
    fn hear(&self, position: usize, max: u32, remaining: u32) -> bool {
        let shared = &self.shared[position];
        let mut heard = locked(&shared.heard);
        (heard.max, heard.remaining) = (max, remaining);
        heard.at = Some(Instant::now());
        let is_remote = !matches!(self.wire, Wire::Memory { .. });
        !is_remote || u64::from(max) < shared.ceiling.load(Ordering::Relaxed)
    }

    /// Takes what was heard since the last time.
    fn reading(&self, position: usize) -> Reading {
        let heard = std::mem::take(&mut *locked(&self.shared[position].heard));
        let at = heard.at.and_then(|at| locked(&self.known).time(at));
        Reading {
            max: u64::from(heard.max),
            remaining: u64::from(heard.remaining),
            at: at.unwrap_or(UNKNOWN),
            least: heard.least,
            most: heard.most,
        }
    }

    /// A sign of life.
    ///
    /// # Errors
    ///
    /// The store did not answer.
    pub(crate) async fn beat(&self) -> Result<(), StoreError> {
        self.is_kept.store(true, Ordering::Relaxed);
        self.run(Op::Beat, &[], &[], 0).await.map(drop)
    }

    /// Hands the ticket back: this worker will not go on alone any more.
    pub(crate) async fn leave(&self) {
        self.is_kept.store(false, Ordering::Relaxed);
        locked(&self.known).has_ticket = false;
        locked(&self.island).end();
        if let Err(error) = self.run(Op::Leave, &[], &[], 0).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the limiter's store was not told of the stop");
        }
    }

    /// A permit on the worker's own account, if the store is lost for long enough.
    pub(crate) fn alone(&self, ask: &Ask, asked: &[usize]) -> Option<Next> {
        let now = Instant::now();
        let mut island = locked(&self.island);
        if let Some(leave) = self.may_leave() {
            let ceilings: Vec<u64> = self
                .shared
                .iter()
                .map(|shared| shared.ceiling.load(Ordering::Relaxed))
                .collect();
            island.enter(now, leave, &self.rules, &ceilings, self.terms.workers);
        }
        let request = Request {
            class: ask.class,
            cost: 1,
            waiting: u64::from(ask.waiting),
            count: 1,
            in_turn: true,
        };
        match island.book(now, asked, &request) {
            Alone::No => None,
            Alone::Again(at) => Some(Next::Again(at)),
            Alone::Granted(opens_at, closes_at) => {
                let place = |limit: &usize| Place {
                    limit: *limit,
                    slot: 0,
                    epoch: 0,
                };
                let permit = Permit {
                    opens_at,
                    closes_at,
                    class: ask.class,
                    places: asked.iter().map(place).collect(),
                    origin: Origin::Island,
                };
                Some(Next::Granted(std::iter::once(permit).collect()))
            }
        }
    }

    /// Whether the worker is on its own at present.
    pub(crate) fn is_alone(&self) -> bool {
        locked(&self.island).is_alone()
    }

    /// When this worker may be on its own, given its last answer.
    fn may_leave(&self) -> Option<Leave> {
        let known = locked(&self.known);
        let tickets = self.tickets.filter(|_| known.has_ticket)?;
        let silent = Duration::from_micros(self.terms.silent);
        Some(Leave {
            from: known.received? + silent + self.span(),
            until: known.sent? + tickets.lasts,
        })
    }

    fn span(&self) -> Duration {
        let longest = self.rules.iter().map(Rule::span).max();
        Duration::from_micros(longest.unwrap_or(0))
    }

    /// Says something whose loss is bearable.
    async fn tell(&self, op: Op, asked: &[usize], arguments: &[u64]) {
        if asked.is_empty() {
            return;
        }
        match self.run(op, asked, arguments, 0).await {
            Ok(reply) if op == Op::Note => self.remember(asked, &reply.numbers),
            Ok(_) => (),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, op = op.as_str(), "the limiter's store was not told");
            }
        }
    }

    /// Asks the store about some of the limits.
    pub(crate) async fn run(
        &self,
        op: Op,
        asked: &[usize],
        arguments: &[u64],
        waiting: u32,
    ) -> Result<Reply, StoreError> {
        let now = Instant::now();
        let island = locked(&self.island).age(now, self.span());
        let (mut caller, counts) = {
            let known = locked(&self.known);
            let mut caller = known.caller;
            let gone = known.received.map(|received| now.duration_since(received));
            caller.elapsed = gone.map_or(0, |gone| whole(gone.as_micros()));
            caller.ticket = match (self.tickets, self.is_kept.load(Ordering::Relaxed)) {
                (Some(_), true) => 1 + u64::from(known.has_ticket),
                _ => 0,
            };
            (caller, known.counts.clone())
        };
        caller.worker = self.worker;
        caller.island = island;
        caller.waiting = self
            .live_waiting
            .load(Ordering::Relaxed)
            .max(u64::from(waiting));
        let day = self.day.as_ref().map(|day| {
            let raw = caller.raw + caller.elapsed;
            day.terms(raw, asked)
        });
        let question = Question {
            op,
            asked,
            terms: self.terms,
            day,
            caller,
            counts: &counts,
            arguments,
        };
        let reply = self.wire.exchange(question, &self.rules).await?;
        if reply.numbers.get(1) == Some(&-1) {
            return Err(StoreError::Newer);
        }
        if reply.numbers.len() < HEADER {
            return Err(StoreError::Unreadable);
        }
        self.know(&reply);
        Ok(reply)
    }

    /// Remembers an answer, if it is the newest, and ends a stay alone.
    fn know(&self, reply: &Reply) {
        locked(&self.island).end();
        let mut known = locked(&self.known);
        if known.sent.is_some_and(|sent| sent > reply.sent) {
            return;
        }
        let field = |index: usize| number(reply.numbers[index]);
        let (epoch, generation, run) = (field(4), field(5), field(8));
        let is_same_line = (
            known.caller.epoch,
            known.caller.generation,
            known.caller.last_run,
        ) == (epoch, generation, run);
        if !is_same_line {
            known.counts.fill(0);
        }
        known.caller = Caller {
            epoch,
            generation,
            last_run: run,
            run,
            raw: field(0),
            seen: field(1),
            offset: reply.numbers[2],
            era: field(3),
            ..Caller::default()
        };
        known.workers = field(6);
        known.has_ticket = field(7) > 0;
        known.error = reply.received.duration_since(reply.sent) / 2;
        (known.sent, known.received) = (Some(reply.sent), Some(reply.received));
    }

    /// What an answer to an ask says of every limit: epoch, N, permits ever granted, and for how long it pauses.
    fn learn(&self, asked: &[usize], numbers: &[i64], clock: &Clock) {
        let mut known = locked(&self.known);
        for (limit, numbers) in asked.iter().zip(numbers.chunks_exact(4)) {
            if let [_, ceiling, count, paused] = numbers {
                self.shared[*limit]
                    .ceiling
                    .store(number(*ceiling), Ordering::Relaxed);
                known.counts[*limit] = known.counts[*limit].max(number(*count));
                if *paused > 0 {
                    let pause = Duration::from_micros(number(*paused));
                    self.shared[*limit].pause(clock.here + pause);
                }
            }
        }
    }

    fn remember(&self, asked: &[usize], numbers: &[i64]) {
        let ceilings = numbers.iter().skip(HEADER);
        for (limit, ceiling) in asked.iter().zip(ceilings) {
            self.shared[*limit]
                .ceiling
                .store(number(*ceiling), Ordering::Relaxed);
        }
    }

    pub(crate) fn positions(&self, limits: &[LimitName]) -> SmallVec<[usize; 2]> {
        limits
            .iter()
            .filter_map(|limit| self.names.iter().position(|name| name == limit))
            .collect()
    }
}

impl Known {
    /// A time of this process on the scope's clock.
    fn time(&self, at: Instant) -> Option<u64> {
        let here = self.received? - self.error;
        let seen = self.caller.seen;
        Some(if at >= here {
            seen + whole(at.duration_since(here).as_micros())
        } else {
            seen.saturating_sub(whole(here.duration_since(at).as_micros()))
        })
    }
}

impl Shared {
    fn new(rule: &Rule) -> Self {
        Self {
            paused_until: Mutex::new(None),
            ceiling: AtomicU64::new(rule.max),
            heard: Mutex::default(),
        }
    }

    fn pause(&self, until: Instant) {
        let mut paused = locked(&self.paused_until);
        *paused = (*paused).max(Some(until));
    }

    fn is_paused(&self, now: Instant) -> bool {
        locked(&self.paused_until).is_some_and(|until| now < until)
    }

    fn took(&self, delay: u64) {
        let mut heard = locked(&self.heard);
        heard.least = match heard.least {
            0 => delay,
            least => least.min(delay),
        };
        heard.most = heard.most.max(delay);
    }
}

impl Calendar {
    fn new(day: &DayLimit, names: &[LimitName]) -> Result<Self, SettingsError> {
        let is_there = |limit: &LimitName| names.contains(limit);
        if is_there(&day.name) || !day.covers.iter().all(is_there) {
            return Err(SettingsError::Day {
                limit: day.name.clone(),
            });
        }
        Ok(Self {
            name: day.name.clone(),
            max: day.max.map_or(0, |max| u64::from(max.get())),
            zone: day.zone.clone(),
            covers: names.iter().map(|name| day.covers.contains(name)).collect(),
        })
    }

    fn terms(&self, raw: u64, asked: &[usize]) -> DayTerms {
        DayTerms {
            is_covered: asked.iter().any(|limit| self.covers[*limit]),
            max: self.max,
            midnights: self.zone.midnights(raw),
        }
    }
}

/// One live call that waits.
pub(crate) struct LiveWaiter<'a>(&'a AtomicU64);

impl Drop for LiveWaiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A reading of the store's clock.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    store: u64,
    here: Instant,
    error: Duration,
}

impl Clock {
    pub(crate) fn read(reply: &Reply) -> Result<Self, StoreError> {
        let store = reply.numbers.get(1).ok_or(StoreError::Unreadable)?;
        let error = reply.received.duration_since(reply.sent) / 2;
        Ok(Self {
            store: number(*store),
            here: reply.sent + error,
            error,
        })
    }

    fn instant(&self, at: i64) -> Instant {
        let at = number(at);
        if at >= self.store {
            self.here + Duration::from_micros(at - self.store)
        } else {
            let ago = Duration::from_micros(self.store - at);
            self.here.checked_sub(ago).unwrap_or(self.here)
        }
    }
}

fn places(asked: &[usize], slots: &[i64], limits: &[i64]) -> SmallVec<[Place; 2]> {
    let epochs = limits.chunks_exact(4).map(|numbers| number(numbers[0]));
    asked
        .iter()
        .zip(slots)
        .zip(epochs)
        .map(|((limit, slot), epoch)| Place {
            limit: *limit,
            slot: number(*slot),
            epoch,
        })
        .collect()
}

/// Who was silent for 2.4 heartbeats has missed two, and a little more.
fn terms(quarantine: u64, tickets: Option<Tickets>) -> Terms {
    match tickets {
        None => Terms {
            quarantine,
            workers: 0,
            ticket: 0,
            silent: 0,
        },
        Some(tickets) => Terms {
            quarantine,
            workers: u64::from(tickets.workers.get()),
            ticket: micros(tickets.lasts),
            silent: micros(tickets.heartbeat) * 12 / 5,
        },
    }
}

pub(crate) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn whole(micros: u128) -> u64 {
    u64::try_from(micros).unwrap_or(u64::MAX / 4)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics between two writes that belong together, so what a poisoned lock guards is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
