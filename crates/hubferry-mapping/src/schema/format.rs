//! The forms of texts.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::field::Format;

impl Format {
    /// What is expected, for messages.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::DateTime => "a date with a time, as 2024-01-08T13:52:50Z",
            Self::Date => "a date, as 2024-01-08",
            Self::Time => "a time of day, as 13:52:50",
            Self::Uri => "a URI with a scheme",
            Self::Uuid => "a UUID",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Hostname => "a host name",
        }
    }

    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Self::Email => is_email(text),
            Self::DateTime => is_date_time(text),
            Self::Date => is_date(text),
            Self::Time => is_time(text),
            Self::Uri => is_uri(text),
            Self::Uuid => is_uuid(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Hostname => is_hostname(text),
        }
    }
}

/// Dot-separated atoms, then two or more labels of letters, digits and inner hyphens; all of it ASCII.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
    };
    local.split('.').all(is_atom) && domain.contains('.') && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_hostname(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    (1..=253).contains(&name.len())
        && name
            .split('.')
            .all(|label| is_label(label) && label.len() <= 63)
}

fn is_date_time(text: &str) -> bool {
    match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => is_date(date) && is_time(time),
        None => false,
    }
}

fn is_date(text: &str) -> bool {
    let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2))
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=longest).contains(&day)
}

/// `13:52:50`, with a fraction or not, with `Z` or an offset or not.
fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else {
        return false;
    };
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>()[..] else {
        return false;
    };
    let is_clock = digits(hour, 2).is_some_and(|h| h <= 23)
        && digits(minute, 2).is_some_and(|m| m <= 59)
        && digits(second, 2).is_some_and(|s| s <= 59);
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    is_clock && (zone.is_empty() || is_zone(zone))
}

fn is_zone(zone: &str) -> bool {
    if zone.eq_ignore_ascii_case("z") {
        return true;
    }
    let Some(offset) = zone.strip_prefix(['+', '-']) else {
        return false;
    };
    let (hours, minutes) = match offset.split_once(':') {
        Some(parts) => parts,
        None => offset.split_at_checked(2).unwrap_or((offset, "")),
    };
    digits(hours, 2).is_some_and(|h| h <= 23)
        && (minutes.is_empty() && !offset.contains(':')
            || digits(minutes, 2).is_some_and(|m| m <= 59))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let right = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_rest = !rest.is_empty()
        && rest
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
    is_scheme && is_rest
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups
            .iter()
            .all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, accepted: &[&str], refused: &[&str]) {
        for text in accepted {
            assert!(format.accepts(text), "{format:?} must accept {text:?}");
        }
        for text in refused {
            assert!(!format.accepts(text), "{format:?} must refuse {text:?}");
        }
    }

    #[test]
    fn emails() {
        check(
            Format::Email,
            &[
                "a@b.c",
                "A@B.CO",
                "a+b@c.io",
                "a@1.2.3.4",
                "o'x@a-b.co",
                "a.b@c.d.e",
            ],
            &[
                "a@b",
                " a@b.co",
                "a@b.co ",
                "a b@c.io",
                "\"a\"@b.co",
                "é@b.co",
                "a@é.co",
                "a..b@c.io",
                ".a@c.io",
                "a.@c.io",
                "a@-c.io",
                "a@c-.io",
                "a@c_d.io",
                "a@b@c.io",
                "",
                "@b.co",
                "a@.co",
                "a@b.co.",
                "a@b..co",
            ],
        );
    }

    #[test]
    fn dates_and_times() {
        check(
            Format::DateTime,
            &[
                "2024-01-08T13:52:50.212Z",
                "2024-01-08T13:52:50",
                "2024-01-08 13:52:50",
                "2024-01-08T13:52:50+01:00",
                "2024-01-08T13:52:50-0130",
                "2024-01-08T13:52:50+01",
            ],
            &[
                "2024-01-08",
                "2024-01-08T25:00:00Z",
                "2024-02-30T10:00:00Z",
                "T10:00:00",
                "2024-01-08T13:52:50.",
            ],
        );
        check(
            Format::Date,
            &["2024-01-08", "2024-02-29", "2000-02-29"],
            &[
                "2024-02-30",
                "2023-02-29",
                "1900-02-29",
                "2024-01-08T00:00:00Z",
                "2024-1-8",
                "2024-00-01",
                "2024-01-00",
                "",
            ],
        );
        check(
            Format::Time,
            &["13:52:50", "13:52:50Z", "13:52:50.5+02:00"],
            &[
                "13:52",
                "24:00:00",
                "13:60:00",
                "13:52:50 Z",
                "1:2:3",
                "é3:52:50",
                "13:52:50+25:00",
                "13:52:50+01:",
            ],
        );
    }

    #[test]
    fn names_and_addresses() {
        check(
            Format::Uri,
            &["http://a.b", "mailto:x", "urn:x:y"],
            &["a.b", "//a.b", "http://a b", "http:", ":x", "1http://x", ""],
        );
        check(
            Format::Uuid,
            &[
                "123e4567-e89b-12d3-a456-426614174000",
                "123E4567-E89B-12D3-A456-426614174000",
            ],
            &[
                "123e4567e89b12d3a456426614174000",
                "123e4567-e89b-12d3-a456-42661417400g",
                "",
            ],
        );
        check(
            Format::Ipv4,
            &["1.2.3.4"],
            &["256.1.1.1", "1.2.3", "01.2.3.4"],
        );
        check(
            Format::Ipv6,
            &["::1", "2001:db8::8a2e:370:7334"],
            &["1.2.3.4", ":::"],
        );
        check(
            Format::Hostname,
            &["example.com", "256.1.1.1", "a-b"],
            &["a_b", "-a.com", "a..b", "", "a b"],
        );
    }
}
