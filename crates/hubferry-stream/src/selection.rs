//! Which dead letters are meant: the filters of `dlq` and `replay` (`spec/fleet.md` v.3.1).
//!
//! Different filters must all agree; values of one filter are alternatives. Filters about the failure (mapping, class,
//! code, stage, status, category, property, cause) choose single failed mappings: all of them must hold for the same one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::cause::Cause;
use crate::letter::FailedMapping;
use crate::letter_read::Letter;

/// A free condition on a letter (`--where`).
pub type Predicate = Box<dyn Fn(&Letter) -> bool + Send + Sync>;

/// Which dead letters are meant. The default means all of them.
#[derive(Default)]
pub struct Selection {
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    partitions: Vec<RangeInclusive<i64>>,
    offsets: Vec<RangeInclusive<i64>>,
    replays: Vec<RangeInclusive<i64>>,
    statuses: Vec<RangeInclusive<i64>>,
    texts: BTreeMap<Text, Vec<String>>,
    limit: Option<usize>,
    sample: Option<usize>,
    condition: Option<(String, Predicate)>,
    /// As it was written, for the journal and for people.
    written: Vec<(String, String)>,
}

/// Filters that compare a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Text {
    Class,
    Code,
    Stage,
    Category,
    Property,
    Mapping,
    Type,
    Identity,
    MessageId,
    ConfigHash,
    Cause,
}

/// The filters, in the order in which people are told of them.
const NAMES: [&str; 20] = [
    "since",
    "until",
    "partition",
    "offsets",
    "class",
    "code",
    "stage",
    "status",
    "category",
    "property",
    "mapping",
    "type",
    "identity",
    "message-id",
    "config-hash",
    "replays",
    "where",
    "cause",
    "limit",
    "sample",
];

/// What is wrong with a filter. Each message is one line; values are not repeated, for they may be personal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no such filter.
    #[error("unknown filter `{name}`: the filters are {}", NAMES.join(", "))]
    Unknown {
        /// The name as it was written.
        name: String,
    },
    /// The value is not what the filter takes.
    #[error("filter `{name}`: expected {expected}")]
    Value {
        /// The filter.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A filter that can stand only once was given twice.
    #[error("filter `{name}` is given twice")]
    Twice {
        /// The filter.
        name: &'static str,
    },
    /// Something that is not `NAME=VALUE`.
    #[error("a filter is written NAME=VALUE, and values with blanks stand in double quotes")]
    Form,
}

impl Selection {
    /// Reads `NAME=VALUE NAME=VALUE …`; values with blanks stand in double quotes. `now_ms` is what times such as `-1h`
    /// count from.
    ///
    /// # Errors
    ///
    /// A filter that does not exist, stands twice, or has a value that it does not take. A condition (`where`) is read by
    /// [`Selection::parse_with`] or comes as [`Selection::with_condition`].
    pub fn parse(text: &str, now_ms: i64) -> Result<Self, FilterError> {
        Self::parse_with(text, now_ms, |_| None)
    }

    /// The same, with someone who reads conditions; `None` is a condition that cannot be read.
    ///
    /// # Errors
    ///
    /// As [`Selection::parse`].
    pub fn parse_with(
        text: &str,
        now_ms: i64,
        condition: impl Fn(&str) -> Option<Predicate>,
    ) -> Result<Self, FilterError> {
        let mut selection = Self::default();
        for word in words(text)? {
            let (name, value) = word.split_once('=').ok_or(FilterError::Form)?;
            match condition(value) {
                Some(holds) if name == "where" => {
                    once("where", &mut selection.condition, (value.to_owned(), holds))?;
                }
                _ => selection.add(name, value, now_ms)?,
            }
        }
        Ok(selection)
    }

