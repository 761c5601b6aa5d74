//! The mapping language: directives, triggers and field validation.
//!
//! An event goes through a mapping in three steps, each of them pure and repeatable:
//!
//! 1. [`Trigger::matches`] says whether the mapping is meant for the event.
//! 2. [`Mapping::resolve`] turns the event into a payload.
//! 3. [`Schema::validate`] cleans, coerces and checks the payload by the action's fields.
//!
//! All three are compiled once and then only evaluated, within bounds that depend on nothing but the event and the
//! mapping ([`MAX_RESOLVE_STEPS`], [`MAX_RESOLVE_BYTES`], [`MAX_LIQUID_STEPS`] and the other constants): nothing an event
//! holds can hang or exhaust a worker. The language is that of the reference destination, so that
//! a mapping exported from there works unchanged; where it differs, it refuses when loaded instead of guessing.

#[cfg(test)]
mod as_read;
mod budget;
mod compile;
mod directives;
mod fault;
mod liquid;
mod mapping;
mod node;
mod path;
mod resolved;
mod schema;
mod template;
mod text;
mod trigger;

pub use budget::{MAX_RESOLVE_BYTES, MAX_RESOLVE_STEPS};
pub use compile::MAX_MAPPING_DEPTH;
pub use fault::{MappingFault, ResolveError};
pub use liquid::{
    LiquidError, MAX_LIQUID_BYTES, MAX_LIQUID_DEPTH, MAX_LIQUID_STEPS, MAX_LIQUID_UNITS,
};
pub use mapping::Mapping;
pub use path::PathDialect;
pub use schema::{
    Blank, CleanOptions, Condition, FieldSchema, FieldType, Format, MAX_REPORTED, Match, Note,
    Operator, Required, Schema, Validated, Violation,
};
pub use text::js_text;
pub use trigger::{
    MAX_TRIGGER_BYTES, MAX_TRIGGER_DEPTH, Trigger, TriggerDialect, TriggerFault, TriggerFaultKind,
};
