//! Filters on points in time. All times are UTC.

use hubferry_event::parse_lenient_timestamp;
use serde_json::Value;

use super::{argument, text};
use crate::liquid::LiquidError;
use crate::liquid::run::Run;
use crate::liquid::value::{Val, whole};
use crate::text::js_text;

type Result<'a> = std::result::Result<Val<'a>, LiquidError>;

/// How a date looks when no format is given.
const DEFAULT_FORMAT: &str = "%A, %B %-e, %Y at %-l:%M %P %z";

/// Formats a date. Numbers, and texts of digits, are seconds; what is no date stays what it is. The second argument
/// shifts the clock by so many minutes, counted westwards as in JavaScript.
pub(super) fn date<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let format = match argument(arguments, 0) {
        format if format.is_nil() => DEFAULT_FORMAT.to_owned(),
        format => text(run, format)?.into_owned(),
    };
    formatted(run, value, &format, argument(arguments, 1))
}

pub(super) fn date_to_xmlschema<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    _: &[Val<'a>],
) -> Result<'a> {
    formatted(run, value, "%Y-%m-%dT%H:%M:%S%:z", &Val::Undefined)
}

pub(super) fn date_to_rfc822<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    formatted(run, value, "%a, %d %b %Y %H:%M:%S %z", &Val::Undefined)
}

pub(super) fn date_to_string<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    named_month(run, value, "%b", arguments)
}

pub(super) fn date_to_long_string<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    named_month(run, value, "%B", arguments)
}

/// `08 Jan 2024`; with `ordinal` `8th Jan 2024`, and with `US` behind it `Jan 8th, 2024`.
fn named_month<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    month: &str,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let is_ordinal = argument(arguments, 0).text() == "ordinal";
    let is_us = argument(arguments, 1).text() == "US";
    let format = match (is_ordinal, is_us) {
        (true, true) => format!("{month} %-d%q, %Y"),
        (true, false) => format!("%-d%q {month} %Y"),
        (false, _) => format!("%d {month} %Y"),
    };
    formatted(run, value, &format, &Val::Undefined)
}

fn formatted<'a>(run: &mut Run<'a>, value: Val<'a>, format: &str, zone: &Val<'_>) -> Result<'a> {
    match moment(run, &value)? {
        Some(millis) => {
            let clock = Clock::at(millis, shift(zone)?);
            // A width may pad every directive.
            run.make(format.len().saturating_mul(16))?;
            Ok(Val::from_text(clock.format(run, format)?))
        }
        None => Ok(value),
    }
}

fn shift(zone: &Val<'_>) -> std::result::Result<i64, LiquidError> {
    let fault = LiquidError::Filter {
        name: "date",
        rule: "knows no time zones by name: times are UTC",
    };
    match zone {
        Val::Undefined | Val::Nil => Ok(0),
        zone => match zone.as_json() {
            Some(Value::Null) => Ok(0),
            Some(Value::String(name)) if matches!(name.as_str(), "UTC" | "GMT" | "Etc/UTC") => {
                Ok(0)
            }
            Some(Value::String(_)) => Err(fault),
            _ => whole(zone.number())
                .filter(|minutes| minutes.abs() <= 24 * 60)
                .ok_or(fault),
        },
    }
}

/// JavaScript's dates end 100,000,000 days from 1970.
const FARTHEST_MILLIS: i64 = 8_640_000_000_000_000;

/// The time a value stands for, in milliseconds since 1970.
fn moment(run: &Run<'_>, value: &Val<'_>) -> std::result::Result<Option<i64>, LiquidError> {
    let millis = match value {
        Val::Number(seconds) => whole(seconds * 1000.0),
        Val::Json(json) => match &**json {
            Value::Number(_) => whole(value.number() * 1000.0),
            Value::String(text) if text == "now" || text == "today" => {
                return now(run).map(Some);
            }
            Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                whole(value.number() * 1000.0)
            }
            Value::String(text) => parse_lenient_timestamp(text).map(|time| time.as_millis()),
            // JavaScript makes dates of these too.
            Value::Bool(truth) => Some(i64::from(*truth)),
            Value::Array(_) => parse_lenient_timestamp(&js_text(json)).map(|time| time.as_millis()),
            Value::Null | Value::Object(_) => None,
        },
        Val::Undefined | Val::Nil | Val::Empty | Val::Blank => None,
    };
    Ok(millis.filter(|millis| millis.abs() <= FARTHEST_MILLIS))
}

