//! When something happened, as opposed to when we heard of it.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::Offset;
use serde_json::Value;

use crate::number::digits_text;
use crate::view::Json;

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

/// Reads a timestamp: the text forms of [`parse_timestamp_text`], or a number that is a whole epoch in seconds or
/// milliseconds. `None` for everything else.
#[must_use]
pub fn parse_timestamp(value: &Value) -> Option<EventTime> {
    timestamp_in(value.into())
}

pub(crate) fn timestamp_in(value: Json<'_>) -> Option<EventTime> {
    match value.as_str() {
        Some(text) => parse_timestamp_text(text),
        None => epoch(&digits_text(value.as_number_text()?)),
    }
}

/// Reads the text of a timestamp: an ISO 8601 date-time with `Z` or an offset, one without a zone (UTC), a date alone
/// (midnight UTC), or an epoch in digits. Impossible dates are refused.
#[must_use]
pub fn parse_timestamp_text(text: &str) -> Option<EventTime> {
    epoch(text).or_else(|| iso(text))
}

/// Below this magnitude an epoch counts seconds, from here on milliseconds (it is the year 5138 in seconds and March
/// 1973 in milliseconds).
const FIRST_MILLIS: u64 = 100_000_000_000;

fn epoch(digits: &str) -> Option<EventTime> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    let millis = if count.unsigned_abs() < FIRST_MILLIS {
        count.checked_mul(1000)?
    } else {
        count
    };
    let in_range = Timestamp::from_millisecond(millis).ok()?;
    Some(EventTime(in_range.as_millisecond()))
}

fn iso(text: &str) -> Option<EventTime> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let pieces = PARSER.parse_pieces(text).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let local = pieces
        .date()
        .to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    let instant = offset.to_timestamp(local).ok()?;
    Some(EventTime(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn timestamps_are_read() {
        let cases = [
            (json!("2024-01-08T14:00:00Z"), 1_704_722_400_000),
            (json!("2024-01-08T14:00:00.212Z"), 1_704_722_400_212),
            (json!("2024-01-08T14:00:00.2129999Z"), 1_704_722_400_212),
            (json!("2024-01-08T16:00:00+02:00"), 1_704_722_400_000),
            (json!("2024-01-08T09:30:00-0430"), 1_704_722_400_000),
            (json!("2024-01-08T14:00:00"), 1_704_722_400_000),
            (json!("2024-01-08 14:00:00"), 1_704_722_400_000),
            (json!("2024-01-08"), 1_704_672_000_000),
            (json!(1_704_722_400), 1_704_722_400_000),
            (json!(1_704_722_400_212_i64), 1_704_722_400_212),
            (json!("1704722400"), 1_704_722_400_000),
            (json!("-1"), -1000),
            (json!(0), 0),
            (json!(99_999_999_999_i64), 99_999_999_999_000),
            (json!(100_000_000_000_i64), 100_000_000_000),
        ];
        for (value, millis) in cases {
            assert_eq!(
                parse_timestamp(&value),
                Some(EventTime::from_millis(millis)),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for value in [
            json!(null),
            json!(true),
            json!(1.5),
            json!(""),
            json!("now"),
            json!("2024-13-45"),
            json!("2024-02-31"),
            json!("2024-01-08T25:00:00Z"),
            json!("2024-01-08T14:00:00[Europe/Berlin]"),
            json!("99999999999999999999"),
            json!(9_000_000_000_000_000_000_i64),
            json!({}),
            json!([]),
        ] {
            assert_eq!(parse_timestamp(&value), None, "{value}");
        }
    }
}
