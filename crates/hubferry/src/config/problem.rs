//! What is wrong with a configuration: every problem with its path, collected rather than thrown.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use super::places::{Place, Places, Root};

/// The kind of a problem, as it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A key nobody asks for.
    UnknownKey,
    /// A value that is missing or not of the accepted form.
    Invalid,
    /// A mapping's fields do not compile.
    Mapping,
    /// Two mappings write the same property.
    Clash,
    /// A trigger does not parse.
    Trigger,
    /// A trigger means two things.
    AmbiguousTrigger,
}

impl Fault {
    /// The code as it is printed.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownKey => "config_unknown_key",
            Self::Invalid => "config_invalid",
            Self::Mapping => "mapping_invalid",
            Self::Clash => "mapping_clash",
            Self::Trigger => "trigger_invalid",
            Self::AmbiguousTrigger => "trigger_ambiguous",
        }
    }
}

/// One problem of a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Its kind.
    pub fault: Fault,
    /// Where, e.g. `destinations[acme].hubspot.limits.search`.
    pub path: String,
    /// What is wrong and what would be accepted; never a secret.
    pub message: String,
    /// Where it is written, when it is written in a file.
    pub place: Option<Place>,
}

/// Something that works but should be known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// Its kind, when it has one.
    pub fault: Option<Fault>,
    /// Where, as in a problem.
    pub path: String,
    /// What is to be known; never a secret.
    pub message: String,
    /// Where it is written, when it is written in a file.
    pub place: Option<Place>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(fault) = self.fault {
            write!(f, "{}: ", fault.code())?;
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if self.path.is_empty() {
            write!(f, "{}: {}", self.fault.code(), self.message)
        } else {
            write!(f, "{}: {}: {}", self.fault.code(), self.path, self.message)
        }
    }
}

/// Collects problems and warnings while a configuration is read.
#[derive(Default, Debug)]
pub(crate) struct Problems {
    found: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Warning>>,
    places: RefCell<Places>,
}

impl Problems {
    pub(crate) fn add(&self, fault: Fault, path: &str, message: impl Into<String>) {
        self.found.borrow_mut().push(Problem {
            fault,
            path: path.to_owned(),
            message: message.into(),
            place: None,
        });
    }

    /// A file that says nothing that can be understood.
    pub(crate) fn unreadable(&self, place: Place, message: impl Into<String>) {
        self.found.borrow_mut().push(Problem {
            fault: Fault::Invalid,
            path: String::new(),
            message: message.into(),
            place: Some(place),
        });
    }

    /// Takes the lines of a file, so that what is wrong in it can be placed.
    pub(crate) fn read_from(&self, file: &Path, text: &str, root: Root) {
        self.places.borrow_mut().add(file, text, root);
    }

    pub(crate) fn invalid(&self, path: &str, message: impl Into<String>) {
        self.add(Fault::Invalid, path, message);
    }

    pub(crate) fn warn(&self, path: &str, message: impl Into<String>) {
        self.suspect(None, path, message);
    }

    /// A warning of a kind.
    pub(crate) fn suspect(&self, fault: Option<Fault>, path: &str, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning {
            fault,
            path: path.to_owned(),
            message: message.into(),
            place: None,
        });
    }

    pub(crate) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// The problems in the order they were found, and the warnings, each with its place; and the places.
    pub(crate) fn into_parts(self) -> (Vec<Problem>, Vec<Warning>, Places) {
        let places = self.places.into_inner();
        let (mut found, mut warnings) = (self.found.into_inner(), self.warnings.into_inner());
        for problem in &mut found {
            problem.place = problem.place.take().or_else(|| places.find(&problem.path));
        }
        for warning in &mut warnings {
            warning.place = places.find(&warning.path);
        }
        (found, warnings, places)
    }
}

/// The one of `known` that is closest to `word`, when it is close enough to be a slip of the fingers.
pub(crate) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 2.max(word.chars().count() / 3))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_its_word() {
        let known = ["brokers", "group", "topics"];
        for (word, expected) in [
            ("topicz", Some("topics")),
            ("Topics", Some("topics")),
            ("broker", Some("brokers")),
            ("grp", Some("group")),
            ("password", None),
        ] {
            assert_eq!(closest(word, known), expected, "{word}");
        }
    }
}
