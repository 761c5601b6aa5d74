//! The `fql` dialect: the language as it is documented.
//!
//! Source: Segment's page "Destination Filter Query Language", read November 2026, and the functions and escapes that
//! hubferry adds (`uppercase`, `snakecase`, `kebabcase`, `titlecase`, `bool`, `string`, `number`, `\` in texts).
//!
//! ```text
//! any        = all { "or" all }
//! all        = one { "and" one }
//! one        = "!" one | "(" any ")" | operand [ ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "in" ) operand ]
//! operand    = text | number | "true" | "false" | "null" | list | path | function "(" operand { "," operand } ")"
//! list       = "[" [ operand { "," operand } ] "]"
//! path       = key { "." key | "[" ( digits | text ) "]" }
//! ```
//!
//! `!` stands before the whole comparison. A single word without quotes is a field where a field belongs (left of an
//! operator, right of `in`, first in a function) and a text elsewhere, as in `type = track`.

mod condition;
mod function;
mod glob;
mod parse;
mod scan;

pub(super) use condition::Condition;
pub(super) use parse::parse;
