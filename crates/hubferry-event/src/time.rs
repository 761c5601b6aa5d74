//! When something happened, as opposed to when we heard of it.

/// The time of an event: milliseconds since the Unix epoch, UTC.
///
/// Never interchangeable with "now": it comes from the event's `timestamp`, or from the message that carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

impl EventTime {
    /// Takes milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}
