//! The configuration: what was written (files and environment), and what is meant (checked types).

mod clash;
mod destination;
mod hash;
mod layers;
mod mapping;
mod meant;
mod places;
mod problem;
mod reference;
mod schema;
mod section;
mod units;

use std::path::PathBuf;

pub(crate) use clash::{is_directive, object_of};
pub(crate) use destination::DELETION;
pub use destination::{Destination, HubSpot, Limits};
pub(crate) use hash::hex;
pub use layers::{Secrets, Surroundings};
pub(crate) use layers::{is_test_file, parse_text};
pub use mapping::MappingEntry;
pub use meant::{
    Admin, ClientProperties, Configuration, Delivery, Input, Intake, Kafka, LimiterShape,
    OnRedisLoss, Redis,
};
pub use places::Place;
pub(crate) use places::{Places, Root};
pub(crate) use problem::closest;
pub use problem::{Fault, Problem, Warning};
pub use reference::REFERENCE;
pub use schema::schema;

/// A configuration that can be used, and what is worth a second look.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub configuration: Configuration,
    /// Things that work but should be known.
    pub warnings: Vec<Warning>,
}

/// Everything that was found in a configuration, whether it can be used or not.
#[derive(Debug)]
pub struct Inspected {
    /// The configuration, or every problem in the order of reading.
    pub outcome: Result<Configuration, Vec<Problem>>,
    /// Things that work but should be known.
    pub warnings: Vec<Warning>,
    /// Where everything is written, for what is found later.
    pub(crate) places: Places,
}

/// Reads files or folders, later ones over earlier ones, then the environment.
///
/// # Errors
///
/// Every problem found, in the order of reading.
pub fn load(paths: &[PathBuf], around: &Surroundings) -> Result<Loaded, Vec<Problem>> {
    inspect(paths, around).into_loaded()
}

/// Reads as [`load`] does, and keeps the warnings of a configuration that cannot be used.
#[must_use]
pub fn inspect(paths: &[PathBuf], around: &Surroundings) -> Inspected {
    let problems = problem::Problems::default();
    let root = layers::read(paths, around, &problems);
    finish(&root, around, problems)
}

/// Reads one configuration from text, as [`load`] does from a file.
///
/// # Errors
///
/// Every problem found.
pub fn load_text(text: &str, around: &Surroundings) -> Result<Loaded, Vec<Problem>> {
    let problems = problem::Problems::default();
    let document = match layers::parse_text(text) {
        Ok(serde_json::Value::Object(members)) => members,
        Ok(_) => serde_json::Map::new(),
        Err(unparsed) => {
            problems.invalid("", unparsed.message);
            serde_json::Map::new()
        }
    };
    let root = layers::join(vec![document], around, &problems);
    finish(&root, around, problems).into_loaded()
}

impl Inspected {
    fn into_loaded(self) -> Result<Loaded, Vec<Problem>> {
        let Self {
            outcome, warnings, ..
        } = self;
        outcome.map(|configuration| Loaded {
            configuration,
            warnings,
        })
    }
}

fn finish(
    root: &serde_json::Value,
    around: &Surroundings,
    problems: problem::Problems,
) -> Inspected {
    // An unreadable file makes everything after it look missing: its own problem is the one that helps.
    let unread = problems.count() > 0 && root.as_object().is_some_and(serde_json::Map::is_empty);
    let configuration = (!unread).then(|| meant::mean(root, around, &problems));
    let (found, warnings, places) = problems.into_parts();
    let outcome = match configuration {
        Some(configuration) if found.is_empty() => Ok(configuration),
        _ => Err(found),
    };
    Inspected {
        outcome,
        warnings,
        places,
    }
}

#[cfg(test)]
mod tests;
