//! Dates and moments as HubSpot takes them (actions.md §2.5).

use hubferry_event::{EventTime, parse_lenient_timestamp, parse_timestamp, parse_timestamp_text};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

const DAY_MS: i64 = 86_400_000;

/// Why a text is no date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoDate {
    /// It names no day of the calendar.
    Unreadable,
    /// It names a moment of a day, and the mapping does not want it shortened.
    HasTime,
}

/// A date for a date property: `None` when the text is one already.
pub(crate) fn date_of(text: &str, truncate: bool) -> Result<Option<String>, NoDate> {
    if text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') {
        return match text.parse::<Date>() {
            Ok(_) => Ok(None),
            Err(_) => Err(NoDate::Unreadable),
        };
    }
    let moment = parse_timestamp_text(text.trim()).ok_or(NoDate::Unreadable)?;
    let is_midnight = moment.as_millis().rem_euclid(DAY_MS) == 0;
    if !is_midnight && !truncate {
        return Err(NoDate::HasTime);
    }
    let iso = iso(moment).ok_or(NoDate::Unreadable)?;
    // Everything before the `T`: years beyond four digits have longer dates.
    let date = iso.split_once('T').map_or(iso.as_str(), |(date, _)| date);
    Ok((date != text).then(|| date.to_owned()))
}

/// A moment for a date-time property: `Ok(None)` when the text is one already.
pub(crate) fn moment_of(text: &str) -> Result<Option<String>, NoDate> {
    let moment = parse_timestamp_text(text.trim()).ok_or(NoDate::Unreadable)?;
    if is_canonical(text) {
        return Ok(None);
    }
    let iso = iso(moment).ok_or(NoDate::Unreadable)?;
    Ok((iso != text).then_some(iso))
}

/// `2024-01-08T13:52:50Z`, with a fraction where there is one; `None` for what no calendar holds.
pub(crate) fn iso(time: EventTime) -> Option<String> {
    let timestamp = Timestamp::from_millisecond(time.as_millis()).ok()?;
    Some(timestamp.to_string())
}

/// The time a field holds, however it is written.
pub(crate) fn time_in(value: &Value) -> Option<EventTime> {
    match value {
        Value::String(text) => parse_lenient_timestamp(text.trim()),
        other => parse_timestamp(other).or_else(|| fractional(other)),
    }
}

/// An epoch with a fraction; below this magnitude it counts seconds, as whole ones do.
fn fractional(value: &Value) -> Option<EventTime> {
    const FIRST_MILLIS: f64 = 1e11;
    let count = value.as_f64()?;
    let millis = if count.abs() < FIRST_MILLIS {
        count * 1000.0
    } else {
        count
    };
    format!("{millis:.0}")
        .parse()
        .ok()
        .map(EventTime::from_millis)
}

/// UTC, seconds, and no finer than the milliseconds that HubSpot keeps.
fn is_canonical(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let is_clock = clock.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let is_end = match rest.strip_suffix('Z') {
        Some("") => true,
        Some(fraction) => fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        }),
        None => false,
    };
    is_clock && is_end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_or_made() {
        for (text, expected) in [
            ("2024-01-08", Ok(None)),
            ("2024-02-31", Err(NoDate::Unreadable)),
            ("2024-01-08T00:00:00Z", Ok(Some("2024-01-08"))),
            ("2024-01-08T02:00:00+02:00", Ok(Some("2024-01-08"))),
            ("2024-01-08T00:00", Ok(Some("2024-01-08"))),
            ("2024-01-08T13:52:50Z", Err(NoDate::HasTime)),
            ("2024-01-08T99:99:99Z", Err(NoDate::Unreadable)),
            ("1704672000", Ok(Some("2024-01-08"))),
            ("1704672000000", Ok(Some("2024-01-08"))),
            ("1704722400", Err(NoDate::HasTime)),
            ("1/8/2024", Err(NoDate::Unreadable)),
            ("soon", Err(NoDate::Unreadable)),
            ("2024_01_08", Err(NoDate::Unreadable)),
        ] {
            let found = date_of(text, false);
            assert_eq!(
                found.as_ref().map(Option::as_deref),
                expected.as_ref().map(|date| *date),
                "{text}"
            );
        }
        assert_eq!(
            date_of("2024-01-08T23:30:00-01:00", true),
            Ok(Some("2024-01-09".to_owned()))
        );
        assert_eq!(
            date_of("1704722400", true),
            Ok(Some("2024-01-08".to_owned()))
        );
    }

    #[test]
    fn moments_are_taken_or_made() {
        for (text, expected) in [
            ("2024-01-08T13:52:50Z", Ok(None)),
            ("2024-01-08T13:52:50.212Z", Ok(None)),
            (
                "2024-01-08T13:52:50.2129999Z",
                Ok(Some("2024-01-08T13:52:50.212Z")),
            ),
            ("2024-01-08T13:52", Ok(Some("2024-01-08T13:52:00Z"))),
            ("2024-01-08 13:52:50", Ok(Some("2024-01-08T13:52:50Z"))),
            (
                "2024-01-08T13:52:50,2+05",
                Ok(Some("2024-01-08T08:52:50.2Z")),
            ),
            ("2024-01-08T09:30:00-0430", Ok(Some("2024-01-08T14:00:00Z"))),
            ("2024-01-08", Ok(Some("2024-01-08T00:00:00Z"))),
            ("1704722400", Ok(Some("2024-01-08T14:00:00Z"))),
            ("1704722400212", Ok(Some("2024-01-08T14:00:00.212Z"))),
            ("2024-02-31T10:00:00Z", Err(NoDate::Unreadable)),
            ("2024-01-08T99:99:99Z", Err(NoDate::Unreadable)),
            ("tomorrow", Err(NoDate::Unreadable)),
        ] {
            let found = moment_of(text);
            assert_eq!(
                found.as_ref().map(Option::as_deref),
                expected.as_ref().map(|date| *date),
                "{text}"
            );
        }
    }
}
