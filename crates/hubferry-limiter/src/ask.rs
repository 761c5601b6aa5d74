//! What is asked of a limiter, and what it gives.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::settings::LimitName;

/// What a call is for. Classes have ceilings, and only some may book ahead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Work that just arrived.
    Live,
    /// A call made again; at most 30 % of a window.
    Retry,
    /// A read that work waits for.
    Lookup,
    /// Old work sent again: takes only what live work leaves, and never books ahead of it.
    Replay,
    /// History; the rules of replay, with which it shares.
    Backfill,
    /// Health checks and caches; at most 2 % of a window.
    Admin,
}

impl Class {
    /// All classes, in the order of their numbers in the store.
    pub const ALL: [Self; 6] = [
        Self::Live,
        Self::Retry,
        Self::Lookup,
        Self::Replay,
        Self::Backfill,
        Self::Admin,
    ];

    /// The name, as in labels of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Retry => "retry",
            Self::Lookup => "lookup",
            Self::Replay => "replay",
            Self::Backfill => "backfill",
            Self::Admin => "admin",
        }
    }

    /// The number in the store; never reused.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Live => 0,
            Self::Retry => 1,
            Self::Lookup => 2,
            Self::Replay => 3,
            Self::Backfill => 4,
            Self::Admin => 5,
        }
    }

    /// The class of a number; none but its own are ever sent.
    pub(crate) fn of_number(number: u64) -> Self {
        let of = |class: &Self| u64::from(class.number()) == number;
        Self::ALL.into_iter().find(of).unwrap_or(Self::Live)
    }

    /// Whether the class fills what others leave, in the present slot only.
    pub(crate) const fn is_filler(self) -> bool {
        matches!(self, Self::Replay | Self::Backfill)
    }

    /// Which of the classes that fill: replay first, backfill after it.
    pub(crate) const fn filler(self) -> Option<usize> {
        match self {
            Self::Replay => Some(0),
            Self::Backfill => Some(1),
            Self::Live | Self::Retry | Self::Lookup | Self::Admin => None,
        }
    }

    /// In which of the two lines of a limit the class waits its turn. Classes with a ceiling of their own stand in none.
    pub(crate) const fn line(self) -> Option<usize> {
        match self {
            Self::Live | Self::Lookup => Some(0),
            Self::Replay | Self::Backfill => Some(1),
            Self::Retry | Self::Admin => None,
        }
    }

    /// Whether two classes count against the same ceiling.
    pub(crate) const fn shares_ceiling(self, other: Self) -> bool {
        self.number() == other.number() || (self.is_filler() && other.is_filler())
    }
}

/// A wish for one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The limits the call counts against; granted together or not at all. Without any it is granted at once.
    pub limits: SmallVec<[LimitName; 2]>,
    /// What the call is for.
    pub class: Class,
    /// How many live calls wait in this worker: replay and backfill leave room for them.
    pub waiting: u32,
}

impl Ask {
    /// An ask with nobody else waiting.
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = LimitName>, class: Class) -> Self {
        Self {
            limits: limits.into_iter().collect(),
            class,
            waiting: 0,
        }
    }
}

/// The right to make one call, from now until [`Permit::closes_at`].
///
/// It may come from the store or, while the store is lost, from the worker's island ticket; that makes no difference to its use.
/// Dropping it unused costs a permit's worth of the window; [`Limiter::give_back`](crate::Limiter::give_back) saves it.
#[must_use = "an unused permit is wasted; give it back"]
#[derive(Debug)]
pub struct Permit {
    pub(crate) opens_at: Instant,
    pub(crate) closes_at: Instant,
    pub(crate) class: Class,
    /// Where it was booked, to hand it back.
    pub(crate) places: SmallVec<[Place; 2]>,
    pub(crate) origin: Origin,
}

/// Who granted a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody needed to.
    Unlimited,
    /// The store, in this generation of it.
    Store { generation: u64 },
    /// The worker itself, on its own.
    Island,
}

