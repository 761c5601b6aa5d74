//! The configuration: what was written (files and environment), and what is meant (checked types).

mod destination;
mod hash;
mod layers;
mod mapping;
mod meant;
mod problem;
mod reference;
mod section;
mod units;

use std::path::PathBuf;

pub use destination::{Destination, HubSpot, Limits};
pub use layers::Surroundings;
pub use mapping::MappingEntry;
pub use meant::{
    Admin, ClientProperties, Configuration, Delivery, Input, Intake, Kafka, LimiterShape, Redis,
};
pub use problem::{Fault, Problem};
pub use reference::REFERENCE;

/// A configuration that can be used, and what is worth a second look.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub configuration: Configuration,
    /// Things that work but should be known.
    pub warnings: Vec<String>,
}

/// Reads files or folders, later ones over earlier ones, then the environment.
///
/// # Errors
///
/// Every problem found, in the order of reading.
pub fn load(paths: &[PathBuf], around: &Surroundings) -> Result<Loaded, Vec<Problem>> {
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
        Err(message) => {
            problems.invalid("", message);
            serde_json::Map::new()
        }
    };
    let root = layers::join(vec![document], around, &problems);
    finish(&root, around, problems)
}

fn finish(
    root: &serde_json::Value,
    around: &Surroundings,
    problems: problem::Problems,
) -> Result<Loaded, Vec<Problem>> {
    // An unreadable file makes everything after it look missing: its own problem is the one that helps.
    if problems.count() > 0 && root.as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(problems.into_parts().0);
    }
    let configuration = meant::mean(root, around, &problems);
    let (found, warnings) = problems.into_parts();
    if found.is_empty() {
        Ok(Loaded {
            configuration,
            warnings,
        })
    } else {
        Err(found)
    }
}

#[cfg(test)]
mod tests;
