//! The wall clock, read in one place.

use jiff::Timestamp;

/// Now; only dates in `Retry-After` are compared with it.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