    /// Adds one filter. Values of most filters may be several, with commas between them, or given by adding the filter
    /// again.
    ///
    /// # Errors
    ///
    /// As [`Selection::parse`].
    pub fn add(&mut self, name: &str, value: &str, now_ms: i64) -> Result<(), FilterError> {
        let unknown = || FilterError::Unknown {
            name: name.to_owned(),
        };
        let name = NAMES
            .into_iter()
            .find(|known| *known == name)
            .ok_or_else(unknown)?;
        let texts = |text: Text| (text, value.split(',').map(str::trim).map(ToOwned::to_owned));
        let (text, values) = match name {
            "since" => {
                let (since_ms, written) = time(name, value, now_ms)?;
                self.write(name, &written);
                return once(name, &mut self.since_ms, since_ms);
            }
            "until" => {
                let (until_ms, written) = time(name, value, now_ms)?;
                self.write(name, &written);
                return once(name, &mut self.until_ms, until_ms);
            }
            "partition" => return self.add_ranges(name, value, |own| &mut own.partitions),
            "offsets" => return self.add_ranges(name, value, |own| &mut own.offsets),
            "replays" => return self.add_ranges(name, value, |own| &mut own.replays),
            "status" => return self.add_ranges(name, value, |own| &mut own.statuses),
            "limit" => {
                self.write(name, value);
                return once(name, &mut self.limit, count(name, value)?);
            }
            "sample" => {
                self.write(name, value);
                return once(name, &mut self.sample, count(name, value)?);
            }
            "class" => texts(Text::Class),
            "code" => texts(Text::Code),
            "stage" => texts(Text::Stage),
            "category" => texts(Text::Category),
            "property" => texts(Text::Property),
            "mapping" => texts(Text::Mapping),
            "type" => texts(Text::Type),
            "identity" => texts(Text::Identity),
            "message-id" => texts(Text::MessageId),
            "config-hash" => texts(Text::ConfigHash),
            "cause" => texts(Text::Cause),
            // `where`: what a condition means is the caller's to say, and it could not.
            _ => {
                let expected = "a condition";
                return Err(FilterError::Value { name, expected });
            }
        };
        let values: Vec<String> = values.collect();
        if values.iter().any(String::is_empty) {
            let expected = "a value, or several with commas between them";
            return Err(FilterError::Value { name, expected });
        }
        self.texts.entry(text).or_default().extend(values);
        self.write(name, value);
        Ok(())
    }

    /// Adds a condition, with the text that it was read from.
    #[must_use]
    pub fn with_condition(mut self, text: &str, holds: Predicate) -> Self {
        self.condition = Some((text.to_owned(), holds));
        self
    }

    /// Whether nothing was asked for: every letter is meant.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.written.is_empty() && self.condition.is_none()
    }

    /// From which time on letters are meant, in milliseconds since 1970: where a scan may start.
    #[must_use]
    pub fn since_ms(&self) -> Option<i64> {
        self.since_ms
    }

    /// How many letters are wanted at most, in the order of the scan.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// How many letters are wanted at most, spread over all that match: see [`Sample`].
    #[must_use]
    pub fn sample(&self) -> Option<usize> {
        self.sample
    }

    /// The failed mappings of a letter that are meant; none when the letter is not.
    #[must_use]
    pub fn chosen<'l>(&self, letter: &'l Letter) -> Vec<&'l FailedMapping> {
        if !self.means(letter) {
            return Vec::new();
        }
        let failed = letter.letter.failed.iter();
        failed.filter(|failed| self.means_failure(failed)).collect()
    }

    /// Whether the filters about the event and the letter agree.
    fn means(&self, letter: &Letter) -> bool {
        let what = &letter.letter;
        let replays = what.replay.as_ref().map_or(0, |replay| replay.count);
        self.since_ms
            .is_none_or(|since_ms| what.last_failed_ms >= since_ms)
            && self
                .until_ms
                .is_none_or(|until_ms| what.last_failed_ms < until_ms)
            && within(&self.partitions, what.origin.partition.get().into())
            && within(&self.offsets, what.origin.offset.get())
            && within(&self.replays, replays.into())
            && self.is_one(Text::Type, what.event_type.as_deref())
            && self.is_one(Text::Identity, what.identity_hash.as_deref())
            && self.is_one(Text::MessageId, what.message_id.as_deref())
            && self.is_one(Text::ConfigHash, Some(&what.config_hash))
            && self
                .condition
                .as_ref()
                .is_none_or(|(_, holds)| holds(letter))
    }

    fn means_failure(&self, failed: &FailedMapping) -> bool {
        let status = failed.status.map(i64::from);
        let causes = self.texts.get(&Text::Cause);
        self.is_one(Text::Mapping, Some(&failed.mapping))
            && self.is_one(Text::Class, Some(&failed.class))
            && self.is_one(Text::Code, Some(&failed.code))
            && self.is_one(Text::Stage, Some(&failed.stage))
            && self.is_one(Text::Category, failed.category.as_deref())
            && self.is_one(Text::Property, failed.property.as_deref())
            && (self.statuses.is_empty()
                || status.is_some_and(|status| within(&self.statuses, status)))
            && causes.is_none_or(|causes| {
                let cause = Cause::of(failed);
                causes.iter().any(|text| cause.is_named(text))
            })
    }

    fn is_one(&self, text: Text, value: Option<&str>) -> bool {
        let wanted = self.texts.get(&text);
        wanted.is_none_or(|wanted| value.is_some_and(|value| wanted.iter().any(|one| one == value)))
    }

    fn add_ranges(
        &mut self,
        name: &'static str,
        value: &str,
        of: impl Fn(&mut Self) -> &mut Vec<RangeInclusive<i64>>,
    ) -> Result<(), FilterError> {
        let ranges: Option<Vec<_>> = value.split(',').map(range).collect();
        let expected = "a number, a range such as 10..20, 10.. or ..20, or several with commas";
        let ranges = ranges.ok_or(FilterError::Value { name, expected })?;
        of(self).extend(ranges);
        self.write(name, value);
        Ok(())
    }

    fn write(&mut self, name: &str, value: &str) {
        self.written.push((name.to_owned(), value.to_owned()));
    }
}

