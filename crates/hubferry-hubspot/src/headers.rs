//! What the headers of an answer say: the window, the wait, the correlation id (hubspot-api.md §8.3).

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::outcome::{Daily, Window};

/// The longest wait that is believed (fleet.md iv.2).
const MAX_WAIT: Duration = Duration::from_secs(5 * 60);
/// The interval of the burst window; other intervals are other limits.
const BURST_MILLISECONDS: u32 = 10_000;

/// The ten-second window, when the answer speaks of it.
pub(crate) fn window(headers: &HeaderMap) -> Option<Window> {
    let interval = number(headers, "x-hubspot-ratelimit-interval-milliseconds");
    if interval.is_some_and(|interval: u32| interval != BURST_MILLISECONDS) {
        return None;
    }
    Some(Window {
        max: number(headers, "x-hubspot-ratelimit-max")?,
        remaining: number(headers, "x-hubspot-ratelimit-remaining")?,
    })
}

/// The account's day, when the answer speaks of it.
pub(crate) fn daily(headers: &HeaderMap) -> Option<Daily> {
    Some(Daily {
        limit: number(headers, "x-hubspot-ratelimit-daily")?,
        remaining: number(headers, "x-hubspot-ratelimit-daily-remaining")?,
    })
}

/// The wait that `Retry-After` asks for, in seconds or as a date, at most five minutes; none when it is over.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = word(headers, RETRY_AFTER.as_str())?;
    let wait = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 {
            MAX_WAIT
        } else {
            Duration::ZERO
        }),
        Err(_) => {
            let until = date(value)?;
            // The sender's own clock, where it tells it: ours may be off.
            let sent = word(headers, DATE.as_str()).and_then(date).unwrap_or(now);
            Duration::try_from(until.duration_since(sent)).unwrap_or_default()
        }
    };
    (!wait.is_zero()).then(|| wait.min(MAX_WAIT))
}

/// HubSpot's name of this answer.
pub(crate) fn correlation_id(headers: &HeaderMap) -> Option<&str> {
    word(headers, "x-hubspot-correlation-id")
}

fn date(value: &str) -> Option<Timestamp> {
    rfc2822::parse(value).ok().map(|zoned| zoned.timestamp())
}

fn number<T: FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    word(headers, name)?.parse().ok()
}

fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::{daily, retry_after, window};
    use crate::outcome::{Daily, Window};
    use jiff::Timestamp;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use std::time::Duration;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| {
                (
                    HeaderName::from_static(n),
                    HeaderValue::from_str(v).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn the_window_needs_both_numbers_and_ten_seconds() {
        let max = ("x-hubspot-ratelimit-max", "100");
        let remaining = ("x-hubspot-ratelimit-remaining", "99");
        let ten = ("x-hubspot-ratelimit-interval-milliseconds", "10000");
        let one = ("x-hubspot-ratelimit-interval-milliseconds", "1000");
        let expected = Some(Window {
            max: 100,
            remaining: 99,
        });
        assert_eq!(window(&headers(&[max, remaining, ten])), expected);
        assert_eq!(window(&headers(&[max, remaining])), expected);
        assert_eq!(window(&headers(&[max, ten])), None);
        assert_eq!(window(&headers(&[max, remaining, one])), None);
        let bad = ("x-hubspot-ratelimit-remaining", "-1");
        assert_eq!(window(&headers(&[max, bad])), None);
    }

    #[test]
    fn the_day_needs_both_numbers() {
        let limit = ("x-hubspot-ratelimit-daily", "250000");
        let remaining = ("x-hubspot-ratelimit-daily-remaining", "249999");
        let expected = Some(Daily {
            limit: 250_000,
            remaining: 249_999,
        });
        assert_eq!(daily(&headers(&[limit, remaining])), expected);
        assert_eq!(daily(&headers(&[limit])), None);
        assert_eq!(daily(&headers(&[remaining])), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_absurd() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let seconds = |n| Some(Duration::from_secs(n));
        let table = [
            ("7", seconds(7)),
            ("0.5", Some(Duration::from_millis(500))),
            ("0", None),
            ("-3", None),
            ("86400", seconds(300)),
            ("1e300", seconds(300)),
            ("Mon, 23 Nov 2026 10:00:30 GMT", seconds(30)),
            ("Mon, 23 Nov 2026 09:00:00 GMT", None),
            ("Tue, 24 Nov 2026 10:00:00 GMT", seconds(300)),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(
                retry_after(&headers(&[("retry-after", value)]), now),
                expected,
                "{value}"
            );
        }
        let ahead = headers(&[
            ("retry-after", "Mon, 23 Nov 2026 11:00:30 GMT"),
            ("date", "Mon, 23 Nov 2026 11:00:00 GMT"),
        ]);
        assert_eq!(retry_after(&ahead, now), seconds(30));
    }
}
