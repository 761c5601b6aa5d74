//! The wall clock, read in one place.

use jiff::Timestamp;

/// Now: what dates in `Retry-After` and the lives of tokens shared between machines are compared with.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
