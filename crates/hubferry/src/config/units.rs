//! Durations, sizes and shares with their units.

use std::time::Duration;

/// What a duration looks like, for messages.
pub(crate) const DURATION_FORM: &str = "a duration with a unit, such as 25ms, 2s, 10m, 24h or 7d";
/// What a size looks like, for messages.
pub(crate) const SIZE_FORM: &str = "a size with a unit, such as 512B, 64KiB, 16MiB or 1GiB";
/// What a share looks like, for messages.
pub(crate) const SHARE_FORM: &str = "a percentage such as 25%";

/// Reads `25ms`, `2s`, `1h30m`; `None` when it is no duration or has no unit.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest == "0" {
        return Some(total);
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit, after) = split_number(rest)?;
        let seconds = match unit {
            "us" => 0.000_001,
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// Reads `16MiB`, `500KB`, `12B`; `None` when it is no size or has no unit.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit, after) = split_number(text.trim())?;
    if !after.is_empty() {
        return None;
    }
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kib" | "k" | "ki" => 1 << 10,
        "mib" | "m" | "mi" => 1 << 20,
        "gib" | "g" | "gi" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    whole(number * precise(factor))
}

/// Reads `25%` as 0.25; `None` outside 0 to 100 percent.
pub(crate) fn parse_share(text: &str) -> Option<f64> {
    let percent: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// The leading number, the unit behind it, and what follows.
fn split_number(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    let unit_on = text[digits..].trim_start();
    let end = unit_on
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(unit_on.len());
    Some((number, &unit_on[..end], unit_on[end..].trim_start()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "unit factors are powers far below 2^53"
)]
const fn precise(factor: u64) -> f64 {
    factor as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked on the line before"
)]
fn whole(number: f64) -> Option<u64> {
    (0.0..9.0e15)
        .contains(&number)
        .then_some(number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, millis) in [
            ("25ms", Some(25)),
            ("2s", Some(2_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1_500)),
            ("7d", Some(604_800_000)),
            (" 10 s ", Some(10_000)),
            ("0", Some(0)),
            ("10", None),
            ("", None),
            ("-1s", None),
            ("5 parsecs", None),
        ] {
            let read = parse_duration(text).map(|d| d.as_millis());
            assert_eq!(read, millis, "{text:?}");
        }
    }

    #[test]
    fn sizes_need_a_unit() {
        for (text, bytes) in [
            ("16MiB", Some(16 << 20)),
            ("64 KiB", Some(64 << 10)),
            ("500KB", Some(500_000)),
            ("12B", Some(12)),
            ("1.5MiB", Some(3 << 19)),
            ("12", None),
            ("12MiB2", None),
            ("many", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(parse_share("25%"), Some(0.25));
        assert_eq!(parse_share("101%"), None);
        assert_eq!(parse_share("0.25"), None);
    }
}
