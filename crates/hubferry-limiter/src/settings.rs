//! What the owner of a limit decides: its size and window, and how carefully it is kept.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::day::Zone;
use crate::error::SettingsError;

/// The name of a limit, as in `ten_seconds` or `search`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LimitName(Arc<str>);

impl LimitName {
    /// Takes a name; it becomes part of a Redis key and a metric label, so it should be short and fixed.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose budget it is: everything with the same scope shares its limits. The usual form is `PORTAL:APP`.
///
/// It is the hash tag of the Redis keys, which keeps all limits of one scope on one node of a cluster.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope(Arc<str>);

impl Scope {
    /// Takes the scope's text. Braces would break the hash tag, so they are replaced by `_`.
    #[must_use]
    pub fn new(scope: &str) -> Self {
        Self(Arc::from(scope.replace(['{', '}'], "_")))
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One limit: at most `max` calls in any window of length `window`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitSettings {
    /// Its name.
    pub name: LimitName,
    /// N: how many calls the receiver accepts in one window.
    pub max: NonZeroU32,
    /// How far the receiver's own word may raise N; `max` when it must not.
    pub ceiling: NonZeroU32,
    /// The share of N, in percent, that is left to others who count against the same limit; at most 90.
    pub others: u8,
    /// W: the length of the receiver's rolling window.
    pub window: Duration,
    /// w: the length of a slot, which is how long a permit is good for.
    pub slot: Duration,
    /// D: by how much the time from sending a call to its being counted may vary, clock error included.
    pub spread: Duration,
    /// The least D that measurements may lower it to; `spread` when it is not to be measured.
    pub least_spread: Duration,
    /// H: how far ahead a permit may be booked.
    pub horizon: Duration,
    /// B: how many calls may go at once after silence. Never fewer than come due in a quarter of a slot, since permits are
    /// not opened in its last quarter.
    pub burst: NonZeroU32,
}

impl LimitSettings {
    /// A limit per rolling ten seconds: slots of 100 ms, a spread of 300 ms, booked up to 2 s ahead, a burst of a quarter.
    #[must_use]
    pub fn ten_seconds(name: LimitName, max: NonZeroU32) -> Self {
        Self {
            name,
            max,
            ceiling: max,
            others: 0,
            window: Duration::from_secs(10),
            slot: Duration::from_millis(100),
            spread: Duration::from_millis(300),
            least_spread: Duration::from_millis(300),
            horizon: Duration::from_secs(2),
            burst: quarter(max),
        }
    }

    /// A limit per rolling second: slots of 50 ms, a spread of 200 ms, booked up to 2 s ahead, a burst of a quarter.
    #[must_use]
    pub fn per_second(name: LimitName, max: NonZeroU32) -> Self {
        Self {
            window: Duration::from_secs(1),
            slot: Duration::from_millis(50),
            spread: Duration::from_millis(200),
            least_spread: Duration::from_millis(200),
            ..Self::ten_seconds(name, max)
        }
    }
}

fn quarter(max: NonZeroU32) -> NonZeroU32 {
    // Rounded up: with a burst of one, every delay between two asks would be lost for good.
    NonZeroU32::new(max.get().div_ceil(4)).unwrap_or(NonZeroU32::MIN)
}

/// What a store without any memory of a limit means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fresh {
    /// Everything may have been spent just now: nothing is granted for one window and the spread. All limits of a scope
    /// that are without a memory begin this with the first question about any of them.
    Quarantine,
    /// Nothing was sent by anybody: permits at once.
    Empty,
}

/// What is not about a single limit. The default is the careful one for each store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LimiterOptions {
    /// What missing state means; `None` is [`Fresh::Empty`] for the local store, whose process knows that it sent nothing,
    /// and [`Fresh::Quarantine`] for Redis.
    pub fresh: Option<Fresh>,
    /// How long `acquire` bears with a store that does not answer before it returns the error; `None` is for ever.
    /// No setting makes it grant without the store, but an island ticket (see [`OnLoss::Ticket`]).
    pub patience: Option<Duration>,
    /// What a worker may do when it loses the store.
    pub on_loss: OnLoss,
    /// A limit per calendar day, if there is one.
    pub day: Option<DayLimit>,
    /// How this worker is called in [`View::workers`](crate::View::workers); it need not be unique.
    pub worker: Option<String>,
}

/// What a worker may do when it loses the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnLoss {
    /// Nothing: it waits.
    #[default]
    Closed,
    /// A worker that has an island ticket goes on alone, at a small rate that the store keeps free for it.
    ///
    /// It needs [`Limiter::keep`](crate::Limiter::keep) to run. A worker that dies costs its share until its ticket has ended.
    Ticket(Tickets),
}