/// How long a permit is good for that no limit closes.
const UNLIMITED: Duration = Duration::from_secs(3_600);

/// Where a permit stands in one limit's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which limit, by its position in the limiter.
    pub(crate) limit: usize,
    pub(crate) slot: u64,
    /// The life of the log it was booked in.
    pub(crate) epoch: u64,
}

impl Permit {
    /// A permit of a call that counts against nothing.
    pub(crate) fn unlimited(class: Class) -> Self {
        let opens_at = Instant::now();
        Self {
            opens_at,
            closes_at: opens_at + UNLIMITED,
            class,
            places: SmallVec::new(),
            origin: Origin::Unlimited,
        }
    }

    /// The call has to be on the wire before this time.
    #[must_use]
    pub fn closes_at(&self) -> Instant {
        self.closes_at
    }

    /// Whether a call may still start.
    #[must_use]
    pub fn is_open(&self, now: Instant) -> bool {
        self.opens_at <= now && now < self.closes_at
    }
}

/// What the receiver's answers say about its limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// The receiver refused a call because of these limits: everybody pauses, and goes on more slowly for a while.
    Throttled {
        /// Which limits.
        limits: SmallVec<[LimitName; 2]>,
        /// How long the receiver asked to wait; at least one second and at most sixty are kept.
        pause: Option<Duration>,
    },
    /// The receiver said how large its window is. A smaller value counts at once; a larger one after three hints a window
    /// apart, and never above the configured one. Values of another magnitude are ignored.
    Headers {
        /// Which limit.
        limit: LimitName,
        /// The size of the window.
        max: u32,
        /// What is left of it. More use than ours is somebody else's, and is left to them.
        remaining: u32,
    },
    /// The receiver said how large the day's limit is, and what is left of it.
    Day {
        /// Calls per day.
        max: u32,
        /// What is left.
        remaining: u32,
    },
    /// The receiver refused a call because the day is spent: nothing more until its midnight.
    DaySpent,
    /// How long a call took from sending to the receiver's count, as far as that can be measured; an upper bound will do.
    Delay {
        /// Which limit.
        limit: LimitName,
        /// How long.
        delay: Duration,
    },
}

/// How one limit stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitState {
    /// Its name.
    pub name: LimitName,
    /// The configured N.
    pub max: u32,
    /// What is granted per window at present: less than `max` after refusals or when the receiver said so.
    pub effective: u32,
    /// Permits in the window that ends now (widened by the spread).
    pub used: u32,
    /// Permits booked for slots to come.
    pub ahead: u32,
    /// Why nothing is granted, and for how much longer.
    pub closed: Option<(Closed, Duration)>,
    /// Permits granted since the log began, those given back included.
    pub granted: u64,
    /// Permits given back in time.
    pub returned: u64,
    /// Permits given back too late to be of use.
    pub wasted: u64,
    /// Refusals by the receiver that led to a pause.
    pub throttled: u64,
    /// N as the receiver named it, else the configured one.
    pub named: u32,
    /// Left to others: the configured share, or what they are seen to use.
    pub others: u32,
    /// Kept free for workers that may be on their own.
    pub reserved: u32,
    /// Kept free of replay and backfill, for live work.
    pub live_reserve: u32,
    /// Bookings that a change of servers lost and that were charged again.
    pub lost: u64,
    /// Hints of another magnitude that were ignored.
    pub ignored: u64,
    /// D as it is used at present.
    pub spread: Duration,
    /// What each class holds of the window and of the slots to come.
    pub by_class: [(Class, u32); 6],
    /// When the next live permit could be booked.
    pub next: Duration,
}

/// Why a limit grants nothing for a while.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Closed {
    /// The receiver refused a call.
    Paused,
    /// The log is new and what was sent before is not known.
    Quarantine,
    /// Another server keeps the log, and workers still have to say what it missed.
    Settling,
    /// The store does not answer.
    Lost,
}
