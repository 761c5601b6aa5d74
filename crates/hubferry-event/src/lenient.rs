//! Dates as people write them.

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use smallvec::SmallVec;

use crate::EventTime;
use crate::time::parse_timestamp_text;

/// Reads a date the way a lenient parser does: the forms of
/// [`parse_timestamp_text`], and beside them `2024-1-8`, `2024/01/08 10:00`, `1/8/2024 3:15 PM`,
/// `Jan 8 2024`, `8 January 2024`, `Mon, 08 Jan 2024 14:00:00 GMT`. Without a zone it is UTC; a date that the
/// calendar does not have is refused.
#[must_use]
pub fn parse_lenient_timestamp(text: &str) -> Option<EventTime> {
    parse_timestamp_text(text).or_else(|| Loose::read(text)?.time())
}

/// One piece of a date's text.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Token<'a> {
    Number(&'a str),
    Word(&'a str),
    Sign(u8),
}

/// A part of the date whose role is not known yet.
#[derive(Clone, Copy)]
enum Part {
    Number { value: i16, digits: usize },
    Month(i8),
}

/// What was found in the text so far.
#[derive(Default)]
struct Loose {
    parts: SmallVec<[Part; 3]>,
    clock: Option<Time>,
    offset: Option<Offset>,
}

impl Loose {
    fn read(text: &str) -> Option<Self> {
        let tokens = tokens(text)?;
        let mut rest = tokens.as_slice();
        let mut found = Self::default();
        while let Some((token, after)) = rest.split_first() {
            rest = match token {
                Token::Number(hour) if after.first() == Some(&Token::Sign(b':')) => {
                    found.clock(hour, after)?
                }
                Token::Number(digits) => {
                    found.number(digits)?;
                    after
                }
                Token::Sign(sign @ (b'+' | b'-')) if found.clock.is_some() => {
                    found.zone(*sign, after)?
                }
                Token::Sign(b'-' | b'/' | b'.' | b',') => after,
                Token::Sign(_) => return None,
                Token::Word(word) => {
                    found.word(word)?;
                    after
                }
            };
        }
        Some(found)
    }

    fn number(&mut self, text: &str) -> Option<()> {
        let value = text.parse().ok()?;
        self.parts.push(Part::Number {
            value,
            digits: text.len(),
        });
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "z" | "utc" | "gmt" if self.clock.is_some() => self.offset = Some(Offset::UTC),
            "t" if self.parts.len() == 3 && self.clock.is_none() => {}
            "am" | "pm" => self.half_of_day(&lower)?,
            _ => {
                if let Some(month) = named(&MONTHS, &lower) {
                    self.parts.push(Part::Month(month));
                } else {
                    named(&WEEKDAYS, &lower)?;
                }
            }
        }
        Some(())
    }

    fn half_of_day(&mut self, half: &str) -> Option<()> {
        let clock = self.clock?;
        let hour = clock.hour();
        if !(1..=12).contains(&hour) {
            return None;
        }
        let afternoon = if half == "pm" { 12 } else { 0 };
        let hour = hour % 12 + afternoon;
        self.clock = Some(
            Time::new(
                hour,
                clock.minute(),
                clock.second(),
                clock.subsec_nanosecond(),
            )
            .ok()?,
        );
        Some(())
    }

    /// `10:00`, `10:00:30`, `10:00:30.5`; `rest` starts at the first colon.
    fn clock<'t>(&mut self, hour: &str, rest: &'t [Token<'t>]) -> Option<&'t [Token<'t>]> {
        if self.clock.is_some() {
            return None;
        }
        let mut fields = [hour.parse::<i8>().ok()?, 0, 0];
        let mut rest = rest;
        let mut nanos = 0;
        for field in fields.iter_mut().skip(1) {
            let [Token::Sign(b':'), Token::Number(text), after @ ..] = rest else {
                break;
            };
            *field = text.parse().ok()?;
            rest = after;
        }
        if let [Token::Sign(b'.'), Token::Number(fraction), after @ ..] = rest {
            nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
            rest = after;
        }
        self.clock = Some(Time::new(fields[0], fields[1], fields[2], nanos).ok()?);
        Some(rest)
    }

    /// `+01:00`, `+0100`, `-5`.
    fn zone<'t>(&mut self, sign: u8, rest: &'t [Token<'t>]) -> Option<&'t [Token<'t>]> {
        let (hours, minutes, rest) = match rest {
            [
                Token::Number(h),
                Token::Sign(b':'),
                Token::Number(m),
                rest @ ..,
            ] => (*h, *m, rest),
            [Token::Number(both), rest @ ..] if both.len() == 4 => (&both[..2], &both[2..], rest),
            [Token::Number(h), rest @ ..] => (*h, "0", rest),
            _ => return None,
        };
        let hours: i32 = hours.parse().ok().filter(|h| *h <= 23)?;
        let minutes: i32 = minutes.parse().ok().filter(|m| *m <= 59)?;
        let seconds = hours * 3600 + minutes * 60;
        let signed = if sign == b'-' { -seconds } else { seconds };
        self.offset = Some(Offset::from_seconds(signed).ok()?);
        Some(rest)
    }

    fn time(&self) -> Option<EventTime> {
        let (year, month, day) = self.roles()?;
        let date = Date::new(year, month, day).ok()?;
        let local = date.to_datetime(self.clock.unwrap_or(Time::midnight()));
        let instant = self
            .offset
            .unwrap_or(Offset::UTC)
            .to_timestamp(local)
            .ok()?;
        Some(EventTime::from_millis(instant.as_millisecond()))
    }

    /// Which part is the year (the one of four digits), which the month, which the day.
    fn roles(&self) -> Option<(i16, i8, i8)> {
        use Part::{Month, Number};
        let (year, month, day) = match *self.parts.as_slice() {
            [
                Number {
                    value: year,
                    digits: 4,
                },
                Number {
                    value: month,
                    digits: 1 | 2,
                },
                Number {
                    value: day,
                    digits: 1 | 2,
                },
            ]
            | [
                Number {
                    value: month,
                    digits: 1 | 2,
                },
                Number {
                    value: day,
                    digits: 1 | 2,
                },
                Number {
                    value: year,
                    digits: 4,
                },
            ] => (year, i8::try_from(month).ok()?, day),
            [
                Month(month),
                Number {
                    value: day,
                    digits: 1 | 2,
                },
                Number {
                    value: year,
                    digits: 4,
                },
            ]
            | [
                Number {
                    value: day,
                    digits: 1 | 2,
                },
                Month(month),
                Number {
                    value: year,
                    digits: 4,
                },
            ]
            | [
                Number {
                    value: year,
                    digits: 4,
                },
                Month(month),
                Number {
                    value: day,
                    digits: 1 | 2,
                },
            ] => (year, month, day),
            _ => return None,
        };
        Some((year, month, i8::try_from(day).ok()?))
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// The place, from 1, of the name that starts with `lower`; at least three letters are needed.
fn named(names: &[&str], lower: &str) -> Option<i8> {
    let index = names
        .iter()
        .position(|name| lower.len() >= 3 && name.starts_with(lower))?;
    i8::try_from(index + 1).ok()
}

/// Splits a text; blanks and a comment in parentheses at the end vanish. No date has more than twenty pieces.
fn tokens(text: &str) -> Option<SmallVec<[Token<'_>; 20]>> {
    let text = match text.split_once('(') {
        Some((before, comment)) if comment.ends_with(')') => before,
        _ => text,
    };
    let mut tokens = SmallVec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.bytes().next() {
        let run = |of: fn(&u8) -> bool| rest.bytes().take_while(of).count();
        let length = match first {
            b'0'..=b'9' => {
                let length = run(u8::is_ascii_digit);
                tokens.push(Token::Number(&rest[..length]));
                length
            }
            b'a'..=b'z' | b'A'..=b'Z' => {
                let length = run(u8::is_ascii_alphabetic);
                tokens.push(Token::Word(&rest[..length]));
                length
            }
            b' ' => 1,
            _ if first.is_ascii_punctuation() => {
                tokens.push(Token::Sign(first));
                1
            }
            _ => return None,
        };
        if tokens.len() > 20 {
            return None;
        }
        rest = &rest[length..];
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_dates_are_read() {
        let midnight = 1_704_672_000_000;
        let cases = [
            ("2024-1-8", midnight),
            ("2024/01/08", midnight),
            ("1/8/2024", midnight),
            ("01-08-2024", midnight),
            ("Jan 8 2024", midnight),
            ("January 8, 2024", midnight),
            ("8 Jan 2024", midnight),
            ("08-jan-2024", midnight),
            ("Mon Jan 08 2024", midnight),
            ("2024-01-08 10:00", midnight + 36_000_000),
            ("2024-1-8 10:00:30.25", midnight + 36_030_250),
            ("1/8/2024 3:15 PM", midnight + 54_900_000),
            ("1/8/2024 12:00 AM", midnight),
            ("Mon, 08 Jan 2024 14:00:00 GMT", 1_704_722_400_000),
            (
                "Mon Jan 08 2024 16:00:00 GMT+0200 (Central European Time)",
                1_704_722_400_000,
            ),
            ("2024-1-8T14:00:00Z", 1_704_722_400_000),
            ("2024-01-08T14:00:00Z", 1_704_722_400_000),
        ];
        for (text, millis) in cases {
            assert_eq!(
                parse_lenient_timestamp(text),
                Some(EventTime::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "now",
            "abc",
            "1e3",
            "T10:00",
            "10:00",
            "",
            "2024-13-45",
            "2024-02-31",
            "13/45/2024",
            "8 Jan",
            "1/8/2024 13:00 PM",
            "1/8/2024 25:00",
            "Jan Jan 2024",
            "2024-01-08é",
            "1-2-3-4-5-6-7-8-9-1-2-3-4-5-6-7-8",
        ] {
            assert_eq!(parse_lenient_timestamp(text), None, "{text}");
        }
    }
}
