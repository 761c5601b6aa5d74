//! What can go wrong: with the settings, with the store, with waiting.

use std::time::Duration;

use crate::settings::LimitName;

/// Settings that no limiter can keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Two limits of one scope have the same name.
    #[error("the limit {limit} is named twice")]
    Twice {
        /// The limit.
        limit: LimitName,
    },
    /// A length that must not be zero is.
    #[error("the {field} of the limit {limit} is under a microsecond")]
    Zero {
        /// The limit.
        limit: LimitName,
        /// Which length.
        field: &'static str,
    },
    /// The slot is longer than the window.
    #[error("the slot of the limit {limit} is longer than its window")]
    SlotOverWindow {
        /// The limit.
        limit: LimitName,
    },
    /// The receiver may not raise the limit to less than it is.
    #[error("the ceiling of the limit {limit} is lower than the limit")]
    CeilingUnderMax {
        /// The limit.
        limit: LimitName,
    },
    /// Too much of the window is left to others.
    #[error("more than 90 % of the limit {limit} is left to others")]
    TooMuchForOthers {
        /// The limit.
        limit: LimitName,
    },
    /// The day's limit covers a limit that is not there, or has the name of one that is.
    #[error("the limit {limit} of a day covers what is not there, or has another limit's name")]
    Day {
        /// The day's limit.
        limit: LimitName,
    },
    /// No time zone of this name is known.
    #[error("there is no time zone named {0}")]
    Zone(String),
    /// The burst is larger than the limit itself.
    #[error("the burst of the limit {limit} is larger than the limit")]
    BurstOverMax {
        /// The limit.
        limit: LimitName,
    },
}

/// Why no permit came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimiterError {
    /// The caller's token was cancelled; a permit already booked went back.
    #[error("stopped while waiting for a permit")]
    Stopped,
    /// The ask names a limit this limiter was not given.
    #[error("there is no limit named {0}")]
    UnknownLimit(LimitName),
    /// The store did not answer for longer than the patience that was set.
    #[error("the store of the limits failed")]
    Store(#[source] StoreError),
}

/// How the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No connection could be had.
    #[error("no connection to redis")]
    Unreachable(#[source] deadpool_redis::PoolError),
    /// Redis answered with an error, or the connection broke.
    #[error("redis did not run the limiter's function")]
    Failed(#[source] ::redis::RedisError),
    /// No answer within the deadline of a call.
    #[error("no answer from redis within {0:?}")]
    TooSlow(Duration),
    /// The answer took so long that the store's time is not known well enough to use a permit.
    #[error("redis' time is known only to {0:?}; its answers take too long")]
    Imprecise(Duration),
    /// The state was written by a newer version, which is not overwritten.
    #[error("the limits in redis belong to a newer version of the limiter")]
    Newer,
    /// An answer of another shape than this version knows.
    #[error("redis answered in a form this version does not know")]
    Unreadable,
}
