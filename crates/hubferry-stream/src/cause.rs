//! Dead letters grouped by what is to be done about them: a cause is a mapping, a code and a property.

use std::collections::BTreeMap;
use std::fmt;

use crate::letter::FailedMapping;
use crate::letter_read::Letter;
use crate::place::Place;

/// Why deliveries failed, as a person would fix it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// `DESTINATION/NAME`, or `none` when no mapping was reached.
    pub mapping: String,
    /// The code of the failure.
    pub code: String,
    /// The property that was refused.
    pub property: Option<String>,
}

impl Cause {
    /// The cause of one failed mapping.
    #[must_use]
    pub fn of(failed: &FailedMapping) -> Self {
        Self {
            mapping: failed.mapping.clone(),
            code: failed.code.clone(),
            property: failed.property.clone(),
        }
    }

    /// Whether a text names this cause: `MAPPING:CODE:PROPERTY`, or `MAPPING:CODE` for every property.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        let rest = text.strip_prefix(&self.mapping);
        let rest = rest.and_then(|rest| rest.strip_prefix(':'));
        let rest = rest.and_then(|rest| rest.strip_prefix(&self.code));
        match (rest, &self.property) {
            (Some(""), _) => true,
            (Some(rest), Some(property)) => rest.strip_prefix(':') == Some(property),
            (Some(_), None) | (None, _) => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.mapping, self.code)?;
        match &self.property {
            Some(property) => write!(f, ":{property}"),
            None => Ok(()),
        }
    }
}

/// What is known of one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Failed deliveries of this cause.
    pub count: u64,
    /// When it was seen first, in milliseconds since 1970.
    pub first_ms: i64,
    /// When it was seen last, in milliseconds since 1970.
    pub last_ms: i64,
    /// One letter of this cause: the one seen last.
    pub example: Example,
}

/// A letter as an example of its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The letter's id.
    pub id: String,
    /// Where the letter stands.
    pub at: Place,
    /// Where the event stands.
    pub origin: Place,
    /// The class of the failure.
    pub class: String,
    /// The stage of the failure.
    pub stage: String,
    /// What the letter tells a person.
    pub message: String,
}

/// All causes, each with its tally. Memory grows with the number of causes, not of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes(BTreeMap<Cause, Tally>);

impl Causes {
    /// Counts one failed mapping of a letter.
    pub fn add(&mut self, letter: &Letter, failed: &FailedMapping) {
        let (first_ms, last_ms) = (letter.letter.first_failed_ms, letter.letter.last_failed_ms);
        let example = || Example {
            id: letter.id(),
            at: letter.at.clone(),
            origin: letter.letter.origin.clone(),
            class: failed.class.clone(),
            stage: failed.stage.clone(),
            message: letter.letter.message.clone(),
        };
        let tally = self.0.entry(Cause::of(failed)).or_insert_with(|| Tally {
            count: 0,
            first_ms,
            last_ms,
            example: example(),
        });
        tally.count += 1;
        tally.first_ms = tally.first_ms.min(first_ms);
        if last_ms > tally.last_ms {
            tally.last_ms = last_ms;
            tally.example = example();
        }
    }

    /// The causes, the most frequent first.
    #[must_use]
    pub fn by_count(&self) -> Vec<(&Cause, &Tally)> {
        let mut causes: Vec<_> = self.0.iter().collect();
        causes.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.count));
        causes
    }

    /// How many causes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter_read::tests::found;

    #[test]
    fn causes_are_counted_with_first_last_and_an_example() {
        let mut causes = Causes::default();
        for (offset, property, last_ms) in [
            (1, Some("plan"), 50),
            (2, Some("plan"), 90),
            (3, Some("plan"), 70),
            (4, None, 60),
        ] {
            let mut letter = found(offset);
            letter.letter.first_failed_ms = last_ms - 20;
            letter.letter.last_failed_ms = last_ms;
            letter.letter.failed[0].property = property.map(ToOwned::to_owned);
            causes.add(&letter, &letter.letter.failed[0]);
        }
        let shown: Vec<_> = causes
            .by_count()
            .into_iter()
            .map(|(cause, tally)| {
                let offset = tally.example.at.offset.get();
                (
                    cause.to_string(),
                    tally.count,
                    tally.first_ms,
                    tally.last_ms,
                    offset,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "acme/contacts:property_option:plan".to_owned(),
                    3,
                    30,
                    90,
                    2
                ),
                ("acme/contacts:property_option".to_owned(), 1, 40, 60, 4),
            ]
        );
    }

    #[test]
    fn a_text_names_a_cause_with_or_without_its_property() {
        let cause = Cause {
            mapping: "acme/a:b".to_owned(),
            code: "property_option".to_owned(),
            property: Some("plan".to_owned()),
        };
        for (text, named) in [
            ("acme/a:b:property_option:plan", true),
            ("acme/a:b:property_option", true),
            ("acme/a:b:property_option:pla", false),
            ("acme/a:b:property", false),
            ("acme/a", false),
            ("", false),
        ] {
            assert_eq!(cause.is_named(text), named, "{text}");
        }
    }
}
