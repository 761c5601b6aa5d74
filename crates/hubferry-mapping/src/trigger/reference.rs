//! The `reference` dialect: what the reference makes of a text, to the letter.
//!
//! Its scanner is loose and its parser takes tokens as they come: operators are joined by the last `and` or `or` of a
//! list, unknown words are passed over, whatever stands behind a field is its operator and its value. All of that is
//! reproduced here, as observed by running it, so that a migrated workspace sends the same events. What it cannot
//! parse, or parses and then fails to evaluate, is a fault.

mod evaluate;
mod parse;
mod scan;

pub(super) use evaluate::Logic;
pub(super) use parse::parse;