/// Island tickets: what every holder may do without the store, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tickets {
    /// How many workers may hold one; each may make 80 % of N divided by this many calls per window.
    pub workers: NonZeroU32,
    /// How long a ticket is good for after the store's last answer.
    pub lasts: Duration,
    /// How often a worker shows that it is alive. Without a sign for 2.4 times as long its share is kept free.
    pub heartbeat: Duration,
}

impl Tickets {
    /// Tickets for that many workers, good for ten minutes, with a heartbeat every five seconds.
    #[must_use]
    pub fn new(workers: NonZeroU32) -> Self {
        Self {
            workers,
            lasts: Duration::from_secs(600),
            heartbeat: Duration::from_secs(5),
        }
    }
}

/// A limit per calendar day of a time zone, as receivers have for whole accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayLimit {
    /// Its name.
    pub name: LimitName,
    /// Calls per day; `None` until the receiver says it ([`Hint::Day`](crate::Hint::Day)).
    pub max: Option<NonZeroU32>,
    /// The time zone whose midnight begins a day.
    pub zone: Zone,
    /// The limits whose calls count for the day too.
    pub covers: Vec<LimitName>,
}

/// The numbers of a limit as the algorithm uses them: microseconds and slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rule {
    pub(crate) max: u64,
    pub(crate) ceiling: u64,
    /// Percent left to others.
    pub(crate) others: u64,
    pub(crate) slot: u64,
    /// K with the largest spread: a slot is checked together with this many before it.
    pub(crate) reach: u64,
    pub(crate) window: u64,
    pub(crate) spread: u64,
    pub(crate) least_spread: u64,
    pub(crate) horizon: u64,
    pub(crate) burst: u64,
}

impl Rule {
    /// How many numbers the store is told.
    pub(crate) const NUMBERS: usize = 10;

    pub(crate) fn new(settings: &LimitSettings) -> Result<Self, SettingsError> {
        let name = &settings.name;
        let slot = whole_micros(name, "slot", settings.slot)?;
        let window = whole_micros(name, "window", settings.window)?;
        let spread = micros(settings.spread);
        if settings.burst > settings.max {
            return Err(SettingsError::BurstOverMax {
                limit: name.clone(),
            });
        }
        if settings.ceiling < settings.max {
            return Err(SettingsError::CeilingUnderMax {
                limit: name.clone(),
            });
        }
        if settings.others > MOST_OTHERS {
            return Err(SettingsError::TooMuchForOthers {
                limit: name.clone(),
            });
        }
        if slot > window {
            return Err(SettingsError::SlotOverWindow {
                limit: name.clone(),
            });
        }
        Ok(Self {
            max: u64::from(settings.max.get()),
            ceiling: u64::from(settings.ceiling.get()),
            others: u64::from(settings.others),
            slot,
            reach: (window + spread).div_ceil(slot),
            window,
            spread,
            least_spread: micros(settings.least_spread).min(spread),
            horizon: micros(settings.horizon),
            burst: u64::from(settings.burst.get()),
        })
    }

    /// As the store is told, in the order of `limiter.lua`.
    pub(crate) fn numbers(&self) -> [u64; Self::NUMBERS] {
        [
            self.max,
            self.ceiling,
            self.others,
            self.slot,
            self.reach,
            self.window,
            self.spread,
            self.least_spread,
            self.horizon,
            self.burst,
        ]
    }

    /// The least time a permit must still be good for when it opens.
    pub(crate) fn least_left(&self) -> u64 {
        self.slot / 4
    }

    /// For how long a booking made now may still matter to a window: until its slot is over, and the window after it.
    pub(crate) fn span(&self) -> u64 {
        self.window + self.spread + self.horizon
    }
}

/// More than this cannot be left to others.
const MOST_OTHERS: u8 = 90;

/// A day bounds every length, so that sums stay far from overflow.
const LONGEST: u64 = 24 * 3_600 * 1_000_000;

fn whole_micros(
    limit: &LimitName,
    field: &'static str,
    length: Duration,
) -> Result<u64, SettingsError> {
    match micros(length) {
        0 => Err(SettingsError::Zero {
            limit: limit.clone(),
            field,
        }),
        length => Ok(length),
    }
}

pub(crate) fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).map_or(LONGEST, |micros| micros.min(LONGEST))
}

/// Checks all limits of a scope.
pub(crate) fn rules(limits: &[LimitSettings]) -> Result<Vec<(LimitName, Rule)>, SettingsError> {
    let mut rules: Vec<(LimitName, Rule)> = Vec::with_capacity(limits.len());
    for settings in limits {
        if rules.iter().any(|(name, _)| *name == settings.name) {
            return Err(SettingsError::Twice {
                limit: settings.name.clone(),
            });
        }
        rules.push((settings.name.clone(), Rule::new(settings)?));
    }
    Ok(rules)
}
