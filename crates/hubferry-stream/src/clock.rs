//! The one place that asks the wall clock.

use std::time::SystemTime;

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "messages carry the time of the calendar, and so does what is compared with them"
)]
pub(crate) fn wall_clock_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