impl fmt::Display for Selection {
    /// As [`Selection::parse`] reads it, with times written out; a condition stands as `where` and its text. It may hold
    /// what the user wrote, message ids for example.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self
            .condition
            .iter()
            .map(|(text, _)| ("where", text.as_str()));
        let written = self
            .written
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (at, (name, value)) in written.chain(condition).enumerate() {
            let blank = if at == 0 { "" } else { " " };
            let quoted = value.is_empty() || value.contains([' ', '\t', '\n', '"', '\\']);
            if quoted {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "{blank}{name}=\"{value}\"")?;
            } else {
                write!(f, "{blank}{name}={value}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.written.iter().map(|(name, _)| name);
        f.debug_struct("Selection")
            .field("filters", &names.collect::<Vec<_>>())
            .field("where", &self.condition.is_some())
            .finish()
    }
}

/// Words with blanks between them; double quotes keep blanks, a backslash within them keeps the next character.
fn words(text: &str) -> Result<Vec<String>, FilterError> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => {
                let kept = characters.next().ok_or(FilterError::Form)?;
                word.get_or_insert_default().push(kept);
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if quoted {
        return Err(FilterError::Form);
    }
    words.extend(word);
    Ok(words)
}

/// The time, and how it is written so that it means the same tomorrow.
fn time(name: &'static str, value: &str, now_ms: i64) -> Result<(i64, String), FilterError> {
    let expected = "a time such as -1h or 2026-01-31T12:00:00Z";
    let wrong = || FilterError::Value { name, expected };
    let time = match value.strip_prefix('-') {
        Some(ago) => ago_ms(ago)
            .and_then(|ago_ms| now_ms.checked_sub(ago_ms))
            .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        None => value.parse::<Timestamp>().ok(),
    };
    let time = time.ok_or_else(wrong)?;
    Ok((time.as_millisecond(), time.to_string()))
}

/// Such as `90s`, `30m`, `1h`, `7d`, `2w`.
fn ago_ms(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number
        .parse::<i64>()
        .ok()?
        .checked_mul(seconds)?
        .checked_mul(1_000)
}

fn once<T>(name: &'static str, to: &mut Option<T>, value: T) -> Result<(), FilterError> {
    match to.replace(value) {
        None => Ok(()),
        Some(_) => Err(FilterError::Twice { name }),
    }
}

fn count(name: &'static str, value: &str) -> Result<usize, FilterError> {
    let count = value.parse().ok().filter(|count| *count > 0);
    let expected = "a number of letters, 1 at least";
    count.ok_or(FilterError::Value { name, expected })
}

/// `10`, `10..20` (both belong to it), `10..`, `..20`.
fn range(text: &str) -> Option<RangeInclusive<i64>> {
    let number = |text: &str, open: i64| match text {
        "" => Some(open),
        digits => digits.parse::<i64>().ok().filter(|number| *number >= 0),
    };
    match text.trim().split_once("..") {
        Some(("", "")) => None,
        Some((first, last)) => {
            let (first, last) = (number(first, 0)?, number(last, i64::MAX)?);
            (first <= last).then_some(first..=last)
        }
        None => {
            let one = number(text.trim(), -1).filter(|one| *one >= 0)?;
            Some(one..=one)
        }
    }
}

fn within(ranges: &[RangeInclusive<i64>], number: i64) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| range.contains(&number))
}

/// So many of all that are offered, spread evenly: those whose ids have the lowest hashes. The same letters give the same
/// sample, in whatever order they come; memory holds no more than the sample.
#[derive(Clone, Debug)]
pub struct Sample<T> {
    size: usize,
    kept: BTreeMap<([u8; 8], String), T>,
}

impl<T> Sample<T> {
    /// An empty sample of at most so many.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            size,
            kept: BTreeMap::new(),
        }
    }

    /// Offers one; of the same id the last one counts.
    pub fn offer(&mut self, id: &str, item: T) {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(Sha256::digest(id)) {
            *to = from;
        }
        self.kept.insert((first, id.to_owned()), item);
        if self.kept.len() > self.size {
            self.kept.pop_last();
        }
    }

    /// What was kept, in an order that does not depend on the order of offering.
    #[must_use]
    pub fn into_items(self) -> Vec<T> {
        self.kept.into_values().collect()
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
