//! How remembering fails. Whether to ask again is the caller's choice; every inquiry may be repeated.

use std::time::Duration;

/// Why the memory did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// No connection could be had.
    #[error("no connection to redis")]
    Unreachable(#[source] deadpool_redis::PoolError),
    /// Redis answered with an error, or the connection broke.
    #[error("redis refused, or the connection broke")]
    Failed(#[source] ::redis::RedisError),
    /// No answer within the deadline of a call.
    #[error("no answer from redis within {0:?}")]
    TooSlow(Duration),
    /// An answer of another shape than this version knows.
    #[error("redis answered in a form this version does not know")]
    Unreadable,
    /// A link could not be written down.
    #[error("a waiting link cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}
