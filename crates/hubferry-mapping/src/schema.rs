//! What an action accepts: its fields, and a payload made to fit them.

mod coerce;
mod field;
mod format;
mod required;
mod spot;
mod validate;
mod violation;

pub use field::{FieldSchema, FieldType, Format};
pub use required::{Condition, Match, Operator, Required};
pub use validate::{Blank, CleanOptions, Schema, Validated};
pub use violation::{MAX_REPORTED, Note, Violation};

#[cfg(test)]
mod tests;
