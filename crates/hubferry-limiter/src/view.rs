//! How everything stands, for people: limits, the day, workers.

use std::time::Duration;

use crate::ask::{Class, Closed, LimitState};
use crate::desk::{HEADER, LOOK, LOOK_WORKER, Op};
use crate::error::StoreError;
use crate::member::{Member, number};
use crate::settings::LimitName;

/// What the store knows of a scope at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// Every limit, in the order they were given.
    pub limits: Vec<LimitState>,
    /// The day's limit, if there is one.
    pub day: Option<DayState>,
    /// The workers that asked within the last minute or hold a ticket.
    pub workers: Vec<WorkerState>,
    /// How many servers have kept this state; it grows with every restart and failover.
    pub generation: u64,
    /// How often the store's clock jumped, or somebody new could not tell that it had not.
    pub clock_corrections: u64,
    /// How many workers may hold an island ticket; 0 when nobody may.
    pub tickets: u64,
}

/// How a day stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayState {
    /// Its name.
    pub name: LimitName,
    /// Calls per day: as the receiver said, else as configured; `None` when neither is known.
    pub max: Option<u64>,
    /// Calls since midnight: ours, or what the receiver says is gone if that is more.
    pub used: u64,
    /// Live calls of ours since midnight.
    pub live: u64,
    /// What live work is expected to need until midnight.
    pub forecast: u64,
    /// How long it is to midnight.
    pub left: Duration,
    /// Whether the receiver refused a call for the day.
    pub is_spent: bool,
}

/// How a worker stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerState {
    /// A number that no other worker has.
    pub id: u64,
    /// Its name, when it is this one and has one.
    pub name: Option<String>,
    /// Whether it may go on alone when it loses the store.
    pub has_ticket: bool,
    /// Whether it shows no sign of life or was alone lately, so that its share is kept free.
    pub is_alone: bool,
    /// How long it is known.
    pub known_for: Duration,
    /// How old the newest answer is that it is known to have received.
    pub last_heard: Duration,
    /// Live calls that wait in it.
    pub waiting: u64,
    /// Permits it was granted since it is known.
    pub granted: u64,
}

impl Member {
    pub(crate) async fn inspect(&self) -> Result<View, StoreError> {
        let all: Vec<usize> = (0..self.rules.len()).collect();
        let reply = self.run(Op::Look, &all, &[], 0).await?;
        self.view(&reply.numbers).ok_or(StoreError::Unreadable)
    }

    fn view(&self, numbers: &[i64]) -> Option<View> {
        let (header, rest) = numbers.split_at_checked(HEADER)?;
        let (limits, rest) = rest.split_at_checked(LOOK * self.rules.len())?;
        let (scope, rest) = rest.split_at_checked(2)?;
        let (day, workers) = match &self.day {
            None => (None, rest),
            Some(day) => {
                let (numbers, rest) = rest.split_at_checked(crate::day::Day::NUMBERS)?;
                let state = day_state(&day.name, day.max, number(header[0]), numbers);
                (Some(state), rest)
            }
        };
        let limits = limits.chunks_exact(LOOK).zip(self.names()).zip(&self.rules);
        Some(View {
            limits: limits
                .map(|((numbers, name), rule)| limit_state(name, rule.max, numbers))
                .collect(),
            day,
            workers: workers
                .chunks_exact(LOOK_WORKER)
                .map(|numbers| self.worker_state(numbers))
                .collect(),
            generation: number(header[5]),
            clock_corrections: number(scope[1]),
            tickets: self.terms.workers,
        })
    }

    fn worker_state(&self, numbers: &[i64]) -> WorkerState {
        let field = |index: usize| number(numbers[index]);
        WorkerState {
            id: field(0),
            name: self.label.clone().filter(|_| field(0) == self.worker),
            has_ticket: field(1) > 0,
            is_alone: field(2) > 0,
            known_for: Duration::from_micros(field(3)),
            last_heard: Duration::from_micros(field(4)),
            waiting: field(5),
            granted: field(6),
        }
    }
}

fn limit_state(name: &LimitName, max: u64, numbers: &[i64]) -> LimitState {
    let field = |index: usize| number(numbers[index]);
    let small = |index: usize| small(field(index));
    let closed_for = Duration::from_micros(field(4));
    LimitState {
        name: name.clone(),
        max: self::small(max),
        effective: small(0),
        used: small(1),
        ahead: small(2),
        closed: match field(3) {
            1 => Some((Closed::Paused, closed_for)),
            2 => Some((Closed::Quarantine, closed_for)),
            3 => Some((Closed::Settling, closed_for)),
            _ => None,
        },
        granted: field(5),
        returned: field(6),
        wasted: field(7),
        throttled: field(8),
        named: small(9),
        others: small(10),
        reserved: small(11),
        live_reserve: small(12),
        lost: field(13),
        ignored: field(14),
        spread: Duration::from_micros(field(15)),
        by_class: std::array::from_fn(|class| (Class::ALL[class], small(16 + class))),
        next: Duration::from_micros(field(22)),
    }
}

fn day_state(name: &LimitName, configured: u64, raw: u64, numbers: &[i64]) -> DayState {
    let numbers: Vec<u64> = numbers.iter().copied().map(number).collect();
    let day = crate::day::Day::of_numbers(&numbers);
    DayState {
        name: name.clone(),
        max: Some(day.max(configured)).filter(|max| *max > 0),
        used: day.used,
        live: day.live,
        forecast: day.forecast(raw),
        left: Duration::from_micros(day.end.saturating_sub(raw)),
        is_spent: day.is_spent(),
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