/// The moment of the event, so that the same event always gives the same text.
fn now(run: &Run<'_>) -> std::result::Result<i64, LiquidError> {
    ["receivedAt", "timestamp", "sentAt", "originalTimestamp"]
        .iter()
        .filter_map(|key| run.event()?.get(key))
        .find_map(|time| parse_lenient_timestamp(&js_text(time.value())))
        .map(|time| time.as_millis())
        .ok_or(LiquidError::Filter {
            name: "date",
            rule: "knows no `now`: the event has no time",
        })
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment on the clock and in the calendar.
struct Clock {
    utc_millis: i64,
    /// Minutes west of UTC, where the clock was shifted to.
    west: i64,
    year: i64,
    /// From 1.
    month: i64,
    day: i64,
    /// From 1.
    day_of_year: i64,
    /// From Sunday.
    weekday: i64,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
}

impl Clock {
    fn at(utc_millis: i64, west: i64) -> Self {
        let millis = utc_millis - west * 60_000;
        let days = millis.div_euclid(86_400_000);
        let of_day = millis.rem_euclid(86_400_000);
        let (year, month, day) = civil(days);
        Self {
            utc_millis,
            west,
            year,
            month,
            day,
            day_of_year: days - days_before_year(year) + 1,
            weekday: (days + 4).rem_euclid(7),
            hour: of_day / 3_600_000,
            minute: of_day / 60_000 % 60,
            second: of_day / 1000 % 60,
            milli: of_day % 1000,
        }
    }

    fn format(&self, run: &mut Run<'_>, format: &str) -> std::result::Result<String, LiquidError> {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            match Directive::read(rest) {
                Some((directive, length)) => {
                    run.make(directive.width.unwrap_or(0))?;
                    match self.written(&directive) {
                        Some(written) => out.push_str(&directive.pad(written)),
                        None => out.push_str(&rest[..length]),
                    }
                    rest = &rest[length..];
                }
                None => {
                    out.push('%');
                    rest = &rest[1..];
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn written(&self, directive: &Directive) -> Option<String> {
        let name = |names: &[&str], index: i64| -> String {
            let index = usize::try_from(index).unwrap_or(0);
            names
                .get(index)
                .map_or_else(String::new, |name| (*name).to_owned())
        };
        let short = |text: String| text.chars().take(3).collect::<String>();
        let hour12 = if self.hour % 12 == 0 {
            12
        } else {
            self.hour % 12
        };
        let noon = if self.hour < 12 { "AM" } else { "PM" };
        let day = format!("{}/{}/{}", self.month, self.day, self.year);
        let time = format!("{hour12}:{:02}:{:02} {noon}", self.minute, self.second);
        Some(match directive.conversion {
            'a' => short(name(&DAYS, self.weekday)),
            'A' => name(&DAYS, self.weekday),
            'b' | 'h' => short(name(&MONTHS, self.month - 1)),
            'B' => name(&MONTHS, self.month - 1),
            'c' => format!("{day}, {time}"),
            'C' => self.year.div_euclid(100).to_string(),
            'd' | 'e' => self.day.to_string(),
            'H' | 'k' => self.hour.to_string(),
            'I' | 'l' => hour12.to_string(),
            'j' => self.day_of_year.to_string(),
            'L' => self.milli.to_string(),
            'm' => self.month.to_string(),
            'M' => self.minute.to_string(),
            'N' => self.fraction(directive.width.filter(|w| *w > 0).unwrap_or(9)),
            'p' => noon.to_owned(),
            'P' => noon.to_lowercase(),
            'q' => ordinal(self.day).to_owned(),
            's' => self.utc_millis.div_euclid(1000).to_string(),
            'S' => self.second.to_string(),
            'u' => if self.weekday == 0 { 7 } else { self.weekday }.to_string(),
            'U' => self.week(0).to_string(),
            'w' => self.weekday.to_string(),
            'W' => self.week(1).to_string(),
            'x' => day,
            'X' => time,
            'y' => self.year.rem_euclid(100).to_string(),
            'Y' => self.year.to_string(),
            'z' => self.offset(directive.has(':')),
            'Z' if self.west == 0 => "UTC".to_owned(),
            'Z' => self.offset(directive.has(':')),
            't' => "\t".to_owned(),
            'n' => "\n".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }

    /// Milliseconds as a fraction of a second, with as many digits as asked for.
    fn fraction(&self, width: usize) -> String {
        let digits = format!("{:03}", self.milli);
        let shown: String = digits.chars().take(width).collect();
        format!("{shown:0<width$}")
    }

    /// The week of the year; days before the first `first_day` belong to week 0.
    fn week(&self, first_day: i64) -> i64 {
        let since = (self.weekday - first_day).rem_euclid(7);
        (self.day_of_year - 1 - since + 7).div_euclid(7)
    }

    fn offset(&self, has_colon: bool) -> String {
        let sign = if self.west > 0 { '-' } else { '+' };
        let minutes = self.west.abs();
        let colon = if has_colon { ":" } else { "" };
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    }
}

/// `%`, flags, width, a modifier without meaning, and the letter that counts.
struct Directive {
    flags: String,
    width: Option<usize>,
    conversion: char,
}

/// The widest directive; the reference's memory limit would end it at some point.
const WIDEST: usize = 10_000;

impl Directive {
    fn read(text: &str) -> Option<(Self, usize)> {
        let after = text.strip_prefix('%')?;
        let unflagged = after.trim_start_matches(['-', '_', '0', '^', '#', ':']);
        let (flags, after) = after.split_at(after.len() - unflagged.len());
        let unwidened = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let (width, after) = after.split_at(after.len() - unwidened.len());
        let mut chars = after.chars();
        let mut conversion = chars.next().filter(|c| *c != '\n')?;
        // `E` and `O` are modifiers when a letter follows.
        if matches!(conversion, 'E' | 'O')
            && let Some(next) = chars.clone().next().filter(|c| *c != '\n')
        {
            conversion = next;
            chars.next();
        }
        let directive = Self {
            flags: flags.to_owned(),
            width: (!width.is_empty()).then(|| width.parse().unwrap_or(WIDEST).min(WIDEST)),
            conversion,
        };
        Some((directive, text.len() - chars.as_str().len()))
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn pad(&self, mut written: String) -> String {
        if self.has('^') {
            written = written.to_uppercase();
        } else if self.has('#') {
            let has_lower = written.contains(|c: char| c.is_ascii_lowercase());
            written = if has_lower {
                written.to_uppercase()
            } else {
                written.to_lowercase()
            };
        }
        let spaces_by_default = "aAbBceklpP".contains(self.conversion);
        let with_spaces = self.has('_') || (spaces_by_default && !self.has('0'));
        let default_width = match self.conversion {
            'C' | 'd' | 'e' | 'H' | 'I' | 'k' | 'l' | 'm' | 'M' | 'S' | 'U' | 'W' | 'y' => 2,
            'j' | 'L' => 3,
            'Y' => 4,
            _ => 0,
        };
        let width = match self.width.filter(|width| *width > 0) {
            _ if self.has('-') => 0,
            Some(width) => width,
            None => default_width,
        };
        match (with_spaces, written.strip_prefix('-')) {
            (true, _) => format!("{written:>width$}"),
            (false, Some(digits)) => format!("-{digits:0>width$}", width = width.saturating_sub(1)),
            (false, None) => format!("{written:0>width$}"),
        }
    }
}

const fn ordinal(day: i64) -> &'static str {
    match (day, day % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

/// Year, month and day of a day counted from 1970, in the Gregorian calendar.
const fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from March, the leap day is the last of the year.
    let from_0000_03_01 = days + 719_468;
    let era = from_0000_03_01.div_euclid(146_097);
    let of_era = from_0000_03_01.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// The first day of a year, counted from 1970.
const fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)
        - (1969 / 4 - 1969 / 100 + 1969 / 400)
}
