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

    /// Whether the class fills what others leave, in the present slot only.
    pub(crate) const fn is_filler(self) -> bool {
        matches!(self, Self::Replay | Self::Backfill)
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
/// Dropping it unused costs a permit's worth of the window; [`Limiter::give_back`](crate::Limiter::give_back) saves it.
#[must_use = "an unused permit is wasted; give it back"]
#[derive(Debug)]
pub struct Permit {
    pub(crate) opens_at: Instant,
    pub(crate) closes_at: Instant,
    pub(crate) class: Class,
    /// Where it was booked, to hand it back.
    pub(crate) places: SmallVec<[Place; 2]>,
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
        /// What is left of it; not used yet.
        remaining: u32,
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
}

/// Why a limit grants nothing for a while.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Closed {
    /// The receiver refused a call.
    Paused,
    /// The log is new and what was sent before is not known.
    Quarantine,
}
